"""Search for the driving frame whose face has the shape most like the source's.

Relative motion adds the driver's movement since a frame d0 to the source, so source and d0 should
show the same pose (Siarohin et al., 2019, on the testing stage). The public implementation animates
forward and backward from the best frame and joins the halves. Here each frame depends on d0 alone,
so the best frame as d0 for all frames gives the same result.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError

from dfmnist.core.errors import InputError
from dfmnist.faces.mesh import Mesh

Points = npt.NDArray[np.float32]

# Indices in the 468-point mesh of the iBUG 300-W scheme's 68 points, from the image's left to its
# right.
JAW = (127, 234, 132, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 361, 454, 356)
BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
NOSE = (168, 197, 5, 4, 240, 97, 2, 326, 460)
"""Mesh indices of the nose: four points down the bridge, five below it."""
EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
LIPS = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)
"""Mesh indices of the lips: twelve points around the outer edge, then eight around the inner."""
LANDMARKS_68 = (*JAW, *BROWS, *NOSE, *EYES, *LIPS)
"""Mesh indices of all 68 points, in the order of the iBUG 300-W scheme."""


def landmarks_68(mesh: Mesh | None) -> Points:
    """The 68 landmarks (68, 2) of a face mesh, in pixels; NaN without a face."""
    if mesh is None:
        return np.full((len(LANDMARKS_68), 2), np.nan, np.float32)
    return np.asarray(mesh.points[list(LANDMARKS_68), :2], np.float32)


def face_shape(landmarks: Points) -> Points:
    """Landmarks (68, 2) without position and scale.

    They are centred on their mean and divided by the root of their convex hull's area.
    """
    centred = landmarks - landmarks.mean(axis=0)
    # in the plane, scipy's `volume` is the area
    return np.asarray(centred / np.sqrt(ConvexHull(landmarks).volume), np.float32)


def best_frame(source: Points, driving: Sequence[Points] | Points) -> int:
    """Index of the driving frame (n, 68, 2) whose shape is nearest to that of `source` (68, 2).

    The distance is the summed squared difference of `face_shape`; the first of equals is taken.
    Frames without a face (NaN) are ignored. Raises `InputError` if no frame has a face.
    """
    wanted = face_shape(source)
    distances = [_distance(wanted, landmarks) for landmarks in driving]
    if not np.isfinite(distances).any():
        raise InputError("best frame: no face in any driving frame; expected one face")
    return int(np.argmin(distances))


def _distance(wanted: Points, landmarks: Points) -> float:
    if not np.isfinite(landmarks).all():
        return float("inf")
    try:
        return float(np.square(face_shape(landmarks) - wanted).sum())
    except QhullError:  # all on one line
        return float("inf")
