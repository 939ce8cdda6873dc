"""Two detectors on the same clips: is one better, or could it be chance?"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from dfmnist.core.errors import InputError
from dfmnist.detectors.scores import CLIP, clip_scores, scored, threshold_logit, unscored
from dfmnist.stats.binary_metrics import curves
from dfmnist.stats.delong import DeLong, delong
from dfmnist.stats.intervals import Estimate, draw_identities, interval

_SHOWN = 60
"""Characters of a clip's name in a message."""


@dataclass(frozen=True)
class Comparison:
    """Per clip, a minus b; intervals are 95%, over draws of identities that both share."""

    num_clips: int
    num_identities: int
    num_unscored: int
    """Clips that neither could score; not in any figure."""
    accuracy_a: float
    accuracy_b: float
    accuracy: Estimate
    """Difference of the accuracies, each by its own threshold."""
    auc: Estimate
    """Difference of the areas; NaN with one class only."""
    test: DeLong
    """Takes clips for independent, which those of one person are not: `auc` does not."""


def compare(
    scores_a: pl.DataFrame, scores_b: pl.DataFrame, *, draws: int = 1000, seed: int = 0
) -> Comparison:
    """Compare two tables of scores, clips matched by `clip_id` and quality.

    Raises `InputError`: not the same clips, labels or people, or clips that one of them alone
    could score.
    """
    scored(scores_a), scored(scores_b)
    lost = [set(unscored(s).select(CLIP).rows()) for s in (scores_a, scores_b)]
    clips = [clip_scores(s) for s in (scores_a, scores_b)]
    keys = [set(c.select(CLIP).rows()) for c in clips]
    _same(keys[0] | lost[0], keys[1] | lost[1], "is in")
    _same(keys[0], keys[1], "has a score in")
    a, b = clips  # both sorted by `CLIP`
    for column in ("label", "source_id"):
        if (differ := (a[column] != b[column])).any():
            first = a.filter(differ)[0, "clip_id"]
            raise InputError(f"clip {first} has another {column} in B; expected the same clips")
    labels = (a["label"] == "fake").to_numpy()
    logits = [c["logit"].to_numpy().astype(np.float64) for c in clips]
    identities = a["source_id"].to_numpy().astype(np.str_)
    counts, index = draw_identities(identities, draws, np.random.default_rng(seed))
    counts = np.vstack([np.ones((1, counts.shape[1])), counts])
    found = [
        curves(labels, values, counts, index, threshold_logit=threshold_logit(table))
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


def _same(a: set[tuple[str, ...]], b: set[tuple[str, ...]], verb: str) -> None:
    for here, there, only in ((a, b, "A"), (b, a, "B")):
        if missing := sorted(here - there):
            name = " in ".join(missing[0])[:_SHOWN]
            more = f" and {len(missing) - 1} more" if missing[1:] else ""
            raise InputError(
                f"clip {name}{more} {verb} {only} alone; expected scores of the same clips"
            )
