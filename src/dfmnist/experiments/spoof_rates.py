"""Spoof rates: how many animated clips of each action passed the liveness detectors."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from dfmnist.core.actions import TEN, Action
from dfmnist.dataset.manifest import Clip, Rejected
from dfmnist.stats.intervals import Estimate, wilson


@dataclass(frozen=True)
class SpoofRate:
    """How many animated clips of an action passed every liveness detector that screens it."""

    action: Action
    accepted: int
    attempts: int
    """Number of clips that were generated and screened, accepted or not."""
    by_detector: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Detector → (passed, asked)."""

    @property
    def estimate(self) -> Estimate | None:
        """The rate with its Wilson interval; None without attempts."""
        return wilson(self.accepted, self.attempts)


def spoof_rates(accepted: Iterable[Clip], rejected: Iterable[Rejected]) -> list[SpoofRate]:
    """Figure 2's numbers, from the fakes in the manifest and those that were rejected.

    A clip counts once, whatever number of qualities it has. An attempt that no detector saw (no
    face was found in it) counts as one that did not pass. Imported clips were not screened and are
    not counted.
    """
    built = [clip for clip in accepted if clip.origin == "built"]
    clips = {clip.clip_id: clip for clip in built if clip.label == "fake"}
    away = [r for r in rejected if r.label == "fake"]
    rates = []
    for action in TEN:
        kept = [c.screening for c in clips.values() if c.action is action]
        lost = [r.screening for r in away if r.action is action]
        by_detector: dict[str, tuple[int, int]] = {}
        for word in (word for screening in (*kept, *lost) for word in screening):
            passed, asked = by_detector.get(word.detector, (0, 0))
            by_detector[word.detector] = (passed + word.live, asked + 1)
        rates.append(SpoofRate(action, len(kept), len(kept) + len(lost), by_detector))
    return rates
