"""Counts of a dataset's clips, people and attempts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dfmnist.core.actions import Action
from dfmnist.core.choices import SPLITS
from dfmnist.core.errors import InputError
from dfmnist.dataset.headers import header_of
from dfmnist.dataset.manifest import Clip, Manifest, Rejected, acceptance
from dfmnist.dataset.qualities import qualities_of
from dfmnist.stats.intervals import Rate


@dataclass(frozen=True)
class Summary:
    """Counts of a dataset. A clip counts once for all its qualities, except in `by_quality`."""

    clips: int
    files: int
    real: int
    fake: int
    identities: int
    """Number of people seen."""
    drivers: int
    hours: float
    """Length of all distinct clips in hours; a file that cannot be read counts nothing."""
    bytes: int
    """Size of the files that exist."""
    by_action: dict[str, dict[str, int]]
    """Number of clips: action → label → count; clips without an action are not counted."""
    by_split: dict[str, dict[str, int]]
    """Number of clips: split → label → count, and split → `identities` → number of people."""
    by_quality: dict[str, dict[str, int]]
    """Number of files: quality → label → count."""
    fake_attempts: dict[Action, Rate]
    """Fakes accepted by the screening, among all attempts at each action."""
    real_attempts: dict[Action, Rate]
    """Real clips accepted by the screening, among all attempts at each action."""


def summarise(manifest: Manifest, rejected: Sequence[Rejected] = ()) -> Summary:
    """Count the clips of `manifest` and, for the spoof rate, the `rejected` attempts."""
    distinct = list({clip.clip_id: clip for clip in manifest.clips}.values())
    people = {split: len({c.source for c in distinct if c.split == split}) for split in SPLITS}
    by_split = count_labels(((c.split, c.label) for c in distinct), SPLITS)
    files = [manifest.path(clip) for clip in manifest.clips]
    return Summary(
        clips=len(distinct),
        files=len(manifest.clips),
        real=sum(clip.label == "real" for clip in distinct),
        fake=sum(clip.label == "fake" for clip in distinct),
        identities=len(manifest.identities),
        drivers=len({clip.driver for clip in distinct if clip.driver}),
        hours=sum(_duration_s(manifest, clip) for clip in distinct) / 3600,
        bytes=sum(file.stat().st_size for file in files if file.exists()),
        by_action=count_labels(((c.action_name, c.label) for c in distinct), Action),
        by_split={
            s: by_split.get(s, {"real": 0, "fake": 0}) | {"identities": n}
            for s, n in people.items()
        },
        by_quality=count_labels(
            ((c.quality, c.label) for c in manifest.clips), qualities_of(manifest.clips)
        ),
        fake_attempts=acceptance(manifest.clips, rejected, "fake"),
        real_attempts=acceptance(manifest.clips, rejected, "real"),
    )


def _duration_s(manifest: Manifest, clip: Clip) -> float:
    try:
        return header_of(manifest, clip).duration_s
    except InputError:
        return 0.0


def count_labels(
    pairs: Iterable[tuple[str, str]], rows: Iterable[str]
) -> dict[str, dict[str, int]]:
    """Counts row → label → number of (row, label), for the `rows` that occur, in their order."""
    counts = Counter(pairs)
    table = {row: {label: counts[row, label] for label in ("real", "fake")} for row in rows}
    return {row: cells for row, cells in table.items() if any(cells.values())}
