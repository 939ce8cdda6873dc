"""Metrics against scikit-learn and by hand; intervals over identities."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from dfmnist.core.errors import InputError
from dfmnist.detect import metrics


def sample(n: int = 300, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    labels = rng.random(n) < 0.4
    logits = rng.normal(labels * 1.2 - 0.4, 1.0)
    return labels, np.round(logits, 1) if ties else logits


@pytest.mark.parametrize("ties", [False, True])
def test_curves_agree_with_sklearn_also_when_weighted(ties: bool) -> None:
    labels, logits = sample(ties=ties)
    weights = np.random.default_rng(1).integers(0, 3, (2, len(labels))).astype(float)
    weights[0] = 1
    got = metrics.curves(labels, logits, weights)
    for row, weight in enumerate(weights):
        auc = roc_auc_score(labels, logits, sample_weight=weight)
        ap = average_precision_score(labels, logits, sample_weight=weight)
        assert got["auc"][row] == pytest.approx(auc)
        assert got["ap"][row] == pytest.approx(ap)
        called = logits >= 0
        assert got["accuracy"][row] == pytest.approx(np.average(called == labels, weights=weight))
        rates = [np.average(called[labels == c] == c, weights=weight[labels == c]) for c in (0, 1)]
        assert got["balanced_accuracy"][row] == pytest.approx(np.mean(rates))


def test_equal_error_rate_by_hand() -> None:
    labels = np.array([True, True, True, True, False, False, False, False])
    logits = np.array([4.0, 3.0, 2.0, -2.0, 1.0, -1.0, -3.0, -4.0])
    # At a threshold between -2 and 1... one of four fakes is missed and one real is called fake.
    assert metrics.curves(labels, logits, np.ones((1, 8)))["eer"][0] == pytest.approx(0.25)
    perfect = metrics.curves(labels, np.where(labels, 1.0, -1.0), np.ones((1, 8)))
    assert perfect["eer"][0] == 0
    assert perfect["auc"][0] == 1
    worst = metrics.curves(labels, np.where(labels, -1.0, 1.0), np.ones((1, 8)))
    assert worst["eer"][0] == 1


def test_one_class_gives_nan_but_an_accuracy() -> None:
    got = metrics.curves(np.array([True, True]), np.array([1.0, -1.0]), np.ones((1, 2)))
    assert got["accuracy"][0] == 0.5
    assert np.isnan(got["auc"][0])


def table(per_person: int = 10) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for person in range(12):
        skill = rng.normal(0.6, 1.0)  # errors go with the person
        for label in ("real", "fake"):
            for frame in range(per_person):
                sign = 1 if label == "fake" else -1
                logit = sign * (skill + rng.normal(0, 0.3))
                rows.append((f"{person}-{label}", label, str(person), frame, logit))
    columns = ["clip_id", "label", "source_id", "frame", "logit"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        quality=pl.lit("raw"), split=pl.lit("test"), action=pl.lit("nod")
    )


def test_intervals_are_over_people_not_frames() -> None:
    few, many = (metrics.evaluate(table(n)).frame["accuracy"] for n in (5, 100))
    assert few.low < few.value < few.high
    # Twenty times the frames of the same people hardly narrow it.
    assert (many.high - many.low) > 0.7 * (few.high - few.low)
    assert many.high - many.low > 0.2


def test_evaluation_counts_and_repeats_itself() -> None:
    scores = table()
    broken = scores.head(1).with_columns(
        clip_id=pl.lit("broken"), logit=pl.lit(None, dtype=pl.Float64)
    )
    scores = pl.concat([scores, broken])
    result = metrics.evaluate(scores)
    assert (result.num_frames, result.num_clips, result.num_identities) == (240, 24, 12)
    assert result.num_unscored == 1
    assert result == metrics.evaluate(scores)
    assert result.clip != metrics.evaluate(scores, seed=1).clip
    means = metrics.clip_scores(scores)
    expected = scores.filter(pl.col("clip_id") == "0-fake")["logit"].mean()
    assert means.filter(pl.col("clip_id") == "0-fake")["logit"][0] == pytest.approx(expected)
    with pytest.raises(InputError, match="no clip could be scored"):
        metrics.evaluate(broken)
