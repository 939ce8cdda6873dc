"""Trees of tiny files with the names that public datasets have."""

import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from numpy.typing import NDArray

from dfmnist.media.video import write_video

SIDE_PX, FRAMES = 64, 5
Writer = Callable[[Path, NDArray[np.uint8]], object]


@cache
def clip_file() -> Path:
    """One clip of 64 pixels and five frames, written once."""
    path = Path(mkdtemp()) / "clip.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (FRAMES, SIDE_PX, SIDE_PX, 3))
    write_video(path, noise.astype(np.uint8), Fraction(25), crf=40)
    return path


def grow(root: Path, *names: str) -> Path:
    """Put the same clip under each of the names below `root`."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(clip_file(), path)
        except OSError:
            shutil.copyfile(clip_file(), path)
    return root


def _usual(path: Path, frames: NDArray[np.uint8]) -> None:
    write_video(path, frames, Fraction(25), crf=30)


def differ(root: Path, write: Writer = _usual) -> Path:
    """Give every video below `root` pictures of its own, by its name: coloured blocks that move."""
    for path in sorted(root.rglob("*.mp*")):
        seed = np.random.default_rng(list(path.relative_to(root).as_posix().encode()))
        blocks = seed.integers(0, 255, (8, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        path.unlink()  # it may be a link to a file that others share
        write(path, np.stack([np.roll(blocks, at, 1) for at in range(FRAMES)]))
    return root
