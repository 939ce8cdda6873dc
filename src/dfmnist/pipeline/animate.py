"""Animation of a source frame with a driver's motion: one clip per source and driving clip."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file

from dfmnist.core.arrays import Floats32, Frames
from dfmnist.core.choices import BackendName, Motion, Precision
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path
from dfmnist.fomm.guide import NUM_POINTS, Faces, FaceTracker
from dfmnist.fomm.inference.animate import Animator
from dfmnist.fomm.inference.best_frame import LANDMARKS_68
from dfmnist.fomm.mouth import CHART_HW
from dfmnist.fomm.networks.keypoints import Keypoints

CHUNK = 32
"""Number of driving frames that the motion model takes at once; it holds a few of them."""


@dataclass(frozen=True, eq=False)
class DrivingMotion:
    """Motion of a driving clip, in a few thousand bytes per frame."""

    keypoints: Keypoints
    faces: Faces | None
    """The driver's faces, their points in float16; None if they were not made."""

    @property
    def shows_face(self) -> npt.NDArray[np.bool_]:
        """True for each frame (n,) that shows a face; for all of them if none does.

        The latter is a driver that is known to be a face, but not by the face mesh: a painting.
        """
        count = len(self.keypoints.value)
        shown = np.zeros(count, np.bool_) if self.faces is None else self.faces.seen
        return shown if shown.any() else np.ones(count, np.bool_)

    @property
    def landmarks(self) -> Floats32:
        """The 68 landmarks (n, 68, 2) of the driver's face, in [-1, 1], NaN without a face."""
        assert self.faces is not None
        return self.faces.points[:, list(LANDMARKS_68), :2].astype(np.float32)

    @property
    def is_finite(self) -> bool:
        """True if every keypoint is a number."""
        value, jacobian = self.keypoints.value, self.keypoints.jacobian
        return bool(value.isfinite().all() and jacobian.isfinite().all())

    def held(self) -> "DrivingMotion":
        """The same motion, where a frame without a face holds the pose before it.

        Before the first face it is the pose of that face, from which motion is then measured.
        """
        shown = self.shows_face
        if shown.all():
            return self
        first = int(np.argmax(shown))
        last = np.maximum.accumulate(np.where(shown, np.arange(len(shown)), first))
        faces = self.faces and self.faces.at(last)
        return DrivingMotion(self.keypoints.at(torch.from_numpy(last)), faces)


@cache
def animator(
    weights: Path | None, backend: BackendName = "auto", precision: Precision = "auto"
) -> Animator:
    """Load the motion model once per process; None is the shipped model of synthetic actors."""
    return Animator(weights, backend=backend, precision=precision)


def save_motion(
    path: Path,
    driving_rgb_u8: Frames | Iterable[Frames],
    model: Animator,
    *,
    faces: bool = False,
) -> None:
    """Find the keypoints of a driving clip and write them to `path`, for all sources to read.

    Takes frames (n, h, w, 3), or a stream of frames (h, w, 3) of which it holds a few at a time.
    `faces`: the points of the face are found too, which guide the motion, and say in which frames
    there is one.
    """
    value, jacobian, found_faces = _Table(), _Table(), _FacesTable()
    frames = iter(driving_rgb_u8)
    if faces:
        frames = _with_faces(frames, found_faces)
    for first in frames:
        found = model.keypoints(chain([first], islice(frames, CHUNK - 1)))
        value.extend(found.value.numpy())
        jacobian.extend(found.jacobian.numpy())
        del found
    if not value.count:
        raise InputError.of(path, "no driving frames", "one frame or more")
    tensors = {"value": value.tensor(), "jacobian": jacobian.tensor()}
    if faces:
        tensors |= found_faces.tensors()
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)


def load_motion(path: Path) -> DrivingMotion:
    """Read the motion that `save_motion` wrote. Raises `InputError` for other tensors."""
    tensors = load_file(path)
    count, num_kp = (*tensors.get("value", torch.zeros(0)).shape, 0, 0)[:2]
    expected = {
        "value": (count, num_kp, 2, torch.float32),
        "jacobian": (count, num_kp, 2, 2, torch.float32),
    }
    if tensors.keys() & Faces._fields:
        expected |= {
            "points": (count, NUM_POINTS, 3, torch.float16),
            "mouths": (count, *CHART_HW, 3, torch.uint8),
            "light": (count, torch.float32),
        }
    if {name: (*t.shape, t.dtype) for name, t in tensors.items()} != expected:
        raise InputError.of(path, "holds other tensors", "the motion of a driving clip")
    keypoints = Keypoints(tensors["value"], tensors["jacobian"])
    if len(tensors) == len(keypoints):
        return DrivingMotion(keypoints, None)
    return DrivingMotion(keypoints, Faces(*(tensors[name].numpy() for name in Faces._fields)))


class _Table:
    """Rows of one shape, in one block of memory that doubles when it is full.

    Separate small arrays would lie between the batches in memory and keep it from being used
    again: 1 MB a frame, measured on 1,174 frames.
    """

    def __init__(self, dtype: npt.DTypeLike = np.float32) -> None:
        self.count, self._dtype = 0, dtype
        self._rows: npt.NDArray[Any] | None = None

    def extend(self, rows: npt.NDArray[Any]) -> None:
        end = self.count + len(rows)
        if self._rows is None or end > len(self._rows):
            larger = np.empty((max(1024, 2 * end), *rows.shape[1:]), self._dtype)
            if self._rows is not None:
                larger[: self.count] = self._rows[: self.count]
            self._rows = larger
        self._rows[self.count : end] = rows
        self.count = end

    def tensor(self) -> torch.Tensor:
        assert self._rows is not None
        return torch.from_numpy(self._rows[: self.count].copy())


class _FacesTable:
    """The faces of any number of frames."""

    def __init__(self) -> None:
        self._tables = (_Table(np.float16), _Table(np.uint8), _Table())

    def extend(self, faces: Faces) -> None:
        arrays: tuple[npt.NDArray[Any], ...] = (faces.points, faces.mouths, faces.light)
        for table, rows in zip(self._tables, arrays, strict=True):
            table.extend(rows)

    def tensors(self) -> dict[str, torch.Tensor]:
        tables = zip(Faces._fields, self._tables, strict=True)
        return {name: table.tensor() for name, table in tables}


def _with_faces(frames: Iterator[Frames], into: _FacesTable) -> Iterator[Frames]:
    """Yield the same frames, and append the face of each to `into`."""
    tracker = FaceTracker()
    for frame in frames:
        into.extend(tracker(frame))
        yield frame


def animate(
    source_rgb_u8: Frames, motion_file: Path, weights: Path | None, motion: Motion
) -> Frames:
    """Animate the source (h, w, 3) with the motion in `motion_file`; returns (n, h, w, 3)."""
    model = animator(weights)
    driving = load_motion(motion_file).held()
    source = model.encode(source_rgb_u8)
    return model.animate(source, driving.keypoints, motion, faces=driving.faces)
