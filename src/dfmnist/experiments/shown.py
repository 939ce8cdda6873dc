"""What is shown and not trained: Table 1, Figures 1, 2, 8, 9 and 10, and the frames of Figure 7."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from dfmnist.core.actions import INFO, TEN
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path
from dfmnist.core.text import slug
from dfmnist.dataset.manifest import Clip, Manifest, read_rejected
from dfmnist.dataset.summary import summarise
from dfmnist.experiments import figures, images
from dfmnist.experiments.cam_figure import cam_grid
from dfmnist.experiments.cam_regions import REGION_TITLES, regions_or_reason, share_text, titled
from dfmnist.experiments.paper import FIGURE2_SPOOF_RATE, FIGURE7_WORDS, TABLE1
from dfmnist.experiments.render import Entry, Sheet, percent, printed
from dfmnist.experiments.results import spoof_rates
from dfmnist.experiments.theme import Theme, bare, draw
from dfmnist.media.sample import sample_frames

Shown = tuple[Sheet, pl.DataFrame]
"""A sheet, its picture written, and the same as tidy rows."""


def table1(folder: Path, title: str, sets: Sequence[tuple[str, Manifest]]) -> Shown:
    """The paper's rows, then the datasets given, this one last."""
    columns = ("real", "fake", "type of generation", "action specific")
    rows: dict[str, tuple[int, int, str, str, bool]] = {
        row.name: (row.real, row.fake, row.generation, "Yes" if row.action_specific else "No", True)
        for row in TABLE1
    }
    for name, manifest in sets:
        summary = summarise(manifest)
        made = sorted({c.generator.split("@")[0] for c in manifest.clips if c.generator})
        several = len([a for a in summary.by_action if a != "talk"]) > 1
        key = name if name not in rows else f"{name} (as given)"
        answer = "Yes" if several else "No"
        rows[key] = (summary.real, summary.fake, ", ".join(made) or "none", answer, False)
    entries = {}
    for row, (real, fake, how, specific, published) in rows.items():
        for column, text in zip(columns, (f"{real:,}", f"{fake:,}", how, specific), strict=True):
            entries[row, column] = Entry("–", text) if published else Entry(text)
    table = pl.DataFrame(
        [
            {"experiment": "table1", "row": row, "real": real, "fake": fake, "generation": how,
             "action_specific": specific == "Yes", "source": "paper" if published else "counted"}
            for row, (real, fake, how, specific, published) in rows.items()
        ]
    )  # fmt: skip
    counts = [(row, real, fake) for row, (real, fake, *_) in rows.items()]
    alt = "Clips of each dataset: " + "; ".join(f"{r}: {a} real, {b} fake" for r, a, b in counts)

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.add_axes((0.3, 0.12, 0.64, 0.82))
        bare(axes, theme)
        axes.set_xscale("log")
        for y, (_, real, fake) in enumerate(counts):
            axes.plot(real, y - 0.14, "o", color=theme.real, label="real" if y == 0 else None)
            axes.plot(fake, y + 0.14, "s", color=theme.fake, label="fake" if y == 0 else None)
        axes.set_yticks(range(len(counts)), [row for row, _, _ in counts])
        axes.set_ylim(len(counts) - 0.5, -0.5)
        axes.legend(frameon=False, labelcolor=theme.ink, fontsize=8, loc="lower right")
        axes.set_xlabel("clips")

    draw(folder, "table1", alt, paint, (5.4, 0.34 * len(counts) + 0.8), png=True)
    said = (
        "The paper's own rows come first; the others are counted from manifests, a clip once "
        "whatever its qualities.",
    )
    sheet = Sheet("table1", title, tuple(rows), columns, entries, said, "table1.png", alt)
    return sheet, table


def figure2(folder: Path, title: str, manifest: Manifest) -> Shown:
    """Spoof rates, from the manifest and what was turned away."""
    rates = spoof_rates(manifest.clips, read_rejected(manifest.root))
    chart = figures.figure2(folder, rates, png=True)
    entries: dict[tuple[str, str], Entry] = {}
    rows = []
    for rate in rates:
        name, found = INFO[rate.action].title, rate.estimate
        published = FIGURE2_SPOOF_RATE.get(rate.action)
        paper = printed(published)
        if found is None:
            note = "not run: no animation of it was attempted; dfmnist build with drivers of it"
            entries[name, "spoof rate"] = Entry("not run", paper, (note,))
        else:
            text = f"{percent(found.value)} [{found.low * 100:.1f}, {found.high * 100:.1f}]"
            entries[name, "spoof rate"] = Entry(text, paper)
            entries[name, "passed"] = Entry(f"{rate.accepted} of {rate.attempts}")
        rows.append(
            {"experiment": "figure2", "row": name, "accepted": rate.accepted,
             "attempts": rate.attempts, "value": found.value if found else None,
             "low": found.low if found else None, "high": found.high if found else None,
             "paper": published.value if published else None}
        )  # fmt: skip
    said = (
        "Spoof rate: animations that passed every detector guarding the action, of all attempts; "
        "in brackets the 95% Wilson interval.",
        "Differs from the paper: two local liveness detectors in place of two vendors' services, "
        "and this dataset's people and motion model. The paper prints two of its ten bars.",
    )
    names = tuple(INFO[r.action].title for r in rates)
    sheet = Sheet("figure2", title, names, ("spoof rate", "passed"), entries, said,
                  "figure2.png", chart.alt)  # fmt: skip
    return sheet, pl.DataFrame(rows, infer_schema_length=None)


def first_fakes(manifest: Manifest) -> list[Clip]:
    """For each action its first fake by name, of the test split where it has one: no picking."""
    raw = sorted(manifest.clips, key=lambda c: (c.split != "test", c.clip_id, c.quality != "raw"))
    found = [next((c for c in raw if c.label == "fake" and c.action is a), None) for a in TEN]
    return [clip for clip in found if clip is not None]


def figure1(folder: Path, title: str, manifest: Manifest) -> Shown:
    """A strip of frames of one fake of each action."""
    clips = first_fakes(manifest)
    picture = images.figure1(folder, [(INFO[c.action].title, manifest.path(c)) for c in clips])
    return _gallery("figure1", title, clips, picture.sheet, _missing(clips))


def figure9(folder: Path, title: str, manifest: Manifest) -> Shown:
    """One frame in the qualities that there are."""
    first = first_fakes(manifest)[:1]
    same = [c for c in manifest.clips if first and c.clip_id == first[0].clip_id]
    ordered = sorted(same, key=lambda c: ("raw", "c23", "c40").index(c.quality.value))
    frames = [(c.quality.value, sample_frames(manifest.path(c), 1)[1][0]) for c in ordered]
    window = 64 if frames and frames[0][1].shape[0] >= 128 else 16
    picture = images.figure9(folder, frames, window)
    said = "The middle frame of one fake; the detail, magnified, is where raw and c40 differ most."
    return _gallery("figure9", title, ordered, picture.sheet, said)


def figure10(folder: Path, title: str, manifest: Manifest) -> Shown:
    """A strip of one driving clip of each action; they lie beside a manifest built here."""
    strips, used = [], []
    for clip in first_fakes(manifest):
        name = f"{slug(clip.driver_id)}-{clip.action.value}-{clip.take}.mp4"
        path = manifest.root / "drivers" / name
        if path.is_file():
            strips.append((INFO[clip.action].title, images.strip(path, 6)))
            used.append(clip)
    if not strips:
        return not_run("figure10", title, f"{manifest.root.name} has no folder of driving clips; "
                       "run it with a --data made by `dfmnist build`")  # fmt: skip
    path = images.sheet(folder / "figure10.jpg", strips, columns=2)
    return _gallery("figure10", title, used, path, _missing(used))


def _missing(clips: Sequence[Clip]) -> str:
    lacking = [INFO[a].title.lower() for a in TEN if a not in {c.action for c in clips}]
    return f"Not shown, since there is none: {', '.join(lacking)}." if lacking else ""


def not_run(name: str, title: str, reason: str) -> Shown:
    """A figure that could not be made, and how to make it."""
    sheet = Sheet(name, title, (), (), {}, (f"Not run: {reason}.",))
    rows = {"experiment": [name], "status": ["not run"], "reason": [reason]}
    return sheet, pl.DataFrame(rows)


def _gallery(name: str, title: str, clips: Sequence[Clip], picture: Path, said: str) -> Shown:
    rows = [
        {"experiment": name, "file_name": c.file_name, "clip_id": c.clip_id, "label": c.label,
         "action": c.action.value, "quality": c.quality.value, "source_id": c.source_id,
         "driver_id": c.driver_id}
        for c in clips
    ]  # fmt: skip
    alt = f"{title}: " + ", ".join(INFO[c.action].title for c in clips)
    differs = (
        "Differs from the paper: these are this dataset's people and clips, the first of each "
        "by name, of the test split where it has one."
    )
    sentences = tuple(s for s in (differs, said) if s)
    return Sheet(name, title, (), (), {}, sentences, picture.name, alt), pl.DataFrame(rows)


def figure7(folder: Path, title: str, manifest: Manifest, run: Path, stamp: str) -> Shown:
    """Where the detector of `run` looks: maps by action, and each face region's share of them."""
    try:
        grid = cam_grid(manifest.root, [run], side_px=192)
    except InputError as error:
        return not_run("figure7", title, str(error))
    tiles = [(INFO[r.action].title, r.cells[0].image, r.cells[1].image) for r in grid.rows]
    picture = images.figure7(folder, tiles)
    looks = "; ".join(f"{where}: {what}" for where, what in FIGURE7_WORDS.items())
    said = f"The paper says of its maps: {looks}. {stamp}".strip()
    sheet, table = _gallery("figure7", title, [r.clip for r in grid.rows], picture.sheet, said)
    shares, why = regions_or_reason(manifest.root, run)
    if shares is None:
        how = f"No shares of the face's regions: {why}."
    else:
        how = (
            "The numbers: each region's share of the evidence for fake, a few frames of every "
            "test fake, and how many times its own area that is (1× is no preference)."
        )
        with atomic_path(folder / "figure7-regions.parquet") as temporary:
            shares.write_parquet(temporary)
        sheet = _with_regions(sheet, shares, stamp)
    sheet = replace(sheet, sentences=(*sheet.sentences, how))
    return sheet, table.with_columns(run=pl.lit(run.name))


def _with_regions(sheet: Sheet, shares: pl.DataFrame, stamp: str) -> Sheet:
    """The sheet with a row an action, a column a region."""
    entries = {
        (titled(row["action"]), REGION_TITLES[row["region"]]): Entry(
            share_text(row["share"], row["times_area"]), notes=(stamp,) if stamp else ()
        )
        for row in shares.iter_rows(named=True)
    }
    rows, columns = (tuple(dict.fromkeys(key[i] for key in entries)) for i in (0, 1))
    return replace(sheet, rows=rows, columns=columns, entries=entries)


def figure8(folder: Path, title: str, manifest: Manifest) -> Shown:
    """The order of a build, drawn here, with this dataset's counts."""
    summary = summarise(manifest)
    attempts = sum(rate.attempts for rate in spoof_rates(manifest.clips,
                   read_rejected(manifest.root)))  # fmt: skip
    steps = (
        ("people", f"{summary.identities} people:\nreal clips,\nsource frames"),
        ("select, crop", "frontal, sharp,\neyes open;\nMTCNN, square"),
        ("animate", f"First Order\nMotion Model,\n{summary.drivers} drivers"),
        ("screen", f"liveness:\n{summary.fake} of {attempts}\npassed"),
        ("compress", "H.264: raw,\nc23, c40, real\nand fake alike"),
        ("dataset", f"{summary.real} real,\n{summary.fake} fake clips"),
    )
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

    draw(folder, "figure8", alt, paint, (5.4, 2.7), png=True)
    said = (
        "Our own drawing of this build, in the order of the paper's Figure 8; the paper's is not "
        "copied.",
        "Differs from the paper: the detectors are local, and real clips pass the same selection, "
        "screening and encoder as fakes.",
    )
    rows = [{"experiment": "figure8", "step": a, "text": " ".join(b.split())} for a, b in steps]
    return Sheet("figure8", title, (), (), {}, said, "figure8.png", alt), pl.DataFrame(rows)


def _box(axes: Axes, x: float, y: float, name: str, text: str, theme: Theme) -> None:
    shape = FancyBboxPatch((x, y), 1.0, 0.9, boxstyle="round,pad=0,rounding_size=0.06",
                           facecolor=theme.band, edgecolor=theme.grid)  # fmt: skip
    axes.add_patch(shape)
    axes.text(x + 0.5, y + 0.16, name, ha="center", va="center", fontsize=9, weight="bold",
              color=theme.fake)  # fmt: skip
    axes.text(x + 0.5, y + 0.55, text, ha="center", va="center", fontsize=8, color=theme.ink)
