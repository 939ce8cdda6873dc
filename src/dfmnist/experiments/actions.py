"""The ten actions: what one of them teaches, and how well each is detected.

Figures 5 and 6 (section 5.4).
"""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfmnist.core.actions import INFO, TEN, Action
from dfmnist.core.choices import QUALITIES
from dfmnist.experiments import paper
from dfmnist.experiments.charts import (
    NARROW_IN,
    accuracy_alt,
    add_key,
    name_rows,
    percent_axis,
    place_axes,
    write_stamp,
)
from dfmnist.experiments.experiment import Experiment, Made, draw_accuracies
from dfmnist.experiments.paper import MODEL_TITLES
from dfmnist.experiments.plan import CellSpec, Plan, PlanContext, RunSpec
from dfmnist.experiments.results import ResultCell, ResultTable
from dfmnist.experiments.theme import Chart, Theme, bare, draw

ALL_ACTIONS = "All, a tenth of them"
"""Figure 5's comparison: all ten actions with as many clips as one of them has."""
REAL = "Real clips"
_MARKS: dict[str, str] = dict(zip(QUALITIES, "os^", strict=True))


def figure5(context: PlanContext) -> Plan:
    """Plan of Figure 5: detectors trained on the fakes of one action and tested on all."""
    present = {action for action, count in context.main.fakes if count}
    quality = context.best_quality
    cells = []
    for action in TEN:
        row, published = INFO[action].title, paper.FIGURE5_SINGLE_ACTION[action]
        if action.value not in present:
            why = f"{context.main.name} has no training fake of it; run it with another dataset"
            why = why if context.main.actions else context.states_no_action
            cells.append(CellSpec(row, quality, published, missing=why))
            continue

        def make(seed: int, action: Action = action) -> RunSpec:
            return context.run(context.recipe.main, seed=seed, actions=(action.value,))

        cells.append(context.cell(row, quality, published, make))

    def tenth(seed: int) -> RunSpec:
        return context.run(context.recipe.main, seed=seed, corpus=0.1)

    cells.append(context.cell(ALL_ACTIONS, quality, paper.FIGURE5_ALL_ACTIONS, tenth))
    return Plan(tuple(cells))


def _draw5(made: Made, folder: Path) -> ResultTable:
    return draw_accuracies(made, folder, say=_mean_of_actions)


def _mean_of_actions(cells: Sequence[ResultCell]) -> tuple[str, ...]:
    single = [c.value for c in cells if c.row != ALL_ACTIONS and c.value is not None]
    if not single:
        return ()
    mean = sum(single) / len(single)
    return (
        f"Mean over the {len(single)} single actions that were run: {mean:.1%} "
        f"(the paper, over ten: {paper.FIGURE5_MEAN.percent}).",
    )


def figure6(context: PlanContext) -> Plan:
    """Plan of Figure 6: Table 3's ResNet-50 tested on each action and quality."""
    cells = []
    for action in (*TEN, None):
        for quality in QUALITIES:

            def make(seed: int, quality: str = quality) -> RunSpec:
                return context.run(context.recipe.main, quality, seed=seed)

            row, part = place_of(action)
            published = paper.figure6(action, quality)
            if action is not None and not context.main.actions:
                cells.append(CellSpec(row, quality, published, missing=context.states_no_action))
                continue
            cells.append(context.cell(row, quality, published, make, quality=quality, part=part))
    return Plan(tuple(cells))


def place_of(action: Action | None) -> tuple[str, str]:
    """Figure 6's row for an action's fakes or the real clips (None), and the scores that count."""
    return (REAL, "real") if action is None else (INFO[action].title, action.value)


def action_chart(folder: Path, table: ResultTable) -> Chart:
    """Draw Figure 6: accuracy per action and for the real class, in each quality."""
    ran = {c.column for c in table.cells if c.value is not None}
    qualities = [q for q in QUALITIES if q in ran]
    low = min((c.low for c in table.cells if c.low is not None), default=0.0)
    left = 0.0 if low < 0.45 else 0.4 if low < 0.65 else 0.6

    def paint(figure: Figure, theme: Theme) -> None:
        axes = place_axes(figure, 1.15, 0.2, 0.35, 0.62)
        bare(axes, theme)
        name_rows(axes, [row.title for row in table.rows], theme)
        percent_axis(axes, left)
        for y, row in enumerate(table.rows):
            mine = {c.column: c for c in table.cells if c.row == row.key}
            if all(c.value is None for c in mine.values()):
                axes.text(left + 0.01, y, "not run", va="center", fontsize=7.5, color=theme.muted)
            for index, quality in enumerate(qualities):
                shift = 0.26 * (index - (len(qualities) - 1) / 2)
                if (cell := mine.get(quality)) is not None:
                    _mark(axes, y + shift, cell, theme, left)
        entries = [(_MARKS[q], theme.quality[q], theme.quality[q], q) for q in qualities]
        add_key(figure, theme, [*entries, ("D", theme.paper, "none", "the paper's")], size=8.5)
        write_stamp(figure, theme, table.stamp)

    networks = dict.fromkeys(c.score.network for c in table.cells if c.score is not None)
    who = " and ".join(MODEL_TITLES.get(n, n) for n in networks) or "no detector"
    alt = f"{accuracy_alt(table)}. By {who}."
    size = (NARROW_IN, 0.42 * len(table.rows) + 1.0)
    return draw(folder, table.name, alt, paint, size, png=True)


def _mark(axes: Axes, y: float, cell: ResultCell, theme: Theme, left: float) -> None:
    """Draw one quality's accuracy with its interval, and the paper's value."""
    colour, published = theme.quality[cell.column], cell.paper
    if (found := cell.estimate) is None:
        return
    if found.groups > 1:  # one person alone gives no interval
        axes.plot([found.low, found.high], [y, y], color=colour, linewidth=2)
    axes.plot(found.value, y, _MARKS[cell.column], color=colour, markersize=6, zorder=4,
              clip_on=False)  # fmt: skip
    if published is not None and published.value is not None and published.value >= left:
        axes.plot(published.value, y, "D", color=colour, markerfacecolor="none", markersize=6,
                  markeredgewidth=1.2, zorder=3)  # fmt: skip


def _draw6(made: Made, folder: Path) -> ResultTable:
    return draw_accuracies(made, folder, action_chart)


FIGURE5 = Experiment("figure5", "Figure 5: trained on a single action", figure5, _draw5)
FIGURE6 = Experiment("figure6", "Figure 6: accuracy by action and quality", figure6, _draw6)
