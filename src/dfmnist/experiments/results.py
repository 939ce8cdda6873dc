"""The record of a table or figure, `result.json`: its types, its writer and its reader.

Nothing here imports torch, a recipe or an experiment: the report reads results with this alone.
"""

from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from statistics import mean
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.core.records import first_problem
from dfmnist.experiments.paper import PaperValue
from dfmnist.stats.intervals import Estimate

RESULT = "result.json"
ORDER = (
    "table1", "figure1", "table2", "figure2", "table3", "table4", "table5", "figure3", "figure4",
    "figure5", "figure6", "figure7", "figure8", "figure9", "figure10", "table6",
    "shortcut", "conclusions",
)  # fmt: skip
"""Names of all tables and figures in the order of the paper's text and its appendices A to C; the
two that this project adds come last."""
LIVENESS = ("liveness_errors", "liveness_spoof_rate")
"""Names of the results of `dfmnist liveness evaluate`, which come after all others."""
LIVENESS_FOLDER = "liveness"
"""Folder within a dataset's or an experiment's folder in which the report looks for them."""
MAX_BYTES = 64 * 2**20
"""Largest `result.json` that is read."""
_EXPECTED = "one written by `dfmnist experiment`"

ELSEWHERE = "elsewhere"
"""`trained_on` of a detector that was not trained here."""
State = Literal["run", "not run", "paper", "counted"]
"""`run`: measured here. `not run`: the notes say why, and how to run it. `paper`: only the paper
has a value. `counted`: a count or a word taken from the dataset or from other results."""
Unit = Literal["share", "points", "count", "text"]
"""`share`: a fraction, 0 to 1. `points`: a difference of two shares, -1 to 1. `count`: a whole
number, `value` of `n` where `n` is given. `text`: the words in `text`."""
Key = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=10_000)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""Name of a file in the result's own folder; never a path."""
Count = Annotated[int, Field(ge=0, le=10**12)]
Metrics = Annotated[dict[str, Estimate], Field(max_length=50)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Heading(_Record):
    """A row's or column's name."""

    key: Key
    """Name in the code and in the Parquet file: `resnet50`."""
    title: Key
    """Name for people: `ResNet-50`."""


class Published(_Record):
    """The paper's value of a cell."""

    text: Text
    """The value as printed: `96.58%`; `~` before one that was read off a chart."""
    value: float | None = None
    """The value as a number in the cell's unit; None for words."""
    read_off: bool = False
    """Whether the value was read off a chart by eye, right to half a point."""
    place: Text = ""
    """Where the paper prints the value."""


def published(value: PaperValue | None) -> Published | None:
    """The record of one of the paper's numbers."""
    if value is None:
        return None
    return Published(
        text=value.percent, value=value.value, read_off=value.read_off, place=value.place
    )


class SeedScore(_Record):
    """One training's scores of a cell's test clips."""

    seed: int
    run: Text
    """Name of the training run's folder."""
    steps: Count
    initialisation: Text
    frame_px: Count = 0
    """Side of the whole frames that were scored; 0 where the network sees no crops of them."""
    frame: Metrics
    """Metrics of single frames by their names in `stats.binary_metrics.NAMES`, with intervals over
    people; those that are not defined (with one class) are left out."""
    clip: Metrics
    """The same metrics of whole clips, scored by the mean logit of their frames."""
    unscored: Count = 0
    """Number of clips that could not be scored."""

    @model_validator(mode="after")
    def _finite(self) -> "SeedScore":
        for name, found in (*self.frame.items(), *self.clip.items()):
            if not all(isfinite(v) for v in (found.value, found.low, found.high)):
                raise ValueError(f"{name} is not a number")
        return self


class Score(_Record):
    """The details behind a detector's accuracy."""

    network: Key
    size_px: Count
    frames_per_clip: Count
    trained_on: Key
    """Name of the dataset that the detector was trained on."""
    trained_quality: Key
    tested_on: Key
    tested_quality: Key
    started_from: Text = ""
    """Words for the run that was fine-tuned; empty where there is none."""
    chance: Annotated[float, Field(ge=0, le=1)] | None
    """Share of the larger class among the test frames; None with one class only."""
    learnt: bool | None
    """Whether the lower bound of the frame accuracy is above chance, over two people or more; None
    where chance is not defined."""
    seeds: Annotated[tuple[SeedScore, ...], Field(min_length=1, max_length=1000)]

    @property
    def frame(self) -> dict[str, Estimate]:
        """Metrics of single frames: means of the seeds' values and bounds."""
        return _mean([seed.frame for seed in self.seeds])

    @property
    def clip(self) -> dict[str, Estimate]:
        """Metrics of whole clips: means of the seeds' values and bounds."""
        return _mean([seed.clip for seed in self.seeds])

    @property
    def seen(self) -> str:
        """What the network sees of a frame, in words."""
        whole = self.seeds[0].frame_px
        if whole in (0, self.size_px):
            return f"{self.size_px} px"
        return f"native {self.size_px} px crops of {whole} px"

    @property
    def run(self) -> str:
        """Name of the first seed's run."""
        return self.seeds[0].run

    @property
    def steps(self) -> int:
        """Optimiser steps of the first seed's run."""
        return self.seeds[0].steps

    @property
    def initialisation(self) -> str:
        """What the first seed's run started from."""
        return self.seeds[0].initialisation


class RegionShare(_Record):
    """The details behind a face region's share of a detector's evidence (Figure 7)."""

    area: Annotated[float, Field(ge=0, le=1)]
    """The region's share of the picture, which is what no preference would give."""
    times_area: Annotated[float, Field(ge=0)] | None
    """The cell's share divided by `area`; None without an area."""
    left_out: Count
    """Number of frames without a face or without evidence for FAKE."""
    clips: Count


class ResultCell(_Record):
    """One value of a table or figure."""

    row: Key
    column: Key
    state: State
    unit: Unit = "share"
    value: float | None = None
    low: float | None = None
    high: float | None = None
    """Bounds of the 95% interval; None where there is none."""
    n: Count | None = None
    """Number of samples: frames, attempts, or the cells that a difference averages."""
    groups: Count | None = None
    """Number of people that the bootstrap draws from; 0 for a Wilson interval."""
    spread: Annotated[float, Field(ge=0)] | None = None
    """Standard deviation over seeds; None with one seed."""
    text: Text = ""
    paper: Published | None = None
    notes: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    """Footnotes: what must be known before the value is believed, or why there is none."""
    score: Score | None = None
    region: RegionShare | None = None

    @property
    def estimate(self) -> Estimate | None:
        """The value with its interval; None without a value or without bounds."""
        if self.value is None or self.low is None or self.high is None:
            return None
        return Estimate(self.value, self.low, self.high, self.n or 0, self.groups or 0)

    @property
    def ran(self) -> bool:
        """Whether the cell has something of this dataset in it."""
        return self.state in ("run", "counted")

    @model_validator(mode="after")
    def _whole(self) -> "ResultCell":
        if self.ran and self.unit != "text" and self.value is None:
            raise ValueError("a cell that was run has no value")
        if not self.ran and self.value is not None:
            raise ValueError(f"a cell in state '{self.state}' has a value")
        least = {"share": 0.0, "points": -1.0}.get(self.unit)
        found = [v for v in (self.value, self.low, self.high) if v is not None]
        if least is not None and any(not least <= v <= 1 for v in found):
            raise ValueError(f"a value or bound outside {least:g} to 1")
        return self


class ResultPicture(_Record):
    """The picture of a table or figure: a chart in two themes, or an image."""

    file: FileName
    """PNG or JPEG, for papers and editors without SVG."""
    light: FileName | None = None
    dark: FileName | None = None
    """The chart as SVG for light and for dark pages; None for an image."""
    alt: Text
    """Words for those who cannot see the picture."""


class ResultTile(_Record):
    """One picture of a clip in a figure of several."""

    file: FileName
    title: Text
    """Label of the picture: an action or a quality."""
    alt: Text
    group: Text = ""
    """Tiles of one group form a line: in Figure 7 the plain frames, then a detector each."""
    detail: Text = ""
    """Second line of the group's name: `trained on raw`."""
    note: Text = ""
    """Words under the picture: `P(fake) 0.93`."""
    clip_id: Key
    label: Key
    action: Text
    """Action of the clip; empty where it has none."""
    quality: Key
    source_id: Text = ""
    driver_id: Text = ""


class ResultTable(_Record):
    """One table or figure of the paper on this dataset: `NAME/result.json`.

    Markdown, LaTeX, the Parquet file and the report are views of this record.
    """

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    """Name of the experiment and of its folder: `table3`."""
    title: Text
    """`Table 3: five detectors, three qualities`."""
    rows: Annotated[tuple[Heading, ...], Field(max_length=1000)] = ()
    columns: Annotated[tuple[Heading, ...], Field(max_length=1000)] = ()
    cells: Annotated[tuple[ResultCell, ...], Field(max_length=100_000)] = ()
    """Cells in reading order; a place without a cell is empty."""
    sentences: Annotated[tuple[Text, ...], Field(max_length=1000)] = ()
    """What differs from the paper, and what the numbers are."""
    picture: ResultPicture | None = None
    tiles: Annotated[tuple[ResultTile, ...], Field(max_length=10_000)] = ()
    files: Annotated[tuple[FileName, ...], Field(max_length=100)] = ()
    """Names of the views beside this record: Markdown, LaTeX, Parquet."""
    stamp: Text = ""
    """`smoke, not a result`; empty for results that may be believed."""
    dataset: Text = ""
    manifest_hash: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """Hash of the manifest of the dataset under test."""
    recipe: Text = ""

    @property
    def short(self) -> str:
        """Number of the table or figure: `Table 3`."""
        return self.title.split(":")[0]

    @property
    def heading(self) -> str:
        """Title without the number: `Five detectors, three qualities`."""
        words = self.title.split(":", 1)[-1].strip()
        return words[:1].upper() + words[1:]

    @property
    def by_place(self) -> dict[tuple[str, str], ResultCell]:
        """Cells by the keys of their row and column."""
        return {(cell.row, cell.column): cell for cell in self.cells}

    @property
    def ran(self) -> int:
        """Number of cells with something of this dataset."""
        return sum(cell.ran for cell in self.cells)

    @property
    def wanted(self) -> int:
        """Number of cells that have something of this dataset or ask for it."""
        return sum(cell.state != "paper" for cell in self.cells)

    @property
    def footnotes(self) -> tuple[str, ...]:
        """Every note of a cell once, in reading order; numbered from 1."""
        return tuple(dict.fromkeys(note for cell in self.cells for note in cell.notes))

    @property
    def file_names(self) -> tuple[str, ...]:
        """Names of all files that the record speaks of, each once."""
        shown = self.picture
        pictures = (shown.file, shown.light, shown.dark) if shown else ()
        names = (*pictures, *(tile.file for tile in self.tiles), *self.files)
        return tuple(dict.fromkeys(name for name in names if name))

    @model_validator(mode="after")
    def _consistent(self) -> "ResultTable":
        for what, headings in (("row", self.rows), ("column", self.columns)):
            keys = [heading.key for heading in headings]
            if len(set(keys)) != len(keys):
                raise ValueError(f"a {what} stands twice")
            if lost := {getattr(cell, what) for cell in self.cells} - set(keys):
                raise ValueError(f"a cell of the {what} '{min(lost)}', which is not listed")
        if len(self.by_place) != len(self.cells):
            raise ValueError("two cells in one place")
        return self


def _mean(seeds: Sequence[dict[str, Estimate]]) -> dict[str, Estimate]:
    """Each metric's mean value and mean bounds."""
    return {
        name: Estimate(
            mean(s[name].value for s in seeds),
            mean(s[name].low for s in seeds),
            mean(s[name].high for s in seeds),
            first.n,
            first.groups,
        )
        for name, first in seeds[0].items()
        if all(name in s for s in seeds)
    }


_READERS: dict[int, Callable[[Any], ResultTable]] = {1: ResultTable.model_validate}
"""Schema version → reader; an older version's reader brings its records to today's form."""


def write_result(folder: Path, table: ResultTable) -> Path:
    """Write `table` as `folder/result.json`, whole or not at all; returns the file."""
    path = folder / RESULT
    write_json(path, table.model_dump(mode="json", exclude_defaults=True) | {
        "schema_version": table.schema_version,
    })  # fmt: skip
    return path


def read_result(folder: Path) -> ResultTable:
    """Read `folder/result.json`; the folder has the experiment's name.

    Raises `InputError`, naming the file and the field: no such file, a version that is not known,
    a field that is missing or wrong, a picture or view that is not beside it.
    """
    path = folder / RESULT
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise InputError.of(path, f"has {path.stat().st_size} bytes", f"{MAX_BYTES} or fewer")
    values = read_json(path)
    version = values.get("schema_version") if isinstance(values, dict) else None
    if type(version) is not int or version not in _READERS:
        known = " or ".join(map(str, _READERS))
        raise InputError.of(path, f"schema_version is {version!r}", f"{known}, {_EXPECTED}")
    try:
        table = _READERS[version](values)
    except ValidationError as error:
        raise InputError.of(path, first_problem(error), _EXPECTED) from None
    if table.name != folder.name:
        raise InputError.of(path, f"name: '{table.name}'", f"'{folder.name}', as its folder")
    for name in table.file_names:
        if not (folder / name).is_file():
            raise InputError.of(path, f"names {name}, which is not beside it", _EXPECTED)
    return table


def read_results(root: Path) -> tuple[ResultTable, ...]:
    """Every result below `root`, in the paper's order. Raises `InputError`: none, or a bad one."""
    if not (found := results_below(root, ORDER)):
        raise InputError.of(
            root, "holds no table and no figure", "the folder that `dfmnist experiment` wrote"
        )
    return found


def results_below(root: Path, names: Sequence[str]) -> tuple[ResultTable, ...]:
    """Those of the results `names` that lie below `root`. Raises `InputError` for a bad one."""
    return tuple(read_result(root / name) for name in names if (root / name / RESULT).is_file())
