"""Frames from the clips: which, in what order, and what is refused."""

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dfmnist.core.errors import InputError
from dfmnist.dataset.manifest import Clip, read_manifest, write_manifest
from dfmnist.detectors.batches import EvalBatches, TrainBatches, augment
from dfmnist.detectors.data import ClipFrames, Sample, decode, select_samples
from dfmnist.media.sample import sample_frames
from dfmnist.media.video import resize_frames


def frames_of(
    dataset: Path, qualities: tuple[str, ...] = ("raw",), count: int = 3, budget: int = 10**9
) -> ClipFrames:
    samples = select_samples(read_manifest(dataset), "train", qualities, count)
    return ClipFrames(samples, size_px=32, budget_bytes=budget)


def epoch(
    frames: ClipFrames, number: int, *, seed: int = 0, kind: str = "none", passes: int = 1
) -> torch.Tensor:
    batches = TrainBatches(
        frames, batch_size=8, seed=seed, epoch=number, passes=passes, augmentation=kind
    )
    got = list(batches)
    assert len(got) == len(batches)
    return torch.cat([images for images, _ in got])


def test_frames_cover_the_whole_clip(dataset: Path) -> None:
    frames = frames_of(dataset).clip(1, 0)
    means = frames.mean((1, 2, 3))  # brightness rises by 10 a frame: frames 1, 4, 7 of 9
    assert frames.shape == (3, 32, 32, 3)
    np.testing.assert_allclose(np.diff(means), 30, atol=3)


@pytest.mark.parametrize("budget", [10**9, 0])
def test_each_pass_has_every_frame_once_in_an_order_of_its_own(dataset: Path, budget: int) -> None:
    frames = frames_of(dataset, budget=budget)
    frames.load("decode", quiet=True)
    images = epoch(frames, 0, passes=3)
    assert len(images) == 72
    passes = [[i.numpy().tobytes() for i in part] for part in images.split(24)]
    if budget:  # a stream shuffles clips of two passes among each other
        assert all(len(set(part)) == 24 for part in passes)
    assert set(Counter(f for part in passes for f in part).values()) == {3}
    assert passes[0] != passes[1] != passes[2]


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


def test_strong_augmentation_makes_frames_neither_brighter_nor_darker_on_the_whole() -> None:
    grey = np.full((4000, 1, 4, 4, 3), 128, np.uint8)
    changed = augment(grey, "strong", np.random.default_rng(0)).mean(axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(128, abs=0.7)
    assert (changed.min(), changed.max()) == (88, 168)
    contrast = np.where(np.arange(4) < 2, 108, 148).astype(np.uint8)
    striped = np.broadcast_to(contrast[:, None], (4000, 1, 4, 4, 3)).copy()
    spread = np.ptp(augment(striped, "strong", np.random.default_rng(0)), axis=(1, 2, 3))
    assert spread.mean() == pytest.approx(40, rel=0.03)
    assert 23 <= spread.min() < 26
    assert 54 < spread.max() <= 57


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


def names_of(images: torch.Tensor) -> list[bytes]:
    return [i.numpy().tobytes() for i in images]


def test_samples_say_what_a_clip_shows(dataset: Path) -> None:
    samples = select_samples(read_manifest(dataset), "train", ("raw",), 3)
    assert [(s.clip_id, s.fake, s.action) for s in samples[:2]] == [
        ("a-fake", True, "nod"),
        ("a-real", False, "nod"),
    ]


def test_threads_do_not_change_what_comes(dataset: Path) -> None:
    samples = select_samples(read_manifest(dataset), "train", ("raw", "c40"), 3)
    epochs, evaluated = [], []
    for threads in (0, 1, 3):
        frames = ClipFrames(samples, size_px=32, budget_bytes=0, threads=threads, stream_clips=3)
        epochs.append(epoch(frames, 5))
        evaluated.append(torch.cat([i for i, _ in EvalBatches(frames, 5)]))
    assert len(epochs[0]) == 24
    assert all(torch.equal(e, epochs[0]) for e in epochs)
    assert len(evaluated[0]) == 48
    assert all(torch.equal(e, evaluated[0]) for e in evaluated)


def test_streaming_brings_every_frame_once(dataset: Path) -> None:
    samples = select_samples(read_manifest(dataset), "train", ("raw",), 3)
    frames = ClipFrames(samples, size_px=32, budget_bytes=0, stream_clips=3)
    assert len(set(names_of(epoch(frames, 0)))) == 24


@pytest.mark.parametrize("threads", [0, 2])
def test_a_broken_clip_is_named_where_it_is_used(
    dataset: Path, tmp_path: Path, threads: int
) -> None:
    samples = list(select_samples(read_manifest(dataset), "train", ("raw",), 3))
    whole = samples[4].paths[0].read_bytes()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole[: len(whole) // 2])
    samples[4] = Sample("a", False, (broken,), 3, "nod", "ann")
    frames = ClipFrames(samples, size_px=32, budget_bytes=0, threads=threads)
    with pytest.raises(InputError, match=r"broken\.mp4"):
        list(TrainBatches(frames, batch_size=2, seed=0, epoch=0))
    evaluated = iter(EvalBatches(frames, 3))
    assert len([next(evaluated) for _ in range(4)]) == 4  # the four clips before it
    with pytest.raises(InputError, match=r"broken\.mp4"):
        next(evaluated)


def test_an_epoch_left_half_way_leaves_no_thread(dataset: Path) -> None:
    frames = ClipFrames(
        frames_of(dataset).samples, size_px=32, budget_bytes=0, threads=2, stream_clips=2
    )
    batches = iter(TrainBatches(frames, batch_size=2, seed=0, epoch=0))
    next(batches)
    del batches
    deadline = time.monotonic() + 5
    while (
        left := [t for t in threading.enumerate() if t.name.startswith("ahead")]
    ) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left


@pytest.mark.parametrize("budget", [0, 10**9])
def test_devices_train_on_disjoint_clips_in_equal_numbers(dataset: Path, budget: int) -> None:
    frames = frames_of(dataset, budget=budget)

    def rank(number: int, world: int) -> list[torch.Tensor]:
        batches = TrainBatches(frames, batch_size=4, seed=0, epoch=1, rank=number, world=world)
        got = [images for images, _ in batches]
        assert len(got) == len(batches)
        return got

    for world in (2, 3):
        parts = [rank(n, world) for n in range(world)]
        assert len({len(p) for p in parts}) == 1
        seen = [set(names_of(torch.cat(p))) for p in parts]
        assert sum(len(s) for s in seen) == len(set.union(*seen))  # disjoint
        assert sum(len(s) for s in seen) == world * 4 * len(parts[0])
        assert all(torch.equal(a, b) for a, b in zip(rank(1, world), parts[1], strict=True))
    with pytest.raises(InputError, match="8 training clips for 9 devices"):
        rank(0, 9)


def test_devices_of_clips_of_unequal_length_get_equal_numbers(dataset: Path) -> None:
    samples = [
        dataclasses.replace(s, num_frames=1 + 2 * (i % 3))
        for i, s in enumerate(frames_of(dataset).samples)
    ]
    frames = ClipFrames(samples, size_px=32, budget_bytes=0, stream_clips=2)
    for number in range(6):
        counts = {
            len(list(TrainBatches(frames, batch_size=2, seed=0, epoch=number, rank=r, world=2)))
            for r in range(2)
        }
        assert counts == {(1 + 1 + 1 + 3) // 2}  # what the four shortest hold


def test_devices_together_evaluate_every_frame_once(dataset: Path) -> None:
    frames = frames_of(dataset, ("raw", "c40"))
    everything = sorted(names_of(torch.cat([i for i, _ in EvalBatches(frames, 7)])))
    for world in (1, 3, 9):
        parts = [b for r in range(world) for b in EvalBatches(frames, 7, rank=r, world=world)]
        assert sorted(names_of(torch.cat([i for i, _ in parts]))) == everything
        assert sum(t.sum() for _, t in parts) == 24


def test_training_scoring_and_arrays_see_the_same_pixels(dataset: Path) -> None:
    frames = frames_of(dataset)
    path = frames.samples[0].paths[0]
    indices, decoded = decode(path, 3, 32)
    assert indices.tolist() == [1, 4, 7]
    assert np.array_equal(decoded, frames.clip(0, 0))
    arrays = resize_frames(sample_frames(path, 3)[1], (32, 32))  # as `detect` does after its crop
    error = np.mean((arrays.astype(float) - decoded) ** 2)
    assert 10 * np.log10(255**2 / error) > 40  # of blurred noise: chroma is resized once, not twice


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
