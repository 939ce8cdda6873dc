"""The paper's training protocol (section 4), as a run really does it, step by step."""

import dataclasses
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from tests.detectors.test_train import TINY
from torch import nn

from dfmnist.core.files import read_json
from dfmnist.detectors import module as training
from dfmnist.detectors.batches import TrainBatches
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.networks.base import SeededDropout
from dfmnist.detectors.networks.builders import build
from dfmnist.detectors.run import load_run
from dfmnist.detectors.train import train

SHORT = replace(TINY, epochs=2, precise_bn_frames=0)


@dataclasses.dataclass
class Seen:
    """What a training did at each of its steps."""

    rates: list[float] = dataclasses.field(default_factory=list)
    betas: set[tuple[float, float]] = dataclasses.field(default_factory=set)
    modes: list[tuple[bool, bool]] = dataclasses.field(default_factory=list)
    """Whether the network trains, and whether its first batch norm does."""
    losses: list[tuple[torch.Tensor, torch.Tensor, float]] = dataclasses.field(default_factory=list)
    """Logits, targets and the loss made of them."""


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found = Seen()
    step, loss = training.DetectorModule.training_step, training.DetectorModule._loss

    def watched(self: Any, batch: Any, index: int) -> torch.Tensor:
        group = self.trainer.optimizers[0].param_groups[0]
        found.rates.append(group["lr"])
        found.betas.add(tuple(group["betas"]))
        norm = next(m for m in self.network.modules() if isinstance(m, nn.BatchNorm2d))
        found.modes.append((self.network.training, norm.training))
        result: torch.Tensor = step(self, batch, index)
        return result

    def noted(self: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        value = loss(self, logits, targets)
        found.losses.append((logits.detach(), targets, float(value)))
        return value

    monkeypatch.setattr(training.DetectorModule, "training_step", watched)
    monkeypatch.setattr(training.DetectorModule, "_loss", noted)
    return found


def test_the_defaults_are_the_papers() -> None:
    config = TrainConfig()
    assert (config.learning_rate, config.batch_size, config.epochs) == (2e-4, 64, 50)
    assert config.betas == (0.9, 0.999)
    assert (config.augmentation, config.balance, config.poly_power) == ("none", "none", 0.9)
    sides = {name: TrainConfig(network=name).input_size_px for name in (
        "resnet50", "resnet101", "resnet152", "xception", "mesoinception4"
    )}  # fmt: skip
    assert sides == {
        "resnet50": 224, "resnet101": 224, "resnet152": 224, "xception": 256, "mesoinception4": 256,
    }  # fmt: skip


def test_the_rate_falls_with_every_step_by_the_polynomial(
    dataset: Path, tmp_path: Path, seen: Seen
) -> None:
    train(replace(SHORT, learning_rate=3e-3, poly_power=0.9), dataset, tmp_path, quiet=True)
    steps = len(seen.rates)
    assert steps == 8
    wanted = [3e-3 * (1 - step / steps) ** 0.9 for step in range(steps)]
    np.testing.assert_allclose(seen.rates, wanted, rtol=1e-6)


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.999, 0.9)])
def test_the_betas_reach_the_optimiser(
    dataset: Path, tmp_path: Path, seen: Seen, betas: tuple[float, float]
) -> None:
    train(replace(SHORT, epochs=1, betas=betas), dataset, tmp_path, quiet=True)
    assert seen.betas == {betas}


@pytest.mark.parametrize(
    ("network", "squared"),
    [("mesoinception4", True), ("meso4", True), ("efficientnet_lite0", False)],
)
def test_mesonets_minimise_the_squared_error_and_the_others_cross_entropy(
    dataset: Path, tmp_path: Path, seen: Seen, network: str, squared: bool
) -> None:
    config = replace(SHORT, network=network, epochs=1, batch_size=16)  # type: ignore[arg-type]
    train(config, dataset, tmp_path, quiet=True)
    assert seen.losses
    for logits, targets, value in seen.losses:
        p = torch.sigmoid(logits)
        entropy = nn.functional.binary_cross_entropy(p, targets)
        wanted = ((p - targets) ** 2).mean() if squared else entropy
        assert value == pytest.approx(float(wanted), rel=1e-4)


@pytest.mark.parametrize("precise", [0, 16])
def test_a_run_trains_in_training_mode(
    dataset: Path, tmp_path: Path, seen: Seen, precise: int
) -> None:
    folder = train(replace(SHORT, precise_bn_frames=precise), dataset, tmp_path, quiet=True)
    assert seen.modes == [(True, True)] * 8
    state = load_file(folder / "weights.safetensors")
    if not precise:  # else they are counted anew before each validation
        best = read_json(folder / "run.json")["best_epoch"]
        assert int(state["bn1.num_batches_tracked"]) == 4 * best
    fresh = build("mesoinception4", size_px=64).state_dict()
    assert not torch.equal(state["bn1.running_mean"], fresh["bn1.running_mean"])


def test_going_on_from_a_run_trains_in_training_mode_too(
    dataset: Path, tmp_path: Path, seen: Seen
) -> None:
    first = train(SHORT, dataset, tmp_path, quiet=True)
    seen.modes.clear()
    train(replace(SHORT, weights=str(first), seed=5), dataset, tmp_path, quiet=True)
    assert seen.modes == [(True, True)] * 8


def test_dropout_drops_in_training_and_not_in_validation(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: dict[bool, list[bool]] = {True: [], False: []}
    forward = SeededDropout.forward

    def watched(self: SeededDropout, x: torch.Tensor) -> torch.Tensor:
        y = forward(self, x)
        dropped[torch.is_grad_enabled()].append(not torch.equal(x, y))
        return y

    monkeypatch.setattr(SeededDropout, "forward", watched)
    train(replace(SHORT, epochs=1), dataset, tmp_path, quiet=True)
    assert all(dropped[True])
    assert dropped[True]
    assert not any(dropped[False])
    assert dropped[False]
    dropped[True].clear()
    train(replace(SHORT, epochs=1, dropout=0.0), dataset, tmp_path, quiet=True)
    assert not any(dropped[True])


def test_a_frozen_backbone_keeps_its_batch_norm(dataset: Path, tmp_path: Path, seen: Seen) -> None:
    start = train(replace(SHORT, epochs=1), dataset, tmp_path / "a", quiet=True)
    frozen = replace(SHORT, weights=str(start), freeze=True)
    folder = train(frozen, dataset, tmp_path / "b", quiet=True)
    assert seen.modes[-8:] == [(False, False)] * 8
    before, after = (load_file(f / "weights.safetensors") for f in (start, folder))
    for name in before:
        same = torch.equal(before[name], after[name])
        assert same == (not name.startswith("fc2.")), name


def test_the_epoch_is_chosen_without_the_test_split(dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "dataset"
    shutil.copytree(dataset, copy)
    lines = (copy / "metadata.jsonl").read_text().splitlines()
    tests = [line for line in lines if '"split":"test"' in line.replace(" ", "")]
    assert tests
    for path in (copy / "clips").rglob("*.mp4"):
        if any(path.relative_to(copy).as_posix() in line for line in tests):
            path.unlink()
    whole = train(SHORT, dataset, tmp_path / "a", quiet=True)
    without = train(SHORT, copy, tmp_path / "b", quiet=True)
    history = [
        pl.read_csv(folder / "metrics.csv").drop("seconds", "waited") for folder in (whole, without)
    ]
    assert history[0].equals(history[1])


def test_pairs_share_place_flip_and_colour(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dfmnist.dataset.manifest import read_manifest
    from dfmnist.detectors.data import ClipFrames, select_samples
    from dfmnist.detectors.pairs import training_units

    samples = select_samples(read_manifest(dataset), "train", ("raw",), 3)
    units = training_units(samples, TrainConfig())
    assert [len(unit) for unit in units] == [2, 2, 2, 2]
    frames = ClipFrames(samples, size_px=64)
    same = frames.clip(units[0][1], 0)
    monkeypatch.setattr(frames, "clip", lambda sample, quality: same)  # both classes look alike
    batches = TrainBatches(
        frames, batch_size=8, seed=0, epoch=0, units=units, crop_px=40, augmentation="strong"
    )
    assert len(batches) == 3
    made = list(batches)
    assert len(made) == 3
    for images, targets in made:
        assert images.shape == (8, 3, 40, 40)
        assert targets.tolist() == [1, 0] * 4
        assert torch.equal(images[::2], images[1::2])
        assert not torch.equal(images[0], images[2])


def test_a_run_on_native_crops_scores_whole_frames(dataset: Path, tmp_path: Path) -> None:
    config = replace(SHORT, size_px=None, crop_px=32, epochs=1)
    run = load_run(train(config, dataset, tmp_path, quiet=True))
    assert (run.network.size_px, run.frame_px) == (32, 64)
    assert run.record["pairs"] == 4
    frames = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    images = run.network.normalise(frames)
    with torch.no_grad():
        corners = [images[..., y : y + 32, x : x + 32] for y in (0, 32) for x in (0, 32)]
        wanted = torch.stack([run.network(part) for part in corners]).mean(0)
        torch.testing.assert_close(run.network.frame_logits(images), wanted)
