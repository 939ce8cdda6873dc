"""What was called fake and what real, by action: where a detector goes wrong."""

from dataclasses import dataclass

import polars as pl

from dfmnist.core.actions import TEN, Action
from dfmnist.detectors.scores import CLIP, clip_scores, threshold_logit


@dataclass(frozen=True)
class Called:
    """Fakes of one action, or all real clips."""

    action: str | None
    """None for the real clips, whatever they perform."""
    clips_fake: int
    """Clips whose mean logit is at the threshold or above."""
    clips_real: int
    clips_unscored: int
    frames_fake: int
    frames_real: int

    @property
    def clips(self) -> int:
        """All clips of this row."""
        return self.clips_fake + self.clips_real + self.clips_unscored


def confusion(scores: pl.DataFrame) -> list[Called]:
    """A row for each action among the fakes, in the paper's order, and one for the real clips.

    A clip counts once for each of its qualities. Raises `InputError`: several thresholds.
    """
    threshold = threshold_logit(scores)
    row = pl.when(pl.col("label") == "fake").then(pl.col("action"))
    called = pl.col("logit") >= threshold
    table = scores.with_columns(row=row)
    clips = clip_scores(scores).with_columns(row=row)
    order = [a.value for a in (*TEN, *(a for a in Action if a not in TEN))]
    present = set(table["row"].unique())
    actions = [a for a in order if a in present]
    actions += sorted(a for a in present - {None} if a not in order)
    return [
        _called(action, table.filter(same), clips.filter(same), called)
        for action in (*actions, *([None] if None in present else []))
        for same in [pl.col("row").eq_missing(pl.lit(action, pl.String))]
    ]


def _called(
    action: str | None, frames: pl.DataFrame, clips: pl.DataFrame, called: pl.Expr
) -> Called:
    """The counts of one row; a frame without a score is in none of the first two."""
    fake, fake_frames = clips.filter(called).height, frames.filter(called).height
    return Called(
        action,
        fake,
        clips.height - fake,
        frames.filter(pl.col("logit").is_null()).n_unique(CLIP),
        fake_frames,
        frames.drop_nulls("logit").height - fake_frames,
    )
