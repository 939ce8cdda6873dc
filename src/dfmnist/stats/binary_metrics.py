"""Figures of scores against labels, for many weightings of the samples at a time.

Fake is the positive class. A weighting says how often each sample was drawn, so one call
measures a whole bootstrap: all sorting is done once.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from dfmnist.core.arrays import Bools, Floats, Ints

NAMES = (
    "accuracy",
    "balanced_accuracy",
    "auc",
    "eer",
    "ap",
    "tpr_at_fpr_1",
    "brier",
    "ece",
)
"""EER: the rate at which misses and false alarms are equal. AP: average precision, by steps.
TPR at FPR 1%: the most fakes found at a threshold that calls at most 1% of the reals fake.
Brier: mean squared error of P(fake). ECE: see `ECE_BINS`."""
BOTH_CLASSES = ("balanced_accuracy", "auc", "eer", "ap", "tpr_at_fpr_1")
"""NaN where there is one class only."""
ECE_BINS = 15
"""Expected calibration error (Guo et al., arXiv:1706.04599) in its binary form: over bins of
P(fake), equally wide, the mean distance between mean P(fake) and share of fakes, by size."""
FPR_LIMIT = 0.01
_ELEMENTS = 2_000_000
"""Weights held at once: 16 MB per intermediate array."""


def curves(
    labels: Bools,
    logits: Floats,
    counts: Floats,
    groups: Ints | None = None,
    *,
    threshold_logit: float = 0.0,
) -> dict[str, Floats]:
    """All of `NAMES` for each row of `counts` (b, g): how often each group was drawn.

    `labels` (n,) is True for fake; `groups` (n,) is each sample's group, None for each its own.
    From `threshold_logit` on a sample is called fake. Ties count half in the AUC. A row without
    one of the classes gives NaN for `BOTH_CLASSES`.
    """
    groups = np.arange(len(labels)) if groups is None else groups
    ranked = _rank(labels, logits, groups)
    sums = _sums(labels, logits, groups, counts.shape[1], threshold_logit)
    rows = max(1, _ELEMENTS // max(1, len(labels)))
    parts = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for start in range(0, len(counts), rows):
            drawn = counts[start : start + rows]
            totals = drawn @ sums
            part = _from_sums(totals) | _from_ranks(ranked, drawn)
            one_class = (totals[:, 0] == 0) | (totals[:, 1] == 0)
            for name in BOTH_CLASSES:
                part[name][one_class] = np.nan
            parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in NAMES}


def _sums(
    labels: Bools, logits: Floats, groups: Ints, num_groups: int, threshold_logit: float
) -> Floats:
    """What adds up over samples, for each group (g, 5 + ECE_BINS): see `_from_sums`."""
    called, p = logits >= threshold_logit, expit(logits)
    columns = [labels, ~labels, labels & called, ~labels & ~called, (p - labels) ** 2]
    table = np.stack([np.bincount(groups, column, num_groups) for column in columns], axis=1)
    bins = np.minimum((p * ECE_BINS).astype(np.intp), ECE_BINS - 1)
    apart = np.bincount(groups * ECE_BINS + bins, p - labels, num_groups * ECE_BINS)
    return np.hstack([table, apart.reshape(num_groups, ECE_BINS)])


def _from_sums(totals: Floats) -> dict[str, Floats]:
    """Figures that need no order. A bin's distance times its size is a difference of sums."""
    fakes, reals, fakes_right, reals_right, squares = totals[:, :5].T
    count = fakes + reals
    return {
        "accuracy": (fakes_right + reals_right) / count,
        "balanced_accuracy": (fakes_right / fakes + reals_right / reals) / 2,
        "brier": squares / count,
        "ece": np.abs(totals[:, 5:]).sum(1) / count,
    }


@dataclass(frozen=True)
class _Ranked:
    """Fakes and reals in falling order, and where each stands among the others.

    A place is a number of samples, so it points into cumulative weights that begin with 0.
    """

    fakes: Ints
    """Groups of the fakes (f,)."""
    reals: Ints
    """Groups of the reals (r,)."""
    reals_above: Ints
    """For each fake: reals of a higher score."""
    reals_down_to: Ints
    """For each fake: reals of its score or a higher one."""
    fakes_down_to: Ints
    fakes_above: Ints
    """For each real: fakes of a higher score."""
    points: tuple[Ints, Ints]
    """Fakes and reals down to each different score, with (0, 0) first: the ROC curve (u,)."""


def _rank(labels: Bools, logits: Floats, groups: Ints) -> _Ranked:
    order = np.argsort(-logits, kind="stable")
    falling, fake = -logits[order], labels[order]  # negated: rising, for searchsorted
    fakes, reals = falling[fake], falling[~fake]
    points = np.unique(falling)
    return _Ranked(
        groups[order][fake],
        groups[order][~fake],
        np.searchsorted(reals, fakes, "left"),
        np.searchsorted(reals, fakes, "right"),
        np.searchsorted(fakes, fakes, "right"),
        np.searchsorted(fakes, reals, "left"),
        (
            np.append(0, np.searchsorted(fakes, points, "right")),
            np.append(0, np.searchsorted(reals, points, "right")),
        ),
    )


def _from_ranks(ranked: _Ranked, counts: Floats) -> dict[str, Floats]:
    """Figures of the order of the samples; anything where a class is absent."""
    weights = counts[:, ranked.fakes]
    tp, fp = _cumulative(weights), _cumulative(counts[:, ranked.reals])
    positives, negatives = tp[:, -1:], fp[:, -1:]
    down_to = fp[:, ranked.reals_down_to]
    above = negatives - (fp[:, ranked.reals_above] + down_to) / 2  # each fake beats so many
    hits = tp[:, ranked.fakes_down_to]
    precision = hits / np.maximum(hits + down_to, np.finfo(np.float64).tiny)
    found = np.zeros(len(counts))
    if len(ranked.reals):
        first_too_many = np.argmax(fp[:, 1:] > FPR_LIMIT * negatives, axis=1)
        found = tp[np.arange(len(counts)), ranked.fakes_above[first_too_many]]
    return {
        "auc": (weights * above).sum(1) / (positives * negatives)[:, 0],
        "ap": (weights * precision).sum(1) / positives[:, 0],
        "tpr_at_fpr_1": found / positives[:, 0],
        "eer": _equal_error(tp / positives, fp / negatives, ranked.points),
    }


def _cumulative(weights: Floats) -> Floats:
    result = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=result[:, 1:])
    return result


def _equal_error(tpr: Floats, fpr: Floats, points: tuple[Ints, Ints]) -> Floats:
    """Where 1 - TPR meets FPR, on straight lines between the points of the curve."""
    rows = np.arange(len(tpr))

    def at(point: Ints) -> tuple[Floats, Floats]:
        false_alarms: Floats = fpr[rows, points[1][point]]
        gap: Floats = false_alarms - (1 - tpr[rows, points[0][point]])  # -1 to 1, never falling
        return false_alarms, gap

    low, high = np.zeros(len(tpr), np.intp), np.full(len(tpr), len(points[0]) - 1)
    while (high - low > 1).any():  # the gap is below 0 at `low`, not below at `high`
        middle = (low + high) // 2
        below = at(middle)[1] < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    (before, gap), (after, gap_after) = at(low), at(high)
    step = np.where(gap_after > gap, -gap / np.where(gap_after > gap, gap_after - gap, 1), 0.0)
    result: Floats = before + step * (after - before)
    return result
