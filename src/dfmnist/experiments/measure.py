"""Cells measured from scores: a detector's accuracy with its interval and its details."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from math import isfinite
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import polars as pl

from dfmnist.detectors.external import ExternalDetector
from dfmnist.detectors.metrics import evaluate
from dfmnist.detectors.run import read_run
from dfmnist.detectors.scores import read_scores
from dfmnist.experiments.execute import Executed
from dfmnist.experiments.plan import CellSpec, Plan, RunSpec, ScoreSpec
from dfmnist.experiments.recipe import CLAIM_STEPS
from dfmnist.experiments.results import ELSEWHERE, ResultCell, Score, SeedScore, published
from dfmnist.stats.intervals import Estimate

DRAWS = 1000
"""Number of bootstrap draws of people."""
NOT_RUN = "not run"
_Seed = tuple[SeedScore, float | None]
"""Metrics of one run's scores, and the share of the larger class among them."""


def measure(
    plan: Plan, executed: Executed, stamp: str = "", draws: int = DRAWS
) -> list[ResultCell]:
    """Every cell of `plan` in its order, evaluated from the scores that were made.

    `stamp` is noted in every cell that was run.
    """
    known: dict[tuple[ScoreSpec, str], _Seed | str] = {}
    read = cache(partial(scores_of, executed=executed))  # parts share tables
    cells = []
    for spec in plan.cells:
        seeds: list[_Seed] = []
        reasons = [spec.missing] if spec.missing else []
        for score in spec.scores:
            key = (score, spec.part)
            if key not in known:
                known[key] = _seed(score, spec.part, executed, read, draws)
            found = known[key]
            if isinstance(found, str):
                reasons.append(found)
            else:
                seeds.append(found)
        if reasons or not seeds:
            cells.append(not_run(spec, reasons[0] if reasons else "it has no scores"))
        else:
            cells.append(_cell(spec, seeds, stamp))
    return cells


def not_run(spec: CellSpec, reason: str) -> ResultCell:
    """The cell of `spec` without a value; the note says why."""
    return ResultCell(
        row=spec.row, column=spec.column, state="not run", paper=published(spec.paper),
        notes=(f"{NOT_RUN}: {reason}",),
    )  # fmt: skip


def part_of(scores: pl.DataFrame, part: str) -> pl.DataFrame:
    """The rows of a cell's part: `real`, `fake`, or the fakes of an action; empty is all."""
    if not part:
        return scores
    if part in ("real", "fake"):
        return scores.filter(pl.col("label") == part)
    return scores.filter((pl.col("label") == "fake") & (pl.col("action") == part))


def scores_of(score: ScoreSpec, executed: Executed) -> pl.DataFrame:
    """The table of one score in its quality."""
    table = read_scores(executed.scores[score])
    return table.filter(pl.col("quality") == score.quality)


def _seed(
    score: ScoreSpec,
    part: str,
    executed: Executed,
    read: Callable[[ScoreSpec], pl.DataFrame],
    draws: int,
) -> _Seed | str:
    """The metrics of one run's scores, or why there are none."""
    if isinstance(score.run, ExternalDetector):
        if score.run in executed.unscored:
            return executed.unscored[score.run]
        folder = None
    else:
        outcome = executed.runs[score.run]
        if outcome.folder is None:
            return outcome.reason
        folder = outcome.folder
    table = part_of(read(score), part)
    frames = table.drop_nulls("logit")
    if frames.is_empty():
        return f"the test split has no {part or 'readable'} clips; run it with another dataset"
    share = int((frames["label"] == "fake").sum()) / len(frames)
    found = evaluate(table, draws=draws)
    seed = SeedScore(
        **_training(score.run, folder),
        frame=_defined(found.frame),
        clip=_defined(found.clip),
        unscored=found.num_unscored,
    )
    return seed, max(share, 1 - share) if 0 < share < 1 else None


def _training(spec: RunSpec | ExternalDetector, folder: Path | None) -> dict[str, Any]:
    """What is known of a detector's training, under the fields of `SeedScore`."""
    if isinstance(spec, ExternalDetector) or folder is None:
        assert isinstance(spec, ExternalDetector)
        return {"seed": 0, "run": spec.folder_name, "steps": 0, "initialisation": ELSEWHERE}
    run = read_run(folder)
    return {
        "seed": spec.config.seed,
        "run": folder.name,
        "steps": run.steps,
        "initialisation": run.initialisation,
        "frame_px": int(run.record.get("frame_px") or 0),
    }


def _defined(metrics: dict[str, Estimate]) -> dict[str, Estimate]:
    """The metrics that are defined: with one class some are not."""
    return {
        name: found
        for name, found in metrics.items()
        if all(isfinite(v) for v in (found.value, found.low, found.high))
    }


def _cell(spec: CellSpec, seeds: Sequence[_Seed], stamp: str) -> ResultCell:
    score, chance = spec.scores[0], seeds[0][1]
    details = Score(
        **_detector(score.run),
        tested_on=score.dataset,
        tested_quality=score.quality,
        chance=chance,
        learnt=None,
        seeds=tuple(seed for seed, _ in seeds),
    )
    accuracy = details.frame["accuracy"]
    learnt = None if chance is None else accuracy.groups > 1 and accuracy.low > chance
    values = [seed.frame["accuracy"].value for seed, _ in seeds]
    return ResultCell(
        row=spec.row,
        column=spec.column,
        state="run",
        value=mean(values),
        low=accuracy.low,
        high=accuracy.high,
        n=accuracy.n,
        groups=accuracy.groups,
        spread=stdev(values) if len(values) > 1 else None,
        paper=published(spec.paper),
        notes=tuple(_remarks(details, accuracy, stamp)),
        score=details.model_copy(update={"learnt": learnt}),
    )


def _detector(spec: RunSpec | ExternalDetector) -> dict[str, Any]:
    """The detector and its training, under the fields of `Score`."""
    if isinstance(spec, ExternalDetector):
        frames = spec.frames if spec.kind == "function" else 0
        return {
            "network": spec.name, "size_px": 0, "frames_per_clip": frames,
            "trained_on": ELSEWHERE, "trained_quality": ELSEWHERE,
        }  # fmt: skip
    config = spec.config
    return {
        "network": config.network,
        "size_px": config.input_size_px,
        "frames_per_clip": config.frames_per_clip,
        "trained_on": spec.dataset,
        "trained_quality": config.quality,
        "started_from": _start(spec),
    }


def _remarks(score: Score, accuracy: Estimate, stamp: str) -> list[str]:
    """What must be known before the number is believed."""
    own = score.trained_on != ELSEWHERE
    found = [stamp] if stamp and own else []
    if not own:
        found.append("your detector: not trained here")
    elif not stamp and any(seed.steps < CLAIM_STEPS for seed in score.seeds):
        found.append(f"fewer than {CLAIM_STEPS} steps: claims nothing")
    if accuracy.groups < 2:
        found.append("one person: no interval over people")
    if score.chance is not None and accuracy.low <= score.chance:
        found.append(f"not above chance ({score.chance:.0%})")
    return found


def _start(run: RunSpec) -> str:
    return "" if run.start is None else f"{run.start.config.network} trained on {run.start.dataset}"
