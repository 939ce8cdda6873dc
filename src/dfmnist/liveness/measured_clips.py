"""Clips of synthetic actors, and attacks made from them, measured as the detectors measure them.

The clips are made as those of a dataset: filmed wide, cropped by MTCNN, with camera noise. Only the
measured signals are kept, in one small JSON file for each performance, so that a killed run
continues, and rules of the action detector can change without filming anew. Films are deleted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dfmnist.actors.film import FilmJob, film, truth_paths
from dfmnist.actors.performance import done_beside, perform, perform_lively
from dfmnist.actors.seeds import SEED_RANGES
from dfmnist.attacks.display import printed, replayed
from dfmnist.attacks.lids import painted_lids
from dfmnist.attacks.photo import planar_warp, still
from dfmnist.core.actions import Action
from dfmnist.core.arrays import Floats, Frames
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.core.jobs import run_jobs
from dfmnist.faces.crop import crop_clip
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.faces.pose import Signals, signals
from dfmnist.liveness import universal
from dfmnist.liveness.action import is_wrong, seen_too_little
from dfmnist.liveness.movement import movement
from dfmnist.liveness.tracking import track
from dfmnist.media.noise import add_camera_noise
from dfmnist.media.video import read_frames

BONA_FIDE = "bona fide"
"""Kind of a live performance."""
STILL, WARP, LIDS = "repeated still", "planar warp", "still with painted lids"
PRINT, REPLAY = "print", "replay on a display"
ATTACKS = (STILL, WARP, LIDS, PRINT, REPLAY)
"""Kinds of the attacks that are made from performances, all without a motion model."""
ATTACKED = 4
"""Step between the performances of an actor that attacks are made from; the next actor's are other
ones. Each attack takes as long to measure as a performance."""
NOISE_SIGMA = 2.0
"""Standard deviation of the camera noise, in grey levels."""
FPS = 25
"""Frame rate of the clips, in frames/s."""
NUM_FRAMES = 50
"""Number of frames in a clip."""
RECORD_VERSION = 3
"""Version of the records. Raise it if signals or the universal detector's measures change; clips
with records of other versions are filmed and measured again."""


@dataclass(frozen=True)
class MeasuredClip:
    """The measures of one clip."""

    identity: int
    """Seed of the actor."""
    shown: Action
    """The action that the actor performs."""
    kind: str
    """The kind of clip: `BONA_FIDE` or one of `ATTACKS`."""
    movement: dict[str, float]
    """The values of `Movement`; empty if there is a problem."""
    universal: dict[str, float]
    """The values of `universal.measure`; empty if there is a problem."""
    problem: str
    """The reason why nothing was measured; empty otherwise."""
    lively: bool = False
    """Whether the actor moves naturally beside the action."""
    beside: frozenset[Action] = frozenset()
    """The actions that the actor does as well, by the ground truth (`performance.done_beside`)."""

    def is_wrong(self, asked: Action) -> bool:
        """True if accepting the clip where `asked` is requested is an error."""
        return is_wrong(self.shown, asked) and asked not in self.beside


@dataclass(frozen=True)
class MeasureJob:
    """One performance of one actor to film and measure, with or without attacks made from it."""

    folder: Path
    identity: int
    shown: Action
    with_attacks: bool
    lively: bool = False

    @property
    def stem(self) -> str:
        return f"{self.identity}_{self.shown.value}{'_lively' * self.lively}"

    @property
    def film(self) -> FilmJob:
        """The job that films the performance.

        Its seed is the identity's, so that performances of different purposes differ too.
        """
        path = self.folder / "wide" / f"{self.stem}.mp4"
        seed = self.identity
        return FilmJob(self.identity, self.shown, seed, NUM_FRAMES, path, lively=self.lively)


def plan_clips(folder: Path, purpose: str, actors: int, *, with_attacks: bool) -> list[MeasureJob]:
    """A job for each performance (ten actions, talking) of a purpose's first `actors` people.

    `purpose` is a range of `SEED_RANGES`. All people of `thresholds` move naturally beside the
    action; of others every second one does, and the rest hold still as the actors of a dataset do.
    Raises `InputError` for a wrong number of actors.
    """
    seeds = SEED_RANGES[purpose]
    if not 1 <= actors <= len(seeds):
        raise InputError(f"{actors} actors; expected 1 to {len(seeds)} for {purpose}")
    return [
        MeasureJob(
            folder, identity, shown, with_attacks and (identity + order) % ATTACKED == 0,
            lively=purpose == "thresholds" or bool(identity % 2),
        )
        for identity in seeds[:actors]
        for order, shown in enumerate(Action)
    ]  # fmt: skip


def measure_clips(jobs: Sequence[MeasureJob]) -> list[MeasuredClip]:
    """The measured clips of all jobs, filmed and measured unless their records exist already."""
    found = run_jobs(measure_performance, jobs, describe="film and measure")
    return [clip for clips in found for clip in clips]


def measure_performance(job: MeasureJob) -> list[MeasuredClip]:
    """The measures of one performance and, if wanted, of the attacks made from it."""
    record = job.folder / "measures" / f"{job.stem}{'_attacks' * job.with_attacks}.json"
    if (known := _known(record)) is not None:
        return known
    clean, info = crop_clip(read_frames(film(job.film)), mtcnn())
    rng = np.random.default_rng([job.identity, list(Action).index(job.shown)])
    clips: dict[str, Frames] = {}
    rows = []
    if clean is None:
        rows.append({"problem": info.reason, "kind": BONA_FIDE})
    else:
        clips[BONA_FIDE] = clean
        if job.with_attacks:
            clips |= _attacks(clean, rng)
    for kind, frames in clips.items():
        noisy = add_camera_noise(frames, int(rng.integers(1 << 31)), NOISE_SIGMA)
        rows.append({"kind": kind, **measured(noisy)})
    who = {"identity": job.identity, "shown": job.shown.value, "lively": job.lively}
    write_json(record, {"version": RECORD_VERSION, "fps": FPS, "clips": [who | r for r in rows]})
    for path in (job.film.path, *truth_paths(job.film.path)):
        path.unlink(missing_ok=True)
    return [_clip(who | row, FPS) for row in rows]


def _attacks(clean: Frames, rng: np.random.Generator) -> dict[str, Frames]:
    """Each kind of attack, made from a cropped performance (n, 256, 256, 3)."""
    first, count = clean[0], len(clean)
    return {
        STILL: still(first, count),
        WARP: planar_warp(first, count, rng),
        LIDS: painted_lids(first, count, rng),
        PRINT: printed(first, count, rng, FPS),
        REPLAY: replayed(clean, rng, FPS),
    }


def measured(frames_rgb_u8: Frames) -> dict[str, Any]:
    """What both detectors measure of one clip (n, 256, 256, 3), as JSON values.

    `signals` are the values of `Signals` in each frame, None without a face; `universal` those of
    `universal.measure`; `problem` the reason why there is neither.
    """
    meshes = track(frames_rgb_u8)
    found = signals(meshes)
    if problem := seen_too_little(found):
        return {"problem": problem}
    tracks = {name: _rounded(values) for name, values in vars(found).items()}
    return {"signals": tracks, "universal": universal.measure(frames_rgb_u8, meshes)}


def _rounded(track: Floats) -> list[float | None]:
    return [round(value, 5) if np.isfinite(value) else None for value in track.tolist()]


def _known(record: Path) -> list[MeasuredClip] | None:
    """The clips of a record; None if there is none, or one of another version."""
    if not record.exists():
        return None
    found = read_json(record)
    if not isinstance(found, dict) or found.get("version") != RECORD_VERSION:
        return None
    return [_clip(row, found["fps"]) for row in found["clips"]]


def _clip(row: Mapping[str, Any], fps: float) -> MeasuredClip:
    moved: dict[str, float] = {}
    if tracks := row.get("signals"):
        found = Signals(**{k: np.array(v, np.float64) for k, v in tracks.items()})
        moved = movement(found, fps).values()
    shown, seed, act = Action(row["shown"]), row["identity"], _PERFORM[row["lively"]]
    return MeasuredClip(
        seed, shown, row["kind"], moved, row.get("universal", {}), row.get("problem", ""),
        row["lively"], done_beside(act(shown, seed, NUM_FRAMES, FPS)),
    )  # fmt: skip


_PERFORM = {False: perform, True: perform_lively}
"""The performance of a clip, by whether the actor is lively; its seed is the actor's."""
