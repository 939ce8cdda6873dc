"""Screening by the liveness detectors: both are asked, and a rule says which of them decide."""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

from dfmnist.core.actions import DETECTED_BY_BOTH, Action
from dfmnist.core.arrays import Frames
from dfmnist.core.choices import ScreenRule
from dfmnist.liveness.action import ActionDetector
from dfmnist.liveness.base import LivenessDetector, Verdict
from dfmnist.liveness.thresholds import read_thresholds
from dfmnist.liveness.universal import UniversalDetector


@cache
def detectors(thresholds: Path | None = None) -> tuple[LivenessDetector, LivenessDetector]:
    """Load the action-specific and the universal detector once per process.

    `thresholds` is a file of `dfmnist liveness fit`; None means the shipped ones.
    """
    bounds = None if thresholds is None else read_thresholds(thresholds)
    return ActionDetector(bounds), UniversalDetector(bounds)


def screen(
    frames_rgb_u8: Frames, fps: Fraction, action: Action, thresholds: Path | None = None
) -> tuple[Verdict, ...]:
    """Verdicts of both liveness detectors on frames (n, h, w, 3) of a clip that shows `action`.

    They judge one set of face meshes. Talking is no action that can be requested, so that the
    universal detector alone is asked about it.
    """
    by_action, universal = detectors(thresholds)
    asked = (universal,) if action is Action.TALK else (by_action, universal)
    return tuple(detector(frames_rgb_u8, fps, action) for detector in asked)


def driver_refusal(
    frames_rgb_u8: Frames,
    fps: Fraction,
    action: Action,
    rule: ScreenRule,
    thresholds: Path | None = None,
) -> str:
    """The reason for which no animation by this driver could pass; empty if one could.

    The frames (n, h, w, 3) are the driver's. The action detector alone is asked, and where it
    decides nothing, nobody is: a driver lends movement, not a face.
    """
    by_action, _ = detectors(thresholds)
    verdict = by_action(frames_rgb_u8, fps, action)
    refused = refusal([verdict], action, rule)
    return f"the driver does not pass as {action.value}: {refused}" if refused else ""


def refusal(verdicts: Sequence[Verdict], action: Action, rule: ScreenRule) -> str:
    """The reasons for which a clip of `action` is not accepted; empty if it is.

    With the rule `all` every verdict must be live. With `paper` the action detector's counts for
    `DETECTED_BY_BOTH` alone (section 3.2); for the other actions it is recorded and decides
    nothing.
    """
    universal_alone = rule == "paper" and action not in DETECTED_BY_BOTH
    deciding = [v for v in verdicts if not (universal_alone and v.detector == ActionDetector.name)]
    return "; ".join(v.reason for v in deciding if not v.live)
