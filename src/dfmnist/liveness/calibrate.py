"""Fix the detectors' bounds on bona fide clips of actors who serve nothing else.

No attack and no animated clip is looked at here. A bound is never changed afterwards to let more
clips through.
"""

import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from dfmnist.actors.seeds import check_range
from dfmnist.core.actions import TEN, Action
from dfmnist.core.errors import InputError
from dfmnist.core.files import write_json
from dfmnist.liveness import universal
from dfmnist.liveness.action import CONTAINS, RULES
from dfmnist.liveness.examples import BONA_FIDE, Example, bona_fide
from dfmnist.liveness.thresholds import Bound, Thresholds, as_json, judge

MIN_ACTORS = 3
WIDEST = 4.0
"""The search for wrong actions ends here; the bound goes half as far (a factor of at most 2)."""
WRONG_ACCEPTED = 0.01
"""Share of the fitting clips of wrong actions that a widened bound may let in."""
UNIVERSAL_DEVIATIONS = 2.326
"""Where the universal bounds lie: 1% of the clips of the hardest action are beyond each."""


def fit(examples: Sequence[Example], today: date | None = None) -> Thresholds:
    """Bounds of both detectors from bona fide `examples` of the actors of `thresholds`.

    Raises `InputError` for other actors, for attacks, and for too few people.
    """
    _check(examples)
    clips = bona_fide(examples)
    actions, widening = {}, {}
    for action in TEN:
        actions[action.value], widening[action.value] = fit_action(clips, action)
    universal = fit_universal(clips)
    provenance = {
        "identity_seeds": sorted({e.identity for e in examples}),
        "clips": len(clips),
        "clips_without_a_face": len(examples) - len(clips),
        "date": (today or date.today()).isoformat(),
        "widening": widening,
        "accepted_when_fitted": _accepted(clips, actions),
        "universal_bpcer_when_fitted": _universal_bpcer(clips, universal),
    }
    return Thresholds(actions, universal, provenance)


def save(thresholds: Thresholds, path: Path) -> None:
    """Write the thresholds as JSON, whole or not at all."""
    write_json(path, as_json(thresholds))


def fit_action(clips: Sequence[Example], action: Action) -> tuple[tuple[Bound, ...], float]:
    """Bounds that hold every clip of `action`, widened half way (as a factor) to the first wrong
    actions; and the factor."""
    right = [e.moved for e in clips if e.shown is action]
    wrong = [e.moved for e in clips if is_wrong(e.shown, action)]
    if not right or not wrong:
        raise InputError(f"no clips to fit {action.value} on; expected every action performed")
    allowed = WRONG_ACCEPTED * len(wrong)
    factor = 1.0
    for step in range(1, 41):
        wider = WIDEST ** (step / 40)
        bounds = _box(right, action, wider)
        if sum(not judge(bounds, m, _NO_WORDS)[1] for m in wrong) > allowed:
            break
        factor = wider
    factor = math.sqrt(factor)
    return _box(right, action, factor), round(factor, 4)


def fit_universal(clips: Sequence[Example]) -> tuple[Bound, ...]:
    """For each measure the 1% tail of the action that comes nearest to it.

    The tail is that of a log-normal distribution fitted to the action's clips: a quantile of a few
    dozen clips would be too narrow for people who were not filmed.
    """
    bounds = []
    for name, kinds in universal.MEASURES.items():
        for kind in kinds:
            sign = -1 if kind == "least" else 1
            tails = [_tail(values, sign) for values in _by_action(clips, name)]
            limit = min(tails) if kind == "least" else max(tails)
            bounds.append(Bound(name, kind, _round(limit)))
    return tuple(bounds)


def _by_action(clips: Sequence[Example], name: str) -> list[list[float]]:
    return [[e.passive[name] for e in clips if e.shown is action] for action in Action]


def _tail(values: Sequence[float], sign: int) -> float:
    logs = np.log(np.maximum(values, 1e-6))
    return float(np.exp(logs.mean() + sign * UNIVERSAL_DEVIATIONS * logs.std(ddof=1)))


def is_wrong(shown: Action, asked: Action) -> bool:
    """Whether accepting `shown` where `asked` was asked for is an error."""
    return shown is not asked and asked not in CONTAINS.get(shown, frozenset())


_NO_WORDS = {name: name for rules in RULES.values() for side in rules for name in side}


def _box(right: Sequence[dict[str, float]], action: Action, factor: float) -> tuple[Bound, ...]:
    reach, stay = RULES[action]
    lows = [Bound(m, "least", _round(min(r[m] for r in right) / factor)) for m in reach]
    highs = [Bound(m, "most", _round(max(r[m] for r in right) * factor)) for m in stay]
    return (*lows, *highs)


def _round(value: float) -> float:
    """Four significant digits, as shipped."""
    return float(f"{value:.4g}")


def _check(examples: Sequence[Example]) -> None:
    identities = {e.identity for e in examples}
    check_range("thresholds", identities)
    if any(e.kind != BONA_FIDE for e in examples):
        raise InputError("an attack among the clips to fit on; expected bona fide clips alone")
    if len(identities) < MIN_ACTORS:
        raise InputError(f"{len(identities)} actors to fit on; expected at least {MIN_ACTORS}")


def _accepted(clips: Sequence[Example], actions: dict[str, tuple[Bound, ...]]) -> dict[str, Any]:
    counts = {}
    for action in TEN:
        asked = [not judge(actions[action.value], e.moved, _NO_WORDS)[1] for e in clips]
        right = [ok for ok, e in zip(asked, clips, strict=True) if e.shown is action]
        wrong = [ok for ok, e in zip(asked, clips, strict=True) if is_wrong(e.shown, action)]
        counts[action.value] = {
            "asked": f"{sum(right)} of {len(right)}",
            "wrong": f"{sum(wrong)} of {len(wrong)}",
        }
    return counts


def _universal_bpcer(clips: Sequence[Example], bounds: tuple[Bound, ...]) -> str:
    rejected = sum(bool(judge(bounds, e.passive, universal.WORDS)[1]) for e in clips)
    return f"{rejected} of {len(clips)}"
