"""Values with their 95% intervals: a bootstrap over identities, and Wilson's interval of a rate.

Frames of one clip, and clips of one person, are not independent: the bootstrap draws whole
identities, so its intervals say what another set of people might have given.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from dfmnist.core.arrays import Bools, Floats, Ints
from dfmnist.stats.binary_metrics import weighted_metrics

Z95 = 1.959963984540054
"""97.5% quantile of the normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval; all three are NaN where they are not defined."""

    value: float
    low: float
    high: float
    n: int
    """Number of samples measured: frames, clips or attempts."""
    groups: int
    """Number of identities that the bootstrap draws from; 0 for a Wilson interval."""


@dataclass(frozen=True)
class Rate:
    """A number of events out of a number of trials; zero events read "0 of n"."""

    count: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.count <= self.n:
            raise ValueError(f"{self.count} of {self.n}: expected 0 <= count <= n")

    @classmethod
    def of(cls, events: Iterable[bool]) -> "Rate":
        """The rate of True among `events`."""
        found = list(events)
        return cls(sum(found), len(found))

    @classmethod
    def total(cls, rates: Iterable["Rate"]) -> "Rate":
        """All events out of all trials of several rates."""
        found = list(rates)
        return cls(sum(r.count for r in found), sum(r.n for r in found))

    @property
    def share(self) -> float:
        """The rate as a fraction, 0 to 1; NaN without trials."""
        return self.count / self.n if self.n else float("nan")

    @property
    def estimate(self) -> Estimate | None:
        """The share with its Wilson interval; None without trials."""
        return wilson(self.count, self.n)

    def __str__(self) -> str:
        if not self.n:
            return "no attempts"
        counts = f"{self.count} of {self.n}"
        return counts if not self.count else f"{counts} ({100 * self.share:.1f}%)"


def wilson(count: int, n: int) -> Estimate | None:
    """`count` out of `n` with the Wilson score interval; None where `n` is 0.

    Source: Wilson, Journal of the American Statistical Association 22 (1927).
    """
    if n == 0:
        return None
    share, z2 = count / n, Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if count == 0 else max(0.0, centre - half)
    high = 1.0 if count == n else min(1.0, centre + half)
    return Estimate(share, low, high, n, 0)


def draw_identities(
    identities: NDArray[np.str_], draws: int, generator: np.random.Generator
) -> tuple[Floats, Ints]:
    """Bootstrap draws of whole identities, as many in each draw as there are.

    `identities` (n,) names each sample's identity. Returns how often each draw holds each
    distinct identity, in sorted order (draws, g), and each sample's index into them (n,).
    """
    names, index = np.unique(identities, return_inverse=True)
    share = np.full(len(names), 1 / len(names))
    counts = generator.multinomial(len(names), share, size=draws).astype(np.float64)
    return counts, index


def interval(value: float, drawn: Floats, *, n: int, groups: int) -> Estimate:
    """`value` with the 95% percentile interval of `drawn` (draws,); NaN draws are left out."""
    defined = drawn[~np.isnan(drawn)]
    low, high = np.percentile(defined, [2.5, 97.5]) if len(defined) else (np.nan, np.nan)
    return Estimate(float(value), float(low), float(high), n, groups)


def metric_intervals(
    labels: Bools,
    logits: Floats,
    identities: NDArray[np.str_],
    *,
    draws: int,
    generator: np.random.Generator,
    threshold_logit: float = 0.0,
) -> dict[str, Estimate]:
    """Every metric of `binary_metrics.NAMES` with its interval over `draws` draws of identities.

    `labels` (n,) is True for fake, `logits` (n,) higher for fake, `identities` (n,) each sample's
    person.
    """
    counts, index = draw_identities(identities, draws, generator)
    groups = counts.shape[1]
    once = np.ones((1, groups))  # each identity once: the value itself
    found = weighted_metrics(
        labels, logits, np.vstack([once, counts]), index, threshold_logit=threshold_logit
    )
    return {
        name: interval(values[0], values[1:], n=len(labels), groups=groups)
        for name, values in found.items()
    }


def block_bootstrap(values: Floats, *, draws: int, seed: int = 0) -> tuple[float, float]:
    """95% percentile interval of the mean of a series (n,) whose neighbours resemble each other.

    Draws are made of circular blocks of the cube root of n values (Politis and Romano, 1992), so
    that neighbours stay together. n is at least 1.
    """
    count = len(values)
    block = max(1, round(count ** (1 / 3)))
    blocks = -(-count // block)
    generator = np.random.default_rng(seed)
    starts = generator.integers(count, size=(draws, blocks, 1))
    index = ((starts + np.arange(block)) % count).reshape(draws, -1)[:, :count]
    low, high = np.percentile(values[index].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
