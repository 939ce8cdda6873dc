"""Pictures of accuracies: dots with intervals, the paper's values beside them."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from dfmnist.experiments.cells import Cell
from dfmnist.experiments.conclusions import NO, OPEN, YES, Finding
from dfmnist.experiments.paper import QUALITIES
from dfmnist.experiments.render import title_of
from dfmnist.experiments.theme import Chart, Theme, bare, draw

WIDTH_IN = 5.6
ROW_IN = 0.27
PERCENT = FuncFormatter(lambda value, _: f"{value * 100:.0f}%")
TOP_IN, BOTTOM_IN, LEFT_IN, RIGHT_IN = 0.4, 0.6, 1.95, 0.25


def accuracy_chart(folder: Path, stem: str, cells: Sequence[Cell], stamp: str = "") -> Chart:
    """A line a cell, grouped by the table's rows; `stamp` is written across a smoke test."""
    rows = list(dict.fromkeys(c.spec.row for c in cells))
    grouped = len({c.spec.column for c in cells}) > 1
    lines: list[tuple[str, Cell | None]] = []
    for row in rows:
        mine = [c for c in cells if c.spec.row == row]
        if grouped:
            lines.append((title_of(row), None))
            lines += [(title_of(c.spec.column), c) for c in mine]
        else:
            lines += [(title_of(row), c) for c in mine]
    lowest = [c.accuracy.low for c in cells if c.accuracy] + [
        c.spec.paper.value for c in cells if c.spec.paper
    ]
    left = 0.0 if min(lowest, default=0.0) < 0.4 else 0.35
    if left and any(c.accuracy is None for c in cells):
        left = 0.25  # room for "not run"

    def paint(figure: Figure, theme: Theme) -> None:
        axes = _axes(figure)
        bare(axes, theme)
        _lines(axes, lines, theme, left)
        _key(figure, theme, stamp, seeds=any(c.spread is not None for c in cells))

    size = (WIDTH_IN, ROW_IN * len(lines) + TOP_IN + BOTTOM_IN)
    return draw(folder, stem, _alt(cells), paint, size, png=True)


def _axes(figure: Figure, left_in: float = LEFT_IN) -> Axes:
    width, height = figure.get_size_inches()
    return figure.add_axes(
        (
            left_in / width,
            BOTTOM_IN / height,
            1 - (left_in + RIGHT_IN) / width,
            1 - (BOTTOM_IN + TOP_IN) / height,
        )
    )


def _lines(axes: Axes, lines: Sequence[tuple[str, Cell | None]], theme: Theme, left: float) -> None:
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_xlim(left, 1.01)
    axes.xaxis.set_major_formatter(PERCENT)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(lines)), [name for name, _ in lines])
    axes.axvline(0.5, color=theme.muted, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
    labels = axes.get_yticklabels()
    for y, (_, cell) in enumerate(lines):
        if cell is None:
            axes.axhspan(y - 0.5, y + 0.5, color=theme.band, linewidth=0, zorder=0)
            labels[y].set_fontweight("bold")
            continue
        _dot(axes, y, cell, theme, left)


def _dot(axes: Axes, y: int, cell: Cell, theme: Theme, left: float) -> None:
    if published := cell.spec.paper:
        axes.plot(published.value, y, "D", color=theme.paper, markerfacecolor="none",
                  markersize=5.5, markeredgewidth=1.1, zorder=3)  # fmt: skip
    if (accuracy := cell.accuracy) is None:
        axes.text(left + 0.012, y, "not run", va="center", fontsize=7.5, color=theme.muted)
        return
    colour = theme.fake
    if accuracy.groups > 1:
        axes.plot([accuracy.low, accuracy.high], [y, y], color=colour, linewidth=2, zorder=2)
    hollow = any("chance" in remark for remark in cell.remarks)
    fill = theme.backdrop if hollow else colour
    axes.plot(accuracy.value, y, "o", color=colour, markerfacecolor=fill, markersize=5.5, zorder=4)
    if cell.spread is not None:
        for seed in cell.seeds:
            value = seed.evaluation.frame["accuracy"].value
            axes.plot(value, y, "|", color=colour, markersize=7, zorder=4)


def _key(figure: Figure, theme: Theme, stamp: str, *, seeds: bool) -> None:
    entries = [
        ("o", theme.fake, theme.fake, "this dataset, frames, 95% interval over people"),
        ("o", theme.fake, theme.backdrop, "not told from chance"),
        ("D", theme.paper, "none", "the paper's"),
        *([("|", theme.fake, theme.fake, "one seed")] if seeds else []),
    ]
    _legend(figure, theme, entries)
    write_stamp(figure, theme, stamp)


def _legend(figure: Figure, theme: Theme, entries: Sequence[tuple[str, str, str, str]]) -> None:
    """Below the picture: marker, edge, fill and meaning of each."""
    axes = figure.axes[0]
    handles = [
        axes.plot([], [], m, color=edge, markerfacecolor=fill, markersize=5.5, label=text)[0]
        for m, edge, fill, text in entries
    ]
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 0.0), ncols=2,
                  frameon=False, fontsize=7.5, handletextpad=0.4, columnspacing=1.2,
                  labelcolor=theme.ink)  # fmt: skip


def write_stamp(figure: Figure, theme: Theme, stamp: str) -> None:
    """`stamp` large and pale over the whole picture; nothing where it is empty."""
    if stamp:
        figure.text(0.64, 0.55, stamp, ha="center", va="center", rotation=18, fontsize=22,
                    color=theme.fake, alpha=0.28, zorder=10)  # fmt: skip


def _alt(cells: Sequence[Cell]) -> str:
    parts = []
    for cell in cells:
        where = f"{title_of(cell.spec.row)}, {title_of(cell.spec.column)}"
        found = cell.accuracy
        ours = "not run" if found is None else f"{found.value:.0%}"
        paper = f" (paper {cell.spec.paper.percent})" if cell.spec.paper else ""
        parts.append(f"{where}: {ours}{paper}")
    return "Accuracy on single frames. " + "; ".join(parts)


def corpus_chart(
    folder: Path, stem: str, cells: Sequence[Cell], sizes: dict[str, int], stamp: str = ""
) -> Chart:
    """Figure 3: accuracy over the number of training fakes, single quality left, mixed right."""

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(1, 2, sharey=True)
        figure.subplots_adjust(left=0.1, right=0.98, top=0.87, bottom=0.3, wspace=0.08)
        for axes, prefix, title in zip(
            panels, ("", "mixed->"), ("single quality", "mixed quality"), strict=True
        ):
            bare(axes, theme, grid="y")
            axes.set_title(title, fontsize=9, loc="left", color=theme.ink)
            axes.axhline(0.5, color=theme.muted, linewidth=0.8, linestyle=(0, (2, 2)))
            axes.yaxis.set_major_formatter(PERCENT)
            axes.set_ylim(0.35, 1.02)
            axes.set_xscale("log")
            axes.set_xlabel("training fakes (as many reals)", fontsize=8)
            for quality, mark in zip(QUALITIES, "os^", strict=True):
                mine = [c for c in cells if c.spec.column == prefix + quality]
                _curve(axes, mine, sizes, theme.quality[quality], mark, quality)
            ticks = sorted(set(sizes.values()) - {0})
            axes.set_xticks(ticks, [str(t) for t in ticks], fontsize=7.5)
            axes.minorticks_off()
            axes.tick_params(labelcolor=theme.muted)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower left", ncols=3, frameon=False, fontsize=8,
                      labelcolor=theme.ink)  # fmt: skip
        write_stamp(figure, theme, stamp)

    return draw(folder, stem, _alt(cells), paint, (WIDTH_IN, 2.9), png=True)


def _curve(
    axes: Axes, cells: Sequence[Cell], sizes: dict[str, int], colour: str, mark: str, label: str
) -> None:
    ran = [(sizes[c.spec.row], c.accuracy) for c in cells if c.accuracy is not None]
    points = sorted((size, a.value, a.low, a.high) for size, a in ran if size)
    if not points:
        axes.plot([], [], mark + "-", color=colour, label=label)
        return
    x, y, low, high = zip(*points, strict=True)
    if all(a.groups > 1 for _, a in ran):
        axes.fill_between(x, low, high, color=colour, alpha=0.14, linewidth=0)
    axes.plot(x, y, mark + "-", color=colour, markersize=5, linewidth=1.4, label=label)


def conclusions_chart(folder: Path, stem: str, found: Sequence[Finding], stamp: str = "") -> Chart:
    """Differences in points with their intervals, a line a claim; the paper's beside them."""
    marks = {YES: "o", NO: "X", OPEN: "o"}

    def paint(figure: Figure, theme: Theme) -> None:
        axes = _axes(figure, left_in=2.75)
        bare(axes, theme)
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.set_yticks(range(len(found)), [f.claim.name for f in found])
        axes.xaxis.tick_top()
        axes.axvline(0, color=theme.muted, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
        for y, finding in enumerate(found):
            if (published := finding.claim.published) is not None:
                axes.plot(published * 100, y, "D", color=theme.paper, markerfacecolor="none",
                          markersize=5.5, markeredgewidth=1.1, zorder=3)  # fmt: skip
            if (difference := finding.difference) is None:
                axes.text(0, y, "  not run", va="center", fontsize=7.5, color=theme.muted)
                continue
            ends = [difference.low * 100, difference.high * 100]
            axes.plot(ends, [y, y], color=theme.fake, linewidth=2, zorder=2)
            fill = theme.backdrop if finding.verdict == OPEN else theme.fake
            axes.plot(difference.value * 100, y, marks[finding.verdict], color=theme.fake,
                      markerfacecolor=fill, markersize=5.5, zorder=4)  # fmt: skip
        _conclusions_key(figure, theme)
        write_stamp(figure, theme, stamp)

    parts = []
    for finding in found:
        value = finding.difference
        ours = "not run" if value is None else f"{value.value * 100:+.1f}, {finding.verdict}"
        parts.append(f"{finding.claim.name}: {ours}")
    alt = "Differences of accuracy in points. " + "; ".join(parts)
    size = (WIDTH_IN + 0.9, ROW_IN * len(found) + TOP_IN + BOTTOM_IN)
    return draw(folder, stem, alt, paint, size, png=True)


def _conclusions_key(figure: Figure, theme: Theme) -> None:
    entries = [
        ("o", theme.fake, theme.fake, "holds here, 95% interval over people"),
        ("o", theme.fake, theme.backdrop, "not decided"),
        ("X", theme.fake, theme.fake, "the other way round"),
        ("D", theme.paper, "none", "the paper's"),
    ]
    _legend(figure, theme, entries)
