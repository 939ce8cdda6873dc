"""What a liveness detector is asked, and what it answers."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames


@dataclass(frozen=True)
class Verdict:
    """One detector's answer for one clip."""

    detector: str
    live: bool
    score: float
    """0 to 1; at least 0.5 is live."""
    reason: str
    """Why not live, in one line; empty when live."""


class LivenessDetector(Protocol):
    """Anything that judges a clip: local, or a service that the user may test."""

    name: str

    def __call__(self, frames_rgb_u8: Frames, fps: Fraction, action: Action) -> Verdict:
        """Judge (n, 256, 256, 3) frames in which `action` was asked for."""
        ...
