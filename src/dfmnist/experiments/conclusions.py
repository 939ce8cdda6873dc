"""The paper's conclusions as differences of accuracies with intervals: yes, no, not decided."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import mean

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from dfmnist.core.actions import INFO, TEN, Action
from dfmnist.core.arrays import Floats
from dfmnist.core.choices import QUALITIES
from dfmnist.detectors.scores import groups, scored, threshold_logit
from dfmnist.experiments.actions import ALL_ACTIONS, figure5, figure6
from dfmnist.experiments.charts import (
    BOTTOM_IN,
    ROW_IN,
    TOP_IN,
    WIDTH_IN,
    add_key,
    paper_mark,
    place_axes,
    write_stamp,
)
from dfmnist.experiments.compression import table3, table4, table5
from dfmnist.experiments.corpus import MIXED, TEN_FAKES, figure3, figure4
from dfmnist.experiments.execute import Executed
from dfmnist.experiments.experiment import Experiment, Made, headings, picture_of
from dfmnist.experiments.measure import DRAWS, measure, part_of, scores_of
from dfmnist.experiments.paper import FOUR, MODELS, OWN_MODELS
from dfmnist.experiments.plan import CellSpec, Plan, PlanContext, ScoreSpec
from dfmnist.experiments.render import points
from dfmnist.experiments.results import Heading, Published, ResultCell, ResultTable
from dfmnist.experiments.shortcut import SAME_FAKES, TALKING, shortcut
from dfmnist.experiments.theme import Chart, Theme, bare, draw
from dfmnist.experiments.transfer import CROSSED, ORIGINAL, table2, table6
from dfmnist.stats.intervals import Estimate, draw_identities, interval

HEAD_MOVES = (Action.YAW, Action.NOD, Action.RIGHT_SLOPE, Action.LEFT_SLOPE, Action.LOOK_UP)
SMALL = (Action.BLINK, Action.SMILE)
"""The paper's examples of small changes (section 5.4)."""
SLOPES = (Action.RIGHT_SLOPE, Action.LEFT_SLOPE)
"""The paper's examples of actions that are hard to detect and teach much (section 5.4)."""
RESNETS = ("resnet50", "resnet101", "resnet152")
YES, NO, OPEN = "yes", "no", "not decided"
DIFFERENCE, HOLDS = "difference", "holds"
"""Keys of the two columns."""


@dataclass(frozen=True)
class Claim:
    """A conclusion: the cells `more` are more accurate than the cells `less`, pair by pair."""

    name: str
    said: str
    """The paper's conclusion in our words, with its place."""
    more: tuple[CellSpec, ...] = ()
    less: tuple[CellSpec, ...] = ()
    learnt: tuple[CellSpec, ...] = ()
    """Cells that must be above chance, or nothing is decided; empty means `more`."""
    factor: float = 1.0
    """Factor of the difference of the two sides' averages: 2 where each side mixes two groups of
    cells, so that the claim is about a difference of two differences."""
    margin: float = 0.0
    """With a margin, the claim is that both sides differ by less than this, as a fraction."""
    against_chance: bool = False
    """True if chance takes the place of the cells `less`."""

    @property
    def runnable(self) -> bool:
        """Whether there are runs on both sides."""
        return bool(self.more and (self.less or self.against_chance))

    @property
    def cells(self) -> tuple[CellSpec, ...]:
        """Every cell that the claim needs."""
        return (*self.more, *self.less, *self.learnt)

    @property
    def published(self) -> float | None:
        """The difference of the paper's values; None where the paper does not give them all."""
        sides = [[c.paper.value if c.paper else None for c in s] for s in (self.more, self.less)]
        if (
            self.against_chance
            or not all(sides)
            or any(value is None for side in sides for value in side)
        ):
            return None
        more, less = ([v for v in side if v is not None] for side in sides)
        return self.factor * (mean(more) - mean(less))


@dataclass(frozen=True)
class Finding:
    """A claim and the answer of this dataset."""

    claim: Claim
    difference: Estimate | None
    """Difference of accuracies as a fraction, with its interval over people and seeds."""
    verdict: str
    why: str = ""
    """Why the claim is not decided, or not run."""


def _pairs(
    more: Sequence[CellSpec], less: Sequence[CellSpec]
) -> tuple[tuple[CellSpec, ...], tuple[CellSpec, ...]]:
    """The pairs of cells of which both are run."""
    kept = [(m, n) for m, n in zip(more, less, strict=True) if m.scores and n.scores]
    return tuple(m for m, _ in kept), tuple(n for _, n in kept)


IN_THE_BEST = ("figure4", "figure5")
"""Figures in one quality: the dataset's best, which is raw in the paper."""


def claims(context: PlanContext) -> tuple[Claim, ...]:
    """Every conclusion that the paper's tables and figures carry, and this project's own."""
    plans = {
        "table2": table2, "table3": table3, "table4": table4, "table5": table5, "table6": table6,
        "figure3": figure3, "figure4": figure4, "figure5": figure5, "figure6": figure6,
        "shortcut": shortcut,
    }  # fmt: skip
    known = {
        (name, cell.row, "raw" if name in IN_THE_BEST else cell.column): cell
        for name, make in plans.items()
        for cell in make(context).cells
    }
    return (
        *_networks(known),
        *_qualities(known),
        *_actions(known, context.recipe.main),
        *_corpora(known),
        *_transfers(known),
    )


Known = dict[tuple[str, str, str], CellSpec]


def _networks(known: Known) -> list[Claim]:
    def run(quality: str, *models: str) -> tuple[CellSpec, ...]:
        found = [known["table3", quality, m] for m in models]
        return tuple(c for c in found if c.scores)

    others = [m for m in (*RESNETS, "mesoinception4") if run("raw", m) and run("c40", m)]
    light = run("raw", "xception") * len(others)
    heavy = run("c40", "xception") * len(others)
    both = bool(light and heavy)
    return [
        Claim(
            "ResNets are better than Xception",
            "on raw, ResNets are more accurate than Xception (section 5.1)",
            run("raw", *RESNETS),
            run("raw", "xception"),
        ),
        Claim(
            "Xception is better than MesoInception-4",
            "on raw, Xception is more accurate than MesoInception-4 (section 5.1)",
            run("raw", "xception"),
            run("raw", "mesoinception4"),
        ),
        Claim(
            "Depth changes little",
            "on raw, ResNet-152 and ResNet-50 are equally accurate, here to 2 points (section 5.1)",
            run("raw", "resnet152"),
            run("raw", "resnet50"),
            margin=0.02,
        ),
        Claim(
            "Xception loses most by compression",
            "from raw to c40, Xception loses more accuracy than the other networks (section 5.1)",
            (*light, *run("c40", *others)) if both else (),
            (*heavy, *run("raw", *others)) if both else (),
            learnt=run("raw", "xception"),
            factor=2.0,
        ),
    ]


def _qualities(known: Known) -> list[Claim]:
    def own(quality: str, models: Sequence[str]) -> list[CellSpec]:
        return [known["table3", quality, m] for m in models]

    def crossed(column: str) -> list[CellSpec]:
        return [known["table4", m, column] for m in four]

    models = _run_models(known, "table3", MODELS)
    four = [m for m in _run_models(known, "table4", FOUR) if ("table5", "c40", m) in known]
    mixed = [known["table5", "c40", m] for m in four]
    every = [(q, m) for q in QUALITIES for m in four]
    small, large = ([(q, m) for q in QUALITIES] for m in ("resnet50", "resnet152"))
    interplay = _pairs(
        [*(known["table3", *at] for at in small), *(known["table5", *at] for at in large)],
        [*(known["table5", *at] for at in small), *(known["table3", *at] for at in large)],
    )
    whole = len(interplay[0]) == len(small) + len(large)
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
                [*own("c40", four), *own("raw", four)],
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
        Claim(
            "Mixed quality needs a large network",
            "training on all qualities costs ResNet-50 more accuracy than ResNet-152 (section 5.2)",
            *(interplay if whole else ((), ())),
            factor=2.0,
        ),
        Claim(
            "Light compression generalises best",
            "tested on the qualities that they were not trained on, detectors trained on c23 are "
            "more accurate than those trained on raw or on c40 (section 5.2)",
            *_pairs(
                [*crossed("c23->raw"), *crossed("c23->c40")] * 2,
                [
                    *(c for column in ("raw->c23", "raw->c40") for c in crossed(column)),
                    *(c for column in ("c40->c23", "c40->raw") for c in crossed(column)),
                ],
            ),
        ),
    ]


def _run_models(known: Known, table: str, papers: Sequence[str]) -> list[str]:
    """The paper's networks of a table; where none of them is run, this project's that are."""

    def run(model: str) -> bool:
        cells = (cell for (name, *place), cell in known.items() if name == table and model in place)
        return any(cell.scores for cell in cells)

    own = [model for model in OWN_MODELS if run(model)]
    return own if own and not any(map(run, papers)) else list(papers)


def _actions(known: Known, main: str) -> list[Claim]:
    def of(kind: str, actions: Sequence[Action], quality: str = "raw") -> tuple[CellSpec, ...]:
        found = [known[kind, INFO[a].title, quality] for a in actions]
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
        Claim(
            "Left slope is hardest to detect",
            "fakes of the other actions are found more often than those of left slope "
            "(section 5.4)",
            of("figure6", [a for a in TEN if a != Action.LEFT_SLOPE]),
            of("figure6", [Action.LEFT_SLOPE]),
            learnt=(known["table3", "raw", main],),
        ),
        Claim(
            "Embarrassment needs quality",
            "fakes of embarrassment are found more often on raw than on c40 (section 5.4)",
            of("figure6", [Action.EMBARRASSMENT]),
            of("figure6", [Action.EMBARRASSMENT], "c40"),
            learnt=(known["table3", "raw", main],),
        ),
        Claim(
            "What is hard to detect teaches more",
            "trained on one action alone, the slopes carry over to all better than blink and smile "
            "(section 5.4)",
            of("figure5", SLOPES),
            of("figure5", SMALL),
        ),
    ]


def _corpora(known: Known) -> list[Claim]:
    few = ("5%", TEN_FAKES)
    ten = [known["figure3", TEN_FAKES, q] for q in QUALITIES]
    return [
        Claim(
            "A tenth of the corpus teaches less",
            "a smaller corpus costs accuracy, on raw a little (section 5.3)",
            *_pairs([known["figure3", "100%", "raw"]], [known["figure3", "10%", "raw"]]),
        ),
        Claim(
            "A hundredth of the corpus teaches far less",
            "with 1% of the corpus, accuracy falls in every quality (section 5.3)",
            *_pairs(
                [known["figure3", "100%", q] for q in QUALITIES],
                [known["figure3", "1%", q] for q in QUALITIES],
            ),
        ),
        Claim(
            "Ten fakes teach nothing",
            "trained on ten fakes and as many real clips, a detector guesses: here its accuracy is "
            "within 5 points of chance (section 5.3)",
            tuple(c for c in ten if c.scores),
            margin=0.05,
            against_chance=True,
        ),
        Claim(
            "Mixed quality helps a small corpus",
            "with 5% of the corpus or ten fakes, training on all qualities is more accurate than "
            "training on the quality that is tested (section 5.3)",
            *_pairs(
                [known["figure3", row, MIXED + q] for row in few for q in QUALITIES],
                [known["figure3", row, q] for row in few for q in QUALITIES],
            ),
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
            columns = [c for c in columns if (kind, CROSSED, c) in known]
        return [known[kind, row, c] for c in columns]

    talk, acting = (known["shortcut", TALKING, c] for c in SAME_FAKES)
    return [
        Claim(
            "Detectors of other attacks fail here",
            "trained on another attack, a detector finds that one better than these animations "
            "(section 5, Table 2)",
            *_pairs(side("table2", ORIGINAL), side("table2", CROSSED)),
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


def conclusions(context: PlanContext) -> Plan:
    """Plan of the conclusions: the cells of every claim that can be judged."""
    cells = dict.fromkeys(c for claim in claims(context) if claim.runnable for c in claim.cells)
    return Plan(tuple(cells))


@dataclass(frozen=True)
class _Counts:
    """Numbers of right frames and of all frames of one score, by person."""

    people: tuple[str, ...]
    right: Floats
    frames: Floats


def judge(
    context: PlanContext, executed: Executed, plan: Plan, draws: int = DRAWS, seed: int = 0
) -> list[Finding]:
    """Judge every claim by the scores that were made."""
    measured = measure(plan, executed, context.recipe.stamp, draws=1)
    cells = dict(zip(plan.cells, measured, strict=True))
    count = cache(partial(_counts, executed=executed))  # claims share cells
    return [_judge(claim, cells, count, draws, seed) for claim in claims(context)]


def _judge(
    claim: Claim,
    cells: dict[CellSpec, ResultCell],
    count: Callable[[ScoreSpec, str], _Counts],
    draws: int,
    seed: int,
) -> Finding:
    if not claim.runnable:
        return Finding(claim, None, "", "no run on both sides: see its table")
    if lost := next((cells[c] for c in claim.cells if not cells[c].ran), None):
        return Finding(claim, None, "", lost.notes[0].removeprefix("not run: "))
    counts = {c: [count(s, c.part) for s in c.scores] for c in claim.cells}
    people = sorted({p for of in counts.values() for one in of for p in one.people})
    generator = np.random.default_rng(seed)
    drawn, _ = draw_identities(np.array(people), draws, generator)
    drawn = np.vstack([np.ones(len(people)), drawn])  # first the value itself

    def accuracy(of: Sequence[CellSpec]) -> Floats:
        each = np.stack([_drawn(counts[c], people, drawn, generator) for c in of])
        average: Floats = each.mean(axis=0)
        return average

    if claim.against_chance:
        known = [s.chance for c in claim.more if (s := cells[c].score) and s.chance is not None]
        if not known:
            return Finding(claim, None, "", "its chance is not known")
        difference = accuracy(claim.more) - mean(known)
    else:
        difference = claim.factor * (accuracy(claim.more) - accuracy(claim.less))
    estimate = interval(difference[0], difference[1:], n=len(claim.more), groups=len(people))
    verdict, why = _verdict(claim, cells, accuracy(claim.learnt or claim.more), estimate)
    return Finding(claim, estimate, verdict, why)


def _verdict(
    claim: Claim, cells: dict[CellSpec, ResultCell], learnt: Floats, difference: Estimate
) -> tuple[str, str]:
    """The verdict (yes, no, not decided), and why it is not decided."""
    if difference.groups < 2:
        return OPEN, "one person: no interval over people"
    if claim.against_chance:
        return _equal(claim, difference)
    scores = [cells[c].score for c in claim.learnt or claim.more]
    known = [s.chance for s in scores if s is not None and s.chance is not None]
    found = interval(learnt[0], learnt[1:], n=difference.n, groups=difference.groups)
    if known and found.low <= mean(known):
        return OPEN, (
            "what should be more accurate is not above chance "
            f"({found.low:.1%} to {found.high:.1%})"
        )
    if claim.margin:
        return _equal(claim, difference)
    if difference.low > 0:
        return YES, ""
    if difference.high < 0:
        return NO, ""
    return OPEN, "the interval holds zero"


def _equal(claim: Claim, difference: Estimate) -> tuple[str, str]:
    """The verdict on a claim of no difference: yes if the interval lies within the margin."""
    if -claim.margin < difference.low and difference.high < claim.margin:
        return YES, ""
    if difference.low > claim.margin or difference.high < -claim.margin:
        return NO, ""
    return OPEN, f"the interval does not lie within ±{100 * claim.margin:g} points, nor outside"


def _drawn(
    seeds: Sequence[_Counts], people: Sequence[str], drawn: Floats, generator: np.random.Generator
) -> Floats:
    """Accuracy in each draw (d,); seeds are drawn too, except in the first draw."""
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


def _counts(score: ScoreSpec, part: str, executed: Executed) -> _Counts:
    table = scores_of(score, executed)
    called = pl.col("logit") >= threshold_logit(table)
    frames = part_of(scored(table), part)
    rows = (
        frames.with_columns(person=groups(frames))
        .with_columns(right=called == (pl.col("label") == "fake"))
        .group_by("person")
        .agg(pl.col("right").sum(), pl.len().alias("frames"))
        .sort("person")
    )
    return _Counts(
        tuple(rows["person"].to_list()),
        rows["right"].to_numpy().astype(np.float64),
        rows["frames"].to_numpy().astype(np.float64),
    )


def _draw(made: Made, folder: Path) -> ResultTable:
    """Draw a row for each claim: the difference in points, and whether it holds here."""
    found = judge(made.context, made.executed, made.plan)
    stamp = made.context.recipe.stamp
    said = tuple(f"{f.claim.name}: {f.claim.said}." for f in found)
    how = (
        "Differences of accuracies on single frames, in points, averaged over the cells named. In "
        f"brackets the 95% interval over test people ({DRAWS:,} draws of whole people, the same "
        "in all cells; where there are several seeds, these are drawn too). Yes or no where the "
        "interval leaves zero out, and then only if what should be more accurate is above chance; "
        "a claim that two things are equal holds where the interval lies within its margin. "
        "The paper's differences are computed from its printed values; it gives no intervals."
    )
    return made.table(
        rows=headings(f.claim.name for f in found),
        columns=(
            Heading(key=DIFFERENCE, title="difference in points"),
            Heading(key=HOLDS, title="does it hold here?"),
        ),
        cells=[cell for finding in found for cell in cells_of(finding, stamp)],
        sentences=(*said, how),
        picture=picture_of(conclusions_chart(folder, found, stamp)),
    )


def cells_of(finding: Finding, stamp: str = "") -> list[ResultCell]:
    """The cells of a claim's row: its difference, and whether it holds."""
    claim, found = finding.claim, finding.difference
    value = claim.published
    paper = None if value is None else Published(text=points(value), value=value)
    if found is None:
        notes = (f"not run: {finding.why}",)
        return [
            ResultCell(
                row=claim.name, column=DIFFERENCE, state="not run", unit="points", paper=paper,
                notes=notes,
            )
        ]  # fmt: skip
    return [
        ResultCell(
            row=claim.name, column=DIFFERENCE, state="run", unit="points", value=found.value,
            low=found.low, high=found.high, n=found.n, groups=found.groups, paper=paper,
        ),
        ResultCell(
            row=claim.name, column=HOLDS, state="run", unit="text", text=finding.verdict,
            notes=tuple(n for n in (stamp, finding.why) if n),
        ),
    ]  # fmt: skip


def conclusions_chart(folder: Path, found: Sequence[Finding], stamp: str = "") -> Chart:
    """Draw a line for each claim: the difference in points, its interval, and the paper's."""
    marks = {YES: "o", NO: "X", OPEN: "o"}

    def paint(figure: Figure, theme: Theme) -> None:
        axes = place_axes(figure, left_in=2.75)
        bare(axes, theme)
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.set_yticks(range(len(found)), [f.claim.name for f in found])
        axes.xaxis.tick_top()
        axes.axvline(0, color=theme.muted, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
        for y, finding in enumerate(found):
            if (value := finding.claim.published) is not None:
                paper_mark(axes, value * 100, y, theme)
            if (difference := finding.difference) is None:
                axes.text(0, y, "  not run", va="center", fontsize=7.5, color=theme.muted)
                continue
            ends = [difference.low * 100, difference.high * 100]
            axes.plot(ends, [y, y], color=theme.fake, linewidth=2, zorder=2)
            fill = theme.backdrop if finding.verdict == OPEN else theme.fake
            axes.plot(difference.value * 100, y, marks[finding.verdict], color=theme.fake,
                      markerfacecolor=fill, markersize=5.5, zorder=4)  # fmt: skip
        entries = [
            ("o", theme.fake, theme.fake, "holds here, 95% interval over people"),
            ("o", theme.fake, theme.backdrop, "not decided"),
            ("X", theme.fake, theme.fake, "the other way round"),
            ("D", theme.paper, "none", "the paper's"),
        ]
        add_key(figure, theme, entries)
        write_stamp(figure, theme, stamp)

    parts = []
    for finding in found:
        difference = finding.difference
        ours = "not run" if difference is None else (
            f"{difference.value * 100:+.1f}, {finding.verdict}"
        )  # fmt: skip
        parts.append(f"{finding.claim.name}: {ours}")
    alt = "Differences of accuracy in points. " + "; ".join(parts)
    size = (WIDTH_IN + 0.9, ROW_IN * len(found) + TOP_IN + BOTTOM_IN)
    return draw(folder, "conclusions", alt, paint, size, png=True)


CONCLUSIONS = Experiment(
    "conclusions", "Conclusions: which of the paper's hold on this dataset", conclusions, _draw
)
