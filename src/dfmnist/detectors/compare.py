"""Comparison of two detectors on the same clips, with intervals and DeLong's test."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from dfmnist.core.errors import InputError
from dfmnist.detectors.scores import CLIP, clip_scores, groups, scored, threshold_logit, unscored
from dfmnist.stats.binary_metrics import weighted_metrics
from dfmnist.stats.delong import DeLong, delong
from dfmnist.stats.intervals import Estimate, draw_identities, interval

_SHOWN = 60
"""Number of characters of a clip's name that an error message shows."""


@dataclass(frozen=True)
class Comparison:
    """Differences between detectors a and b (a minus b), measured per clip.

    Intervals are 95% over bootstrap draws of identities.
    """

    num_clips: int
    num_identities: int
    num_unscored: int
    """Number of clips that neither detector could score; no metric counts them."""
    accuracy_a: float
    accuracy_b: float
    accuracy: Estimate
    """Difference of the accuracies, each at the detector's own threshold."""
    auc: Estimate
    """Difference of the areas under the ROC curve; NaN for clips of one class."""
    test: DeLong
    """DeLong's test of the areas. It assumes independent clips, which clips of one person are
    not; the interval of `auc` does not assume this."""


def compare(
    scores_a: pl.DataFrame, scores_b: pl.DataFrame, *, draws: int = 1000, seed: int = 0
) -> Comparison:
    """The comparison of two tables of scores, with clips matched by `clip_id` and quality.

    Raises `InputError` if clips, labels or people differ, or if one detector alone could score a
    clip.
    """
    scored(scores_a), scored(scores_b)
    lost = [set(unscored(s).select(CLIP).rows()) for s in (scores_a, scores_b)]
    clips = [clip_scores(s) for s in (scores_a, scores_b)]
    keys = [set(c.select(CLIP).rows()) for c in clips]
    _check_same(keys[0] | lost[0], keys[1] | lost[1], "is in")
    _check_same(keys[0], keys[1], "has a score in")
    a, b = clips  # both sorted by `CLIP`
    for column in ("label", "source_id"):
        if (differ := (a[column] != b[column])).any():
            first = a.filter(differ)[0, "clip_id"]
            raise InputError(f"clip {first} has another {column} in B; expected the same clips")
    labels = (a["label"] == "fake").to_numpy()
    logits = [c["logit"].to_numpy().astype(np.float64) for c in clips]
    identities = groups(a).to_numpy().astype(np.str_)
    counts, index = draw_identities(identities, draws, np.random.default_rng(seed))
    counts = np.vstack([np.ones((1, counts.shape[1])), counts])
    found = [
        weighted_metrics(labels, values, counts, index, threshold_logit=threshold_logit(table))
        for values, table in zip(logits, (scores_a, scores_b), strict=True)
    ]
    num_identities = counts.shape[1]
    gaps = {
        name: interval(gap[0], gap[1:], n=len(a), groups=num_identities)
        for name in ("accuracy", "auc")
        for gap in [found[0][name] - found[1][name]]
    }
    return Comparison(
        len(a),
        num_identities,
        len(lost[0]),
        float(found[0]["accuracy"][0]),
        float(found[1]["accuracy"][0]),
        gaps["accuracy"],
        gaps["auc"],
        delong(labels, *logits),
    )


def _check_same(a: set[tuple[str, ...]], b: set[tuple[str, ...]], verb: str) -> None:
    """Raise `InputError` if a clip is in `a` or `b` alone; `verb` completes the message."""
    for here, there, only in ((a, b, "A"), (b, a, "B")):
        if missing := sorted(here - there):
            name = " in ".join(missing[0])[:_SHOWN]
            more = f" and {len(missing) - 1} more" if missing[1:] else ""
            raise InputError(
                f"clip {name}{more} {verb} {only} alone; expected scores of the same clips"
            )
