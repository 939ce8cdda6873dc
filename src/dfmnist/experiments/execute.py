"""Train and score what plans ask for: each distinct run once, finished ones reused."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from dfmnist.core.errors import InputError
from dfmnist.core.jobs import run_jobs
from dfmnist.dataset.manifest import manifest_hash
from dfmnist.dataset.merge import assert_unseen
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.external import ExternalDetector
from dfmnist.detectors.scores import write_scores
from dfmnist.experiments.plan import Plan, RunSpec, ScoreSpec, in_order

_COST = {"resnet50": 1.0, "resnet101": 1.7, "resnet152": 2.4, "xception": 1.3}
"""Relative time of a training step by network: the longest runs start first."""


@dataclass(frozen=True)
class RunOutcome:
    """A finished run's folder, or why there is none."""

    folder: Path | None
    reason: str = ""


@dataclass(frozen=True)
class RunJob:
    """One training, with everything resolved to files."""

    config: TrainConfig
    dataset: Path
    runs: Path


@dataclass(frozen=True)
class ScoreJob:
    """All qualities of one run on one split that are not scored yet, with their files."""

    run: Path
    dataset: Path
    split: str
    files: tuple[tuple[str, Path], ...]


@dataclass(frozen=True)
class ExternalJob:
    """All qualities of one detector of the user's on one split that are not scored yet."""

    detector: ExternalDetector
    dataset: Path
    split: str
    files: tuple[tuple[str, Path], ...]


@dataclass(frozen=True)
class Executed:
    """The runs and scores that were made for some plans."""

    runs: dict[RunSpec, RunOutcome] = field(default_factory=dict)
    scores: dict[ScoreSpec, Path] = field(default_factory=dict)
    unscored: dict[ExternalDetector, str] = field(default_factory=dict)
    """Why a detector of the user's has no scores."""

    @property
    def failures(self) -> tuple[str, ...]:
        """Why runs failed, each reason once."""
        reasons = [o.reason for o in self.runs.values() if o.reason]
        return tuple(dict.fromkeys([*reasons, *self.unscored.values()]))


def execute(plans: Sequence[Plan], roots: dict[str, Path], out: Path) -> Executed:
    """Train into `out/runs` and score into `out/scores`; `roots` are dataset folders by name.

    A run that cannot be trained does not stop the others: its reason stands in its cells. Raises
    `InputError` where a person is trained on in one dataset and tested in another.
    """
    scores = tuple(dict.fromkeys(s for plan in plans for s in plan.scores))
    for trained, tested in sorted({pair for s in scores for pair in _crossings(s)}):
        assert_unseen(roots[trained], roots[tested])
    runs = _train([r for plan in plans for r in plan.runs], roots, out / "runs")
    files, unscored = _score(scores, runs, roots, out / "scores")
    return Executed(runs, files, unscored)


def _crossings(score: ScoreSpec) -> set[tuple[str, str]]:
    """Pairs of datasets (trained, tested) of the score's run and of those it started from."""
    found: set[tuple[str, str]] = set()
    run = score.run if isinstance(score.run, RunSpec) else None
    while run is not None:
        found |= {(run.dataset, score.dataset)} if run.dataset != score.dataset else set()
        run = run.start
    return found


def _train(
    specs: Sequence[RunSpec], roots: dict[str, Path], runs: Path
) -> dict[RunSpec, RunOutcome]:
    """Train the runs that start from no other first, then those that start from them, and so on."""
    found: dict[RunSpec, RunOutcome] = {}
    ordered = in_order(specs)
    for depth in sorted({spec.depth for spec in ordered}):
        now = sorted((s for s in ordered if s.depth == depth), key=_cost, reverse=True)
        ready: dict[RunSpec, RunJob] = {}
        for spec in now:
            start = found[spec.start] if spec.start is not None else RunOutcome(None)
            if start.reason:
                found[spec] = RunOutcome(None, f"the run it starts from failed: {start.reason}")
                continue
            config = spec.config
            if start.folder is not None:
                config = replace(config, weights=str(start.folder / "weights.safetensors"))
            ready[spec] = RunJob(config, roots[spec.dataset], runs)
        what = "train detectors" if depth == 0 else "fine-tune detectors"
        outcomes = run_jobs(train_job, list(ready.values()), describe=what, gpu=True)
        found |= dict(zip(ready, outcomes, strict=True))
    return found


def _cost(spec: RunSpec) -> float:
    """Relative time of a run; a subset's epochs are shorter, but there are more of them."""
    return _COST.get(spec.config.network, 0.1) * spec.config.input_size_px**2


def train_job(job: RunJob) -> RunOutcome:
    """Train one run, or continue it; at the top level, so that another process can import it."""
    from dfmnist.detectors.train import train

    try:
        return RunOutcome(train(job.config, job.dataset, job.runs, quiet=True).resolve())
    except InputError as error:
        return RunOutcome(None, f"{job.config.network}, {job.config.quality}: {error}")


def _score(
    specs: Sequence[ScoreSpec],
    runs: dict[RunSpec, RunOutcome],
    roots: dict[str, Path],
    folder: Path,
) -> tuple[dict[ScoreSpec, Path], dict[ExternalDetector, str]]:
    """The files of scores, and why a detector of the user's has none."""
    hashes = {name: manifest_hash(roots[name])[:8] for name in {s.dataset for s in specs}}
    files: dict[ScoreSpec, Path] = {}
    wanted: dict[tuple[Path | ExternalDetector, str, str], list[tuple[str, Path]]] = {}
    for spec in specs:
        run = spec.run if isinstance(spec.run, ExternalDetector) else runs[spec.run].folder
        if run is None:
            continue
        name = run.folder_name if isinstance(run, ExternalDetector) else run.name
        stem = f"{name}-on-{hashes[spec.dataset]}-{spec.split}-{spec.quality}"
        path = files[spec] = folder / f"{stem}.parquet"
        if not path.is_file():
            wanted.setdefault((run, spec.dataset, spec.split), []).append((spec.quality, path))
    jobs = [
        ScoreJob(run, roots[dataset], split, tuple(missing))
        for (run, dataset, split), missing in wanted.items()
        if isinstance(run, Path)
    ]
    for _ in run_jobs(score_job, jobs, describe="score the test splits", gpu=True):
        pass
    own = [
        ExternalJob(detector, roots[dataset], split, tuple(missing))
        for (detector, dataset, split), missing in wanted.items()
        if isinstance(detector, ExternalDetector)
    ]
    said = run_jobs(external_job, own, describe="score your detectors", gpu=True)
    why = {job.detector: reason for job, reason in zip(own, said, strict=True) if reason}
    return {s: path for s, path in files.items() if s.run not in why}, why


def score_job(job: ScoreJob) -> None:
    """Score one run on the qualities asked for; a file for each."""
    from dfmnist.detectors.score import score

    qualities = tuple(quality for quality, _ in job.files)
    table = score(job.run, job.dataset, job.split, qualities, quiet=True)
    notes = {"run": job.run.name, "manifest": manifest_hash(job.dataset)}
    _write_each(table, job.files, notes)


def external_job(job: ExternalJob) -> str:
    """Score the qualities asked for with a detector of the user's.

    Returns why there are no scores; empty where there are.
    """
    from dfmnist.detectors.score_external import notes, score_external

    qualities = tuple(quality for quality, _ in job.files)
    try:
        table = score_external(job.detector, job.dataset, job.split, qualities, quiet=True)
    except InputError as error:
        return str(error)
    _write_each(table, job.files, notes(job.detector, job.dataset))
    return ""


def _write_each(
    table: pl.DataFrame, files: Sequence[tuple[str, Path]], notes: dict[str, str]
) -> None:
    """Write the rows of each quality to its file."""
    for quality, path in files:
        write_scores(table.filter(pl.col("quality") == quality), path, notes)
