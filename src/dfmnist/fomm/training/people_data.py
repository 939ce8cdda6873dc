"""Training data of people: any folder of videos, with points that the face mesh finds.

A video is cut into pieces of a few seconds. Each piece is one training clip: some of its frames,
cropped to one person's face, and the named points in them. They are made once and kept in a folder
of the training run, never in the folder of videos.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict

from dfmnist.core.arrays import Frames, RgbImage
from dfmnist.core.batch import failure
from dfmnist.core.config import config_hash, seed_of
from dfmnist.core.console import say
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path
from dfmnist.core.jobs import run_jobs
from dfmnist.core.records import read_record, write_record
from dfmnist.core.text import key_of, plural
from dfmnist.faces.follow import follow_face
from dfmnist.faces.mesh import Mesh, face_mesh
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.faces.pose import measure
from dfmnist.fomm.mesh_points import MEAN_FACE, MESH_NAMES, named_points
from dfmnist.fomm.training.actors_data import (
    FACE_POINTS,
    REST_FRAMES,
    FaceClips,
    StoredFrames,
    cut,
    face_square,
    local_affines,
)
from dfmnist.fomm.training.clips import find_clips
from dfmnist.media.sample import evenly
from dfmnist.media.video import FrameTimes, frame_times, iter_frames_at

Array = npt.NDArray[np.float32]

VERSION = 1
"""Version of the prepared clips; those of another version are made again."""
PIECE_S = 8.0
"""Longest duration of a piece in seconds."""
PIECE_FRAMES = 48
"""Largest number of frames of a piece."""
MAX_PIECES = 12
"""Largest number of pieces of a video; of a longer one they are spread over its whole length."""
MIN_FRAMES = 4
"""Smallest number of frames with a face that make a training clip."""
MIN_SIDE_PX = 128
"""Smallest side in pixels of the face's square; smaller faces would teach blur."""
MAX_SIDE_PX = 1920
"""Longer side in pixels to which larger frames are reduced, to save memory."""
MAX_YAW_DEG = 50.0
"""Largest turn of the head; beyond it the mesh guesses the far side of the face."""
SHOWN = 8
"""Number of left-out files that are named; a file of the run has them all."""


@dataclass(frozen=True)
class VideoJob:
    """One video to prepare, and where."""

    path: Path
    name: str
    """Path below the folder of videos."""
    person: str
    into: Path
    """Folder of the prepared clips."""
    size: int
    margin: tuple[float, float]
    seed: int

    @property
    def record(self) -> Path:
        """Path of the record, which is written last."""
        return self.into / f"{key_of(self.name)}.json"

    def piece(self, number: int) -> tuple[Path, Path]:
        """Paths of the frames and of the points of a piece."""
        stem = self.into / f"{key_of(self.name)}.{number}"
        return Path(f"{stem}.frames.npy"), Path(f"{stem}.points.npy")

    @property
    def made_with(self) -> str:
        """Hash of everything but the video that the prepared clips depend on."""
        return config_hash([VERSION, self.size, self.margin, self.seed])


class PreparedVideo(BaseModel):
    """Record of a prepared video."""

    model_config = ConfigDict(frozen=True)

    name: str
    person: str
    size_bytes: int
    changed_ns: int
    made_with: str
    pieces: tuple[int, ...] = ()
    """Numbers of the pieces that became training clips."""
    problems: tuple[str, ...] = ()
    """Reasons why the video, or pieces of it, cannot be used."""

    @property
    def words(self) -> str:
        """The video's name with all its problems."""
        return f"{self.name} ({'; '.join(dict.fromkeys(self.problems))})"


def prepare_people(
    folder: Path,
    into: Path,
    names: Sequence[str],
    size: int,
    *,
    margin: tuple[float, float],
    seed: int,
    person: str = "file",
) -> tuple[FaceClips, list[PreparedVideo]]:
    """Training clips of the videos under `folder`, with `names` as points, and all records.

    Videos that cannot be used are named, and the rest goes on. Prepared clips are kept in `into`
    and used again, unless the video or a setting has changed. `person` says what names the person
    (`media.folders.person_of`), and `margin` is that of `load_actor_clips`. Raises `InputError` if
    no video can be used.
    """
    jobs = [
        VideoJob(path, path.relative_to(folder).as_posix(), who, into, size, margin, seed)
        for path, who in find_clips(folder, person)
    ]
    records = list(run_jobs(prepare_video, jobs, describe="find faces for training"))
    _tell(folder, records)
    return _load(jobs, records, names), records


def _tell(folder: Path, records: Sequence[PreparedVideo]) -> None:
    """Name the videos of which nothing, or not all, can be used. Raises `InputError` if all are."""
    bad = [record.words for record in records if not record.pieces]
    if bad:
        text = f"{len(bad)} of {plural(len(records), 'video')} cannot be used: {_some(bad)}"
        if len(bad) == len(records):
            raise InputError.of(folder, text, "a video of one face")
        line = f"{folder}: {text}; left out"
        say(line)
    if parts := [record.words for record in records if record.pieces and record.problems]:
        line = f"{folder}: {plural(len(parts), 'video')} of which a part is used: {_some(parts)}"
        say(line)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return "; ".join(names[:SHOWN]) + more


def summary(records: Sequence[PreparedVideo]) -> dict[str, Any]:
    """Record of the training clips: counts, and a hash that changes with the videos."""
    used = [record for record in records if record.pieces]
    known = [(r.name, r.person, r.size_bytes, r.pieces, r.made_with) for r in used]
    return {
        "people": len({record.person for record in used}),
        "videos": len(used),
        "clips": sum(len(record.pieces) for record in used),
        "hash": config_hash(known),
    }


def prepare_video(job: VideoJob) -> PreparedVideo:
    """Prepare one video unless it is; a function for `core.jobs.run_jobs`."""
    stat = job.path.stat()
    known = read_record(job.record, PreparedVideo)
    if known and _is_current(job, known, stat):
        return known
    pieces: list[int] = []
    problems: list[str] = []
    try:
        for number, frames in enumerate(_pieces(job.path)):
            reason = _prepare_piece(job, number, frames)
            problems += [reason] if reason else []
            pieces += [] if reason else [number]
    except Exception as error:  # what came before damage is used
        said = failure(error, job.path).removeprefix(f"{job.path}: ")
        problems.append(said.partition("; expected")[0])
    record = PreparedVideo(
        name=job.name,
        person=job.person,
        size_bytes=stat.st_size,
        changed_ns=stat.st_mtime_ns,
        made_with=job.made_with,
        pieces=tuple(pieces),
        problems=tuple(problems),
    )
    write_record(job.record, record)
    return record


def _is_current(job: VideoJob, known: PreparedVideo, stat: os.stat_result) -> bool:
    """Whether the record `known` and its files are those of the video as it is now."""
    then = (known.size_bytes, known.changed_ns, known.made_with)
    if then != (stat.st_size, stat.st_mtime_ns, job.made_with):
        return False
    return all(path.is_file() for number in known.pieces for path in job.piece(number))


def piece_frames(times: FrameTimes) -> list[npt.NDArray[np.int64]]:
    """Indices of the frames of each piece of a video whose frames are shown at `times`."""
    count = len(times.ticks)
    wanted = max(1, min(count, round(times.duration_s / PIECE_S + 0.49)))
    bounds = np.linspace(0, count, wanted + 1).round().astype(np.int64)
    chosen = evenly(wanted, MAX_PIECES)
    return [bounds[i] + evenly(int(bounds[i + 1] - bounds[i]), PIECE_FRAMES) for i in chosen]


def _pieces(path: Path) -> Iterator[Frames]:
    """Yield the frames (n, h, w, 3) of each piece; the video is decoded once."""
    times = frame_times(path)
    indices = piece_frames(times)
    if len(times.ticks) < MIN_FRAMES:
        held = plural(len(times.ticks), "frame")
        raise InputError.of(path, f"holds {held}", f"{MIN_FRAMES} or more")
    owner = [number for number, own in enumerate(indices) for _ in own]
    frames = iter_frames_at(path, np.concatenate(indices), times=times)
    numbered = zip(owner, map(_reduced, frames), strict=False)
    for _, own in groupby(numbered, key=lambda pair: pair[0]):
        yield np.stack([frame for _, frame in own])


def _reduced(frame: RgbImage) -> RgbImage:
    longer = max(frame.shape[:2])
    if longer <= MAX_SIDE_PX:
        return frame
    height, width = (round(side * MAX_SIDE_PX / longer) for side in frame.shape[:2])
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BOX))


def _prepare_piece(job: VideoJob, number: int, frames: Frames) -> str:
    """Write the training clip of a piece; returns the reason if it gives none."""
    track = follow_face(frames, mtcnn())
    if not track.seen:
        return "no face found"
    if reason := track.too_far:
        return reason
    kept, meshes = [], []
    for index in track.seen:
        mesh = face_mesh()(frames[index], track.boxes[index])
        if mesh is not None and abs(measure(mesh)["yaw_deg"]) <= MAX_YAW_DEG:
            kept.append(index)
            meshes.append(mesh)
    if len(kept) < MIN_FRAMES:
        return f"face seen in only {len(kept)} of {len(frames)} frames"
    points = np.stack([named_points(mesh) for mesh in meshes])
    rng = np.random.default_rng([job.seed, seed_of(job.name), number])
    outline = points[:, [MESH_NAMES.index(name) for name in FACE_POINTS]]
    square = face_square(outline, job.margin, rng)
    if square[2] < MIN_SIDE_PX:
        return f"the face is too small: {square[2]:.0f} of at least {MIN_SIDE_PX} pixels"
    order = rest_first(meshes)
    cropped = cut(frames[kept], square, job.size)[order]
    placed = ((points - square[:2]) / square[2] * 2 - 1)[order].astype(np.float32)
    for path, values in zip(job.piece(number), (cropped, placed), strict=True):
        with atomic_path(path) as temporary:
            np.save(temporary, values)
    return ""


def rest_first(meshes: Sequence[Mesh]) -> list[int]:
    """Order of frames that begins with those at rest, as the actors' clips do.

    The first `REST_FRAMES` are those whose face is nearest to the front, eyes open, mouth closed;
    the others keep their order.
    """
    unrest = []
    for mesh in meshes:
        now = measure(mesh)
        turned = sum(abs(now[name]) for name in ("yaw_deg", "pitch_deg", "roll_deg"))
        lids = (now["eye_right"] + now["eye_left"]) / 2
        unrest.append(turned / 10 + 4 * now["mouth_open"] + 10 * max(0.0, 0.25 - lids))
    calm = sorted(np.argsort(unrest, kind="stable")[:REST_FRAMES].tolist())
    return [*calm, *(i for i in range(len(meshes)) if i not in calm)]


def _load(
    jobs: Sequence[VideoJob], records: Sequence[PreparedVideo], names: Sequence[str]
) -> FaceClips:
    """The prepared clips; frames stay in their files until they are drawn."""
    frames, points, identities, groups = [], [], [], []
    for job, record in zip(jobs, records, strict=True):
        for number in record.pieces:
            pixels, placed = job.piece(number)
            points.append(np.load(placed))
            frames.append(StoredFrames(pixels, len(points[-1])))
            identities.append(record.person)
            groups.append(f"{record.name}.{number}")
    counts = np.cumsum([len(p) for p in points])[:-1]
    affines = local_affines(np.concatenate(points), MESH_NAMES, MEAN_FACE)
    chosen = [MESH_NAMES.index(name) for name in names]
    return FaceClips(
        frames,
        [p[:, chosen] for p in points],
        np.split(affines[:, chosen], counts),
        tuple(names),
        tuple(identities),
        tuple(groups),
    )
