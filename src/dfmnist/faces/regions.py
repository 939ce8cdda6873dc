"""A face picture cut into named regions, from its mesh: every pixel lies in one of them.

The mesh is mediapipe's (`faces.mesh`), so this works for real faces and for synthetic actors,
and follows the face through crops and frames. Regions are generous, since a detector's maps are
coarse (a place is 8 to 32 pixels wide).
"""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy.spatial import ConvexHull

from dfmnist.faces.mesh import Mesh

Float = npt.NDArray[np.float64]

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
    """(h, w): the index in `REGIONS` of every pixel; `mesh` is in pixels of that picture."""
    points = mesh.points[:, :2].astype(np.float64)
    head = _hull(points)
    height, width = size_hw
    page = Image.new("L", (width, height), REGIONS.index("background"))
    pen = ImageDraw.Draw(page)

    def paint(region: str, polygon: Float) -> None:
        # corner origin to the middles of pixels
        corners = [(float(x) - 0.5, float(y) - 0.5) for x, y in polygon]
        pen.polygon(corners, fill=REGIONS.index(region))

    paint("neck", _below(points, height))
    paint("outline", _grown(head, OUTSIDE))
    paint("face", _grown(head, INSIDE))
    for eye, corners in ((_RIGHT_EYE, (33, 133)), (_LEFT_EYE, (362, 263))):
        paint("eyes", _with_margin(points, eye, corners))
    paint("mouth", _with_margin(points, _LIPS, (61, 291)))
    return np.asarray(page)


def _hull(points: Float) -> Float:
    """Corners of the convex hull in order; a turned head's contour would cross itself."""
    return points[ConvexHull(points).vertices]


def _with_margin(points: Float, chosen: tuple[int, ...], corners: tuple[int, int]) -> Float:
    """The hull of discs about the `chosen` points: as wide all round, however the head turns."""
    radius = MARGIN * float(np.hypot(*(points[corners[0]] - points[corners[1]])))
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    disc = radius * np.stack([np.cos(angles), np.sin(angles)], 1)
    return _hull((points[list(chosen), None] + disc).reshape(-1, 2))


def _grown(polygon: Float, factor: float) -> Float:
    middle: Float = (polygon.min(0) + polygon.max(0)) / 2
    return middle + factor * (polygon - middle)


def _below(points: Float, height: int) -> Float:
    """From the jaw's corners straight down: a body stays upright when its head tilts."""
    (x1, y1), (x2, y2) = points[list(_JAW)]
    bottom = max(float(height), y1, y2) + 1
    return np.array([(x1, y1), (x2, y2), (x2, bottom), (x1, bottom)])
