"""One video, one verdict: sample, crop to the face as the dataset was, score."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

from dfmnist.core.errors import InputError
from dfmnist.detectors.backends import DetectorBackend, choose_backend, frame_logits
from dfmnist.detectors.run import Run
from dfmnist.faces.crop import face_box_union, square_crop, squared
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.media.sample import sample_frames
from dfmnist.media.video import resize_frames

CROP_PX = 256
"""Clips of the dataset are crops of this size, so that a detector sees what it was trained on."""


@dataclass(frozen=True)
class VideoScore:
    """What a detector says of one video."""

    path: Path
    p_fake: float
    """Sigmoid of the frames' mean calibrated logit."""
    fake: bool
    """The verdict: whether `p_fake` is at the run's threshold or above."""
    frames: tuple[int, ...]
    """The frames looked at."""
    p_fake_per_frame: tuple[float, ...]


def detect_video(
    path: Path, run: Run, *, cropped: bool = False, backend: DetectorBackend | None = None
) -> VideoScore:
    """The score of `path` by a finished run, from evenly spaced frames of the whole video.

    `cropped`: the video is a face crop already, like the dataset's clips. `backend` runs the
    run's network; pass one for many videos, else it is made anew. Raises `InputError`: not a
    video, or no face.
    """
    size = (run.config.input_size_px,) * 2
    indices, frames = sample_frames(path, run.config.frames_per_clip, size if cropped else None)
    if not cropped:
        box, reason = face_box_union(frames, mtcnn(), every=1)
        if box is None:
            raise InputError.of(path, reason, "a video of one face, or --cropped")
        frames = square_crop(frames, squared(box), CROP_PX)
    raw = frame_logits(backend or choose_backend(run.network), resize_frames(frames, size))
    logits = run.calibration.logits(raw.astype(np.float64))
    mean = float(logits.mean())
    return VideoScore(
        Path(path),
        float(expit(mean)),
        mean >= run.calibration.threshold_logit,
        tuple(int(i) for i in indices),
        tuple(float(p) for p in expit(logits)),
    )
