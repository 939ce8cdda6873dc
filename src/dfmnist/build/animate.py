"""Give a source frame a driver's motion: one clip per (source, driving clip)."""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.torch import load_file, save_file

from dfmnist.core.files import atomic_path
from dfmnist.fomm.animate import Animator, Motion
from dfmnist.fomm.keypoints import Keypoints

Frames = npt.NDArray[np.uint8]


@cache
def animator(weights: Path | None) -> Animator:
    """The motion model of this process; None is the shipped synthetic-actor model."""
    return Animator(weights)


def save_motion(path: Path, driving_rgb_u8: Frames, weights: Path | None) -> None:
    """Find the keypoints of a driving clip once; every source that meets it reads them."""
    keypoints = animator(weights).keypoints(driving_rgb_u8)
    with atomic_path(path) as temporary:
        save_file({"value": keypoints.value, "jacobian": keypoints.jacobian}, temporary)


def animate(
    source_rgb_u8: Frames, motion_file: Path, weights: Path | None, motion: Motion
) -> Frames:
    """The source (h, w, 3) moving as the driver whose keypoints lie in `motion_file`."""
    model = animator(weights)
    driving = Keypoints(**load_file(motion_file))
    return model.animate(model.encode(source_rgb_u8), driving, motion)
