"""What `dfmnist experiment` wrote, read back from its folder; no run and no dataset is needed.

`DIR/NAME/` holds `NAME.md` (title, table, notes, picture, sentences: what people read),
`NAME.parquet` (the same as tidy rows), `NAME.tex` and the pictures. The words come from the
Markdown, the numbers behind them from the Parquet.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dfmnist.core.errors import InputError
from dfmnist.detectors.metrics import Evaluation
from dfmnist.experiments.paper import MODELS, QUALITIES, TABLE3
from dfmnist.experiments.tables import Cell
from dfmnist.stats.intervals import Estimate

ORDER = (
    "table1", "figure1", "table2", "figure2", "table3", "table4", "table5", "figure3", "figure4",
    "figure5", "figure6", "figure7", "figure8", "figure9", "figure10", "table6",
    "shortcut", "conclusions",
)  # fmt: skip
"""As they come in the paper's text and its appendices A to C; then this project's own."""
NOT_RUN = "not run"
DASH = "–"
_EXPECTED = "one written by `dfmnist experiment`"
Key = tuple[str, str]
"""Row and column, as printed."""


@dataclass(frozen=True)
class Written:
    """One cell in words."""

    ours: str
    """`93.1% [90.2, 95.4]`, `not run`, a count; a dash where only the paper has a value."""
    paper: str = ""
    """The paper's value as printed there, `~` before one read off a chart; empty: it gives none."""
    notes: tuple[str, ...] = ()

    @property
    def ran(self) -> bool:
        """Whether there is something of ours in it."""
        return self.ours not in (NOT_RUN, DASH)


@dataclass(frozen=True)
class Numbers:
    """What lies behind a cell that was run; a mean over the seeds."""

    evaluation: Evaluation
    chance: float | None
    """Share of the larger class among the frames; None with one class only."""
    seeds: int
    network: str
    size_px: int
    frames_per_clip: int
    steps: int
    initialisation: str
    run: str
    """Name of the first seed's run."""


@dataclass(frozen=True)
class Sheet:
    """One table or figure of the paper, on this dataset."""

    name: str
    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: dict[Key, Written]
    numbers: dict[Key, Numbers]
    sentences: tuple[str, ...]
    """What differs from the paper, and what the numbers are."""
    picture: Path | None
    alt: str
    clips: tuple[dict[str, str], ...]
    """For a figure of clips: `clip_id`, `action` and `quality` of each."""
    files: tuple[Path, ...]
    """The Parquet, Markdown and LaTeX that there are."""
    stamp: str = ""
    """`smoke, not a result`; empty for runs that may be believed."""
    manifest: str = ""
    """Hash of the dataset's manifest on which it was made."""

    @property
    def short(self) -> str:
        """`Table 3`."""
        return self.title.split(":")[0]

    @property
    def heading(self) -> str:
        """What it is of, without its number."""
        words = self.title.split(":", 1)[-1].strip()
        return words[:1].upper() + words[1:]

    @property
    def ran(self) -> int:
        """How many cells have a number of ours."""
        return sum(cell.ran for cell in self.cells.values())

    @property
    def wanted(self) -> int:
        """How many cells have one or ask for one."""
        return sum(cell.ours != DASH for cell in self.cells.values())


def read_experiments(folder: Path) -> tuple[Sheet, ...]:
    """Every table and figure below `folder`, in the paper's order. Raises `InputError`."""
    sheets = tuple(
        read_sheet(folder / name) for name in ORDER if (folder / name / f"{name}.md").is_file()
    )
    if not sheets:
        raise InputError.of(folder, "holds no table and no figure", f"a folder {_EXPECTED}")
    return sheets


def read_sheet(folder: Path) -> Sheet:
    """The table or figure in `folder`, which has its name. Raises `InputError`."""
    name = folder.name
    page = folder / f"{name}.md"
    try:
        parts = _parts(page.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError.of(page, f"cannot be read ({error})", _EXPECTED) from None
    tidy = _tidy(folder / f"{name}.parquet")
    picture = folder / parts.picture if parts.picture else None
    if picture is not None and (picture.parent != folder or not picture.is_file()):
        raise InputError.of(page, f"shows {parts.picture}, which is not beside it", _EXPECTED)
    return Sheet(
        name,
        parts.title,
        tuple(row for row, _ in parts.table),
        parts.columns,
        {
            (row, column): cell
            for row, cells in parts.table
            for column, cell in zip(parts.columns, cells, strict=True)
            if cell is not None
        },
        _numbers(tidy, parts, page),
        tuple(parts.sentences),
        picture,
        parts.alt,
        _clips(tidy),
        tuple(f for s in ("parquet", "md", "tex") if (f := folder / f"{name}.{s}").is_file()),
        _stamp(tidy),
        tidy["manifest"][0] if "manifest" in tidy.columns and len(tidy) else "",
    )


_CELL = re.compile(
    r"(?P<ours>.*?)(?: <sup>(?P<marks>[\d,]+)</sup>)?(?:<br>\*paper: (?P<paper>.*)\*)?"
)
_PICTURE = re.compile(r"!\[(?P<alt>.*)\]\((?P<file>[^()/]+)\)")
_NOTE = re.compile(r"\d+\. (?P<text>.+)")


@dataclass(frozen=True)
class _Parts:
    """The Markdown taken apart."""

    title: str
    columns: tuple[str, ...]
    table: tuple[tuple[str, tuple[Written | None, ...]], ...]
    picture: str
    alt: str
    sentences: tuple[str, ...]


def _parts(text: str) -> _Parts:
    """Raises ValueError for what the command does not write."""
    title = picture = alt = ""
    lines: list[list[str]] = []
    notes: list[str] = []
    sentences: list[str] = []
    for line in text.splitlines():
        if line.startswith("# ") and not title:
            title = line[2:]
        elif line.startswith("|"):
            lines.append(_split(line))
        elif (note := _NOTE.fullmatch(line)) and not (sentences or picture):
            notes.append(_plain(note["text"]))
        elif (shown := _PICTURE.fullmatch(line)) and not picture:
            picture, alt = shown["file"], _plain(shown["alt"])
        elif line.strip():
            sentences.append(line.strip())
    if not title:
        raise ValueError("no title")
    if any(len(line) != len(lines[0]) for line in lines):
        raise ValueError("a table whose rows differ in length")
    table = tuple((row, tuple(_cell(c, notes) for c in cells)) for row, *cells in lines[2:])
    columns = tuple(lines[0][1:]) if lines else ()
    return _Parts(title, columns, table, picture, alt, tuple(sentences))


def _split(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line.strip())[1:-1]
    return [_plain(cell.strip()) for cell in cells]


def _plain(text: str) -> str:
    return text.replace(r"\|", "|")


def _cell(text: str, notes: Sequence[str]) -> Written | None:
    found = _CELL.fullmatch(text)
    if found is None or text == DASH:
        return None
    marks = [int(mark) for mark in (found["marks"] or "").split(",") if mark]
    if any(mark > len(notes) for mark in marks):
        raise ValueError(f"note {max(marks)} where there are {len(notes)}")
    return Written(found["ours"], found["paper"] or "", tuple(notes[m - 1] for m in marks))


def _tidy(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        what = str(error).splitlines()[0]
        raise InputError.of(path, f"cannot be read ({what})", _EXPECTED) from None


def _clips(tidy: pl.DataFrame) -> tuple[dict[str, str], ...]:
    wanted = ["clip_id", "action", "quality"]
    return tuple(tidy.select(wanted).to_dicts()) if set(wanted) <= set(tidy.columns) else ()


def _stamp(tidy: pl.DataFrame) -> str:
    if "status" not in tidy.columns:
        return ""
    stamps = set(tidy["status"]) - {"run", NOT_RUN}
    return min(stamps, default="")


def _numbers(tidy: pl.DataFrame, parts: _Parts, page: Path) -> dict[Key, Numbers]:
    """The Parquet's cells under the names that the Markdown prints: both are in one order."""
    if not {"row", "column", "measure", "unit", "seed"} <= set(tidy.columns):
        return {}
    rows, columns = (tidy[n].unique(maintain_order=True).to_list() for n in ("row", "column"))
    printed = [row for row, _ in parts.table]
    if len(rows) != len(printed) or len(columns) != len(parts.columns):
        what = f"has {len(printed)} rows and {len(parts.columns)} columns"
        raise InputError.of(page, what, f"{len(rows)} and {len(columns)}, as in the Parquet file")
    names = dict(zip(rows, printed, strict=True)), dict(zip(columns, parts.columns, strict=True))
    run = tidy.filter(pl.col("value").is_not_null())
    return {
        (names[0][row], names[1][column]): _behind(cell)
        for (row, column), cell in run.group_by("row", "column", maintain_order=True)
    }


def _behind(cell: pl.DataFrame) -> Numbers:
    """One cell's rows, all seeds."""
    first: dict[str, Any] = cell.row(0, named=True)
    means = cell.group_by("unit", "measure", maintain_order=True).agg(
        pl.col("value", "low", "high").mean(), pl.col("n").first()
    )
    found: dict[str, dict[str, Estimate]] = {"frame": {}, "clip": {}}
    counts: dict[str, int] = {"frame": 0, "clip": 0}
    for row in means.to_dicts():
        counts[row["unit"]] = n = int(row["n"])
        found[row["unit"]][row["measure"]] = Estimate(
            row["value"], row["low"], row["high"], n, first["people"]
        )
    evaluation = Evaluation(
        found["frame"], found["clip"], counts["frame"], counts["clip"], first["people"], 0
    )
    return Numbers(
        evaluation,
        first["chance"],
        cell["seed"].n_unique(),
        first["network"],
        first["size_px"],
        first["frames_per_clip"],
        first["steps"],
        first["initialisation"],
        first["run"],
    )


def table3_cells(sheet: Sheet) -> dict[Key, Cell]:
    """Table 3's sheet as `tables.table3` gives it: `(quality, model)` → cell.

    The sheet's rows are the qualities and its columns the models, each in the paper's order.
    """
    cells = {}
    for quality, row in zip(QUALITIES, sheet.rows, strict=True):
        for model, column in zip(MODELS, sheet.columns, strict=True):
            cell = Cell(quality=quality, model=model, paper=TABLE3.get((quality, model)))
            if (n := sheet.numbers.get((row, column))) is not None:
                setting = (
                    f"start: {n.initialisation}; {n.size_px} px, {n.frames_per_clip} frames a "
                    f"clip, {n.steps:,} steps"
                )
                cell = Cell(model, quality, cell.paper, n.evaluation, setting, n.run)
            cells[quality, model] = cell
    return cells
