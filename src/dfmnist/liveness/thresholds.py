"""Bounds on named measures, how a clip is judged by them, and the file that they are shipped in."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, sha256_file, write_json
from dfmnist.liveness.measures import TITLES

SHIPPED = Path(__file__).with_name("thresholds.json")
"""The file of thresholds that is part of the package."""
SHIPPED_RATES = Path(__file__).with_name("error_rates.json")
"""The error rates of the shipped thresholds on held-out actors (`benchmark.py`): part of the
package."""
MIN_SEEN = 0.9
"""Smallest share of the frames in which the face must be found."""
BoundKind = Literal["least", "most"]
"""The side of a bound: a measure must be at least, or at most, the limit."""


@dataclass(frozen=True)
class Bound:
    """A bound on one measure of a clip."""

    measure: str
    kind: BoundKind
    limit: float
    per: str = ""
    """Measure of the action's own extent, in units of which `measure` is bounded; empty: none."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(BoundKind):
            raise InputError(f"bound on {self.measure}: kind '{self.kind}'; expected least or most")

    def value(self, values: Mapping[str, float]) -> float:
        """What is bounded, of the measures `values`: one of them, or its ratio to another."""
        return values[self.measure] / (max(values[self.per], 1e-6) if self.per else 1.0)

    def title(self, titles: Mapping[str, str]) -> str:
        """The words for what is bounded, from those for the measures."""
        if not self.per:
            return titles[self.measure]
        return f"{titles[self.measure]}, relative to: {titles[self.per]}"

    def margin(self, value: float) -> float:
        """How far `value` is inside the bound: 1 on the limit, more inside, 0 to 1 outside."""
        tiny = 1e-6
        if self.kind == "least":
            return max(value, 0.0) / max(self.limit, tiny)
        return max(self.limit, tiny) / max(value, tiny)


def check_bounds(
    bounds: Sequence[Bound], values: Mapping[str, float], titles: Mapping[str, str]
) -> tuple[float, str]:
    """The score of a clip with these `values`, and the reason if it is outside a bound.

    The score is m / (1 + m) for the smallest margin m. The reason names the bound of that margin
    with its measure's title; it is empty for a score of 0.5 or more.
    """
    worst = min(bounds, key=lambda bound: bound.margin(bound.value(values)))
    margin = worst.margin(worst.value(values))
    score = margin / (1 + margin)
    if margin >= 1:
        return score, ""
    asked = f"at {worst.kind} {worst.limit:.3g}"
    return score, f"{worst.title(titles)}: {worst.value(values):.3g}, expected {asked}"


@dataclass(frozen=True)
class Thresholds:
    """The bounds of both liveness detectors and how they were fitted."""

    actions: Mapping[str, tuple[Bound, ...]]
    """The action detector's bounds, by the name of the action."""
    universal: tuple[Bound, ...]
    """The universal detector's bounds."""
    provenance: Mapping[str, Any]
    """Seeds, numbers of clips and date of the fit."""


def read_thresholds(path: Path) -> Thresholds:
    """The thresholds in the file `path`, as `write_thresholds` writes it.

    Raises `InputError`, also for bounds on movements that this version does not measure.
    """
    data = read_json(path)
    try:
        found = Thresholds(
            actions={name: _bounds(rows) for name, rows in data["actions"].items()},
            universal=_bounds(data["universal"]),
            provenance=data["provenance"],
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError.of(
            path, f"not a thresholds file ({error!r})", "one that was fitted"
        ) from None
    named = {n for bounds in found.actions.values() for b in bounds for n in (b.measure, b.per)}
    if unknown := sorted(named - {"", *TITLES}):
        raise InputError.of(
            path,
            f"bounds '{unknown[0]}', which this version does not measure",
            "a file that its `dfmnist liveness fit` wrote",
        )
    return found


def write_thresholds(thresholds: Thresholds, path: Path) -> None:
    """Write the thresholds as JSON, completely or not at all."""

    def rows(bounds: Sequence[Bound]) -> list[dict[str, Any]]:
        return [
            {"measure": b.measure, **({"per": b.per} if b.per else {}), b.kind: b.limit}
            for b in bounds
        ]

    content = {
        "actions": {name: rows(bounds) for name, bounds in thresholds.actions.items()},
        "universal": rows(thresholds.universal),
        "provenance": dict(thresholds.provenance),
    }
    write_json(path, content)


def thresholds_id(path: Path | None = None) -> str:
    """The start of the SHA-256 of a thresholds file; None means the shipped one.

    Raises `InputError` for a file that `read_thresholds` does not read.
    """
    read_thresholds(path or SHIPPED)
    return sha256_file(path or SHIPPED)[:16]


@functools.lru_cache(maxsize=1)
def shipped_thresholds() -> Thresholds:
    """The thresholds that are part of the package."""
    return read_thresholds(SHIPPED)


def _bounds(rows: Sequence[Mapping[str, Any]]) -> tuple[Bound, ...]:
    return tuple(
        Bound(row["measure"], kind, float(row[kind]), row.get("per", ""))
        for row in rows
        for kind in get_args(BoundKind)
        if kind in row
    )
