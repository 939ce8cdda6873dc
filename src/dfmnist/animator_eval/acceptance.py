"""The bar that the shipped motion model is held to, and what was reached of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dfmnist.animator_eval.records import ANIMATED, STILL, TRUE, Transfer
from dfmnist.core.actions import TEN, Action

MOVING = (
    Action.YAW,
    Action.NOD,
    Action.RIGHT_SLOPE,
    Action.LEFT_SLOPE,
    Action.LOOK_UP,
    Action.OPEN_MOUTH,
    Action.SURPRISE,
)
ABOVE_STILL_DB = 2.0
"""PSNR on moving pixels, above no motion's."""
RECOGNISED = 0.8
"""Share of an action's animated clips that the action-specific detector must accept."""
BLINK_FALL = 0.4
"""Eyes close when their aspect ratio falls by this share of its value at the start.

The ratio is that of the lids found by the iris model, as the screening measures it. The mesh alone
sees a shut eye about half open; it is reported beside.
"""
BLINK_BACK = 0.8
"""Eyes open again when the ratio comes back to this share of its start."""


@dataclass(frozen=True)
class Point:
    """One point of the bar."""

    wanted: str
    reached: bool
    found: str
    """The numbers."""


def bar(clips: Sequence[Transfer]) -> list[Point]:
    """Every point, reached or not; without a clip that tells, a point is not reached."""
    of = {action: [clip for clip in clips if clip.action is action] for action in TEN}
    points = [_above_still(action, of[action]) for action in MOVING]
    points += _eyes(of[Action.BLINK])
    return points + [_recognised(action, of[action]) for action in TEN]


def share_text(flags: Sequence[bool]) -> str:
    """`3 of 4 (75%)`, or `no clip`."""
    if not flags:
        return "no clip"
    return f"{sum(flags)} of {len(flags)} ({sum(flags) / len(flags):.0%})"


def blinks(clips: Sequence[Transfer], *, mesh_alone: bool = False) -> list[bool]:
    """Whether each clip closes its eyes, of those whose driver does so in the same measure."""
    name = "mesh_fall" if mesh_alone else "fall"
    return [
        getattr(clip.eyes, name) >= BLINK_FALL
        for clip in clips
        if getattr(clip.driver_eyes, name) >= BLINK_FALL
    ]


def _above_still(action: Action, clips: Sequence[Transfer]) -> Point:
    wanted = f"{action.value}: {ABOVE_STILL_DB:.0f} dB above no motion on moving pixels"
    pairs = [(c.fits[ANIMATED].psnr_moving, c.fits[STILL].psnr_moving) for c in clips]
    known = np.array([pair for pair in pairs if np.isfinite(pair).all()])
    if not known.size:
        return Point(wanted, False, "no clip")
    made, still = known.mean(axis=0).tolist()
    found = f"{made:.2f} dB, no motion {still:.2f}: {made - still:+.2f}"
    return Point(wanted, made - still >= ABOVE_STILL_DB, found)


def _eyes(clips: Sequence[Transfer]) -> list[Point]:
    closes = blinks(clips)
    opens = [
        clip.eyes.fall >= BLINK_FALL and clip.eyes.back >= BLINK_BACK
        for clip in clips
        if clip.driver_eyes.fall >= BLINK_FALL and clip.driver_eyes.back >= BLINK_BACK
    ]
    return [
        Point("blink: eyes close in every clip", bool(closes) and all(closes), share_text(closes)),
        Point("blink: and open again in every clip", bool(opens) and all(opens), share_text(opens)),
    ]


def _recognised(action: Action, clips: Sequence[Transfer]) -> Point:
    wanted = f"{action.value}: recognised in {RECOGNISED:.0%} of animated clips"
    made = [clip.screening[ANIMATED]["action"].live for clip in clips]
    true = [clip.screening[TRUE]["action"].live for clip in clips]
    found = f"{share_text(made)}; true clips {share_text(true)}"
    return Point(wanted, bool(made) and sum(made) / len(made) >= RECOGNISED, found)
