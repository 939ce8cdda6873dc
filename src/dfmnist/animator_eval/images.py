"""Pictures of an evaluation: a sheet of strips, one for each clip, and a column per action."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dfmnist.animator_eval.metrics import TrackedClip
from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames, RgbImage
from dfmnist.core.files import atomic_path

MOMENTS = 6
"""Number of frames of each clip in a strip."""
LEFT_PX, TOP_PX = 76, 24
"""Margins of the sheets for the names of rows and strips."""
COLUMN_ROWS = ("source", "driver", "animated")
"""Names of the pictures of a column, from the top."""


def strip(clips: Sequence[Frames]) -> RgbImage:
    """Six evenly spaced frames of each clip side by side, the clips one above the other."""
    at = np.linspace(0, len(clips[0]) - 1, MOMENTS + 2).round().astype(int)[1:-1]
    return np.concatenate([np.concatenate(list(clip[at]), axis=1) for clip in clips], axis=0)


def column(action: Action, true: Frames, driving: TrackedClip, made: Frames) -> RgbImage:
    """Source, driver and animation at the peak of the driver's action, at half size."""
    frames, eyes = driving.frames, driving.signals.eye_aspect
    if action is Action.BLINK and np.isfinite(eyes).any():
        at = int(np.nanargmin(eyes))
    else:
        far = np.abs(frames.astype(np.int16) - frames[0]).mean(axis=(1, 2, 3))
        at = int(far.argmax())
    pictures = [Image.fromarray(frame).reduce(2) for frame in (true[0], frames[at], made[at])]
    return np.concatenate([np.asarray(picture) for picture in pictures])


def sheet(strips: Mapping[str, RgbImage], rows: Sequence[str]) -> Image.Image:
    """The strips one below the other, each under its name, with the names of `rows` at the left."""
    wide = max(picture.shape[1] for picture in strips.values())
    high = sum(TOP_PX + picture.shape[0] for picture in strips.values())
    page = Image.new("RGB", (LEFT_PX + wide, high), "white")
    draw, font, at = ImageDraw.Draw(page), ImageFont.load_default(size=13), 0
    for title, picture in strips.items():
        draw.text((LEFT_PX, at + TOP_PX / 2), title, "black", font, anchor="lm")
        page.paste(Image.fromarray(picture), (LEFT_PX, at + TOP_PX))
        side = picture.shape[0] / len(rows)
        for number, name in enumerate(rows):
            middle = (LEFT_PX - 8, at + TOP_PX + (number + 0.5) * side)
            draw.text(middle, name, "black", font, anchor="rm")
        at += TOP_PX + picture.shape[0]
    return page


def grid(cells: Mapping[tuple[str, str], RgbImage]) -> Image.Image:
    """The strips of sources (rows) and drivers (columns), under each driver's own strip.

    Every cell has two rows of square pictures: a white one and the driver's, then the source and
    its animations. A pair without a cell stays white.
    """
    sources = list(dict.fromkeys(source for source, _ in cells))
    drivers = list(dict.fromkeys(driver for _, driver in cells))
    height, width = next(iter(cells.values())).shape[:2]
    side, strip_px = height // 2, width - height // 2
    page = Image.new(
        "RGB", (side + len(drivers) * strip_px, TOP_PX + (1 + len(sources)) * side), "white"
    )
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=13)
    for (source, driver), cell in cells.items():
        x = side + drivers.index(driver) * strip_px
        y = TOP_PX + (1 + sources.index(source)) * side
        page.paste(Image.fromarray(cell[:side, side:]), (x, TOP_PX))
        page.paste(Image.fromarray(cell[side:, :side]), (0, y))
        page.paste(Image.fromarray(cell[side:, side:]), (x, y))
        draw.text((x + 4, TOP_PX / 2), driver, "black", font, anchor="lm")
    return page


def columns(found: Mapping[str, RgbImage]) -> Image.Image:
    """The columns side by side, with their names above and the rows' names at the left."""
    side = next(iter(found.values())).shape[1]
    page = Image.new("RGB", (LEFT_PX + side * len(found), TOP_PX + 3 * side), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=13)
    for row, name in enumerate(COLUMN_ROWS):
        draw.text((LEFT_PX - 8, TOP_PX + (row + 0.5) * side), name, "black", font, anchor="rm")
    for number, (name, picture) in enumerate(found.items()):
        page.paste(Image.fromarray(picture), (LEFT_PX + number * side, TOP_PX))
        middle = (LEFT_PX + (number + 0.5) * side, TOP_PX / 2)
        draw.text(middle, name, "black", font, anchor="mm")
    return page


def save(path: Path, picture: RgbImage | Image.Image) -> None:
    """Write a PNG; the file appears only when it is complete."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    with atomic_path(path) as temporary:
        image.save(temporary)
