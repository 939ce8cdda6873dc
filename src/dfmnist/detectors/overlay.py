"""Class activation maps as files: a PNG of a photo's face, an MP4 of a video's.

Each picture shows the face as the detector saw it, and beside it the same with the map over it.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from dfmnist.core.arrays import Floats32, RgbImage
from dfmnist.detectors.cam import cam, overlay
from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.watch import CROP_PX, Film, cut_out, each_look
from dfmnist.media.image import read_image, write_image
from dfmnist.media.sample import each_rgb
from dfmnist.media.video import resize_frames, write_video

CRF = 18
"""Constant rate factor of the MP4: visually lossless."""
SHOWN_FPS = Fraction(5)
"""Frames a second of the MP4, whose frames lie half a second apart in the video, or more."""


def write_map(
    film: Film,
    frames: tuple[int, ...],
    squares_xyxy: Floats32 | None,
    network: Detector,
    frame_px: int,
    stem: Path,
) -> Path:
    """Write the map of one face as `STEM.png` (photo) or `STEM.mp4` (video); returns the file.

    `frames` are the indices of the face's frames and `squares_xyxy` (n, 4) the squares that were
    cut out of them, None for a file that is a crop already. `frame_px` is the side of what the
    network sees. The film is read once more, so that it takes bounded memory. Raises `InputError`.
    """
    pictures = _pictures(film, frames, squares_xyxy, network, frame_px)
    out = stem.with_name(f"{stem.name}.{'png' if film.times is None else 'mp4'}")
    out.parent.mkdir(parents=True, exist_ok=True)
    if film.times is None:
        write_image(out, next(pictures))
    else:
        write_video(out, pictures, SHOWN_FPS, crf=CRF)
    return out


def _pictures(
    film: Film,
    frames: tuple[int, ...],
    squares_xyxy: Floats32 | None,
    network: Detector,
    frame_px: int,
) -> Iterator[RgbImage]:
    """Yield the face (256, 512, 3) of each frame, plain and with its map."""
    for position, frame in enumerate(_frames(film, frames, network.consecutive)):
        crop = frame if squares_xyxy is None else cut_out(frame, squares_xyxy[position])
        seen, shown = (
            each_rgb(crop[None], partial(resize_frames, size_wh=(side, side)))
            for side in (frame_px, CROP_PX)
        )
        plain = shown[..., :3]
        yield np.concatenate([plain, overlay(plain, cam(network, seen))], axis=2)[0]


def _frames(film: Film, frames: tuple[int, ...], consecutive: int) -> Iterator[RgbImage]:
    if film.times is None:
        yield read_image(film.path)
        return
    mine = replace(film, indices=np.array(frames, np.int64))
    for _, frame, later in each_look(mine, consecutive):
        yield frame if later is None else np.concatenate([frame, later], -1)
