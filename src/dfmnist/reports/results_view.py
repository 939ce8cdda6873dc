"""The paper's tables and figures on the page: a view of each `ResultTable`, and its files."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path
from dfmnist.core.text import percent
from dfmnist.dataset.manifest import Manifest, manifest_hash
from dfmnist.experiments.paper import MODEL_TITLES
from dfmnist.experiments.results import (
    LIVENESS,
    RESULT,
    ResultCell,
    ResultTable,
    ResultTile,
    read_results,
    results_below,
)
from dfmnist.reports.sections import ChartImage
from dfmnist.reports.text import INTRO, MAPS_OF_GUESSES, Cells, learnt, span

SECTION = (
    "Every table and figure of the paper that was run on this dataset, in the paper’s order. Under "
    "each number of ours stands the paper’s, marked “paper”; ~ marks one read off a chart by eye. "
    "A cell that was not run says so, and how to run it. Compare the patterns, not the numbers: "
    "the people, the animator and the size of the dataset differ."
)
OWN = (
    "The last of them are this project’s own: the paper’s conclusions tested on this dataset, and "
    "how much of a detector’s accuracy is the action and not the forgery."
)
LIVENESS_SECTION = (
    "The fakes of this dataset were accepted by liveness detectors. How much that says depends on "
    "how strong those detectors are: here are their error rates on real clips, on the dataset’s "
    "animations, and on attacks that need no motion model."
)
OWN_RESULTS = ("shortcut", "conclusions")
LAYOUTS = {"figure1": "strips", "figure9": "details"}
"""How the tiles of a figure lie on the page; tiles with a group lie in a table."""
KINDS = {".parquet": "Parquet", ".md": "Markdown", ".tex": "LaTeX", ".json": "JSON", ".csv": "CSV"}


@dataclass(frozen=True)
class Image:
    """A picture on the page; its path is relative to the page."""

    label: str
    src: str
    alt: str
    note: str = ""


@dataclass(frozen=True)
class TileRow:
    """A line of tiles under one name: plain frames, or one detector's maps."""

    title: str
    detail: str
    tiles: tuple[Image, ...]


@dataclass(frozen=True)
class Bar:
    """A share with its interval on a line from 0 to 100%; all in percent of the line."""

    low: float
    width: float
    at: float
    mark: float | None
    """Position of the dotted mark: chance, or a region's share of the picture."""


@dataclass(frozen=True)
class CellView:
    """A cell; `kind` is `ours`, `theirs` (only the paper has a value), `notrun` or `empty`."""

    kind: str
    text: str = ""
    interval: str = ""
    more: str = ""
    paper: str = ""
    flags: tuple[str, ...] = ()
    notes: tuple[int, ...] = ()
    """Numbers of the notes under the table."""
    bar: Bar | None = None
    marked: bool = False
    """Whether the interval lies above the mark, for a region's share."""


@dataclass(frozen=True)
class RowView:
    """A row; `theirs`: every value in it is the paper's."""

    title: str
    cells: tuple[CellView, ...]
    theirs: bool


@dataclass(frozen=True)
class StoredResult:
    """A table or figure, and the folder that its files lie in."""

    table: ResultTable
    folder: Path


@dataclass(frozen=True)
class ResultView:
    """One table or figure."""

    id: str
    short: str
    heading: str
    intro: str
    figure: bool
    """Whether the picture comes first and the numbers can be unfolded; else the numbers first."""
    stamp: str
    count: str
    columns: tuple[str, ...]
    rows: tuple[RowView, ...]
    published: bool
    """Whether the paper gives a value of any cell."""
    notes: tuple[str, ...]
    sentences: tuple[str, ...]
    chart: ChartImage | None
    image: Image | None
    tiles: tuple[Image, ...]
    layout: str
    maps: tuple[TileRow, ...]
    """Tiles in groups, each group a line; then `tiles` is empty."""
    files: tuple[tuple[str, str], ...]
    """Kind and path of each file with the data."""

    @property
    def num_maps(self) -> int:
        """Number of activation maps: the first line holds the plain frames."""
        return sum(len(row.tiles) for row in self.maps[1:])


@dataclass(frozen=True)
class ResultsSection:
    """The section of all tables and figures."""

    intro: str
    common: tuple[str, ...]
    """Sentences that hold for all tables of numbers."""
    results: tuple[ResultView, ...]


def stored_results(root: Path) -> tuple[StoredResult, ...]:
    """Every result below `root`, in the paper's order. Raises `InputError`."""
    return tuple(StoredResult(table, root / table.name) for table in read_results(root))


def liveness_results(root: Path) -> tuple[StoredResult, ...]:
    """The results of `dfmnist liveness evaluate` below `root`; none if there are none."""
    return tuple(StoredResult(table, root / table.name) for table in results_below(root, LIVENESS))


def check_same_dataset(results: Sequence[StoredResult], manifest: Manifest) -> None:
    """Raise `InputError` where a result was made on another dataset."""
    made_on = manifest_hash(manifest.root)
    known = {clip.clip_id for clip in manifest.clips}
    expected = "results made on this dataset"
    for result in results:
        if result.table.manifest_hash not in ("", made_on):
            what = "was made on another dataset (or on this one before it changed)"
            raise InputError.of(result.folder / RESULT, what, expected)
        if lost := [tile.clip_id for tile in result.table.tiles if tile.clip_id not in known]:
            what = f"shows clip {lost[0]}, which is not in the dataset"
            raise InputError.of(result.folder / RESULT, what, expected)


def results_section(
    results: Sequence[StoredResult], out: Path, table3: Cells
) -> ResultsSection | None:
    """View of the results, with their files copied into `out/assets/paper`; None without any."""
    if not results:
        return None
    common = common_sentences([result.table for result in results])
    own = any(result.table.name in OWN_RESULTS for result in results)
    views = tuple(_view(result.table, common, result.folder, out, table3) for result in results)
    return ResultsSection(f"{SECTION} {OWN}" if own else SECTION, common, views)


def liveness_section(results: Sequence[StoredResult], out: Path) -> ResultsSection | None:
    """View of the liveness results, with their files copied as those of the paper; or None."""
    if not results:
        return None
    views = tuple(_view(result.table, (), result.folder, out, {}) for result in results)
    return ResultsSection(LIVENESS_SECTION, (), views)


def common_sentences(results: Sequence[ResultTable]) -> tuple[str, ...]:
    """Sentences of every table of accuracies, said once above them; none for one table alone."""
    told = [r.sentences for r in results if any(cell.score for cell in r.cells)]
    if len(told) < 2:
        return ()
    return tuple(s for s in told[0] if all(s in other for other in told[1:]))


def _view(
    result: ResultTable, common: Sequence[str], folder: Path, out: Path, cells: Cells
) -> ResultView:
    def copy(name: str) -> str:
        target = out / "assets" / "paper" / result.name / name
        with atomic_path(target) as temporary:
            shutil.copyfile(folder / name, temporary)
        return target.relative_to(out).as_posix()

    def tile(one: ResultTile) -> Image:
        return Image(one.title, copy(one.file), one.alt, one.note)

    picture = result.picture
    chart = image = None
    grouped = any(one.group for one in result.tiles)
    if picture is not None and picture.light and picture.dark:
        chart = ChartImage(copy(picture.light), copy(picture.dark), picture.alt)
    elif picture is not None and not result.tiles:
        image = Image(result.short, copy(picture.file), picture.alt)
    notes = tuple(dict.fromkeys(n for c in result.cells if c.state == "not run" for n in c.notes))
    asked = any(cell.score or cell.state == "not run" for cell in result.cells)
    return ResultView(
        result.name,
        result.short,
        result.heading,
        _intro(result, cells),
        result.name.startswith("figure") and bool(chart or image or result.tiles),
        result.stamp,
        f"{result.ran} of {result.wanted} cells run" if asked else "",
        tuple(column.title for column in result.columns),
        _rows(result, notes),
        any(cell.paper for cell in result.cells),
        notes,
        tuple(s for s in result.sentences if s not in common),
        chart,
        image,
        () if grouped else tuple(map(tile, result.tiles)),
        LAYOUTS.get(result.name, "strips"),
        tuple(
            TileRow(*line, tuple(tile(t) for t in result.tiles if (t.group, t.detail) == line))
            for line in dict.fromkeys((t.group, t.detail) for t in result.tiles)
        )
        if grouped
        else (),
        tuple((KINDS[Path(f).suffix], copy(f)) for f in (RESULT, *result.files)),
    )


def _intro(result: ResultTable, cells: Cells) -> str:
    """Sentences before the result; one more where maps are shown of a detector that guesses."""
    shown = {tile.group for tile in result.tiles}
    guesses = any(
        quality == "raw" and cell.ran and not learnt(cell) and MODEL_TITLES.get(model) in shown
        for (quality, model), cell in cells.items()
    )
    return INTRO.get(result.name, "") + (MAPS_OF_GUESSES if guesses else "")


def _rows(result: ResultTable, notes: Sequence[str]) -> tuple[RowView, ...]:
    places = result.by_place
    rows = []
    for row in result.rows:
        cells = tuple(_cell(places.get((row.key, c.key)), notes) for c in result.columns)
        theirs = all(cell.kind in ("theirs", "empty") for cell in cells)
        rows.append(RowView(row.title, cells, theirs))
    return tuple(rows)


def _cell(cell: ResultCell | None, notes: Sequence[str]) -> CellView:
    if cell is None:
        return CellView("empty")
    paper = cell.paper.text if cell.paper else ""
    if cell.state == "paper":
        return CellView("theirs", paper)
    if cell.state == "not run":
        marks = tuple(notes.index(note) + 1 for note in cell.notes)
        return CellView("notrun", "not run", paper=paper, notes=marks)
    found = cell.estimate
    bar = marked = None
    if cell.unit == "share" and found is not None:
        mark = cell.region.area if cell.region else cell.score.chance if cell.score else None
        ends = (found.low, found.high) if found.groups != 1 else (found.value, found.value)
        low, high, at = (round(v * 100, 2) for v in (*ends, found.value))
        bar = Bar(low, round(high - low, 2), at, None if mark is None else mark * 100)
        marked = cell.region is not None and found.groups > 1 and found.low > cell.region.area
    return CellView(
        "ours",
        _value(cell),
        _interval(cell),
        _more(cell),
        paper,
        cell.notes,
        bar=bar,
        marked=bool(marked),
    )


def _value(cell: ResultCell) -> str:
    """The value in words, without its interval."""
    value = cell.value
    if value is None:
        return cell.text
    if cell.unit == "points":
        return points(value)
    if cell.unit == "count":
        return f"{value:,.0f}" + (f" of {cell.n:,}" if cell.n is not None else "")
    if cell.spread is not None:
        return f"{value * 100:.1f} ± {cell.spread * 100:.1f}%"
    return percent(value)


def _interval(cell: ResultCell) -> str:
    if (found := cell.estimate) is None:
        return ""
    if cell.unit == "points":
        return f"{points(found.low)} to {points(found.high)}"
    if found.groups != 1:
        return span(found)
    return "" if cell.score else "no interval: one person"


def _more(cell: ResultCell) -> str:
    """Accuracy and AUC on whole clips, or a region's share as a multiple of its area."""
    if cell.region is not None:
        times = cell.region.times_area
        return f"{times:.1f}× its area" if times is not None else ""
    if cell.score is None:
        return ""
    clip = cell.score.clip
    words = [f"whole clips {percent(clip['accuracy'].value)}"] if "accuracy" in clip else []
    words += [f"AUC {clip['auc'].value:.2f}"] if "auc" in clip else []
    return ", ".join(words)


def points(share: float) -> str:
    """A difference in points with a true minus sign: `+2.1`."""
    return f"{share * 100:+.1f}".replace("-", "−")
