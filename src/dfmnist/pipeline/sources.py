"""The source of an animation outside any dataset: a photo, a frame of a video, or all of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dfmnist.core.arrays import Floats32, Frames, RgbImage
from dfmnist.core.errors import InputError
from dfmnist.faces.crop import face_box_union, square_crop, squared
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.media.folders import media_kind
from dfmnist.media.image import read_image
from dfmnist.media.opening import MAX_PIXELS, FrameTimes
from dfmnist.media.video import frame_index_at, frame_times, frames_at, iter_frames_at, probe
from dfmnist.pipeline.config import AnimateConfig

MAX_SIDE_PX = 16_384
"""Longest side of a video in pixels that the encoder takes."""


@dataclass(frozen=True, eq=False)
class Source:
    """A source whose face has been found."""

    path: Path
    picture: RgbImage
    """The picture (h, w, 3) that is animated; of a moving source, its first one."""
    box_xyxy: Floats32 | None
    """Square crop (4,) of the face in pixels of the picture; None if all of it is taken."""
    size: int
    """Side of the motion model's pictures in pixels."""
    indices: tuple[int, ...] | None
    """Frames of a moving source, one for each frame of the driver; None for a picture."""

    @property
    def face(self) -> RgbImage:
        """The crop (size, size, 3) of the picture, or all of it where nothing is cropped."""
        return self.crop(self.picture)

    def crop(self, picture_rgb_u8: RgbImage) -> RgbImage:
        """The face's square of a picture (h, w, 3)."""
        if self.box_xyxy is None:
            return picture_rgb_u8
        return np.asarray(square_crop(picture_rgb_u8[None], self.box_xyxy, self.size)[0])

    def pictures(self) -> Iterator[RgbImage]:
        """The frames (h, w, 3) of a moving source, one at a time."""
        assert self.indices is not None
        return iter_frames_at(self.path, self.indices, times=frame_times(self.path))


def check_source(path: Path, config: AnimateConfig) -> None:
    """Raise `InputError` for a photo where the settings need a video."""
    if media_kind(path) != "photo":
        return
    if config.picks_frame:
        raise InputError.of(path, "is a photo", "a video for --source-frame or --source-time")
    if config.frame_by_frame:
        raise InputError.of(path, "is a photo", "a video for --frame-by-frame")


def read_source(path: Path, size: int, driver: FrameTimes, config: AnimateConfig) -> Source:
    """Read a source and find its face. `driver` are the times of the driving frames.

    A moving source keeps its speed: each driving frame meets the source frame that is shown at
    its time, until the shorter one ends. Raises `InputError`.
    """
    check_source(path, config)
    if config.frame_by_frame:
        return _moving(path, size, driver, config)
    picture = _picture(path, config)
    box = _square(path, iter(picture[None]), config)
    return Source(path, _bounded(path, picture, config), box, size, None)


def _moving(path: Path, size: int, driver: FrameTimes, config: AnimateConfig) -> Source:
    probe(path)
    times = frame_times(path)
    moments_s = [float((tick - driver.ticks[0]) * driver.time_base) for tick in driver.ticks]
    shown = [moment for moment in moments_s if moment < times.duration_s]
    indices = tuple(int(index) for index in times.index_at(shown))
    box = _square(path, iter_frames_at(path, sorted(set(indices)), times=times), config)
    first = _bounded(path, frames_at(path, indices[:1], times=times)[0], config)
    return Source(path, first, box, size, indices)


def _picture(path: Path, config: AnimateConfig) -> RgbImage:
    """The photo, or the chosen frame of a video (h, w, 3)."""
    if media_kind(path) == "photo":
        return read_image(path)
    probe(path)  # a truncated video is refused, even if the frame is there
    index = config.source_frame or 0
    if config.source_time_s is not None:
        index = frame_index_at(path, config.source_time_s)
    return np.asarray(frames_at(path, [index])[0])


def _square(path: Path, frames: Iterator[Frames], config: AnimateConfig) -> Floats32 | None:
    """The square around the face in all frames (h, w, 3); None where nothing is cropped."""
    if not config.crop:
        return None
    try:
        box, reason = face_box_union(frames, mtcnn(), face=config.source_face)
    except InputError as error:
        if config.source_face is None:
            raise
        raise InputError(f"{path}: {error}".replace("--face", "--source-face")) from None
    if box is None:
        raise InputError.of(path, reason, "one face, or --no-crop for a picture of a face")
    return squared(box)


def _bounded(path: Path, picture: RgbImage, config: AnimateConfig) -> RgbImage:
    """The picture. Raises `InputError` if it is too large for a video."""
    height, width = picture.shape[:2]
    large = width * height > MAX_PIXELS or max(width, height) > MAX_SIDE_PX
    if config.paste_back and large:
        most = f"at most {MAX_PIXELS} and {MAX_SIDE_PX} a side, for --paste-back"
        raise InputError.of(path, f"has {width}x{height} pixels", most)
    return picture
