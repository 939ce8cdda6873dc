"""Intervals against published values and by hand; rates that read as counts."""

import math

import numpy as np
import pytest

from dfmnist.stats.intervals import Estimate, Rate, draw_identities, interval, wilson


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)],
)
def test_wilson_interval_agrees_with_published_values(
    count: int, n: int, low: float, high: float
) -> None:
    found = wilson(count, n)
    assert found is not None
    assert found.low == pytest.approx(low, abs=1e-4)
    assert found.high == pytest.approx(high, abs=1e-4)


def test_wilson_of_nothing_is_nothing() -> None:
    assert wilson(0, 0) is None


def test_rate_reads_as_counts() -> None:
    assert str(Rate(0, 7)) == "0 of 7"
    assert str(Rate(3, 8)) == "3 of 8 (37.5%)"
    assert str(Rate(0, 0)) == "no attempts"
    assert math.isnan(Rate(0, 0).share)
    assert Rate.of([True, False, True]) == Rate(2, 3)
    assert Rate.total([Rate(1, 3), Rate(0, 4)]) == Rate(1, 7)
    assert Rate(5, 10).estimate == wilson(5, 10)
    with pytest.raises(ValueError, match="5 of 4"):
        Rate(5, 4)


def test_draws_take_whole_identities() -> None:
    names = np.array(["b", "a", "b", "c"])
    counts, index = draw_identities(names, 500, np.random.default_rng(0))
    assert index.tolist() == [1, 0, 1, 2]  # sorted names
    assert counts.shape == (500, 3)
    assert (counts.sum(1) == 3).all()
    assert counts.mean(0) == pytest.approx(np.ones(3), abs=0.15)


def test_interval_is_the_middle_of_the_draws() -> None:
    drawn = np.append(np.linspace(0, 1, 1001), np.nan)
    found = interval(0.4, drawn, n=30, groups=5)
    assert found == Estimate(0.4, pytest.approx(0.025), pytest.approx(0.975), 30, 5)
    nothing = interval(np.nan, np.full(3, np.nan), n=30, groups=5)
    assert math.isnan(nothing.low)
    assert math.isnan(nothing.high)
