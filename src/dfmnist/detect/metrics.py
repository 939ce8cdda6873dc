"""How well P(fake) separates the classes, with 95% intervals over identities.

Frames of one clip, and clips of one person, are not independent: the bootstrap draws whole
identities (`source_id`), so the intervals say what another set of people might have given.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dfmnist.core.errors import InputError

Floats = NDArray[np.float64]

NAMES = ("accuracy", "balanced_accuracy", "auc", "eer", "ap")
"""Fake is the positive class; EER is the rate at which misses and false alarms are equal."""

_CHUNK = 8_000_000
"""Weights held at once: 64 MB per intermediate array."""


@dataclass(frozen=True)
class Interval:
    """A figure and its 95% bootstrap interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Evaluation:
    """One run on one set of clips."""

    frame: dict[str, Interval]
    """Keys are `NAMES`; per frame, as the paper counts."""
    clip: dict[str, Interval]
    """Per clip, scored by the mean logit of its frames."""
    num_frames: int
    num_clips: int
    num_identities: int
    num_unscored: int
    """Clips that could not be scored; not in any figure."""


def curves(labels: NDArray[np.bool_], logits: Floats, weights: Floats) -> dict[str, Floats]:
    """All of `NAMES` for each row of `weights` (b, n), which count how often a sample was drawn.

    `labels` (n,) is True for fake; `logits` (n,) decide at 0. Ties count half in the AUC. A
    row without one of the classes gives NaN.
    """
    order = np.argsort(-logits, kind="stable")
    sorted_logits = logits[order]
    ends = np.flatnonzero(np.append(np.diff(sorted_logits) != 0, True))
    fake = labels[order].astype(np.float64)
    drawn = weights[:, order]
    tp = np.cumsum(drawn * fake, axis=1)[:, ends]
    fp = np.cumsum(drawn * (1 - fake), axis=1)[:, ends]
    zero = np.zeros((len(weights), 1))
    tp, fp = np.hstack([zero, tp]), np.hstack([zero, fp])
    positives, negatives = tp[:, -1], fp[:, -1]
    called = int(np.searchsorted(-sorted_logits[ends], 0.0, side="right"))  # logit >= 0
    with np.errstate(invalid="ignore", divide="ignore"):
        tpr, fpr = tp / positives[:, None], fp / negatives[:, None]
        correct = tp[:, called] + negatives - fp[:, called]
        precision = np.nan_to_num(tp[:, 1:] / (tp[:, 1:] + fp[:, 1:]))
        result = {
            "accuracy": correct / (positives + negatives),
            "balanced_accuracy": (tpr[:, called] + 1 - fpr[:, called]) / 2,
            "auc": (np.diff(fpr, axis=1) * (tpr[:, 1:] + tpr[:, :-1]) / 2).sum(1),
            "eer": _equal_error(tpr, fpr),
            "ap": (np.diff(tpr, axis=1) * precision).sum(1),
        }
    undefined = (positives == 0) | (negatives == 0)
    for name, values in result.items():
        if name != "accuracy":
            values[undefined] = np.nan
    return result


def _equal_error(tpr: Floats, fpr: Floats) -> Floats:
    """Where 1 - TPR meets FPR, on straight lines between the points of the curve."""
    gap = fpr - (1 - tpr)  # from -1 to 1, never falling
    after = np.argmax(gap >= 0, axis=1)
    rows, before = np.arange(len(gap)), np.maximum(after - 1, 0)
    low, high = gap[rows, before], gap[rows, after]
    step = np.where(high > low, -low / np.where(high > low, high - low, 1), 0.0)
    result: Floats = fpr[rows, before] + step * (fpr[rows, after] - fpr[rows, before])
    return result


def auc(labels: NDArray[np.bool_], logits: Floats) -> float:
    """Area under the ROC curve; NaN with one class only."""
    return float(curves(labels, logits, np.ones((1, len(labels))))["auc"][0])


def with_intervals(
    labels: NDArray[np.bool_],
    logits: Floats,
    identities: NDArray[np.str_],
    *,
    draws: int,
    generator: np.random.Generator,
) -> dict[str, Interval]:
    """Each of `NAMES` with its 95% percentile interval over `draws` draws of identities."""
    names, index = np.unique(identities, return_inverse=True)
    share = np.full(len(names), 1 / len(names))
    counts = generator.multinomial(len(names), share, size=draws).astype(np.float64)
    rows = max(1, _CHUNK // len(labels))
    parts = [curves(labels, logits, counts[i : i + rows][:, index]) for i in range(0, draws, rows)]
    point = curves(labels, logits, np.ones((1, len(labels))))
    result = {}
    for name in NAMES:
        drawn = np.concatenate([p[name] for p in parts])
        drawn = drawn[~np.isnan(drawn)]
        low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
        result[name] = Interval(float(point[name][0]), float(low), float(high))
    return result


def clip_scores(scores: pl.DataFrame) -> pl.DataFrame:
    """One row a clip and quality: the mean `logit` of its scored frames."""
    keys = ["clip_id", "quality", "split", "label", "action", "source_id"]
    return (
        scores.drop_nulls("logit")
        .group_by(keys, maintain_order=True)
        .agg(pl.col("logit").mean())
        .sort("clip_id", "quality")
    )


def evaluate(scores: pl.DataFrame, *, draws: int = 1000, seed: int = 0) -> Evaluation:
    """`scores` as `detect.score` writes them, per frame and per clip. Raises `InputError`."""
    frames = scores.drop_nulls("logit")
    if frames.is_empty():
        raise InputError("no clip could be scored; expected at least one with a score")
    clips = clip_scores(scores)
    generator = np.random.default_rng(seed)

    def measure(table: pl.DataFrame) -> dict[str, Interval]:
        return with_intervals(
            (table["label"] == "fake").to_numpy(),
            table["logit"].to_numpy().astype(np.float64),
            table["source_id"].to_numpy().astype(np.str_),
            draws=draws,
            generator=generator,
        )

    unscored = scores.filter(pl.col("logit").is_null()).n_unique(["clip_id", "quality"])
    return Evaluation(
        measure(frames),
        measure(clips),
        len(frames),
        len(clips),
        frames["source_id"].n_unique(),
        unscored,
    )
