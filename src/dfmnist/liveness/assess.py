"""Verdicts of several detectors on many presentations: resumed after a kill, one failure a clip.

Each presentation has a JSON record with the verdicts so far. A verdict is taken as given if the
file and the detector's settings are the same; what a service or a program failed to judge is asked
again. Clips are decoded and meshed in parallel, once for all detectors; services are asked by one
process, within their limits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dfmnist.core.actions import parse_action
from dfmnist.core.batch import failure, published
from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError, StorageError
from dfmnist.core.jobs import run_jobs
from dfmnist.core.records import read_record, write_record
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.chosen import ChosenDetector, choose_detectors
from dfmnist.liveness.clip_file import ClipFile
from dfmnist.liveness.load import LoadedClip, UnusableClip, load_clip
from dfmnist.liveness.presentations import Presentation

VERDICTS = "verdicts"
"""Folder of the records within the folder of an evaluation."""


class KeptVerdict(BaseModel):
    """A detector's verdict as it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    detector: str
    live: bool
    score: float
    reason: str
    assessed: bool

    @property
    def verdict(self) -> Verdict:
        """The verdict itself."""
        return Verdict(self.detector, self.live, self.score, self.reason, self.assessed)


class AssessedClip(BaseModel):
    """The verdicts on one presentation so far."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    """SHA-256 of the file; empty if there is none."""
    problem: str
    """The reason why no detector can judge the clip; empty if one can."""
    verdicts: dict[str, KeptVerdict]
    """Verdicts by `ChosenDetector.key`."""


@dataclass(frozen=True)
class AssessJob:
    """One presentation to decode and to show to all detectors but services."""

    presentation: Presentation
    detectors: tuple[str, ...]
    """Values of `--detector`."""
    record: Path
    thresholds: Path | None = None
    """Thresholds of the built-in detectors; None means the shipped ones."""


def assess_all(
    presentations: Sequence[Presentation],
    detectors: Sequence[str],
    folder: Path,
    thresholds: Path | None = None,
) -> list[AssessedClip]:
    """The verdicts of all detectors on all presentations, in order; records lie in `folder`.

    `detectors` are values of `--detector`; `thresholds` as in `choose_detectors`. A clip that
    cannot be read, or a detector that fails, is a verdict "not assessed". Raises `InputError` for
    the detectors, and `StorageError` for records that cannot be written.
    """
    texts = tuple(detectors)
    chosen = choose_detectors(texts, thresholds)
    jobs = [AssessJob(p, texts, _record(folder, p), thresholds) for p in presentations]
    found = list(run_jobs(assess, jobs, describe="assess clips"))
    for service in (one for one in chosen if one.is_service):
        found = list(_asked(service, jobs, found))
    return found


def _record(folder: Path, presentation: Presentation) -> Path:
    return folder / VERDICTS / f"{presentation.name}.json"


def assess(job: AssessJob) -> AssessedClip:
    """The verdicts of all detectors but services on one presentation, from its record if known."""
    shown = job.presentation
    file = ClipFile(shown.path, shown.action)
    chosen = [
        one for one in _detectors(job.detectors, job.thresholds) if one.is_asked(shown.action)
    ]
    kept = _kept(job.record, file)
    clip: LoadedClip | None = None
    missing = [one for one in chosen if not one.is_service and _is_missing(one, kept)]
    if kept is None or (missing and not kept.problem):
        clip, problem = _loaded(file)
        kept = AssessedClip(
            sha256=_hash(file), problem=problem, verdicts=kept.verdicts if kept else {}
        )
    elif not missing:
        return kept
    for one in missing:
        verdict = _verdict(one, file, clip, kept.problem)
        kept = _with(kept, one, verdict)
    write_record(job.record, kept)
    return kept


def _asked(
    service: ChosenDetector, jobs: Sequence[AssessJob], found: Sequence[AssessedClip]
) -> Iterator[AssessedClip]:
    """The records of all jobs with the verdicts of one service."""
    with progress_bar() as bar:
        task = bar.add_task(f"ask {service.name}", total=len(jobs))
        for job, kept in zip(jobs, found, strict=True):
            shown = job.presentation
            if service.is_asked(shown.action) and _is_missing(service, kept):
                file = ClipFile(shown.path, shown.action)
                kept = _with(kept, service, _verdict(service, file, None, kept.problem))
                write_record(job.record, kept)
            bar.advance(task)
            yield kept


@cache
def _detectors(texts: tuple[str, ...], thresholds: Path | None) -> tuple[ChosenDetector, ...]:
    return choose_detectors(texts, thresholds)


def _kept(record: Path, file: ClipFile) -> AssessedClip | None:
    """The record, if it is one of the same file; a record that cannot be read is made anew."""
    try:
        kept = read_record(record, AssessedClip)
    except InputError:
        return None
    return kept if kept is not None and kept.sha256 == _hash(file) else None


def _hash(file: ClipFile) -> str:
    try:
        return file.sha256
    except OSError:
        return ""


def _is_missing(one: ChosenDetector, kept: AssessedClip | None) -> bool:
    known = kept.verdicts.get(one.key) if kept is not None else None
    if known is None:
        return True
    assert kept is not None
    return one.may_try_again and not known.assessed and not kept.problem


def _loaded(file: ClipFile) -> tuple[LoadedClip | None, str]:
    """The clip, or None and the reason why it cannot be judged."""
    try:
        return load_clip(file), ""
    except UnusableClip as error:
        return None, str(error)
    except StorageError:
        raise
    except Exception as error:
        return None, published(failure(error, file.path), file.path)


def _verdict(one: ChosenDetector, file: ClipFile, clip: LoadedClip | None, problem: str) -> Verdict:
    if problem:
        return Verdict.not_assessed(one.name, problem)
    return one.assess(file, clip)


def _with(kept: AssessedClip, one: ChosenDetector, verdict: Verdict) -> AssessedClip:
    new = KeptVerdict.model_validate(vars(verdict))
    return kept.model_copy(update={"verdicts": kept.verdicts | {one.key: new}})


def check_clip(
    path: Path,
    action: str | None,
    detectors: Sequence[str] = (),
    thresholds: Path | None = None,
    *,
    even: bool = False,
) -> tuple[Verdict, ...]:
    """The verdict of each detector on one video in which `action` is requested.

    `action` None: detectors that judge an action are not asked. `detectors` are values of
    `--detector`; none means the action detector and the universal one. `thresholds` as in
    `choose_detectors`, `even` as in `load_clip`; services and programs get the file as it is.
    Raises `InputError` for a file that is no video, an unknown action, or a detector that cannot be
    made.
    """
    requested = parse_action(action) if action is not None else None
    made = choose_detectors(detectors, thresholds)
    chosen = [one for one in made if one.is_asked(requested)]
    if not chosen:
        raise InputError("no detector is asked: each needs --action; expected one that does not")
    file = ClipFile(path, requested)
    try:
        clip = load_clip(file, even=even)
    except UnusableClip as error:
        return tuple(Verdict.not_assessed(one.name, str(error)) for one in chosen)
    return tuple(one.assess(file, clip) for one in chosen)
