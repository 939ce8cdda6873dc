"""Choose and crop: is there one whole face, and which frame can stand as the source?

The paper takes source frames that mostly face the front (section 3.1) and crops all footage
with MTCNN to 256x256 (appendix A). Source, driver and real clips go through the same functions.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from dfmnist.core.arrays import Frames
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.faces.crop import crop_clip, square_crop
from dfmnist.faces.mesh import face_mesh
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.faces.pose import Signals, signals
from dfmnist.media.image import read_image
from dfmnist.media.sample import read_stretch
from dfmnist.pipeline.footage import Footage

MAX_YAW_DEG = 10.0
MAX_PITCH_DEG = 12.0
MAX_ROLL_DEG = 10.0
MIN_EYE_ASPECT = 0.16
"""Below this the eyes are closing; a shut eye measures about 0.1."""
MAX_MOUTH_OPEN = 0.25
MIN_SHARPNESS = 0.7
"""Of the clip's median sharpness."""
FIRST_LOOK = 8
"""Frames in which the source frame is sought before the rest is looked at."""


class FaceSelection(BaseModel):
    """What was found in one piece of footage: where the face is and which frame is the source."""

    model_config = ConfigDict(frozen=True)

    box_xyxy: tuple[float, float, float, float] | None
    """Square crop in pixels of the footage; None when the footage cannot be used at all."""
    source_frame: int | None
    """Index into the clip (after resampling) of the frame to animate, if any will do."""
    reason: str
    """Why something is missing; empty when nothing is."""


@dataclass(frozen=True)
class LoadedClip:
    """Frames of one piece of footage, at the dataset's rate and length."""

    frames_rgb_u8: Frames
    """(n, h, w, 3), as filmed."""
    reason: str
    """Why the clip cannot be used; empty when it can."""


def load(footage: Footage, num_frames: int, fps: Fraction) -> LoadedClip:
    """Read `num_frames` frames at `fps`. A broken or short file is a reason, never an exception."""
    empty = np.zeros((0, 1, 1, 3), np.uint8)
    try:
        if footage.is_photo:
            return LoadedClip(read_image(footage.path)[None], "")
        frames = read_stretch(
            footage.path, footage.start_s, footage.end_s, fps=fps, num_frames=num_frames
        )
    except InputError as error:
        return LoadedClip(empty, str(error))
    if len(frames) < num_frames:
        return LoadedClip(
            frames, f"too short: {len(frames)} of {num_frames} frames at {fps} per second"
        )
    return LoadedClip(frames, "")


def choose(
    footage: Footage, num_frames: int, fps: Fraction, size_px: int
) -> tuple[FaceSelection, Frames | None]:
    """Find the face and the source frame of `footage`; and its crop, as `crop` gives it."""
    clip = load(footage, num_frames, fps)
    if clip.reason:
        return FaceSelection(box_xyxy=None, source_frame=None, reason=clip.reason), None
    faces, info = crop_clip(clip.frames_rgb_u8, mtcnn(), size=size_px)
    if faces is None or info.box_xyxy is None:
        return FaceSelection(box_xyxy=None, source_frame=None, reason=info.reason), None
    index, reason = source_frame(faces)
    left, top, right, bottom = (float(v) for v in info.box_xyxy)
    return FaceSelection(
        box_xyxy=(left, top, right, bottom), source_frame=index, reason=reason
    ), faces


def crop(
    footage: Footage, choice: FaceSelection, num_frames: int, fps: Fraction, size_px: int
) -> Frames:
    """The chosen square of every frame: (n, size_px, size_px, 3)."""
    assert choice.box_xyxy is not None
    clip = load(footage, num_frames, fps)
    return square_crop(clip.frames_rgb_u8, np.array(choice.box_xyxy), size=size_px)


def source_frame(faces_rgb_u8: Frames) -> tuple[int | None, str]:
    """The first frame that is frontal, sharp, with eyes open and mouth at rest; or why none is.

    The first, not the best: an animation starts from this frame as a real clip starts from its
    own first frame, so that neither class has the more frontal beginning.
    """
    sharpness = _sharpness(faces_rgb_u8)
    sharp = sharpness >= MIN_SHARPNESS * np.median(sharpness)
    for first in (FIRST_LOOK, len(faces_rgb_u8)):  # it is nearly always among the first few
        track = face_mesh().track(faces_rgb_u8[:first])
        seen = np.array([mesh is not None for mesh in track])
        good, why = _fitness(signals(track), seen, sharp[:first])
        if good.any():
            return int(np.flatnonzero(good)[0]), ""
    if not seen.any():
        return None, "no face found by the face mesh"
    return None, f"no frame to animate: {why}"


def _fitness(
    signal: Signals, seen: npt.NDArray[np.bool_], sharp: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], str]:
    """Which frames pass every check, and the check that fails most often."""
    with np.errstate(invalid="ignore"):
        checks = {
            "turned away": np.abs(signal.yaw_deg) < MAX_YAW_DEG,
            "raised or lowered": np.abs(signal.pitch_deg) < MAX_PITCH_DEG,
            "tilted": np.abs(signal.roll_deg) < MAX_ROLL_DEG,
            "eyes closed": signal.eye_aspect > MIN_EYE_ASPECT,
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


def save(path: Path, model: BaseModel) -> None:
    """Write a record of this package as JSON, whole or not at all."""
    write_json(path, model.model_dump(mode="json"))


def restore(path: Path, kind: type[Any]) -> Any:
    """Read a record that `save` wrote; None when there is none yet."""
    return kind.model_validate(read_json(path)) if path.exists() else None
