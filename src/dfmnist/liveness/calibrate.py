"""Fitting of the liveness detectors' bounds on bona fide clips of actors used for nothing else.

No attack and no animated clip is used. A bound is never changed afterwards to accept more clips.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from dfmnist.actors.seeds import check_range
from dfmnist.core.actions import TEN, Action
from dfmnist.core.arrays import Floats
from dfmnist.core.errors import InputError
from dfmnist.liveness import universal
from dfmnist.liveness.action import RULES
from dfmnist.liveness.measured_clips import BONA_FIDE, MeasuredClip
from dfmnist.liveness.measures import TITLES
from dfmnist.liveness.thresholds import Bound, BoundKind, Thresholds, check_bounds

MIN_ACTORS = 3
"""Smallest number of actors that bounds are fitted on."""
WIDEST_POSE = 6.25
"""Largest factor that the search for wrong actions tries on bounds of the head's angles and of
times; a bound is widened by no more than its square root, 2.5: recorded people move the head down
to 0.4 times as far as the actors that are fitted on (`actors.performance.EXTENT`)."""
WIDEST_FACE = 2.5
"""The same for all other bounds: the faces of recorded people move at least 0.7 times as far."""
PLACED = 2 / 3
"""Place of a bound between the narrowest one and the widest that is safe, in logarithms: nearer to
the latter, since other people differ from the actors more than they talk like wrong actions."""
STEPS = 40
"""Number of steps of that search."""
WRONG_ACCEPTED = 0.01
"""Share of the fitting clips of wrong actions, and of talking alone, that widened bounds may
accept, unless the narrowest ones accept more."""
LIPS = "mouth_speed"
"""The measure that tells an action from talking: those who talk alone limit its bound."""
OTHER_SIDE: dict[Action, Action] = {
    Action.RIGHT_SLOPE: Action.LEFT_SLOPE,
    Action.LEFT_SLOPE: Action.RIGHT_SLOPE,
}
"""Actions that are mirror images: each is fitted on the clips of both, so that no side has wider
bounds than the other by chance."""
MIRRORED = {"roll_right_deg": "roll_left_deg", "roll_left_deg": "roll_right_deg"}
"""The measures of sides, each with that of the other side."""
UNIVERSAL_DEVIATIONS = 2.326
"""Distance of the universal bounds from the mean in standard deviations: 1% of a normal
distribution lies beyond."""


def fit_thresholds(measured: Sequence[MeasuredClip], today: date | None = None) -> Thresholds:
    """The bounds of both detectors, fitted on bona fide clips of the actors of `thresholds`.

    Raises `InputError` for other actors, for attacks, and for too few actors.
    """
    _check(measured)
    clips = [clip for clip in measured if not clip.problem]
    actions, widening = {}, {}
    for action in TEN:
        actions[action.value], widening[action.value] = fit_action(clips, action)
    of_any_action = fit_universal(clips)
    provenance = {
        "identity_seeds": sorted({clip.identity for clip in measured}),
        "clips": len(clips),
        "clips_without_a_face": len(measured) - len(clips),
        "date": (today or date.today()).isoformat(),
        "widening": widening,
        "accepted_when_fitted": _accepted(clips, actions),
        "universal_bpcer_when_fitted": _universal_bpcer(clips, of_any_action),
    }
    return Thresholds(actions, of_any_action, provenance)


def fit_action(
    clips: Sequence[MeasuredClip], action: Action
) -> tuple[tuple[Bound, ...], list[float]]:
    """The action detector's bounds for `action`, and the factor by which each is widened.

    The narrowest bounds include every clip of `action`. Clips in which the actor does it as well
    (`MeasuredClip.beside`) are neither right nor wrong. They are widened in turn, step by step, for
    as long as they accept few wrong actions, and then placed half of that way (in logarithms):
    people perform less, and move more beside it, than the actors that are fitted on.
    """
    if action in OTHER_SIDE:
        clips = [*clips, *map(mirrored, clips)]
    right = [clip.movement for clip in clips if clip.shown is action]
    wrong = [clip for clip in clips if clip.is_wrong(action)]
    if not right or not wrong:
        raise InputError(f"no clips to fit {action.value} on; expected every action performed")
    narrow = _box(right, action)
    fixed = RULES[action].fixed
    inside = np.array([[b.margin(b.value(clip.movement)) for b in narrow] for clip in wrong])
    defined = np.array([all(b.margin(b.value(c.movement)) >= 1 for b in fixed) for c in wrong])
    talking = np.array([clip.shown is Action.TALK for clip in wrong])

    def accepted(factors: Floats) -> Floats:
        """The numbers of wrong clips within the bounds: of those who talk, and of all."""
        within = defined & (inside * factors >= 1).all(axis=1)
        return np.array([(within & talking).sum(), within.sum()])

    shares = WRONG_ACCEPTED * np.array([talking.sum(), len(wrong)])
    allowed = np.maximum(shares, accepted(np.ones(len(narrow))))

    def is_safe(factors: Floats, bound: Bound) -> bool:
        enough = accepted(factors) <= allowed
        return bool(enough[0] if bound.measure == LIPS else enough.all())

    step = WIDEST_POSE ** (1 / STEPS)
    most = [widest(bound) for bound in narrow]
    factors = np.ones(len(narrow))
    for _ in range(STEPS):
        for index in range(len(narrow)):
            wider = factors.copy()
            wider[index] = min(wider[index] * step, most[index])
            factors = wider if is_safe(wider, narrow[index]) else factors
    factors = factors**PLACED
    bounds = tuple(
        replace(bound, limit=_rounded(bound.limit * (1 / f if bound.kind == "least" else f), bound))
        for bound, f in zip(narrow, factors, strict=True)
    )
    return (*bounds, *fixed), [round(float(f), 4) for f in factors]


def mirrored(clip: MeasuredClip) -> MeasuredClip:
    """The measures of the clip's mirror image."""
    movement = {name: clip.movement[MIRRORED.get(name, name)] for name in clip.movement}
    shown = OTHER_SIDE.get(clip.shown, clip.shown)
    beside = frozenset(OTHER_SIDE.get(action, action) for action in clip.beside)
    return replace(clip, shown=shown, movement=movement, beside=beside)


def widest(bound: Bound) -> float:
    """The largest factor that the search for wrong actions tries on a bound."""
    is_pose = not bound.per and bound.measure.endswith(("_deg", "_s"))
    return WIDEST_POSE if is_pose else WIDEST_FACE


def _rounded(limit: float, bound: Bound) -> float:
    """A limit with four significant digits, rounded away from what is inside."""
    unit = 10.0 ** (math.floor(math.log10(limit)) - 3)
    away = math.floor if bound.kind == "least" else math.ceil
    return float(f"{away(limit / unit) * unit:.4g}")


def fit_universal(clips: Sequence[MeasuredClip]) -> tuple[Bound, ...]:
    """The universal detector's bounds: for each measure the widest 1% tail of any action.

    Those in `universal.DEFINED` are not fitted.
    A tail is that of a log-normal distribution fitted to an action's clips, since a quantile of a
    few dozen clips would be too narrow for people who were not filmed.
    """
    bounds = []
    for name, kind in universal.MEASURES.items():
        tails = [_tail(values, kind) for values in _by_action(clips, name)]
        widest_tail = min(tails) if kind == "least" else max(tails)
        limit = universal.DEFINED.get(name, widest_tail)
        bounds.append(Bound(name, kind, _round(limit)))
    return tuple(bounds)


def _by_action(clips: Sequence[MeasuredClip], name: str) -> list[list[float]]:
    """The values of one universal measure in the clips of each action."""
    return [[clip.universal[name] for clip in clips if clip.shown is action] for action in Action]


def _tail(values: Sequence[float], kind: BoundKind) -> float:
    sign = -1 if kind == "least" else 1
    logs = np.log(np.maximum(values, 1e-6))
    return float(np.exp(logs.mean() + sign * UNIVERSAL_DEVIATIONS * logs.std(ddof=1)))


def _box(right: Sequence[dict[str, float]], action: Action) -> tuple[Bound, ...]:
    """The narrowest bounds that include all of the measures `right`."""
    bounds = []
    for name, kind, per in RULES[action].fitted:
        bound = Bound(name, kind, 0.0, per)
        values = [bound.value(measures) for measures in right]
        limit = max(min(values) if kind == "least" else max(values), LEAST_LIMIT)
        bounds.append(replace(bound, limit=limit))
    return tuple(bounds)


LEAST_LIMIT = 1e-4
"""Smallest bound: a movement that no actor makes can still be measured in people."""


def _round(value: float) -> float:
    """`value` with four significant digits, as in the shipped file."""
    return float(f"{value:.4g}")


def _check(measured: Sequence[MeasuredClip]) -> None:
    """Raise `InputError` unless the clips are bona fide ones of enough actors of `thresholds`."""
    identities = {clip.identity for clip in measured}
    check_range("thresholds", identities)
    if any(clip.kind != BONA_FIDE for clip in measured):
        raise InputError("an attack among the clips to fit on; expected bona fide clips alone")
    if len(identities) < MIN_ACTORS:
        raise InputError(f"{len(identities)} actors to fit on; expected at least {MIN_ACTORS}")


def _accepted(
    clips: Sequence[MeasuredClip], actions: dict[str, tuple[Bound, ...]]
) -> dict[str, Any]:
    """The number of fitting clips of the requested and of wrong actions that the bounds accept."""
    counts = {}
    for action in TEN:
        bounds = actions[action.value]
        accepted = [not check_bounds(bounds, clip.movement, TITLES)[1] for clip in clips]
        judged = list(zip(accepted, clips, strict=True))
        right = [ok for ok, clip in judged if clip.shown is action]
        wrong = [ok for ok, clip in judged if clip.is_wrong(action)]
        counts[action.value] = {
            "asked": f"{sum(right)} of {len(right)}",
            "wrong": f"{sum(wrong)} of {len(wrong)}",
        }
    return counts


def _universal_bpcer(clips: Sequence[MeasuredClip], bounds: tuple[Bound, ...]) -> str:
    rejected = sum(bool(check_bounds(bounds, c.universal, universal.TITLES)[1]) for c in clips)
    return f"{rejected} of {len(clips)}"
