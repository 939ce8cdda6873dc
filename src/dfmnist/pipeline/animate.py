"""Animation of a source frame with a driver's motion: one clip per source and driving clip."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file

from dfmnist.core.arrays import Floats32, Frames
from dfmnist.core.choices import BackendName, Motion, Precision
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path
from dfmnist.faces.mesh import face_mesh
from dfmnist.fomm.inference.animate import Animator
from dfmnist.fomm.inference.best_frame import landmarks_68
from dfmnist.fomm.networks.keypoints import Keypoints

CHUNK = 32
"""Number of driving frames that the motion model takes at once; it holds a few of them."""


@dataclass(frozen=True, eq=False)
class DrivingMotion:
    """Motion of a driving clip, in a few hundred bytes per frame."""

    keypoints: Keypoints
    landmarks: Floats32 | None
    """Landmarks (n, 68, 2) of the driver's face, NaN in frames without one; None: not made."""

    @property
    def shows_face(self) -> npt.NDArray[np.bool_]:
        """True for each frame (n,) that shows a face; for all of them if none does.

        The latter is a driver that is known to be a face, but not by the face mesh: a painting.
        """
        count = len(self.keypoints.value)
        if self.landmarks is None or np.isnan(self.landmarks).all():
            return np.ones(count, bool)
        return np.asarray(np.isfinite(self.landmarks).all(axis=(1, 2)), np.bool_)

    @property
    def is_finite(self) -> bool:
        """True if every keypoint is a number."""
        value, jacobian = self.keypoints.value, self.keypoints.jacobian
        return bool(value.isfinite().all() and jacobian.isfinite().all())

    def held(self) -> Keypoints:
        """The keypoints (n, k, …), where a frame without a face holds the pose before it.

        Before the first face it is the pose of that face, from which motion is then measured.
        """
        shown = self.shows_face
        if shown.all():
            return self.keypoints
        first = int(np.argmax(shown))
        last = np.maximum.accumulate(np.where(shown, np.arange(len(shown)), first))
        return self.keypoints.at(torch.from_numpy(last))


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
    landmarks: bool = False,
) -> None:
    """Find the keypoints of a driving clip and write them to `path`, for all sources to read.

    Takes frames (n, h, w, 3), or a stream of frames (h, w, 3) of which it holds a few at a time.
    `landmarks`: those of the face are found too, which also say in which frames there is one.
    """
    marks, value, jacobian = _Table(), _Table(), _Table()
    frames = iter(driving_rgb_u8)
    if landmarks:
        frames = _with_landmarks(frames, marks)
    for first in frames:
        found = model.keypoints(chain([first], islice(frames, CHUNK - 1)))
        value.extend(found.value.numpy())
        jacobian.extend(found.jacobian.numpy())
        del found
    if not value.count:
        raise InputError.of(path, "no driving frames", "one frame or more")
    tensors = {"value": value.tensor(), "jacobian": jacobian.tensor()}
    if landmarks:
        tensors["landmarks"] = marks.tensor()
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)


def load_motion(path: Path) -> DrivingMotion:
    """Read the motion that `save_motion` wrote. Raises `InputError` for other tensors."""
    tensors = load_file(path)
    count, num_kp = (*tensors.get("value", torch.zeros(0)).shape, 0, 0)[:2]
    shapes = {"value": (count, num_kp, 2), "jacobian": (count, num_kp, 2, 2)}
    if "landmarks" in tensors:
        shapes["landmarks"] = (count, 68, 2)
    if {name: (*t.shape, t.dtype) for name, t in tensors.items()} != {
        name: (*shape, torch.float32) for name, shape in shapes.items()
    }:
        raise InputError.of(path, "holds other tensors", "the motion of a driving clip")
    landmarks = tensors.pop("landmarks", None)
    return DrivingMotion(Keypoints(**tensors), None if landmarks is None else landmarks.numpy())


class _Table:
    """Rows of one shape, in one block of memory that doubles when it is full.

    Separate small arrays would lie between the batches in memory and keep it from being used
    again: 1 MB a frame, measured on 1,174 frames.
    """

    def __init__(self) -> None:
        self.count = 0
        self._rows: Floats32 | None = None

    def extend(self, rows: Floats32) -> None:
        end = self.count + len(rows)
        if self._rows is None or end > len(self._rows):
            larger = np.empty((max(1024, 2 * end), *rows.shape[1:]), np.float32)
            if self._rows is not None:
                larger[: self.count] = self._rows[: self.count]
            self._rows = larger
        self._rows[self.count : end] = rows
        self.count = end

    def tensor(self) -> torch.Tensor:
        assert self._rows is not None
        return torch.from_numpy(self._rows[: self.count].copy())


def _with_landmarks(frames: Iterator[Frames], into: _Table) -> Iterator[Frames]:
    """Yield the same frames, and append the landmarks of each to `into`."""
    mesh = None
    tracker = face_mesh()
    for frame in frames:
        mesh = tracker.follow(frame, mesh)
        into.extend(landmarks_68(mesh)[None])
        yield frame


def animate(
    source_rgb_u8: Frames, motion_file: Path, weights: Path | None, motion: Motion
) -> Frames:
    """Animate the source (h, w, 3) with the motion in `motion_file`; returns (n, h, w, 3)."""
    model = animator(weights)
    driving = load_motion(motion_file).held()
    return model.animate(model.encode(source_rgb_u8), driving, motion)
