"""Jobs that move a real person's picture as another one moves, where no true clip exists."""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dfmnist.animator_eval import images as pictures
from dfmnist.animator_eval.jobs import EvaluationJob
from dfmnist.animator_eval.likeness import likeness
from dfmnist.animator_eval.metrics import TrackedClip
from dfmnist.animator_eval.records import Record, Reenactment
from dfmnist.core.arrays import Frames, RgbImage
from dfmnist.core.batch import failure, published
from dfmnist.core.errors import InputError
from dfmnist.core.text import key_of
from dfmnist.faces.crop import crop_clip
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.faces.pose import Signals
from dfmnist.media.folders import media_kind
from dfmnist.media.image import read_image
from dfmnist.media.video import probe, read_frames
from dfmnist.pipeline.animate import animator

PICTURED = 4
"""Number of moments of a driver that the sheet shows."""


@dataclass(frozen=True)
class ReenactJob(EvaluationJob):
    """Evaluation of one source, a photo or a clip's first frame, moved as in one driving clip."""

    source: Path
    driver: Path
    source_name: str
    driver_name: str
    hashes: tuple[str, str]
    """SHA-256 of the files of source and driver."""

    @property
    def stem(self) -> str:
        names = zip((self.source_name, self.driver_name), self.hashes, strict=True)
        return ".".join(f"{key_of(name)}-{digits[:8]}" for name, digits in names)

    def measure(self) -> Record:
        model = animator(self.weights)
        name = f"{self.source_name} moved as {self.driver_name}"
        try:
            source = _face(self.source, 1, model.size)
            driving = _face(self.driver, self.num_frames, model.size)
        except Exception as error:
            path = self.driver if str(error).startswith(str(self.driver)) else self.source
            return Record(name=name, problem=published(failure(error, path), path))
        made = TrackedClip.of(model.move(source.frames[0], driving.frames, self.motion))
        if self.with_pictures:
            at = moments(driving.signals)
            strips = [_strip(clip.frames, at) for clip in (driving, made)]
            heads = [np.full_like(strips[0][:, : strips[0].shape[0]], 255), _half(source.frames[0])]
            rows = [np.concatenate(pair, axis=1) for pair in zip(heads, strips, strict=True)]
            pictures.save(self.file(".png"), np.concatenate(rows))
        return Record(
            name=name,
            frames=len(driving.frames),
            unseen=driving.unseen,
            reenactment=Reenactment(
                source=self.source_name,
                driver=self.driver_name,
                likeness=likeness(made, driving, source),
            ),
        )


@functools.lru_cache(maxsize=2)  # the source and the driver of the jobs that come one by one
def _face(path: Path, num_frames: int, size: int) -> TrackedClip:
    """The first frames of a clip, or a photo, cropped to its face and tracked.

    Raises `InputError` if the file cannot be read or shows no face.
    """
    if media_kind(path) == "photo":
        frames: Frames = read_image(path)[None]
    else:
        probe(path)  # also reports a truncation behind the frames that are read
        frames = read_frames(path, 0, num_frames)
    cut, info = crop_clip(frames, mtcnn(), size)
    if cut is None:
        raise InputError.of(path, info.reason, "one face")
    clip = TrackedClip.of(cut)
    if clip.meshes[0] is None:
        raise InputError.of(path, "the face mesh finds no face in the first frame", "a clear face")
    return clip


def moments(driving: Signals) -> list[int]:
    """Indices of the frames that tell most about a driver, `PICTURED` of them.

    They are the widest open mouth, the most closed eyes, the farthest turn of the head, and the
    largest nod or tilt, all relative to the first frame.
    """
    turn = np.abs(driving.yaw_deg - driving.yaw_deg[0])
    tilt = np.abs(driving.pitch_deg - driving.pitch_deg[0])
    tilt = tilt + np.abs(driving.roll_deg - driving.roll_deg[0])
    tracks = (driving.mouth_open, -driving.eye_aspect, turn, tilt)
    return [int(np.nan_to_num(track, nan=-np.inf).argmax()) for track in tracks]


def _strip(frames: Frames, at: list[int]) -> RgbImage:
    return np.concatenate([_half(frames[index]) for index in at], axis=1)


def _half(picture: RgbImage) -> RgbImage:
    return np.asarray(Image.fromarray(picture).reduce(2))
