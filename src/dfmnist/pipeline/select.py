"""Choice of the face and of the source frame in footage, and the crop to the face.

The paper takes source frames that mostly face the front (section 3.1) and crops all footage
with MTCNN to 256x256 (appendix A). Source, driver and real clips go through the same functions.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from dfmnist.core.arrays import Frames
from dfmnist.core.batch import failure, published
from dfmnist.core.errors import InputError
from dfmnist.faces.crop import CropInfo, crop_clip, square_crop
from dfmnist.faces.mesh import face_mesh
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.faces.pose import Signals, signals
from dfmnist.media.image import read_image
from dfmnist.media.sample import read_stretch
from dfmnist.pipeline.footage import Footage

MAX_YAW_DEG = 10.0
MAX_PITCH_DEG = 12.0
MAX_ROLL_DEG = 10.0
OPEN_SHARE = 0.75
"""Smallest opening of the eyes, as a share of the person's own open eyes in the clip: people
measure 0.23 to 0.39."""
OWN_PERCENTILE = 90
"""Percentile over time of the eyes' opening that counts as the person's own open eyes."""
OWN_EVERY = 5
"""Step between the frames in which the person's own open eyes are measured; a blink is shorter."""
MIN_EYE_ASPECT = 0.13
"""Eye aspect below which eyes are closing whoever it is, as in a photo; a shut eye measures 0.1."""
MAX_MOUTH_OPEN = 0.25
MIN_SHARPNESS = 0.7
"""Sharpness that a frame needs, as a share of the clip's median."""
FIRST_LOOK = 8
"""Number of first frames that are searched for the source frame before all others."""


class FaceSelection(BaseModel):
    """Place of the face in one piece of footage, and the frame that is the source."""

    model_config = ConfigDict(frozen=True)

    box_xyxy: tuple[float, float, float, float] | None
    """Square crop in pixels of the footage; None if the footage cannot be used at all."""
    source_frame: int | None
    """Index into the resampled clip of the frame to animate; None if none is suitable."""
    reason: str
    """Reason why one of them is missing; empty if none is."""


@dataclass(frozen=True)
class LoadedClip:
    """Frames of one piece of footage at the dataset's rate and length."""

    frames_rgb_u8: Frames
    """Frames (n, h, w, 3) as filmed."""
    reason: str
    """Reason why the clip cannot be used; empty if it can."""


def load(footage: Footage, num_frames: int, fps: Fraction) -> LoadedClip:
    """Read frames at the rate `fps`. A broken or short file gives a reason, not an exception."""
    empty = np.zeros((0, 1, 1, 3), np.uint8)
    try:
        if footage.is_photo:
            return LoadedClip(read_image(footage.path)[None], "")
        frames = read_stretch(
            footage.path, footage.start_s, footage.end_s, fps=fps, num_frames=num_frames
        )
    except InputError as error:
        return LoadedClip(empty, published(failure(error, footage.path), footage.path))
    if len(frames) < num_frames:
        return LoadedClip(
            frames, f"too short: {len(frames)} of {num_frames} frames at {fps} per second"
        )
    return LoadedClip(frames, "")


def choose(
    footage: Footage,
    num_frames: int,
    fps: Fraction,
    size_px: int,
    *,
    cropped: bool = False,
) -> tuple[FaceSelection, Frames | None]:
    """Find the face and the source frame of `footage`; returns the frames cropped by `crop` too.

    `cropped` says that the footage is a square crop of a face already: all of it is taken.
    """
    clip = load(footage, num_frames, fps)
    if clip.reason:
        return FaceSelection(box_xyxy=None, source_frame=None, reason=clip.reason), None
    if cropped:
        faces, info = _whole(clip.frames_rgb_u8, size_px)
    else:
        faces, info = crop_clip(clip.frames_rgb_u8, mtcnn(), size=size_px)
    if faces is None or info.box_xyxy is None:
        return FaceSelection(box_xyxy=None, source_frame=None, reason=info.reason), None
    index, reason = source_frame(faces)
    left, top, right, bottom = (float(v) for v in info.box_xyxy)
    return FaceSelection(
        box_xyxy=(left, top, right, bottom), source_frame=index, reason=reason
    ), faces


def _whole(frames_rgb_u8: Frames, size_px: int) -> tuple[Frames | None, CropInfo]:
    """Crops made before, brought to `size_px`; as `crop_clip`."""
    height, width = frames_rgb_u8.shape[1:3]
    if height != width:
        return None, CropInfo(None, f"is {width}x{height}, no square crop of a face")
    box = np.array([0, 0, width, height], np.float32)
    return square_crop(frames_rgb_u8, box, size_px), CropInfo(box, "")


def crop(
    footage: Footage, choice: FaceSelection, num_frames: int, fps: Fraction, size_px: int
) -> Frames:
    """Read the selected square of every frame: (n, size_px, size_px, 3)."""
    assert choice.box_xyxy is not None
    clip = load(footage, num_frames, fps)
    return square_crop(clip.frames_rgb_u8, np.array(choice.box_xyxy), size=size_px)


def source_frame(faces_rgb_u8: Frames) -> tuple[int | None, str]:
    """Index of the first frame that is frontal and sharp, eyes open, mouth at rest; else a reason.

    It is the first and not the best: an animation starts from this frame as a real clip starts
    from its own first frame, so that neither class begins more frontal than the other.
    """
    sharpness = _sharpness(faces_rgb_u8)
    sharp = sharpness >= MIN_SHARPNESS * np.median(sharpness)
    least_open = _least_open(faces_rgb_u8)
    for first in (FIRST_LOOK, len(faces_rgb_u8)):  # it is nearly always among the first few
        track = face_mesh().track(faces_rgb_u8[:first])
        seen = np.array([mesh is not None for mesh in track])
        good, why = _fitness(signals(track), seen, sharp[:first], least_open)
        if good.any():
            return int(np.flatnonzero(good)[0]), ""
    if not seen.any():
        return None, "no face found by the face mesh"
    return None, f"no frame to animate: {why}"


def _least_open(faces_rgb_u8: Frames) -> float:
    """The eye aspect that counts as open for this person."""
    eyes = signals(face_mesh().track(faces_rgb_u8[::OWN_EVERY])).eye_aspect
    seen = eyes[np.isfinite(eyes)]
    own = float(np.percentile(seen, OWN_PERCENTILE)) if len(seen) else 0.0
    return max(MIN_EYE_ASPECT, OPEN_SHARE * own)


def _fitness(
    signal: Signals,
    seen: npt.NDArray[np.bool_],
    sharp: npt.NDArray[np.bool_],
    least_open: float,
) -> tuple[npt.NDArray[np.bool_], str]:
    """Frames that pass every check (n,), and the check that fails most often."""
    with np.errstate(invalid="ignore"):
        checks = {
            "turned away": np.abs(signal.yaw_deg) < MAX_YAW_DEG,
            "raised or lowered": np.abs(signal.pitch_deg) < MAX_PITCH_DEG,
            "tilted": np.abs(signal.roll_deg) < MAX_ROLL_DEG,
            "eyes closed": signal.eye_aspect > least_open,
            "mouth open": signal.mouth_open < MAX_MOUTH_OPEN,
            "blurred": sharp,
        }
    good = seen & np.logical_and.reduce(list(checks.values()))
    worst = min(checks, key=lambda name: int(checks[name].sum()))
    return good, f"{worst} in {len(seen) - int(checks[worst].sum())} of {len(seen)} frames"


def _sharpness(frames_rgb_u8: Frames) -> npt.NDArray[np.float64]:
    """Variance of a Laplacian of the green channel in the middle of each frame."""
    n, h, w, _ = frames_rgb_u8.shape
    middle = frames_rgb_u8[:, h // 5 : -h // 5, w // 5 : -w // 5, 1].astype(np.float32)
    laplacian = (
        4 * middle[:, 1:-1, 1:-1]
        - middle[:, :-2, 1:-1]
        - middle[:, 2:, 1:-1]
        - middle[:, 1:-1, :-2]
        - middle[:, 1:-1, 2:]
    )
    return np.asarray(laplacian.reshape(n, -1).var(axis=1), np.float64)
