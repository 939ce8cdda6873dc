"""The figures made of frames: Figure 1 (samples), Figure 7 (activation maps), Figure 9 (qualities).

Each gives tiles, which a page can lay out to fit a phone, and one sheet with everything on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from dfmnist.core.files import atomic_path
from dfmnist.media.image import write_image
from dfmnist.media.sample import evenly
from dfmnist.media.video import frames_at, probe

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Tile:
    """One picture with what it shows."""

    label: str
    path: Path
    alt: str


@dataclass(frozen=True)
class Picture:
    """A figure as tiles and as one sheet."""

    tiles: tuple[Tile, ...]
    sheet: Path


def resize(image_rgb_u8: Frames, side: int, *, sharp_pixels: bool = False) -> Frames:
    """The image (h, w, 3) at `side` x `side`; `sharp_pixels` keeps single pixels visible."""
    how = Image.Resampling.NEAREST if sharp_pixels else Image.Resampling.LANCZOS
    return np.array(Image.fromarray(image_rgb_u8).resize((side, side), how))


def strip(clip: Path, count: int, side: int = 128) -> Frames:
    """`count` frames spread over the clip, side by side: (side, count * side, 3)."""
    frames = frames_at(clip, evenly(probe(clip).num_frames, count))
    return np.concatenate([resize(frame, side) for frame in frames], axis=1)


def figure1(folder: Path, samples: Sequence[tuple[str, Path]], count: int = 6) -> Picture:
    """Figure 1: for each (label, clip) a strip of `count` frames over the whole clip."""
    strips = [(label, strip(clip, count)) for label, clip in samples]
    tiles = []
    for index, (label, image) in enumerate(strips):
        path = folder / f"figure1-{index:02d}.jpg"
        write_image(path, image)
        tiles.append(Tile(label, path, f"{count} frames of an animated clip: {label}"))
    return Picture(tuple(tiles), sheet(folder / "figure1.jpg", strips, columns=2))


def figure7(folder: Path, frames: Sequence[tuple[str, Frames, Frames]]) -> Picture:
    """Figure 7: (label, frame, its map laid over it), each as the original above its overlay."""
    tiles, stacks = [], []
    for index, (label, image, painted) in enumerate(frames):
        stacked = np.concatenate([image, painted], axis=0)
        path = folder / f"figure7-{index:02d}.jpg"
        write_image(path, stacked)
        alt = f"{label}: the frame, and under it where the detector looked"
        tiles.append(Tile(label, path, alt))
        stacks.append((label, stacked))
    return Picture(tuple(tiles), sheet(folder / "figure7.jpg", stacks, columns=5))


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


def figure9(folder: Path, by_quality: Sequence[tuple[str, Frames]], window: int = 64) -> Picture:
    """Figure 9: one frame (label, (h, w, 3)) per quality, above a detail at four times its size.

    The detail is where the first and the last quality differ most, marked on the frame.
    """
    top, left = most_changed(by_quality[0][1], by_quality[-1][1], window)
    tiles, stacks = [], []
    for index, (label, frame) in enumerate(by_quality):
        side = 4 * window
        detail = resize(frame[top : top + window, left : left + window], side, sharp_pixels=True)
        marked = Image.fromarray(resize(frame, side))
        scale = side / frame.shape[0]
        box = [round(v * scale) for v in (left, top, left + window - 1, top + window - 1)]
        ImageDraw.Draw(marked).rectangle(box, outline=(255, 255, 255), width=2)
        stacked = np.concatenate([np.asarray(marked), detail], axis=0)
        path = folder / f"figure9-{index}.png"  # PNG: JPEG would add compression of its own
        write_image(path, stacked)
        tiles.append(Tile(label, path, f"The same frame and an enlarged detail, {label}"))
        stacks.append((label, stacked))
    return Picture(tuple(tiles), sheet(folder / "figure9.png", stacks, columns=len(stacks)))


def sheet(path: Path, cells: Sequence[tuple[str, Frames]], columns: int) -> Path:
    """Labelled pictures of one size in a grid on white; returns `path`."""
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
