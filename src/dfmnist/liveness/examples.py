"""Bona fide clips of synthetic actors, and attacks made from them, as the detectors see them.

Filmed wide, cropped by MTCNN, camera noise added: as every clip of a dataset is made. Only the
measures are kept, one small JSON a clip, so that a killed run goes on where it was.
"""

from collections.abc import Iterable, Sequence
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
NOISE_SIGMA = 2.0
FPS = 25
NUM_FRAMES = 50


@dataclass(frozen=True)
class Example:
    """What was measured in one clip."""

    identity: int
    shown: Action
    kind: str
    """`BONA_FIDE`, `STILL` or `WARP`."""
    moved: dict[str, float]
    """The values of `Movement`; empty with a problem."""
    passive: dict[str, float]
    """The values of `universal.measure`; empty with a problem."""
    problem: str
    """Why nothing was measured; empty otherwise."""


@dataclass(frozen=True)
class ExampleJob:
    """One performance of one actor."""

    folder: Path
    identity: int
    shown: Action
    with_attacks: bool

    @property
    def stem(self) -> str:
        return f"{self.identity}_{self.shown.value}"

    @property
    def film(self) -> FilmJob:
        """The performance's seed is the identity's, so the ranges keep takes apart as well."""
        path = self.folder / "wide" / f"{self.stem}.mp4"
        return FilmJob(self.identity, self.shown, self.identity, NUM_FRAMES, path)


def plan(folder: Path, purpose: str, actors: int, *, with_attacks: bool) -> list[ExampleJob]:
    """Every performance (ten actions and talking) of the first `actors` people of a purpose."""
    seeds = SEED_RANGES[purpose]
    if not 1 <= actors <= len(seeds):
        raise InputError(f"{actors} actors; expected 1 to {len(seeds)} for {purpose}")
    return [
        ExampleJob(folder, identity, shown, with_attacks)
        for identity in seeds[:actors]
        for shown in Action
    ]


def collect(jobs: Sequence[ExampleJob]) -> list[Example]:
    """Film and measure all jobs, with progress; what is there already is kept."""
    for _ in run_jobs(film, [job.film for job in jobs], describe="film"):
        pass
    found = run_jobs(observe, jobs, describe="measure")
    return [example for examples in found for example in examples]


def observe(job: ExampleJob) -> list[Example]:
    """Measure one filmed performance, and the two attacks made from its first frame if wanted."""
    record = job.folder / "measures" / f"{job.stem}{'_attacks' * job.with_attacks}.json"
    if record.exists():
        return [from_json(row) for row in read_json(record)]
    wide = read_frames(job.film.path)
    clean, info = crop_clip(wide, mtcnn())
    if clean is None:
        return [Example(job.identity, job.shown, BONA_FIDE, {}, {}, info.reason)]
    rng = np.random.default_rng([job.identity, list(Action).index(job.shown)])
    clips: dict[str, Frames] = {BONA_FIDE: clean}
    if job.with_attacks:
        clips[STILL] = still(clean[0], len(clean))
        clips[WARP] = planar_warp(clean[0], len(clean), rng)
    examples = []
    for kind, frames in clips.items():
        noisy = add_camera_noise(frames, int(rng.integers(1 << 31)), NOISE_SIGMA)
        examples.append(observe_clip(noisy, Fraction(FPS), job.identity, job.shown, kind))
    write_json(record, [as_json(example) for example in examples])
    return examples


def observe_clip(
    frames_rgb_u8: Frames, fps: Fraction, identity: int, shown: Action, kind: str
) -> Example:
    """Measure one clip (n, 256, 256, 3) as both detectors do."""
    meshes = track(frames_rgb_u8)
    found = signals(meshes)
    if problem := seen_too_little(found):
        return Example(identity, shown, kind, {}, {}, problem)
    moved = movement(found, float(fps)).values()
    return Example(identity, shown, kind, moved, universal.measure(frames_rgb_u8, meshes), "")


def as_json(example: Example) -> dict[str, object]:
    """What `from_json` reads back."""
    return {**vars(example), "shown": example.shown.value}


def from_json(row: dict[str, object]) -> Example:
    """An example as `as_json` wrote it."""
    return Example(**{**row, "shown": Action(str(row["shown"]))})  # type: ignore[arg-type]


def bona_fide(examples: Iterable[Example]) -> list[Example]:
    """Those that are no attack and could be measured."""
    return [e for e in examples if e.kind == BONA_FIDE and not e.problem]
