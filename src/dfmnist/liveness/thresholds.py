"""Bounds on named measures, how a clip is judged by them, and the file they are shipped in."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json

SHIPPED = Path(__file__).with_name("thresholds.json")
MIN_SEEN = 0.9
"""Share of the frames in which the face must be found."""


@dataclass(frozen=True)
class Bound:
    """One measure must be at least, or at most, `limit`."""

    measure: str
    kind: str
    """`least` or `most`."""
    limit: float

    def __post_init__(self) -> None:
        if self.kind not in ("least", "most"):
            raise InputError(f"bound on {self.measure}: kind '{self.kind}'; expected least or most")

    def margin(self, value: float) -> float:
        """1 on the limit, more inside, 0 to 1 outside."""
        tiny = 1e-6
        if self.kind == "least":
            return max(value, 0.0) / max(self.limit, tiny)
        return max(self.limit, tiny) / max(value, tiny)


def judge(
    bounds: Sequence[Bound], values: Mapping[str, float], words: Mapping[str, str]
) -> tuple[float, str]:
    """(score, reason): at least 0.5 and no reason inside all bounds, else the worst bound broken.

    The score is m / (1 + m) for the smallest margin m.
    """
    worst = min(bounds, key=lambda bound: bound.margin(values[bound.measure]))
    margin = worst.margin(values[worst.measure])
    score = margin / (1 + margin)
    if margin >= 1:
        return score, ""
    asked = f"at {worst.kind} {worst.limit:.3g}"
    return score, f"{words[worst.measure]}: {values[worst.measure]:.3g}, expected {asked}"


@dataclass(frozen=True)
class Thresholds:
    """Everything that was fitted, with where it comes from."""

    actions: Mapping[str, tuple[Bound, ...]]
    """By action name."""
    universal: tuple[Bound, ...]
    provenance: Mapping[str, Any]
    """Seeds, numbers of clips and date of the fit."""


def read_thresholds(path: Path) -> Thresholds:
    """Read a file of `write`'s form. Raises `InputError` naming the file."""
    data = read_json(path)
    try:
        return Thresholds(
            actions={name: _bounds(rows) for name, rows in data["actions"].items()},
            universal=_bounds(data["universal"]),
            provenance=data["provenance"],
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError.of(
            path, f"not a thresholds file ({error!r})", "one that was fitted"
        ) from None


def as_json(thresholds: Thresholds) -> dict[str, Any]:
    """What `read_thresholds` reads back."""

    def rows(bounds: Sequence[Bound]) -> list[dict[str, Any]]:
        return [{"measure": b.measure, b.kind: b.limit} for b in bounds]

    return {
        "actions": {name: rows(bounds) for name, bounds in thresholds.actions.items()},
        "universal": rows(thresholds.universal),
        "provenance": dict(thresholds.provenance),
    }


@functools.lru_cache(maxsize=1)
def shipped() -> Thresholds:
    """The thresholds that come with the package."""
    return read_thresholds(SHIPPED)


def _bounds(rows: Sequence[Mapping[str, Any]]) -> tuple[Bound, ...]:
    return tuple(
        Bound(row["measure"], kind, float(row[kind]))
        for row in rows
        for kind in ("least", "most")
        if kind in row
    )
