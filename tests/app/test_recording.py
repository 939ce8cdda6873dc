"""Recordings with uneven times are made even; those with gaps are refused."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dfmnist.app.recording import even
from dfmnist.core.errors import InputError
from dfmnist.media.opening import FrameTimes
from dfmnist.media.video import frame_times, read_frames, write_video


def recorded(path: Path, ticks: Sequence[int], size: tuple[int, int] = (32, 32)) -> Path:
    """Grey frames, each of its own level, shown at these milliseconds."""
    frames = [np.full((*size, 3), 20 + 10 * i, np.uint8) for i in range(len(ticks))]
    times = FrameTimes(tuple(ticks), Fraction(1, 1000), Fraction(25), True, True)
    write_video(path, frames, Fraction(25), crf=10, times=times)
    return path


def test_each_moment_shows_the_frame_that_was_there(tmp_path: Path) -> None:
    path = recorded(tmp_path / "cam.mp4", [0, 30, 120, 160, 300, 340])
    out, said = even(path, tmp_path / "even.mp4")
    assert not frame_times(out).variable_rate
    assert frame_times(out).fps == 25
    levels = np.round((read_frames(out).mean(axis=(1, 2, 3)) - 20) / 10).astype(int)
    # at 0, 40, 80, 120, 160, 200, 240, 280 and 320 ms
    assert levels.tolist() == [0, 1, 1, 2, 3, 3, 3, 3, 4]
    assert "uneven times; judged at 25" in said


def test_an_even_recording_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "even.mp4"
    write_video(path, np.zeros((5, 32, 32, 3), np.uint8), Fraction(30), crf=10)
    assert even(path, tmp_path / "out.mp4") == (path, "")
    assert not (tmp_path / "out.mp4").exists()


def test_a_gap_in_which_motion_may_be_missed_is_named(tmp_path: Path) -> None:
    path = recorded(tmp_path / "cam.mp4", [0, 40, 80, 380, 420])
    with pytest.raises(InputError, match=r"cam\.mp4: the camera left out frames: 0\.30 s lie"):
        even(path, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()
