"""Movement is measured from rest, in both directions, and a wink is no blink."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

from dfmnist.faces.pose import Signals
from dfmnist.liveness import tracking
from dfmnist.liveness.movement import TITLES, filled, movement

MakeSignals = Callable[..., Signals]
Pulse = Callable[..., npt.NDArray[np.float64]]
FPS = 25.0


def test_a_face_is_followed_once_and_the_last_clip_alone_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    mesh = SimpleNamespace(track=lambda frames: asked.append(len(frames)) or [None] * len(frames))
    monkeypatch.setattr(tracking, "face_mesh", lambda: mesh)
    monkeypatch.setattr(tracking, "_last", {})
    long, short = np.zeros((5, 8, 8, 3), np.uint8), np.zeros((3, 8, 8, 3), np.uint8)
    for frames in (long, long.copy(), short, short, long):
        assert tracking.track(frames) == (None,) * len(frames)
    assert asked == [5, 3, 5]
    assert len(tracking._last) == 1


def test_rest_is_no_movement(make_signals: MakeSignals, pulse: Pulse) -> None:
    moved = movement(make_signals(), FPS)
    assert moved.yaw_range_deg < 1.0
    assert moved.eye_closure < 0.05
    assert moved.mouth_opening < 0.01
    assert set(moved.values()) == set(TITLES)


def test_turns_count_from_the_start_and_by_side(make_signals: MakeSignals, pulse: Pulse) -> None:
    both = movement(make_signals(yaw_deg=pulse(25, 5, 20) - pulse(18, 26, 20)), FPS)
    assert both.yaw_left_deg == pytest.approx(25, abs=1.5)
    assert both.yaw_right_deg == pytest.approx(18, abs=1.5)
    assert both.yaw_both_deg == both.yaw_right_deg
    one = movement(make_signals(yaw_deg=10 + pulse(25)), FPS)  # turned from the start
    assert one.yaw_left_deg == pytest.approx(25, abs=1.5)
    assert one.yaw_both_deg < 1.5


def test_nod_goes_down_and_comes_back(make_signals: MakeSignals, pulse: Pulse) -> None:
    nod = movement(make_signals(pitch_deg=-pulse(20)), FPS)
    assert nod.pitch_down_deg == pytest.approx(20, abs=1.5)
    assert nod.pitch_recovery_deg == pytest.approx(20, abs=1.5)
    held = movement(make_signals(pitch_deg=np.linspace(0, -20, 50)), FPS)
    assert held.pitch_down_deg > 17
    assert held.pitch_recovery_deg < 1


def test_blink_of_one_frame_counts_and_wink_does_not(
    make_signals: MakeSignals, pulse: Pulse
) -> None:
    shut = np.zeros(50)
    shut[20] = -0.25
    blink = movement(make_signals(eye_right=shut, eye_left=shut), FPS)
    assert blink.eye_closure > 0.75
    assert blink.eye_shut_s == pytest.approx(0.04)
    wink = movement(make_signals(eye_right=shut), FPS)
    assert wink.eye_closure < 0.05


def test_one_wild_frame_is_no_movement_of_head_or_mouth(
    make_signals: MakeSignals, pulse: Pulse
) -> None:
    wild = np.zeros(50)
    wild[30] = 40
    moved = movement(make_signals(yaw_deg=wild, mouth_open=wild / 40), FPS)
    assert moved.yaw_range_deg < 1.5
    assert moved.mouth_opening < 0.01


def test_lost_frames_are_bridged(make_signals: MakeSignals, pulse: Pulse) -> None:
    gap = pulse(20)
    gap[22:25] = np.nan
    assert movement(make_signals(roll_deg=gap), FPS).roll_right_deg == pytest.approx(20, abs=2)
    assert filled(np.array([np.nan, 1, np.nan, 3])).tolist() == [1, 1, 2, 3]
    assert filled(np.full(3, np.nan)).tolist() == [0, 0, 0]
