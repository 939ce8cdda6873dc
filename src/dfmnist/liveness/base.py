"""The interface of liveness detectors and their verdict."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames

EVERY = "every detector"
"""Name in tables for all detectors together: a clip passes if each that is asked accepts it."""


@dataclass(frozen=True)
class Verdict:
    """One liveness detector's verdict on one clip."""

    detector: str
    """Name of the detector."""
    live: bool
    """Whether the detector takes the clip for a live person; False for a clip not assessed."""
    score: float
    """The score, higher for live. The local detectors give 0 to 1, and 0.5 or more means live; a
    service has its own scale. 0 for a clip not assessed."""
    reason: str
    """The reason why the clip is not live or not assessed, in one line; empty if it is live."""
    assessed: bool = True
    """False for a non-response: the detector could not judge the clip, and `reason` says why. It
    is neither an acceptance nor a rejection (ISO/IEC 30107-3: APNRR and BPNRR)."""

    @classmethod
    def not_assessed(cls, detector: str, reason: str) -> "Verdict":
        """The verdict of a detector that could not judge a clip, for the one-line `reason`."""
        return cls(detector, False, 0.0, " ".join(reason.split()), assessed=False)

    @property
    def word(self) -> str:
        """The verdict in words: `live`, `not live` or `not assessed`."""
        if not self.assessed:
            return "not assessed"
        return "live" if self.live else "not live"


class LivenessDetector(Protocol):
    """A liveness detector: local, or a service that the user may test."""

    name: str
    """Name of the detector in verdicts and manifests."""

    def __call__(self, frames_rgb_u8: Frames, fps: Fraction, action: Action) -> Verdict:
        """The verdict on frames (n, 256, 256, 3) of a clip that should show `action`."""
        ...
