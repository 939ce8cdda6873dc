"""Animation of files outside any dataset: a photo, a video or a folder of them, by one driver.

The driver is read as a stream, twice: for the box of its face, then for its keypoints, which are
kept in the cache. After that each output frame is made and written before the next. So a long
driver or a large folder takes no more memory than a small one.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from rich.progress import Progress, TaskID

from dfmnist.core.arrays import Frames
from dfmnist.core.batch import failure
from dfmnist.core.choices import Quality
from dfmnist.core.config import config_hash
from dfmnist.core.console import progress_bar, say
from dfmnist.core.errors import InputError, StorageError
from dfmnist.core.files import atomic_path, cache_dir, check_writable, sha256_file
from dfmnist.dataset.provenance import moved_as, provenance
from dfmnist.faces.crop import crop_clip, face_box_union, square_crop, squared
from dfmnist.faces.mesh import face_mesh
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.fomm.checkpoint import SHIPPED, weights_id
from dfmnist.fomm.inference.animate import Animator
from dfmnist.fomm.inference.best_frame import best_frame, landmarks_68
from dfmnist.media.folders import find_media, media_kind
from dfmnist.media.image import read_image
from dfmnist.media.opening import FrameTimes
from dfmnist.media.video import (
    frame_index_at,
    frame_times,
    frames_at,
    iter_frames,
    probe,
    read_comment,
    write_video,
)
from dfmnist.pipeline.animate import DrivingMotion, animator, load_motion, save_motion
from dfmnist.pipeline.config import AnimateConfig

VERSION = 2
"""Version of the cached driving-keypoint format; entries of other versions are recomputed."""


@dataclass(frozen=True)
class Animated:
    """One animated file."""

    path: Path
    num_frames: int
    fps: Fraction
    reference: int
    """Index of the driving frame from which the motion is measured."""


@dataclass(frozen=True, eq=False)
class _Driver:
    """A driving clip and its motion, found once for all sources."""

    path: Path
    sha256: str
    times: FrameTimes
    motion: DrivingMotion
    generator: str
    """Name and hash of the motion model."""


def animate_file(source: Path, driving: Path, out: Path, config: AnimateConfig) -> Animated:
    """Animate `source`, a photo or a frame of a video, as `driving` moves; write the MP4 `out`.

    The output has the driver's number of frames, each shown when the driver's is. Raises
    `InputError` for a file that cannot be read, is truncated or shows no face; then there is no
    output.
    """
    if os.path.isdir(out) or out.suffix.lower() != ".mp4":
        raise InputError.of(out, "is no name of an MP4", "a file to write that ends in .mp4")
    check_writable(out)
    _refuse_inputs([out], [source, driving])
    if media_kind(source) == "photo" and config.picks_frame:
        raise InputError.of(source, "is a photo", "a video for --source-frame or --source-time")
    probe(driving)  # an unusable driver or model is reported before any work
    _model(config)
    picture = _picture(source, config)
    with progress_bar() as bar:
        driver = _look_at(driving, config, bar)
        task = bar.add_task("animate", total=len(driver.motion.keypoints.value))
        label = _label(source, driver, config)
        return _write(source, picture, driver, out, config, label, (bar, task))


def animate_folder(
    folder: Path, driving: Path, out: Path, config: AnimateConfig
) -> tuple[list[Animated], list[str]]:
    """Animate each photo and video below `folder`: one MP4 each, with the same name, in `out`.

    Existing outputs of the same source and settings are kept, so a stopped run goes on. Returns
    the files made now, and a line for each source that could not be animated. Raises `InputError`
    for a driver that cannot be used, and for an existing output of other settings.
    """
    if os.path.isfile(out) or (out.suffix.lower() == ".mp4" and not os.path.isdir(out)):
        raise InputError.of(out, "is one file, the source is a folder", "a folder to write to")
    check_writable(out, folder=True)
    if _real(out).is_relative_to(_real(folder)):
        raise InputError.of(out, "lies in the folder of sources", "another folder")
    named = _outputs(folder, out)
    _refuse_inputs(named.values(), [*named, driving])
    probe(driving)
    _model(config)
    made, failed = [], []
    with progress_bar() as bar:
        driver = _look_at(driving, config, bar)
        count = len(driver.motion.keypoints.value)
        task = bar.add_task("animate", total=len(named) * count)
        for number, (source, target) in enumerate(named.items(), 1):
            try:
                label = _label(source, driver, config)
                if not _is_done(target, label):
                    picture, progress = _picture(source, config), (bar, task)
                    made.append(_write(source, picture, driver, target, config, label, progress))
            except _OtherOutputError:
                raise
            except Exception as error:
                failed.append(failure(error, source))
                say(f"  {failed[-1]}")
            bar.update(task, completed=number * count)
    return made, failed


def _model(config: AnimateConfig) -> Animator:
    """Load the motion model of `config`, once per process."""
    return animator(config.weights, config.backend, config.precision)


def _refuse_inputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    used = {_real(path) for path in inputs}
    for path in outputs:
        if _real(path) in used:
            raise InputError.of(path, "is an input", "another file to write to")


def _real(path: Path) -> Path:
    """`path` without links; `Path.resolve` raises for a link that leads to itself."""
    return Path(os.path.realpath(path))


def _outputs(folder: Path, out: Path) -> dict[Path, Path]:
    """Output of each source: its name with .mp4, after the old suffix where two would be equal."""
    held = find_media(folder)
    sources = [p for p, _ in held.required(folder, "photo or video", "sources to animate")]
    held.tell(str(folder))
    plain = [path.relative_to(folder).with_suffix(".mp4") for path in sources]
    count = Counter(str(name).casefold() for name in plain)
    return {
        path: out
        / (name if count[str(name).casefold()] == 1 else f"{path.relative_to(folder)}.mp4")
        for path, name in zip(sources, plain, strict=True)
    }


def _picture(path: Path, config: AnimateConfig) -> Frames:
    """Read the source (h, w, 3) to animate, cropped to its face if the config says so."""
    if media_kind(path) == "photo":
        picture = read_image(path)
    else:
        probe(path)  # a truncated video is refused, even if the frame is there
        index = config.source_frame or 0
        if config.source_time_s is not None:
            index = frame_index_at(path, config.source_time_s)
        picture = frames_at(path, [index])[0]
    if not config.crop:
        return np.asarray(picture)
    faces, info = crop_clip(picture[None], mtcnn(), _model(config).size)
    if faces is None:
        raise InputError.of(path, info.reason, "one face, or --no-crop for a picture of a face")
    return np.asarray(faces[0])


def _look_at(driving: Path, config: AnimateConfig, bar: Progress) -> _Driver:
    """Find the driver's motion, or read it from the cache."""
    times, sha256, generator = (
        frame_times(driving),
        sha256_file(driving),
        weights_id(config.weights),
    )
    count = len(times.ticks)
    made_with = {
        "version": VERSION,
        "driving": sha256,
        "weights": generator,
        "crop": config.crop,
        "face": config.face,
    }
    kept = cache_dir() / "motion" / f"{config_hash(made_with)}.safetensors"
    motion = _kept_motion(kept, count, _model(config).config.num_kp) if config.cache else None
    if motion is None:
        frames = _faces(driving, count, config, bar)
        frames = _counted(frames, "find the driver's keypoints", count, bar)
        with tempfile.TemporaryDirectory(prefix="dfmnist-motion-") as folder:
            made = Path(folder) / kept.name
            save_motion(made, frames, _model(config), landmarks=True)
            motion = load_motion(made)
            if not motion.is_finite:
                what = f"finds keypoints in {driving.name} that are no numbers"
                raise InputError.of(config.weights or SHIPPED, what, "a working motion model")
            if config.cache:
                _keep(made, kept)
    missing = int((~motion.shows_face).sum())
    if missing:
        shown = f"{driving}: {missing} of {len(motion.shows_face)} frames show no face"
        say(f"{shown}; the last pose is held there")
    return _Driver(driving, sha256, times, motion, generator)


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


def _faces(driving: Path, count: int, config: AnimateConfig, bar: Progress) -> Iterator[Frames]:
    """Yield the driver's frames, cropped to one box that holds the face in all of them."""
    if not config.crop:
        return iter_frames(driving)
    seen = _counted(iter_frames(driving), "find the driver's face", count, bar)
    box, reason = face_box_union(seen, mtcnn(), face=config.face)
    if box is None:
        raise InputError.of(driving, reason, "one face, or --no-crop for a clip of a face")
    square, size = squared(box), _model(config).size
    return (square_crop(frame[None], square, size)[0] for frame in iter_frames(driving))


def _counted(frames: Iterator[Frames], what: str, count: int, bar: Progress) -> Iterator[Frames]:
    task = bar.add_task(what, total=count)
    for frame in frames:
        yield frame
        bar.advance(task)


def _write(
    source: Path,
    picture: Frames,
    driver: _Driver,
    out: Path,
    config: AnimateConfig,
    label: str,
    progress: tuple[Progress, TaskID],
) -> Animated:
    model, (bar, task) = _model(config), progress
    motion = driver.motion
    reference = _best(source, picture, motion) if config.best_frame else 0

    def frames() -> Iterator[Frames]:
        encoded = model.encode(picture)
        for frame in model.stream(encoded, motion.held(), config.motion, reference):
            yield frame
            bar.advance(task)

    times, crf = driver.times, Quality.RAW.crf
    count = write_video(out, frames(), times.fps, crf=crf, comment=label, times=times)
    return Animated(out, count, times.fps, reference)


def _best(source: Path, picture: Frames, motion: DrivingMotion) -> int:
    assert motion.landmarks is not None
    mesh = face_mesh()(picture, with_eyes=False)
    if mesh is None:
        raise InputError.of(source, "no face found by the face mesh", "a face for --best-frame")
    return best_frame(landmarks_68(mesh), motion.landmarks)


def _label(source: Path, driver: _Driver, config: AnimateConfig) -> str:
    """Provenance label of an output; its last part is a hash of all that it was made from."""
    made_of = {
        "source": sha256_file(source),
        "frame": (config.source_frame, config.source_time_s)
        if media_kind(source) != "photo"
        else None,
        "driver": driver.sha256,
        "generator": driver.generator,
        "motion": config.motion,
        "best_frame": config.best_frame,
        "crop": config.crop,
        "face": config.face,
        "precision": _model(config).precision,
    }
    detail = moved_as(source.name, driver.path.name, "", driver.generator)
    return provenance("fake", f"{detail}, {config_hash(made_of)}")


class _OtherOutputError(InputError):
    """An output that lies there already and was made otherwise; it ends the run."""


def _is_done(target: Path, label: str) -> bool:
    """True if `target` exists with this label. Raises `InputError` if it has another label."""
    if not target.exists():
        return False
    if read_comment(target) != label:
        raise _OtherOutputError.of(
            target, "was made of another source, driver or setting", "a new folder to write to"
        )
    return True
