"""DeLong's test against its definition, a bootstrap and repeated draws."""

import numpy as np
import pytest

from dfmnist.stats.binary_metrics import weighted_metrics
from dfmnist.stats.delong import delong


def area(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(weighted_metrics(labels, scores, np.ones((1, len(labels))))["auc"][0])


def two_detectors(n: int, seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores that share some of their errors."""
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.4
    shared = rng.normal(labels * 1.0, 1.0)
    a, b = shared + rng.normal(0, 0.5, n), shared + rng.normal(0, 1.0, n)
    return (labels, np.round(a, 1), np.round(b, 1)) if ties else (labels, a, b)


def by_definition(labels: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Difference of the areas and its variance, every fake against every real."""
    beats = [np.sign(s[labels][:, None] - s[~labels]) / 2 + 0.5 for s in (a, b)]
    v10 = np.stack([m.mean(1) for m in beats])
    v01 = np.stack([m.mean(0) for m in beats])
    covariance = np.cov(v10) / labels.sum() + np.cov(v01) / (~labels).sum()
    contrast = np.array([1.0, -1.0])
    return beats[0].mean() - beats[1].mean(), float(contrast @ covariance @ contrast)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [8, 30, 300])
def test_delong_against_every_pair(n: int, ties: bool) -> None:
    labels, a, b = two_detectors(n, n, ties)
    found = delong(labels, a, b)
    difference, variance = by_definition(labels, a, b)
    assert found.auc_a == pytest.approx(area(labels, a))
    assert found.auc_b == pytest.approx(area(labels, b))
    assert found.difference == pytest.approx(difference)
    assert found.standard_error == pytest.approx(np.sqrt(variance))
    swapped = delong(labels, b, a)
    assert swapped.difference == pytest.approx(-found.difference)
    assert swapped.p_value == pytest.approx(found.p_value)


def test_standard_error_is_that_of_a_bootstrap() -> None:
    labels, a, b = two_detectors(400, 1, False)
    rng = np.random.default_rng(0)
    fakes, reals = np.flatnonzero(labels), np.flatnonzero(~labels)
    drawn = []
    for _ in range(400):
        take = np.concatenate([rng.choice(fakes, len(fakes)), rng.choice(reals, len(reals))])
        drawn.append(area(labels[take], a[take]) - area(labels[take], b[take]))
    assert delong(labels, a, b).standard_error == pytest.approx(np.std(drawn), rel=0.15)


def test_p_values_of_equal_detectors_are_spread_evenly() -> None:
    """A test at the 10% level is wrong in about 10% of cases."""
    rng, p = np.random.default_rng(0), []
    for _ in range(400):
        labels = rng.random(80) < 0.5
        shared = rng.normal(labels, 1.0)
        p.append(delong(labels, *(shared + rng.normal(0, 1, 80) for _ in range(2))).p_value)
    assert 0.06 < np.mean(np.array(p) < 0.1) < 0.15


def test_delong_at_its_edges() -> None:
    labels = np.array([True, True, False, False])
    right, wrong = np.array([2.0, 3.0, 0.0, 1.0]), np.array([0.0, 1.0, 2.0, 3.0])
    same = delong(labels, right, right)
    assert (same.difference, same.standard_error, same.p_value) == (0, 0, 1)
    assert delong(labels, right, wrong).p_value == 0
    assert np.isnan(delong(np.ones(3, bool), right[:3], wrong[:3]).auc_a)
    one = delong(labels[:3], right[:3], wrong[:3])  # one real: no variance to be had
    assert (one.auc_a, one.auc_b) == (1, 0)
    assert np.isnan(one.standard_error)
    assert np.isnan(one.p_value)
