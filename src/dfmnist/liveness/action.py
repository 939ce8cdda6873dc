"""The action-specific liveness detector: does a clip show the requested action?

An action has measures that must reach a bound, and measures of other movements that must stay
below one: a blink requires eyes that close while head and mouth are still. Which measures these
are is written here by hand; the bounds are fitted (`calibrate.py`).
"""

from fractions import Fraction

import numpy as np

from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames
from dfmnist.faces.pose import Signals, signals
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.movement import TITLES, movement
from dfmnist.liveness.thresholds import MIN_SEEN, Thresholds, check_bounds, shipped_thresholds
from dfmnist.liveness.tracking import track

Rules = tuple[tuple[str, ...], tuple[str, ...]]
"""The measures that must reach their bound, and those that must stay below theirs."""

_HEAD = ("yaw_range_deg", "pitch_range_deg", "roll_range_deg")

RULES: dict[Action, Rules] = {
    Action.BLINK: (
        ("eye_closure",),
        ("eye_shut_s", *_HEAD, "mouth_opening", "mouth_speed", "mouth_widening", "brow_raise"),
    ),
    Action.OPEN_MOUTH: (("mouth_opening", "mouth_open_s"), (*_HEAD, "brow_raise")),
    Action.YAW: (("yaw_both_deg", "yaw_range_deg"), ("pitch_range_deg", "roll_range_deg")),
    Action.NOD: (
        ("pitch_down_deg", "pitch_recovery_deg"),
        ("yaw_range_deg", "roll_range_deg"),
    ),
    Action.RIGHT_SLOPE: (
        ("roll_right_deg",),
        ("roll_left_deg", "yaw_range_deg", "pitch_range_deg"),
    ),
    Action.LEFT_SLOPE: (
        ("roll_left_deg",),
        ("roll_right_deg", "yaw_range_deg", "pitch_range_deg"),
    ),
    Action.LOOK_UP: (
        ("pitch_up_deg",),
        ("pitch_down_deg", "yaw_range_deg", "roll_range_deg"),
    ),
    Action.SMILE: (
        ("mouth_widening", "corner_lift"),
        (*_HEAD, "mouth_speed", "brow_raise"),  # a smile may show teeth
    ),
    Action.SURPRISE: (("brow_raise", "mouth_opening"), (*_HEAD, "mouth_widening")),
    Action.EMBARRASSMENT: (
        ("gaze_down", "yaw_range_deg", "pitch_down_deg"),
        ("yaw_both_deg", "mouth_opening", "mouth_speed", "pitch_up_deg"),
    ),
}
"""The rules of each action; measures are named as in `Movement`."""

CONTAINS: dict[Action, frozenset[Action]] = {
    Action.SURPRISE: frozenset({Action.OPEN_MOUTH}),  # a surprised mouth falls open
    Action.EMBARRASSMENT: frozenset({Action.SMILE}),  # with a held-back smile
}
"""The actions that an action contains: accepting it where one of them is requested is no error."""


def is_wrong(shown: Action, asked: Action) -> bool:
    """True if accepting a clip that shows `shown` where `asked` is requested is an error."""
    return shown is not asked and asked not in CONTAINS.get(shown, frozenset())


class ActionDetector:
    """The local action-specific detector. It rejects a clip with the measure that failed."""

    name = "action"

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        """`thresholds` None means those shipped with the package."""
        self._thresholds = thresholds or shipped_thresholds()

    def __call__(self, frames_rgb_u8: Frames, fps: Fraction, action: Action) -> Verdict:
        """The verdict on frames (n, h, w, 3) of a clip that should show `action`, one of ten."""
        return self.judge(signals(track(frames_rgb_u8)), fps, action)

    def judge(self, found: Signals, fps: Fraction, action: Action) -> Verdict:
        """The same verdict from signals that are measured already."""
        if reason := seen_too_little(found):
            return Verdict.not_assessed(self.name, reason)
        values = movement(found, float(fps)).values()
        bounds = self._thresholds.actions[action.value]
        score, reason = check_bounds(bounds, values, TITLES)
        return Verdict(self.name, not reason, score, reason)


def seen_too_little(track: Signals) -> str:
    """The reason why a clip cannot be judged; empty if it can."""
    seen = int(np.isfinite(track.yaw_deg).sum())
    if len(track) < 2:
        return f"{len(track)} frames: too few to judge"
    if seen < MIN_SEEN * len(track):
        return f"face found in {seen} of {len(track)} frames"
    return ""
