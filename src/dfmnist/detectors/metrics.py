"""How well P(fake) separates the classes, with 95% intervals over identities (`source_id`)."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from dfmnist.detectors.scores import clip_scores, scored, threshold_logit, unscored
from dfmnist.stats.intervals import Estimate, metric_intervals


@dataclass(frozen=True)
class Evaluation:
    """One run on one set of clips."""

    frame: dict[str, Estimate]
    """Keys are `binary_metrics.NAMES`; per frame, as the paper counts."""
    clip: dict[str, Estimate]
    """Per clip, scored by the mean logit of its frames."""
    num_frames: int
    num_clips: int
    num_identities: int
    num_unscored: int
    """Clips that could not be scored; not in any figure."""


def evaluate(scores: pl.DataFrame, *, draws: int = 1000, seed: int = 0) -> Evaluation:
    """`scores` as `detectors.score` writes them, per frame and per clip, at their threshold.

    Raises `InputError`: no clip could be scored, or scores of several runs.
    """
    frames, clips = scored(scores), clip_scores(scores)
    generator, threshold = np.random.default_rng(seed), threshold_logit(scores)

    def measure(table: pl.DataFrame) -> dict[str, Estimate]:
        return metric_intervals(
            (table["label"] == "fake").to_numpy(),
            table["logit"].to_numpy().astype(np.float64),
            table["source_id"].to_numpy().astype(np.str_),
            draws=draws,
            generator=generator,
            threshold_logit=threshold,
        )

    return Evaluation(
        measure(frames),
        measure(clips),
        len(frames),
        len(clips),
        frames["source_id"].n_unique(),
        len(unscored(scores)),
    )
