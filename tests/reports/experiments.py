"""A folder as `dfmnist experiment` leaves it, small and made through the writer of results.

The numbers stand for nothing and exist in tests only.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from dfmnist.core.actions import INFO, TEN
from dfmnist.core.files import write_text
from dfmnist.dataset.manifest import Clip, Manifest, manifest_hash
from dfmnist.experiments.paper import MODEL_TITLES, MODELS, TABLE3
from dfmnist.experiments.results import (
    Heading,
    Published,
    RegionShare,
    ResultCell,
    ResultPicture,
    ResultTable,
    ResultTile,
    Score,
    SeedScore,
    write_result,
)
from dfmnist.experiments.theme import Theme, draw
from dfmnist.media.image import write_image
from dfmnist.stats.intervals import Estimate

STAMP = "smoke, not a result"
COMMON = "Split: by person <nobody is in two splits>."
LEFT_OUT = "ResNet-101 is not in --recipe smoke; dfmnist experiment table3 --recipe paper"
NO_FOLDER = "Not run: the dataset has no folder of driving clips."
QUALITY_TITLES = {"raw": "raw", "c23": "light (c23)", "c40": "heavy (c40)"}


def write_experiments(folder: Path, manifest: Manifest) -> Path:
    """Two tables and three figures below `folder`; returns it."""
    found = manifest.select(label="fake", split="test", quality="raw").clips
    fakes = sorted(found, key=lambda clip: TEN.index(clip.action))
    made_on = manifest_hash(manifest.root)
    for table in (table1(), table3(), figure5(), figure7(fakes), figure10()):
        store(folder, table.model_copy(update={"manifest_hash": made_on}))
    return folder


def store(folder: Path, table: ResultTable) -> None:
    """Write the record, and files for every name in it."""
    place = folder / table.name
    place.mkdir(parents=True, exist_ok=True)
    picture = table.picture
    if picture is not None and picture.light:
        draw(place, table.name, picture.alt, _paint, (3.0, 2.0))
    if picture is not None:
        write_image(place / picture.file, np.full((20, 30, 3), 255, np.uint8))
    for index, tile in enumerate(table.tiles):
        write_image(place / tile.file, np.full((64, 32, 3), 30 * index + 40, np.uint8))
    for name in table.files:
        write_text(place / name, f"{table.title}\n")
    write_result(place, table)


def headings(titles: dict[str, str]) -> tuple[Heading, ...]:
    """Rows or columns by key and title."""
    return tuple(Heading(key=key, title=title) for key, title in titles.items())


def chart(name: str, alt: str) -> ResultPicture:
    """A chart in two themes."""
    return ResultPicture(
        file=f"{name}.png", light=f"{name}-light.svg", dark=f"{name}-dark.svg", alt=alt
    )


def files(name: str) -> tuple[str, ...]:
    """The views of a result."""
    return (f"{name}.parquet", f"{name}.md", f"{name}.tex")


def score(values: Sequence[float], low: float, high: float, network: str = "resnet50") -> Score:
    """The score of a cell, a seed a value; 0.6 is chance."""
    seeds = tuple(
        SeedScore(
            seed=index,
            run=f"{network}-raw-0123",
            steps=2,
            initialisation="random, every layer",
            frame={"accuracy": Estimate(value, low, high, 10, 3)},
            clip={name: Estimate(value, low, high, 5, 3) for name in ("accuracy", "auc")},
        )
        for index, value in enumerate(values)
    )
    return Score(
        network=network, size_px=32, frames_per_clip=2, trained_on="ours", trained_quality="raw",
        tested_on="ours", tested_quality="raw", chance=0.6, learnt=low > 0.6, seeds=seeds,
    )  # fmt: skip


def ran(
    row: str, column: str, value: float, low: float, high: float, network: str = "resnet50"
) -> ResultCell:
    """A cell with one seed."""
    return ResultCell(
        row=row, column=column, state="run", value=value, low=low, high=high, n=10, groups=3,
        score=score([value], low, high, network),
    )  # fmt: skip


def published(quality: str, model: str) -> Published:
    """Table 3's value in the paper."""
    value = TABLE3[quality, model]
    return Published(text=value.percent, value=value.value)


def table1() -> ResultTable:
    """One row of the paper's and one of ours, whose name needs escaping."""
    cells = [
        *(
            ResultCell(row="DFDC", column=column, state="paper", unit="count",
                       paper=Published(text=text))
            for column, text in (("real", "48,190"), ("fake", "104,500"))
        ),
        *(
            ResultCell(row="a|b", column=column, state="counted", unit="count", value=count)
            for column, count in (("real", 9), ("fake", 1006))
        ),
    ]  # fmt: skip
    return ResultTable(
        name="table1",
        title="Table 1: datasets",
        rows=headings({"DFDC": "DFDC", "a|b": "a|b"}),
        columns=headings({"real": "real", "fake": "fake"}),
        cells=tuple(cells),
        sentences=("Rows with a dash are the paper's.",),
        picture=chart("table1", "Clips of each dataset: DFDC: 48190 real"),
        files=files("table1"),
    )


def table3() -> ResultTable:
    """Three cells of ResNet-50, two seeds of MesoInception-4, and one cell that was not run."""
    resnet = [
        ran(quality, "resnet50", value, value - 0.029, value + 0.023).model_copy(
            update={"paper": published(quality, "resnet50")}
        )
        for quality, value in (("raw", 0.931), ("c23", 0.8), ("c40", 0.7))
    ]
    meso = ResultCell(
        row="raw", column="mesoinception4", state="run", value=0.6, low=0.5, high=1.0, n=10,
        groups=3, spread=0.004, paper=published("raw", "mesoinception4"),
        notes=(STAMP, "not above chance (60%)"),
        score=score([0.604, 0.596], 0.5, 1.0, "mesoinception4"),
    )  # fmt: skip
    missing = ResultCell(
        row="raw", column="resnet101", state="not run", notes=(LEFT_OUT,),
        paper=published("raw", "resnet101"),
    )  # fmt: skip
    return ResultTable(
        name="table3",
        title="Table 3: five detectors, three qualities",
        rows=headings(QUALITY_TITLES),
        columns=headings({model: MODEL_TITLES[model] for model in MODELS}),
        cells=(resnet[0], missing, meso, *resnet[1:]),
        sentences=("Differs from the paper. Data: 2 fakes of 2 actions.", COMMON),
        picture=chart("table3", "Accuracy on single frames. raw, ResNet-50: 93%"),
        files=files("table3"),
        stamp=STAMP,
    )


def figure5() -> ResultTable:
    """A chart with one cell."""
    cell = ran("Yaw", "raw", 0.6, 0.5, 0.7)
    paper = Published(text="~72.3%", value=0.723, read_off=True)
    return ResultTable(
        name="figure5",
        title="Figure 5: trained on a single action",
        rows=headings({"Yaw": "Yaw"}),
        columns=headings({"raw": "raw"}),
        cells=(cell.model_copy(update={"paper": paper, "notes": (STAMP,)}),),
        sentences=("Frames: 2 of each clip.", COMMON),
        picture=chart("figure5", "Accuracy on single frames. Yaw, raw: 60%"),
        files=files("figure5"),
        stamp=STAMP,
    )


def figure7(fakes: Sequence[Clip]) -> ResultTable:
    """Frames and two detectors' maps of `fakes`, and the shares of two face regions."""
    groups = (
        ("Frame", "raw, untouched"),
        ("MesoInception-4", "trained on raw"),
        ("MesoInception-4", "trained on c40"),
    )
    tiles = [
        ResultTile(
            file=f"figure7-{line}-{index}.jpg",
            title=INFO[clip.action].title,
            alt=f"{INFO[clip.action].title}: {group} ({detail})",
            group=group,
            detail=detail,
            note="" if line == 0 else "P(fake) 0.93",
            clip_id=clip.clip_id,
            label=clip.label,
            action=clip.action.value,
            quality=clip.quality,
        )
        for line, (group, detail) in enumerate(groups)
        for index, clip in enumerate(fakes)
    ]
    cells = [
        ResultCell(
            row="all", column=region, state="run", value=value, low=value - 0.1,
            high=value + 0.1, n=8, groups=3,
            region=RegionShare(area=area, times_area=value / area, left_out=0, clips=2),
        )
        for region, value, area in (("mouth", 0.42, 0.2), ("eyes", 0.25, 0.25))
    ]  # fmt: skip
    return ResultTable(
        name="figure7",
        title="Figure 7: class activation maps",
        rows=headings({"all": "All actions"}),
        columns=headings({"mouth": "Mouth", "eyes": "Eyes and brows"}),
        cells=tuple(cells),
        sentences=("Differs from the paper: these are this dataset's people.",),
        picture=ResultPicture(file="figure7.jpg", alt="Figure 7: class activation maps: Yaw"),
        tiles=tuple(tiles),
        files=files("figure7"),
    )


def figure10() -> ResultTable:
    """A figure that was not made."""
    return ResultTable(
        name="figure10", title="Figure 10: driving clips", sentences=(NO_FOLDER,),
        files=files("figure10"),
    )  # fmt: skip


def _paint(figure: Figure, theme: Theme) -> None:
    figure.add_subplot().plot([0, 1], [0, 1], color=theme.fake)
