"""The action-specific liveness detector: does a clip show the requested action?

An action has measures that must reach a bound, and measures of other movements that must stay
below one, most of them in units of the action's own extent. Which measures these are is written
here by hand, and so are the multiples that define an action of the head (`DOMINANT`, `LEVEL`,
`ONE_WAY`, `HALF`); all other bounds are fitted (`calibrate.py`).
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames
from dfmnist.faces.pose import Signals, signals
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.measures import TITLES
from dfmnist.liveness.movement import movement
from dfmnist.liveness.thresholds import (
    MIN_SEEN,
    Bound,
    BoundKind,
    Thresholds,
    check_bounds,
    shipped_thresholds,
)
from dfmnist.liveness.tracking import track

DOMINANT = 1.0
"""Largest range of the head's movement about another axis, relative to the movement asked for: a
definition of an action of the head, not fitted. Recorded people reach 0.9."""
LEVEL = 2 / 3
"""The same for the nodding of a head that turns to both sides: whoever looks down as they turn away
is embarrassed. Recorded people reach 0.53."""
ONE_WAY = 1.5
"""The same for a movement in one direction, such as a tilt, which is less than its range."""
HALF = 0.5
"""Largest movement back or to the other side, relative to the movement asked for: a definition of
movement to one side, not fitted."""


@dataclass(frozen=True)
class Rule:
    """What a clip must show to count as an action; measures are named as in `Movement`."""

    reach: tuple[str, ...]
    """Measures that must reach a bound."""
    beside: tuple[str, ...] = ()
    """Measures of other movements that must stay below a multiple of `own`."""
    own: str = ""
    """Measure of the action's own extent."""
    still: tuple[str, ...] = ()
    """Measures that must stay below a bound of their own."""
    defined: tuple[tuple[str, float], ...] = ()
    """Measures of the head that must stay below a fixed multiple of `own`, and that multiple."""

    @property
    def fixed(self) -> tuple[Bound, ...]:
        """The bounds that are part of the definition."""
        return tuple(Bound(name, "most", limit, self.own) for name, limit in self.defined)

    @property
    def fitted(self) -> tuple[tuple[str, BoundKind, str], ...]:
        """Measure, side, and measure in units of which it is bounded, of each fitted bound."""
        return (
            *((name, "least", "") for name in self.reach),
            *((name, "most", self.own) for name in self.beside),
            *((name, "most", "") for name in self.still),
        )


def _slope(side: str, other: str) -> Rule:
    own = f"roll_{side}_deg"
    across = (("yaw_range_deg", ONE_WAY), ("pitch_range_deg", ONE_WAY))
    return Rule((own,), own=own, defined=((f"roll_{other}_deg", HALF), *across))


RULES: dict[Action, Rule] = {
    Action.BLINK: Rule(
        ("eye_closure",),
        still=("mouth_opening", "mouth_widening"),
    ),
    Action.OPEN_MOUTH: Rule(
        ("mouth_opening", "mouth_open_s"), ("mouth_widening", "mouth_speed"), "mouth_opening"
    ),
    Action.YAW: Rule(
        ("yaw_both_deg",),
        own="yaw_range_deg",
        defined=(("pitch_range_deg", LEVEL), ("roll_range_deg", DOMINANT)),
    ),
    Action.NOD: Rule(
        ("pitch_dip_deg",),
        own="pitch_dip_deg",
        still=("gaze_down_wide", "mouth_speed"),
        defined=(("yaw_range_deg", DOMINANT), ("roll_range_deg", ONE_WAY)),
    ),
    Action.RIGHT_SLOPE: _slope("right", "left"),
    Action.LEFT_SLOPE: _slope("left", "right"),
    Action.LOOK_UP: Rule(
        ("pitch_rise_deg",),
        own="pitch_rise_deg",
        still=("mouth_speed",),
        defined=(
            ("pitch_dip_deg", HALF), ("yaw_range_deg", ONE_WAY), ("roll_range_deg", ONE_WAY),
        ),
    ),
    Action.SMILE: Rule(("smile",), ("mouth_speed",), "mouth_widening"),
    Action.SURPRISE: Rule(
        ("mouth_opening", "raise_open", "mouth_open_s"),
        ("mouth_widening", "mouth_speed"),
        "mouth_opening",
    ),
    Action.EMBARRASSMENT: Rule(
        ("embarrassed", "lowered_aside_deg"),
        own="lowered_aside_deg",
        still=("mouth_opening", "mouth_speed"),
        defined=(("yaw_both_deg", ONE_WAY), ("pitch_rise_deg", 2 * ONE_WAY)),
    ),
}  # fmt: skip
"""The rule of each action. Facial actions leave the head free."""

CONTAINS: dict[Action, frozenset[Action]] = {
    Action.SURPRISE: frozenset({Action.OPEN_MOUTH}),  # a surprised mouth falls open
    Action.EMBARRASSMENT: frozenset({Action.SMILE}),  # with a held-back smile
}
"""The actions that an action contains: accepting it where one of them is requested is no error.
What a person does beside the action by chance, such as a natural blink, is known for each clip of
actors (`performance.done_beside`)."""


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
