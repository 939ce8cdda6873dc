"""The action detector, with the shipped bounds, on clips whose movement is known."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from dfmnist.core.actions import TEN, Action
from dfmnist.faces.pose import Signals
from dfmnist.liveness.action import ActionDetector, is_wrong

MakeSignals = Callable[..., Signals]
Pulse = Callable[..., npt.NDArray[np.float64]]
FPS = Fraction(25)


def _blink() -> npt.NDArray[np.float64]:
    track = np.zeros(50)
    track[20:25] = (-0.1, -0.24, -0.25, -0.15, -0.05)
    return track


def _performed(make: MakeSignals, pulse: Pulse, action: Action) -> Signals:
    """A clear, plain performance of each action."""
    tracks = {
        Action.BLINK: {"eye_right": _blink(), "eye_left": _blink()},
        Action.OPEN_MOUTH: {"mouth_open": pulse(0.9, 8, 36)},
        Action.YAW: {"yaw_deg": pulse(30, 6, 20) - pulse(30, 28, 20)},
        Action.NOD: {"pitch_deg": -pulse(20, 8, 18) + pulse(15, 26, 18)},
        Action.RIGHT_SLOPE: {"roll_deg": pulse(24, 8, 36)},
        Action.LEFT_SLOPE: {"roll_deg": -pulse(24, 8, 36)},
        Action.LOOK_UP: {"pitch_deg": pulse(20, 8, 36)},
        Action.SMILE: {"mouth_width": pulse(0.08, 8, 36), "mouth_corner_lift": pulse(0.05, 8, 36)},
        Action.SURPRISE: {
            "mouth_open": pulse(0.4, 8, 36), "brow_raise": pulse(0.06, 8, 36),
            "eye_right": pulse(0.06, 8, 36), "eye_left": pulse(0.06, 8, 36),
        },
        Action.EMBARRASSMENT: {
            "yaw_deg": pulse(8, 8, 36), "pitch_deg": -pulse(12, 8, 36),
            "gaze_down": pulse(0.09, 8, 36), "mouth_width": pulse(0.06, 8, 36),
            "mouth_corner_lift": pulse(0.04, 8, 36),
        },
    }  # fmt: skip
    return make(**tracks[action])


@pytest.mark.parametrize("shown", TEN)
def test_accepts_what_was_asked_and_nothing_else(
    make_signals: MakeSignals, pulse: Pulse, shown: Action
) -> None:
    detector = ActionDetector()
    track = _performed(make_signals, pulse, shown)
    verdict = detector.judge(track, FPS, shown)
    assert verdict.live, verdict.reason
    assert verdict.score >= 0.5
    assert verdict.reason == ""
    for asked in TEN:
        if is_wrong(shown, asked):
            refused = detector.judge(track, FPS, asked)
            assert not refused.live, asked
            assert refused.score < 0.5
            assert refused.reason


def test_rest_is_no_action(make_signals: MakeSignals, pulse: Pulse) -> None:
    for asked in TEN:
        assert not ActionDetector().judge(make_signals(), FPS, asked).live


def test_surprise_contains_an_open_mouth_and_the_reverse_is_wrong() -> None:
    assert not is_wrong(Action.SURPRISE, Action.OPEN_MOUTH)
    assert is_wrong(Action.OPEN_MOUTH, Action.SURPRISE)
    assert is_wrong(Action.TALK, Action.BLINK)


def test_a_blink_leaves_the_head_free_but_not_the_mouth(
    make_signals: MakeSignals, pulse: Pulse
) -> None:
    eyes = {"eye_right": _blink(), "eye_left": _blink()}
    turned = make_signals(**eyes, yaw_deg=pulse(20), pitch_deg=-pulse(14))
    assert ActionDetector().judge(turned, FPS, Action.BLINK).live
    talking = make_signals(**eyes, mouth_open=pulse(0.3))
    assert "mouth" in ActionDetector().judge(talking, FPS, Action.BLINK).reason


def test_no_face_is_a_verdict_with_a_reason(make_signals: MakeSignals, pulse: Pulse) -> None:
    blank = np.full((6, 256, 256, 3), 90, np.uint8)
    verdict = ActionDetector()(blank, FPS, Action.NOD)
    assert (verdict.detector, verdict.live, verdict.score) == ("action", False, 0.0)
    assert verdict.reason == "face found in 0 of 6 frames"
    lost = np.zeros(50)
    lost[:10] = np.nan
    track = make_signals(yaw_deg=lost)
    assert "40 of 50" in ActionDetector().judge(track, FPS, Action.YAW).reason
