"""Footage to train the animator on: pairs of actors who give the same mixed performance."""

from pathlib import Path

import numpy as np

from dfmnist.actors.film import FPS, film_clip, is_complete
from dfmnist.actors.film import FilmJob as Job
from dfmnist.actors.identity import sample_identity
from dfmnist.actors.performance import RANDOM, Performance, perform, perform_random
from dfmnist.actors.seeds import check_range
from dfmnist.core.actions import TEN
from dfmnist.core.engine import run_jobs

GROUP = 2
"""People who share a performance, so that one can be the other's driver with a known answer."""
FREE_FRAMES = 12
STRIDE = 4
"""Frames between two that are kept: neighbours teach little."""


def join(parts: list[Performance], seed: int) -> Performance:
    """Performances one after the other, as one of the given seed."""
    names = sorted({name for part in parts for name in part.facial})
    facial = {
        name: np.concatenate([p.facial.get(name, np.zeros(len(p))) for p in parts])
        for name in names
    }
    fields = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("yaw_deg", "pitch_deg", "roll_deg", "gaze_deg", "sway_m")
    }
    return Performance(facial=facial, action=RANDOM, seed=seed, fps=FPS, **fields)


def pick(performance: Performance, frames: list[int]) -> Performance:
    """Some frames of a performance, in the order given."""
    p = performance
    facial = {name: track[frames] for name, track in p.facial.items()}
    return Performance(
        p.yaw_deg[frames], p.pitch_deg[frames], p.roll_deg[frames], facial,
        p.gaze_deg[frames], p.sway_m[frames], p.action, p.seed, p.fps,
    )  # fmt: skip


def strength(performance: Performance) -> np.ndarray:
    """(n,) how far each frame is from the first: degrees plus actions."""
    p = performance
    pose = np.stack([p.yaw_deg, p.pitch_deg, p.roll_deg])
    total = np.abs(pose - pose[:, :1]).sum(axis=0) / 25
    for track in p.facial.values():
        total = total + np.abs(track - track[0])
    return np.asarray(total)


def mixed_performance(seed: int) -> Performance:
    """24 frames: two at rest, the ten actions once each (half at their apex), 12 of free movement.

    An animator is asked for the ten actions from a face at rest, so it sees them; free movement
    keeps it from learning ten clips by heart.
    """
    rng = np.random.default_rng([seed, 0xA11])
    takes = [perform(action, seed) for action in TEN]
    parts = [pick(takes[0], [0]), pick(takes[1], [0])]
    for take in takes:
        apex = int(strength(take).argmax())
        parts.append(pick(take, [apex if rng.random() < 0.5 else int(rng.integers(5, len(take)))]))
    free = perform_random(seed, FREE_FRAMES * STRIDE)
    parts.append(pick(free, list(range(0, FREE_FRAMES * STRIDE, STRIDE))))
    return join(parts, seed)


def film_one(job: Job) -> Path:
    """Film one training clip unless it is there."""
    if is_complete(job):
        return job.path
    return film_clip(sample_identity(job.identity_seed), mixed_performance(job.performance_seed),
                     job.path, job.size)  # fmt: skip


def film_training(folder: Path, people: int, first: int = 0, workers: int | None = None) -> None:
    """Film `people` actors with identity seeds from `first`, `GROUP` to a performance.

    Clips that are there already are kept. Raises `InputError` for seeds of another purpose.
    """
    seeds = range(first, first + people)
    check_range("animator", seeds)
    jobs = []
    for seed in seeds:
        performance = seed // GROUP
        frames = len(TEN) + 2 + FREE_FRAMES
        jobs.append(Job(seed, None, performance, frames, folder / f"{seed:05d}.mp4"))
    for _ in run_jobs(film_one, jobs, workers=workers, describe="film for training"):
        pass
