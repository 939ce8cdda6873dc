"""What a dataset holds, counted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dfmnist.core.actions import Action
from dfmnist.core.choices import SPLITS, Quality
from dfmnist.dataset.manifest import Manifest, Rejected, acceptance
from dfmnist.stats.intervals import Rate


@dataclass(frozen=True)
class Summary:
    """Counts of a dataset. A clip is counted once, whatever its qualities, but for `by_quality`."""

    clips: int
    files: int
    real: int
    fake: int
    identities: int
    """People seen."""
    drivers: int
    hours: float
    """Of distinct clips."""
    bytes: int
    """Of the files that are there."""
    by_action: dict[str, dict[str, int]]
    """action → label → clips."""
    by_split: dict[str, dict[str, int]]
    """split → label → clips, and `identities`."""
    by_quality: dict[str, dict[str, int]]
    """quality → label → files."""
    fake_attempts: dict[Action, Rate]
    """Accepted by the screening, of all attempts."""
    real_attempts: dict[Action, Rate]


def summarise(manifest: Manifest, rejected: Sequence[Rejected] = ()) -> Summary:
    """Count the clips of `manifest` and, for the spoof rate, the `rejected` attempts."""
    distinct = list({clip.clip_id: clip for clip in manifest.clips}.values())
    people = {split: len({c.source_id for c in distinct if c.split == split}) for split in SPLITS}
    by_split = _table(((c.split, c.label) for c in distinct), SPLITS)
    files = [manifest.path(clip) for clip in manifest.clips]
    return Summary(
        clips=len(distinct),
        files=len(manifest.clips),
        real=sum(clip.label == "real" for clip in distinct),
        fake=sum(clip.label == "fake" for clip in distinct),
        identities=len(manifest.identities),
        drivers=len({clip.driver_id for clip in distinct if clip.driver_id}),
        hours=sum(clip.duration_s for clip in distinct) / 3600,
        bytes=sum(file.stat().st_size for file in files if file.exists()),
        by_action=_table(((c.action.value, c.label) for c in distinct), Action),
        by_split={
            s: by_split.get(s, {"real": 0, "fake": 0}) | {"identities": n}
            for s, n in people.items()
        },
        by_quality=_table(((c.quality.value, c.label) for c in manifest.clips), Quality),
        fake_attempts=acceptance(manifest.clips, rejected, "fake"),
        real_attempts=acceptance(manifest.clips, rejected, "real"),
    )


def _table(pairs: Iterable[tuple[str, str]], rows: Iterable[str]) -> dict[str, dict[str, int]]:
    """row → label → how many, for the `rows` that occur, in their order."""
    counts = Counter(pairs)
    table = {row: {label: counts[row, label] for label in ("real", "fake")} for row in rows}
    return {row: cells for row, cells in table.items() if any(cells.values())}
