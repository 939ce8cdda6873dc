"""Batches of frames for training and validation, in an order that (seed, epoch) alone decides.

A resumed run therefore sees what the unbroken one would have seen. Fake is 1, real is 0.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from dfmnist.core.errors import InputError
from dfmnist.detectors.crops import random_crops
from dfmnist.detectors.data import ClipFrames
from dfmnist.detectors.pairs import Unit

Pixels = NDArray[np.uint8]


class TrainBatches(IterableDataset[tuple[Tensor, Tensor]]):
    """One epoch: uint8 images (batch, c, h, w) and targets (batch,), shuffled by (seed, epoch).

    The epoch goes through `units`: single clips, or pairs of a fake and a real clip whose frames
    share one crop and one augmentation. In each of its `passes` every unit appears in one quality,
    drawn anew. The last, smaller batch is left out, since batch norm should not see it. `rank` of
    `world` processes gets every `world`-th unit of the same order, and all get the same number of
    batches of `batch_size` frames: no clip is decoded by two, and none waits for another at the
    end.
    """

    def __init__(
        self,
        frames: ClipFrames,
        *,
        batch_size: int,
        seed: int,
        epoch: int,
        units: Sequence[Unit] | None = None,
        crop_px: int | None = None,
        passes: int = 1,
        augmentation: str = "none",
        rank: int = 0,
        world: int = 1,
    ) -> None:
        """`units` None is each clip by itself; `crop_px` None is the whole frame."""
        self.units = [(i,) for i in range(len(frames.samples))] if units is None else list(units)
        self.passes, self.crop_px = passes, crop_px
        self.frames, self.augmentation = frames, augmentation
        self.seed, self.epoch, self.rank, self.world = seed, epoch, rank, world
        each = len(self.units) // world
        if not each:
            raise InputError(
                f"{len(self.units)} training clips for {world} devices; "
                "expected one or more for each"
            )
        self.width = len(self.units[0])
        # What the shortest clips give: the same for every rank and epoch, whoever gets which.
        sure = passes * sum(sorted(self._length(unit) for unit in self.units)[:each])
        self.per_batch = min(max(1, batch_size // self.width), sure)
        self._batches = sure // self.per_batch

    @property
    def batch_size(self) -> int:
        """Frames of a batch."""
        return self.per_batch * self.width

    def _length(self, unit: Unit) -> int:
        """Frames of a unit's shortest clip."""
        return min(self.frames.samples[i].num_frames for i in unit)

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        count = len(self.units)
        order = np.concatenate([rng.permutation(count) for _ in range(self.passes)])
        qualities = rng.integers(self.frames.num_qualities, size=(self.passes, count))
        drawn = [(self.units[i], int(qualities[n // count, i])) for n, i in enumerate(order)]
        if self.world > 1:
            drawn = drawn[self.rank :: self.world]
            rng = np.random.default_rng([self.seed, self.epoch, self.rank])
        held = count if self.frames.fits else max(1, self.frames.stream_clips // self.width)
        keys = [(i, quality) for unit, quality in drawn for i in unit]
        decoded = self.frames.clips(keys, most=held * self.width)
        left = len(self)
        rest: list[tuple[tuple[Pixels, ...], Unit]] = []
        for start in range(0, len(drawn), held):
            for unit, _ in drawn[start : start + held]:
                clips = [next(decoded) for _ in unit]
                rest += [(frames, unit) for frames in zip(*clips, strict=False)]
            rest = [rest[i] for i in rng.permutation(len(rest))]
            used = 0
            while left and len(rest) - used >= self.per_batch:
                yield self._batch(rest[used : used + self.per_batch], rng)
                used, left = used + self.per_batch, left - 1
            if not left:
                return
            # Copied, so that a few frames do not keep their whole clips in memory.
            rest = [(tuple(f.copy() for f in frames), unit) for frames, unit in rest[used:]]

    def _batch(
        self, drawn: Sequence[tuple[tuple[Pixels, ...], Unit]], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Images (batch, c, h, w) and targets (batch,) of some units' frames."""
        units = [np.stack(frames) for frames, _ in drawn]
        if self.crop_px is not None:
            units = [random_crops(frames, self.crop_px, rng) for frames in units]
        images = augment(np.stack(units), self.augmentation, rng)
        samples = self.frames.samples
        fakes = [samples[i].fake for _, unit in drawn for i in unit]
        return _tensors(images.reshape(-1, *images.shape[2:]), fakes)


def augment(units: Pixels, kind: str, rng: np.random.Generator) -> Pixels:
    """`units` (n, k, h, w, c) changed as `kind` says; all frames of a unit change alike.

    `none`: as they are. `flip`: mirrored or not. `strong`: also moved by up to a tenth of the
    side (edges reflected), and each colour channel with another gain and offset, so that
    neither a person's colours nor the framing of a clip can be learnt by heart.
    """
    if kind == "none":
        return units
    count, side = units.shape[0], units.shape[2]
    units = units.copy()
    mirrored = rng.random(count) < 0.5
    units[mirrored] = units[mirrored, :, :, ::-1]
    if kind == "flip":
        return units
    most = max(1, side // 10)
    edges = ((0, 0), (0, 0), (most, most), (most, most), (0, 0))
    padded = np.pad(units, edges, mode="reflect")
    corners = rng.integers(0, 2 * most + 1, (count, 2))
    height, width = units.shape[2:4]
    pairs = zip(padded, corners, strict=True)
    moved = np.stack([unit[:, y : y + height, x : x + width] for unit, (y, x) in pairs])
    gain = rng.uniform(0.6, 1.4, (count, 1, 1, 1, 3)).astype(np.float32)
    offset = rng.uniform(-40, 40, (count, 1, 1, 1, 3)).astype(np.float32)
    gain, offset = (np.tile(colour, units.shape[-1] // 3) for colour in (gain, offset))
    coloured = (moved - np.float32(128)) * gain + (128 + offset)
    result: Pixels = np.clip(np.rint(coloured), 0, 255).astype(np.uint8)
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
        images: list[Pixels] = []
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
    """A loader that gives the batches as they are, in this process: its threads decode."""
    return DataLoader(batches, batch_size=None, num_workers=0)


def _tensors(images: Pixels, fakes: Sequence[bool]) -> tuple[Tensor, Tensor]:
    """Images (n, c, h, w) in channels-last memory, as decoding gives it, and targets (n,)."""
    targets = torch.tensor(fakes, dtype=torch.float32)
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2), targets
