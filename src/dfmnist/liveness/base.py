"""The interface of liveness detectors and their verdict."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames


@dataclass(frozen=True)
class Verdict:
    """One liveness detector's verdict on one clip."""

    detector: str
    """Name of the detector."""
    live: bool
    score: float
    """The score, 0 to 1; 0.5 or more means live."""
    reason: str
    """The reason why the clip is not live, in one line; empty if it is live."""


class LivenessDetector(Protocol):
    """A liveness detector: local, or a service that the user may test."""

    name: str
    """Name of the detector in verdicts and manifests."""

    def __call__(self, frames_rgb_u8: Frames, fps: Fraction, action: Action) -> Verdict:
        """The verdict on frames (n, 256, 256, 3) of a clip that should show `action`."""
        ...
