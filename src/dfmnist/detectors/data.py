"""Training and validation frames, decoded from the MP4s and kept as uint8 if they fit.

Threads decode clips in advance, each with its own decoder, and clips are used in order, so neither
the number of threads nor the machine's speed changes the result.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError
from dfmnist.core.jobs import cpu_count
from dfmnist.core.prefetch import prefetch_map
from dfmnist.dataset.headers import header_of
from dfmnist.dataset.manifest import Clip, Manifest
from dfmnist.dataset.qualities import qualities_of
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
    """The action performed, as in the manifest; `talk` for talking, empty where none is known."""
    identity: str
    """The person who is seen: the manifest's `source`."""


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
        there = qualities_of(manifest.select(split=split).clips)
        expected = f"one of {', '.join(there)}" if there else "some of both classes"
        raise InputError.of(manifest.root, f"holds no {asked}", expected)
    samples = []
    for clip_id, clips in sorted(by_clip.items()):
        if len(clips) != len(qualities):
            found = ", ".join(c.quality for c in clips)
            what = f"clip {clip_id} is there in {found} only"
            raise InputError.of(manifest.root, what, " and ".join(qualities))
        paths = tuple(manifest.path(c) for c in clips)
        shortest = min(header_of(manifest, c).num_frames for c in clips)
        used = len(evenly(shortest, frames_per_clip))
        one = clips[0]
        samples.append(
            Sample(clip_id, one.label == "fake", paths, used, one.action_name, one.source)
        )
    if len({s.fake for s in samples}) == 1:
        only = "fake" if samples[0].fake else "real"
        raise InputError.of(manifest.root, f"{asked} are all {only}", "some of both classes")
    for path in (p for s in samples for p in s.paths):
        if not path.is_file():
            raise InputError.of(path, "no such file", "the clip that the manifest names")
    return samples


def native_side_px(manifest: Manifest, qualities: Sequence[str]) -> int:
    """The side in pixels that most clips in `qualities` have (the longer one of a rectangle)."""
    clips = [c for c in manifest.clips if c.quality in qualities]
    sides = Counter(header_of(manifest, c).side_px for c in clips)
    return sides.most_common(1)[0][0]


def decode(
    path: Path, count: int, size_px: int, consecutive: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Indices (k,) and RGB frames (k, size_px, size_px, 3) of up to `count` evenly spaced frames.

    With `consecutive` 2 each has the next frame behind it, in three more channels.

    Training and scoring both use this function, so that networks see the same pixels. Raises
    `InputError`.
    """
    return sample_frames(path, count, (size_px, size_px), consecutive=consecutive)


class ClipFrames:
    """The frames of `samples`, kept in memory after `load` if they fit, else decoded each time."""

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        size_px: int,
        consecutive: int = 1,
        budget_bytes: int = RAM_BUDGET_BYTES,
        threads: int | None = None,
        stream_clips: int = STREAM_CLIPS,
    ) -> None:
        """`threads` threads decode in advance; None means `decode_threads()`, 0 means none."""
        self.samples = tuple(samples)
        self.size_px, self.consecutive = size_px, consecutive
        self.threads = decode_threads() if threads is None else threads
        self.stream_clips = stream_clips
        self.num_qualities = len(self.samples[0].paths)
        total = self.num_qualities * sum(s.num_frames for s in self.samples)
        self.fits = total * size_px**2 * 3 * consecutive <= budget_bytes
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
        """The frames (k, size_px, size_px, 3 or 6) of one clip in one quality."""
        if (held := self._held.get((sample, quality))) is not None:
            return held
        wanted = self.samples[sample]
        path = wanted.paths[quality]
        _, frames = decode(path, wanted.num_frames, self.size_px, self.consecutive)
        if len(frames) != wanted.num_frames:
            what = f"holds {len(frames)} usable frames"
            raise InputError.of(path, what, f"{wanted.num_frames}, as the manifest says")
        return frames
