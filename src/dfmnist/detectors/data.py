"""Training and validation frames, decoded from the MP4s, resized, and kept as uint8 if they fit.

The order of frames depends on (seed, epoch) alone, so a resumed run sees the same frames as an
unbroken one. Threads decode clips in advance, each with its own decoder, and clips are used in
order, so neither the number of threads nor the machine's speed changes the result. The target is
1 for fake and 0 for real.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError
from dfmnist.core.jobs import cpu_count
from dfmnist.core.prefetch import prefetch_map
from dfmnist.dataset.manifest import Clip, Manifest
from dfmnist.media.sample import evenly, sample_frames

RAM_BUDGET_BYTES = 4 * 1024**3
"""Largest size of a split's decoded frames that are kept in memory; the frames of a larger split
are decoded anew in every epoch."""
STREAM_CLIPS = 64
"""Number of clips that are held and shuffled together when a split does not fit in memory. As many
again are decoded in the meantime (0.6 GB in all for 32 frames of 224 px)."""
MOST_THREADS = 8
"""Largest number of decoding threads for one GPU; each decodes about 1000 frames of 224 px a
second."""


def decode_threads() -> int:
    """The number of threads that decode clips during training: this process's share of cores.

    The number is 1 for training on a CPU: decoding takes a hundredth of a training step, and more
    threads would compete with the network's threads for the cores.
    """
    if not torch.cuda.is_available():
        return 1
    return min(MOST_THREADS, max(1, cpu_count() // torch.cuda.device_count()))


@dataclass(frozen=True)
class Sample:
    """One clip of the dataset in the requested qualities."""

    clip_id: str
    fake: bool
    paths: tuple[Path, ...]
    """The clip's files, one for each quality."""
    num_frames: int
    """Number of frames used of each file."""
    action: str
    """The action performed, as in the manifest; `talk` for talking."""


def select_samples(
    manifest: Manifest, split: str, qualities: Sequence[str], frames_per_clip: int
) -> list[Sample]:
    """The clips of `split` in `qualities`, sorted by name.

    Raises `InputError` if there are none, all are of one class, or a file is missing.
    """
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
        samples.append(Sample(clip_id, one.label == "fake", paths, used, str(one.action)))
    if len({s.fake for s in samples}) == 1:
        only = "fake" if samples[0].fake else "real"
        raise InputError.of(manifest.root, f"{asked} are all {only}", "some of both classes")
    for path in (p for s in samples for p in s.paths):
        if not path.is_file():
            raise InputError.of(path, "no such file", "the clip that the manifest names")
    return samples


def decode(path: Path, count: int, size_px: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Indices (k,) and RGB frames (k, size_px, size_px, 3) of up to `count` evenly spaced frames.

    Training and scoring both use this function, so that networks see the same pixels. Raises
    `InputError`.
    """
    return sample_frames(path, count, (size_px, size_px))


class ClipFrames:
    """The frames of `samples`, kept in memory after `load` if they fit, else decoded each time."""

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        size_px: int,
        budget_bytes: int = RAM_BUDGET_BYTES,
        threads: int | None = None,
        stream_clips: int = STREAM_CLIPS,
    ) -> None:
        """`threads` threads decode in advance; None means `decode_threads()`, 0 means none."""
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
        """Number of frames in one quality."""
        return sum(s.num_frames for s in self.samples)

    def load(self, describe: str, *, quiet: bool = False) -> None:
        """Decode all frames once, with a progress bar, if they fit in memory; else do nothing."""
        if not self.fits:
            return
        keys = [(i, q) for i in range(len(self.samples)) for q in range(self.num_qualities)]
        threads = min(cpu_count(), torch.get_num_threads())  # one where processes share the cores
        with progress_bar() as bar:
            task = bar.add_task(describe, total=len(keys), visible=not quiet)
            decoded = prefetch_map(
                lambda key: self.clip(*key), keys, threads=threads, max_pending=2 * threads
            )
            for key, frames in zip(keys, decoded, strict=True):
                self._held[key] = frames
                bar.advance(task)

    def clips(self, keys: Iterable[tuple[int, int]], *, most: int) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames of each (sample, quality) in order; up to `most` are decoded in advance.

        Raises `InputError` at the position of a clip that cannot be decoded.
        """
        threads = 0 if self._held else self.threads
        return prefetch_map(lambda key: self.clip(*key), keys, threads=threads, max_pending=most)

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
    """The batches of one epoch: uint8 images (batch, 3, h, w) and targets (batch,).

    The order is shuffled by (seed, epoch). Each of the `passes` takes every clip in one quality,
    drawn anew. The last batch is left out if it is smaller, since batch norm should not see it.
    Process `rank` of `world` gets every `world`-th clip of the same order, and all processes get
    the same number of batches of `batch_size`, so that no clip is decoded twice and no process
    waits at the end.
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
        # counted on the shortest clips, so that it holds for every rank and epoch
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
            # copied, so that a few frames do not keep their whole clips in memory
            rest = [(frame.copy(), fake) for frame, fake in rest[used:]]


def augment(images: NDArray[np.uint8], kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """`images` (n, h, w, 3) with random changes of the given `kind`, drawn for each image.

    `none` changes nothing. `flip` mirrors half of the images. `strong` also shifts them by up to a
    tenth of the side (edges reflected) and changes the gain and offset of each colour channel, so
    that neither a person's colours nor the framing of a clip can be memorised.
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
    """Batches of every frame in every quality, once and in order, for validation.

    Process `rank` of `world` gets every `world`-th clip. The shares differ by one clip at most;
    some are empty if there are fewer clips than processes.
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
    """A data loader that yields `batches` in this process, whose threads decode the clips.

    `bench/frames.py` measures it against worker processes that read PNGs.
    """
    return DataLoader(batches, batch_size=None, num_workers=0)


def _tensors(images: NDArray[np.uint8], fakes: Sequence[bool]) -> tuple[Tensor, Tensor]:
    """Images (n, 3, h, w) and targets (n,) as tensors.

    The images stay in channels-last memory, which decoding gives and convolutions prefer.
    """
    targets = torch.tensor(fakes, dtype=torch.float32)
    return torch.from_numpy(images).permute(0, 3, 1, 2), targets
