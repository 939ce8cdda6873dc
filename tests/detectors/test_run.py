"""Finished runs are read without torch, also those that earlier versions wrote."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dfmnist.core.choices import QUALITIES, Quality
from dfmnist.core.config import plain
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.networks.builders import BUILDERS
from dfmnist.detectors.networks.names import NETWORKS, published_loss, published_size_px
from dfmnist.detectors.run import CONFIG, RUN, WEIGHTS, read_calibration, read_config, read_run

SRC = Path(__file__).resolve().parents[2] / "src"
READ = """
import sys
from pathlib import Path
import dfmnist.detectors.compare
import dfmnist.detectors.config
import dfmnist.detectors.metrics
import dfmnist.detectors.networks.names
import dfmnist.detectors.scores
import dfmnist.detectors.summary
from dfmnist.detectors.run import read_calibration, read_run

run = read_run(Path(sys.argv[1]))
assert run.calibration == read_calibration(run.folder / "weights.safetensors")
print("torch" in sys.modules)
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "resnet50-raw-abcdef123456"
    write_json(folder / CONFIG, plain(TrainConfig(betas=(0.9, 0.99), actions=("nod",))))
    write_json(folder / RUN, {"calibration": {"temperature": 2.0, "threshold": 0.25}})
    about = {"temperature": "2.0", "threshold": "0.25"}
    save_file({"fc.bias": np.zeros(1, np.float32)}, folder / WEIGHTS, metadata=about)
    return folder


def test_reading_a_finished_run_needs_no_torch(run: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ, str(run)],
        env=os.environ | {"PYTHONPATH": str(SRC)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "False"


def test_a_run_record_holds_config_and_calibration(run: Path) -> None:
    found = read_run(run)
    assert found.config == TrainConfig(betas=(0.9, 0.99), actions=("nod",))
    assert found.hash == "abcdef123456"
    assert found.calibration == read_calibration(run / WEIGHTS)


def test_a_precision_in_the_old_spelling_is_read(run: Path) -> None:
    values = read_json(run / CONFIG)
    write_json(run / CONFIG, values | {"precision": "32"})
    assert read_config(run).precision == "f32"


def test_weights_that_cannot_be_read_are_named(run: Path) -> None:
    (run / WEIGHTS).write_bytes(b"not weights")
    with pytest.raises(InputError, match=rf"{WEIGHTS}: cannot be read"):
        read_calibration(run / WEIGHTS)


def test_every_name_has_a_network_and_the_papers_setting() -> None:
    assert tuple(BUILDERS) == NETWORKS
    for name in NETWORKS:
        assert BUILDERS[name]().size_px == published_size_px(name)
    assert [n for n in NETWORKS if published_loss(n) == "mse"] == ["mesoinception4", "meso4"]
    assert tuple(Quality) == QUALITIES


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("precision", "32", "auto, f32, bf16"),
        ("loss", "l1", "bce, mse"),
        ("last_stride", 3, "1, 2"),
    ],
)
def test_a_value_that_is_no_choice_is_refused(field: str, value: object, allowed: str) -> None:
    with pytest.raises(InputError, match=rf"^{field} is '{value}'; expected one of {allowed}$"):
        replace(TrainConfig(), **{field: value})  # type: ignore[arg-type]
