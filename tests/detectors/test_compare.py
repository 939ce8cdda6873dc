"""DeLong's test, and two tables of scores against each other."""

import numpy as np
import polars as pl
import pytest

from dfmnist.core.errors import InputError
from dfmnist.detectors.compare import compare
from dfmnist.detectors.metrics import auc
from dfmnist.stats.delong import delong


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
    assert found.auc_a == pytest.approx(auc(labels, a))
    assert found.auc_b == pytest.approx(auc(labels, b))
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
        drawn.append(auc(labels[take], a[take]) - auc(labels[take], b[take]))
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


def scores(skill: float, seed: int, threshold: float = 0.5, people: int = 20) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (f"{p}-{label}", label, str(p), frame, sign * skill + rng.normal())
        for p in range(people)
        for label, sign in (("real", -1), ("fake", 1))
        for frame in range(3)
    ]
    columns = ["clip_id", "label", "source_id", "frame", "logit"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        quality=pl.lit("raw"), action=pl.lit("nod"), threshold=pl.lit(threshold)
    )


def test_comparison_matches_clips_whatever_their_order() -> None:
    good, bad = scores(1.5, 0), scores(0.2, 1)
    found = compare(good, bad.sample(fraction=1, shuffle=True, seed=0))
    assert (found.num_clips, found.num_identities, found.num_unscored) == (40, 20, 0)
    assert found.accuracy.value == pytest.approx(found.accuracy_a - found.accuracy_b)
    assert found.accuracy.low > 0
    assert found.auc.value == pytest.approx(found.test.difference)
    assert found.auc.low > 0
    assert found.test.p_value < 0.01
    assert compare(bad, good).accuracy.value == pytest.approx(-found.accuracy.value)
    same = compare(good, good)
    assert (same.accuracy.low, same.accuracy.high, same.test.p_value) == (0, 0, 1)


def test_each_decides_by_its_own_threshold() -> None:
    found = compare(scores(1.0, 0), scores(1.0, 0, threshold=0.999))
    assert found.accuracy_b == pytest.approx(0.5, abs=0.1)  # hardly anything is called fake
    assert found.accuracy_a > 0.8
    assert found.test.difference == 0


def test_comparison_with_one_class_has_accuracies_alone() -> None:
    one = [scores(s, 0).filter(pl.col("label") == "fake") for s in (1.0, 0.0)]
    found = compare(*one)
    assert found.accuracy.value > 0
    assert np.isnan(found.auc.value)
    assert np.isnan(found.test.p_value)


def test_other_clips_are_refused() -> None:
    table = scores(1.0, 0)
    fewer = table.filter(pl.col("clip_id") != "3-fake")
    with pytest.raises(InputError, match="clip 3-fake in raw is in A alone"):
        compare(table, fewer)
    with pytest.raises(InputError, match="clip 0-fake in c40 and 39 more is in B alone"):
        compare(table, pl.concat([table, table.with_columns(quality=pl.lit("c40"))]))
    lost = pl.concat([
        fewer, table.filter(pl.col("clip_id") == "3-fake").head(1).with_columns(logit=None)
    ])  # fmt: skip
    with pytest.raises(InputError, match="clip 3-fake in raw has a score in A alone"):
        compare(table, lost)
    both = compare(lost, lost)
    assert (both.num_clips, both.num_unscored) == (39, 1)
    flipped = table.with_columns(label=pl.lit("fake"))
    with pytest.raises(InputError, match="clip 0-real has another label in B"):
        compare(table, flipped)
