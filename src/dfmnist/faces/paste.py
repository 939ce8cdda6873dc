"""Animated face crops put back into the full picture that they were cut from.

The square is laid over the picture with a mask that fades towards its sides. What a motion model
changes in colour and brightness is taken out first, so that the square and its surroundings agree.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import gaussian_filter

from dfmnist.core.arrays import Floats32, RgbImage
from dfmnist.faces.crop import whole_pixels

FADE = 0.2
"""Width of the strip along each side in which the crop fades, as a share of the side."""
SMOOTH = 0.08
"""Standard deviation of the colour correction's smoothing, as a share of the crop's side."""


class PasteBack:
    """Puts animated crops of one square back into pictures of one size."""

    def __init__(self, box_xyxy: npt.ArrayLike, size_wh: tuple[int, int]) -> None:
        """`box_xyxy` is the square as `square_crop` takes it, in pixels of a picture of `size_wh`.

        It may exceed the picture: then the crop does not fade on that side.
        """
        left, top, right, bottom = whole_pixels(box_xyxy)
        width, height = size_wh
        columns, across = _visible(left, right, width)
        rows, down = _visible(top, bottom, height)
        self._rows, self._columns = slice(*rows), slice(*columns)
        self._inside = (slice(rows[0] - top, rows[1] - top),
                        slice(columns[0] - left, columns[1] - left))  # fmt: skip
        self._size = (right - left, bottom - top)
        self._mask = (down[:, None] * across)[..., None]
        self._correction: Floats32 | None = None

    def correct(self, source_rgb_u8: RgbImage, unmoved_rgb_u8: RgbImage) -> None:
        """Find the correction of colour and brightness for all following crops.

        Both pictures are crops (s, s, 3): the source, and what the model makes of it without
        motion. Their smoothed difference is what is added to every crop.
        """
        difference = source_rgb_u8.astype(np.float32) - unmoved_rgb_u8
        sigma = SMOOTH * len(difference)
        self._correction = gaussian_filter(difference, (sigma, sigma, 0), mode="nearest")

    def __call__(self, picture_rgb_u8: RgbImage, crop_rgb_u8: RgbImage) -> RgbImage:
        """The picture (h, w, 3) with the animated crop (s, s, 3) in its place; a new array."""
        crop = crop_rgb_u8
        if self._correction is not None:
            crop = _as_u8(crop + self._correction)
        image = Image.fromarray(crop).resize(self._size, Image.Resampling.LANCZOS)
        square = np.asarray(image)[self._inside].astype(np.float32)
        pasted = picture_rgb_u8.copy()
        under = pasted[self._rows, self._columns]
        pasted[self._rows, self._columns] = _as_u8(under + self._mask * (square - under))
        return pasted


def _visible(start: int, stop: int, length: int) -> tuple[tuple[int, int], Floats32]:
    """The part of a side from `start` to `stop` that lies within 0 to `length`, and its mask."""
    middle = np.arange(start, stop) + 0.5
    fade = FADE * (stop - start)
    from_start = np.inf if start <= 0 else (middle - start) / fade
    from_stop = np.inf if stop >= length else (stop - middle) / fade
    near = np.clip(np.minimum(from_start, from_stop), 0, 1) * np.ones(stop - start)
    first, last = max(start, 0), min(stop, length)
    mask = near * near * (3 - 2 * near)  # smooth at both ends
    return (first, last), mask[first - start : last - start].astype(np.float32)


def _as_u8(values: npt.NDArray[Any]) -> RgbImage:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
