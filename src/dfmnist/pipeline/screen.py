"""Screening by the liveness detectors (paper, section 3.2): both or one, by the action."""

from fractions import Fraction
from functools import cache

from dfmnist.core.actions import DETECTED_BY_BOTH, Action
from dfmnist.core.arrays import Frames
from dfmnist.liveness.action import ActionDetector
from dfmnist.liveness.base import LivenessDetector, Verdict
from dfmnist.liveness.universal import UniversalDetector


@cache
def detectors() -> tuple[LivenessDetector, LivenessDetector]:
    """Load the action-specific and the universal detector once per process."""
    return ActionDetector(), UniversalDetector()


def screen(frames_rgb_u8: Frames, fps: Fraction, action: Action) -> tuple[Verdict, ...]:
    """Verdicts of all liveness detectors that screen `action` on frames (n, h, w, 3)."""
    by_action, universal = detectors()
    asked = (by_action, universal) if action in DETECTED_BY_BOTH else (universal,)
    return tuple(detector(frames_rgb_u8, fps, action) for detector in asked)
