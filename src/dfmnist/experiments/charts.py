"""Parts of charts that several experiments share, the chart of accuracies, and training curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dfmnist.experiments.results import ResultCell, ResultTable
from dfmnist.experiments.theme import Chart, Theme, bare, draw

WIDTH_IN = 5.6
ROW_IN = 0.27
NARROW_IN = 5.2
"""Width of charts whose text is to be readable on a phone."""
PERCENT = FuncFormatter(lambda value, _: f"{value * 100:.0f}%")
TOP_IN, BOTTOM_IN, LEFT_IN, RIGHT_IN = 0.4, 0.6, 1.95, 0.25
Entry = tuple[str, str, str, str]
"""A line of a key: marker, edge colour, fill colour, meaning."""


def place_axes(
    figure: Figure,
    left_in: float = LEFT_IN,
    right_in: float = RIGHT_IN,
    top_in: float = TOP_IN,
    bottom_in: float = BOTTOM_IN,
) -> Axes:
    """Axes with margins in inches, so that rows keep their height."""
    width, height = figure.get_size_inches()
    return figure.add_axes(
        (
            left_in / width,
            bottom_in / height,
            1 - (left_in + right_in) / width,
            1 - (bottom_in + top_in) / height,
        )
    )


def name_rows(axes: Axes, labels: Sequence[str], theme: Theme) -> None:
    """Name the rows, the first on top, with every other one on a band."""
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), labels)
    for row in range(0, len(labels), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=theme.band, linewidth=0, zorder=0)


def percent_axis(axes: Axes, left: float, right: float = 1.005) -> None:
    """An axis of percents from `left` on, written above the rows."""
    axes.set_xlim(left, right)
    axes.xaxis.set_major_formatter(PERCENT)
    axes.xaxis.tick_top()


def add_key(figure: Figure, theme: Theme, entries: Sequence[Entry], size: float = 7.5) -> None:
    """A key under the chart, two entries a line, in type of `size` points."""
    axes = figure.axes[0]
    handles = [
        axes.plot([], [], m, color=edge, markerfacecolor=fill, markersize=5.5, label=text)[0]
        for m, edge, fill, text in entries
    ]
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 0.0), ncols=2,
                  frameon=False, fontsize=size, handletextpad=0.4, columnspacing=1.2,
                  borderaxespad=0.1, labelcolor=theme.ink)  # fmt: skip


def write_stamp(figure: Figure, theme: Theme, stamp: str) -> None:
    """`stamp` large and pale over the whole picture; nothing where it is empty."""
    if stamp:
        figure.text(0.64, 0.55, stamp, ha="center", va="center", rotation=18, fontsize=22,
                    color=theme.fake, alpha=0.28, zorder=10)  # fmt: skip


def paper_mark(axes: Axes, x: float, y: float, theme: Theme) -> None:
    """The hollow diamond of the paper's value."""
    axes.plot(x, y, "D", color=theme.paper, markerfacecolor="none", markersize=5.5,
              markeredgewidth=1.1, zorder=3)  # fmt: skip


def accuracy_alt(table: ResultTable) -> str:
    """All accuracies of a table in words."""
    rows, columns = ({h.key: h.title for h in side} for side in (table.rows, table.columns))
    parts = []
    for cell in table.cells:
        ours = "not run" if cell.value is None else f"{cell.value:.0%}"
        paper = f" (paper {cell.paper.text})" if cell.paper else ""
        parts.append(f"{rows[cell.row]}, {columns[cell.column]}: {ours}{paper}")
    return "Accuracy on single frames. " + "; ".join(parts)


def accuracy_chart(folder: Path, table: ResultTable) -> Chart:
    """A line a cell, grouped by the table's rows; its stamp is written across."""
    lines: list[tuple[str, ResultCell | None]] = []
    titles = {h.key: h.title for h in table.columns}
    for row in table.rows:
        mine = [c for c in table.cells if c.row == row.key]
        if len(table.columns) > 1:
            lines += [(row.title, None), *((titles[c.column], c) for c in mine)]
        else:
            lines += [(row.title, c) for c in mine]
    lowest = [c.low for c in table.cells if c.low is not None]
    lowest += [c.paper.value for c in table.cells if c.paper and c.paper.value is not None]
    left = 0.0 if min(lowest, default=0.0) < 0.4 else 0.35
    if left and any(c.value is None for c in table.cells):
        left = 0.25  # room for "not run"

    def paint(figure: Figure, theme: Theme) -> None:
        axes = place_axes(figure)
        bare(axes, theme)
        _lines(axes, lines, theme, left)
        seeds = any(c.spread is not None for c in table.cells)
        entries = [
            ("o", theme.fake, theme.fake, "this dataset, frames, 95% interval over people"),
            ("o", theme.fake, theme.backdrop, "not above chance"),
            ("D", theme.paper, "none", "the paper's"),
            *([("|", theme.fake, theme.fake, "one seed")] if seeds else []),
        ]
        add_key(figure, theme, entries)
        write_stamp(figure, theme, table.stamp)

    size = (WIDTH_IN, ROW_IN * len(lines) + TOP_IN + BOTTOM_IN)
    return draw(folder, table.name, accuracy_alt(table), paint, size, png=True)


def _lines(
    axes: Axes, lines: Sequence[tuple[str, ResultCell | None]], theme: Theme, left: float
) -> None:
    axes.set_ylim(len(lines) - 0.5, -0.5)
    percent_axis(axes, left, 1.01)
    axes.set_yticks(range(len(lines)), [name for name, _ in lines])
    axes.axvline(0.5, color=theme.muted, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
    labels = axes.get_yticklabels()
    for y, (_, cell) in enumerate(lines):
        if cell is None:
            axes.axhspan(y - 0.5, y + 0.5, color=theme.band, linewidth=0, zorder=0)
            labels[y].set_fontweight("bold")
            continue
        _dot(axes, y, cell, theme, left)


def _dot(axes: Axes, y: int, cell: ResultCell, theme: Theme, left: float) -> None:
    if cell.paper is not None and cell.paper.value is not None:
        paper_mark(axes, cell.paper.value, y, theme)
    if (accuracy := cell.estimate) is None or cell.score is None:
        axes.text(left + 0.012, y, "not run", va="center", fontsize=7.5, color=theme.muted)
        return
    colour, chance = theme.fake, cell.score.chance
    if accuracy.groups > 1:
        axes.plot([accuracy.low, accuracy.high], [y, y], color=colour, linewidth=2, zorder=2)
    hollow = chance is not None and accuracy.low <= chance
    fill = theme.backdrop if hollow else colour
    axes.plot(accuracy.value, y, "o", color=colour, markerfacecolor=fill, markersize=5.5, zorder=4)
    if cell.spread is not None:
        for seed in cell.score.seeds:
            axes.plot(seed.frame["accuracy"].value, y, "|", color=colour, markersize=7, zorder=4)


@dataclass(frozen=True)
class Curve:
    """A run's training, an entry per epoch."""

    title: str
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    """Accuracy on the validation split."""


def training_curves(folder: Path, runs: Sequence[Curve]) -> Chart:
    """Loss and validation accuracy by epoch, one small panel a run, the kept epoch marked."""
    columns = min(3, len(runs))
    lines = -(-len(runs) // columns)

    def paint(figure: Figure, theme: Theme) -> None:
        grid = figure.subplots(lines, columns, sharex=False, sharey=True, squeeze=False)
        figure.subplots_adjust(
            left=0.095, right=0.985, bottom=0.62 / (1.6 * lines + 0.5),
            top=1 - 0.3 / (1.6 * lines + 0.5), hspace=0.62, wspace=0.12,
        )  # fmt: skip
        for index, axes in enumerate(grid.flat):
            if index >= len(runs):
                axes.set_visible(False)
                continue
            _curve_panel(axes, runs[index], theme)
        entries = [
            ("-", theme.quality["raw"], "none", "validation accuracy"),
            ("-", theme.fake, "none", "training loss (its first value: 100%)"),
            ("o", theme.quality["raw"], theme.quality["raw"], "epoch kept"),
        ]
        add_key(figure, theme, entries, size=8.5)

    alt = "Training of each run by epoch. " + "; ".join(
        f"{c.title}: best validation accuracy {max(c.accuracy):.0%}" for c in runs if c.accuracy
    )
    return draw(folder, "curves", alt, paint, (NARROW_IN, 1.6 * lines + 0.5))


def _curve_panel(axes: Axes, curve: Curve, theme: Theme) -> None:
    bare(axes, theme, grid="y")
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.set_yticks([0, 0.5, 1])
    axes.tick_params(labelsize=8, labelcolor=theme.muted)
    axes.set_title(curve.title, fontsize=8, loc="left", color=theme.ink)
    axes.axhline(0.5, color=theme.muted, linewidth=0.8, linestyle=(0, (2, 2)))
    epochs = range(1, len(curve.accuracy) + 1)
    if curve.loss:
        top = max(curve.loss[0], 1e-9)
        drawn = [min(1.03, value / top) for value in curve.loss]
        axes.plot(range(1, len(drawn) + 1), drawn, color=theme.fake, linewidth=1.2, alpha=0.8)
    axes.plot(epochs, curve.accuracy, color=theme.quality["raw"], linewidth=1.6)
    if curve.accuracy:
        best = max(range(len(curve.accuracy)), key=curve.accuracy.__getitem__)
        axes.plot(best + 1, curve.accuracy[best], "o", color=theme.quality["raw"], markersize=5)
    axes.set_xlim(0.7, max(2, len(curve.accuracy)) + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
