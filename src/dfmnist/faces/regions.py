"""Named regions of a face picture, computed from its mesh; every pixel is in one of them.

The mesh (`faces.mesh`) is found on real faces and synthetic actors, in every crop and frame. The
regions are wide, since a detector's maps are coarse (a position is 8 to 32 pixels wide).
"""

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull

from dfmnist.core.arrays import Floats
from dfmnist.faces.mesh import Mesh

REGIONS = ("mouth", "eyes", "face", "outline", "neck", "background")
"""The regions' names. `eyes` includes the brows; `face` is the rest of the face (nose, cheeks,
forehead, chin); `outline` is a band around it (profile, jaw, ears, hairline); `neck` is the area
below the jaw, between its corners (neck and collar)."""

_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246,
              70, 63, 105, 66, 107, 55, 65, 52, 53, 46)  # fmt: skip
_LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466,
             300, 293, 334, 296, 336, 285, 295, 282, 283, 276)  # fmt: skip
_JAW = (172, 397)
"""Points at the right and left corner of the jaw."""
MARGIN = 0.12
"""Width of skin around the lips and around eye and brow, as a share of the distance between their
corners."""
INSIDE, OUTSIDE = 0.9, 1.3
"""Inner and outer edge of the outline's band, as factors that scale the hull of all points."""


def region_labels(mesh: Mesh, size_hw: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The index in `REGIONS` of every pixel (h, w) of a picture whose face is `mesh`.

    A pixel belongs to the region that contains its middle, or to the smaller of two that overlap.
    """
    points = mesh.points[:, :2].astype(np.float64)
    # the contour of a turned head crosses itself; the hull does not
    head = points[ConvexHull(points).vertices]
    labels = np.full(size_hw, REGIONS.index("background"), np.uint8)
    _paint_below(labels, points)
    _paint(labels, "outline", _grown(head, OUTSIDE))
    _paint(labels, "face", _grown(head, INSIDE))
    for eye, corners in ((_RIGHT_EYE, (33, 133)), (_LEFT_EYE, (362, 263))):
        _paint(labels, "eyes", _with_margin(points, eye, corners))
    _paint(labels, "mouth", _with_margin(points, _LIPS, (61, 291)))
    return labels


def _paint(labels: npt.NDArray[np.uint8], region: str, points: Floats) -> None:
    """Label the pixels whose middle lies in the convex hull of `points` (n, 2)."""
    size_xy = np.array(labels.shape[::-1])
    x1, y1 = np.clip(np.floor(points.min(0)).astype(int), 0, size_xy)
    x2, y2 = np.clip(np.ceil(points.max(0)).astype(int), 0, size_xy)
    rows, columns = np.mgrid[y1:y2, x1:x2] + 0.5
    inside = np.ones(rows.shape, bool)
    for a, b, c in ConvexHull(points).equations:
        inside &= a * columns + b * rows + c <= 0
    labels[y1:y2, x1:x2][inside] = REGIONS.index(region)


def _with_margin(points: Floats, chosen: tuple[int, ...], corners: tuple[int, int]) -> Floats:
    """Points on discs around the `chosen` points, so that their hull has an even margin."""
    radius = MARGIN * float(np.hypot(*(points[corners[0]] - points[corners[1]])))
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    disc = radius * np.stack([np.cos(angles), np.sin(angles)], 1)
    return (points[list(chosen), None] + disc).reshape(-1, 2)


def _grown(polygon: Floats, factor: float) -> Floats:
    middle: Floats = (polygon.min(0) + polygon.max(0)) / 2
    return middle + factor * (polygon - middle)


def _paint_below(labels: npt.NDArray[np.uint8], points: Floats) -> None:
    """Paint the neck straight down from the jaw's corners: a body does not tilt with its head."""
    (x1, y1), (x2, y2) = points[list(_JAW)]
    rows, columns = np.mgrid[: labels.shape[0], : labels.shape[1]] + 0.5
    jaw = y1 + (y2 - y1) * (columns - x1) / max(x2 - x1, 1e-6)
    labels[(columns >= x1) & (columns <= x2) & (rows >= jaw)] = REGIONS.index("neck")
