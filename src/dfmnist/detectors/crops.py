"""Crops of native pixels: how a detector that takes small squares sees a whole frame.

A forgery's traces are fine detail, which resizing a frame removes. Training therefore draws random
crops; scoring covers the whole frame: at once where the network averages its last maps (it then
takes frames of any size), else by a grid of crops whose logits are averaged.
"""

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

Corner = tuple[int, int]
"""Top and left of a crop, in pixels."""


def starts(side_px: int, crop_px: int) -> list[int]:
    """Starts of the fewest crops that cover `side_px` pixels, evenly spread.

    Raises `ValueError` where the crop is larger than the side.
    """
    if crop_px > side_px:
        raise ValueError(f"a crop of {crop_px} px does not fit a side of {side_px} px")
    count = -(-side_px // crop_px)
    if count == 1:
        return [(side_px - crop_px) // 2]
    return [round(number * (side_px - crop_px) / (count - 1)) for number in range(count)]


def grid(height_px: int, width_px: int, crop_px: int) -> list[Corner]:
    """Corners of the crops that cover a frame, row by row."""
    return [(top, left) for top in starts(height_px, crop_px) for left in starts(width_px, crop_px)]


def crop(frames: Tensor, corner: Corner, crop_px: int) -> Tensor:
    """One crop of frames (n, c, h, w): (n, c, crop_px, crop_px)."""
    top, left = corner
    return frames[..., top : top + crop_px, left : left + crop_px]


def random_crops(
    frames_rgb_u8: UInt8[np.ndarray, "n h w 3"], crop_px: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "n c c 3"]:
    """One crop for all the given frames, at a place drawn anew."""
    height, width = frames_rgb_u8.shape[1:3]
    if (height, width) == (crop_px, crop_px):
        return frames_rgb_u8
    top, left = (int(rng.integers(side - crop_px + 1)) for side in (height, width))
    return frames_rgb_u8[:, top : top + crop_px, left : left + crop_px]
