"""The encoder's settings are those of `ffmpeg`: both give the same frames."""

import shlex
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dfmnist.core.choices import Quality
from dfmnist.media.video import ffmpeg_options, read_frames, write_video

FRAMES, WIDTH, HEIGHT = 28, 64, 48


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on this machine")
@pytest.mark.parametrize("quality", list(Quality))
def test_the_frames_are_those_of_ffmpeg(quality: Quality, tmp_path: Path) -> None:
    """More than one key frame, moving waves and noise; pixel for pixel."""
    rng = np.random.default_rng(0)
    y, x, t = np.mgrid[:HEIGHT, :WIDTH, :FRAMES].astype(np.float64)
    waves = np.stack([120 + 60 * np.sin(x / 6 + t / 4 + k) * np.cos(y / 7) for k in range(3)], -1)
    noisy = waves.transpose(2, 0, 1, 3) + rng.normal(0, 6, (FRAMES, HEIGHT, WIDTH, 3))
    frames = np.clip(noisy, 0, 255).astype(np.uint8)
    write_video(tmp_path / "ours.mp4", frames, Fraction(25), crf=quality.crf)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}",
         "-r", "25", "-i", "-", *shlex.split(ffmpeg_options(quality.crf)), tmp_path / "theirs.mp4"],
        input=frames.tobytes(),
        check=True,
    )  # fmt: skip
    assert np.array_equal(read_frames(tmp_path / "ours.mp4"), read_frames(tmp_path / "theirs.mp4"))
