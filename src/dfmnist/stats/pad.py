"""Error rates of presentation attack detection (PAD), as ISO/IEC 30107-3 defines them.

A bona fide presentation is a person before the camera; an attack presentation imitates one. The
attacks made in one way, such as printed photos, are one species of attack instrument.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfmnist.core.arrays import Bools, Floats
from dfmnist.stats.intervals import Estimate, Rate, draw_identities, interval, wilson

BPCER_LIMITS = (0.01, 0.05)
"""Shares of bona fide presentations that may be rejected where APCER is read off."""


def apcer(classified_bona_fide: Iterable[bool]) -> Rate:
    """Attack presentation classification error rate: attacks wrongly classified as bona fide.

    `classified_bona_fide`: the detector's answer on each attack of one species.
    """
    return Rate.of(classified_bona_fide)


def bpcer(classified_bona_fide: Iterable[bool]) -> Rate:
    """Bona fide presentation classification error rate: bona fide wrongly classified as attacks.

    `classified_bona_fide`: the detector's answer on each bona fide presentation.
    """
    return Rate.of(not answer for answer in classified_bona_fide)


def acer(apcer_by_species: Iterable[Rate], bpcer: Rate) -> float:
    """Average classification error rate: the mean of BPCER and the worst species' APCER.

    NaN where the bona fide presentations or one species' attacks are missing.
    """
    species = list(apcer_by_species)
    if not species or not all(rate.n for rate in species):
        return float("nan")
    return (max(rate.share for rate in species) + bpcer.share) / 2


@dataclass(frozen=True)
class PadScores:
    """One detector's answers on bona fide presentations and attacks; arrays of one length (n,)."""

    species: NDArray[np.str_]
    """Species of attack instrument of each presentation; empty for bona fide ones."""
    people: NDArray[np.str_]
    """Name of the person in each presentation; intervals are over people."""
    assessed: Bools
    """False for a non-response."""
    live: Bools
    """True if the presentation was classified as bona fide."""
    scores: Floats
    """Scores, higher for bona fide; they matter where `assessed` is True."""

    def where(self, kept: Bools) -> "PadScores":
        """The presentations for which `kept` (n,) is True."""
        return PadScores(
            self.species[kept],
            self.people[kept],
            self.assessed[kept],
            self.live[kept],
            self.scores[kept],
        )

    @property
    def attacks(self) -> tuple[str, ...]:
        """Names of the attack species, sorted."""
        return tuple(sorted({str(name) for name in self.species} - {""}))


@dataclass(frozen=True)
class PadRates:
    """Error rates of one detector with 95% intervals over people (ISO/IEC 30107-3:2023).

    A rate is None where there is no presentation to measure it on. APCER and BPCER are shares of
    the presentations that were assessed; APNRR and BPNRR are shares of all.
    """

    apcer: dict[str, Estimate | None]
    """Attack presentation classification error rate, by species."""
    max_apcer: Estimate | None
    """The largest APCER of any species."""
    bpcer: Estimate | None
    """Bona fide presentation classification error rate."""
    acer: Estimate | None
    """Mean of the largest APCER and BPCER. It is no rate of the standard, but widely used (OULU-NPU
    protocol, Boulkenafet et al. 2017)."""
    apcer_at_bpcer: dict[float, Estimate | None]
    """The largest APCER of any species at the highest threshold whose BPCER is at most the key."""
    apnrr: dict[str, Estimate | None]
    """Attack presentation non-response rate, by species."""
    bpnrr: Estimate | None
    """Bona fide presentation non-response rate."""


@dataclass(frozen=True)
class DetCurve:
    """The detection error trade-off of one detector: error rates at each threshold (t,)."""

    thresholds: Floats
    """Thresholds in ascending order; a presentation is classified as bona fide from it on."""
    bpcer: Floats
    apcer: dict[str, Floats]
    """APCER by species."""

    @property
    def max_apcer(self) -> Floats:
        """The largest APCER of any species at each threshold."""
        return np.asarray(np.max(list(self.apcer.values()), axis=0))


def pad_rates(
    scores: PadScores, *, draws: int = 1000, generator: np.random.Generator | None = None
) -> PadRates:
    """The error rates of `scores` with intervals from `draws` draws of whole people.

    Where nobody or everybody differs (0 of n, n of n) a bootstrap has no width; the interval is
    then Wilson's with the number of people for trials.
    """
    boot = _Bootstrap(scores, draws, generator or np.random.default_rng(0))
    genuine, seen, live = scores.species == "", scores.assessed, scores.live
    by_species = {name: scores.species == name for name in scores.attacks}
    apcer_by = {name: boot.rate(live, mine & seen) for name, mine in by_species.items()}
    worst = _largest(list(apcer_by.values()))
    wrong = boot.rate(~live, genuine & seen)
    return PadRates(
        {name: _estimate(rate) for name, rate in apcer_by.items()},
        _estimate(worst),
        _estimate(wrong),
        _acer(worst, wrong),
        {limit: _estimate(boot.apcer_at(limit)) for limit in BPCER_LIMITS},
        {name: _estimate(boot.rate(~seen, mine)) for name, mine in by_species.items()},
        _estimate(boot.rate(~seen, genuine)),
    )


def det_curve(scores: PadScores) -> DetCurve | None:
    """The DET curve of `scores`; None without assessed presentations of both classes."""
    seen = scores.where(scores.assessed)
    genuine = np.sort(seen.scores[seen.species == ""])
    if not len(genuine) or not seen.attacks:
        return None
    at = np.append(np.unique(seen.scores), np.inf)
    below = np.searchsorted(genuine, at, "left") / len(genuine)
    passed = {}
    for name in seen.attacks:
        mine = np.sort(seen.scores[seen.species == name])
        passed[name] = 1 - np.searchsorted(mine, at, "left") / len(mine)
    return DetCurve(at, below, passed)


@dataclass(frozen=True)
class _Drawn:
    """A rate, the same rate in each bootstrap draw (b,), and what it was measured on."""

    value: float
    draws: Floats
    n: int
    groups: int


class _Bootstrap:
    """Rates in bootstrap draws of whole people; all rates share the draws."""

    def __init__(self, scores: PadScores, draws: int, generator: np.random.Generator) -> None:
        self._scores = scores
        self._counts, self._index = draw_identities(scores.people, draws, generator)

    def rate(self, events: Bools, base: Bools) -> _Drawn | None:
        """The share of `events` (n,) among `base` (n,); None where `base` is empty."""
        n = int(base.sum())
        if not n:
            return None
        trials, hits = self._by_person(base), self._by_person(events & base)
        with np.errstate(invalid="ignore"):
            drawn = (self._counts @ hits) / (self._counts @ trials)
        return _Drawn(float(hits.sum() / n), drawn, n, int((trials > 0).sum()))

    def apcer_at(self, limit: float) -> _Drawn | None:
        """The largest APCER at the highest threshold whose BPCER is at most `limit`."""
        scores = self._scores
        genuine = (scores.species == "") & scores.assessed
        attacks = [(scores.species == name) & scores.assessed for name in scores.attacks]
        attacks = [mine for mine in attacks if mine.any()]
        if not genuine.any() or not attacks:
            return None
        at = np.unique(scores.scores[genuine])
        once = np.ones((1, self._counts.shape[1]))
        counts = np.vstack([once, self._counts])
        with np.errstate(invalid="ignore"):
            wrong = self._shares(counts, genuine, scores.scores[:, None] < at)
            allowed = np.nan_to_num(wrong, nan=1.0) <= limit + 1e-12
            place = allowed.shape[1] - 1 - np.argmax(allowed[:, ::-1], axis=1)
            rows = np.arange(len(counts))
            each = [
                self._shares(counts, mine, scores.scores[:, None] >= at)[rows, place]
                for mine in attacks
            ]
        found = [
            _Drawn(float(drawn[0]), drawn[1:], int(mine.sum()), self._people(mine))
            for drawn, mine in zip(each, attacks, strict=True)
        ]
        return _largest(list(found))

    def _shares(self, counts: Floats, base: Bools, events: Bools) -> Floats:
        """Share of `events` (n, t) among `base` (n,) in each draw: (b, t)."""
        people = counts.shape[1]
        hits = np.zeros((people, events.shape[1]))
        np.add.at(hits, self._index[base], events[base].astype(np.float64))
        return np.asarray((counts @ hits) / (counts @ self._by_person(base))[:, None])

    def _by_person(self, events: Bools) -> Floats:
        return np.bincount(self._index[events], minlength=self._counts.shape[1]).astype(np.float64)

    def _people(self, base: Bools) -> int:
        return len(np.unique(self._index[base]))


def _largest(rates: Sequence[_Drawn | None]) -> _Drawn | None:
    """The largest of several rates, in each draw too; None without any."""
    found = [rate for rate in rates if rate is not None]
    if not found:
        return None
    worst = max(found, key=lambda rate: rate.value)
    drawn = np.stack([rate.draws for rate in found])
    drawn = np.where(
        np.isnan(drawn).all(axis=0), np.nan, np.nanmax(np.nan_to_num(drawn, nan=-1), 0)
    )
    return _Drawn(worst.value, drawn, worst.n, worst.groups)


def _mean_of(a: _Drawn | None, b: _Drawn | None) -> _Drawn | None:
    if a is None or b is None:
        return None
    return _Drawn(
        (a.value + b.value) / 2, (a.draws + b.draws) / 2, a.n + b.n, max(a.groups, b.groups)
    )


def _acer(worst: _Drawn | None, wrong: _Drawn | None) -> Estimate | None:
    """ACER; where one of its two rates has no width in draws, its bounds count with theirs."""
    both = _estimate(_mean_of(worst, wrong))
    parts = [_estimate(worst), _estimate(wrong)]
    if both is None or parts[0] is None or parts[1] is None:
        return None
    if all(0 < part.value < 1 for part in (parts[0], parts[1])):
        return both
    low, high = (parts[0].low + parts[1].low) / 2, (parts[0].high + parts[1].high) / 2
    return Estimate(both.value, min(low, both.low), max(high, both.high), both.n, both.groups)


def _estimate(rate: _Drawn | None) -> Estimate | None:
    if rate is None:
        return None
    if rate.value in (0.0, 1.0):
        bounds = wilson(round(rate.value) * rate.groups, rate.groups)
        assert bounds is not None
        return Estimate(rate.value, bounds.low, bounds.high, rate.n, rate.groups)
    found = interval(rate.value, rate.draws, n=rate.n, groups=rate.groups)
    # the largest of several rates is biased upwards in draws; the value lies in its own interval
    return Estimate(
        found.value, min(found.low, found.value), max(found.high, found.value), rate.n, rate.groups
    )
