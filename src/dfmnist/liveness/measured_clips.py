"""Clips of synthetic actors, and attacks made from them, measured as the detectors measure them.

The clips are made as those of a dataset: filmed wide, cropped by MTCNN, with camera noise. Only the
measures are kept, in one small JSON file for each performance, so that a killed run continues.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dfmnist.actors.film import FilmJob, film
from dfmnist.actors.seeds import SEED_RANGES
from dfmnist.attacks.photo import planar_warp, still
from dfmnist.core.actions import Action
from dfmnist.core.arrays import Frames
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.core.jobs import run_jobs
from dfmnist.faces.crop import crop_clip
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.faces.pose import signals
from dfmnist.liveness import universal
from dfmnist.liveness.action import seen_too_little
from dfmnist.liveness.movement import movement
from dfmnist.liveness.tracking import track
from dfmnist.media.noise import add_camera_noise
from dfmnist.media.video import read_frames

BONA_FIDE, STILL, WARP = "bona fide", "repeated still", "planar warp"
"""The kinds of clips: a live performance, and the two attacks of `attacks.photo`."""
NOISE_SIGMA = 2.0
"""Standard deviation of the camera noise, in grey levels."""
FPS = 25
"""Frame rate of the clips, in frames/s."""
NUM_FRAMES = 50
"""Number of frames in a clip."""
_OLD_NAMES = {"moved": "movement", "passive": "universal"}
"""Names of fields in the records of earlier versions."""


@dataclass(frozen=True)
class MeasuredClip:
    """The measures of one clip."""

    identity: int
    """Seed of the actor."""
    shown: Action
    """The action that the actor performs."""
    kind: str
    """The kind of clip: `BONA_FIDE`, `STILL` or `WARP`."""
    movement: dict[str, float]
    """The values of `Movement`; empty if there is a problem."""
    universal: dict[str, float]
    """The values of `universal.measure`; empty if there is a problem."""
    problem: str
    """The reason why nothing was measured; empty otherwise."""


@dataclass(frozen=True)
class MeasureJob:
    """One performance of one actor to film and measure, with or without attacks made from it."""

    folder: Path
    identity: int
    shown: Action
    with_attacks: bool

    @property
    def stem(self) -> str:
        return f"{self.identity}_{self.shown.value}"

    @property
    def film(self) -> FilmJob:
        """The job that films the performance.

        Its seed is the identity's, so that performances of different purposes differ too.
        """
        path = self.folder / "wide" / f"{self.stem}.mp4"
        return FilmJob(self.identity, self.shown, self.identity, NUM_FRAMES, path)


def plan_clips(folder: Path, purpose: str, actors: int, *, with_attacks: bool) -> list[MeasureJob]:
    """A job for each performance (ten actions, talking) of a purpose's first `actors` people.

    `purpose` is a range of `SEED_RANGES`. Raises `InputError` for a wrong number of actors.
    """
    seeds = SEED_RANGES[purpose]
    if not 1 <= actors <= len(seeds):
        raise InputError(f"{actors} actors; expected 1 to {len(seeds)} for {purpose}")
    return [
        MeasureJob(folder, identity, shown, with_attacks)
        for identity in seeds[:actors]
        for shown in Action
    ]


def measure_clips(jobs: Sequence[MeasureJob]) -> list[MeasuredClip]:
    """The measured clips of all jobs, filmed and measured unless their files exist already."""
    for _ in run_jobs(film, [job.film for job in jobs], describe="film"):
        pass
    found = run_jobs(measure_performance, jobs, describe="measure")
    return [clip for clips in found for clip in clips]


def measure_performance(job: MeasureJob) -> list[MeasuredClip]:
    """The measures of one filmed performance and, if wanted, of the attacks made from it."""
    record = job.folder / "measures" / f"{job.stem}{'_attacks' * job.with_attacks}.json"
    if record.exists():
        return [from_json(row) for row in read_json(record)]
    wide = read_frames(job.film.path)
    clean, info = crop_clip(wide, mtcnn())
    if clean is None:
        return [MeasuredClip(job.identity, job.shown, BONA_FIDE, {}, {}, info.reason)]
    rng = np.random.default_rng([job.identity, list(Action).index(job.shown)])
    clips: dict[str, Frames] = {BONA_FIDE: clean}
    if job.with_attacks:
        clips[STILL] = still(clean[0], len(clean))
        clips[WARP] = planar_warp(clean[0], len(clean), rng)
    measured = []
    for kind, frames in clips.items():
        noisy = add_camera_noise(frames, int(rng.integers(1 << 31)), NOISE_SIGMA)
        measured.append(measure_clip(noisy, Fraction(FPS), job.identity, job.shown, kind))
    write_json(record, [as_json(clip) for clip in measured])
    return measured


def measure_clip(
    frames_rgb_u8: Frames, fps: Fraction, identity: int, shown: Action, kind: str
) -> MeasuredClip:
    """The measures that both detectors take of one clip (n, 256, 256, 3)."""
    meshes = track(frames_rgb_u8)
    found = signals(meshes)
    if problem := seen_too_little(found):
        return MeasuredClip(identity, shown, kind, {}, {}, problem)
    moved = movement(found, float(fps)).values()
    return MeasuredClip(identity, shown, kind, moved, universal.measure(frames_rgb_u8, meshes), "")


def as_json(clip: MeasuredClip) -> dict[str, object]:
    """The clip's measures as JSON values, which `from_json` reads."""
    return {**vars(clip), "shown": clip.shown.value}


def from_json(row: dict[str, object]) -> MeasuredClip:
    """The measured clip that `as_json` wrote as `row`."""
    values = {_OLD_NAMES.get(name, name): value for name, value in row.items()}
    return MeasuredClip(**values | {"shown": Action(str(row["shown"]))})  # type: ignore[arg-type]
