"""Footage to train the animator on: pairs of actors who give the same mixed performance."""

from pathlib import Path

import numpy as np

from dfmnist.actors.film import FPS, film_clip, is_complete
from dfmnist.actors.film import FilmJob as Job
from dfmnist.actors.identity import sample_identity
from dfmnist.actors.performance import RANDOM, Performance, perform, perform_random
from dfmnist.actors.seeds import check_range
from dfmnist.core.actions import Action
from dfmnist.core.engine import run_jobs
from dfmnist.fomm.data import REST_FRAMES

GROUP = 2
"""People who share a performance, so that one can be the other's driver with a known answer."""
TAKES: dict[Action, int] = {
    action: {Action.BLINK: 4, Action.OPEN_MOUTH: 4, Action.SMILE: 9}.get(action, 2)
    for action in Action
}
"""Frames of each performance: more where lids and lips decide, which a few pixels show. A smile
moves the corners of the mouth by three pixels, and is learnt last."""
FREE_FRAMES = 8
STRIDE = 4
"""Frames between two that are kept: neighbours teach little."""
CLIP_FRAMES = REST_FRAMES + sum(TAKES.values()) + FREE_FRAMES


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
    """`CLIP_FRAMES` frames: two at rest, moments of the ten actions and of talking, free movement.

    An animator is asked for the actions from a face at rest, so it sees them, each once at its
    apex and then the more often the further it is from rest; free movement keeps it from learning
    clips by heart.
    """
    rng = np.random.default_rng([seed, 0xA11])
    takes = {action: perform(action, seed) for action in TAKES}
    parts = [pick(take, [0]) for take in list(takes.values())[:REST_FRAMES]]
    for action, count in TAKES.items():
        far = strength(takes[action])
        others = rng.choice(len(far), count - 1, replace=False, p=far / far.sum())
        parts.append(pick(takes[action], [int(far.argmax()), *(int(i) for i in others)]))
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
        jobs.append(Job(seed, None, performance, CLIP_FRAMES, folder / f"{seed:05d}.mp4"))
    for _ in run_jobs(film_one, jobs, workers=workers, describe="film for training"):
        pass
