"""Clips for the benchmarks of frames and training, and the usual way to read their frames.

In the usual way, every chosen frame is extracted once as a PNG and read in every epoch with
`cv2.imread` in the worker processes of a torch `DataLoader`.
"""

import resource
import shutil
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from dfmnist.actors.film import FilmJob, film
from dfmnist.core.actions import Action
from dfmnist.core.choices import Quality
from dfmnist.detectors.data import Sample
from dfmnist.detectors.networks.base import IMAGENET_MEAN, IMAGENET_STD
from dfmnist.faces.crop import crop_clip
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.media.noise import add_camera_noise
from dfmnist.media.sample import evenly
from dfmnist.media.video import probe, read_frames, write_video

try:
    import cv2
except ImportError:
    sys.exit("the benchmarks need OpenCV: .venv/bin/python -m pip install opencv-python-headless")

FRAMES_PER_CLIP = 32
"""Number of frames chosen of each clip."""
FIRST_PERSON = 400_000
"""The first identity seed for evaluation."""


def make_clips(
    folder: Path, qualities: Sequence[str], *, people: int, copies: int, num_frames: int
) -> None:
    """Make `people` x `copies` clips in each quality, `folder/QUALITY/NAME.mp4`, as a build does.

    They show synthetic actors, cropped to 256 px by MTCNN, with camera noise. To save time, the
    copies of a person are the same film with different noise, every other one mirrored.
    """
    actions = list(Action)
    for person in range(people):
        path = film(
            FilmJob(
                FIRST_PERSON + person, actions[person], person, num_frames, folder / f"{person}.mp4"
            )
        )
        faces, info = crop_clip(read_frames(path), mtcnn())
        if faces is None:
            sys.exit(f"{path}: {info.reason}")
        for copy in range(copies):
            turned = faces[:, :, ::-1] if copy % 2 else faces
            noisy = add_camera_noise(turned, seed=person * copies + copy)
            for quality in qualities:
                target = folder / quality / f"{person}-{copy}.mp4"
                target.parent.mkdir(parents=True, exist_ok=True)
                write_video(target, noisy, Fraction(25), crf=Quality(quality).crf)


def clips_in(folder: Path) -> list[Path]:
    """The clips of one quality."""
    return sorted(folder.glob("*.mp4"))


def samples_of(clips: Sequence[Path]) -> list[Sample]:
    """The clips as samples of a training split; every other one counts as fake."""
    return [
        Sample(
            clip_id=path.stem,
            fake=bool(index % 2),
            paths=(path,),
            num_frames=len(evenly(probe(path).num_frames, FRAMES_PER_CLIP)),
            action="talk",
            identity=path.stem,
        )
        for index, path in enumerate(clips)
    ]


def extract_pngs(clips: Sequence[Path], folder: Path) -> list[tuple[Path, bool]]:
    """The chosen frames of every clip as PNGs made by OpenCV: their paths, and True for fakes."""
    if folder.exists():
        shutil.rmtree(folder)
    found = []
    for number, clip in enumerate(clips):
        (folder / clip.stem).mkdir(parents=True)
        video = cv2.VideoCapture(str(clip))
        wanted = set(evenly(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), FRAMES_PER_CLIP).tolist())
        for index in range(max(wanted) + 1):
            video.grab()
            if index in wanted:
                target = folder / clip.stem / f"{index:04d}.png"
                cv2.imwrite(str(target), video.retrieve()[1])
                found.append((target, bool(number % 2)))
        video.release()
    return found


class Pngs(Dataset[tuple[torch.Tensor, float]]):
    """Frames (3, size, size) as uint8 or as normalised float32, and 1 for fakes, read from PNGs.

    With `crop` they are random squares of the PNGs' own pixels, else whole frames resized.
    """

    def __init__(
        self, files: Sequence[tuple[Path, bool]], size_px: int, *, floats: bool, crop: bool = False
    ) -> None:
        cv2.setNumThreads(1)
        self.files, self.size_px, self.floats, self.crop = files, size_px, floats, crop
        self.mean, self.std = (np.float32(v) for v in (IMAGENET_MEAN, IMAGENET_STD))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, float]:
        path, fake = self.files[index]
        image: NDArray[np.generic] = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        side = self.size_px
        if self.crop:
            top, left = (int(torch.randint(edge - side + 1, ())) for edge in image.shape[:2])
            image = image[top : top + side, left : left + side]
        else:
            image = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        if self.floats:
            image = (image.astype(np.float32) / 255 - self.mean) / self.std
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))), float(fake)


def cpu_s() -> float:
    """Processor seconds used so far by this process, its threads and workers that have ended."""
    own, ended = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


class Clock:
    """A clock of the wall and processor seconds since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), cpu_s()

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self._wall, cpu_s() - self._cpu
