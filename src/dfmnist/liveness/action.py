"""The action-specific liveness detector: does a clip show the requested action?

An action has measures that must reach a bound, and measures of other movements that must stay
below one: a blink requires eyes that close while head and mouth are still. Which measures these
are is written here by hand; the bounds are fitted (`calibrate.py`).
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames
from dfmnist.faces.pose import Signals, signals
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.movement import TITLES, movement
from dfmnist.liveness.thresholds import (
    MIN_SEEN,
    BoundKind,
    Thresholds,
    check_bounds,
    shipped_thresholds,
)
from dfmnist.liveness.tracking import track

_HEAD = ("yaw_range_deg", "pitch_range_deg", "roll_range_deg")


@dataclass(frozen=True)
class Rule:
    """What a clip must show to count as an action; measures are named as in `Movement`."""

    reach: tuple[str, ...]
    """Measures that must reach a bound."""
    beside: tuple[str, ...] = ()
    """Measures of other movements that must stay below a multiple of the action's own extent."""
    own: str = ""
    """Measure of that extent; one of `reach`."""
    still: tuple[str, ...] = ()
    """Measures that must stay below a bound of their own."""

    @property
    def bounded(self) -> tuple[tuple[str, BoundKind, str], ...]:
        """Measure, side, and measure in units of which it is bounded, of each bound in order."""
        return (
            *((name, "least", "") for name in self.reach),
            *((name, "most", self.own) for name in self.beside),
            *((name, "most", "") for name in self.still),
        )


RULES: dict[Action, Rule] = {
    Action.BLINK: Rule(
        ("eye_closure",), still=("eye_shut_s", *_HEAD, "mouth_opening", "mouth_widening")
    ),
    Action.OPEN_MOUTH: Rule(
        ("mouth_opening", "mouth_open_s"), ("mouth_widening", "mouth_speed"), "mouth_opening"
    ),
    Action.YAW: Rule(
        ("yaw_both_deg", "yaw_range_deg"), ("pitch_range_deg", "roll_range_deg"), "yaw_range_deg"
    ),
    Action.NOD: Rule(
        ("pitch_dip_deg",), ("yaw_range_deg", "roll_range_deg"), "pitch_dip_deg",
        still=("gaze_down", "mouth_speed"),
    ),
    Action.RIGHT_SLOPE: Rule(
        ("roll_right_deg",), ("roll_left_deg", "yaw_range_deg", "pitch_range_deg"),
        "roll_right_deg",
    ),
    Action.LEFT_SLOPE: Rule(
        ("roll_left_deg",), ("roll_right_deg", "yaw_range_deg", "pitch_range_deg"),
        "roll_left_deg",
    ),
    Action.LOOK_UP: Rule(
        ("pitch_rise_deg",), ("pitch_dip_deg", "yaw_range_deg", "roll_range_deg"), "pitch_rise_deg",
        still=("mouth_speed",),
    ),
    Action.SMILE: Rule(
        ("mouth_widening", "corner_lift", "mouth_wide_s"),
        (*_HEAD, "mouth_speed"),  # a smile may show teeth
        "mouth_widening",
    ),
    Action.SURPRISE: Rule(
        ("mouth_opening", "brow_raise_open", "mouth_open_s"),
        ("mouth_widening", "mouth_speed"),
        "mouth_opening",
    ),
    Action.EMBARRASSMENT: Rule(
        ("pitch_fall_deg", "yaw_range_deg", "gaze_down", "mouth_widening"),
        ("yaw_both_deg", "roll_range_deg"),
        "yaw_range_deg",
        still=("mouth_opening", "mouth_speed"),
    ),
}  # fmt: skip
"""The rule of each action. A head action is one in which the head moves more about its own axis
than about the others; a facial action leaves the head free, unless another action would pass."""

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
