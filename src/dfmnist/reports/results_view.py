"""The paper's tables and figures, as `dfmnist experiment` wrote them, for the page."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dfmnist.core.actions import INFO, Action
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path
from dfmnist.dataset.manifest import Manifest, manifest_hash
from dfmnist.experiments.written import DASH, NOT_RUN, Numbers, Sheet, Written
from dfmnist.reports.sections import ChartImage, Image
from dfmnist.reports.text import pct

INTRO = (
    "Every table and figure of the paper that was run on this dataset, in the paper’s order. Under "
    "each number of ours stands the paper’s, marked “paper”; ~ marks one read off a chart by eye. "
    "A cell that was not run says so, and how to run it. Compare the patterns, not the numbers: "
    "the people, the animator and the size of the dataset are others."
)
OWN = (
    "The last of them are this project’s own: the paper’s conclusions judged on this dataset, and "
    "how much of a detector’s accuracy is the action and not the forgery."
)
OWN_SHEETS = ("shortcut", "conclusions")
LAYOUTS = {"figure1": "strips", "figure7": "cams", "figure9": "details"}
"""How the tiles of a figure lie on the page."""
KINDS = {"parquet": "Parquet", "md": "Markdown", "tex": "LaTeX"}
_NUMBER = re.compile(r"(?P<value>.+?) \[(?P<low>[\d.]+), (?P<high>[\d.]+)\]")


@dataclass(frozen=True)
class Bar:
    """An interval from 0 to 100%; all in percent of the bar's width."""

    low: float
    width: float
    at: float
    chance: float


@dataclass(frozen=True)
class SheetCell:
    """A cell; `kind` is `ours`, `theirs` (only the paper has it), `notrun` or `empty`."""

    column: str
    kind: str
    text: str = ""
    interval: str = ""
    more: str = ""
    paper: str = ""
    flags: tuple[str, ...] = ()
    notes: tuple[int, ...] = ()
    """Numbers of the notes under the table."""
    bar: Bar | None = None


@dataclass(frozen=True)
class SheetRow:
    """A row; `theirs`: all of it is the paper's."""

    title: str
    cells: tuple[SheetCell, ...]
    theirs: bool


@dataclass(frozen=True)
class SheetView:
    """One table or figure."""

    id: str
    short: str
    heading: str
    figure: bool
    """The picture comes first and the numbers can be unfolded; else the other way round."""
    stamp: str
    count: str
    columns: tuple[str, ...]
    rows: tuple[SheetRow, ...]
    notes: tuple[str, ...]
    sentences: tuple[str, ...]
    chart: ChartImage | None
    image: Image | None
    tiles: tuple[Image, ...]
    layout: str
    files: tuple[tuple[str, str], ...]
    """Kind and path of the data behind it."""


@dataclass(frozen=True)
class Paper:
    """The whole section."""

    intro: str
    common: tuple[str, ...]
    """Sentences that hold for all tables of numbers."""
    sheets: tuple[SheetView, ...]


def check_same_dataset(sheets: Sequence[Sheet], manifest: Manifest) -> None:
    """Raise `InputError` where a sheet was made on another dataset than this one."""
    made_on = manifest_hash(manifest.root)
    for sheet in sheets:
        if sheet.manifest not in ("", made_on):
            raise InputError.of(
                sheet.files[0], "was made on another dataset than --data (or on it before it "
                "changed)", "--experiments made on this dataset",
            )  # fmt: skip
    known = {clip.clip_id for clip in manifest.clips}
    for sheet in sheets:
        for clip in sheet.clips:
            if clip["clip_id"] not in known:
                raise InputError.of(
                    sheet.files[0], f"shows clip {clip['clip_id']}, which is not in --data",
                    "--experiments made on this dataset",
                )  # fmt: skip


def paper(sheets: Sequence[Sheet], out: Path) -> Paper | None:
    """The section, its pictures and data copied into `out/assets/paper`; None without sheets."""
    if not sheets:
        return None
    common = common_sentences(sheets)
    own = any(sheet.name in OWN_SHEETS for sheet in sheets)
    return Paper(
        f"{INTRO} {OWN}" if own else INTRO,
        common,
        tuple(_view(sheet, common, out) for sheet in sheets),
    )


def common_sentences(sheets: Sequence[Sheet]) -> tuple[str, ...]:
    """What all sheets with numbers say alike: said once, above them. None for one sheet alone."""
    told = [sheet.sentences for sheet in sheets if sheet.numbers]
    if len(told) < 2:
        return ()
    return tuple(s for s in told[0] if all(s in other for other in told[1:]))


def _view(sheet: Sheet, common: Sequence[str], out: Path) -> SheetView:
    folder = out / "assets" / "paper"
    notes = _notes(sheet)
    chart = _chart(sheet, folder, out)
    tiles = () if chart else _tiles(sheet, folder, out)
    image = None
    if sheet.picture is not None and not (chart or tiles):
        image = Image(sheet.short, _copy(sheet.picture, folder, out), sheet.alt)
    measured = bool(sheet.numbers) or any(c.ours == NOT_RUN for c in sheet.cells.values())
    return SheetView(
        sheet.name,
        sheet.short,
        sheet.heading,
        sheet.name.startswith("figure") and bool(chart or tiles or image),
        sheet.stamp,
        f"{sheet.ran} of {sheet.wanted} cells run" if measured else "",
        sheet.columns,
        tuple(_row(sheet, row, notes) for row in sheet.rows),
        notes,
        tuple(s for s in sheet.sentences if s not in common),
        chart,
        image,
        tiles,
        LAYOUTS.get(sheet.name, ""),
        tuple((KINDS[f.suffix[1:]], _copy(f, folder, out)) for f in sheet.files),
    )


def _notes(sheet: Sheet) -> tuple[str, ...]:
    """Why cells were not run, each reason once, in reading order."""
    order = [
        cell for row in sheet.rows for c in sheet.columns if (cell := sheet.cells.get((row, c)))
    ]
    found = dict.fromkeys(n for cell in order if not cell.ran for n in cell.notes)
    return tuple(found)


def _row(sheet: Sheet, row: str, notes: Sequence[str]) -> SheetRow:
    cells = tuple(
        _cell(column, sheet.cells.get((row, column)), sheet.numbers.get((row, column)), notes)
        for column in sheet.columns
    )
    return SheetRow(row, cells, all(cell.kind in ("theirs", "empty") for cell in cells))


def _cell(
    column: str, cell: Written | None, numbers: Numbers | None, notes: Sequence[str]
) -> SheetCell:
    if cell is None:
        return SheetCell(column, "empty")
    if cell.ours == DASH:
        return SheetCell(column, "theirs", cell.paper)
    if not cell.ran:
        marks = tuple(notes.index(note) + 1 for note in cell.notes)
        return SheetCell(column, "notrun", NOT_RUN, paper=cell.paper, notes=marks)
    found = _NUMBER.fullmatch(cell.ours)
    if found is None:
        return SheetCell(column, "ours", cell.ours, paper=cell.paper, flags=cell.notes)
    low, high = float(found["low"]), float(found["high"])
    value = float(re.split(r"[ %]", found["value"])[0])
    chance = 50.0 if numbers is None or numbers.chance is None else numbers.chance * 100
    bar = Bar(low, high - low, value, chance) if numbers is not None else None
    return SheetCell(
        column,
        "ours",
        found["value"],
        f"{found['low']} to {found['high']}%",
        _more(numbers),
        cell.paper,
        cell.notes,
        bar=bar,
    )


def _more(numbers: Numbers | None) -> str:
    """Accuracy on whole clips, and the AUC where both classes were scored."""
    if numbers is None:
        return ""
    clip = numbers.evaluation.clip
    words = [f"whole clips {pct(clip['accuracy'].value)}"] if "accuracy" in clip else []
    words += [f"AUC {clip['auc'].value:.2f}"] if "auc" in clip else []
    return ", ".join(words)


def _chart(sheet: Sheet, folder: Path, out: Path) -> ChartImage | None:
    """The chart in both themes, where the experiment drew one."""
    if sheet.picture is None:
        return None
    pair = [sheet.picture.with_name(f"{sheet.name}-{theme}.svg") for theme in ("light", "dark")]
    if not all(path.is_file() for path in pair):
        return None
    light, dark = (_copy(path, folder, out) for path in pair)
    return ChartImage(light, dark, sheet.alt)


def _tiles(sheet: Sheet, folder: Path, out: Path) -> tuple[Image, ...]:
    """The figure's single pictures, a clip each; none where they are not there one for one."""
    if sheet.picture is None:
        return ()
    found = sorted(sheet.picture.parent.glob(f"{sheet.name}-[0-9]*{sheet.picture.suffix}"))
    if not found or len(found) != len(sheet.clips):
        return ()
    return tuple(
        Image(label, _copy(path, folder, out), f"{sheet.heading}: {label}")
        for path, clip in zip(found, sheet.clips, strict=True)
        if (label := _label(sheet, clip))
    )


def _label(sheet: Sheet, clip: dict[str, str]) -> str:
    several = len({c["quality"] for c in sheet.clips}) > 1
    return clip["quality"] if several else INFO[Action(clip["action"])].title


def _copy(source: Path, folder: Path, out: Path) -> str:
    """Path of the copy, relative to the page."""
    target = folder / source.name
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    return target.relative_to(out).as_posix()
