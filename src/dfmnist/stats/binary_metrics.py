"""Metrics of scores against labels, for many weightings of the samples at once.

Fake is the positive class. A weighting says how often each sample was drawn, so one call
measures a whole bootstrap and sorts the samples once.
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
"""Names of the metrics. EER: the rate at which misses and false alarms are equal. AP: average
precision, by steps. TPR at FPR 1%: the most fakes found at a threshold that calls at most 1% of
the reals fake. Brier: mean squared error of P(fake). ECE: see `ECE_BINS`."""
BOTH_CLASSES = ("balanced_accuracy", "auc", "eer", "ap", "tpr_at_fpr_1")
"""Metrics that are NaN where there is one class only."""
ECE_BINS = 15
"""Number of bins of the expected calibration error (Guo et al., arXiv:1706.04599), in its binary
form: the distance between mean P(fake) and share of fakes in equally wide bins of P(fake),
averaged over the bins by their size."""
FPR_LIMIT = 0.01
"""Share of the reals that may be called fake in `tpr_at_fpr_1`."""
_ELEMENTS = 2_000_000
"""Number of weights held at once: 16 MB per intermediate array."""


def weighted_metrics(
    labels: Bools,
    logits: Floats,
    counts: Floats,
    groups: Ints | None = None,
    *,
    threshold_logit: float = 0.0,
) -> dict[str, Floats]:
    """Metrics `NAMES` for each weighting: `counts` (b, g) says how often each group was drawn.

    `labels` (n,) is True for fake, `logits` (n,) is higher for fake, `groups` (n,) is each
    sample's group; None makes each sample a group. A sample at or above `threshold_logit` is
    called fake. Ties count half in the AUC. A weighting without one of the classes gives NaN for
    `BOTH_CLASSES`. Each value of the result has shape (b,).
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
    """Sums over the samples of each group (g, 5 + ECE_BINS), as `_from_sums` reads them."""
    called, p = logits >= threshold_logit, expit(logits)
    columns = [labels, ~labels, labels & called, ~labels & ~called, (p - labels) ** 2]
    table = np.stack([np.bincount(groups, column, num_groups) for column in columns], axis=1)
    bins = np.minimum((p * ECE_BINS).astype(np.intp), ECE_BINS - 1)
    apart = np.bincount(groups * ECE_BINS + bins, p - labels, num_groups * ECE_BINS)
    return np.hstack([table, apart.reshape(num_groups, ECE_BINS)])


def _from_sums(totals: Floats) -> dict[str, Floats]:
    """Metrics that need no order. A bin's distance times its size is a difference of sums."""
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
    """Samples sorted by descending score, with indices into the cumulative weights.

    An index is a number of samples, so it points into cumulative weights that begin with 0.
    """

    fakes: Ints
    """Groups of the fakes (f,)."""
    reals: Ints
    """Groups of the reals (r,)."""
    reals_above: Ints
    """Number of reals with a higher score than each fake (f,)."""
    reals_down_to: Ints
    """Number of reals with each fake's score or a higher one (f,)."""
    fakes_down_to: Ints
    """Number of fakes with each fake's score or a higher one (f,)."""
    fakes_above: Ints
    """Number of fakes with a higher score than each real (r,)."""
    points: tuple[Ints, Ints]
    """Fakes and reals down to each distinct score, (0, 0) first: points of the ROC curve (u,)."""


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
    """Metrics that need the order of the samples; undefined numbers where a class is absent."""
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
    """Equal error rate: where 1 - TPR meets FPR, on straight lines between the curve's points."""
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
