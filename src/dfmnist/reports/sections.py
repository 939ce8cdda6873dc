"""What each section of the page shows, as plain records for the template."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dfmnist.core.actions import INFO, Action
from dfmnist.dataset.audit import AuditReport
from dfmnist.dataset.manifest import Clip, Manifest, Rejected
from dfmnist.dataset.summary import Summary
from dfmnist.experiments import figures, images
from dfmnist.experiments.paper import FIGURE2_SPOOF_RATE, MODEL_TITLES, MODELS, QUALITIES
from dfmnist.experiments.results import SpoofRate
from dfmnist.experiments.tables import Cell, per_action
from dfmnist.experiments.theme import Chart
from dfmnist.media.sample import sample_frames
from dfmnist.reports.clips import ShownClip
from dfmnist.reports.runs import FinishedRun
from dfmnist.reports.text import common_reason, pct, span

COLUMN_TITLES = {"raw": "raw", "c23": "light compression (c23)", "c40": "heavy compression (c40)"}
SHORT_TITLES = {"raw": "raw", "c23": "light (c23)", "c40": "heavy (c40)"}


@dataclass(frozen=True)
class Image:
    """A picture on the page; paths are relative to the page."""

    label: str
    src: str
    alt: str
    note: str = ""


@dataclass(frozen=True)
class Gallery:
    """A figure of several pictures."""

    tiles: tuple[Image, ...]
    sheet: str


@dataclass(frozen=True)
class ChartImage:
    """A chart in two themes."""

    light: str
    dark: str
    alt: str


def chart_image(chart: Chart, out: Path) -> ChartImage:
    """The chart with paths relative to the page."""
    light, dark = (p.relative_to(out).as_posix() for p in (chart.light, chart.dark))
    return ChartImage(light, dark, chart.alt)


def gallery(picture: images.Picture, out: Path, notes: Sequence[str] = ()) -> Gallery:
    """The figure with paths relative to the page."""
    texts = [*notes, *[""] * (len(picture.tiles) - len(notes))]
    tiles = tuple(
        Image(t.label, t.path.relative_to(out).as_posix(), t.alt, note)
        for t, note in zip(picture.tiles, texts, strict=True)
    )
    return Gallery(tiles, picture.sheet.relative_to(out).as_posix())


# Table 3


@dataclass(frozen=True)
class Table3Cell:
    """A cell in words; positions in percent of the bar's width."""

    column: str
    ran: bool
    paper: str
    accuracy: str = ""
    interval: str = ""
    clip: str = ""
    auc: str = ""
    flag: str = ""
    low: float = 0.0
    width: float = 0.0
    at: float = 0.0


@dataclass(frozen=True)
class Table3Row:
    """One detector."""

    title: str
    setting: str
    cells: tuple[Table3Cell, ...]


def table3_rows(cells: dict[tuple[str, str], Cell]) -> list[Table3Row]:
    """All five detectors, those that ran first."""
    rows = []
    for model in MODELS:
        mine = [cells[quality, model] for quality in QUALITIES]
        settings = sorted({c.setting for c in mine if c.setting})
        rows.append(
            Table3Row(MODEL_TITLES[model], "; ".join(settings), tuple(map(_table3_cell, mine)))
        )
    return sorted(rows, key=lambda row: not any(cell.ran for cell in row.cells))


def _table3_cell(cell: Cell) -> Table3Cell:
    column = COLUMN_TITLES[cell.quality]
    paper = cell.paper.percent if cell.paper else "gives none"
    frame, clip, auc = cell.frame_accuracy, cell.clip_accuracy, cell.auc
    if frame is None or clip is None:
        return Table3Cell(column, False, paper)
    return Table3Cell(
        column,
        True,
        paper,
        pct(frame.value),
        span(frame),
        f"{pct(clip.value)} ({span(clip)})",
        f"{auc.value:.2f} ({auc.low:.2f} to {auc.high:.2f})" if auc else "needs both classes",
        "" if cell.learnt else "not told from guessing",
        round(frame.low * 100, 2),
        round((frame.high - frame.low) * 100, 2),
        round(frame.value * 100, 2),
    )


def how_to_run(cells: dict[tuple[str, str], Cell], runs: Sequence[FinishedRun], data: Path) -> str:
    """The commands that fill the first empty cell, as an example for all; empty when full.

    With the sizes of the first run there is, so that the new cell can be set beside it.
    """
    missing = [c for c in cells.values() if c.evaluation is None]
    if not missing:
        return ""
    first, options = missing[0], ""
    if runs:
        like = in_order(runs)[0].config
        options = (
            f" --frames-per-clip {like.frames_per_clip} --epochs {like.epochs} "
            f"--batch-size {like.batch_size}"
        )
        options += f" --size-px {like.size_px}" if like.size_px else ""
    return (
        f"dfmnist train {data.name} --out RUNS --network {first.model} --quality {first.quality}"
        f"{options}\n"
        f"dfmnist score RUNS/{first.model}-{first.quality}-… {data.name}\n"
        f"dfmnist report --data {data.name} --runs RUNS --out REPORT"
    )


# Figures


@dataclass(frozen=True)
class SpoofRow:
    """A line of the screening table."""

    title: str
    accepted: int
    attempts: int
    rate: str
    paper: str
    reason: str


def spoof_rows(rates: Sequence[SpoofRate], rejected: Sequence[Rejected]) -> list[SpoofRow]:
    """Each action's attempts, with the reason that turned most of them away."""
    rows = []
    for rate in rates:
        found, published = rate.estimate, FIGURE2_SPOOF_RATE.get(rate.action)
        lost = [r for r in rejected if r.label == "fake" and r.action is rate.action]
        text = "not tried"
        if found is not None:
            text = f"{pct(found.value)} ({span(found)})"
        rows.append(
            SpoofRow(
                INFO[rate.action].title,
                rate.accepted,
                rate.attempts,
                text,
                published.percent if published else "–",
                common_reason(lost),
            )
        )
    return rows


def figure6(runs: Sequence[FinishedRun], folder: Path) -> tuple[Chart, str] | None:
    """Accuracy per action by ResNet-50, as in the paper, else by the first detector scored."""
    scored = [s for run in runs if (s := run.scored()) is not None]
    models = [m for m in MODELS if any(s.model == m for s in scored)]
    if not models:
        return None
    latest = {(s.quality, s.model): s for s in scored}
    accuracies = per_action(list(latest.values()), models[0])
    return figures.figure6_chart(folder, accuracies, models[0]), MODEL_TITLES[models[0]]


def figure9(
    manifest: Manifest, samples: Sequence[ShownClip], folder: Path
) -> images.Picture | None:
    """The middle frame of the first sample that exists in at least two qualities."""
    for sample in samples:
        if len(sample.fake) < 2:
            continue
        frames = [
            (quality, sample_frames(manifest.path(clip), 1)[1][0])
            for quality, clip in sample.fake.items()
        ]
        return images.figure9(folder, frames)
    return None


# Audit and counts


@dataclass(frozen=True)
class AuditCard:
    """One of the two classifiers."""

    title: str
    text: str
    auc: str
    interval: str
    verdict: str
    bad: bool
    features: tuple[tuple[str, str], ...]


def audit_cards(report: AuditReport, best: Cell | None) -> list[AuditCard]:
    """The protocol, which must be at chance, and the signal, which a detector must beat."""
    protocol, measured = report.protocol.auc, report.signal.get("raw")
    leaks = tuple((f.name, f"{f.auc:.2f}") for f in report.varying[:8])
    cards = [
        AuditCard(
            "The files",
            "Frame rate, length, size, codec settings: what whoever made the files decided. "
            "These must say nothing about the class.",
            f"{protocol.value:.2f}",
            f"{protocol.low:.2f} to {protocol.high:.2f}" if protocol.low < protocol.high else "",
            "Passed: nothing in the files gives the class away."
            if report.passed
            else "Failed: the files themselves tell real from fake.",
            not report.passed,
            leaks,
        )
    ]
    if measured is None:
        return cards
    signal = measured.auc
    verdict = "A detector is only worth something above this."
    found = best.auc if best is not None else None
    if best is not None and found is not None:
        name = MODEL_TITLES[best.model]
        above = "beats this" if found.low > signal.value else "is not shown to beat this"
        verdict = (
            f"{name} on raw clips {above}: AUC {found.value:.2f} ({found.low:.2f} to "
            f"{found.high:.2f}), on test people only."
        )
    ranked = report.signal_features.get("raw", ())[:8]
    cards.append(
        AuditCard(
            "The signal",
            "Packet sizes, noise, sharpness, brightness: simple numbers that the forgery itself "
            "may change. This cannot fail; it is the bar that a detector must clear.",
            f"{signal.value:.2f}",
            f"{signal.low:.2f} to {signal.high:.2f}",
            verdict,
            found is not None and found.low <= signal.value,
            tuple((f.name, f"{f.auc:.2f}") for f in ranked),
        )
    )
    return cards


@dataclass(frozen=True)
class SplitRow:
    """A split's counts."""

    name: str
    real: int
    fake: int
    people: int
    drivers: int


def split_rows(summary: Summary, clips: Sequence[Clip]) -> list[SplitRow]:
    """Counts of each split, and of all."""
    rows = []
    for split in ("train", "validation", "test"):
        counts = summary.by_split.get(split, {})
        drivers = {c.driver_id for c in clips if c.split == split and c.driver_id}
        rows.append(
            SplitRow(
                split,
                counts.get("real", 0),
                counts.get("fake", 0),
                counts.get("identities", 0),
                len(drivers),
            )
        )
    everything = SplitRow("all", summary.real, summary.fake, summary.identities, summary.drivers)
    return [*rows, everything]


@dataclass(frozen=True)
class RunRow:
    """A run, for the list at the end."""

    id: str
    model: str
    quality: str
    setting: str
    best: str


def run_rows(runs: Sequence[FinishedRun]) -> list[RunRow]:
    """Every run that was read, by detector and quality."""
    return [
        RunRow(
            r.folder.name.rsplit("-", 1)[-1],
            MODEL_TITLES.get(r.config.network, r.config.network),
            r.config.quality,
            r.setting,
            f"{r.record['best_epoch']} of {r.record['epochs']}",
        )
        for r in in_order(runs)
    ]


def in_order(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """The runs as the paper's tables have them: by detector, then by quality."""
    qualities = (*QUALITIES, "mixed")
    networks = {name: index for index, name in enumerate(MODELS)}
    return sorted(
        runs,
        key=lambda r: (networks.get(r.config.network, 9), qualities.index(r.config.quality)),
    )


def with_fakes(samples: Sequence[ShownClip], manifest: Manifest) -> list[tuple[str, Path]]:
    """Label and best file of each sample's fake, for Figure 1."""
    return [(INFO[s.action].title, manifest.path(s.any_fake)) for s in samples]


def hero_of(samples: Sequence[ShownClip]) -> Action | None:
    """The action to open with: a large movement where there is one."""
    have = {s.action for s in samples}
    wanted = (Action.YAW, Action.OPEN_MOUTH, Action.SURPRISE, Action.SMILE, *Action)
    return next((a for a in wanted if a in have), None)
