"""Watching a photo or a video: every face in it, followed and cut out, a stretch at a time.

A video of any length is read in bounded memory: frames are looked at a few times a second, at most
`MAX_LOOKS` in all, and a stretch of them is held at a time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dfmnist.core.arrays import Floats32, Frames, RgbImage
from dfmnist.core.errors import InputError
from dfmnist.faces.crop import MARGIN, square_crop, squared
from dfmnist.faces.follow import Crowd, FaceTrack
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.media.image import read_image
from dfmnist.media.sample import each_rgb, evenly
from dfmnist.media.video import FrameTimes, frame_times, looks_at

PER_SECOND = 2.0
"""Number of frames a second that are looked at."""
MAX_LOOKS = 600
"""Largest number of frames of one video that are looked at, unless more are asked for."""
STRETCH_LOOKS = 16
"""Largest number of looks in a stretch."""
STRETCH_BYTES = 256 << 20
"""Largest size of the frames of a stretch that are held at a time; one frame may be larger."""
STRETCH_FACES = 1024
"""Number of faces from which on a stretch ends, all its looks counted together: 200 MB of crops."""
LOOSE = 1.5
"""Largest side of the box around a face's places in a stretch, in sides of the face, for one square
that holds them all; a face that moves further is followed by its square, so that it fills it as a
face fills a dataset's crop."""
CROP_PX = 256
"""Side in pixels of the face crops, the same as in the dataset that detectors are trained on."""


@dataclass(frozen=True)
class FaceStretch:
    """One face in a stretch of a video, or in a photo."""

    person: int
    """Number of the person, from 0 in the order of appearance."""
    frames: tuple[int, ...]
    """Indices of the video's frames."""
    boxes_xyxy: Floats32
    """The face's boxes (n, 4) in pixels of these frames."""
    squares_xyxy: Floats32
    """The squares (n, 4) that were cut out."""
    crops_rgb_u8: Frames
    """The face cut out of them (n, 256, 256, 3), or (n, 256, 256, 6) with each next frame."""


@dataclass(frozen=True)
class Film:
    """The facts of what is watched, and the frames to look at."""

    path: Path
    times: FrameTimes | None
    """None for a photo."""
    indices: NDArray[np.int64]
    """Indices (n,) of the frames that are looked at."""

    def time_s(self, frame: int) -> float:
        """Seconds from the first frame to the frame with this index."""
        if self.times is None:
            return 0.0
        ticks = self.times.ticks
        return float((ticks[frame] - ticks[0]) * self.times.time_base)


def film(path: Path, *, least: int, looks: int | None = None) -> Film:
    """The video `path` and its frames to look at, evenly spaced.

    There are `PER_SECOND` a second, at least `least` and at most `MAX_LOOKS`; `looks` asks for
    another number. Raises `InputError`.
    """
    times = frame_times(path)
    wanted = min(max(least, round(times.duration_s * PER_SECOND)), max(MAX_LOOKS, least))
    return Film(path, times, evenly(len(times.ticks), looks or wanted))


@dataclass
class _Stretch:
    """Looks that are held until the stretch is full."""

    looks: list[tuple[int, RgbImage]] = field(default_factory=list)
    later: list[RgbImage] = field(default_factory=list)
    """The frame after each look, where a detector sees two."""
    people: dict[int, dict[int, Floats32]] = field(default_factory=dict)
    """The box of each person by the position of the look."""

    @property
    def is_full(self) -> bool:
        size = self.looks[0][1].nbytes * (1 + bool(self.later)) if self.looks else 0
        most = max(1, min(STRETCH_LOOKS, STRETCH_BYTES // max(size, 1)))
        faces = sum(len(boxes) for boxes in self.people.values())
        return len(self.looks) >= most or faces >= STRETCH_FACES


def watch_video(
    seen: Film, *, consecutive: int = 1, looked: Callable[[], object] = lambda: None
) -> Iterator[tuple[tuple[int, int], list[FaceStretch]]]:
    """Yield the faces of each stretch of a video, with the width and height of its frames.

    With `consecutive` 2 each crop has the next frame's behind it. `looked` is called after each
    look. Raises `InputError` for a file that is damaged.
    """
    crowd, stretch, size = Crowd(), _Stretch(), (0, 0)
    for index, frame, later in each_look(seen, consecutive):
        size = (frame.shape[1], frame.shape[0])
        position = len(stretch.looks)
        stretch.looks.append((index, frame))
        stretch.later += [] if later is None else [later]
        found = mtcnn().detect(frame)
        for person, box in zip(crowd.look(frame, found), found.boxes_xyxy, strict=True):
            stretch.people.setdefault(person, {})[position] = box
        looked()
        if stretch.is_full:
            yield size, _cut(stretch)
            stretch = _Stretch()
    if stretch.looks:
        yield size, _cut(stretch)


def each_look(seen: Film, consecutive: int) -> Iterator[tuple[int, RgbImage, RgbImage | None]]:
    """Yield each look: its index, the frame, and the next frame if a detector sees two.

    The clip's last frame has the one before it in place of a next one, as in training.
    """
    assert seen.times is not None
    wanted, count = seen.indices, len(seen.times.ticks)
    if consecutive == 1:
        for index, frame in looks_at(seen.path, wanted, times=seen.times):
            yield index, frame, None
        return
    beside = np.maximum(np.where(wanted + 1 < count, wanted + 1, wanted - 1), 0)
    held: dict[int, RgbImage] = {}
    waiting = list(zip(wanted.tolist(), beside.tolist(), strict=True))
    for index, frame in looks_at(seen.path, np.union1d(wanted, beside), times=seen.times):
        held[index] = frame
        while waiting and max(waiting[0]) <= index:
            look, other = waiting.pop(0)
            if look in held and other in held:
                yield look, held[look], held[other]
            first = min(waiting[0]) if waiting else index
            held = {i: f for i, f in held.items() if i >= first}


def _cut(stretch: _Stretch) -> list[FaceStretch]:
    """The faces of a stretch, cut out of its frames as a dataset's clips are."""
    frames = [frame for _, frame in stretch.looks]
    if stretch.later:
        frames = [np.concatenate(both, -1) for both in zip(frames, stretch.later, strict=True)]
    found = []
    for person, boxes in sorted(stretch.people.items()):
        positions = sorted(boxes)
        places = [boxes[i] for i in positions]
        squares = squares_of(FaceTrack(tuple(places), 0))
        crops = [cut_out(frames[i], s) for i, s in zip(positions, squares, strict=True)]
        indices = tuple(stretch.looks[i][0] for i in positions)
        found.append(FaceStretch(person, indices, np.stack(places), squares, np.stack(crops)))
    return found


def squares_of(track: FaceTrack) -> Floats32:
    """The square (n, 4) around each of the face's boxes, with the dataset's margin.

    One square for all, as in the dataset, unless the face moves too far for that. The face must be
    seen in every frame.
    """
    union = track.union
    assert union is not None
    boxes = track.followed()
    if track.spread <= LOOSE:
        return np.tile(squared(union), (len(boxes), 1))
    half = track.side * (1 + 2 * MARGIN) / 2
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.concatenate([middles - half, middles + half], axis=1).astype(np.float32)


def cut_out(frame: RgbImage, square_xyxy: Floats32) -> RgbImage:
    """The square cut out of one frame (h, w, 3c): (256, 256, 3c)."""
    cut = partial(square_crop, box_xyxy=square_xyxy, size=CROP_PX)
    picture: RgbImage = each_rgb(frame[None], cut)[0]
    return picture


def watch_photo(path: Path) -> tuple[tuple[int, int], list[FaceStretch]]:
    """The width and height of a photo, and each face in it, numbered from left to right.

    Raises `InputError`.
    """
    image = read_image(path)
    found = mtcnn().detect(image)
    order = np.argsort(found.boxes_xyxy[:, [0, 2]].mean(axis=1), kind="stable")
    faces = []
    for person, index in enumerate(order.tolist()):
        box = found.boxes_xyxy[index]
        square = squared(box)
        crops = cut_out(image, square)[None]
        faces.append(FaceStretch(person, (0,), box[None], square[None], crops))
    return (image.shape[1], image.shape[0]), faces


def no_face(path: Path) -> InputError:
    """The error that nothing can be judged."""
    return InputError.of(path, "no face found", "a photo or video with a face, or --cropped")
