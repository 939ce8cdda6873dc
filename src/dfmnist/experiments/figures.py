"""The charts: Figure 2 (spoof rate), Figure 6 (accuracy per action and quality), training curves.

Figures 1, 7 and 9, which are pictures, are in `images.py`.
"""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dfmnist.core.actions import INFO, Action
from dfmnist.experiments.paper import FIGURE2_SPOOF_RATE, MODEL_TITLES, figure6
from dfmnist.experiments.results import Curve, SpoofRate
from dfmnist.experiments.theme import Chart, Theme, bare, draw
from dfmnist.stats.intervals import Estimate

WIDTH_IN = 5.2
"""Narrow, so that the text is still readable on a phone."""
ROW_IN = 0.36
PERCENT = FuncFormatter(lambda value, _: f"{value * 100:.0f}%")


def _rows(axes: Axes, labels: Sequence[str], theme: Theme) -> None:
    """Name the rows, first on top, with every other one on a band."""
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), labels)
    for row in range(0, len(labels), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=theme.band, linewidth=0, zorder=0)


def _percent_axis(axes: Axes, left: float = 0.0) -> None:
    axes.set_xlim(left, 1.005)
    axes.xaxis.set_major_formatter(PERCENT)
    axes.xaxis.tick_top()


def _place(figure: Figure, *, left_in: float, right_in: float, bottom_in: float = 0.62) -> Axes:
    """Axes with margins in inches, so that rows keep their height."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes(
        (
            left_in / width,
            bottom_in / height,
            1 - (left_in + right_in) / width,
            1 - (bottom_in + 0.35) / height,
        )
    )
    return axes


def _key(figure: Figure, entries: Sequence[tuple[str, str, str, str]], theme: Theme) -> None:
    """A key under the chart, two entries a line: (marker, edge colour, fill colour, text)."""
    handles = [
        figure.gca().plot(
            [], [], marker, color=edge, markerfacecolor=fill, markersize=6, label=text
        )[0]
        for marker, edge, fill, text in entries
    ]
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 0.0),
        ncols=2,
        frameon=False,
        handletextpad=0.45,
        columnspacing=1.4,
        borderaxespad=0.1,
        fontsize=8.5,
        labelcolor=theme.ink,
    )


def figure2(folder: Path, rates: Sequence[SpoofRate], *, png: bool = False) -> Chart:
    """Spoof rate per action with Wilson intervals, each detector beside it, and the paper's two."""
    several = len({name for rate in rates for name in rate.by_detector}) > 1

    def paint(figure: Figure, theme: Theme) -> None:
        axes = _place(figure, left_in=1.15, right_in=0.85)
        bare(axes, theme)
        _rows(axes, [INFO[rate.action].title for rate in rates], theme)
        _percent_axis(axes)
        for row, rate in enumerate(rates):
            _spoof_row(axes, row, rate, theme, several=several)
        entries = [("s", theme.fake, theme.fake, "passed every detector, 95% interval")]
        if several:
            entries += [
                ("o", theme.ink, theme.backdrop, "action-specific"),
                ("^", theme.ink, theme.backdrop, "universal"),
            ]
        entries.append(("D", theme.paper, "none", "the paper's"))
        _key(figure, entries, theme)

    size = (WIDTH_IN, ROW_IN * len(rates) + 1.0)
    return draw(folder, "figure2", _alt2(rates), paint, size, png=png)


def _spoof_row(axes: Axes, row: int, rate: SpoofRate, theme: Theme, *, several: bool) -> None:
    label = f"{rate.accepted} of {rate.attempts}"
    nothing = rate.attempts > 0 and rate.accepted == 0
    axes.text(
        1.03, row, label, va="center", fontsize=8.5, clip_on=False,
        color=theme.fake if nothing else theme.ink, weight="bold" if nothing else "normal",
    )  # fmt: skip
    if (estimate := rate.estimate) is None:
        return
    axes.barh(row, estimate.value, height=0.5, color=theme.fake, alpha=0.85, linewidth=0, zorder=2)
    if estimate.value == 0:  # a bar of no length still needs to be seen
        axes.plot([0, 0], [row - 0.25, row + 0.25], color=theme.fake, linewidth=2.5, zorder=3)
    axes.plot([estimate.low, estimate.high], [row, row], color=theme.ink, linewidth=1, zorder=4)
    if several and len(rate.by_detector) > 1:
        for name, (passed, seen) in rate.by_detector.items():
            marker, lift = ("o", -0.17) if name.startswith("action") else ("^", 0.17)
            axes.plot(
                passed / seen if seen else 0.0,
                row + lift,
                marker,
                color=theme.ink,
                markerfacecolor=theme.backdrop,
                markersize=5,
                markeredgewidth=1,
                zorder=5,
                clip_on=False,
            )
    if published := FIGURE2_SPOOF_RATE.get(rate.action):
        axes.plot(
            published.value, row, "D", color=theme.paper, markerfacecolor="none",
            markersize=7, markeredgewidth=1.4, zorder=6,
        )  # fmt: skip


def _alt2(rates: Sequence[SpoofRate]) -> str:
    parts = [f"{INFO[r.action].title} {r.accepted} of {r.attempts}" for r in rates]
    return "Share of animated clips that passed the liveness detectors, per action: " + (
        ", ".join(parts) + ". The paper's are 23% for yaw and 61% for smile."
    )


Accuracies = dict[Action | None, dict[str, Estimate]]
"""Action (None: the real class) → quality → accuracy."""


def figure6_chart(folder: Path, accuracies: Accuracies, model: str, *, png: bool = False) -> Chart:
    """Accuracy per action and for the real class, in each quality, with intervals."""
    title = MODEL_TITLES.get(model, model)
    qualities = [q for q in ("raw", "c23", "c40") if any(q in row for row in accuracies.values())]
    low = min((e.low for row in accuracies.values() for e in row.values()), default=0.0)
    left = 0.0 if low < 0.45 else 0.4 if low < 0.65 else 0.6
    marks = dict(zip(("raw", "c23", "c40"), "os^", strict=True))

    def paint(figure: Figure, theme: Theme) -> None:
        axes = _place(figure, left_in=1.15, right_in=0.2)
        bare(axes, theme)
        names = [INFO[a].title if a else "Real clips" for a in accuracies]
        _rows(axes, names, theme)
        _percent_axis(axes, left)
        for row, (action, by_quality) in enumerate(accuracies.items()):
            for quality, estimate in by_quality.items():
                colour = theme.quality[quality]
                y = row + 0.26 * (qualities.index(quality) - (len(qualities) - 1) / 2)
                if estimate.groups > 1:  # one person alone gives no interval
                    axes.plot([estimate.low, estimate.high], [y, y], color=colour, linewidth=2)
                axes.plot(
                    estimate.value,
                    y,
                    marks[quality],
                    color=colour,
                    markersize=6,
                    zorder=4,
                    clip_on=False,
                )
                published = figure6(action, quality)
                if published is not None and published.value >= left:
                    axes.plot(published.value, y, "D", color=colour, markerfacecolor="none",
                              markersize=6, markeredgewidth=1.2, zorder=3)  # fmt: skip
        entries = [(marks[q], theme.quality[q], theme.quality[q], q) for q in qualities]
        entries.append(("D", theme.paper, "none", "the paper's"))
        _key(figure, entries, theme)

    size = (WIDTH_IN, 0.42 * len(accuracies) + 1.0)
    return draw(folder, "figure6", _alt6(accuracies, title), paint, size, png=png)


def _alt6(accuracies: Accuracies, title: str) -> str:
    parts = [
        f"{INFO[a].title if a else 'real clips'} "
        + ", ".join(f"{q} {e.value:.0%}" for q, e in row.items())
        for a, row in accuracies.items()
    ]
    return f"Accuracy of {title} on single frames, per action and quality: " + "; ".join(parts)


def curves(folder: Path, runs: Sequence[Curve]) -> Chart:
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
        _key(figure, entries, theme)

    alt = "Training of each run by epoch. " + "; ".join(
        f"{c.title}: best validation accuracy {max(c.accuracy):.0%}" for c in runs if c.accuracy
    )
    return draw(folder, "curves", alt, paint, (WIDTH_IN, 1.6 * lines + 0.5))


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
