"""Evaluations of the motion model: reconstruction of clips, and transfer between two people.

Any clip of a face can be rebuilt from its first frame. Only synthetic actors allow the second task
with a true clip: actor A is animated by actor B, and the result is compared with A's own film of
B's performance. Of real people, likeness to the source and to the driver is measured instead.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dfmnist.actors.film import FILM_VERSION
from dfmnist.actors.seeds import check_range
from dfmnist.animator_eval import images as pictures
from dfmnist.animator_eval.acceptance import acceptance_criteria
from dfmnist.animator_eval.identity import can_recognise
from dfmnist.animator_eval.jobs import (
    NOISE_SIGMA,
    ClipJob,
    EvaluationJob,
    PairJob,
    film_pair,
    run_job,
)
from dfmnist.animator_eval.likeness_tables import Row, rows_of
from dfmnist.animator_eval.records import Record
from dfmnist.animator_eval.reenact import ReenactJob
from dfmnist.animator_eval.tables import report
from dfmnist.core.actions import TEN, Action
from dfmnist.core.arrays import RgbImage
from dfmnist.core.choices import Motion
from dfmnist.core.config import config_hash, plain
from dfmnist.core.errors import InputError
from dfmnist.core.files import holds_folder, sha256_file, write_json, write_text
from dfmnist.core.jobs import run_jobs
from dfmnist.fomm.checkpoint import check_weights, training_seeds, weights_id
from dfmnist.liveness import thresholds
from dfmnist.media.folders import MEDIA, VIDEOS, MediaKind, find_media

MEASURE_VERSION = 3
"""Version of the records; one with another version is measured again. Raised with each change."""
CLIPS_PICTURED = 8
"""Number of clips of a folder that the sheet shows."""
SOURCES_PICTURED = 12
"""Number of sources that the sheet of sources and drivers shows."""
PAIR_ROWS = ("driver", "true", "animated", "affine")
CLIP_ROWS = ("true", "animated", "affine")


@dataclass(frozen=True)
class Settings:
    """All settings on which the metrics of a clip depend, except the clip itself."""

    weights: str
    num_frames: int
    crop: bool
    motion: Motion
    noise_sigma: float = NOISE_SIGMA
    film_version: int = FILM_VERSION
    thresholds: str = field(default_factory=lambda: sha256_file(thresholds.SHIPPED)[:12])
    identity: bool = field(default_factory=can_recognise)
    """Whether identity is measured, which needs an extra."""
    measure_version: int = MEASURE_VERSION

    def __post_init__(self) -> None:
        """Check what the user typed."""
        if self.num_frames < 2:
            raise InputError(f"--frames {self.num_frames}; expected 2 or more")


@holds_folder("out")
def evaluate_animator(
    weights: Path | None,
    actors: Sequence[int],
    takes: int,
    out: Path,
    *,
    actions: Sequence[Action] = TEN,
    num_frames: int = 50,
    motion: Motion = "auto",
) -> str:
    """Evaluate the transfer of actions between actors; returns the tables as Markdown.

    Each actor is a source once, with the next one as driver, for `takes` performances of each
    action. Clips and their records are kept under `out`, so that an evaluation that was stopped
    goes on. It writes `clips.json`, `table.md`, `sheet.png` and `actions.png` (source, driver and
    animation at the peak of each action) there. Raises `InputError` for seeds outside of the
    evaluation's range, and for weights that were trained on one of the actors.
    """
    check_range("evaluation", actors)
    if len(actors) < 2:
        raise InputError(f"--actors {len(actors)}; expected 2 or more")
    if takes < 1:
        raise InputError(f"--takes {takes}; expected 1 or more")
    if known := training_seeds(weights) & set(actors):
        raise InputError(f"weights were trained on actor {min(known)}; expected unseen actors")
    check_weights(weights)
    settings = Settings(weights_id(weights), num_frames, crop=True, motion=motion)
    jobs = _pairs(weights, actors, actions, takes, out, settings)
    films = sorted(
        {film for job in jobs if not job.done() for film in job.films()},
        key=lambda film: (
            film.identity_seed,
            str(film.path),
        ),  # the clips of one person share a prepared scene
    )
    for _ in run_jobs(film_pair, films, describe="film"):
        pass
    records = list(run_jobs(run_job, jobs, describe="evaluate the animator"))
    about = (
        f"{len(actors)} actors never trained on, {len(actions)} actions, {takes} of each by pair, "
        f"{num_frames} frames, motion {motion}"
    )
    return _write(out, settings, jobs, records, about, PAIR_ROWS)


@holds_folder("out")
def evaluate_clips(
    weights: Path | None,
    clips: Path,
    out: Path,
    *,
    sources: Path | None = None,
    crop: bool = False,
    num_frames: int = 50,
    motion: Motion = "auto",
) -> str:
    """Evaluate the motion model on a folder's clips; returns the tables as Markdown.

    Each clip is rebuilt from its first frame and compared with itself. With `sources`, a folder of
    photos and clips of people, each of them (a clip by its first frame) is also moved as in each
    clip of `clips`; then all are cropped to the face. Whatever cannot be measured (damaged, no
    face, another size without `crop`) is left out, counted and named. Writes `clips.json`,
    `clips.csv`, `table.md`, `sheet.png` (the first few clips) and, with `sources`, `pairs.png` (the
    first few of each) under `out`. Raises `InputError` for a folder without clips or sources, or
    when no clip could be measured.
    """
    paths = _media(clips, VIDEOS, "video", "clips of faces")
    crop = crop or sources is not None
    check_weights(weights)
    settings = Settings(weights_id(weights), num_frames, crop, motion)
    common = (out, config_hash(settings), weights, num_frames, motion)
    hashes = {path: sha256_file(path) for path in paths}
    jobs: list[EvaluationJob] = [
        ClipJob(*common, number < CLIPS_PICTURED, path, name, hashes[path], crop)
        for number, (path, name) in enumerate(paths.items())
    ]
    rebuilt = list(run_jobs(run_job, jobs, describe="evaluate the animator"))
    if all(record.problem for record in rebuilt):
        first = f"{rebuilt[0].name}: {rebuilt[0].problem}"
        raise InputError.of(clips, f"no clip of {len(rebuilt)} can be measured ({first})", "a face")
    cut = "cropped by MTCNN" if crop else "as they are"
    about = f"{len(paths)} clips, {cut}, their first {num_frames} frames, motion {motion}"
    moved: list[Record] = []
    if sources is not None:
        people = _media(sources, MEDIA, "photo or video", "sources to animate")
        hashes |= {path: sha256_file(path) for path in people}
        pairs = [
            ReenactJob(
                *common,
                i < SOURCES_PICTURED and j < CLIPS_PICTURED,
                source,
                driver,
                *(people[source], paths[driver]),
                (hashes[source], hashes[driver]),
            )
            for j, driver in enumerate(paths)
            for i, source in enumerate(people)
        ]
        moved = list(run_jobs(run_job, pairs, describe="move the sources"))
        jobs += pairs
        about += f"; {len(people)} sources moved as in each of them"
    return _write(out, settings, jobs, [*rebuilt, *moved], about, CLIP_ROWS)


def _media(folder: Path, kinds: Sequence[MediaKind], kind: str, expected: str) -> dict[Path, str]:
    """Paths of a folder's files of these `kinds`, each with its path below the folder.

    Raises `InputError` if there are none.
    """
    if not folder.is_dir():
        raise InputError.of(folder, "no such folder", f"a folder of {expected}")
    held = find_media(folder, kinds)
    paths = [path for path, _ in held.required(folder, kind, expected)]
    held.tell(str(folder))
    return {path: str(path.relative_to(folder)) for path in paths}


def _pairs(
    weights: Path | None,
    actors: Sequence[int],
    actions: Sequence[Action],
    takes: int,
    out: Path,
    settings: Settings,
) -> list[PairJob]:
    key = config_hash(settings)
    pairs = [(actors[i], actors[(i + 1) % len(actors)]) for i in range(len(actors))]
    return [
        PairJob(
            *(out, key, weights, settings.num_frames, settings.motion),
            with_pictures=take == 0 and number == actions.index(action) % len(pairs),
            source=source,
            driver=driver,
            action=action,
            take=take,
        )
        for number, (source, driver) in enumerate(pairs)
        for action in actions
        for take in range(takes)
    ]


def _write(
    out: Path,
    settings: Settings,
    jobs: Sequence[EvaluationJob],
    records: Sequence[Record],
    about: str,
    rows: Sequence[str],
) -> str:
    """Write all results of an evaluation; returns the tables as Markdown."""
    transfers = [record.transfer for record in records if record.transfer]
    found: dict[str, Any] = {
        "settings": plain(settings),
        "clips": [record.model_dump(mode="json") for record in records if not record.problem],
        "acceptance": plain(acceptance_criteria(transfers)) if transfers else [],
        "left_out": {record.name: record.problem for record in records if record.problem},
    }
    write_json(out / "clips.json", found)
    text = report(settings.weights, about, records)
    write_text(out / "table.md", text)
    if values := [row for record in records for row in rows_of(record)]:
        write_csv(out / "clips.csv", values)
    drawn = [
        (j, r) for j, r in zip(jobs, records, strict=True) if j.with_pictures and not r.problem
    ]
    cells = {
        (r.reenactment.source, r.reenactment.driver): _picture(j.file(".png"))
        for j, r in drawn
        if r.reenactment
    }
    if cells:
        pictures.save(out / "pairs.png", pictures.grid(cells))
    shown = [(job, record) for job, record in drawn if not record.reenactment]
    if isinstance(jobs[0], PairJob):  # in the order of the actions
        shown.sort(key=lambda pair: TEN.index(pair[0].action))  # type: ignore[attr-defined]
        picked = {_title(job): _picture(job.file(".column.png")) for job, _ in shown}
        if picked:
            pictures.save(out / "actions.png", pictures.columns(picked))
    strips = {record.name: _picture(job.file(".png")) for job, record in shown}
    if strips:
        pictures.save(out / "sheet.png", pictures.sheet(strips, rows))
    return text


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write `rows` as CSV (UTF-8), with every column that some row has; NaN becomes empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    table.writeheader()
    for row in rows:
        table.writerow({k: "" if v != v else v for k, v in row.items()})  # NaN differs from itself
    write_text(path, text.getvalue())


def _title(job: EvaluationJob) -> str:
    assert isinstance(job, PairJob)
    return job.action.value.replace("_", " ")


def _picture(path: Path) -> RgbImage:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
