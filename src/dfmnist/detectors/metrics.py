"""Metrics of one table of scores: values with 95% intervals over identities, counts by action."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from dfmnist.core.actions import TEN, Action
from dfmnist.detectors.scores import (
    CLIP,
    clip_scores,
    groups,
    scored,
    threshold_logit,
    unscored,
)
from dfmnist.stats.intervals import Estimate, metric_intervals


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one run on one set of clips."""

    frame: dict[str, Estimate]
    """The metrics per frame, as the paper counts, by the names of `binary_metrics.NAMES`."""
    clip: dict[str, Estimate]
    """The metrics per clip; a clip's score is the mean logit of its frames."""
    num_frames: int
    num_clips: int
    num_identities: int
    """Number of people seen, or of groups of people where clips show several of them."""
    num_unscored: int
    """Number of clips that could not be scored; no metric counts them."""


def evaluate(scores: pl.DataFrame, *, draws: int = 1000, seed: int = 0) -> Evaluation:
    """The metrics of `scores`, a table of `detectors.score`, at the run's threshold.

    Intervals come from `draws` bootstrap draws of identities. Raises `InputError` if no clip could
    be scored or the scores are those of several runs.
    """
    frames, clips = scored(scores), clip_scores(scores)
    generator, threshold = np.random.default_rng(seed), threshold_logit(scores)

    def measure(table: pl.DataFrame) -> dict[str, Estimate]:
        return metric_intervals(
            (table["label"] == "fake").to_numpy(),
            table["logit"].to_numpy().astype(np.float64),
            groups(table).to_numpy().astype(np.str_),
            draws=draws,
            generator=generator,
            threshold_logit=threshold,
        )

    return Evaluation(
        measure(frames),
        measure(clips),
        len(frames),
        len(clips),
        groups(frames).n_unique(),
        len(unscored(scores)),
    )


@dataclass(frozen=True)
class ActionCounts:
    """Number of clips and frames called fake and real: fakes of one action, or all real clips."""

    action: str | None
    """The fakes' action, empty where none is known; None for the real clips, whatever they do."""
    clips_fake: int
    """Number of clips whose mean logit is at the threshold or above."""
    clips_real: int
    clips_unscored: int
    frames_fake: int
    frames_real: int

    @property
    def clips(self) -> int:
        """Number of clips, scored or not."""
        return self.clips_fake + self.clips_real + self.clips_unscored


def counts_by_action(scores: pl.DataFrame) -> list[ActionCounts]:
    """The counts for each action among the fakes, in the paper's order, then for the real clips.

    A clip counts once for each of its qualities. Raises `InputError` for several thresholds.
    """
    threshold = threshold_logit(scores)
    row = pl.when(pl.col("label") == "fake").then(pl.col("action").fill_null(""))
    called = pl.col("logit") >= threshold
    table = scores.with_columns(row=row)
    clips = clip_scores(scores).with_columns(row=row)
    order = [a.value for a in (*TEN, *(a for a in Action if a not in TEN))]
    present = set(table["row"].unique())
    actions = [a for a in order if a in present]
    actions += sorted(a for a in present - {None} if a not in order)
    return [
        _counted(action, table.filter(same), clips.filter(same), called)
        for action in (*actions, *([None] if None in present else []))
        for same in [pl.col("row").eq_missing(pl.lit(action, pl.String))]
    ]


def _counted(
    action: str | None, frames: pl.DataFrame, clips: pl.DataFrame, called: pl.Expr
) -> ActionCounts:
    """The counts of one action; `called` selects the rows called fake."""
    fake, fake_frames = clips.filter(called).height, frames.filter(called).height
    return ActionCounts(
        action,
        fake,
        clips.height - fake,
        frames.filter(pl.col("logit").is_null()).n_unique(CLIP),
        fake_frames,
        frames.drop_nulls("logit").height - fake_frames,
    )
