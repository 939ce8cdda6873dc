"""How well P(fake) separates the classes, with 95% intervals over identities.

Frames of one clip, and clips of one person, are not independent: the bootstrap draws whole
identities (`source_id`), so the intervals say what another set of people might have given.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dfmnist.detectors.scores import clip_scores, scored, threshold_logit, unscored
from dfmnist.stats.binary_metrics import NAMES, Bools, Floats, auc, curves

__all__ = [
    "NAMES",
    "Evaluation",
    "Interval",
    "auc",
    "clip_scores",
    "curves",
    "draw_identities",
    "evaluate",
    "interval",
    "with_intervals",
]


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


def draw_identities(
    identities: NDArray[np.str_], draws: int, generator: np.random.Generator
) -> tuple[Floats, NDArray[np.intp]]:
    """`draws` bootstrap draws: how often each identity is in them (draws, g), and each
    sample's identity (n,) as an index."""
    names, index = np.unique(identities, return_inverse=True)
    share = np.full(len(names), 1 / len(names))
    counts = generator.multinomial(len(names), share, size=draws).astype(np.float64)
    return counts, index


def interval(value: float, drawn: Floats) -> Interval:
    """`value` with the 95% percentile interval of `drawn`, leaving out draws without a value."""
    defined = drawn[~np.isnan(drawn)]
    low, high = np.percentile(defined, [2.5, 97.5]) if len(defined) else (np.nan, np.nan)
    return Interval(float(value), float(low), float(high))


def with_intervals(
    labels: Bools,
    logits: Floats,
    identities: NDArray[np.str_],
    *,
    draws: int,
    generator: np.random.Generator,
    threshold_logit: float = 0.0,
) -> dict[str, Interval]:
    """Each of `NAMES` with its 95% percentile interval over `draws` draws of identities."""
    counts, index = draw_identities(identities, draws, generator)
    once = np.ones((1, counts.shape[1]))  # all identities, each once: the figure itself
    found = curves(
        labels, logits, np.vstack([once, counts]), index, threshold_logit=threshold_logit
    )
    return {name: interval(values[0], values[1:]) for name, values in found.items()}


def evaluate(scores: pl.DataFrame, *, draws: int = 1000, seed: int = 0) -> Evaluation:
    """`scores` as `detectors.score` writes them, per frame and per clip, at their threshold.

    Raises `InputError`: no clip could be scored, or scores of several runs.
    """
    frames, clips = scored(scores), clip_scores(scores)
    generator, threshold = np.random.default_rng(seed), threshold_logit(scores)

    def measure(table: pl.DataFrame) -> dict[str, Interval]:
        return with_intervals(
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
