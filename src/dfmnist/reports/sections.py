"""Records that the template shows, section by section."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dfmnist.core.actions import INFO
from dfmnist.core.errors import InputError
from dfmnist.dataset.audit import AuditReport, Check
from dfmnist.dataset.manifest import Clip, Rejected
from dfmnist.dataset.qualities import in_order
from dfmnist.dataset.splits import assert_disjoint
from dfmnist.dataset.summary import Summary
from dfmnist.detectors.run import RunRecord
from dfmnist.experiments.paper import MODEL_TITLES, model_title
from dfmnist.experiments.spoof_rates import SpoofRate
from dfmnist.experiments.theme import Chart
from dfmnist.reports.runs import setting
from dfmnist.reports.text import common_reason
from dfmnist.stats.intervals import Estimate

SHORT_TITLES = {"raw": "raw", "c23": "light (c23)", "c40": "heavy (c40)"}


@dataclass(frozen=True)
class ChartImage:
    """A chart in two themes; paths are relative to the page."""

    light: str
    dark: str
    alt: str


def chart_image(chart: Chart, out: Path) -> ChartImage:
    """The chart with paths relative to the page."""
    light, dark = (p.relative_to(out).as_posix() for p in (chart.light, chart.dark))
    return ChartImage(light, dark, chart.alt)


@dataclass(frozen=True)
class SpoofRow:
    """One action's line of the screening table."""

    title: str
    accepted: int
    attempts: int
    reason: str


def spoof_rows(rates: Sequence[SpoofRate], rejected: Sequence[Rejected]) -> list[SpoofRow]:
    """Each action's attempts, with the most common reason for rejection."""
    rows = []
    for rate in rates:
        lost = [r for r in rejected if r.label == "fake" and r.action is rate.action]
        title = INFO[rate.action].title
        rows.append(SpoofRow(title, rate.accepted, rate.attempts, common_reason(lost)))
    return rows


@dataclass(frozen=True)
class AuditCard:
    """One of the audit's two classifiers."""

    title: str
    text: str
    auc: str
    interval: str
    verdict: str
    bad: bool
    features: tuple[tuple[str, str], ...]


def audit_cards(report: AuditReport, best: tuple[str, Estimate] | None) -> list[AuditCard]:
    """The protocol, which must be at chance, and the signal, which a detector must beat.

    `best` is the name of the best detector on raw clips, and its AUC on whole clips. A dataset of
    one class has no cards.
    """
    cards = []
    if report.protocol is not None:
        cards.append(_protocol_card(report, report.protocol.auc))
    if report.signal:
        quality = in_order(report.signal)[0]
        cards.append(_signal_card(report, quality, best if quality == "raw" else None))
    return cards


def _protocol_card(report: AuditReport, auc: Estimate) -> AuditCard:
    bad = auc.value >= report.limit
    return AuditCard(
        "The files",
        "Frame rate, length, size, codec settings: properties that the maker of the files "
        "chose. They must not reveal the class.",
        f"{auc.value:.2f}",
        f"{auc.low:.2f} to {auc.high:.2f}" if auc.low < auc.high else "",
        "Failed: the files themselves tell real from fake."
        if bad
        else "Passed: nothing in the files reveals the class.",
        bad,
        tuple((f.name, f"{f.auc:.2f}") for f in report.varying[:8]),
    )


def _signal_card(report: AuditReport, quality: str, best: tuple[str, Estimate] | None) -> AuditCard:
    signal = report.signal[quality].auc
    verdict, bad = "A detector is only worth something above this.", False
    if best is not None:
        name, found = model_title(best[0]), best[1]
        bad = found.groups < 2 or found.low <= signal.value
        bounds = f"{found.low:.2f} to {found.high:.2f}" if found.groups > 1 else "one person"
        verdict = (
            f"{name} on raw clips {'is not shown to beat this' if bad else 'beats this'}: AUC "
            f"{found.value:.2f} ({bounds}), on test people only."
        )
    return AuditCard(
        "The signal",
        "Packet sizes, noise, sharpness, brightness: simple numbers that the forgery itself "
        "may change. This cannot fail; it is the score that a detector must beat.",
        f"{signal.value:.2f}",
        f"{signal.low:.2f} to {signal.high:.2f}",
        verdict,
        bad,
        tuple((f.name, f"{f.auc:.2f}") for f in report.signal_features[quality][:8]),
    )


@dataclass(frozen=True)
class AuditLine:
    """What one check of the audit found, besides its classifiers."""

    check: str
    said: str
    bad: bool


_CHECKS: dict[Check, str] = {
    "files": "Broken files",
    "people": "People",
    "copies": "Near-duplicates",
}


def audit_lines(report: AuditReport) -> list[AuditLine]:
    """What the audit found of broken files, people and copies; nothing of an older report."""
    found = report.findings()
    return [
        AuditLine(title, said, check in report.failed)
        for check, title in _CHECKS.items()
        if (said := found.get(check, ""))
    ]


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
        drivers = {c.driver for c in clips if c.split == split and c.driver}
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


def splits_caption(clips: Sequence[Clip]) -> str:
    """Caption of the table of splits: whether anybody appears in two."""
    try:
        assert_disjoint(clips)
    except InputError:
        return "Clips and people in each split. Some people appear in two splits."
    return "Clips and people in each split. Nobody appears in two splits."


@dataclass(frozen=True)
class RunRow:
    """A training run in the list at the end of the page."""

    id: str
    model: str
    quality: str
    setting: str
    best: str


def run_rows(runs: Sequence[RunRecord]) -> list[RunRow]:
    """A row for each run."""
    return [
        RunRow(
            run.hash,
            MODEL_TITLES.get(run.config.network, run.config.network),
            run.config.quality,
            setting(run),
            f"{run.record['best_epoch']} of {run.record['epochs']}",
        )
        for run in runs
    ]
