"""Clips of actors as files: a wide MP4 with its ground truth in two files beside it.

The truth of `NAME.mp4` is in `NAME.json` and `NAME.truth.npz`. The JSON is written last, so that
its existence means the clip is complete. It holds identity_seed, performance_seed, action, fps,
num_frames, size, pose {yaw_deg, pitch_deg, roll_deg} of the head (the person's resting pose
included), facial (ARKit name to a value per frame), gaze_deg, landmarks2d (name to [x, y] px per
frame), head_box_xyxy per frame. The npz holds, in the order of `point_names`: points (n, p, 2) px,
jacobians (n, p, 2, 2) px per cm of the shared head's surface (columns: level, up), depths (n, p) m,
boxes (n, 4), pose_deg (n, 3), facial (n, 52), gaze_deg (n, 2).
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfmnist.actors.head import need_actors
from dfmnist.actors.identity import Identity, sample_identity
from dfmnist.actors.performance import Performance, perform, perform_lively, perform_random
from dfmnist.core.actions import Action
from dfmnist.core.arrays import RgbImage
from dfmnist.core.files import atomic_path, read_json, write_json
from dfmnist.media.video import write_video

CRF = 10
"""Constant rate factor of the intermediate, which is encoded again: it must lose very little."""
FPS = 25
"""Frame rate of all films."""
WIDE = 384
"""Side of the wide frames in pixels."""
FILM_VERSION = 4
"""Version of the films' look; clips of other versions are filmed again."""


@dataclass(frozen=True)
class FilmJob:
    """One clip to film."""

    identity_seed: int
    action: Action | str | None
    """Action of the performance; None is free movement, to train the motion model on."""
    performance_seed: int
    num_frames: int
    path: Path
    """Path of the MP4."""
    size: int = WIDE
    """Side of the frames in pixels."""
    lively: bool = False
    """Whether the person moves naturally beside the action (`performance.perform_lively`)."""
    version: int = FILM_VERSION
    """Version of the look of these people."""


def truth_paths(path: Path) -> tuple[Path, Path]:
    """Paths of the JSON and the npz with the truth of the clip at `path`."""
    return path.with_suffix(".json"), path.with_suffix(".truth.npz")


def film(job: FilmJob) -> Path:
    """Film one clip unless it exists; returns its path. A function for `core.jobs.run_jobs`."""
    if is_complete(job):
        return job.path
    if job.action is None:
        performance = perform_random(job.performance_seed, job.num_frames, FPS)
    else:
        does = perform_lively if job.lively else perform
        performance = does(job.action, job.performance_seed, job.num_frames, FPS)
    return film_clip(sample_identity(job.identity_seed), performance, job.path, job.size)


def is_complete(job: FilmJob) -> bool:
    """Whether the clip of this job exists at its path, with its truth."""
    scalars, arrays = truth_paths(job.path)
    if not (scalars.is_file() and arrays.is_file() and job.path.is_file()):
        return False
    known = read_json(scalars)
    action = "random" if job.action is None else Action(job.action).value
    wanted = (job.version, job.identity_seed, action, job.performance_seed, job.num_frames,
              job.size)  # fmt: skip
    keys = ("film_version", "identity_seed", "action", "performance_seed", "num_frames", "size")
    same = tuple(known.get(k) for k in keys) == wanted
    return same and known.get("lively", False) == job.lively


def film_clip(
    identity: Identity,
    performance: Performance,
    path: Path,
    size: int = WIDE,
    version: int = FILM_VERSION,
) -> Path:
    """Render all frames and write the MP4 and its truth; equal input gives equal bytes.

    `version` is recorded as that of the look of `identity`.
    """
    recorder = _Recorder()
    scalars, arrays = truth_paths(path)
    scalars.unlink(missing_ok=True)
    renderer = _renderer(size)
    frames = recorder.watch(renderer, identity, performance)
    write_video(path, frames, Fraction(performance.fps), crf=CRF)
    truth = recorder.arrays(performance, renderer.stage(identity).model.facial_names)
    with atomic_path(arrays) as temporary, temporary.open("wb") as file:
        np.savez(file, **truth)  # type: ignore[arg-type]
    write_json(scalars, _scalars(identity, performance, size, version, truth))
    return path


@functools.lru_cache(maxsize=2)
def _renderer(size: int) -> Any:
    """The renderer of this process for a size; consecutive jobs of one person share its stage."""
    need_actors()
    from dfmnist.actors.render import Renderer

    return Renderer(size)


class _Recorder:
    """Recorder of the truth of every frame while it is rendered."""

    def __init__(self) -> None:
        self._rows: list[tuple[NDArray[np.float32], ...]] = []
        self._pose: list[tuple[float, float, float]] = []

    def watch(
        self, renderer: Any, identity: Identity, performance: Performance
    ) -> Iterator[RgbImage]:
        from dfmnist.actors.truth import locate

        stage = renderer.stage(identity)
        for frame in renderer.frames(identity, performance):
            self._rows.append(locate(stage.view, stage.body, frame.posed))
            self._pose.append(frame.rotation_deg)
            yield frame.image

    def arrays(
        self, performance: Performance, facial_names: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        from dfmnist.actors.truth import point_names

        n = len(performance)
        facial = np.zeros((n, len(facial_names)), np.float32)
        for name, track in performance.facial.items():
            facial[:, facial_names.index(name)] = track
        points, jacobians, depths, boxes = (np.stack(a) for a in zip(*self._rows, strict=True))
        return {
            "point_names": np.array(point_names()),
            "points": points,
            "jacobians": jacobians,
            "depths": depths,
            "boxes": boxes,
            "pose_deg": np.array(self._pose, np.float32),
            "facial_names": np.array(facial_names),
            "facial": facial,
            "gaze_deg": performance.gaze_deg.astype(np.float32),
        }


def _scalars(
    identity: Identity,
    performance: Performance,
    size: int,
    version: int,
    truth: dict[str, NDArray[Any]],
) -> dict[str, Any]:
    def short(values: NDArray[Any], digits: int) -> Any:
        return np.round(values.astype(np.float64), digits).tolist()

    pose = truth["pose_deg"]
    return {
        "film_version": version,
        "identity_seed": identity.seed,
        "performance_seed": performance.seed,
        "action": performance.action,
        "lively": performance.lively,
        "fps": performance.fps,
        "num_frames": len(performance),
        "size": size,
        "pose": {
            name: short(pose[:, i], 3)
            for i, name in enumerate(("yaw_deg", "pitch_deg", "roll_deg"))
        },
        "facial": {name: short(track, 4) for name, track in performance.facial.items()},
        "gaze_deg": short(truth["gaze_deg"], 2),
        "landmarks2d": {
            str(name): short(truth["points"][:, i], 2)
            for i, name in enumerate(truth["point_names"])
        },
        "head_box_xyxy": short(truth["boxes"], 2),
    }
