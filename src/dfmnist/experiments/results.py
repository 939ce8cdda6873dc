"""What a dataset and its runs yield, as small records that tables, charts and the page share."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import sqrt

from dfmnist.core.actions import TEN, Action
from dfmnist.dataset.manifest import Clip, Rejected

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A fraction with its 95% interval."""

    value: float
    low: float
    high: float
    n: int
    """What was counted: frames, clips or attempts."""
    groups: int = 0
    """Identities over which the bootstrap resampled; 0 for a Wilson interval."""


def wilson(passed: int, n: int) -> Estimate | None:
    """`passed` of `n` with the Wilson score interval; None when nothing was tried."""
    if n == 0:
        return None
    share, z2 = passed / n, Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if passed == 0 else max(0.0, centre - half)
    high = 1.0 if passed == n else min(1.0, centre + half)
    return Estimate(share, low, high, n)


@dataclass(frozen=True)
class SpoofRate:
    """How many animated clips of an action passed every detector that guards it."""

    action: Action
    accepted: int
    attempts: int
    """All that were generated and judged, accepted or not."""
    by_detector: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Detector → (passed, asked)."""

    @property
    def estimate(self) -> Estimate | None:
        """The rate with its Wilson interval."""
        return wilson(self.accepted, self.attempts)


def spoof_rates(accepted: Iterable[Clip], rejected: Iterable[Rejected]) -> list[SpoofRate]:
    """Figure 2's numbers, from the fakes in the manifest and those that were turned away.

    A clip counts once, whatever number of qualities it has. An attempt that no detector saw (no
    face was found in it) counts as one that did not pass.
    """
    clips = {clip.clip_id: clip for clip in accepted if clip.label == "fake"}
    turned_away = [r for r in rejected if r.label == "fake"]
    rates = []
    for action in TEN:
        kept = [c.screening for c in clips.values() if c.action is action]
        lost = [r.screening for r in turned_away if r.action is action]
        by_detector: dict[str, tuple[int, int]] = {}
        for word in (word for screening in (*kept, *lost) for word in screening):
            passed, asked = by_detector.get(word.detector, (0, 0))
            by_detector[word.detector] = (passed + word.live, asked + 1)
        rates.append(SpoofRate(action, len(kept), len(kept) + len(lost), by_detector))
    return rates


@dataclass(frozen=True)
class Curve:
    """A run's training, an entry per epoch."""

    title: str
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    """On the validation split."""
