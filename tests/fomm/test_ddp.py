"""Two processes train as one (DDP over gloo): same weights in both, same pairs as one alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.fomm.test_vox import ADVERSARIAL, config, film, rows, train

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import dataclasses, os, sys
from pathlib import Path
import torch
from dfmnist.core.jobs import engine
from dfmnist.core.lightning import run
from dfmnist.fomm.training import train_vox as module
from tests.fomm.test_vox import ADVERSARIAL, CPU, config, train

folder = Path(sys.argv[1])
torch.set_num_threads(1)
kept = []

def keep(lightning_module, *more, **options):
    kept.append(lightning_module)
    run(lightning_module, *more, **options)

module.run = keep
recipe = config(weights=ADVERSARIAL, epochs=int(sys.argv[2]))
machine = dataclasses.replace(CPU, devices=2)
with engine("local", workers=1):
    train(recipe, folder / "clips", folder / "out", machine=machine)
weights = dict(kept[0].named_parameters())
torch.save(weights, folder / f"rank{os.environ.get('LOCAL_RANK', 0)}.pt")
"""


@pytest.mark.soak
def test_two_processes_hold_the_same_weights(tmp_path: Path) -> None:
    film(tmp_path / "clips")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def together(epochs: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        done = subprocess.run(
            [sys.executable, script, tmp_path, str(epochs)],
            env=_environment(), capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stderr.count("NOT the published perceptual loss") == 1
        ranks = [torch.load(tmp_path / f"rank{i}.pt", weights_only=True) for i in (0, 1)]
        return ranks[0], ranks[1]

    for epochs in (1, 2):  # the second call resumes from the first's checkpoint
        one, two = together(epochs)
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)
        assert len(rows(tmp_path / "out")) == 1 + epochs
    # one process alone draws the same pairs; its batch norm sees four at a time instead of two
    train(config(weights=ADVERSARIAL, epochs=1), tmp_path / "clips", tmp_path / "alone")
    both, alone = (dict(zip(*rows(tmp_path / name)[:2], strict=True)) for name in ("out", "alone"))
    assert float(both["pyramid"]) == pytest.approx(float(alone["pyramid"]), rel=0.1)
    assert both["sheet_l1_still"] == alone["sheet_l1_still"]


def _environment() -> dict[str, str]:
    paths = [str(ROOT), str(ROOT / "src")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
