"""Choice of frames from a clip; no other module chooses them."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfmnist.core.arrays import Frames
from dfmnist.core.errors import InputError
from dfmnist.media.video import FrameTimes, frame_times, frames_at


def evenly(num_frames: int, count: int) -> NDArray[np.int64]:
    """Indices of `count` distinct frames spread over the whole clip: midpoints of equal parts.

    There are fewer if the clip has fewer frames. `num_frames` and `count` are at least 1.
    """
    if num_frames < 1 or count < 1:
        raise ValueError(f"{count} of {num_frames} frames: both must be at least 1")
    count = min(count, num_frames)
    return ((2 * np.arange(count, dtype=np.int64) + 1) * num_frames) // (2 * count)


def sample_frames(
    path: Path, count: int, size_wh: tuple[int, int] | None = None, *, consecutive: int = 1
) -> tuple[NDArray[np.int64], Frames]:
    """Read `count` frames spread over the clip: their indices (k,) and RGB (k, h, w, 3) uint8.

    With `consecutive` 2 each frame has its next one behind it: (k, h, w, 6). The clip
    is decoded once, in sequence; only the wanted frames are converted, and resized to `size_wh` if
    given. Raises `InputError`.
    """
    times = frame_times(path)
    indices = evenly(len(times.ticks), count)
    read = frames_at if consecutive == 1 else frames_and_next
    return indices, read(path, indices, size_wh, times=times)


def frames_and_next(
    path: Path,
    indices: NDArray[np.int64],
    size_wh: tuple[int, int] | None = None,
    *,
    times: FrameTimes,
) -> Frames:
    """Read the frames at `indices` (ascending), each with its next frame: (k, h, w, 6) uint8.

    The clip's last frame has the one before it in place of a next one. Raises `InputError`.
    """
    count = len(times.ticks)
    later = np.maximum(np.where(indices + 1 < count, indices + 1, indices - 1), 0)
    wanted, where = np.unique(np.concatenate([indices, later]), return_inverse=True)
    frames = frames_at(path, wanted, size_wh, times=times)[where]
    return np.concatenate([frames[: len(indices)], frames[len(indices) :]], -1)


def each_rgb(frames: Frames, change: Callable[[Frames], Frames]) -> Frames:
    """`change` applied to each of the consecutive frames (n, h, w, 3) in `frames` (n, h, w, 3c)."""
    parts = [change(frames[..., at : at + 3]) for at in range(0, frames.shape[-1], 3)]
    return np.concatenate(parts, -1)


def read_stretch(
    path: Path,
    start_s: float,
    end_s: float | None,
    *,
    fps: Fraction,
    num_frames: int,
) -> Frames:
    """Read up to `num_frames` frames at the rate `fps` from `start_s` on: RGB (k, h, w, 3) uint8.

    Each moment takes the frame shown then, so a clip of another rate keeps its speed. There are
    fewer frames if the file or the stretch (`end_s`) ends sooner. Raises `InputError`, also if
    no frame lies in the stretch.
    """
    times = frame_times(path)
    stop_s = times.duration_s if end_s is None else min(end_s, times.duration_s)
    wanted = min(num_frames, int((stop_s - start_s) * float(fps) + 1e-6))
    if wanted < 1:
        raise InputError.of(path, f"no frame after {start_s} s", f"under {times.duration_s:.2f} s")
    moments_s = start_s + np.arange(wanted) / float(fps)
    return frames_at(path, times.index_at(moments_s), times=times)
