"""The inside of the mouth, which a source with closed lips does not show: taken from the driver.

Averbuch-Elor et al., "Bringing Portraits to Life", 2017, do the same, because teeth and tongue of
another person convince more than what a network guesses. The inside of the driver's mouth is kept
as a small chart: its columns go from corner to corner, its rows from the upper to the lower lip. It
is drawn between the lips of an animated frame, as far as they are wider open than in the source.
Otherwise a source with an open mouth keeps its own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from dfmnist.core.arrays import Floats, RgbImage

CHART_HW = (24, 48)
"""Rows and columns of a chart."""
Chart = npt.NDArray[np.uint8]
"""The inside of a mouth: (*`CHART_HW`, 3), RGB; black where no face or no open mouth is seen."""
Points = npt.NDArray[np.floating[Any]]
"""Face points: float32, or float16 where they are kept."""
UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""Mesh points of the inner lips, from the image's left to its right."""
SKIN = (50, 280, 205, 425, 187, 411, 57, 287, 212, 432, 18, 200)
"""Mesh points on the skin around the mouth, whose brightness is compared."""
OPENS = (0.03, 0.10)
"""Gap between the lips beyond that of the source, in widths of the mouth, from which the driver's
mouth begins to be drawn, and at which it is drawn fully."""
SHOWS = (0.05, 0.12)
"""Gap between the lips of the source, in widths of the mouth, from which its own mouth begins to be
drawn where it is not wider open, and at which it is drawn fully. The motion model paints over teeth
that it was hardly taught."""
FEATHER_PX = 1.2
"""Distance in pixels from the lips over which the drawn mouth fades."""
_MOST_LIGHT = 1.5
"""Largest factor of brightness between driver and source."""


class _Lips:
    """The inner lips in the frame of the mouth: x from corner to corner, y down, in pixels."""

    def __init__(self, pixels: Floats) -> None:
        """`pixels` are the face points (n, 2) in pixels."""
        upper, lower = pixels[list(UPPER)], pixels[list(LOWER)]
        self.start, along = upper[0], upper[-1] - upper[0]
        self.width = max(float(np.hypot(*along)), 1e-6)
        x, y = along / self.width
        self.turn = np.array([[x, -y], [y, x]])  # columns: the mouth's axes in the picture
        self._upper, self._lower = ((lip - self.start) @ self.turn for lip in (upper, lower))

    def edges(self, x: Floats) -> tuple[Floats, Floats]:
        """Height of the upper and of the lower lip's edge at the places `x` along the mouth."""
        top, bottom = (_height(x, lip) for lip in (self._upper, self._lower))
        return top, np.maximum(bottom, top)

    @property
    def gap(self) -> float:
        """Gap between the middles of the lips, in widths of the mouth; never negative."""
        top, bottom = self.edges(np.array([0.5 * self.width]))
        return float(bottom[0] - top[0]) / self.width


def _height(x: Floats, lip: Floats) -> Floats:
    order = np.argsort(lip[:, 0])
    return np.asarray(np.interp(x, lip[order, 0], lip[order, 1]))


def _in_pixels(points: Points, picture: RgbImage) -> Floats:
    """Face points (n, 3) in [-1, 1] as places (n, 2) in the pixels of a picture."""
    height, width = picture.shape[:2]
    return np.asarray((points[:, :2].astype(np.float64) + 1) / 2 * (width - 1, height - 1))


def opening(points: Points) -> float:
    """Gap between the lips of face points (n, 3), in widths of the mouth."""
    return _Lips(points[:, :2].astype(np.float64)).gap


def chart_of(frame_rgb_u8: RgbImage, points: Points) -> Chart:
    """The chart of the mouth in a frame (h, w, 3) whose face points are `points`."""
    lips = _Lips(_in_pixels(points, frame_rgb_u8))
    rows, columns = ((np.arange(n) + 0.5) / n for n in CHART_HW)
    x = columns * lips.width
    top, bottom = lips.edges(x)
    y = top + rows[:, None] * (bottom - top)
    places = np.stack([np.broadcast_to(x, y.shape), y], axis=-1) @ lips.turn.T + lips.start
    return _sample(frame_rgb_u8, places)


def light_of(frame_rgb_u8: RgbImage, points: Points) -> float:
    """Median brightness (0 to 255) of the skin around the mouth of a frame (h, w, 3)."""
    height, width = frame_rgb_u8.shape[:2]
    at = _in_pixels(points, frame_rgb_u8)[list(SKIN)].round()
    x, y = np.clip(at, 0, (width - 1, height - 1)).astype(int).T
    return float(np.median(frame_rgb_u8[y, x].mean(axis=-1)))


@dataclass(frozen=True, eq=False)
class Mouth:
    """The inside of a mouth in one frame, and the light it is seen in."""

    chart: Chart
    light: float
    """Brightness of the skin around it, as of `light_of`."""


def draw_mouth(
    frame_rgb_u8: RgbImage, points: Points, driver: Mouth, source: Mouth, source_gap: float
) -> RgbImage:
    """The frame (h, w, 3) with a mouth between the lips of its face points.

    It is the driver's as far as the mouth is wider open than in the source, and else the source's
    own, as far as that is open by `source_gap` widths of the mouth. The frame is not changed; it is
    returned where there is nothing to draw.
    """
    pixels = _in_pixels(points, frame_rgb_u8)
    lips = _Lips(pixels)
    borrowed, own = _rise(lips.gap - source_gap, OPENS), _rise(source_gap, SHOWS)
    if not lips.gap or not max(borrowed, own):
        return frame_rgb_u8
    around, most = pixels[[*UPPER, *LOWER]], frame_rgb_u8.shape[1::-1]
    low = np.clip(np.floor(around.min(axis=0)).astype(int) - 1, 0, most)
    high = np.clip(np.ceil(around.max(axis=0)).astype(int) + 2, 0, most)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    y, x = np.mgrid[window].astype(np.float64)
    if not x.size:
        return frame_rgb_u8
    here = (np.stack([x, y], axis=-1) - lips.start) @ lips.turn
    top, bottom = lips.edges(here[..., 0])
    row = (here[..., 1] - top) / np.maximum(bottom - top, 1e-6) * CHART_HW[0] - 0.5
    column = here[..., 0] / lips.width * CHART_HW[1] - 0.5
    places, light = np.stack([column, row], axis=-1), light_of(frame_rgb_u8, points)
    out = frame_rgb_u8.copy()
    mouth = out[window].astype(np.float64)
    for taken, share in ((source, own), (driver, borrowed)):
        if share:
            gain = np.clip(light / max(taken.light, 1.0), 1 / _MOST_LIGHT, _MOST_LIGHT)
            mouth += share * (gain * _sample(taken.chart, places) - mouth)
    inside = np.minimum(here[..., 1] - top, bottom - here[..., 1])
    ends = np.minimum(here[..., 0], lips.width - here[..., 0])
    alpha = np.clip(np.minimum(inside, ends) / FEATHER_PX, 0, 1)[..., None]
    out[window] = np.clip(out[window] * (1 - alpha) + mouth * alpha + 0.5, 0, 255).astype(np.uint8)
    return out


def _rise(value: float, limits: tuple[float, float]) -> float:
    return float(np.clip((value - limits[0]) / (limits[1] - limits[0]), 0, 1))


def _sample(picture: RgbImage, places: Floats) -> RgbImage:
    """Pixels of `picture` at the places (…, 2), x and y in pixels, bilinear; borders repeat."""
    at = [places[..., 1], places[..., 0]]
    channels = [
        map_coordinates(picture[..., c].astype(np.float32), at, order=1, mode="nearest")
        for c in range(3)
    ]
    mixed = np.clip(np.stack(channels, axis=-1) + 0.5, 0, 255)
    return np.asarray(mixed, np.uint8)
