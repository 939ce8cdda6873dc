"""Where the detectors look: Figure 7 by action and detector, and the share of each face region."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dfmnist.core.actions import INFO, Action
from dfmnist.dataset.manifest import Manifest
from dfmnist.experiments.cam_figure import Grid, cam_grid
from dfmnist.experiments.cam_regions import REGION_TITLES, regions_or_reason, titled
from dfmnist.experiments.paper import MODELS
from dfmnist.faces.regions import REGIONS
from dfmnist.media.image import write_image
from dfmnist.reports.runs import RUN_WEIGHTS, FinishedRun
from dfmnist.reports.sections import Image, in_order
from dfmnist.reports.text import plural

SIDE_PX = 128


@dataclass(frozen=True)
class MapRow:
    """The frames, or one detector's maps of them, an action each."""

    title: str
    detail: str
    tiles: tuple[Image | None, ...]


@dataclass(frozen=True)
class RegionCell:
    """A region's share of the evidence; percent of the bar's width."""

    share: str
    times: str
    low: float
    width: float
    at: float
    area: float
    more: bool
    """The interval lies above the region's own area."""


@dataclass(frozen=True)
class RegionRow:
    """One action, or all."""

    title: str
    cells: tuple[RegionCell, ...]
    """Empty: no face was found, or no evidence for FAKE."""
    counted: str


@dataclass(frozen=True)
class Regions:
    """The table of shares."""

    titles: tuple[str, ...]
    rows: tuple[RegionRow, ...]
    why_not: str = ""
    """Why there is no table; empty when there is one."""


@dataclass(frozen=True)
class Attention:
    """Figure 7 and the table below it."""

    actions: tuple[str, ...]
    rows: tuple[MapRow, ...]
    regions: Regions
    title: str
    """Of the detector that the shares are of."""
    model: str

    @property
    def num_maps(self) -> int:
        """Maps drawn."""
        return len(self.actions) * (len(self.rows) - 1)


def attention(
    manifest: Manifest, runs: Sequence[FinishedRun], folder: Path, out: Path
) -> Attention | None:
    """Maps of the chosen runs on the first test fake of each action; None where there is none.

    Chosen are the detectors trained on raw (else on what there is), and the first of them on the
    other qualities.
    """
    chosen = choose(manifest, runs)
    if not chosen:
        return None
    grid = cam_grid(manifest.root, [run.folder for run in chosen], side_px=SIDE_PX)
    return Attention(
        tuple(INFO[row.action].title for row in grid.rows),
        tuple(_rows(grid, folder, out)),
        _regions(manifest, chosen[0]),
        chosen[0].title,
        chosen[0].config.network,
    )


def choose(manifest: Manifest, runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """The runs to draw maps of, the one to lead first."""
    tested = manifest.select(split="test", label="fake")
    qualities = {clip.quality.value for clip in tested.clips if clip.action is not Action.TALK}
    latest = {
        (r.config.network, r.config.quality): r
        for r in runs
        if r.whole
        and r.config.network in MODELS
        and r.config.qualities[0] in qualities
        and (r.folder / RUN_WEIGHTS).is_file()
    }
    able = in_order(list(latest.values()))
    if not able:
        return []
    raw = [r for r in able if r.config.quality == "raw"] or able[:1]
    lead = raw[0].config.network
    return [*raw, *(r for r in able if r.config.network == lead and r not in raw)]


def _rows(grid: Grid, folder: Path, out: Path) -> list[MapRow]:
    heads = [("Frame", f"{grid.frame_quality}, untouched"), *(c.title for c in grid.columns)]
    rows = []
    for index, (title, detail) in enumerate(heads):
        tiles = []
        for row in grid.rows:
            path = folder / f"map-{index:02d}-{row.action.value}.jpg"
            write_image(path, row.cells[index].image)
            what = f"where {title} ({detail}) looks" if index else "the frame itself"
            src = path.relative_to(out).as_posix()
            alt = f"{INFO[row.action].title}: {what}"
            tiles.append(Image(INFO[row.action].title, src, alt, row.cells[index].note))
        rows.append(MapRow(title, detail, tuple(tiles)))
    return rows


def _regions(manifest: Manifest, run: FinishedRun) -> Regions:
    """Shares by action; without the face models, or without a face, the reason instead."""
    titles = tuple(REGION_TITLES[region] for region in REGIONS)
    table, why = regions_or_reason(manifest.root, run.folder)
    if table is None:
        return Regions(titles, (), why)
    rows = tuple(_region_row(part) for part in table.partition_by("action", maintain_order=True))
    return Regions(titles, rows)


def _region_row(part: pl.DataFrame) -> RegionRow:
    action, frames, people = part["action"][0], part["frames"][0], part["people"][0]
    title = titled(action)
    counted = f"{plural(frames, 'frame')} of {plural(people, 'person', 'people')}"
    if left_out := part["left_out"][0]:
        counted += f", {left_out} left out"
    if not frames:
        return RegionRow(title, (), counted)
    several = people > 1
    cells = tuple(
        RegionCell(
            f"{row['share'] * 100:.0f}%",
            f"{row['times_area']:.1f}× its area" if row["area"] > 0 else "",
            row["low"] * 100 if several else row["share"] * 100,
            (row["high"] - row["low"]) * 100 if several else 0.0,
            row["share"] * 100,
            row["area"] * 100,
            several and row["low"] > row["area"],
        )
        for row in part.to_dicts()
    )
    return RegionRow(title, cells, counted)
