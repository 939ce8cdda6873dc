"""Frames straight from the MP4s: decoded in sequence, resized, kept as uint8 where they fit.

The order of frames follows from (seed, epoch) alone, so a resumed run sees what the unbroken
one would have seen. Threads decode clips ahead of need, each with a decoder of its own, and clips
are taken in order, so neither their number nor the machine's speed changes what comes.
Fake is 1, real is 0.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from dfmnist.core.errors import InputError
from dfmnist.core.jobs import cpu_count, progress_bar
from dfmnist.core.prefetch import prefetch_map
from dfmnist.dataset.manifest import Clip, Manifest
from dfmnist.media.sample import evenly, sample_frames

RAM_BUDGET_BYTES = 4 * 1024**3
"""Decoded frames of one split beyond this are decoded anew in every epoch."""
STREAM_CLIPS = 64
"""When streaming, the clips held, and shuffled among each other, at a time; as many again are
decoded meanwhile (0.6 GB in all for 32 frames of 224 px)."""
MOST_THREADS = 8
"""Of decoding for one GPU: at 224 px each gives about 1000 frames a second."""


def decode_threads() -> int:
    """Threads that decode clips beside a training: this process's share of the cores.

    On a CPU it is one: decoding takes a hundredth of a training step, and more threads would
    only wait for a core with the network's own.
    """
    if not torch.cuda.is_available():
        return 1
    return min(MOST_THREADS, max(1, cpu_count() // torch.cuda.device_count()))


@dataclass(frozen=True)
class Sample:
    """A clip in the qualities asked for."""

    clip_id: str
    fake: bool
    paths: tuple[Path, ...]
    """One file a quality."""
    num_frames: int
    """Frames that are used of each file."""
    action: str
    """What is performed, as the manifest says; `talk` for talking."""
    identity: str
    """Who is seen: the manifest's source_id."""


def select_samples(
    manifest: Manifest, split: str, qualities: Sequence[str], frames_per_clip: int
) -> list[Sample]:
    """The clips of `split` in `qualities`, sorted. Raises `InputError`: none, or one class."""
    by_clip: dict[str, list[Clip]] = {}
    for quality in qualities:
        for clip in manifest.select(split=split, quality=quality).clips:
            by_clip.setdefault(clip.clip_id, []).append(clip)
    asked = f"{split} clips in {' and '.join(qualities)}"
    if not by_clip:
        raise InputError.of(manifest.root, f"holds no {asked}", "some of both classes")
    samples = []
    for clip_id, clips in sorted(by_clip.items()):
        if len(clips) != len(qualities):
            found = ", ".join(c.quality for c in clips)
            what = f"clip {clip_id} is there in {found} only"
            raise InputError.of(manifest.root, what, " and ".join(qualities))
        paths = tuple(manifest.path(c) for c in clips)
        used = len(evenly(min(c.num_frames for c in clips), frames_per_clip))
        one = clips[0]
        samples.append(
            Sample(clip_id, one.label == "fake", paths, used, str(one.action), one.source_id)
        )
    if len({s.fake for s in samples}) == 1:
        only = "fake" if samples[0].fake else "real"
        raise InputError.of(manifest.root, f"{asked} are all {only}", "some of both classes")
    for path in (p for s in samples for p in s.paths):
        if not path.is_file():
            raise InputError.of(path, "no such file", "the clip that the manifest names")
    return samples


def decode(path: Path, count: int, size_px: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Indices (k,) and frames (k, size_px, size_px, 3) RGB, evenly spaced. Raises `InputError`.

    The one way from a clip to what a network sees: training, scoring and `detect` share it.
    """
    return sample_frames(path, count, (size_px, size_px))


class ClipFrames:
    """The frames of `samples`: in RAM after `load` where they fit the budget, else decoded."""

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        size_px: int,
        budget_bytes: int = RAM_BUDGET_BYTES,
        threads: int | None = None,
        stream_clips: int = STREAM_CLIPS,
    ) -> None:
        """`threads` decode ahead of training; None is `decode_threads()`, 0 is none at all."""
        self.samples = tuple(samples)
        self.size_px = size_px
        self.threads = decode_threads() if threads is None else threads
        self.stream_clips = stream_clips
        self.num_qualities = len(self.samples[0].paths)
        total = self.num_qualities * sum(s.num_frames for s in self.samples)
        self.fits = total * size_px**2 * 3 <= budget_bytes
        self._held: dict[tuple[int, int], NDArray[np.uint8]] = {}

    @property
    def num_frames(self) -> int:
        """Frames of one quality."""
        return sum(s.num_frames for s in self.samples)

    def load(self, describe: str, *, quiet: bool = False) -> None:
        """Decode everything once, with a progress bar, where it fits; else do nothing."""
        if not self.fits:
            return
        keys = [(i, q) for i in range(len(self.samples)) for q in range(self.num_qualities)]
        threads = min(cpu_count(), torch.get_num_threads())  # one where processes share the cores
        with progress_bar() as bar:
            task = bar.add_task(describe, total=len(keys), visible=not quiet)
            decoded = prefetch_map(
                lambda key: self.clip(*key), keys, threads=threads, most=2 * threads
            )
            for key, frames in zip(keys, decoded, strict=True):
                self._held[key] = frames
                bar.advance(task)

    def clips(self, keys: Iterable[tuple[int, int]], *, most: int) -> Iterator[NDArray[np.uint8]]:
        """The frames of each (sample, quality), in order; up to `most` clips decoded ahead.

        Raises `InputError` where the clip at fault would have come.
        """
        threads = 0 if self._held else self.threads
        return prefetch_map(lambda key: self.clip(*key), keys, threads=threads, most=most)

    def clip(self, sample: int, quality: int) -> NDArray[np.uint8]:
        """The frames (k, size_px, size_px, 3) of one clip in one quality."""
        if (held := self._held.get((sample, quality))) is not None:
            return held
        wanted = self.samples[sample]
        path = wanted.paths[quality]
        _, frames = decode(path, wanted.num_frames, self.size_px)
        if len(frames) != wanted.num_frames:
            what = f"holds {len(frames)} usable frames"
            raise InputError.of(path, what, f"{wanted.num_frames}, as the manifest says")
        return frames


class TrainBatches(IterableDataset[tuple[Tensor, Tensor]]):
    """One epoch: uint8 images (batch, 3, h, w) and targets (batch,), shuffled by (seed, epoch).

    In each of its `passes` every clip appears in one quality, drawn anew. The last, smaller batch
    is left out, since batch norm should not see it. `rank` of `world` processes gets every
    `world`-th clip of the same order, and all get the same number of batches of `batch_size`: no
    clip is decoded by two, and none waits for another at the end.
    """

    def __init__(
        self,
        frames: ClipFrames,
        *,
        batch_size: int,
        seed: int,
        epoch: int,
        passes: int = 1,
        augmentation: str = "none",
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.passes = passes
        self.frames, self.augmentation = frames, augmentation
        self.seed, self.epoch, self.rank, self.world = seed, epoch, rank, world
        each = len(frames.samples) // world
        if not each:
            raise InputError(
                f"{len(frames.samples)} training clips for {world} devices; "
                "expected one or more for each"
            )
        # What the shortest clips give: the same for every rank and epoch, whoever gets which.
        self._sure = passes * sum(sorted(s.num_frames for s in frames.samples)[:each])
        self.batch_size = min(batch_size, self._sure)

    def __len__(self) -> int:
        return self._sure // self.batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        samples = self.frames.samples
        order = np.concatenate([rng.permutation(len(samples)) for _ in range(self.passes)])
        qualities = rng.integers(self.frames.num_qualities, size=(self.passes, len(samples)))
        keys = [(int(i), int(qualities[n // len(samples), i])) for n, i in enumerate(order)]
        if self.world > 1:
            keys = keys[self.rank :: self.world]
            rng = np.random.default_rng([self.seed, self.epoch, self.rank])
        held = len(samples) if self.frames.fits else self.frames.stream_clips
        decoded = self.frames.clips(keys, most=held)
        left = len(self)
        rest: list[tuple[NDArray[np.uint8], bool]] = []
        for start in range(0, len(keys), held):
            for (i, _), clip in zip(keys[start : start + held], decoded, strict=False):
                rest += [(frame, samples[i].fake) for frame in clip]
            rest = [rest[i] for i in rng.permutation(len(rest))]
            used = 0
            while left and len(rest) - used >= self.batch_size:
                batch = rest[used : used + self.batch_size]
                images = augment(np.stack([f for f, _ in batch]), self.augmentation, rng)
                yield _tensors(images, [fake for _, fake in batch])
                used, left = used + self.batch_size, left - 1
            if not left:
                return
            # Copied, so that a few frames do not keep their whole clips in memory.
            rest = [(frame.copy(), fake) for frame, fake in rest[used:]]


def augment(images: NDArray[np.uint8], kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """`images` (n, h, w, 3) as `kind` says, each one drawn on its own.

    `none`: as they are. `flip`: mirrored or not. `strong`: also moved by up to a tenth of the
    side (edges reflected), and each colour channel with another gain and offset, so that
    neither a person's colours nor the framing of a clip can be learnt by heart.
    """
    if kind == "none":
        return images
    count, side = images.shape[:2]
    images = images.copy()
    mirrored = rng.random(count) < 0.5
    images[mirrored] = images[mirrored, :, ::-1]
    if kind == "flip":
        return images
    most = max(1, side // 10)
    padded = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)), mode="reflect")
    corners = rng.integers(0, 2 * most + 1, (count, 2))
    pairs = zip(padded, corners, strict=True)
    moved = np.stack([image[y : y + side, x : x + side] for image, (y, x) in pairs])
    gain = rng.uniform(0.6, 1.4, (count, 1, 1, 3)).astype(np.float32)
    offset = rng.uniform(-40, 40, (count, 1, 1, 3)).astype(np.float32)
    coloured = (moved - np.float32(128)) * gain + (128 + offset)
    result: NDArray[np.uint8] = np.clip(np.rint(coloured), 0, 255).astype(np.uint8)
    return result


class EvalBatches(IterableDataset[tuple[Tensor, Tensor]]):
    """Every frame of every quality once, in order.

    `rank` of `world` processes gets every `world`-th clip; shares differ by a clip, and with
    fewer clips than processes some are empty.
    """

    def __init__(
        self, frames: ClipFrames, batch_size: int, *, rank: int = 0, world: int = 1
    ) -> None:
        self.frames, self.batch_size = frames, batch_size
        self.rank, self.world = rank, world

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        images: list[NDArray[np.uint8]] = []
        fakes: list[bool] = []
        own = range(self.rank, len(self.frames.samples), self.world)
        keys = [(i, quality) for i in own for quality in range(self.frames.num_qualities)]
        decoded = self.frames.clips(keys, most=2 * max(self.frames.threads, 1))
        for (i, _), clip in zip(keys, decoded, strict=True):
            images += list(clip)
            fakes += [self.frames.samples[i].fake] * len(clip)
            while len(images) >= self.batch_size:
                yield _tensors(np.stack(images[: self.batch_size]), fakes[: self.batch_size])
                images, fakes = images[self.batch_size :], fakes[self.batch_size :]
        if images:
            yield _tensors(np.stack(images), fakes)


def loader(
    batches: TrainBatches | EvalBatches,
) -> DataLoader[tuple[Tensor, Tensor]]:
    """The batches as they are, in this process: its threads decode (`bench/frames.py`)."""
    return DataLoader(batches, batch_size=None, num_workers=0)


def _tensors(images: NDArray[np.uint8], fakes: Sequence[bool]) -> tuple[Tensor, Tensor]:
    """Channels-last memory is what decoding gives, and what convolutions like."""
    targets = torch.tensor(fakes, dtype=torch.float32)
    return torch.from_numpy(images).permute(0, 3, 1, 2), targets
