"""Trees of tiny files with the names that public datasets have."""

import os
import shutil
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from dfmnist.media.video import write_video

SIDE_PX, FRAMES = 64, 5


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
