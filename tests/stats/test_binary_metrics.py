"""Metrics against scikit-learn and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve
from torchmetrics.functional.classification import binary_calibration_error

from dfmnist.stats.binary_metrics import NAMES, weighted_metrics


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
    got = weighted_metrics(labels, logits, weights)
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
    got = weighted_metrics(labels, logits, np.ones((1, len(labels))))
    assert got["brier"][0] == pytest.approx(brier_score_loss(labels, expit(logits)))
    ece = binary_calibration_error(
        torch.from_numpy(expit(logits)), torch.from_numpy(labels.astype(int)), n_bins=15, norm="l1"
    )
    assert got["ece"][0] == pytest.approx(float(ece), abs=1e-6)


def test_calibration_error_by_hand() -> None:
    """Three frames at P(fake) 0.9, two of them fake; one real at 0.2; in different bins."""
    p = np.array([0.9, 0.9, 0.9, 0.2])
    labels = np.array([True, True, False, False])
    got = weighted_metrics(labels, np.log(p / (1 - p)), np.ones((1, 4)))
    assert got["ece"][0] == pytest.approx(0.75 * abs(0.9 - 2 / 3) + 0.25 * 0.2)
    sure = weighted_metrics(labels, np.array([80.0, 80.0, -80.0, -80.0]), np.ones((1, 4)))
    assert sure["ece"][0] == pytest.approx(0)
    assert sure["brier"][0] == pytest.approx(0)


def test_true_positives_at_one_percent_by_hand() -> None:
    """Of 200 reals two may be called fake: the threshold is above the third highest."""
    reals = np.concatenate([[5.0, 4.0, 3.0], np.full(197, -1.0)])
    fakes = np.array([6.0, 4.5, 3.5, 3.0, 0.0])  # the one that ties with the third real is lost
    labels = np.concatenate([np.zeros(200, bool), np.ones(5, bool)])
    logits = np.concatenate([reals, fakes])
    assert weighted_metrics(labels, logits, np.ones((1, 205)))["tpr_at_fpr_1"][0] == 3 / 5
    few = weighted_metrics(labels[1:], logits[1:], np.ones((1, 204)))  # 1.99 of 199: one
    assert few["tpr_at_fpr_1"][0] == 3 / 5
    none = weighted_metrics(labels[100:], logits[100:], np.ones((1, 105)))
    assert none["tpr_at_fpr_1"][0] == 1  # all reals at -1, below every fake


SAMPLES = st.lists(
    st.tuples(st.booleans(), st.integers(-4, 4), st.integers(0, 3)), min_size=2, max_size=30
)


@settings(max_examples=100, deadline=None)
@given(SAMPLES)
def test_a_weight_is_as_many_copies(drawn: list[tuple[bool, int, int]]) -> None:
    """Against plain definitions, on samples with many ties, absent classes and weights of 0."""
    labels, scores, weights = (np.array(x) for x in zip(*drawn, strict=True))
    got = weighted_metrics(labels, scores / 2.0, weights[None].astype(float))
    fake, logit = labels.repeat(weights), (scores / 2.0).repeat(weights)
    if not len(fake):
        assert all(np.isnan(values[0]) for values in got.values())
        return
    once = weighted_metrics(fake, logit, np.ones((1, len(fake))))
    for name in NAMES:
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
    at_0, at_1 = (weighted_metrics(labels, logits, once, threshold_logit=t) for t in (0.0, 1.0))
    assert at_1["accuracy"][0] == pytest.approx(np.mean((logits >= 1) == labels))
    same = [n for n in NAMES if "accuracy" not in n]
    assert all(at_0[n][0] == at_1[n][0] for n in same)


def test_groups_stand_for_their_samples() -> None:
    labels, logits = sample(ties=True)
    groups = np.arange(len(labels)) % 7
    counts = np.random.default_rng(2).integers(0, 3, (3, 7)).astype(float)
    by_group = weighted_metrics(labels, logits, counts, groups)
    by_sample = weighted_metrics(labels, logits, counts[:, groups])
    for name in NAMES:
        np.testing.assert_allclose(by_group[name], by_sample[name])


def test_equal_error_rate_by_hand() -> None:
    labels = np.array([True, True, True, True, False, False, False, False])
    logits = np.array([4.0, 3.0, 2.0, -2.0, 1.0, -1.0, -3.0, -4.0])
    # At a threshold between -2 and 1... one of four fakes is missed and one real is called fake.
    assert weighted_metrics(labels, logits, np.ones((1, 8)))["eer"][0] == pytest.approx(0.25)
    perfect = weighted_metrics(labels, np.where(labels, 1.0, -1.0), np.ones((1, 8)))
    assert perfect["eer"][0] == 0
    assert perfect["auc"][0] == 1
    worst = weighted_metrics(labels, np.where(labels, -1.0, 1.0), np.ones((1, 8)))
    assert worst["eer"][0] == 1


def test_one_class_gives_nan_but_an_accuracy() -> None:
    got = weighted_metrics(np.array([True, True]), np.array([1.0, -1.0]), np.ones((1, 2)))
    assert got["accuracy"][0] == 0.5
    assert np.isnan(got["auc"][0])
