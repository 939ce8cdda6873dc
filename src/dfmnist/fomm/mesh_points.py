"""The actors' named face points, found in any picture of a face by the face mesh.

Each point is a point of the mesh or of the iris model plus a fixed offset in the face's own axes.
The offsets are least-squares fits to the true points of 25 synthetic actors in 679 frames, with
turns to 36 degrees. The mean distance to the truth is .010 to .029 of the distance between the
outer eye corners, .035 at chin and forehead, .056 at the jaw and .078 at the ears.
"""

from typing import Literal

import numpy as np

from dfmnist.core.arrays import Floats32
from dfmnist.faces.mesh import Mesh
from dfmnist.faces.pose import align

_Model = Literal["mesh", "lid", "iris"]
_PAIRS: dict[str, tuple[_Model, tuple[int, int], tuple[float, float, float]]] = {
    "brow_{}_inner": ("mesh", (107, 336), (0.024, 0.025, 0.027)),
    "brow_{}_mid": ("mesh", (105, 334), (-0.068, 0.036, -0.035)),
    "brow_{}_outer": ("lid", (50, 50), (-0.002, -0.033, -0.014)),
    "cheek_{}": ("mesh", (50, 280), (0.025, 0.064, 0.091)),
    "ear_{}": ("mesh", (93, 323), (0.076, 0.104, 0.363)),
    "eye_{}_inner": ("lid", (8, 8), (0.018, -0.011, 0.016)),
    "eye_{}_lower": ("lid", (4, 4), (0.018, 0.007, -0.010)),
    "eye_{}_outer": ("lid", (0, 0), (0.022, -0.010, -0.007)),
    "eye_{}_upper": ("lid", (12, 12), (-0.011, -0.008, -0.042)),
    "jaw_{}": ("mesh", (172, 397), (-0.023, 0.007, 0.300)),
    "mouth_{}": ("mesh", (61, 291), (-0.010, 0.002, 0.012)),
    "nostril_{}": ("mesh", (129, 358), (0.020, 0.000, 0.069)),
    "pupil_{}": ("iris", (0, 0), (0.001, -0.008, -0.012)),
}
"""Name of both sides: the model, its point on the right and on the left side, and the left one's
offset (x right in the image, y down, z away), in distances between the outer eye corners."""
_MIDDLE: dict[str, tuple[int, tuple[float, float]]] = {
    "chin": (199, (-0.023, -0.006)),
    "forehead": (10, (-0.053, 0.023)),
    "lip_lower_inner": (14, (-0.001, 0.020)),
    "lip_lower_outer": (17, (0.025, 0.019)),
    "lip_upper_inner": (13, (0.006, -0.008)),
    "lip_upper_outer": (0, (-0.009, 0.022)),
    "nose_bridge": (168, (-0.003, 0.037)),
    "nose_tip": (1, (-0.030, 0.010)),
}
"""Name: point of the mesh, and offset in y and z."""
_SIDES = ("right", "left")
_MIRROR = np.array([-1.0, 1.0, 1.0])

MESH_NAMES = (
    *(name.format(side) for name in _PAIRS for side in _SIDES),
    *_MIDDLE,
)
"""Names of the points that `named_points` finds, in its order."""
MEAN_FACE: dict[str, tuple[float, float]] = {
    "cheek_left": (0.512, 0.188),
    "cheek_right": (-0.512, 0.188),
    "ear_left": (0.761, 0.235),
    "ear_right": (-0.761, 0.235),
    "eye_left_inner": (0.192, -0.207),
    "eye_left_outer": (0.439, -0.219),
    "eye_right_inner": (-0.192, -0.207),
    "eye_right_outer": (-0.439, -0.219),
    "forehead": (0.0, -0.831),
    "nose_bridge": (0.0, -0.253),
    "nose_tip": (0.0, 0.197),
    "nostril_left": (0.227, 0.176),
    "nostril_right": (-0.227, 0.176),
}
"""Mean positions, in a crop's [-1, 1], of the points that only the head's pose moves: 35 actors.

A point's Jacobian is the linear map from here. It is a constant, so that the Jacobians of a few
people mean the same as those of the actors that the shipped weights were trained on.
"""


def named_points(mesh: Mesh) -> Floats32:
    """Positions (p, 2) in pixels of the points `MESH_NAMES` in a picture whose face is `mesh`.

    `mesh` must have eyes. Raises `ValueError` if it has none.
    """
    if mesh.eyes is None:
        raise ValueError("a mesh without eyes; expected one with the iris model's points")
    rotation, scale, _ = align(mesh)
    to_image = scale * rotation[:2]
    found = []
    for model, indices, offset in _PAIRS.values():
        for side, index in enumerate(indices):
            of = {"lid": mesh.eyes.contours[side], "iris": mesh.eyes.irises[side]}
            at = of.get(model, mesh.points)[index, :2]
            found.append(at + to_image @ (np.array(offset) * (_MIRROR if side == 0 else 1)))
    for index, (down, away) in _MIDDLE.values():
        found.append(mesh.points[index, :2] + to_image @ np.array([0.0, down, away]))
    return np.stack(found).astype(np.float32)
