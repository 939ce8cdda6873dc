"""The training corpus: its size, and the proportions of its classes.

Figures 3 and 4 (section 5.3).
"""

from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfmnist.core.choices import QUALITIES
from dfmnist.experiments import paper
from dfmnist.experiments.charts import PERCENT, WIDTH_IN, accuracy_alt, write_stamp
from dfmnist.experiments.experiment import Experiment, Made, draw_accuracies
from dfmnist.experiments.paper import FIGURE3_SHARES
from dfmnist.experiments.plan import Plan, PlanContext, RunSpec, training_clips
from dfmnist.experiments.results import ResultCell, ResultTable
from dfmnist.experiments.theme import Chart, Theme, bare, draw

MIXED = "mixed->"
"""Prefix of the columns of detectors trained in mixed quality."""


TEN_FAKES = "10 fakes"
"""The row of the paper's smallest corpus: one fake of each action, and as many real clips."""


def corpus_shares(context: PlanContext) -> dict[str, float]:
    """The rows of Figure 3, each with its share of the training clips.

    The paper's smallest corpus has ten fakes, 0.1% of its 10,000; of fewer fakes they are more.
    """
    fakes = context.main.num_fakes
    shares = {f"{share * 100:g}%": share for share in FIGURE3_SHARES[:-1]}
    return {**shares, TEN_FAKES: min(1.0, 10 / fakes) if fakes else FIGURE3_SHARES[-1]}


def figure3(context: PlanContext) -> Plan:
    """Plan of Figure 3: corpora of several sizes, in single and in mixed quality."""
    cells = []
    for row, share in corpus_shares(context).items():
        for quality in QUALITIES:

            def single(seed: int, share: float = share, quality: str = quality) -> RunSpec:
                return context.run(context.recipe.main, quality, seed=seed, corpus=share)

            cells.append(context.cell(row, quality, None, single, quality=quality))
        for quality in QUALITIES:

            def mixed(seed: int, share: float = share) -> RunSpec:
                return context.run(context.recipe.mixed_corpus, "mixed", seed=seed, corpus=share)

            cells.append(context.cell(row, MIXED + quality, None, mixed, quality=quality))
    return Plan(tuple(cells))


def _draw3(made: Made, folder: Path) -> ResultTable:
    words = "; ".join(f"{what}: {said}" for what, said in paper.FIGURE3_WORDS.items())
    told = (f"The paper prints no numbers here, but says: {words}.",)
    context = made.context
    sizes = {
        row: training_clips(context.run(context.recipe.main, corpus=share).config, context.main)[0]
        for row, share in corpus_shares(context).items()
    }
    return draw_accuracies(
        made, folder, partial(corpus_chart, sizes=sizes), say=lambda cells: told
    )  # fmt: skip


def corpus_chart(folder: Path, table: ResultTable, *, sizes: dict[str, int]) -> Chart:
    """Draw Figure 3: accuracy over the number of training fakes, single and mixed quality.

    `sizes` are the numbers of fakes by the table's rows.
    """

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(1, 2, sharey=True)
        figure.subplots_adjust(left=0.1, right=0.98, top=0.87, bottom=0.3, wspace=0.08)
        for axes, prefix, title in zip(
            panels, ("", MIXED), ("single quality", "mixed quality"), strict=True
        ):
            bare(axes, theme, grid="y")
            axes.set_title(title, fontsize=9, loc="left", color=theme.ink)
            axes.axhline(0.5, color=theme.muted, linewidth=0.8, linestyle=(0, (2, 2)))
            axes.yaxis.set_major_formatter(PERCENT)
            axes.set_ylim(0.35, 1.02)
            axes.set_xscale("log")
            axes.set_xlabel("training fakes (as many reals)", fontsize=8)
            for quality, mark in zip(QUALITIES, "os^", strict=True):
                mine = [c for c in table.cells if c.column == prefix + quality]
                _curve(axes, mine, sizes, theme.quality[quality], mark, quality)
            ticks = sorted(set(sizes.values()) - {0})
            axes.set_xticks(ticks, [str(t) for t in ticks], fontsize=7.5)
            axes.minorticks_off()
            axes.tick_params(labelcolor=theme.muted)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower left", ncols=3, frameon=False, fontsize=8,
                      labelcolor=theme.ink)  # fmt: skip
        write_stamp(figure, theme, table.stamp)

    return draw(folder, table.name, accuracy_alt(table), paint, (WIDTH_IN, 2.9), png=True)


def _curve(
    axes: Axes, cells: list[ResultCell], sizes: dict[str, int], colour: str, mark: str, label: str
) -> None:
    ran = [(sizes[c.row], c.estimate) for c in cells if c.estimate is not None]
    points = sorted((size, a.value, a.low, a.high) for size, a in ran if size)
    if not points:
        axes.plot([], [], mark + "-", color=colour, label=label)
        return
    x, y, low, high = zip(*points, strict=True)
    if all(a.groups > 1 for _, a in ran):
        axes.fill_between(x, low, high, color=colour, alpha=0.14, linewidth=0)
    axes.plot(x, y, mark + "-", color=colour, markersize=5, linewidth=1.4, label=label)


def figure4(context: PlanContext) -> Plan:
    """Plan of Figure 4: fewer training clips of one class."""
    published = {"1:10 more real": paper.FIGURE4_ACCURACY["10% of the fakes"]}
    rows: list[tuple[str, dict[str, Any]]] = [("1:1", {})]
    for name, kept in paper.FIGURE4_SHARES.items():
        rows += [(f"{name} more real", {"fakes": kept}), (f"{name} more fake", {"reals": kept})]
    cells = []
    for row, part in rows:

        def make(seed: int, part: dict[str, Any] = part) -> RunSpec:
            return context.run(context.recipe.main, seed=seed, **part)

        cells.append(context.cell(row, context.best_quality, published.get(row), make))
    return Plan(tuple(cells))


def _draw4(made: Made, folder: Path) -> ResultTable:
    lost = ", ".join(f"{what} {drop.percent}" for what, drop in paper.FIGURE4_DROP.items())
    told = (f"The paper says that it loses, in points: {lost}.",)
    return draw_accuracies(made, folder, say=lambda cells: told)


FIGURE3 = Experiment("figure3", "Figure 3: size of the training corpus", figure3, _draw3)
FIGURE4 = Experiment("figure4", "Figure 4: proportions of the classes", figure4, _draw4)
