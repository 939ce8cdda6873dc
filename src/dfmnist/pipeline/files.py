"""Animation of files outside any dataset: a photo, a video or a folder of them, by one driver.

Each output frame is made and written before the next. So a long driver or a large folder takes no
more memory than a small one.
"""

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat, tee
from pathlib import Path

from rich.progress import Progress, TaskID

from dfmnist.core.arrays import Frames
from dfmnist.core.batch import failure
from dfmnist.core.choices import Quality
from dfmnist.core.config import config_hash
from dfmnist.core.console import progress_bar, say
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_folder, check_writable, refuse_taken, sha256_file
from dfmnist.dataset.provenance import moved_as, provenance
from dfmnist.faces.mesh import face_mesh
from dfmnist.faces.paste import PasteBack
from dfmnist.fomm.guide import NO_MESH
from dfmnist.fomm.inference.animate import as_frames
from dfmnist.fomm.inference.best_frame import best_frame, landmarks_68
from dfmnist.media.folders import find_media, media_kind
from dfmnist.media.image import write_image
from dfmnist.media.video import read_comment, write_video
from dfmnist.pipeline.animate import DrivingMotion
from dfmnist.pipeline.config import AnimateConfig
from dfmnist.pipeline.driver import Driver, check_driver, look_at, motion_model
from dfmnist.pipeline.sources import Source, check_source, read_source


@dataclass(frozen=True)
class Animated:
    """One animated file."""

    path: Path
    num_frames: int
    fps: Fraction
    reference: int
    """Index of the driving frame from which the motion is measured."""
    frames: Path | None = None
    """Folder of the frames as PNG, 000000.png and so on; None if none were asked for."""


def animate_file(source: Path, driving: Path, out: Path, config: AnimateConfig) -> Animated:
    """Animate `source`, a photo or a video, as `driving` moves; write the MP4 `out`.

    The output has a frame for each of the driver's, or of its stretch, shown when the driver's is;
    with `config.frame_by_frame` it ends when the source does. Raises `InputError` for a file that
    cannot be read, is truncated or shows no face; then there is no output.
    """
    if os.path.isdir(out) or out.suffix.lower() != ".mp4":
        raise InputError.of(out, "is no name of an MP4", "a file to write that ends in .mp4")
    check_writable(out)
    _refuse_inputs([out], [source, driving])
    if config.frames is not None:
        check_writable(config.frames, folder=True)
        refuse_taken(config.frames)
        if _real(config.frames) == _real(out):
            raise InputError.of(out, "is also the folder of --frames", "another folder")
    check_source(source, config)
    times = check_driver(driving, config)
    found = read_source(source, motion_model(config).size, times, config)
    with progress_bar() as bar:
        driver = look_at(driving, config, bar)
        task = bar.add_task("animate", total=len(found.indices or driver.indices))
        label = _label(source, driver, config)
        return _write(found, driver, out, config.frames, config, label, (bar, task))


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
    if config.frames is not None and _real(config.frames).is_relative_to(_real(folder)):
        raise InputError.of(config.frames, "lies in the folder of sources", "another folder")
    times = check_driver(driving, config)
    made, failed = [], []
    with progress_bar() as bar:
        driver = look_at(driving, config, bar)
        count = len(driver.indices)
        task = bar.add_task("animate", total=len(named) * count)
        for number, (source, target) in enumerate(named.items(), 1):
            try:
                label = _label(source, driver, config)
                frames = config.frames / target.relative_to(out) if config.frames else None
                frames = frames and frames.with_suffix("")
                if not _is_done(target, label) or (frames and not frames.is_dir()):
                    found = read_source(source, motion_model(config).size, times, config)
                    progress = (bar, task)
                    made.append(_write(found, driver, target, frames, config, label, progress))
            except _OtherOutputError:
                raise
            except Exception as error:
                failed.append(failure(error, source))
                say(f"  {failed[-1]}")
            bar.update(task, completed=number * count)
    return made, failed


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


def _write(
    source: Source,
    driver: Driver,
    out: Path,
    frames: Path | None,
    config: AnimateConfig,
    label: str,
    progress: tuple[Progress, TaskID],
) -> Animated:
    bar, task = progress
    reference = _best(source, driver.motion) if config.best_frame else 0
    count = len(driver.indices if source.indices is None else source.indices)
    times = driver.times.part(driver.indices[:count])
    with contextlib.ExitStack() as stack:
        made = _counted(_animated(source, driver, config, reference), bar, task)
        if frames is not None:
            made = _kept(made, stack.enter_context(atomic_folder(frames)), label)
        if config.paste_back:
            made = (frame[: len(frame) // 2 * 2, : frame.shape[1] // 2 * 2] for frame in made)
        sound = driver.sound(count) if config.sound else None
        crf = Quality.RAW.crf
        written = write_video(
            out, made, times.fps, crf=crf, comment=label, times=times, sound=sound
        )
    return Animated(out, written, times.fps, driver.indices.start + reference, frames)


def _animated(
    source: Source, driver: Driver, config: AnimateConfig, reference: int
) -> Iterator[Frames]:
    """The animated frames, one at a time: crops of the face, or full pictures to paste back."""
    model, motion = motion_model(config), driver.motion.held()
    first = model.encode(source.face)
    if config.motion == "guided" and not first.face.seen[0]:
        raise InputError.of(source.path, NO_MESH, "a face for --motion guided")
    used = model.motion_for(config.motion, first, motion.faces, reference)
    if used == "relative" and model.may_guide(config.motion):
        unseen = source.path if not first.face.seen[0] else driver.path
        say(f"{unseen}: {NO_MESH}; the motion is relative, without guiding")
    paste = None
    if config.paste_back:
        assert source.box_xyxy is not None
        paste = PasteBack(source.box_xyxy, source.picture.shape[1::-1])
        seen = as_frames(source.face, "source", 1, model.size)[0]
        paste.correct(seen, model.unmoved(first, guided=used == "guided"))
    if source.indices is None:
        made = model.stream(first, motion.keypoints, used, reference, motion.faces)
        under: Iterator[Frames] = repeat(source.picture)
    else:
        pictures = source.pictures()
        if paste:
            pictures, under = tee(pictures)  # one picture apart
        made = model.follow(
            map(source.crop, pictures), motion.keypoints, used, reference, motion.faces
        )
    for frame in made:
        yield paste(next(under), frame) if paste else frame


def _counted(frames: Iterator[Frames], bar: Progress, task: TaskID) -> Iterator[Frames]:
    for frame in frames:
        yield frame
        bar.advance(task)


def _kept(frames: Iterator[Frames], folder: Path, label: str) -> Iterator[Frames]:
    """Yield the same frames, and write each into `folder` as a PNG with the label."""
    for index, frame in enumerate(frames):
        write_image(folder / f"{index:06d}.png", frame, label)
        yield frame


def _best(source: Source, motion: DrivingMotion) -> int:
    mesh = face_mesh()(source.face, with_eyes=False)
    if mesh is None:
        raise InputError.of(source.path, NO_MESH, "a face for --best-frame")
    return best_frame(landmarks_68(mesh), motion.landmarks)


def _label(source: Path, driver: Driver, config: AnimateConfig) -> str:
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
        "precision": motion_model(config).precision,
    } | _asked(driver, config)
    detail = moved_as(source.name, driver.path.name, "", driver.generator)
    return provenance("fake", f"{detail}, {config_hash(made_of)}")


def _asked(driver: Driver, config: AnimateConfig) -> dict[str, object]:
    """Settings of an output that say something only where they are asked for."""
    asked: dict[str, object] = {
        "source_face": config.source_face,
        "frame_by_frame": config.frame_by_frame,
        "paste_back": config.paste_back,
        "sound": config.sound,
    }
    if len(driver.indices) < len(driver.times.ticks):
        asked["stretch"] = (driver.indices.start, driver.indices.stop)
    return {name: value for name, value in asked.items() if value}


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
