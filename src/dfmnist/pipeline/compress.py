"""Compression of a clip at the three qualities, with one encoder setting for real and fake."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dfmnist.core.arrays import Frames
from dfmnist.core.choices import Quality
from dfmnist.core.files import sha256_file
from dfmnist.dataset.manifest import clip_file_name
from dfmnist.media.video import write_video


@dataclass(frozen=True)
class EncodedFile:
    """One encoded file of a clip."""

    quality: Quality
    file_name: str
    """Path relative to the dataset's folder."""
    sha256: str


def compress(
    frames_rgb_u8: Frames,
    fps: Fraction,
    root: Path,
    clip_id: str,
    comment: str,
    qualities: Sequence[Quality],
) -> list[EncodedFile]:
    """Encode frames (n, h, w, 3) into the dataset folder `root`, once for each quality."""
    written = []
    for quality in qualities:
        name = clip_file_name(clip_id, quality.value)
        write_video(root / name, frames_rgb_u8, fps, crf=quality.crf, comment=comment)
        written.append(EncodedFile(quality, name, sha256_file(root / name)))
    return written
