"""The dataset itself, shown and counted; nothing is trained.

Table 1 (sizes), Figure 1 (samples), Figure 2 (spoof rates), Figure 8 (the pipeline), Figure 9
(qualities) and Figure 10 (driving clips).
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from dfmnist.core.actions import INFO, TEN
from dfmnist.dataset.manifest import Clip, Manifest, driver_file_name, read_rejected
from dfmnist.dataset.qualities import qualities_of
from dfmnist.dataset.summary import summarise
from dfmnist.experiments import images, paper
from dfmnist.experiments.charts import (
    NARROW_IN,
    add_key,
    name_rows,
    percent_axis,
    place_axes,
)
from dfmnist.experiments.experiment import (
    Experiment,
    Made,
    gallery,
    headings,
    picture_of,
    tile,
    trains_nothing,
)
from dfmnist.experiments.paper import FIGURE2_SPOOF_RATE
from dfmnist.experiments.results import (
    Heading,
    Published,
    ResultCell,
    ResultTable,
    published,
)
from dfmnist.experiments.spoof_rates import SpoofRate, spoof_rates
from dfmnist.experiments.theme import Chart, Theme, bare, draw
from dfmnist.media.sample import sample_frames

# Table 1


def _draw_table1(made: Made, folder: Path) -> ResultTable:
    """Draw Table 1: the paper's rows, then the datasets given, the one under test last."""
    cells = [
        cell
        for row in paper.TABLE1
        for cell in _size(row.name, row.real, row.fake, row.generation, row.action_specific, True)
    ]
    known = {row.name for row in paper.TABLE1}
    main = made.context.main.name
    others = [(n, m) for n, m in made.manifests.items() if n != main]
    for name, manifest in (*others, (main, made.main)):
        summary = summarise(manifest)
        how = sorted({c.generator.split("@")[0] or c.method for c in manifest.clips} - {""})
        several = len([a for a in summary.by_action if a != "talk"]) > 1
        key = f"{name} (as given)" if name in known else name
        cells += _size(key, summary.real, summary.fake, ", ".join(how) or "none", several, False)
    said = (
        "The paper's own rows come first; the others are counted from manifests, a clip once "
        "whatever its qualities.",
    )
    return made.table(
        rows=[Heading(key=row, title=row) for row in dict.fromkeys(c.row for c in cells)],
        columns=headings(c.column for c in cells),
        cells=cells,
        sentences=said,
        picture=picture_of(_size_chart(folder, cells)),
    )


def _size(
    row: str, real: int, fake: int, how: str, specific: bool, of_the_paper: bool
) -> list[ResultCell]:
    """The cells of one dataset's row: two counts and two words."""
    found = [
        ("real", f"{real:,}", real),
        ("fake", f"{fake:,}", fake),
        ("type of generation", how, None),
        ("action specific", "Yes" if specific else "No", None),
    ]
    if of_the_paper:
        return [
            ResultCell(
                row=row, column=column, state="paper", unit="text" if n is None else "count",
                paper=Published(text=text, value=n, place=f"Table 1, {row}"),
            )
            for column, text, n in found
        ]  # fmt: skip
    return [
        ResultCell(row=row, column=column, state="counted", unit="text", text=text)
        if n is None
        else ResultCell(row=row, column=column, state="counted", unit="count", value=n)
        for column, text, n in found
    ]


def _size_chart(folder: Path, cells: Sequence[ResultCell]) -> Chart:
    """Draw the numbers of real and fake clips, a line for each dataset."""
    counts: dict[str, dict[str, float]] = {}
    for cell in cells:
        value = cell.paper.value if cell.state == "paper" and cell.paper else cell.value
        if value is not None:
            counts.setdefault(cell.row, {})[cell.column] = value
    rows = [(row, found["real"], found["fake"]) for row, found in counts.items()]
    alt = "Clips of each dataset: " + "; ".join(f"{r}: {a:g} real, {b:g} fake" for r, a, b in rows)

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.add_axes((0.3, 0.12, 0.64, 0.82))
        bare(axes, theme)
        axes.set_xscale("log")
        for y, (_, real, fake) in enumerate(rows):
            axes.plot(real, y - 0.14, "o", color=theme.real, label="real" if y == 0 else None)
            axes.plot(fake, y + 0.14, "s", color=theme.fake, label="fake" if y == 0 else None)
        axes.set_yticks(range(len(rows)), [row for row, _, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.legend(frameon=False, labelcolor=theme.ink, fontsize=8, loc="lower right")
        axes.set_xlabel("clips")

    return draw(folder, "table1", alt, paint, (5.4, 0.34 * len(rows) + 0.8), png=True)


# Figure 2


NOT_BUILT = (
    "the dataset was imported, so nothing of it was screened or animated here; run it with a "
    "dataset made by `dfmnist build`"
)
"""Why a figure that shows how a dataset was built is not drawn."""


def _is_built(manifest: Manifest) -> bool:
    return any(clip.origin == "built" for clip in manifest.clips)


def _rates(manifest: Manifest) -> list[SpoofRate]:
    return spoof_rates(manifest.clips, read_rejected(manifest.root))


def _draw_figure2(made: Made, folder: Path) -> ResultTable:
    """Draw Figure 2: spoof rates, from the manifest and the rejected attempts."""
    if not _is_built(made.main):
        return made.not_run(NOT_BUILT)
    rates = _rates(made.main)
    cells = []
    for rate in rates:
        row, found = INFO[rate.action].title, rate.estimate
        theirs = published(FIGURE2_SPOOF_RATE.get(rate.action))
        if found is None:
            note = "not run: no animation of it was attempted; dfmnist build with drivers of it"
            cells.append(
                ResultCell(
                    row=row, column="spoof rate", state="not run", paper=theirs, notes=(note,)
                )
            )
            continue
        cells += [
            ResultCell(
                row=row, column="spoof rate", state="run", value=found.value, low=found.low,
                high=found.high, n=found.n, groups=0, paper=theirs,
            ),
            ResultCell(
                row=row, column="passed", state="counted", unit="count", value=rate.accepted,
                n=rate.attempts,
            ),
        ]  # fmt: skip
    said = (
        "Spoof rate: animations that passed every detector screening the action, of all attempts; "
        "in brackets the 95% Wilson interval.",
        "Differs from the paper: two local liveness detectors in place of two vendors' services, "
        "and this dataset's people and motion model. The paper prints two of its ten bars.",
    )
    return made.table(
        rows=headings(c.row for c in cells),
        columns=headings(("spoof rate", "passed")),
        cells=cells,
        sentences=said,
        picture=picture_of(spoof_chart(folder, rates)),
    )


def spoof_chart(folder: Path, rates: Sequence[SpoofRate]) -> Chart:
    """Draw each action's spoof rate with its interval, each detector's, and the paper's two."""
    several = len({name for rate in rates for name in rate.by_detector}) > 1

    def paint(figure: Figure, theme: Theme) -> None:
        axes = place_axes(figure, 1.15, 0.85, 0.35, 0.62)
        bare(axes, theme)
        name_rows(axes, [INFO[rate.action].title for rate in rates], theme)
        percent_axis(axes, 0.0)
        for row, rate in enumerate(rates):
            _spoof_row(axes, row, rate, theme, several=several)
        entries = [("s", theme.fake, theme.fake, "passed every detector, 95% interval")]
        if several:
            entries += [
                ("o", theme.ink, theme.backdrop, "action-specific"),
                ("^", theme.ink, theme.backdrop, "universal"),
            ]
        add_key(figure, theme, [*entries, ("D", theme.paper, "none", "the paper's")], size=8.5)

    parts = [f"{INFO[r.action].title} {r.accepted} of {r.attempts}" for r in rates]
    alt = (
        "Share of animated clips that passed the liveness detectors, per action: "
        f"{', '.join(parts)}. The paper's are 23% for yaw and 61% for smile."
    )
    return draw(folder, "figure2", alt, paint, (NARROW_IN, 0.36 * len(rates) + 1.0), png=True)


def _spoof_row(axes: Axes, row: int, rate: SpoofRate, theme: Theme, *, several: bool) -> None:
    label = f"{rate.accepted} of {rate.attempts}"
    nothing = rate.attempts > 0 and rate.accepted == 0
    axes.text(
        1.03, row, label, va="center", fontsize=8.5, clip_on=False,
        color=theme.fake if nothing else theme.ink, weight="bold" if nothing else "normal",
    )  # fmt: skip
    if (found := rate.estimate) is None:
        return
    axes.barh(row, found.value, height=0.5, color=theme.fake, alpha=0.85, linewidth=0, zorder=2)
    if found.value == 0:  # a bar of no length still needs to be seen
        axes.plot([0, 0], [row - 0.25, row + 0.25], color=theme.fake, linewidth=2.5, zorder=3)
    axes.plot([found.low, found.high], [row, row], color=theme.ink, linewidth=1, zorder=4)
    if several and len(rate.by_detector) > 1:
        for name, (passed, seen) in rate.by_detector.items():
            marker, lift = ("o", -0.17) if name.startswith("action") else ("^", 0.17)
            axes.plot(passed / seen if seen else 0.0, row + lift, marker, color=theme.ink,
                      markerfacecolor=theme.backdrop, markersize=5, markeredgewidth=1, zorder=5,
                      clip_on=False)  # fmt: skip
    if value := FIGURE2_SPOOF_RATE.get(rate.action):
        axes.plot(value.value, row, "D", color=theme.paper, markerfacecolor="none", markersize=7,
                  markeredgewidth=1.4, zorder=6)  # fmt: skip


# Figures 1, 9 and 10: pictures of clips


NO_ACTIONS = "the dataset has no fake of an action"
"""Why a figure that shows actions is not drawn."""


def first_fakes(manifest: Manifest) -> list[Clip]:
    """The first fake of each action by name, from the test split where it has one: no picking."""
    fakes = _fakes_in_order(manifest)
    found = [next((c for c in fakes if c.action is a), None) for a in TEN]
    return [clip for clip in found if clip is not None]


def _fakes_in_order(manifest: Manifest) -> list[Clip]:
    """All fakes by name, those of the test split first, the best quality of each first."""
    fakes = [clip for clip in manifest.clips if clip.label == "fake"]
    order = qualities_of(fakes)
    return sorted(fakes, key=lambda c: (c.split != "test", c.clip_id, order.index(c.quality)))


def _strips(
    made: Made, folder: Path, clips: Sequence[Clip], paths: Sequence[Path], what: str
) -> ResultTable:
    """Draw a strip of frames for one clip of each action."""
    titles = [INFO[c.performed].title for c in clips]
    picture = images.strips(folder, made.experiment.name, list(zip(titles, paths, strict=True)))
    tiles = [
        tile(clip, path, title, f"Six frames of {what}: {title}")
        for clip, path, title in zip(clips, picture.tiles, titles, strict=True)
    ]
    lacking = [INFO[a].title.lower() for a in TEN if a not in {c.action for c in clips}]
    missing = f"Not shown, since there is none: {', '.join(lacking)}." if lacking else ""
    return gallery(made, clips, picture.sheet, tiles, [missing])


def _draw_figure1(made: Made, folder: Path) -> ResultTable:
    """Draw Figure 1: a strip of frames for one fake of each action."""
    if not (clips := first_fakes(made.main)):
        return made.not_run(NO_ACTIONS)
    return _strips(made, folder, clips, [made.main.path(c) for c in clips], "an animated clip")


def _draw_figure10(made: Made, folder: Path) -> ResultTable:
    """Draw Figure 10: a strip for one driving clip of each action, from the dataset's drivers."""
    if not (fakes := first_fakes(made.main)):
        return made.not_run(NO_ACTIONS)
    found = [(clip, _driver(made.main, clip)) for clip in fakes]
    used = [(clip, path) for clip, path in found if path.is_file()]
    if not used:
        return made.not_run(
            f"{made.main.root.name} has no folder of driving clips; run it with a dataset made by "
            "`dfmnist build`"
        )
    clips, paths = [clip for clip, _ in used], [path for _, path in used]
    return _strips(made, folder, clips, paths, "a driving clip")


def _driver(manifest: Manifest, clip: Clip) -> Path:
    return manifest.root / driver_file_name(clip.driver, clip.performed, clip.take)


def _draw_figure9(made: Made, folder: Path) -> ResultTable:
    """Draw Figure 9: one frame in the qualities that there are."""
    first = (first_fakes(made.main) or _fakes_in_order(made.main))[:1]
    if not first:
        return made.not_run("the dataset has no fakes; run it with a dataset that has some")
    same = [c for c in made.main.clips if c.clip_id == first[0].clip_id]
    order = qualities_of(same)
    clips = sorted(same, key=lambda c: order.index(c.quality))
    frames = [(c.quality, sample_frames(made.main.path(c), 1)[1][0]) for c in clips]
    window = 64 if frames[0][1].shape[0] >= 128 else 16
    picture = images.details(folder, "figure9", frames, window)
    tiles = [
        tile(clip, path, quality, f"The same frame and an enlarged detail, {quality}")
        for clip, path, (quality, _) in zip(clips, picture.tiles, frames, strict=True)
    ]
    said = "The middle frame of one fake; the detail, magnified, is where raw and c40 differ most."
    return gallery(made, clips, picture.sheet, tiles, [said])


# Figure 8


def _animators(manifest: Manifest) -> str:
    """What made the fakes: the paper's motion model, or the methods by name."""
    methods = {clip.method for clip in manifest.clips} - {""}
    return "First Order\nMotion Model" if methods <= {"fomm"} else ",\n".join(sorted(methods))


def _draw_figure8(made: Made, folder: Path) -> ResultTable:
    """Draw Figure 8: the order of a build, with this dataset's counts."""
    if not _is_built(made.main):
        return made.not_run(NOT_BUILT)
    summary = summarise(made.main)
    attempts = sum(rate.attempts for rate in _rates(made.main))
    steps = (
        ("people", f"{summary.identities} people:\nreal clips,\nsource frames"),
        ("select, crop", "frontal, sharp,\neyes open;\nMTCNN, square"),
        ("animate", f"{_animators(made.main)},\n{summary.drivers} drivers"),
        ("screen", f"liveness:\n{summary.fake} of {attempts}\npassed"),
        ("compress", "H.264: raw,\nc23, c40, real\nand fake alike"),
        ("dataset", f"{summary.real} real,\n{summary.fake} fake clips"),
    )
    cells = [
        ResultCell(
            row=a, column="this build", state="counted", unit="text", text=" ".join(b.split())
        )
        for a, b in steps
    ]
    said = (
        "Our own drawing of this build, in the order of the paper's Figure 8; the paper's is not "
        "copied.",
        "Differs from the paper: the detectors are local, and real clips pass the same selection, "
        "screening and encoder as fakes.",
    )
    return made.table(
        rows=headings(c.row for c in cells),
        columns=headings(c.column for c in cells),
        cells=cells,
        sentences=said,
        picture=picture_of(_pipeline_chart(folder, steps)),
    )


def _pipeline_chart(folder: Path, steps: Sequence[tuple[str, str]]) -> Chart:
    """Draw six boxes with arrows; a step is its name and its text."""
    alt = "The pipeline: " + ", ".join(f"{a} ({' '.join(b.split())})" for a, b in steps)

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.add_axes((0.01, 0.02, 0.98, 0.96))
        axes.set_xlim(0, 3 * 1.2)
        axes.set_ylim(2 * 1.15, 0)
        axes.axis("off")
        places = [(0, 0), (1, 0), (2, 0), (2, 1), (1, 1), (0, 1)]
        for (column, row), (name, text) in zip(places, steps, strict=True):
            _box(axes, column * 1.2 + 0.1, row * 1.15 + 0.1, name, text, theme)
        for (a, b), (c, d) in pairwise(places):
            x, y = a * 1.2 + 0.6, b * 1.15 + 0.55
            to_x, to_y = c * 1.2 + 0.6, d * 1.15 + 0.55
            if b == d:
                x, to_x = x + 0.5 * (c - a), to_x - 0.5 * (c - a)
            else:
                y, to_y = y + 0.45, to_y - 0.45
            axes.annotate(
                "", (to_x, to_y), (x, y), arrowprops={"arrowstyle": "->", "color": theme.muted}
            )

    return draw(folder, "figure8", alt, paint, (5.4, 2.7), png=True)


def _box(axes: Axes, x: float, y: float, name: str, text: str, theme: Theme) -> None:
    shape = FancyBboxPatch((x, y), 1.0, 0.9, boxstyle="round,pad=0,rounding_size=0.06",
                           facecolor=theme.band, edgecolor=theme.grid)  # fmt: skip
    axes.add_patch(shape)
    axes.text(x + 0.5, y + 0.16, name, ha="center", va="center", fontsize=9, weight="bold",
              color=theme.fake)  # fmt: skip
    axes.text(x + 0.5, y + 0.55, text, ha="center", va="center", fontsize=8, color=theme.ink)


TABLE1 = Experiment("table1", "Table 1: datasets", trains_nothing, _draw_table1)
FIGURE1 = Experiment(
    "figure1", "Figure 1: samples of the ten actions", trains_nothing, _draw_figure1
)
FIGURE2 = Experiment("figure2", "Figure 2: spoof rates", trains_nothing, _draw_figure2)
FIGURE8 = Experiment("figure8", "Figure 8: the pipeline", trains_nothing, _draw_figure8)
FIGURE9 = Experiment("figure9", "Figure 9: the three qualities", trains_nothing, _draw_figure9)
FIGURE10 = Experiment("figure10", "Figure 10: driving clips", trains_nothing, _draw_figure10)
