"""Metrics against scikit-learn and by hand; intervals over identities."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve
from torchmetrics.functional.classification import binary_calibration_error

from dfmnist.core.errors import InputError
from dfmnist.detectors import metrics


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


def test_brier_and_calibration_error_agree_with_others() -> None:
    labels, logits = sample()
    got = metrics.curves(labels, logits, np.ones((1, len(labels))))
    assert got["brier"][0] == pytest.approx(brier_score_loss(labels, expit(logits)))
    ece = binary_calibration_error(
        torch.from_numpy(expit(logits)), torch.from_numpy(labels.astype(int)), n_bins=15, norm="l1"
    )
    assert got["ece"][0] == pytest.approx(float(ece), abs=1e-6)


def test_calibration_error_by_hand() -> None:
    """Three frames at P(fake) 0.9, two of them fake; one real at 0.2; in different bins."""
    p = np.array([0.9, 0.9, 0.9, 0.2])
    labels = np.array([True, True, False, False])
    got = metrics.curves(labels, np.log(p / (1 - p)), np.ones((1, 4)))
    assert got["ece"][0] == pytest.approx(0.75 * abs(0.9 - 2 / 3) + 0.25 * 0.2)
    sure = metrics.curves(labels, np.array([80.0, 80.0, -80.0, -80.0]), np.ones((1, 4)))
    assert sure["ece"][0] == pytest.approx(0)
    assert sure["brier"][0] == pytest.approx(0)


def test_true_positives_at_one_percent_by_hand() -> None:
    """Of 200 reals two may be called fake: the threshold is above the third highest."""
    reals = np.concatenate([[5.0, 4.0, 3.0], np.full(197, -1.0)])
    fakes = np.array([6.0, 4.5, 3.5, 3.0, 0.0])  # the one that ties with the third real is lost
    labels = np.concatenate([np.zeros(200, bool), np.ones(5, bool)])
    logits = np.concatenate([reals, fakes])
    assert metrics.curves(labels, logits, np.ones((1, 205)))["tpr_at_fpr_1"][0] == 3 / 5
    few = metrics.curves(labels[1:], logits[1:], np.ones((1, 204)))  # 1.99 of 199: one
    assert few["tpr_at_fpr_1"][0] == 3 / 5
    none = metrics.curves(labels[100:], logits[100:], np.ones((1, 105)))
    assert none["tpr_at_fpr_1"][0] == 1  # all reals at -1, below every fake


SAMPLES = st.lists(
    st.tuples(st.booleans(), st.integers(-4, 4), st.integers(0, 3)), min_size=2, max_size=30
)


@settings(max_examples=100, deadline=None)
@given(SAMPLES)
def test_a_weight_is_as_many_copies(drawn: list[tuple[bool, int, int]]) -> None:
    """Against plain definitions, on samples with many ties, absent classes and weights of 0."""
    labels, scores, weights = (np.array(x) for x in zip(*drawn, strict=True))
    got = metrics.curves(labels, scores / 2.0, weights[None].astype(float))
    fake, logit = labels.repeat(weights), (scores / 2.0).repeat(weights)
    if not len(fake):
        assert all(np.isnan(values[0]) for values in got.values())
        return
    once = metrics.curves(fake, logit, np.ones((1, len(fake))))
    for name in metrics.NAMES:
        np.testing.assert_allclose(got[name], once[name], atol=1e-12, err_msg=name)
    assert got["accuracy"][0] == pytest.approx(np.mean((logit >= 0) == fake))
    if fake.all() or not fake.any():
        assert np.isnan(got["auc"][0])
        assert np.isnan(got["eer"][0])
        return
    wins = np.sign(logit[fake][:, None] - logit[~fake]) / 2 + 0.5
    assert got["auc"][0] == pytest.approx(wins.mean())
    assert got["ap"][0] == pytest.approx(average_precision_score(fake, logit))
    fpr, tpr, _ = roc_curve(fake, logit, drop_intermediate=False)
    assert got["tpr_at_fpr_1"][0] == pytest.approx(tpr[fpr <= 0.01].max())
    assert _is_on(fpr, tpr, got["eer"][0], 1 - got["eer"][0])


def _is_on(x: np.ndarray, y: np.ndarray, at_x: float, at_y: float) -> bool:
    """Whether a point lies on the line through the points: in a straight line between two."""
    before, after = np.hypot(x - at_x, y - at_y)[:-1], np.hypot(x - at_x, y - at_y)[1:]
    return bool(np.isclose(before + after, np.hypot(np.diff(x), np.diff(y))).any())


def test_another_threshold_moves_decisions_alone() -> None:
    labels, logits = sample()
    once = np.ones((1, len(labels)))
    at_0, at_1 = (metrics.curves(labels, logits, once, threshold_logit=t) for t in (0.0, 1.0))
    assert at_1["accuracy"][0] == pytest.approx(np.mean((logits >= 1) == labels))
    same = [n for n in metrics.NAMES if "accuracy" not in n]
    assert all(at_0[n][0] == at_1[n][0] for n in same)


def test_groups_stand_for_their_samples() -> None:
    labels, logits = sample(ties=True)
    groups = np.arange(len(labels)) % 7
    counts = np.random.default_rng(2).integers(0, 3, (3, 7)).astype(float)
    by_group = metrics.curves(labels, logits, counts, groups)
    by_sample = metrics.curves(labels, logits, counts[:, groups])
    for name in metrics.NAMES:
        np.testing.assert_allclose(by_group[name], by_sample[name])


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


def test_evaluation_decides_by_the_threshold_of_the_scores() -> None:
    scores = table()
    plain = metrics.evaluate(scores)
    assert metrics.evaluate(scores.with_columns(threshold=pl.lit(0.5))) == plain
    strict = metrics.evaluate(scores.with_columns(threshold=pl.lit(0.7)))
    least = np.log(0.7 / 0.3)
    right = (scores["logit"] >= least) == (scores["label"] == "fake")
    assert strict.frame["accuracy"].value == pytest.approx(right.mean())
    clips = metrics.clip_scores(scores)
    right = (clips["logit"] >= least) == (clips["label"] == "fake")
    assert strict.clip["accuracy"].value == pytest.approx(right.mean())
    assert strict.clip["auc"] == plain.clip["auc"]
    two = pl.concat([scores.with_columns(threshold=pl.lit(t)) for t in (0.5, 0.6)])
    with pytest.raises(InputError, match="2 thresholds; expected those of one run"):
        metrics.evaluate(two)


def test_one_class_is_evaluated_as_far_as_it_goes() -> None:
    result = metrics.evaluate(table().filter(pl.col("label") == "fake"))
    for figures in (result.frame, result.clip):
        defined = {n for n, found in figures.items() if not np.isnan(found.value)}
        assert defined == {"accuracy", "brier", "ece"}
        assert np.isnan(figures["auc"].low)


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
