"""Averages of runs: the weights between them, with norms and calibration made anew."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.detectors.conftest import make_dataset
from tests.running import called

from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json
from dfmnist.detectors.average import average_runs
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.run import RUN, WEIGHTS, load_run
from dfmnist.detectors.score import score
from dfmnist.detectors.train import train

TINY = TrainConfig(
    network="meso4", quality="raw", size_px=32, epochs=1, batch_size=8, frames_per_clip=3,
    learning_rate=1e-2, precision="f32", precise_bn_frames=16,
)  # fmt: skip


@pytest.fixture(scope="module")
def runs(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run, and one that started from it."""
    out = tmp_path_factory.mktemp("runs")
    first = train(TINY, dataset, out, quiet=True)
    return first, train(replace(TINY, weights=str(first), seed=1), dataset, out, quiet=True)


def test_weights_lie_between_and_norms_are_made_anew(
    runs: tuple[Path, Path], dataset: Path, tmp_path: Path
) -> None:
    out = average_runs(runs, dataset, tmp_path / "mean", shares=(1, 3))
    first, second, mean = (load_file(folder / WEIGHTS) for folder in (*runs, out))
    for name, value in mean.items():
        if "running" not in name and value.is_floating_point():
            between = 0.25 * first[name] + 0.75 * second[name]
            torch.testing.assert_close(value, between, msg=name)
    name = "bn4.running_var"
    plain = 0.25 * first[name] + 0.75 * second[name]
    assert not torch.allclose(mean[name], plain, rtol=1e-3)
    record = read_json(out / RUN)
    assert [(a["run"], a["share"]) for a in record["averaged"]] == [
        (runs[0].name, 0.25), (runs[1].name, 0.75)
    ]  # fmt: skip
    table = score(out, dataset, quiet=True)
    assert np.isfinite(table["logit"].to_numpy()).all()
    assert load_run(out).calibration.threshold == table["threshold"][0]


def test_a_run_averaged_with_itself_is_that_run(
    runs: tuple[Path, Path], dataset: Path, tmp_path: Path
) -> None:
    out = average_runs([runs[0]] * 2, dataset, tmp_path / "same")
    before, after = (read_json(folder / RUN) for folder in (runs[0], out))
    validation = before["best_validation"]
    assert after["best_validation"]["val_auc"] == pytest.approx(validation["val_auc"], abs=0.05)
    first, mean = (load_file(folder / WEIGHTS) for folder in (runs[0], out))
    torch.testing.assert_close(mean["conv4.weight"], first["conv4.weight"])


def test_runs_that_do_not_go_together_are_refused(
    runs: tuple[Path, Path], dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = train(replace(TINY, network="mesoinception4"), dataset, tmp_path / "runs", quiet=True)
    elsewhere = make_dataset(tmp_path / "elsewhere", seed=100)
    for given, on, shares, said in (
        ((runs[0],), dataset, None, "1 run to average; expected two or more"),
        ((runs[0], other), dataset, None, "is another network than meso4"),
        (runs, dataset, (1.0,), "shares are .*; expected 2 numbers above 0"),
        (runs, dataset, (1.0, -1.0), "expected 2 numbers above 0"),
        (runs, elsewhere, None, "was trained on another dataset; expected a run on"),
    ):
        with pytest.raises(InputError, match=said):
            average_runs(given, on, tmp_path / "out", shares)
    assert not (tmp_path / "out" / RUN).exists()
    code, out, err = called(capsys, "detector", "average", dataset, *runs, "--out", tmp_path / "x")
    assert code == 0, err
    assert "validation accuracy" in out
