"""The results of `dfmnist liveness evaluate`: error rates, DET curves, spoof rate by action."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import ndtri

from dfmnist.core.actions import INFO, TEN
from dfmnist.core.arrays import Floats
from dfmnist.core.text import number, percent
from dfmnist.experiments.charts import NARROW_IN, name_rows, paper_mark, percent_axis, place_axes
from dfmnist.experiments.experiment import picture_of
from dfmnist.experiments.paper import FIGURE2_SPOOF_RATE
from dfmnist.experiments.render import markdown, write_table
from dfmnist.experiments.results import (
    LIVENESS,
    RESULT,
    Heading,
    ResultCell,
    ResultTable,
    published,
)
from dfmnist.experiments.theme import Chart, Theme, bare, draw
from dfmnist.liveness.base import EVERY
from dfmnist.liveness.evaluate import MAX, Curve, Evaluation, write_files
from dfmnist.liveness.presentations import TITLES
from dfmnist.stats.intervals import Estimate

LineStyle = Literal["-", "--", ":", "-."]
ERRORS, SPOOF = LIVENESS
LIMITS = ("APCER at BPCER 1%", "APCER at BPCER 5%")
LOWEST = 0.002
"""Error rate below which a DET curve is drawn at the edge: its axes have no 0."""
TICKS = (0.002, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95)
STYLES: tuple[LineStyle, ...] = ("-", "--", ":", "-.")
"""Line styles of the qualities, in order."""


def write_results(found: Evaluation, out: Path) -> tuple[ResultTable, ...]:
    """Write both results and the files of an evaluation into the folder `out`."""
    tables = []
    for name, make in ((ERRORS, _errors), (SPOOF, _spoof_rates)):
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RESULT).unlink(missing_ok=True)
        more = write_files(found, folder) if name == ERRORS else ()
        tables.append(write_table(folder, make(found, folder), more))
    return tuple(tables)


def as_markdown(tables: Sequence[ResultTable]) -> str:
    """The results as one text for a terminal."""
    return "\n".join(markdown(table, f"{table.name}/") for table in tables)


def _errors(found: Evaluation, folder: Path) -> ResultTable:
    rows = [(name, quality) for name in found.names for quality in found.qualities]
    columns = [
        ("BPCER", "", "BPCER"),
        *(("APCER", attack, f"APCER {TITLES.get(attack, attack)}") for attack in found.attacks),
        ("APCER", MAX, "APCER maximum"),
        ("ACER", "", "ACER"),
        *((limit, MAX, limit) for limit in LIMITS),
        ("BPNRR", "", "BPNRR"),
        *(("APNRR", attack, f"APNRR {TITLES.get(attack, attack)}") for attack in found.attacks),
    ]
    cells = [
        _cell(f"{name}, {quality}", title, estimate)
        for name, quality in rows
        for measure, attack, title in columns
        if (estimate := found.rate(name, quality, measure, attack)) is not None
    ]
    used = {cell.column for cell in cells}
    picture = picture_of(det_chart(folder, found.curves)) if found.curves else None
    return ResultTable(
        name=ERRORS,
        title="Liveness detectors: error rates (ISO/IEC 30107-3)",
        rows=_headings(f"{name}, {quality}" for name, quality in rows),
        columns=_headings(title for _, _, title in columns if title in used),
        cells=tuple(cells),
        sentences=_said(found),
        picture=picture,
        dataset=found.dataset,
        manifest_hash=found.manifest_hash,
    )


def _said(found: Evaluation) -> tuple[str, ...]:
    counts = ", ".join(f"{n} {TITLES.get(k, k).lower()}" for k, n in found.counts.items())
    services = {
        name: settings["authorisation"]
        for name, settings in found.detectors.items()
        if "authorisation" in settings
    }
    return (
        f"Split {found.split}, all qualities: {counts}. Each is given to a detector as a file, so "
        "an animation is an injection attack; print and replay are simulated.",
        "APCER: share of an attack's clips that were classified as bona fide. BPCER: share of bona "
        "fide clips that were rejected. Both count assessed clips only; BPNRR and APNRR are the "
        "shares of clips that were not assessed. ACER: mean of BPCER and the largest APCER. In "
        "brackets the 95% interval over people.",
        "APCER at BPCER 1% or 5%: the largest APCER at the highest threshold on the score that "
        "rejects at most so many bona fide clips.",
        *(
            (
                "The dataset's animations passed its own screening when it was built, so their "
                "APCER is that of selected clips for the detectors that screened them.",
            )
            if found.screened and "animation" in found.attacks
            else ()
        ),
        *(f"{name} is a service; the tester states: {text}" for name, text in services.items()),
        *(f"Not made: {reason}." for reason in found.not_made[:10]),
    )


def _spoof_rates(found: Evaluation, folder: Path) -> ResultTable:
    quality = found.qualities[0]
    whole = EVERY if EVERY in found.names else found.names[0]
    cells = []
    for action in TEN:
        theirs = published(FIGURE2_SPOOF_RATE.get(action))
        for name in found.names:
            rate = found.rate(name, quality, "APCER", "animation", action.value)
            mine = theirs if name == whole else None
            if rate is not None:
                cell = _cell(INFO[action].title, name, rate)
                cells.append(cell.model_copy(update={"paper": mine}))
    shown = {cell.row for cell in cells}
    picture = None
    if cells:
        picture = picture_of(_spoof_chart(folder, [c for c in cells if c.column == whole]))
    return ResultTable(
        name=SPOOF,
        title="Liveness spoof rate: animations accepted, by action",
        rows=_headings(INFO[a].title for a in TEN if INFO[a].title in shown),
        columns=_headings(name for name in found.names if any(c.column == name for c in cells)),
        cells=tuple(cells),
        sentences=(
            f"Share of the dataset's animations ({quality}) that were accepted, among those that "
            "were assessed; in brackets the 95% interval over people. The paper's Figure 2 counts "
            "all attempts; here the manifest's clips are counted, which passed its own screening.",
        )
        if cells
        else ("Not run: the split holds no animation of the ten actions.",),
        picture=picture,
        dataset=found.dataset,
        manifest_hash=found.manifest_hash,
    )


def _headings(titles: Iterable[str]) -> tuple[Heading, ...]:
    return tuple(Heading(key=title, title=title) for title in dict.fromkeys(titles))


def _cell(row: str, column: str, found: Estimate) -> ResultCell:
    return ResultCell(
        row=row, column=column, state="run", value=found.value, low=found.low, high=found.high,
        n=found.n, groups=found.groups,
    )  # fmt: skip


def det_chart(folder: Path, curves: Sequence[Curve]) -> Chart:
    """Draw the DET curve of each detector and quality, on axes of normal deviates."""
    names = tuple(dict.fromkeys(one.detector for one in curves))
    qualities = tuple(dict.fromkeys(one.quality for one in curves))

    def paint(figure: Figure, theme: Theme) -> None:
        axes = place_axes(figure, 0.75, 0.2, 0.2, 0.6)
        bare(axes, theme)
        axes.grid(axis="y", color=theme.grid, linewidth=0.8)
        colours = (theme.fake, theme.real, theme.quality["raw"], theme.muted, theme.quality["c40"])
        for one in curves:
            axes.plot(
                _deviate(one.curve.max_apcer), _deviate(one.curve.bpcer), drawstyle="steps-post",
                color=colours[names.index(one.detector) % len(colours)], linewidth=1.6,
                linestyle=STYLES[qualities.index(one.quality) % len(STYLES)],
            )  # fmt: skip
        _det_axes(axes, theme)
        keys = [Line2D([], [], color=colours[i % len(colours)], label=name)
                for i, name in enumerate(names)]  # fmt: skip
        if len(qualities) > 1:
            keys += [Line2D([], [], color=theme.ink, linestyle=STYLES[i % len(STYLES)], label=name)
                     for i, name in enumerate(qualities)]  # fmt: skip
        axes.legend(handles=keys, loc="upper right", frameon=False, fontsize=8,
                    labelcolor=theme.ink)  # fmt: skip

    alt = "DET curves: BPCER against the largest APCER. " + "; ".join(map(_in_words, curves))
    return draw(folder, "det", alt, paint, (NARROW_IN, 4.4), png=True)


def _deviate(rates: Floats) -> Floats:
    return np.asarray(ndtri(np.clip(rates, LOWEST, 1 - LOWEST)))


def _det_axes(axes: Axes, theme: Theme) -> None:
    places = [float(ndtri(tick)) for tick in TICKS]
    texts = [percent(tick, 1 if tick < 0.01 else 0) for tick in TICKS]
    edge = float(ndtri(LOWEST))
    axes.set_xlim(edge - 0.1, -edge + 0.1)
    axes.set_ylim(edge - 0.1, -edge + 0.1)
    axes.set_xticks(places, texts)
    axes.set_yticks(places, texts)
    axes.tick_params(labelsize=8, labelcolor=theme.muted)
    axes.set_xlabel("largest APCER of any attack", fontsize=8.5)
    axes.set_ylabel("BPCER", fontsize=8.5)


def _in_words(one: Curve) -> str:
    """The point of a curve at which both error rates are nearest to each other."""
    gap = np.abs(one.curve.max_apcer - one.curve.bpcer)
    at = int(np.argmin(gap))
    both = (float(one.curve.max_apcer[at]), float(one.curve.bpcer[at]))
    return f"{one.detector}, {one.quality}: APCER {percent(both[0])} at BPCER {percent(both[1])}"


def _spoof_chart(folder: Path, cells: Sequence[ResultCell]) -> Chart:
    """Draw each action's spoof rate with its interval, and the paper's two values."""

    def paint(figure: Figure, theme: Theme) -> None:
        axes = place_axes(figure, 1.15, 0.5, 0.35, 0.15)
        bare(axes, theme)
        name_rows(axes, [cell.row for cell in cells], theme)
        percent_axis(axes, 0.0)
        for row, cell in enumerate(cells):
            assert cell.value is not None
            assert cell.low is not None
            assert cell.high is not None
            axes.barh(row, cell.value, height=0.5, color=theme.fake, alpha=0.85, zorder=2)
            axes.plot([cell.low, cell.high], [row, row], color=theme.ink, linewidth=1, zorder=4)
            axes.text(1.03, row, f"of {cell.n}", va="center", fontsize=8.5, clip_on=False,
                      color=theme.ink)  # fmt: skip
            if cell.paper is not None and cell.paper.value is not None:
                paper_mark(axes, cell.paper.value, row, theme)

    alt = "Spoof rate by action. " + "; ".join(
        f"{cell.row} {number((cell.value or 0.0) * 100, '.0f')}%" for cell in cells
    )
    return draw(folder, SPOOF, alt, paint, (NARROW_IN, 0.36 * len(cells) + 0.6), png=True)
