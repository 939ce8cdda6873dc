"""A face picture cut into named regions, from its mesh: every pixel lies in one of them.

The mesh is mediapipe's (`faces.mesh`), so this works for real faces and for synthetic actors,
and follows the face through crops and frames. Regions are generous, since a detector's maps are
coarse (a place is 8 to 32 pixels wide).
"""

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull

from dfmnist.core.arrays import Floats
from dfmnist.faces.mesh import Mesh

REGIONS = ("mouth", "eyes", "face", "outline", "neck", "background")
"""Eyes are with the brows; `face` is the rest inside (nose, cheeks, forehead, chin); `outline` is
a band around it (profile, jaw, ears, hairline); `neck` is what lies below, between the jaw's
corners (neck and collar)."""

_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246,
              70, 63, 105, 66, 107, 55, 65, 52, 53, 46)  # fmt: skip
_LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466,
             300, 293, 334, 296, 336, 285, 295, 282, 283, 276)  # fmt: skip
_JAW = (172, 397)
"""Corners of the jaw, right and left."""
MARGIN = 0.12
"""Skin around lips, and around eye and brow, as a share of the distance between their corners."""
INSIDE, OUTSIDE = 0.9, 1.3
"""Edges of the outline's band, of the hull of all points about its middle."""


def region_labels(mesh: Mesh, size_hw: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """(h, w): the index in `REGIONS` of every pixel; `mesh` is in pixels of that picture.

    A pixel belongs where its middle lies; of regions that overlap, to the smaller one.
    """
    points = mesh.points[:, :2].astype(np.float64)
    # the hull, not the contour: a turned head's contour crosses itself
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
    """Discs about the `chosen` points: their hull is as wide all round, however the head turns."""
    radius = MARGIN * float(np.hypot(*(points[corners[0]] - points[corners[1]])))
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    disc = radius * np.stack([np.cos(angles), np.sin(angles)], 1)
    return (points[list(chosen), None] + disc).reshape(-1, 2)


def _grown(polygon: Floats, factor: float) -> Floats:
    middle: Floats = (polygon.min(0) + polygon.max(0)) / 2
    return middle + factor * (polygon - middle)


def _paint_below(labels: npt.NDArray[np.uint8], points: Floats) -> None:
    """From the jaw's corners straight down: a body stays upright when its head tilts."""
    (x1, y1), (x2, y2) = points[list(_JAW)]
    rows, columns = np.mgrid[: labels.shape[0], : labels.shape[1]] + 0.5
    jaw = y1 + (y2 - y1) * (columns - x1) / max(x2 - x1, 1e-6)
    labels[(columns >= x1) & (columns <= x2) & (rows >= jaw)] = REGIONS.index("neck")
