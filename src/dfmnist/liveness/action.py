"""Did this clip do the action that was asked for? Head pose, eyes, mouth, brows and gaze.

Each action is a short list of measures that must reach a bound, and of measures of other
movements that must stay below one: a blink asks for eyes that close while head and mouth are
still. The lists are written here by hand; the numbers are fitted (`calibrate.py`).
"""

from fractions import Fraction

import numpy as np

from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames
from dfmnist.faces.pose import Signals, signals
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.movement import WORDS, movement
from dfmnist.liveness.thresholds import MIN_SEEN, Thresholds, judge, shipped
from dfmnist.liveness.tracking import track

Rules = tuple[tuple[str, ...], tuple[str, ...]]

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
"""Action: (measures that must reach their bound, measures that must stay below theirs)."""

CONTAINS: dict[Action, frozenset[Action]] = {
    Action.SURPRISE: frozenset({Action.OPEN_MOUTH}),  # a surprised mouth falls open
    Action.EMBARRASSMENT: frozenset({Action.SMILE}),  # with a held-back smile
}
"""Action shown: actions asked for that it also is, so that accepting it is no error."""


class ActionDetector:
    """Local action-specific detector; explains each rejection by the measure that failed."""

    name = "action"

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        """`thresholds` None: those shipped with the package."""
        self._thresholds = thresholds or shipped()

    def __call__(self, frames_rgb_u8: Frames, fps: Fraction, action: Action) -> Verdict:
        """Judge (n, h, w, 3) frames in which `action` (one of the ten) was asked for."""
        return self.judge(signals(track(frames_rgb_u8)), fps, action)

    def judge(self, found: Signals, fps: Fraction, action: Action) -> Verdict:
        """As the call, from signals that were measured already."""
        if reason := seen_too_little(found):
            return Verdict(self.name, False, 0.0, reason)
        values = movement(found, float(fps)).values()
        score, reason = judge(self._thresholds.actions[action.value], values, WORDS)
        return Verdict(self.name, not reason, score, reason)


def seen_too_little(track: Signals) -> str:
    """Why the clip cannot be judged at all; empty when it can."""
    seen = int(np.isfinite(track.yaw_deg).sum())
    if len(track) < 2:
        return f"{len(track)} frames: too few to judge"
    if seen < MIN_SEEN * len(track):
        return f"face found in {seen} of {len(track)} frames"
    return ""
