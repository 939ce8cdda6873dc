"""The verdict on one video: sample frames, crop the face as in the dataset, score."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from dfmnist.core.arrays import Frames
from dfmnist.core.batch import failure
from dfmnist.core.choices import BackendName, Precision
from dfmnist.core.errors import InputError
from dfmnist.detectors.backends import DetectorBackend, choose_backend, frame_logits
from dfmnist.detectors.run import Run
from dfmnist.faces.crop import moving_crop, square_crop, squared
from dfmnist.faces.follow import FaceTrack, follow_face
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.media.folders import VIDEOS, find_media
from dfmnist.media.sample import each_rgb, evenly, frames_and_next, sample_frames
from dfmnist.media.video import frame_times, frames_at, iter_frames_at, resize_frames

LOOKS = 4
"""Where some of a video's frames show no face, so many times as many frames are searched."""
CROP_PX = 256
"""Side in pixels of the face crops, the same as in the dataset that detectors are trained on."""


@dataclass(frozen=True)
class VideoScore:
    """A detector's score of one video."""

    path: Path
    p_fake: float
    """P(fake) of the video: the sigmoid of its frames' mean calibrated logit."""
    fake: bool
    """The verdict: True if `p_fake` is at the run's threshold or above."""
    frames: tuple[int, ...]
    """Indices of the frames that were scored."""
    p_fake_per_frame: tuple[float, ...]
    """P(fake) of each of these frames."""


@dataclass(frozen=True)
class Unscored:
    """A video that could not be scored."""

    path: Path
    error: str
    """Why, in one line."""


def find_videos(paths: Iterable[Path]) -> list[Path]:
    """The files in `paths`, and the videos in its folders; what is left out of these is printed.

    Raises `InputError` for a folder without videos.
    """
    videos: list[Path] = []
    for path in paths:
        if not path.is_dir():
            videos.append(path)
            continue
        held = find_media(path, VIDEOS)
        videos += [f for f, _ in held.required(path, "video", "videos, each of one person")]
        held.tell(str(path))
    return videos


def detect_videos(
    paths: Iterable[Path],
    run: Run,
    *,
    cropped: bool = False,
    face: int | None = None,
    backend: BackendName = "auto",
    precision: Precision = "auto",
) -> Iterator[VideoScore | Unscored]:
    """The scores that `run` gives the videos in `paths`, one after the other, as `detect_video`.

    A video that cannot be scored gives its error, and the rest goes on. `backend` and
    `precision`: see `core.inference.choose`. Raises `InputError` for them.
    """
    model = choose_backend(run.network, backend, precision, run.frame_px)
    for path in paths:
        try:
            yield detect_video(path, run, cropped=cropped, face=face, backend=model)
        except Exception as error:
            yield Unscored(path, failure(error, path))


def detect_video(
    path: Path,
    run: Run,
    *,
    cropped: bool = False,
    face: int | None = None,
    backend: DetectorBackend | None = None,
) -> VideoScore:
    """The score that `run` gives the video `path`, from frames evenly spaced over all of it.

    `cropped` says that the video is a face crop already, like the dataset's clips. Else the frames
    are those that show the face: the largest of the first frame that shows one, or the `face`-th
    from the left, counted from 1. `backend` runs the network of `run`; pass one to score many
    videos, else each call makes its own. Raises `InputError` if the file is no video or shows no
    face.
    """
    size = (run.frame_px,) * 2
    backend = backend or choose_backend(run.network, frame_px=run.frame_px)
    count, consecutive = run.config.frames_per_clip, backend.consecutive
    if cropped:
        indices, frames = sample_frames(path, count, size, consecutive=consecutive)
    else:
        indices, frames = _faces(path, count, face, consecutive)
        frames = each_rgb(frames, partial(resize_frames, size_wh=size))
    raw = frame_logits(backend, frames)
    if not np.isfinite(raw).all():
        what = "the network's output is not a finite number, so there is no verdict"
        raise InputError.of(path, what, f"a working run in place of {run.folder}")
    logits = run.calibration.logits(raw.astype(np.float64))
    mean = float(logits.mean())
    return VideoScore(
        Path(path),
        float(expit(mean)),
        mean >= run.calibration.threshold_logit,
        tuple(int(i) for i in indices),
        tuple(float(p) for p in expit(logits)),
    )


def _faces(
    path: Path, count: int, face: int | None, consecutive: int
) -> tuple[NDArray[np.int64], Frames]:
    """Up to `count` frames that show the face: their indices (k,) and crops (k, px, px, 3).

    The crop is one square for all frames, as in the dataset, unless the face leaves it: then the
    square follows the face. With `consecutive` 2 each has the next frame's crop behind it, in three
    more channels.
    """
    times = frame_times(path)
    indices = evenly(len(times.ticks), count)
    frames = frames_at(path, indices, times=times)
    track = follow_face(frames, mtcnn(), face=face)
    if len(track.seen) < len(indices):
        indices = evenly(len(times.ticks), LOOKS * count)
        track = follow_face(iter_frames_at(path, indices, times=times), mtcnn(), face=face)
    if not track.seen:
        raise InputError.of(path, track.too_seldom, "a video of one face, or --cropped")
    kept = np.array(track.seen)[evenly(len(track.seen), count)]
    if len(track.boxes) > count:
        frames = frames_at(path, indices[kept], times=times)
    track = FaceTrack(tuple(track.boxes[i] for i in kept), track.others)
    indices, square = indices[kept], track.union
    if consecutive > 1:
        frames = frames_and_next(path, indices, times=times)
    if square is None or track.too_far:
        return indices, each_rgb(frames, lambda rgb: moving_crop(rgb, track, CROP_PX))
    box = squared(square)
    return indices, each_rgb(frames, lambda rgb: square_crop(rgb, box, CROP_PX))
