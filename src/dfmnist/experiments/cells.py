"""From scores to numbers: each cell's accuracy with its interval, and all of it as tidy rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

import polars as pl

from dfmnist.detectors.metrics import Evaluation, evaluate
from dfmnist.experiments.execute import Executed, record_of
from dfmnist.experiments.plan import CellSpec, Plan, RunSpec, ScoreSpec
from dfmnist.experiments.recipe import CLAIM_STEPS
from dfmnist.stats.intervals import Estimate

DRAWS = 1000
"""Of the bootstrap over people."""


@dataclass(frozen=True)
class Seed:
    """One run's part of a cell."""

    score: ScoreSpec
    evaluation: Evaluation
    run: str
    """Name of the run's folder."""
    steps: int
    initialisation: str
    chance: float | None
    """Share of the larger class among the frames scored; None with one class only."""


@dataclass(frozen=True)
class Cell:
    """One number, as it came out."""

    spec: CellSpec
    seeds: tuple[Seed, ...] = ()
    reason: str = ""
    """Why there is no number."""
    stamp: str = ""

    @property
    def accuracy(self) -> Estimate | None:
        """Per frame, as the paper counts: the mean over seeds, and the mean of their bounds."""
        return self.estimate("frame", "accuracy")

    def estimate(self, unit: str, measure: str) -> Estimate | None:
        """A measure of `detectors.metrics`, per frame or clip; None if not run or not defined."""
        found = [(s.evaluation.frame if unit == "frame" else s.evaluation.clip)[measure]
                 for s in self.seeds]  # fmt: skip
        if not found or found[0].value != found[0].value:
            return None
        first = self.seeds[0].evaluation
        count = first.num_frames if unit == "frame" else first.num_clips
        return Estimate(
            mean(f.value for f in found),
            mean(f.low for f in found),
            mean(f.high for f in found),
            count,
            first.num_identities,
        )

    @property
    def spread(self) -> float | None:
        """Standard deviation of the frame accuracy over seeds; None with one seed."""
        values = [s.evaluation.frame["accuracy"].value for s in self.seeds]
        return stdev(values) if len(values) > 1 else None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be known before the number is believed."""
        found = [self.stamp] if self.stamp and self.seeds else []
        accuracy = self.accuracy
        if accuracy is None:
            return tuple(found)
        if not self.stamp and any(s.steps < CLAIM_STEPS for s in self.seeds):
            found.append(f"fewer than {CLAIM_STEPS} steps: claims nothing")
        if accuracy.groups < 2:
            found.append("one person: no interval over people")
        chance = self.seeds[0].chance
        if chance is not None and accuracy.low <= chance:
            found.append(f"not told from chance ({chance:.0%})")
        return tuple(found)


def measure(plan: Plan, executed: Executed, stamp: str = "", draws: int = DRAWS) -> list[Cell]:
    """Every cell of `plan`, evaluated from the scores that were made."""
    kept: dict[tuple[ScoreSpec, str], Seed | str] = {}
    cells = []
    for spec in plan.cells:
        seeds, reasons = [], [spec.missing] if spec.missing else []
        for score in spec.scores:
            key = (score, spec.part)
            if key not in kept:
                kept[key] = _seed(score, spec.part, executed, draws)
            found = kept[key]
            if isinstance(found, Seed):
                seeds.append(found)
            else:
                reasons.append(found)
        reason = "" if seeds and not reasons else reasons[0]
        cells.append(Cell(spec, () if reason else tuple(seeds), reason, stamp))
    return cells


def _seed(score: ScoreSpec, part: str, executed: Executed, draws: int) -> Seed | str:
    outcome = executed.runs[score.run]
    if outcome.folder is None:
        return outcome.reason
    table = part_of(pl.read_parquet(executed.scores[score]), part)
    frames = table.drop_nulls("logit")
    if frames.is_empty():
        return f"the test split has no {part or 'readable'} clips; run it with another --data"
    share = int((frames["label"] == "fake").sum()) / len(frames)
    record = record_of(outcome)
    return Seed(
        score,
        evaluate(table, draws=draws),
        outcome.folder.name,
        int(record["steps"]),
        str(record["initialisation"]),
        max(share, 1 - share) if 0 < share < 1 else None,
    )


def part_of(scores: pl.DataFrame, part: str) -> pl.DataFrame:
    """The rows of a cell's part: `real`, `fake`, or the fakes of an action; empty is all."""
    if not part:
        return scores
    if part in ("real", "fake"):
        return scores.filter(pl.col("label") == part)
    return scores.filter((pl.col("label") == "fake") & (pl.col("action") == part))


SCHEMA: dict[str, Any] = {
    "experiment": pl.String, "row": pl.String, "column": pl.String, "status": pl.String,
    "seed": pl.Int32, "unit": pl.String, "measure": pl.String, "value": pl.Float64,
    "low": pl.Float64, "high": pl.Float64, "n": pl.Int64, "people": pl.Int32,
    "chance": pl.Float64, "paper": pl.Float64, "paper_read_off": pl.Boolean,
    "paper_place": pl.String, "network": pl.String, "trained_on": pl.String,
    "trained_quality": pl.String, "started_from": pl.String, "tested_on": pl.String,
    "tested_quality": pl.String, "frames_per_clip": pl.Int32, "size_px": pl.Int32,
    "steps": pl.Int64, "initialisation": pl.String, "run": pl.String, "remarks": pl.String,
    "reason": pl.String,
}  # fmt: skip
"""A row is one measure of one seed of one cell; a cell that was not run is one row without value.
The paper's value stands beside the frame accuracy, which is what it gives."""


def tidy(plan: Plan, cells: Sequence[Cell]) -> pl.DataFrame:
    """All cells as rows of `SCHEMA`."""
    rows: list[dict[str, Any]] = []
    for cell in cells:
        published = cell.spec.paper
        base = {"experiment": plan.name, "row": cell.spec.row, "column": cell.spec.column}
        beside = {
            "paper": published.value if published else None,
            "paper_read_off": published.read_off if published else None,
            "paper_place": published.place if published else None,
        }
        if not cell.seeds:
            rows.append({**base, **beside, "status": "not run", "reason": cell.reason})
        for seed in cell.seeds:
            rows += _measures({**base, "status": cell.stamp or "run"}, beside, cell, seed)
    return pl.DataFrame(rows, schema=SCHEMA)


def _measures(
    base: dict[str, Any], beside: dict[str, Any], cell: Cell, seed: Seed
) -> list[dict[str, Any]]:
    run, e = seed.score.run, seed.evaluation
    about = {
        **base,
        "seed": run.config.seed,
        "people": e.num_identities,
        "chance": seed.chance,
        "network": run.config.network,
        "trained_on": run.dataset,
        "trained_quality": run.config.quality,
        "started_from": _start(run),
        "tested_on": seed.score.dataset,
        "tested_quality": seed.score.quality,
        "frames_per_clip": run.config.frames_per_clip,
        "size_px": run.config.input_size_px,
        "steps": seed.steps,
        "initialisation": seed.initialisation,
        "run": seed.run,
        "remarks": "; ".join(cell.remarks),
    }
    rows = []
    for unit, figures, n in (("frame", e.frame, e.num_frames), ("clip", e.clip, e.num_clips)):
        for name, interval in figures.items():
            if interval.value != interval.value:
                continue  # not defined with one class
            values = {"value": interval.value, "low": interval.low, "high": interval.high}
            main = (unit, name) == ("frame", "accuracy")
            rows.append(
                {**about, **(beside if main else {}), **values, "unit": unit, "measure": name,
                 "n": n}
            )  # fmt: skip
    return rows


def _start(run: RunSpec) -> str:
    return "" if run.start is None else f"{run.start.config.network} trained on {run.start.dataset}"
