"""Pictures made of frames: strips, details, and labelled pictures on one sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dfmnist.core.arrays import Frames
from dfmnist.core.files import atomic_path
from dfmnist.media.image import write_image
from dfmnist.media.sample import evenly
from dfmnist.media.video import frames_at, probe

Labelled = Sequence[tuple[str, Frames]]
"""Pictures (h, w, 3) of one size, each with its label."""


@dataclass(frozen=True)
class Picture:
    """A figure as single tiles and as one sheet with all of them."""

    tiles: tuple[Path, ...]
    sheet: Path


def resize(image_rgb_u8: Frames, side: int, *, sharp_pixels: bool = False) -> Frames:
    """The image (h, w, 3) at `side` x `side`; `sharp_pixels` keeps single pixels visible."""
    how = Image.Resampling.NEAREST if sharp_pixels else Image.Resampling.LANCZOS
    return np.array(Image.fromarray(image_rgb_u8).resize((side, side), how))


def strip(clip: Path, count: int, side: int = 128) -> Frames:
    """Frames of a clip side by side, `count` evenly spread: (side, count * side, 3)."""
    frames = frames_at(clip, evenly(probe(clip).num_frames, count))
    return np.concatenate([resize(frame, side) for frame in frames], axis=1)


def strips(folder: Path, name: str, clips: Sequence[tuple[str, Path]], count: int = 6) -> Picture:
    """Write a strip of `count` frames for each (label, clip), and a sheet with all strips."""
    return write_tiles(folder, name, [(label, strip(clip, count)) for label, clip in clips], 2)


def most_changed(first: Frames, second: Frames, window: int) -> tuple[int, int]:
    """Top and left of the `window` square in which two frames (h, w, 3) differ most."""
    change = np.abs(first.astype(np.int32) - second.astype(np.int32)).sum(axis=2)
    total = np.pad(change, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    sums = (
        total[window:, window:] - total[:-window, window:]
        - total[window:, :-window] + total[:-window, :-window]
    )  # fmt: skip
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(top), int(left)


def details(folder: Path, name: str, frames: Labelled, window: int = 64) -> Picture:
    """Write one frame in several qualities, each above a detail at four times its size.

    The detail is where the first and the last quality differ most, marked on the frame. The tiles
    are PNG, since JPEG would add compression of its own.
    """
    top, left = most_changed(frames[0][1], frames[-1][1], window)
    stacks = []
    for label, frame in frames:
        side = 4 * window
        detail = resize(frame[top : top + window, left : left + window], side, sharp_pixels=True)
        marked = Image.fromarray(resize(frame, side))
        scale = side / frame.shape[0]
        box = [round(v * scale) for v in (left, top, left + window - 1, top + window - 1)]
        ImageDraw.Draw(marked).rectangle(box, outline=(255, 255, 255), width=2)
        stacks.append((label, np.concatenate([np.asarray(marked), detail], axis=0)))
    return write_tiles(folder, name, stacks, len(stacks), "png")


def write_tiles(
    folder: Path, name: str, images: Labelled, columns: int, kind: str = "jpg"
) -> Picture:
    """Write each picture as `name-NN.KIND`, and all in a grid of `columns` as `name.KIND`."""
    tiles = []
    for index, (_, image) in enumerate(images):
        path = folder / f"{name}-{index:02d}.{kind}"
        write_image(path, image)
        tiles.append(path)
    return Picture(tuple(tiles), sheet(folder / f"{name}.{kind}", images, columns))


def sheet(path: Path, cells: Labelled, columns: int) -> Path:
    """Write labelled pictures of one size in a grid on white; returns `path`."""
    height, width = cells[0][1].shape[:2]
    gap, line = 10, 22
    rows = -(-len(cells) // columns)
    page = Image.new(
        "RGB", (gap + columns * (width + gap), gap + rows * (height + line + gap)), "white"
    )
    pen = ImageDraw.Draw(page)
    font_file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    font = ImageFont.truetype(str(font_file), 14)
    for index, (label, image) in enumerate(cells):
        x = gap + (index % columns) * (width + gap)
        y = gap + (index // columns) * (height + line + gap)
        pen.text((x, y), label, fill=(29, 32, 38), font=font)
        page.paste(Image.fromarray(image), (x, y + line))
    with atomic_path(path) as temporary:
        page.save(temporary, quality=90)
    return path
