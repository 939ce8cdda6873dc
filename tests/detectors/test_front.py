"""What a MesoNet sees besides the frame: high-pass filters' outputs, or the step to the next."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from dfmnist.core.errors import InputError
from dfmnist.dataset.manifest import read_manifest
from dfmnist.detectors.batches import augment
from dfmnist.detectors.cam import cam
from dfmnist.detectors.chosen import chosen_run
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.networks.builders import build
from dfmnist.detectors.networks.mesonet import DIFFERENCE_GAIN, MesoNet
from dfmnist.detectors.predict import Looking, detect_file
from dfmnist.detectors.run import load_run
from dfmnist.detectors.score import score
from dfmnist.detectors.train import train
from dfmnist.media.sample import sample_frames
from dfmnist.media.video import frames_at, write_video


def meso(front: str) -> MesoNet:
    network = build("mesoinception4", size_px=32, front=front)
    assert isinstance(network, MesoNet)
    return network


def test_high_pass_filters_see_no_brightness_but_detail() -> None:
    network = meso("high-pass")
    flat = torch.full((1, 3, 32, 32), 0.6)
    assert torch.allclose(network._seen(flat)[:, 3:], torch.zeros(1, 3, 32, 32), atol=1e-5)
    row = torch.zeros(1, 3, 32, 32)
    row[..., 16] = 1  # a white column on black: the second difference of its row is -2, halved
    seen = network._seen(row)
    assert torch.equal(seen[:, :3], row)
    third = seen[0, 5, 16, 14:19] / 8
    assert third.tolist() == pytest.approx([0, 0.5, -1, 0.5, 0], abs=1e-6)


def test_the_difference_is_the_step_to_the_next_frame() -> None:
    network = meso("difference")
    assert network.consecutive == 2
    frame, later = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    seen = network._seen(torch.cat([frame, later], 1))
    assert torch.equal(seen[:, :3], frame)
    assert torch.allclose(seen[:, 3:], (later - frame) * DIFFERENCE_GAIN)


@pytest.mark.parametrize(("length", "count"), [(9, 4), (9, 9), (2, 2), (1, 3)])
def test_each_frame_has_its_next_behind_it(tmp_path: Path, length: int, count: int) -> None:
    clip = tmp_path / "clip.mp4"
    levels = np.linspace(20, 230, length).astype(np.uint8)
    frames = np.broadcast_to(levels[:, None, None, None], (length, 32, 32, 3)).copy()
    write_video(clip, frames, Fraction(25), crf=1)
    indices, pairs = sample_frames(clip, count, consecutive=2)
    assert pairs.shape == (min(count, length), 32, 32, 6)
    whole = frames_at(clip, range(length))
    for index, pair in zip(indices, pairs, strict=True):
        later = index + 1 if index + 1 < length else max(index - 1, 0)
        assert np.array_equal(pair[..., :3], whole[index])
        assert np.array_equal(pair[..., 3:], whole[later])


def test_both_frames_change_alike() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (1, 1, 40, 40, 3), dtype=np.uint8)
    pairs = np.concatenate([frame, frame], -1)
    for kind in ("none", "flip", "strong"):
        changed = augment(pairs, kind, np.random.default_rng(3))
        assert np.array_equal(changed[..., :3], changed[..., 3:])
        alone = augment(frame, kind, np.random.default_rng(3))
        assert np.array_equal(changed[..., :3], alone)


@pytest.mark.parametrize("front", ["high-pass", "difference"])
def test_a_run_trains_scores_detects_and_shows_its_maps(
    dataset: Path, tmp_path: Path, front: str
) -> None:
    config = TrainConfig(
        network="meso4", quality="raw", size_px=32, epochs=1, front=front,  # type: ignore[arg-type]
        frames_per_clip=3, augmentation="strong",
    )  # fmt: skip
    folder = train(config, dataset, tmp_path / "runs", quiet=True)
    by_openvino = score(folder, dataset, backend="openvino", precision="f32", quiet=True)
    by_torch = score(folder, dataset, backend="torch", precision="f32", quiet=True)
    logits = by_torch["logit"].to_numpy()
    np.testing.assert_allclose(by_openvino["logit"].to_numpy(), logits, atol=1e-3)
    run = load_run(folder)
    manifest = read_manifest(dataset)
    clip = manifest.select(split="test", quality="raw").clips[0]
    (face,) = detect_file(
        manifest.path(clip), chosen_run(run, "front"), Looking(cropped=True)
    ).faces
    mine = by_openvino.filter(pl.col("clip_id") == clip.clip_id)
    assert [m.p_fake for m in face.timeline] == pytest.approx(mine["p_fake"].to_list(), abs=1e-3)
    _, frames = sample_frames(manifest.path(clip), 2, consecutive=run.network.consecutive)
    assert cam(run.network, frames).shape == frames.shape[:3]


def test_fronts_are_for_mesonets() -> None:
    with pytest.raises(InputError, match="front are for MesoNets"):
        TrainConfig(network="resnet50", front="difference")
