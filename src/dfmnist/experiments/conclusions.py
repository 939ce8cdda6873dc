"""What the paper concludes, as differences of accuracies with intervals: yes, no, not decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dfmnist.core.actions import INFO, Action
from dfmnist.detectors.scores import scored, threshold_logit
from dfmnist.experiments.cells import DRAWS, Cell, measure, part_of
from dfmnist.experiments.execute import Executed
from dfmnist.experiments.paper import QUALITIES
from dfmnist.experiments.plan import (
    ALL_ACTIONS,
    FOUR,
    SAME_FAKES,
    TALKING,
    CellSpec,
    Plan,
    PlanContext,
    figure3,
    figure4,
    figure5,
    figure6,
    shortcut,
    table2,
    table3,
    table4,
    table5,
    table6,
)
from dfmnist.experiments.render import NOT_RUN, Entry, Sheet
from dfmnist.stats.intervals import Estimate, draw_identities, interval

HEAD_MOVES = (Action.YAW, Action.NOD, Action.RIGHT_SLOPE, Action.LEFT_SLOPE, Action.LOOK_UP)
SMALL = (Action.BLINK, Action.SMILE)
"""The paper's examples of small changes (section 5.4)."""
YES, NO, OPEN = "yes", "no", "not decided"
TITLE = "Conclusions: which of the paper's hold on this dataset"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Claim:
    """`more` is more accurate than `less`, says the paper; cell by cell."""

    name: str
    said: str
    """The paper's conclusion in our words, with its place."""
    more: tuple[CellSpec, ...] = ()
    less: tuple[CellSpec, ...] = ()
    learnt: tuple[CellSpec, ...] = ()
    """Must be better than guessing, or nothing is decided; by default `more`."""

    @property
    def runnable(self) -> bool:
        """Whether there is a run on either side."""
        return bool(self.more and self.less)

    @property
    def cells(self) -> tuple[CellSpec, ...]:
        """All cells that it needs."""
        return (*self.more, *self.less, *self.learnt)

    @property
    def published(self) -> float | None:
        """The same difference of the paper's values; None where it does not give them all."""
        sides = [[c.paper.value if c.paper else None for c in s] for s in (self.more, self.less)]
        if not all(sides) or any(value is None for side in sides for value in side):
            return None
        more, less = ([v for v in side if v is not None] for side in sides)
        return mean(more) - mean(less)


@dataclass(frozen=True)
class Finding:
    """A claim as it came out."""

    claim: Claim
    difference: Estimate | None
    """In fractions of accuracy; the interval is over people, and over seeds where several."""
    verdict: str
    why: str = ""
    """Why it is not decided, or not run."""
    stamp: str = ""


def _pairs(
    more: Sequence[CellSpec], less: Sequence[CellSpec]
) -> tuple[tuple[CellSpec, ...], tuple[CellSpec, ...]]:
    """The pairs of which both cells are run."""
    kept = [(m, n) for m, n in zip(more, less, strict=True) if m.scores and n.scores]
    return tuple(m for m, _ in kept), tuple(n for _, n in kept)


def claims(world: PlanContext) -> tuple[Claim, ...]:
    """Every conclusion that the paper's tables and figures carry, and this project's own."""
    known = {
        (plan.name, cell.row, cell.column): cell
        for make in (table2, table3, table4, table5, table6, figure3, figure4, figure5, figure6,
                     shortcut)
        for plan in (make(world),)
        for cell in plan.cells
    }  # fmt: skip
    return (
        *_qualities(known),
        *_actions(known, world.recipe.main),
        *_corpora(known),
        *_transfers(known),
    )


Known = dict[tuple[str, str, str], CellSpec]


def _qualities(known: Known) -> list[Claim]:
    def own(quality: str, models: Sequence[str]) -> list[CellSpec]:
        return [known["table3", quality, m] for m in models]

    def crossed(column: str) -> list[CellSpec]:
        return [known["table4", m, column] for m in FOUR]

    models = [m for kind, quality, m in known if kind == "table3" and quality == "raw"]
    mixed = [known["table5", "c40", m] for m in FOUR]
    every = [(q, m) for q in QUALITIES for m in FOUR]
    return [
        Claim(
            "Heavy compression hurts",
            "detectors trained and tested on c40 are less accurate than on raw (section 5.1)",
            *_pairs(own("raw", models), own("c40", models)),
        ),
        Claim(
            "Another quality breaks a detector",
            "trained on raw and tested on c40, or the other way round, detectors are less "
            "accurate than those trained on the quality that is tested (section 5.2)",
            *_pairs(
                [*own("c40", FOUR), *own("raw", FOUR)],
                [*crossed("raw->c40"), *crossed("c40->raw")],
            ),
        ),
        Claim(
            "Mixed quality helps on heavy compression",
            "trained on all qualities, detectors are more accurate on c40 than those trained on "
            "raw (section 5.2)",
            *_pairs(mixed, crossed("raw->c40")),
        ),
        Claim(
            "Mixed quality costs a little",
            "on a quality that is known beforehand, detectors trained on that alone are more "
            "accurate than those trained on all (section 5.2)",
            *_pairs(
                [known["table3", q, m] for q, m in every], [known["table5", q, m] for q, m in every]
            ),
        ),
    ]


def _actions(known: Known, main: str) -> list[Claim]:
    def of(kind: str, actions: Sequence[Action]) -> tuple[CellSpec, ...]:
        found = [known[kind, INFO[a].title, "raw"] for a in actions]
        return tuple(c for c in found if c.scores)

    every = tuple(c for (kind, _, _), c in known.items() if kind == "figure5" and c.scores)
    ten = tuple(c for c in every if c.row == ALL_ACTIONS)
    return [
        Claim(
            "Large movements teach more",
            "trained on one action alone, those of the head (yaw, nod, slopes, look up) carry "
            "over to all better than small ones (blink, smile) (section 5.4)",
            of("figure5", HEAD_MOVES),
            of("figure5", SMALL),
        ),
        Claim(
            "One action teaches less than ten",
            "with as many clips, all ten actions teach more than any single one (section 5.4)",
            ten,
            tuple(c for c in every if c.row != ALL_ACTIONS),
        ),
        Claim(
            "Small movements are easiest to detect",
            "fakes of blink and smile are found more often than those that move the head "
            "(section 5.4)",
            of("figure6", SMALL),
            of("figure6", HEAD_MOVES),
            learnt=(known["table3", "raw", main],),
        ),
    ]


def _corpora(known: Known) -> list[Claim]:
    return [
        Claim(
            "A tenth of the corpus teaches less",
            "a smaller corpus costs accuracy, on raw a little (section 5.3)",
            *_pairs([known["figure3", "100%", "raw"]], [known["figure3", "10%", "raw"]]),
        ),
        Claim(
            "Few fakes cost more than few reals",
            "with a tenth of the fakes, accuracy falls further than with a tenth of the reals "
            "(section 5.3)",
            *_pairs(
                [known["figure4", "1:10 more fake", "raw"]],
                [known["figure4", "1:10 more real", "raw"]],
            ),
        ),
    ]


def _transfers(known: Known) -> list[Claim]:
    def side(kind: str, row: str) -> list[CellSpec]:
        columns = [c for k, r, c in known if (k, r) == (kind, row)]
        if kind == "table2":  # the column of this dataset has no counterpart
            columns = [c for c in columns if (kind, "on DeepFake MNIST+", c) in known]
        return [known[kind, row, c] for c in columns]

    talk, acting = (known["shortcut", TALKING, c] for c in SAME_FAKES)
    return [
        Claim(
            "Detectors of other attacks fail here",
            "trained on another attack, a detector finds that one better than these animations "
            "(section 5, Table 2)",
            *_pairs(side("table2", "original"), side("table2", "on DeepFake MNIST+")),
        ),
        Claim(
            "Fine-tuning mends it",
            "fine-tuned on this dataset, detectors of other attacks find its animations "
            "(section 5, Table 6)",
            *_pairs(side("table6", "fine-tuned"), side("table6", "without fine-tuning")),
        ),
        Claim(
            "Part of it is the action",
            "no claim of the paper, whose real clips only talk: a detector trained on such is "
            "less accurate where real people perform the same actions",
            *_pairs([talk], [acting]),
        ),
    ]


def conclusions(world: PlanContext) -> Plan:
    """The paper's conclusions on this dataset."""
    cells = dict.fromkeys(c for claim in claims(world) if claim.runnable for c in claim.cells)
    return Plan("conclusions", TITLE, tuple(cells))


@dataclass(frozen=True)
class _Counts:
    """Right frames and all frames of one score, of its people in order of their names."""

    people: tuple[str, ...]
    right: Floats
    frames: Floats


def judge(
    world: PlanContext, executed: Executed, plan: Plan, draws: int = DRAWS, seed: int = 0
) -> list[Finding]:
    """Every claim, from the scores that were made."""
    cells = {c.spec: c for c in measure(plan, executed, world.recipe.stamp, draws=1)}
    return [
        _judge(claim, cells, executed, draws, seed, world.recipe.stamp) for claim in claims(world)
    ]


def _judge(
    claim: Claim,
    cells: dict[CellSpec, Cell],
    executed: Executed,
    draws: int,
    seed: int,
    stamp: str,
) -> Finding:
    if not claim.runnable:
        return Finding(claim, None, "", "no run on both sides: see its table", stamp)
    if why := next((cells[c].reason for c in claim.cells if cells[c].reason), ""):
        return Finding(claim, None, "", why, stamp)
    counts = {c: [_counts(executed.scores[s], c.part) for s in c.scores] for c in claim.cells}
    people = sorted({p for of in counts.values() for one in of for p in one.people})
    generator = np.random.default_rng(seed)
    drawn, _ = draw_identities(np.array(people), draws, generator)
    drawn = np.vstack([np.ones(len(people)), drawn])  # first the figure itself

    def accuracy(of: Sequence[CellSpec]) -> Floats:
        each = np.stack([_drawn(counts[c], people, drawn, generator) for c in of])
        average: Floats = each.mean(axis=0)
        return average

    difference = accuracy(claim.more) - accuracy(claim.less)
    estimate = interval(difference[0], difference[1:], n=len(claim.more), groups=len(people))
    verdict, why = _verdict(claim, cells, accuracy(claim.learnt or claim.more), estimate)
    return Finding(claim, estimate, verdict, why, stamp)


def _verdict(
    claim: Claim, cells: dict[CellSpec, Cell], learnt: Floats, difference: Estimate
) -> tuple[str, str]:
    """Yes, no or not decided, and why the last."""
    if difference.groups < 2:
        return OPEN, "one person: no interval over people"
    chances = [s.chance for c in claim.learnt or claim.more for s in cells[c].seeds]
    known = [c for c in chances if c is not None]
    found = interval(learnt[0], learnt[1:], n=difference.n, groups=difference.groups)
    if known and found.low <= mean(known):
        return OPEN, (
            "what should be more accurate is not told from chance "
            f"({found.low:.1%} to {found.high:.1%})"
        )
    if difference.low > 0:
        return YES, ""
    if difference.high < 0:
        return NO, ""
    return OPEN, "the interval holds zero"


def _drawn(
    seeds: Sequence[_Counts], people: Sequence[str], drawn: Floats, generator: np.random.Generator
) -> Floats:
    """Accuracy in each draw (d,), the seeds drawn too (in all but the first)."""
    place = {p: i for i, p in enumerate(people)}
    each = []
    for one in seeds:
        weight = drawn[:, [place[p] for p in one.people]]
        with np.errstate(invalid="ignore"):  # nobody of this score is in the draw
            each.append((weight @ one.right) / (weight @ one.frames))
    table = np.stack(each)
    chosen = generator.integers(len(seeds), size=table.shape)
    chosen[:, 0] = np.arange(len(seeds))
    accuracy: Floats = np.take_along_axis(table, chosen, axis=0).mean(0)
    return accuracy


def _counts(path: Path, part: str) -> _Counts:
    table = pl.read_parquet(path)
    cut = threshold_logit(table)
    called = pl.col("logit") >= cut
    rows = (
        part_of(scored(table), part)
        .with_columns(right=called == (pl.col("label") == "fake"))
        .group_by("source_id")
        .agg(pl.col("right").sum(), pl.len().alias("frames"))
        .sort("source_id")
    )
    return _Counts(
        tuple(rows["source_id"].to_list()),
        rows["right"].to_numpy().astype(np.float64),
        rows["frames"].to_numpy().astype(np.float64),
    )


def sheet_of_conclusions(found: Sequence[Finding]) -> Sheet:
    """A row a claim: what the paper says, the difference in points, whether it holds here."""
    difference, holds = "difference in points", "does it hold here?"
    entries = {}
    for finding in found:
        claim, estimate = finding.claim, finding.difference
        published = claim.published
        paper = "" if published is None else points(published)
        notes = tuple(n for n in (finding.stamp if estimate else "", finding.why) if n)
        if estimate is None:
            entries[claim.name, difference] = Entry(NOT_RUN, paper, (f"{NOT_RUN}: {finding.why}",))
        else:
            shown = f"{points(estimate.value)} ({points(estimate.low)} to {points(estimate.high)})"
            entries[claim.name, difference] = Entry(shown, paper)
            entries[claim.name, holds] = Entry(finding.verdict, notes=notes)
    said = tuple(f"{f.claim.name}: {f.claim.said}." for f in found)
    how = (
        "Differences of accuracies on single frames, in points, averaged over the cells named. In "
        f"brackets the 95% interval over test people ({DRAWS:,} draws of whole people, the same "
        "in all cells; where there are several seeds, these are drawn too). Yes or no where the "
        "interval leaves zero out, and then only if what should be more accurate is told from "
        "chance. The paper's differences are computed from its printed values; it gives no "
        "intervals.",
    )
    rows = tuple(f.claim.name for f in found)
    return Sheet("conclusions", TITLE, rows, (difference, holds), entries, (*said, *how))


def points(share: float) -> str:
    """`+2.1`, with a true minus sign."""
    text = f"{share * 100:+.1f}"
    return text.replace("-", "−")


def tidy_conclusions(found: Sequence[Finding]) -> pl.DataFrame:
    """A row a claim."""
    rows = []
    for finding in found:
        claim, estimate = finding.claim, finding.difference
        rows.append(
            {
                "experiment": "conclusions",
                "row": claim.name,
                "said": claim.said,
                "status": "not run" if estimate is None else finding.stamp or "run",
                "verdict": finding.verdict,
                "why": finding.why,
                "difference": None if estimate is None else estimate.value,
                "low": None if estimate is None else estimate.low,
                "high": None if estimate is None else estimate.high,
                "people": None if estimate is None else estimate.groups,
                "cells": len(claim.more),
                "seeds": max((len(c.scores) for c in claim.more), default=0),
                "paper": claim.published,
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)
