"""What no detector can judge is refused with a reason; everything else is one crop for all."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from dfmnist.attacks.photo import planar_warp
from dfmnist.core.errors import InputError
from dfmnist.liveness.clip_file import ClipFile
from dfmnist.liveness.load import CLIP_PX, UnusableClip, load_clip, unusable
from dfmnist.media.opening import FrameTimes
from dfmnist.media.video import write_video

Image8 = npt.NDArray[np.uint8]


def written(
    path: Path, frames: Image8, fps: Fraction = Fraction(25), **more: FrameTimes
) -> ClipFile:
    write_video(path, frames, fps, crf=18, **more)
    return ClipFile(path, None)


def times(count: int, fps: Fraction, ticks: list[int] | None = None) -> FrameTimes:
    return FrameTimes(
        tuple(ticks or range(count)), 1 / fps, fps, variable_rate=ticks is not None,
        identify_frames=True,
    )  # fmt: skip


def refused(file: ClipFile) -> str:
    with pytest.raises(UnusableClip) as caught:
        load_clip(file)
    return str(caught.value)


def test_a_wide_clip_is_cropped_and_a_crop_is_taken_as_it_is(
    portrait: Image8, tmp_path: Path
) -> None:
    crop = planar_warp(portrait, 13, np.random.default_rng(1))
    loaded = load_clip(written(tmp_path / "crop.mp4", crop))
    assert loaded.frames_rgb_u8 is loaded.filmed_rgb_u8
    assert loaded.searched == (0, 5, 10, 12)
    wide = np.pad(portrait, ((100, 60), (200, 120), (0, 0)))
    found = load_clip(written(tmp_path / "wide.mp4", np.repeat(wide[None], 13, 0)))
    assert found.frames_rgb_u8.shape == (13, CLIP_PX, CLIP_PX, 3)
    assert found.filmed_rgb_u8.shape == (13, 416, 576, 3)
    assert found.boxes_xyxy.shape == (4, 4)
    left, top, right, bottom = found.boxes_xyxy[0]
    assert 200 < left < right < 456
    assert 100 < top < bottom < 356
    assert all(mesh is not None for mesh in found.meshes)


def test_fast_and_large_clips_are_brought_down(portrait: Image8, tmp_path: Path) -> None:
    large = np.repeat(np.repeat(portrait, 6, 0), 6, 1)[:, :1400]
    found = load_clip(written(tmp_path / "a.mp4", np.repeat(large[None], 26, 0), Fraction(50)))
    assert found.fps == 25
    assert found.filmed_rgb_u8.shape == (13, 1280, 1166, 3)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (times(1, Fraction(25)), "1 frame; expected 12 or more"),
        (times(11, Fraction(25)), "11 frames; expected 12 or more"),
        (times(20, Fraction(1)), "1 frames/s; expected 12 or more"),
        (times(15_000, Fraction(25)), "600 s long; expected 20 s or less"),
        (times(15, Fraction(25), [0, 1, 2, 9, *range(10, 21)]), "not evenly spaced in time"),
        (times(500, Fraction(25)), ""),
        (times(240, Fraction(12)), ""),
    ],
)
def test_times_that_cannot_be_judged(found: FrameTimes, reason: str) -> None:
    assert unusable(found) == reason or (reason and reason in unusable(found))


def test_a_variable_rate_is_judged_where_wanted_by_what_each_moment_showed(
    portrait: Image8, tmp_path: Path
) -> None:
    ticks = [0, 30, 120, 160, 300, 340, 380, 420, 460, 500, 540, 580, 620]
    uneven = FrameTimes(tuple(ticks), Fraction(1, 1000), Fraction(20), True, True)
    frames = np.stack([portrait * (1 - i / 40) for i in range(13)]).astype(np.uint8)
    file = written(tmp_path / "a.mp4", frames, times=uneven)
    assert "not evenly spaced" in refused(file)
    found = load_clip(file, even=True)
    assert found.fps == 25
    shown = np.abs(found.frames_rgb_u8[:, None] - frames[None].astype(float)).mean((2, 3, 4))
    # at 0, 40, 80, 120, 160, 200, 240, 280, 320 … 600 ms
    assert shown.argmin(axis=1).tolist() == [0, 1, 1, 2, 3, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11]


def test_a_gap_in_which_motion_may_be_missed_is_named() -> None:
    gap = times(15, Fraction(25), [0, 1, 2, 9, *range(10, 21)])
    assert unusable(gap, even=True) == (
        "frames were left out: 0.28 s lie between two of them; expected 0.25 s or less"
    )
    near = times(15, Fraction(25), [0, 1, 2, 8, *range(9, 20)])
    assert unusable(near, even=True) == ""


def test_faces_that_cannot_be_judged(portrait: Image8, tmp_path: Path) -> None:
    grey = np.full_like(portrait, 120)
    assert refused(written(tmp_path / "none.mp4", np.repeat(grey[None], 13, 0))) == "no face found"
    two = np.concatenate([portrait, portrait[:, ::-1]], axis=1)
    reason = refused(written(tmp_path / "two.mp4", np.repeat(two[None], 13, 0)))
    assert reason == "two faces in 4 of 4 frames looked at"
    leaves = np.concatenate([np.repeat(portrait[None], 16, 0), np.repeat(grey[None], 14, 0)])
    reason = refused(written(tmp_path / "leaves.mp4", leaves))
    assert reason == "face seen in only 4 of 7 frames looked at"


def test_no_video_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"text")
    for name in ("a.mp4", "gone.mp4"):
        with pytest.raises(InputError) as caught:
            load_clip(ClipFile(tmp_path / name, None))
        assert not isinstance(caught.value, UnusableClip)
