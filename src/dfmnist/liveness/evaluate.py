"""Evaluation of liveness detectors on a dataset: `dfmnist liveness evaluate`.

The statistics are those of ISO/IEC 30107-3 (`stats.pad`), for each detector, quality, type of
attack and action. An animation that is given to a detector as a file is an injection attack.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dfmnist.core.actions import Action
from dfmnist.core.choices import Attack, Split
from dfmnist.core.config import plain
from dfmnist.core.console import say
from dfmnist.core.errors import InputError
from dfmnist.core.files import holds_folder, write_json, write_text
from dfmnist.core.jobs import run_jobs
from dfmnist.dataset.manifest import Manifest, manifest_hash, read_manifest
from dfmnist.dataset.qualities import in_order
from dfmnist.liveness.assess import AssessedClip, assess_all
from dfmnist.liveness.base import EVERY, Verdict
from dfmnist.liveness.chosen import DEFAULT, ChosenDetector, choose_detectors
from dfmnist.liveness.presentations import (
    BONA_FIDE,
    Presentation,
    make_attack,
    plan,
)
from dfmnist.stats.intervals import Estimate
from dfmnist.stats.pad import BPCER_LIMITS, DetCurve, PadRates, PadScores, det_curve, pad_rates

KIND = "liveness evaluation"
ALL = "all"
"""Name in place of an action where the rate is over all of them."""
MAX = "max"
"""Name in place of an attack where the rate is the largest of all types."""


@dataclass(frozen=True)
class EvaluationConfig:
    """What is evaluated on a dataset."""

    detectors: tuple[str, ...] = DEFAULT
    """Values of `--detector`."""
    split: Split = "test"
    """Part of the dataset whose clips are shown to the detectors."""
    qualities: tuple[str, ...] = ()
    """Qualities of the clips; empty for all that the dataset has."""
    attacks: tuple[Attack, ...] = tuple(Attack)
    """Types of attack."""
    per_action: int = 4
    """Number of real clips of each action that attacks are made from."""
    thresholds: Path | None = None
    """Thresholds of the built-in detectors; None means the shipped ones."""

    def __post_init__(self) -> None:
        """Check what the user typed."""
        if self.per_action < 1:
            raise InputError(f"--per-action {self.per_action}; expected 1 or more")


@dataclass(frozen=True)
class ErrorRate:
    """One statistic of one detector."""

    detector: str
    quality: str
    measure: str
    """APCER, BPCER, ACER, APNRR, BPNRR, or `APCER at BPCER 1%`."""
    attack: str
    """Type of attack; `max` for the largest of all; empty where the rate has none."""
    action: str
    """Requested action; `all` for all of them."""
    estimate: Estimate


@dataclass(frozen=True)
class Curve:
    """A detector's DET curve in one quality."""

    detector: str
    quality: str
    curve: DetCurve


@dataclass(frozen=True)
class Shown:
    """One presentation with a detector's verdict on it."""

    presentation: Presentation
    detector: str
    verdict: Verdict


@dataclass(frozen=True)
class Evaluation:
    """All that was measured on one dataset."""

    dataset: str
    """Name of the dataset's folder."""
    manifest_hash: str
    split: str
    detectors: dict[str, dict[str, Any]]
    """Settings of each detector by its name, without secrets; a service's statement is in it."""
    qualities: tuple[str, ...]
    attacks: tuple[str, ...]
    counts: dict[str, int]
    """Number of presentations by kind, over all qualities."""
    screened: bool
    """Whether the dataset's fakes had to pass liveness detectors when it was built."""
    not_made: tuple[str, ...]
    """Why attacks were not made, a line each."""
    rates: tuple[ErrorRate, ...]
    curves: tuple[Curve, ...]
    verdicts: tuple[Shown, ...]

    def rate(
        self, detector: str, quality: str, measure: str, attack: str = "", action: str = ALL
    ) -> Estimate | None:
        """One statistic; None where it was not measured."""
        return self._by_place.get((detector, quality, measure, attack, action))

    @cached_property
    def _by_place(self) -> dict[tuple[str, ...], Estimate]:
        return {
            (r.detector, r.quality, r.measure, r.attack, r.action): r.estimate for r in self.rates
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rows: each detector, then all together if there are several."""
        return (*self.detectors, *((EVERY,) if len(self.detectors) > 1 else ()))


@holds_folder("out", KIND)
def evaluate_detectors(dataset: Path, config: EvaluationConfig, out: Path) -> Evaluation:
    """Show a dataset's clips and attacks made of them to detectors; measure their error rates.

    Attack clips and verdicts are kept in the folder `out`, so that a killed call continues. Raises
    `InputError` for a dataset, a detector or a folder that cannot be used.
    """
    chosen = choose_detectors(config.detectors, config.thresholds)
    manifest = _selected(read_manifest(dataset), config)
    planned = plan(manifest, out, config.attacks, config.per_action)
    reasons = list(run_jobs(make_attack, planned.attacks, describe="make attacks"))
    failed = {
        path
        for job, reason in zip(planned.attacks, reasons, strict=True)
        if reason
        for _, path in job.targets
    }
    shown = [p for p in planned.presentations if p.path not in failed]
    assessed = assess_all(shown, config.detectors, out, config.thresholds)
    not_made = [reason for reason in reasons if reason]
    if planned.without_driver:
        not_made.append(
            f"no warps of {planned.without_driver} real clips: nobody else does the same action"
        )
    for reason in not_made:
        say(f"not made: {reason}")
    return evaluation_of(manifest, config, chosen, shown, assessed, not_made)


def _selected(manifest: Manifest, config: EvaluationConfig) -> Manifest:
    """The clips that are evaluated. Raises `InputError` if there are none."""
    kept = tuple(
        clip
        for clip in manifest.clips
        if clip.split == config.split and (not config.qualities or clip.quality in config.qualities)
    )
    if not any(clip.label == "real" for clip in kept):
        what = f"no real clip of split {config.split}"
        what += f" in {', '.join(config.qualities)}" if config.qualities else ""
        raise InputError.of(manifest.root, what, "real clips, which are the bona fide ones")
    return Manifest(manifest.root, kept, manifest.info)


def evaluation_of(
    manifest: Manifest,
    config: EvaluationConfig,
    chosen: Sequence[ChosenDetector],
    shown: Sequence[Presentation],
    assessed: Sequence[AssessedClip],
    not_made: Sequence[str],
) -> Evaluation:
    """The statistics of `chosen` detectors from the verdicts on all presentations, in order.

    `not_made` are the reasons why attacks were not made.
    """
    verdicts = [
        Shown(one, detector.name, kept.verdicts[detector.key].verdict)
        for one, kept in zip(shown, assessed, strict=True)
        for detector in chosen
        if detector.key in kept.verdicts
    ]
    if len(chosen) > 1:
        verdicts += list(_together(verdicts))
    qualities = tuple(in_order(p.quality for p in shown))
    known = (BONA_FIDE, *(one.value for one in Attack))
    present = {p.kind for p in shown}
    kinds = [kind for kind in (*known, *sorted(present - set(known))) if kind in present]
    names = [detector.name for detector in chosen] + [EVERY] * (len(chosen) > 1)
    rates: list[ErrorRate] = []
    curves: list[Curve] = []
    for name in names:
        for quality in qualities:
            mine = [v for v in verdicts if v.detector == name and v.presentation.quality == quality]
            rates += _rates(mine, name, quality)
            curve = det_curve(_scores(mine)) if name != EVERY and mine else None
            curves += [Curve(name, quality, curve)] if curve is not None else []
    return Evaluation(
        manifest.root.resolve().name,
        manifest_hash(manifest.root),
        config.split,
        {one.name: one.config.model_dump(mode="json") for one in chosen},
        qualities,
        tuple(kind for kind in kinds if kind != BONA_FIDE),
        {kind: sum(p.kind == kind for p in shown) for kind in kinds},
        any(clip.screening for clip in manifest.clips if clip.label == "fake"),
        tuple(not_made),
        tuple(rates),
        tuple(curves),
        tuple(verdicts),
    )


def _together(verdicts: Sequence[Shown]) -> Iterator[Shown]:
    """The verdict of all detectors on each presentation: rejected if one of them rejects.

    Not assessed if none rejects and one gives no response. There is no score for several.
    """
    by_clip: dict[Presentation, list[Verdict]] = {}
    for one in verdicts:
        by_clip.setdefault(one.presentation, []).append(one.verdict)
    for presentation, found in by_clip.items():
        rejected = [v for v in found if v.assessed and not v.live]
        silent = [v for v in found if not v.assessed]
        if rejected:
            verdict = Verdict(EVERY, False, 0.0, rejected[0].reason)
        elif silent:
            verdict = Verdict.not_assessed(EVERY, silent[0].reason)
        else:
            verdict = Verdict(EVERY, True, 1.0, "")
        yield Shown(presentation, EVERY, verdict)


def _scores(shown: Sequence[Shown]) -> PadScores:
    def species(one: Shown) -> str:
        kind = one.presentation.kind
        return "" if kind == BONA_FIDE else kind

    return PadScores(
        np.array([species(one) for one in shown], np.str_),
        np.array([one.presentation.person for one in shown], np.str_),
        np.array([one.verdict.assessed for one in shown], np.bool_),
        np.array([one.verdict.live for one in shown], np.bool_),
        np.array([one.verdict.score for one in shown], np.float64),
    )


def _rates(shown: Sequence[Shown], detector: str, quality: str) -> Iterator[ErrorRate]:
    """The statistics of one detector in one quality, over all actions and for each."""
    if not shown:
        return
    scores = _scores(shown)
    actions = np.array([one.presentation.action_name for one in shown])
    for action in (ALL, *(a.value for a in Action)):
        mine = scores if action == ALL else scores.where(actions == action)
        if not len(mine.people):
            continue
        for measure, attack, estimate in _each(pad_rates(mine), with_limits=detector != EVERY):
            if estimate is not None and (action == ALL or not measure.startswith("APCER at")):
                yield ErrorRate(detector, quality, measure, attack, action, estimate)


def _each(rates: PadRates, *, with_limits: bool) -> Iterator[tuple[str, str, Estimate | None]]:
    """Name of the measure, type of attack, and value of each statistic."""
    yield from (("APCER", attack, found) for attack, found in rates.apcer.items())
    yield "APCER", MAX, rates.max_apcer
    yield "BPCER", "", rates.bpcer
    yield "ACER", "", rates.acer
    if with_limits:
        for limit in BPCER_LIMITS:
            yield f"APCER at BPCER {limit:.0%}", MAX, rates.apcer_at_bpcer[limit]
    yield from (("APNRR", attack, found) for attack, found in rates.apnrr.items())
    yield "BPNRR", "", rates.bpnrr


def as_record(found: Evaluation) -> dict[str, Any]:
    """The evaluation as JSON types, without the single verdicts and the curves."""
    return {
        "dataset": found.dataset,
        "manifest_hash": found.manifest_hash,
        "split": found.split,
        "detectors": plain(found.detectors),
        "qualities": list(found.qualities),
        "attacks": list(found.attacks),
        "presentations": found.counts,
        "not_made": list(found.not_made),
        "rates": [
            {**{k: v for k, v in vars(r).items() if k != "estimate"}, **vars(r.estimate)}
            for r in found.rates
        ],
    }


def write_files(found: Evaluation, folder: Path) -> tuple[str, ...]:
    """Write `evaluation.json`, `rates.csv`, `det.csv` and `verdicts.csv`; returns their names."""
    write_json(folder / "evaluation.json", as_record(found))
    write_text(folder / "rates.csv", _csv(RATE_COLUMNS, map(_rate_row, found.rates)))
    write_text(folder / "det.csv", _csv(DET_COLUMNS, _points(found.curves)))
    write_text(folder / "verdicts.csv", _csv(VERDICT_COLUMNS, map(_verdict_row, found.verdicts)))
    return ("evaluation.json", "rates.csv", "det.csv", "verdicts.csv")


RATE_COLUMNS = (
    "detector", "quality", "measure", "attack", "action", "value", "low", "high", "n", "people",
)  # fmt: skip
DET_COLUMNS = ("detector", "quality", "attack", "threshold", "apcer", "bpcer")
VERDICT_COLUMNS = (
    "detector", "kind", "quality", "action", "person", "clip_id", "verdict", "score", "reason",
)  # fmt: skip


def _rate_row(rate: ErrorRate) -> tuple[object, ...]:
    found = rate.estimate
    place = (rate.detector, rate.quality, rate.measure, rate.attack, rate.action)
    return (*place, found.value, found.low, found.high, found.n, found.groups)


def _verdict_row(one: Shown) -> tuple[object, ...]:
    shown, verdict = one.presentation, one.verdict
    place = (one.detector, shown.kind, shown.quality, shown.action_name, shown.person)
    return (*place, shown.clip_id, verdict.word, verdict.score, verdict.reason)


def _points(curves: Sequence[Curve]) -> Iterator[tuple[object, ...]]:
    for one in curves:
        for attack, values in ((MAX, one.curve.max_apcer), *one.curve.apcer.items()):
            at = zip(one.curve.thresholds, values, one.curve.bpcer, strict=True)
            for threshold, apcer, bpcer in at:
                yield one.detector, one.quality, attack, threshold, apcer, bpcer


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_safe(value) for value in row] for row in rows)
    return text.getvalue()


def _safe(value: object) -> object:
    """A text that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
