"""Square face crops of whole clips, as the First Order Motion Model's crop-video makes them.

The box is the union of the MTCNN boxes over the clip, enlarged by 10% on each side, squared, and
resized to 256x256 (paper, appendix A). All frames have the same box, so that the head moves in the
crop as it moved in the footage.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from dfmnist.core.arrays import Floats32, Frames
from dfmnist.faces.follow import FaceTrack, follow_face
from dfmnist.faces.mtcnn import Mtcnn

EVERY = 5
"""Step between the frames in which the face is detected; a face moves little in 0.2 s."""
MARGIN = 0.1
"""Margin added on each side, as a share of the box's longer side."""


@dataclass(frozen=True)
class CropInfo:
    """The crop that `crop_clip` made, or the reason why it made none."""

    box_xyxy: Floats32 | None
    """The square (4,) in pixels of the footage, which it may exceed; None if there is no crop."""
    reason: str
    """The reason why there is no crop; empty if there is one."""


def face_box_union(
    frames_rgb_u8: Frames | Iterable[Frames],
    mtcnn: Mtcnn,
    every: int = EVERY,
    face: int | None = None,
) -> tuple[Floats32 | None, str]:
    """The union (4,) of one person's boxes over frames (n, h, w, 3), or None and the reason.

    A stream of frames (h, w, 3) works as well; one of them is held at a time. `every` and `face`
    are those of `faces.follow.follow_face`, which also may raise `InputError`.
    """
    track = follow_face(frames_rgb_u8, mtcnn, every, face)
    reason = track.too_seldom or track.too_far
    return (None, reason) if reason else (track.union, "")


def squared(box_xyxy: Floats32, margin: float = MARGIN) -> Floats32:
    """A square (4,) around the centre of `box_xyxy`, with `margin` added on each side."""
    centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
    side = float((box_xyxy[2:] - box_xyxy[:2]).max()) * (1 + 2 * margin)
    return np.concatenate([centre - side / 2, centre + side / 2]).astype(np.float32)


def moving_crop(frames_rgb_u8: Frames, track: FaceTrack, size: int = 256) -> Frames:
    """The face of `track` cut out of every frame (n, h, w, 3): (n, size, size, 3).

    All squares have the size for its median box, with the usual margin, and follow the face.
    """
    half = track.side * (1 + 2 * MARGIN) / 2
    out = np.empty((len(frames_rgb_u8), size, size, 3), np.uint8)
    for index, box in enumerate(track.followed()):
        middle = (box[:2] + box[2:]) / 2
        square = np.concatenate([middle - half, middle + half])
        out[index] = square_crop(frames_rgb_u8[index : index + 1], square, size)[0]
    return out


def square_crop(frames_rgb_u8: Frames, box_xyxy: npt.ArrayLike, size: int = 256) -> Frames:
    """The box cut out of every frame: (n, size, size, 3).

    Pixels outside the frame repeat its edge. Corners are rounded to whole pixels, so that no frame
    is shifted by a fraction of a pixel.
    """
    height, width = frames_rgb_u8.shape[1:3]
    left, top, right, bottom = whole_pixels(box_xyxy)
    rows = np.clip(np.arange(top, bottom), 0, height - 1)
    columns = np.clip(np.arange(left, right), 0, width - 1)
    out = np.empty((len(frames_rgb_u8), size, size, 3), np.uint8)
    for index, frame in enumerate(frames_rgb_u8):
        cut = Image.fromarray(frame[rows[:, None], columns])
        out[index] = np.asarray(cut.resize((size, size), Image.Resampling.LANCZOS))
    return out


def whole_pixels(box_xyxy: npt.ArrayLike) -> tuple[int, int, int, int]:
    """The corners of a box, rounded to whole pixels; it has one row and one column at least."""
    left, top, right, bottom = (math.floor(v + 0.5) for v in np.asarray(box_xyxy, np.float64))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def crop_clip(
    frames_rgb_u8: Frames, mtcnn: Mtcnn, size: int = 256
) -> tuple[Frames | None, CropInfo]:
    """A clip (n, h, w, 3) cropped to its face: (n, size, size, 3), or None and the reason."""
    if not len(frames_rgb_u8):
        return None, CropInfo(None, "no frames")
    box, reason = face_box_union(frames_rgb_u8, mtcnn)
    if box is None:
        return None, CropInfo(None, reason)
    box = squared(box)
    return square_crop(frames_rgb_u8, box, size), CropInfo(box, "")
