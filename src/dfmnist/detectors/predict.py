"""The verdict on one video: sample frames, crop the face as in the dataset, score."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

from dfmnist.core.batch import failure
from dfmnist.core.choices import BackendName, Precision
from dfmnist.core.errors import InputError
from dfmnist.detectors.backends import DetectorBackend, choose_backend, frame_logits
from dfmnist.detectors.run import Run
from dfmnist.faces.crop import face_box_union, square_crop, squared
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.media.folders import VIDEOS, find_media
from dfmnist.media.sample import sample_frames
from dfmnist.media.video import resize_frames

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
            yield detect_video(path, run, cropped=cropped, backend=model)
        except Exception as error:
            yield Unscored(path, failure(error, path))


def detect_video(
    path: Path, run: Run, *, cropped: bool = False, backend: DetectorBackend | None = None
) -> VideoScore:
    """The score that `run` gives the video `path`, from frames evenly spaced over all of it.

    `cropped` says that the video is a face crop already, like the dataset's clips. `backend` runs
    the network of `run`; pass one to score many videos, else each call makes its own. Raises
    `InputError` if the file is no video or shows no face.
    """
    size = (run.frame_px,) * 2
    indices, frames = sample_frames(path, run.config.frames_per_clip, size if cropped else None)
    if not cropped:
        box, reason = face_box_union(frames, mtcnn(), every=1)
        if box is None:
            raise InputError.of(path, reason, "a video of one face, or --cropped")
        frames = square_crop(frames, squared(box), CROP_PX)
    raw = frame_logits(
        backend or choose_backend(run.network, frame_px=run.frame_px), resize_frames(frames, size)
    )
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
