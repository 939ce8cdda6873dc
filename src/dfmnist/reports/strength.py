"""How strong the liveness detectors are that screened a dataset: their rates on simple attacks.

A spoof rate says little without it: a weak filter lets every animation pass. The rates are those of
`dfmnist liveness evaluate` on the dataset where they were measured, else those that are shipped.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dfmnist.core.choices import ATTACK_TITLES, Attack
from dfmnist.core.files import read_json, read_json_object
from dfmnist.core.text import percent
from dfmnist.experiments.results import LIVENESS, ResultTable
from dfmnist.liveness.base import EVERY
from dfmnist.liveness.thresholds import SHIPPED_RATES
from dfmnist.reports.results_view import StoredResult
from dfmnist.reports.text import span
from dfmnist.stats.intervals import Estimate, Rate, wilson

SIMPLE = tuple(title for kind, title in ATTACK_TITLES.items() if kind is not Attack.ANIMATION)
"""Titles of the attacks that need no motion model."""
BONA_FIDE = "bona fide"
"""Key of the real clips in the shipped rates."""


def filter_strength(liveness: Sequence[StoredResult], root: Path) -> tuple[str, ...]:
    """Sentences on the detectors' errors: of this dataset's evaluation, else the shipped ones.

    `liveness` are results of `dfmnist liveness evaluate`, `root` is the dataset's folder.
    """
    for stored in liveness:
        if stored.table.name == LIVENESS[0] and (said := _measured(stored.table)):
            return said
    return _shipped(root)


def _measured(table: ResultTable) -> tuple[str, ...]:
    """What an evaluation of this dataset says; nothing if it has no simple attack."""
    row = next((r for r in table.rows if r.key.startswith(f"{EVERY}, ")), None)
    row = row or next(iter(table.rows), None)
    if row is None:
        return ()
    parts, rejected = [], ""
    for cell in table.cells:
        if cell.row != row.key or cell.value is None:
            continue
        found = Estimate(
            cell.value, cell.low or 0.0, cell.high or 0.0, cell.n or 0, cell.groups or 0
        )
        attack = cell.column.removeprefix("APCER ")
        if attack in SIMPLE:
            parts.append(f"{attack.lower()} {_rate(found)}")
        elif cell.column == "BPCER":
            rejected = f" They rejected {_rate(found)} of the real clips."
    if not parts:
        return ()
    return (
        f"How strong this filter is was measured on attacks that need no motion model ({row.title}"
        f"; share accepted, 95% interval over people): {'; '.join(parts)}.{rejected}",
    )


def _shipped(root: Path) -> tuple[str, ...]:
    """What the package's own benchmark says, if the dataset was screened with its thresholds."""
    rates = read_json(SHIPPED_RATES)
    used = _thresholds_of(root)
    if used not in (None, rates["thresholds"]):
        return (
            "How strong this filter is was not measured: the dataset was screened with other "
            "thresholds than those that are shipped. `dfmnist liveness evaluate` measures them.",
        )
    begin = "How strong this filter is was measured"
    if used is None:
        begin = "Which filter this was is not recorded; how strong the shipped one is was measured"
    both = rates["both_detectors"]
    kinds = [kind for kind in both if kind != BONA_FIDE]
    shown = "; ".join(f"{kind} {_rate(_wilson(both[kind]))}" for kind in kinds)
    return (
        f"{begin} on {len(rates['identities'])} other synthetic "
        "actors, with attacks that need no motion model (docs/SCREENING.md; share that both "
        f"detectors accepted, 95% interval): {shown}. They rejected "
        f"{_rate(_wilson(both[BONA_FIDE]))} of these actors' own clips.",
    )


def _thresholds_of(root: Path) -> str | None:
    """The hash of the thresholds that a build used; None where no build is recorded.

    Empty for a build of an older version: its thresholds were others.
    """
    path = root / "build.json"
    return str(read_json_object(path).get("thresholds", "")) if path.is_file() else None


def _wilson(errors: Mapping[str, Any]) -> Estimate:
    rate = Rate(**errors["errors"])
    found = wilson(rate.count, rate.n)
    assert found is not None
    return found


def _rate(found: Estimate) -> str:
    return f"{percent(found.value)} ({span(found)})"
