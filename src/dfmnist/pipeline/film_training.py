"""Footage to train the motion model on: pairs of actors who give the same mixed performance."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dfmnist.actors.film import FPS, film_clip, is_complete, truth_paths
from dfmnist.actors.film import FilmJob as Job
from dfmnist.actors.performance import RANDOM, Performance, perform, perform_random
from dfmnist.actors.seeds import check_range
from dfmnist.actors.variety import VARIETY_VERSION, training_identity
from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.core.files import holds_folder
from dfmnist.core.jobs import run_jobs
from dfmnist.fomm.training.actors_data import REST_FRAMES

GROUP = 2
"""Number of people with the same performance: each can drive the other, with a known result."""
CLIPS_EACH = 6
"""Number of clips of each person, each with another performance."""
TAKES: dict[Action, int] = {
    action: {
        Action.BLINK: 2, Action.OPEN_MOUTH: 3, Action.SURPRISE: 2, Action.SMILE: 3,
        Action.EMBARRASSMENT: 3, Action.TALK: 6, Action.YAW: 2, Action.LOOK_UP: 2,
    }.get(action, 1)
    for action in Action
}  # fmt: skip
"""Number of frames of each action: more where few pixels matter (lids, lips, pupils, teeth)."""
FREE_FRAMES = 8
"""Number of frames of free movement in a clip."""
STRIDE = 4
"""Every so many frames of free movement are kept, since neighbours are alike."""
CLIP_FRAMES = REST_FRAMES + sum(TAKES.values()) + FREE_FRAMES


def join(parts: list[Performance], seed: int) -> Performance:
    """Join performances one after the other into one with the given seed."""
    names = sorted({name for part in parts for name in part.facial})
    facial = {
        name: np.concatenate([p.facial.get(name, np.zeros(len(p))) for p in parts])
        for name in names
    }
    fields: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("yaw_deg", "pitch_deg", "roll_deg", "gaze_deg", "sway_m")
    }
    return Performance(facial=facial, action=RANDOM, seed=seed, fps=FPS, **fields)


def pick(performance: Performance, frames: list[int]) -> Performance:
    """Performance of the given frames of another one, in the order given."""
    p = performance
    facial = {name: track[frames] for name, track in p.facial.items()}
    return Performance(
        p.yaw_deg[frames], p.pitch_deg[frames], p.roll_deg[frames], facial,
        p.gaze_deg[frames], p.sway_m[frames], p.action, p.seed, p.fps,
    )  # fmt: skip


def strength(performance: Performance) -> np.ndarray:
    """Distance of each frame from the first (n,): head angles plus facial actions."""
    p = performance
    pose = np.stack([p.yaw_deg, p.pitch_deg, p.roll_deg])
    total = np.abs(pose - pose[:, :1]).sum(axis=0) / 25
    for track in p.facial.values():
        total = total + np.abs(track - track[0])
    return np.asarray(total)


def mixed_performance(seed: int) -> Performance:
    """Performance of `CLIP_FRAMES` frames: rest, moments of all actions, free movement.

    The motion model must show the actions from a face at rest, so it is trained on them. An action
    with several frames is shown once at its apex, and otherwise more often the further a frame is
    from rest. Free movement keeps the model from memorising the clips.
    """
    rng = np.random.default_rng([seed, 0xA11])
    takes = {action: perform(action, seed) for action in TAKES}
    parts = [pick(take, [0]) for take in list(takes.values())[:REST_FRAMES]]
    for action, count in TAKES.items():
        far = strength(takes[action])
        apex = [int(far.argmax())] if count > 1 else []
        others = rng.choice(len(far), count - len(apex), replace=False, p=far / far.sum())
        parts.append(pick(takes[action], [*apex, *(int(i) for i in others)]))
    free = perform_random(seed, FREE_FRAMES * STRIDE, far=True)
    parts.append(pick(free, list(range(0, FREE_FRAMES * STRIDE, STRIDE))))
    return join(parts, seed)


def training_performance(identity_seed: int, take: int) -> Performance:
    """Performance of a person in a take: the take's, in a half of the second people's with a smile.

    Whoever smiles in a photo keeps smiling while moved as a driver who does not. In such a take
    the second of `GROUP` people has a constant smile, with teeth or without, on top of all of the
    performance; driven by the first by relative motion, the result is therefore known.
    """
    performance = mixed_performance(take)
    if identity_seed % GROUP != 1 or take % 2 == 0:
        return performance
    rng = np.random.default_rng([take, 0x5411E])
    smile, teeth = rng.uniform(0.3, 0.9), rng.uniform(0.0, 1.0)
    added = {"mouthSmile": smile, "mouthUpperUp": 0.45 * teeth, "mouthLowerDown": 0.3 * teeth}
    held = {f"{name}{side}": v for name, v in added.items() for side in ("Left", "Right")}
    held["jawOpen"] = 0.12 * teeth
    facial = dict(performance.facial)
    for name, value in held.items():
        track = facial.get(name, np.zeros(len(performance)))
        facial[name] = np.clip(track + value, 0, 1)
    return replace(performance, facial=facial)


def film_person(jobs: list[Job]) -> list[Path]:
    """Film the missing training clips of one person; returns the paths of all."""
    for job in jobs:
        if not is_complete(job):
            person = training_identity(job.identity_seed)
            performance = training_performance(job.identity_seed, job.performance_seed)
            film_clip(person, performance, job.path, job.size, job.version)
    return [job.path for job in jobs]


@holds_folder("folder")
def film_training(folder: Path, people: int, first: int = 0, clips: int = CLIPS_EACH) -> None:
    """Film `people` actors with identity seeds from `first`; `GROUP` actors share a performance.

    Each gives `clips` clips of `CLIP_FRAMES` frames; existing clips are kept. Raises `InputError`
    for seeds that are reserved for another purpose, and for a folder that holds anything but such
    clips.
    """
    seeds = range(first, first + people)
    check_range("animator", seeds)
    check_footage(folder)
    jobs = []
    for seed in seeds:
        takes = range(seed // GROUP * clips, (seed // GROUP + 1) * clips)
        paths = [folder / f"{seed:05d}-{i}.mp4" for i in range(clips)]
        jobs.append([
            Job(seed, None, take, CLIP_FRAMES, path, version=VARIETY_VERSION)
            for take, path in zip(takes, paths, strict=True)
        ])  # fmt: skip
    for _ in run_jobs(film_person, jobs, describe="film for training"):
        pass


def check_footage(folder: Path) -> None:
    """Raise `InputError` if `folder` holds anything but clips of actors, so that it is kept.

    A folder that is empty or not there is fine.
    """
    expected = "an empty folder, or one that was filmed for a training; --recipe small trains on "
    expected += "clips of people"
    if folder.exists() and not folder.is_dir():
        raise InputError.of(folder, "is a file", expected)
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):  # left by a stopped run, or the system's
            continue
        clip = path.with_name(path.name.split(".")[0] + ".mp4")
        scalars, arrays = truth_paths(clip)
        if path not in (clip, scalars, arrays) or not (arrays.is_file() or scalars.is_file()):
            raise InputError.of(folder, f"holds {path.name}, which is no actor's clip", expected)
