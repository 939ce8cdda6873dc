"""The only place that picks frames from a clip."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfmnist.media.video import frames_at, probe


def evenly(num_frames: int, count: int) -> NDArray[np.int64]:
    """`count` distinct indices spread over the whole of `num_frames`: midpoints of equal parts.

    Fewer when the clip has fewer frames. `num_frames` and `count` are at least 1.
    """
    if num_frames < 1 or count < 1:
        raise ValueError(f"{count} of {num_frames} frames: both must be at least 1")
    count = min(count, num_frames)
    return ((2 * np.arange(count, dtype=np.int64) + 1) * num_frames) // (2 * count)


def sample_frames(path: Path, count: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """`count` frames spread over the clip: their indices (k,) and RGB (k, h, w, 3) uint8.

    One sequential decode; only the wanted frames are converted. Raises `InputError`.
    """
    indices = evenly(probe(path).num_frames, count)
    return indices, frames_at(path, indices)
