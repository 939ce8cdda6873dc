"""Acceptance criteria of the shipped motion model, and which of them an evaluation meets."""

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
"""Actions whose animated clips must beat no motion on the moving pixels."""
ABOVE_STILL_DB = 2.0
"""Required gain in PSNR on moving pixels over no motion, in dB."""
RECOGNISED = 0.8
"""Share of an action's animated clips that the action-specific detector must accept."""
BLINK_FALL = 0.4
"""Eyes count as closed when their aspect ratio falls by this share of its value at the start.

The ratio is that of the lids found by the iris model, as in the screening. The face mesh alone
sees a closed eye as half open; its measure is reported for comparison.
"""
BLINK_REOPENING = 0.8
"""Eyes count as open again when their aspect ratio reaches this share of its value at the start."""


@dataclass(frozen=True)
class Criterion:
    """One acceptance criterion and what was measured for it."""

    required: str
    """Text that says what is required."""
    met: bool
    measured: str
    """Text with the measured numbers."""


def acceptance_criteria(clips: Sequence[Transfer]) -> list[Criterion]:
    """All 19 acceptance criteria, checked on `clips`; one that no clip can answer is not met."""
    by_action = {action: [clip for clip in clips if clip.action is action] for action in TEN}
    criteria = [_above_still(action, by_action[action]) for action in MOVING]
    criteria += _eyes(by_action[Action.BLINK])
    return criteria + [_recognised(action, by_action[action]) for action in TEN]


def share_text(flags: Sequence[bool]) -> str:
    """Share of true flags as text: `3 of 4 (75%)`, or `no clip` without any."""
    if not flags:
        return "no clip"
    return f"{sum(flags)} of {len(flags)} ({sum(flags) / len(flags):.0%})"


def blinks(clips: Sequence[Transfer], *, mesh_alone: bool = False) -> list[bool]:
    """Whether the eyes close in each clip whose driver closes them by the same measure.

    `mesh_alone` takes the face mesh's lids instead of the iris model's.
    """
    name = "mesh_fall" if mesh_alone else "fall"
    return [
        getattr(clip.eyes, name) >= BLINK_FALL
        for clip in clips
        if getattr(clip.driver_eyes, name) >= BLINK_FALL
    ]


def _above_still(action: Action, clips: Sequence[Transfer]) -> Criterion:
    required = f"{action.value}: {ABOVE_STILL_DB:.0f} dB above no motion on moving pixels"
    pairs = [(c.fits[ANIMATED].psnr_moving, c.fits[STILL].psnr_moving) for c in clips]
    known = np.array([pair for pair in pairs if np.isfinite(pair).all()])
    if not known.size:
        return Criterion(required, False, "no clip")
    made, still = known.mean(axis=0).tolist()
    measured = f"{made:.2f} dB, no motion {still:.2f}: {made - still:+.2f}"
    return Criterion(required, made - still >= ABOVE_STILL_DB, measured)


def _eyes(clips: Sequence[Transfer]) -> list[Criterion]:
    closes = blinks(clips)
    opens = [
        clip.eyes.fall >= BLINK_FALL and clip.eyes.reopening >= BLINK_REOPENING
        for clip in clips
        if clip.driver_eyes.fall >= BLINK_FALL and clip.driver_eyes.reopening >= BLINK_REOPENING
    ]
    return [
        Criterion(text, bool(flags) and all(flags), share_text(flags))
        for text, flags in (
            ("blink: eyes close in every clip", closes),
            ("blink: and open again in every clip", opens),
        )
    ]


def _recognised(action: Action, clips: Sequence[Transfer]) -> Criterion:
    required = f"{action.value}: recognised in {RECOGNISED:.0%} of animated clips"
    made = [clip.screening[ANIMATED]["action"].live for clip in clips]
    true = [clip.screening[TRUE]["action"].live for clip in clips]
    measured = f"{share_text(made)}; true clips {share_text(true)}"
    return Criterion(required, bool(made) and sum(made) / len(made) >= RECOGNISED, measured)
