"""The driving clip of an animation outside any dataset, looked at once for all sources.

It is read as a stream, twice: for the box of its face, then for its keypoints, which are kept in
the cache. So a long driver takes no more memory than a short one.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from rich.progress import Progress

from dfmnist.core.arrays import Frames
from dfmnist.core.config import config_hash
from dfmnist.core.console import say
from dfmnist.core.errors import InputError, StorageError
from dfmnist.core.files import atomic_path, cache_dir, sha256_file
from dfmnist.faces.crop import face_box_union, square_crop, squared
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.fomm.checkpoint import SHIPPED, weights_id
from dfmnist.fomm.guide import NO_MESH
from dfmnist.fomm.inference.animate import Animator
from dfmnist.media.opening import FrameTimes
from dfmnist.media.sound import Sound, has_sound
from dfmnist.media.video import frame_times, iter_frames, iter_frames_at, probe
from dfmnist.pipeline.animate import DrivingMotion, animator, load_motion, save_motion
from dfmnist.pipeline.config import AnimateConfig

VERSION = 3
"""Version of the cached driving-keypoint format; entries of other versions are recomputed."""
LATE_S = 0.05
"""Time in seconds by which a wanted end may exceed that of the driver: ends are often rounded."""


@dataclass(frozen=True, eq=False)
class Driver:
    """A driving clip, or a stretch of one, and its motion."""

    path: Path
    sha256: str
    times: FrameTimes
    """Times of all frames of the file."""
    indices: range
    """Frames of the stretch."""
    motion: DrivingMotion
    generator: str
    """Name and hash of the motion model."""

    def sound(self, count: int) -> Sound:
        """The sound of the first `count` frames of the stretch."""
        times = self.times.part(self.indices[:count])
        start_s = times.ticks[0] * times.time_base
        return Sound(self.path, start_s, Fraction(count) / times.fps)


def motion_model(config: AnimateConfig) -> Animator:
    """Load the motion model of `config`, once per process."""
    return animator(config.weights, config.backend, config.precision)


def check_driver(driving: Path, config: AnimateConfig) -> FrameTimes:
    """Times of the frames that are used of a driver.

    Raises `InputError` for a driver, or a model, that cannot be used; before any work.
    """
    probe(driving)
    times = frame_times(driving)
    times = times.part(_stretch(driving, times, config))
    if config.sound and not has_sound(driving):
        raise InputError.of(driving, "has no sound", "a driver with sound, or no --sound")
    motion_model(config)
    return times


def _stretch(driving: Path, times: FrameTimes, config: AnimateConfig) -> range:
    """Indices of the frames from `--start` to `--end`. Raises `InputError` beyond the clip."""
    for name, value, most in (
        ("--start", config.start_s, times.duration_s),
        ("--end", config.end_s or 0.0, times.duration_s + LATE_S),
    ):
        if value >= most and value:
            within = f"less than its length, {times.duration_s:.2f} s"
            raise InputError.of(driving, f"{name} {value:g} lies behind its end", within)
    return times.between(config.start_s, config.end_s)


def look_at(driving: Path, config: AnimateConfig, bar: Progress) -> Driver:
    """Find the driver's motion, or read it from the cache. Raises `InputError`."""
    times, sha256, generator = (
        frame_times(driving),
        sha256_file(driving),
        weights_id(config.weights),
    )
    indices = _stretch(driving, times, config)
    count = len(indices)
    made_with: dict[str, object] = {
        "version": VERSION,
        "driving": sha256,
        "weights": generator,
        "crop": config.crop,
        "face": config.face,
    }
    if count < len(times.ticks):
        made_with["frames"] = (indices.start, indices.stop)
    kept = cache_dir() / "motion" / f"{config_hash(made_with)}.safetensors"
    num_kp = motion_model(config).config.num_kp
    motion = _kept_motion(kept, count, num_kp) if config.cache else None
    if motion is None:
        frames = _faces(driving, times, indices, config, bar)
        frames = counted(frames, "find the driver's keypoints", count, bar)
        with tempfile.TemporaryDirectory(prefix="dfmnist-motion-") as folder:
            made = Path(folder) / kept.name
            save_motion(made, frames, motion_model(config), faces=True)
            motion = load_motion(made)
            if not motion.is_finite:
                what = f"finds keypoints in {driving.name} that are no numbers"
                raise InputError.of(config.weights or SHIPPED, what, "a working motion model")
            if config.cache:
                _keep(made, kept)
    if config.motion == "guided" and (motion.faces is None or not motion.faces.seen.any()):
        raise InputError.of(driving, NO_MESH, "a face for --motion guided")
    missing = int((~motion.shows_face).sum())
    if missing:
        shown = f"{driving}: {missing} of {len(motion.shows_face)} frames show no face"
        say(f"{shown}; the last pose is held there")
    return Driver(driving, sha256, times, indices, motion, generator)


def _kept_motion(path: Path, count: int, num_kp: int) -> DrivingMotion | None:
    """The motion of `count` frames in the cache; None if there is none, or it is damaged."""
    if not os.path.isfile(path):
        return None
    try:
        motion = load_motion(path)
        if motion.keypoints.value.shape != (count, num_kp, 2):
            raise InputError.of(path, "is of another clip or model", f"{count} frames")
        if not motion.is_finite:
            raise InputError.of(path, "holds NaN or infinite values", "keypoints")
        return motion
    except Exception as error:
        say(f"  {path} is damaged ({type(error).__name__}); the keypoints are found anew")
        return None


def _keep(made: Path, path: Path) -> None:
    """Copy a motion file into the cache, or say that the cache cannot be written to."""
    try:
        with atomic_path(path) as temporary:
            shutil.copyfile(made, temporary)
    except StorageError as error:
        say(f"  {error}; the driver's keypoints are not kept for the next time")


def _faces(
    driving: Path, times: FrameTimes, indices: range, config: AnimateConfig, bar: Progress
) -> Iterator[Frames]:
    """Yield the driver's frames, cropped to one box that holds the face in all of them."""

    def read() -> Iterator[Frames]:
        if len(indices) == len(times.ticks):
            return iter_frames(driving)
        return iter_frames_at(driving, indices, times=times)

    if not config.crop:
        return read()
    seen = counted(read(), "find the driver's face", len(indices), bar)
    box, reason = face_box_union(seen, mtcnn(), face=config.face)
    if box is None:
        raise InputError.of(driving, reason, "one face, or --no-crop for a clip of a face")
    square, size = squared(box), motion_model(config).size
    return (square_crop(frame[None], square, size)[0] for frame in read())


def counted(frames: Iterator[Frames], what: str, count: int, bar: Progress) -> Iterator[Frames]:
    """Yield the same frames and show how many have passed."""
    task = bar.add_task(what, total=count)
    for frame in frames:
        yield frame
        bar.advance(task)
