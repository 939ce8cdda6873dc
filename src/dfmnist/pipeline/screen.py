"""Ask the liveness detectors (paper, section 3.2): both for four actions, one for the rest."""

from fractions import Fraction
from functools import cache

from dfmnist.core.actions import DETECTED_BY_BOTH, Action
from dfmnist.core.arrays import Frames
from dfmnist.liveness.action import ActionDetector
from dfmnist.liveness.base import LivenessDetector, Verdict
from dfmnist.liveness.universal import UniversalDetector


@cache
def detectors() -> tuple[LivenessDetector, LivenessDetector]:
    """The action-specific and the universal detector of this process."""
    return ActionDetector(), UniversalDetector()


def screen(frames_rgb_u8: Frames, fps: Fraction, action: Action) -> tuple[Verdict, ...]:
    """Verdicts of the detectors that guard `action`; every one is asked and recorded."""
    by_action, universal = detectors()
    asked = (by_action, universal) if action in DETECTED_BY_BOTH else (universal,)
    return tuple(detector(frames_rgb_u8, fps, action) for detector in asked)
