"""The precision is the faster one, whatever the processor."""

import json
import os
import subprocess
import sys

import pytest
import torch

from dfmnist.detectors import precision
from dfmnist.detectors.precision import choose_precision

pytestmark = pytest.mark.usefixtures("as_shipped")

OPTIONS = {"size_px": 32}


def test_the_faster_one_is_chosen() -> None:
    chosen, seconds = choose_precision("mesoinception4", OPTIONS, 4, torch.device("cpu"))
    assert seconds.keys() == {"f32", "bf16"}
    assert all(s > 0 for s in seconds.values())
    assert (chosen == "bf16") == (seconds["bf16"] * 1.1 < seconds["f32"])


@pytest.mark.skipif(
    not torch.backends.cpu.get_cpu_capability().startswith("AVX"), reason="for x86 processors"
)
def test_a_processor_without_bfloat16_gets_float32_soon() -> None:
    program = (
        "import json, torch; torch.set_num_threads(1);"
        "from dfmnist.detectors.precision import choose_precision;"
        f"print(json.dumps(choose_precision('mesoinception4', {OPTIONS}, 4, torch.device('cpu'))))"
    )
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    chosen, seconds = json.loads(done.stdout)
    assert chosen == "f32"
    assert seconds["bf16"] > seconds["f32"]


def test_the_seconds_are_those_of_a_training_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where bfloat16 is so slow that its own step is not timed: plans are timed by them."""

    def pass_s(module: object, frames: torch.Tensor, which: str, forward_only: bool) -> float:
        assert forward_only or which == "f32"
        return len(frames) * (1 if forward_only else 3) * (10.0 if which == "bf16" else 1.0)

    monkeypatch.setattr(precision, "_pass_s", pass_s)
    chosen, seconds = choose_precision("mesoinception4", OPTIONS, 4, torch.device("cpu"))
    assert (chosen, seconds) == ("f32", {"f32": 12.0, "bf16": 120.0})
