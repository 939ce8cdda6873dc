"""Give a source frame a driver's motion: one clip per (source, driving clip)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file

from dfmnist.core.files import atomic_path
from dfmnist.faces.mesh import face_mesh
from dfmnist.fomm.animate import Animator, Motion
from dfmnist.fomm.best_frame import landmarks_68
from dfmnist.fomm.keypoints import Keypoints

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DrivingMotion:
    """All that a source needs of a driving clip: a few hundred bytes a frame."""

    keypoints: Keypoints
    landmarks: npt.NDArray[np.float32] | None
    """(n, 68, 2) for the search of the best frame, NaN where no face is seen; None: not sought."""


@cache
def animator(weights: Path | None) -> Animator:
    """The motion model of this process; None is the shipped synthetic-actor model."""
    return Animator(weights)


def save_motion(
    path: Path,
    driving_rgb_u8: Frames | Iterable[Frames],
    weights: Path | None,
    *,
    landmarks: bool = False,
) -> None:
    """Find the keypoints of a driving clip once; every source that meets it reads them.

    Takes frames (n, h, w, 3) or a stream of (h, w, 3) ones, of which a few are held at a time.
    With `landmarks`, those for the best frame are found on the way.
    """
    found: list[npt.NDArray[np.float32]] = []
    frames: Iterable[Frames] = driving_rgb_u8
    if landmarks:
        frames = _with_landmarks(frames, found)
    keypoints = animator(weights).keypoints(frames)
    tensors = {"value": keypoints.value, "jacobian": keypoints.jacobian}
    if landmarks:
        tensors["landmarks"] = torch.from_numpy(np.stack(found))
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)


def load_motion(path: Path) -> DrivingMotion:
    """What `save_motion` wrote."""
    tensors = load_file(path)
    landmarks = tensors.pop("landmarks", None)
    return DrivingMotion(Keypoints(**tensors), None if landmarks is None else landmarks.numpy())


def _with_landmarks(
    frames: Iterable[Frames], into: list[npt.NDArray[np.float32]]
) -> Iterator[Frames]:
    """The same frames; their landmarks are appended to `into` as they pass."""
    mesh = None
    tracker = face_mesh()
    for frame in frames:
        mesh = tracker.follow(frame, mesh)
        into.append(landmarks_68(mesh))
        yield frame


def animate(
    source_rgb_u8: Frames, motion_file: Path, weights: Path | None, motion: Motion
) -> Frames:
    """The source (h, w, 3) moving as the driver whose keypoints lie in `motion_file`."""
    model = animator(weights)
    driving = load_motion(motion_file).keypoints
    return model.animate(model.encode(source_rgb_u8), driving, motion)
