"""Recordings of a browser or a telephone, whose frames come at uneven times, made even.

Liveness detectors measure motion over time and expect a constant frame rate; a webcam gives its
frames when it has them.
"""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from dfmnist.core.errors import InputError
from dfmnist.media.video import frame_times, iter_frames_at, write_video

FPS = 25
"""Frames a second of an even recording."""
LONGEST_GAP_S = 0.25
"""Longest time between two frames, beyond which motion may have been missed: a blink takes as
long."""
CRF = 10
"""Constant rate factor of an even recording: close to what was recorded."""


def even(path: Path, out: Path) -> tuple[Path, str]:
    """A recording with a constant frame rate, and a sentence on what was done for it.

    `path` itself, and no sentence, if its frames are evenly spaced; else the MP4 `out` with the
    frame that was shown at each of 25 moments a second. Raises `InputError` for a recording with a
    gap of more than `LONGEST_GAP_S`.
    """
    times = frame_times(path)
    if not times.variable_rate:
        return path, ""
    gaps = [(b - a) * times.time_base for a, b in pairwise(times.ticks)]
    if max(gaps) > LONGEST_GAP_S:
        what = f"the camera left out frames: {float(max(gaps)):.2f} s lie between two of them"
        raise InputError.of(
            path, what, f"{LONGEST_GAP_S:g} s or less; more light helps, or no load"
        )
    length_s = float((times.ticks[-1] - times.ticks[0]) * times.time_base)
    moments = np.arange(0, length_s + 1e-9, 1 / FPS)
    frames = iter_frames_at(path, times.index_at(moments), times=times)
    # H.264 wants even sides
    cut = (frame[: len(frame) // 2 * 2, : frame.shape[1] // 2 * 2] for frame in frames)
    write_video(out, cut, Fraction(FPS), crf=CRF)
    rate = f"{float(times.fps):.1f}"
    return out, f"Recorded with {rate} frames a second at uneven times; judged at {FPS}."
