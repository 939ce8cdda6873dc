"""Frames from the clips: which, in what order, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dfmnist.core.errors import InputError
from dfmnist.dataset.manifest import Clip, read_manifest, write_manifest
from dfmnist.detect.data import ClipFrames, EvalBatches, TrainBatches, select_samples


def frames_of(
    dataset: Path, qualities: tuple[str, ...] = ("raw",), count: int = 3, budget: int = 10**9
) -> ClipFrames:
    samples = select_samples(read_manifest(dataset), "train", qualities, count)
    return ClipFrames(samples, size_px=32, budget_bytes=budget)


def epoch(frames: ClipFrames, number: int, *, seed: int = 0, kind: str = "none") -> torch.Tensor:
    batches = TrainBatches(frames, batch_size=8, seed=seed, epoch=number, augmentation=kind)
    got = list(batches)
    assert len(got) == len(batches)
    return torch.cat([images for images, _ in got])


def test_frames_cover_the_whole_clip(dataset: Path) -> None:
    frames = frames_of(dataset).clip(1, 0)
    means = frames.mean((1, 2, 3))  # brightness rises by 10 a frame: frames 1, 4, 7 of 9
    assert frames.shape == (3, 32, 32, 3)
    np.testing.assert_allclose(np.diff(means), 30, atol=3)


def test_every_frame_comes_once_an_epoch_with_its_label(dataset: Path) -> None:
    frames = frames_of(dataset)
    frames.load("decode", quiet=True)
    got = list(TrainBatches(frames, batch_size=8, seed=0, epoch=0))
    targets = torch.cat([t for _, t in got])
    images = torch.cat([i for i, _ in got])
    assert targets.sum() == 12
    assert len(targets) == 24
    assert len({i.numpy().tobytes() for i in images}) == 24
    sharpness = images.float().diff(dim=2).abs().mean((1, 2, 3))
    assert sharpness[targets == 0].min() > sharpness[targets == 1].max()  # fakes are blurred


def test_order_follows_from_seed_and_epoch_alone(dataset: Path) -> None:
    frames = frames_of(dataset)
    frames.load("decode", quiet=True)
    first = epoch(frames, 3)
    assert torch.equal(first, epoch(frames, 3))
    assert not torch.equal(first, epoch(frames, 4))
    assert not torch.equal(first, epoch(frames, 3, seed=1))


def test_beyond_the_budget_frames_are_decoded_again_and_the_same(dataset: Path) -> None:
    held, streamed = frames_of(dataset), frames_of(dataset, budget=1000)
    for frames in (held, streamed):
        frames.load("decode", quiet=True)
    assert held.fits
    assert not streamed.fits
    assert torch.equal(epoch(held, 0), epoch(streamed, 0))


def test_flip_mirrors_about_half(dataset: Path) -> None:
    frames = frames_of(dataset)
    plain, flipped = epoch(frames, 0), epoch(frames, 0, kind="flip")
    key = sorted(i.numpy().tobytes() for i in plain)
    same = sum(f.numpy().tobytes() in key for f in flipped)
    mirrored = sum(f.flip(2).contiguous().numpy().tobytes() in key for f in flipped)
    assert same + mirrored == 24
    assert 4 <= mirrored <= 20


def test_strong_augmentation_changes_every_frame_and_repeats_itself(dataset: Path) -> None:
    frames = frames_of(dataset)
    plain, strong = epoch(frames, 0), epoch(frames, 0, kind="strong")
    assert not {i.numpy().tobytes() for i in plain} & {i.numpy().tobytes() for i in strong}
    assert torch.equal(strong, epoch(frames, 0, kind="strong"))
    sharp, blurred = (i.float().diff(dim=2).abs().mean((1, 2, 3)) for i in (plain, strong))
    assert blurred.mean() == pytest.approx(float(sharp.mean()), rel=0.2)  # detail stays


def test_mixed_draws_one_quality_a_clip_and_epoch(dataset: Path) -> None:
    frames = frames_of(dataset, ("raw", "c23", "c40"))
    frames.load("decode", quiet=True)
    names = {
        frame.tobytes(): quality
        for i in range(len(frames.samples))
        for quality in range(3)
        for frame in frames.clip(i, quality)
    }
    drawn = [names[i.permute(1, 2, 0).contiguous().numpy().tobytes()] for i in epoch(frames, 0)]
    assert len(drawn) == 24
    assert set(drawn) == {0, 1, 2}
    evaluated = torch.cat([i for i, _ in EvalBatches(frames, 7)])
    assert len(evaluated) == 72


def keep(source: Path, root: Path, wanted: Callable[[Clip], bool]) -> Path:
    clips = [c for c in read_manifest(source).clips if wanted(c)]
    write_manifest(root, clips)
    return root


def test_what_cannot_be_trained_on_is_refused(dataset: Path, tmp_path: Path) -> None:
    def attempt(wanted: Callable[[Clip], bool], split: str = "train") -> None:
        manifest = read_manifest(keep(dataset, tmp_path, wanted))
        select_samples(manifest, split, ("raw",), 3)

    with pytest.raises(InputError, match="holds no validation clips in raw"):
        attempt(lambda c: c.split == "train", "validation")
    with pytest.raises(InputError, match="all real; expected some of both classes"):
        attempt(lambda c: c.label == "real")
    with pytest.raises(InputError, match=r"a-fake\.mp4: no such file"):
        attempt(lambda c: True)  # the manifest without its clips
