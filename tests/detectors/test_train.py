"""Training: learns, resumes exactly, reuses finished runs, refuses what cannot work."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from dfmnist.core.console import console
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.networks import builders
from dfmnist.detectors.run import load_run
from dfmnist.detectors.train import run_folder, source_of, train

TINY = TrainConfig(
    network="mesoinception4",
    size_px=64,
    frames_per_clip=4,
    epochs=3,
    batch_size=8,
    learning_rate=3e-3,
    precise_bn_frames=16,
    precision="f32",
)

CUT_SHORT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from dfmnist.detectors.run import read_config
from dfmnist.detectors.train import train
dataset, runs, folder = map(Path, sys.argv[1:])
train(read_config(folder), dataset, runs)
"""


@pytest.fixture(scope="module")
def finished(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(TINY, dataset, tmp_path_factory.mktemp("runs"), quiet=True)


def test_a_run_learns_and_records_itself(finished: Path, dataset: Path) -> None:
    record = read_json(finished / "run.json")
    history = pl.read_csv(finished / "metrics.csv")
    assert finished.name.startswith("mesoinception4-raw-")
    assert history["epoch"].to_list() == [1, 2, 3]
    assert record["steps"] == 3 * (8 * 4 // 8)
    assert record["best_validation"]["val_auc"] > 0.9  # blurred or not is easy
    assert record["initialisation"] == "random, every layer"
    assert record["precision"] == "f32"
    assert record["counts"]["train"] == {"fake": 4, "real": 4, "frames": 32}
    assert not (finished / "last.ckpt").exists()
    run = load_run(finished)
    assert run.config == TINY
    assert len(run.hash) == 12


def test_a_finished_run_is_reused_and_another_config_is_another_run(
    finished: Path, dataset: Path
) -> None:
    stamp = (finished / "weights.safetensors").stat().st_mtime_ns
    assert train(TINY, dataset, finished.parent, quiet=True) == finished
    assert (finished / "weights.safetensors").stat().st_mtime_ns == stamp
    other = replace(TINY, seed=1)
    assert run_folder(other, dataset, finished.parent, source_of(other)) != finished


def test_a_killed_run_goes_on_as_the_unbroken_one(
    finished: Path, dataset: Path, tmp_path: Path
) -> None:
    folder = run_folder(TINY, dataset, tmp_path, source_of(TINY))
    script = CUT_SHORT
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(dataset), str(tmp_path), str(finished)],
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 60
        while not (folder / "last.ckpt").exists() and time.monotonic() < end:
            assert process.poll() is None
            time.sleep(0.002)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert (folder / "last.ckpt").exists()
    assert not (folder / "run.json").exists()
    begun = pl.read_csv(folder / "metrics.csv")
    assert train(TINY, dataset, tmp_path, quiet=True) == folder
    columns = ["epoch", "train_loss", "val_loss", "val_accuracy", "val_auc"]
    resumed, whole = (pl.read_csv(f / "metrics.csv")[columns] for f in (folder, finished))
    assert resumed.equals(whole)
    kept = pl.read_csv(folder / "metrics.csv")
    assert kept["seconds"][0] == begun["seconds"][0]  # the first epoch was not run again
    again, once = (load_file(f / "weights.safetensors") for f in (folder, finished))
    assert all(torch.equal(again[k], once[k]) for k in once)


def test_resnet_trains_with_its_options_and_mixed_quality(dataset: Path, tmp_path: Path) -> None:
    config = TrainConfig(
        network="resnet50",
        quality="mixed",
        size_px=32,
        frames_per_clip=1,
        epochs=1,
        batch_size=8,
        augmentation="flip",
        zero_init_residual=True,
        last_stride=1,
        precision="f32",
    )
    record = read_json(train(config, dataset, tmp_path, quiet=True) / "run.json")
    assert record["steps"] == 1


def test_the_faster_precision_is_recorded(dataset: Path, tmp_path: Path) -> None:
    config = replace(TINY, epochs=1, precision="auto")
    record = read_json(train(config, dataset, tmp_path, quiet=True) / "run.json")
    assert record["precision"] in ("f32", "bf16")
    assert record["step_seconds"].keys() == {"f32", "bf16"}


def test_a_log_file_shows_how_far_a_training_is(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line now and then, though an epoch may take hours: the batches of all epochs."""
    lines: list[str] = []
    monkeypatch.setattr(console, "print", lambda text, **_: lines.append(text))
    folder = train(replace(TINY, epochs=2), dataset, tmp_path)
    steps = read_json(folder / "run.json")["steps"]
    found = [re.match(r"train mesoinception4 \(raw\): (\d+) of (\d+), ", line) for line in lines]
    done = [tuple(map(int, m.groups())) for m in found if m]
    assert done == [(done[0][1], done[0][1])]  # short: the line of its end alone
    assert done[0][1] > steps  # validation counts too


def test_frozen_layers_stay_and_the_head_moves(dataset: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    start = builders.build("mesoinception4", seed=9, size_px=64)
    save_file(
        {k: v.contiguous() for k, v in start.state_dict().items()}, tmp_path / "w.safetensors"
    )
    config = replace(TINY, weights=str(tmp_path / "w.safetensors"), freeze=True, epochs=1)
    run = load_run(train(config, dataset, tmp_path / "runs", quiet=True))
    before, after = start.state_dict(), run.network.state_dict()
    moved = {k for k in before if not torch.equal(before[k], after[k])}
    assert moved == {"fc2.weight", "fc2.bias"}
    assert run.record["initialisation"] == "all layers from w.safetensors"


def test_bad_configs_name_the_field() -> None:
    for change, said in (
        ({"freeze": True}, "^freeze with weights none"),
        ({"epochs": 0}, "^epochs is 0"),
        ({"quality": "C 99"}, "^quality is 'C 99'; expected mixed, or a quality such as raw, c23"),
        ({"last_stride": 1}, "are for ResNets"),
    ):
        with pytest.raises(InputError, match=said):
            replace(TINY, **change)


def test_a_loss_that_is_not_finite_stops_the_run_in_one_line(dataset: Path, tmp_path: Path) -> None:
    config = replace(TINY, learning_rate=1e30, loss="bce")
    with pytest.raises(InputError, match=r"not finite|the loss is (nan|inf)") as error:
        train(config, dataset, tmp_path, quiet=True)
    assert "\n" not in str(error.value)


def test_an_unfinished_run_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no run\.json"):
        load_run(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        source_of(replace(TINY, weights="nowhere.pth"))
