"""Animate a source frame with a driving clip: relative (the paper's), absolute or scaled motion."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy.spatial import ConvexHull, QhullError

from dfmnist.core.choices import BackendName, Motion, Precision
from dfmnist.core.errors import InputError
from dfmnist.fomm.checkpoint import load_networks
from dfmnist.fomm.inference.backends import choose_backend
from dfmnist.fomm.networks.keypoints import Keypoints, inverse_2x2

Frames = npt.NDArray[np.uint8]
BATCH = 8
"""Frames per pass of the keypoint detector."""


@dataclass(frozen=True, eq=False)
class EncodedSource:
    """What is computed once a source: its features, in the backend's own form, and keypoints."""

    code: Any
    keypoints: Keypoints


def transfer(
    source: Keypoints, driving: Keypoints, motion: Motion, reference: int = 0
) -> Keypoints:
    """Where the source's keypoints go for each driving frame.

    Relative: `kp_s + scale (kp_d - kp_d0)` and `J_d J_d0^-1 J_s` (Siarohin et al., 2019, eq. 12),
    where d0 is the driving frame `reference`; scale is 1, or for `relative_scaled` the ratio of
    the hulls' linear sizes. Shapes: source (1, k, ...), driving (n, k, ...); gives (n, k, ...).
    """
    if motion not in get_args(Motion):
        raise InputError(
            f"unknown motion '{motion}'; expected one of {', '.join(get_args(Motion))}"
        )
    if motion == "absolute":
        return driving
    first = driving.at(slice(reference, reference + 1))
    scale = hull_scale(source, first) if motion == "relative_scaled" else 1.0
    value = source.value + scale * (driving.value - first.value)
    jacobian = driving.jacobian @ inverse_2x2(first.jacobian) @ source.jacobian
    return Keypoints(value, jacobian)


def hull_scale(source: Keypoints, first: Keypoints) -> float:
    """Square root of the ratio of the areas of the keypoints' convex hulls; 1 if one is flat."""
    try:
        # in the plane, scipy's `volume` is the area
        areas = [ConvexHull(kp.value[0].double().numpy()).volume for kp in (source, first)]
    except QhullError:
        return 1.0
    return float(np.sqrt(areas[0]) / np.sqrt(areas[1]))


class Animator:
    """A motion model held ready. One thread is enough on a CPU: run one process a core."""

    def __init__(
        self,
        weights: Path | None = None,
        *,
        backend: BackendName = "auto",
        precision: Precision = "auto",
    ) -> None:
        """Load `weights` (`.pth.tar` or safetensors); None is the shipped actors model.

        See `backends.choose_backend` for the other two. Raises `InputError`.
        """
        networks = load_networks(weights)
        self.config = networks.config
        self._backend = choose_backend(networks, backend, precision)

    @property
    def size(self) -> int:
        """Side of the frames it gives, in pixels."""
        return self.config.image_size

    @property
    def precision(self) -> str:
        """`f32`, or `bf16` for all but positions."""
        return self._backend.precision

    def encode(self, source_rgb_u8: Frames) -> EncodedSource:
        """Features and keypoints of one source image (h, w[, 1, 3 or 4]) of any size."""
        image = as_frames(source_rgb_u8, "source", 1, self.size)
        return EncodedSource(self._backend.encode(image), self._backend.detect(image))

    def keypoints(self, driving_rgb_u8: Frames | Iterable[Frames]) -> Keypoints:
        """Keypoints of driving frames (n, h, w, 3), or of a stream of (h, w, 3) ones.

        They are small (a hundred numbers a frame) and serve any number of sources. Raises
        `InputError` where there is no frame.
        """
        frames, parts = iter(driving_rgb_u8), []
        while chunk := list(islice(frames, BATCH)):
            pictures = as_frames(np.stack(chunk), "driving", None, self.size)
            found = self._backend.detect(pictures)
            # copies: what a backend gives may lie in memory that would be kept with it
            parts.append([value.clone() for value in found])
        if not parts:
            raise InputError("driving frames are none; expected uint8 frames (n, h, w, 3), n ≥ 1")
        return Keypoints(*(torch.cat(values) for values in zip(*parts, strict=True)))

    def animate(
        self,
        source: EncodedSource,
        driving: Keypoints,
        motion: Motion = "relative",
        reference: int = 0,
    ) -> Frames:
        """The source moving as the driver: uint8 RGB (n, size, size, 3)."""
        return np.stack(list(self.stream(source, driving, motion, reference)))

    def stream(
        self,
        source: EncodedSource,
        driving: Keypoints,
        motion: Motion = "relative",
        reference: int = 0,
    ) -> Iterator[Frames]:
        """As `animate`, one (size, size, 3) frame at a time: any length in constant memory."""
        target = transfer(source.keypoints, driving, motion, reference)
        step = self._backend.batch
        for i in range(0, len(target.value), step):
            moved = target.at(slice(i, i + step))
            yield from self._backend.decode(source.code, source.keypoints, moved)


def animate(
    source_rgb_u8: Frames,
    driving_rgb_u8: Frames,
    *,
    weights: Path | str | None = None,
    motion: Motion = "relative",
    backend: BackendName = "auto",
    precision: Precision = "auto",
) -> Frames:
    """Animate `source_rgb_u8` (h, w, 3) with `driving_rgb_u8` (n, h, w, 3).

    `weights` is a published `.pth.tar`, our safetensors or a name of `dfmnist fetch`; None is the
    shipped small model, which has seen synthetic actors only. Both inputs should be face crops;
    other sizes are resized. `backend` and `precision`: see `backends.choose_backend`.
    Returns uint8 RGB (n, 256, 256, 3). Raises `InputError`.
    """
    path = None if weights is None else Path(weights)
    model = Animator(path, backend=backend, precision=precision)
    return model.animate(model.encode(source_rgb_u8), model.keypoints(driving_rgb_u8), motion)


def as_frames(pixels: Frames, what: str, count: int | None, size: int) -> Frames:
    """`pixels` as (n, size, size, 3): grey is repeated, alpha laid on white, sizes resized.

    `count` 1 takes a single image. Raises `InputError` for anything that is no uint8 picture.
    """
    pixels = np.asarray(pixels)
    expected = "a uint8 image (h, w, 3)" if count == 1 else "uint8 frames (n, h, w, 3), n ≥ 1"
    found = f"{what} frames are {pixels.dtype} {pixels.shape}"
    if pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise InputError(f"{found}; expected {expected}")
    if count == 1:
        if pixels.ndim == 4 and len(pixels) == 1:
            pixels = pixels[0]
        if pixels.ndim == 2:
            pixels = pixels[..., None]
        pixels = pixels[None]
    elif pixels.ndim == 3 and pixels.shape[-1] not in (1, 3, 4):
        pixels = pixels[..., None]  # (n, h, w) grey
    if pixels.ndim != 4 or pixels.shape[-1] not in (1, 3, 4):
        raise InputError(f"{found}; expected {expected}")
    if pixels.shape[1:] == (size, size, 3):
        return np.ascontiguousarray(pixels)
    return np.stack([_picture(frame, size) for frame in pixels])


def _picture(frame: Frames, size: int) -> Frames:
    if frame.shape[-1] == 1:
        frame = np.repeat(frame, 3, axis=-1)
    image = Image.fromarray(frame)
    if frame.shape[-1] == 4:
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image).convert("RGB")
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image)
