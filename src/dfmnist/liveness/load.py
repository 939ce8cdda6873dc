"""A clip as the detectors see it: decoded once, followed once, meshed once for all of them.

What no detector can judge is refused here, with a reason: no face, two faces, a face that leaves,
too few or too slow frames, a variable rate, a clip that is too long.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

import numpy as np

from dfmnist.core.arrays import Floats32, Frames
from dfmnist.core.errors import InputError
from dfmnist.core.text import number
from dfmnist.faces.crop import EVERY, square_crop, squared
from dfmnist.faces.follow import FaceTrack, follow_face
from dfmnist.faces.mesh import Mesh
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.faces.pose import Signals, signals
from dfmnist.liveness.action import seen_too_little
from dfmnist.liveness.clip_file import ClipFile
from dfmnist.liveness.tracking import track
from dfmnist.media.video import FrameTimes, VideoInfo, frame_times, frames_at, probe

CLIP_PX = 256
"""Side in pixels of the crops that detectors see; a clip of this size is taken as a crop."""
CLIP_FPS = 25
"""Frame rate to which faster clips are brought: the bounds of the detectors were fitted at it."""
MIN_FPS = 12
"""Lowest frame rate that is assessed; a blink lasts about 0.2 s."""
MIN_FRAMES = 12
"""Smallest number of frames that is assessed."""
MAX_DURATION_S = 20
"""Longest clip that is assessed, in seconds. It bounds the memory."""
LONGEST_GAP_S = 0.25
"""Longest time in seconds between two frames of a recording that is made even, beyond which motion
may have been missed: a blink takes as long."""
MAX_SIDE_PX = 1280
"""Longest side to which larger frames are reduced."""
MAX_COMPANY = 0.2
"""Largest share of the searched frames that may show a second large face."""


class UnusableClip(InputError):
    """A clip that can be read and that no detector can judge. The message is the reason."""


@dataclass(frozen=True)
class LoadedClip:
    """A clip that can be judged."""

    file: ClipFile
    fps: Fraction
    """Frames a second of both arrays."""
    frames_rgb_u8: Frames
    """Face crops (n, 256, 256, 3), as a dataset has them."""
    filmed_rgb_u8: Frames
    """The frames as they were filmed (n, h, w, 3), at most `MAX_SIDE_PX` on a side."""
    searched: tuple[int, ...]
    """Indices (k,) of the frames in which the face was searched."""
    boxes_xyxy: Floats32
    """The face's boxes (k, 4) in these frames, in pixels of `filmed_rgb_u8`."""

    @cached_property
    def meshes(self) -> tuple[Mesh | None, ...]:
        """The face mesh of each crop; None where there is none."""
        return track(self.frames_rgb_u8)

    @cached_property
    def signals(self) -> Signals:
        """Head pose and state of the face in each crop."""
        return signals(self.meshes)


def load_clip(file: ClipFile, *, even: bool = False) -> LoadedClip:
    """Decode a clip, follow its face and mesh it.

    A clip whose frames come at uneven times, as a webcam's do, is judged only with `even`: by the
    frame that was shown at each of `CLIP_FPS` moments a second. Raises `UnusableClip` if nothing
    can be judged, and `InputError` for a file that is no video.
    """
    times, info = frame_times(file.path), probe(file.path)
    if reason := unusable(times, even=even):
        raise UnusableClip(reason)
    fps, indices = _indices(times)
    filmed = frames_at(file.path, indices, _reduced(info), times=times)
    looked = follow_face(filmed, mtcnn(), EVERY)
    crop = filmed.shape[1:3] == (CLIP_PX, CLIP_PX)
    if reason := _unusable_face(looked, is_crop=crop):
        raise UnusableClip(reason)
    assert looked.union is not None
    frames = filmed if crop else square_crop(filmed, squared(looked.union), CLIP_PX)
    searched = (*range(0, len(filmed), EVERY), len(filmed) - 1)
    kept = tuple(dict.fromkeys(searched))
    clip = LoadedClip(file, fps, frames, filmed, kept, looked.followed())
    if reason := seen_too_little(clip.signals):
        raise UnusableClip(reason)
    return clip


def unusable(times: FrameTimes, *, even: bool = False) -> str:
    """The reason why a clip with these frame times is not assessed; empty if it is.

    With `even`, uneven times are allowed up to a gap of `LONGEST_GAP_S`.
    """
    count, fps = len(times.ticks), float(times.fps)
    if count < MIN_FRAMES:
        frames = "1 frame" if count == 1 else f"{count} frames"
        return f"{frames}; expected {MIN_FRAMES} or more"
    if times.variable_rate and even:
        gap_s = float(max(b - a for a, b in pairwise(times.ticks)) * times.time_base)
        if gap_s > LONGEST_GAP_S:
            between = f"frames were left out: {gap_s:.2f} s lie between two of them"
            return f"{between}; expected {LONGEST_GAP_S:g} s or less"
    elif times.variable_rate:
        return "the frames are not evenly spaced in time; expected a constant frame rate"
    if fps < MIN_FPS:
        return f"{number(fps, '.3g')} frames/s; expected {MIN_FPS} or more"
    if times.duration_s > MAX_DURATION_S:
        return f"{times.duration_s:.0f} s long; expected {MAX_DURATION_S} s or less"
    return ""


def _unusable_face(looked: FaceTrack, *, is_crop: bool) -> str:
    """The reason why the face cannot be judged; empty if it can."""
    if looked.company > MAX_COMPANY * len(looked.boxes):
        return f"two faces in {looked.company} of {len(looked.boxes)} frames looked at"
    return looked.too_seldom or ("" if is_crop else looked.too_far)


def _indices(times: FrameTimes) -> tuple[Fraction, np.ndarray]:
    """The frame rate and the indices of the frames that are taken, of all or of `CLIP_FPS`.

    Where the times are uneven, the last moment is that of the last frame.
    """
    count = len(times.ticks)
    if times.variable_rate:
        wanted = int((times.ticks[-1] - times.ticks[0]) * times.time_base * CLIP_FPS) + 1
    elif times.fps <= CLIP_FPS * 1.02:
        return times.fps, np.arange(count)
    else:
        wanted = max(int(times.duration_s * CLIP_FPS + 1e-6), 1)
    return Fraction(CLIP_FPS), times.index_at(np.arange(wanted) / CLIP_FPS)


def _reduced(info: VideoInfo) -> tuple[int, int] | None:
    """Width and height of frames that are too large, reduced; None for all others."""
    longest = max(info.width, info.height)
    if longest <= MAX_SIDE_PX:
        return None
    width, height = (
        max(round(side * MAX_SIDE_PX / longest / 2) * 2, 2) for side in (info.width, info.height)
    )
    return width, height
