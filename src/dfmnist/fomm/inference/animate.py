"""Animation of a source frame by a driving clip.

The motion is relative (the paper's), absolute, or relative and guided by the face mesh.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from PIL import Image
from scipy.spatial import ConvexHull, QhullError

from dfmnist.core.arrays import Frames, RgbImage
from dfmnist.core.choices import BackendName, Motion, Precision
from dfmnist.core.errors import InputError
from dfmnist.fomm.checkpoint import load_networks, taught_points
from dfmnist.fomm.guide import NO_MESH, FaceGuide, Faces, FaceTracker, join_faces, still_guide
from dfmnist.fomm.inference.backends import choose_backend
from dfmnist.fomm.mouth import Points
from dfmnist.fomm.networks.keypoints import Keypoints, inverse_2x2

BATCH = 8
"""Frames in one pass of the keypoint detector."""
NO_FRAMES = "driving frames are none; expected uint8 frames (n, h, w, 3), n ≥ 1"
SCALED = ("relative_scaled", "guided")
"""Kinds of motion whose size follows that of the source's face."""


@dataclass(frozen=True, eq=False)
class EncodedSource:
    """Features and keypoints of a source, computed once; features in the backend's own form."""

    code: Any
    keypoints: Keypoints
    picture: RgbImage
    """The source (size, size, 3) that the model sees."""

    @cached_property
    def face(self) -> Faces:
        """The face in the source (n = 1), found when first asked for."""
        return FaceTracker()(self.picture)


def transfer(
    source: Keypoints,
    driving: Keypoints,
    motion: Motion,
    reference: int = 0,
    sized_as: Keypoints | None = None,
) -> Keypoints:
    """The source's keypoints, moved for each driving frame: (n, k, …).

    Relative motion gives `kp_s + scale (kp_d - kp_d0)` and `J_d J_d0^-1 J_s` (Siarohin et al.,
    2019, equation 12), where d0 is the driving frame `reference`. The scale is 1, or for
    `relative_scaled` and `guided` the ratio of the linear sizes of the keypoints' hulls; `sized_as`
    are then the keypoints (1, k, …) whose size is that of the source, by default its own. Shapes:
    source (1, k, …), driving (n, k, …). Raises `InputError` for an unknown `motion`.
    """
    if motion not in get_args(Motion):
        raise InputError(
            f"unknown motion '{motion}'; expected one of {', '.join(get_args(Motion))}"
        )
    if motion == "absolute":
        return driving
    first = driving.at(slice(reference, reference + 1))
    scale = hull_scale(sized_as or source, first) if motion in SCALED else 1.0
    value = source.value + scale * (driving.value - first.value)
    jacobian = driving.jacobian @ inverse_2x2(first.jacobian) @ source.jacobian
    return Keypoints(value, jacobian)


def hull_scale(source: Keypoints, first: Keypoints) -> float:
    """Ratio of the linear sizes of the convex hulls of `source` and `first`; 1 if one is flat."""
    try:
        # in the plane, scipy's `volume` is the area
        areas = [ConvexHull(kp.value[0].double().numpy()).volume for kp in (source, first)]
    except QhullError:
        return 1.0
    return float(np.sqrt(areas[0]) / np.sqrt(areas[1]))


class Animator:
    """A loaded motion model. On a CPU, one process per core with one thread each is fastest."""

    def __init__(
        self,
        weights: Path | None = None,
        *,
        backend: BackendName = "auto",
        precision: Precision = "auto",
    ) -> None:
        """Load `weights` (`.pth.tar`, safetensors or a name); None is the shipped actors model.

        `backend` and `precision` are those of `backends.choose_backend`. Raises `InputError`.
        """
        networks = load_networks(weights)
        self.config = networks.config
        self.points = taught_points(weights)
        """Names of the face points that the keypoints were taught to be; () if they have none."""
        self._backend = choose_backend(networks, backend, precision)

    @property
    def size(self) -> int:
        """Side of the generated frames in pixels."""
        return self.config.image_size

    @property
    def precision(self) -> str:
        """Number format of the arithmetic: `f32`, or `bf16` for everything except positions."""
        return self._backend.precision

    def encode(self, source_rgb_u8: RgbImage) -> EncodedSource:
        """Features and keypoints of one source image (h, w[, 1, 3 or 4]) of any size.

        Raises `InputError` for anything that is no uint8 image.
        """
        image = as_frames(source_rgb_u8, "source", 1, self.size)
        return EncodedSource(self._backend.encode(image), self._backend.detect(image), image[0])

    def keypoints(self, driving_rgb_u8: Frames | Iterable[RgbImage]) -> Keypoints:
        """Keypoints of driving frames (n, h, w, 3), or of a stream of (h, w, 3) ones.

        They are small (about a hundred numbers a frame) and serve any number of sources. Raises
        `InputError` if there is no frame.
        """
        frames, parts = iter(driving_rgb_u8), []
        while chunk := list(islice(frames, BATCH)):
            pictures = as_frames(np.stack(chunk), "driving", None, self.size)
            found = self._backend.detect(pictures)
            # copies, because a backend's result may be a view that keeps its whole memory alive
            parts.append([value.clone() for value in found])
        if not parts:
            raise InputError(NO_FRAMES)
        return Keypoints(*(torch.cat(values) for values in zip(*parts, strict=True)))

    def faces(self, driving_rgb_u8: Frames | Iterable[RgbImage]) -> Faces:
        """The faces in driving frames (n, h, w, 3), or in a stream of them, for guided motion.

        They serve any number of sources. Raises `InputError` if there is no frame.
        """
        tracker = FaceTracker()
        found = [tracker(as_frames(f[None], "driving", None)[0]) for f in driving_rgb_u8]
        if not found:
            raise InputError(NO_FRAMES)
        return join_faces(found)

    def may_guide(self, motion: Motion) -> bool:
        """Whether `motion` needs the driver's faces (`Animator.faces`) with this model."""
        return motion == "guided" or (motion == "auto" and bool(self.points))

    def motion_for(
        self, motion: Motion, source: EncodedSource, faces: Faces | None, reference: int = 0
    ) -> Motion:
        """The motion to use where `motion` is asked for: what `auto` means for this source.

        `auto` is `guided` with a model that was taught named points, as the shipped one, where the
        face mesh finds the face of the source and of the driver; else it is `relative`. Raises
        `InputError` if guided motion is asked for and a face is missing.
        """
        if not self.may_guide(motion):
            return "relative" if motion == "auto" else motion
        if faces is None or not faces.seen[reference]:
            missing = f"{NO_MESH} in driving frame {reference}"
        elif not source.face.seen[0]:
            missing = f"{NO_MESH} in the source"
        else:
            return "guided"
        if motion == "auto":
            return "relative"
        raise InputError(f"--motion guided: {missing}; expected a face, or --motion relative")

    def move(
        self, source_rgb_u8: RgbImage, driving_rgb_u8: Frames, motion: Motion = "auto"
    ) -> Frames:
        """The picture (h, w, 3) animated as the frames (n, h, w, 3): (n, size, size, 3)."""
        faces = self.faces(driving_rgb_u8) if self.may_guide(motion) else None
        source, keypoints = self.encode(source_rgb_u8), self.keypoints(driving_rgb_u8)
        return self.animate(source, keypoints, motion, faces=faces)

    def animate(
        self,
        source: EncodedSource,
        driving: Keypoints,
        motion: Motion = "relative",
        reference: int = 0,
        faces: Faces | None = None,
    ) -> Frames:
        """The source animated by the driving keypoints: uint8 RGB (n, size, size, 3).

        `faces` are the driver's as of `Animator.faces`, for guided motion.
        """
        return np.stack(list(self.stream(source, driving, motion, reference, faces)))

    def stream(
        self,
        source: EncodedSource,
        driving: Keypoints,
        motion: Motion = "relative",
        reference: int = 0,
        faces: Faces | None = None,
    ) -> Iterator[RgbImage]:
        """The frames of `animate` one at a time, (size, size, 3) each, in constant memory."""
        motion = self.motion_for(motion, source, faces, reference)
        target = transfer(source.keypoints, driving, motion, reference)
        step, guide = self._backend.batch, None
        if motion == "guided" and faces is not None:
            guide = self._guide(source, faces.points[reference])
        for i in range(0, len(target.value), step):
            now = slice(i, i + step)
            if guide is None or faces is None:
                yield from self._backend.decode(source.code, source.keypoints, target.at(now))
            else:
                yield from self._guided(source, guide, target.at(now), faces.at(now))

    def follow(
        self,
        sources_rgb_u8: Iterable[RgbImage],
        driving: Keypoints,
        motion: Motion = "relative",
        reference: int = 0,
        faces: Faces | None = None,
    ) -> Iterator[RgbImage]:
        """Animate a moving source: source frame i by driving frame i, until one of them ends.

        Relative motion is added to the source's own: `kp_s(i) + scale (kp_d(i) - kp_d0)` and
        `J_d(i) J_d0^-1 J_s(i)`, with the scale of the first source frame throughout. Absolute
        motion replaces it. Guided motion is not guided in frames whose face the mesh does not find.
        Takes frames (h, w, 3) and yields frames (size, size, 3), in constant memory.
        """
        first: Keypoints | None = None
        for index, picture in zip(range(len(driving.value)), sources_rgb_u8, strict=False):
            source = self.encode(picture)
            if first is None:
                first = source.keypoints
                motion = self.motion_for(motion, source, faces, reference)
            pair = driving.at(torch.tensor([reference, index]))
            moved = transfer(source.keypoints, pair, motion, sized_as=first).at(slice(1, 2))
            if motion == "guided" and faces is not None and source.face.seen[0]:
                guide = self._guide(source, faces.points[reference])
                yield from self._guided(source, guide, moved, faces.at(slice(index, index + 1)))
            else:
                yield from self._backend.decode(source.code, source.keypoints, moved)

    def _guide(self, source: EncodedSource, first: Points) -> FaceGuide:
        size_hw = self.config.motion_size_hw
        return FaceGuide(source.face, first, size_hw, self.points)

    def _guided(
        self, source: EncodedSource, guide: FaceGuide, target: Keypoints, faces: Faces
    ) -> Frames:
        """Guided frames (n, size, size, 3) towards `target` and the driver's `faces`."""
        moved = guide.batch(target, source.keypoints, faces.points)
        made = self._backend.decode(source.code, source.keypoints, moved.keypoints, moved.guide)
        return guide.with_mouths(made, moved.points, faces)

    def unmoved(self, source: EncodedSource, *, guided: bool = False) -> RgbImage:
        """What the model makes of the source without any motion: (size, size, 3).

        `guided` says that guided frames follow, so that no other network is compiled for this one.
        """
        keypoints = source.keypoints
        guide = still_guide(self.config.motion_size_hw) if guided else None
        return np.asarray(self._backend.decode(source.code, keypoints, keypoints, guide)[0])


def animate(
    source_rgb_u8: RgbImage,
    driving_rgb_u8: Frames,
    *,
    weights: Path | str | None = None,
    motion: Motion = "auto",
    backend: BackendName = "auto",
    precision: Precision = "auto",
) -> Frames:
    """Animate the photo `source_rgb_u8` (h, w, 3) by the clip `driving_rgb_u8` (n, h, w, 3).

    `weights` is a published `.pth.tar`, our safetensors or a name of `dfmnist fetch`; None is the
    shipped small model, which was trained on synthetic actors only. Both inputs should be crops of
    a face; other sizes are resized. `backend` and `precision` are those of
    `backends.choose_backend`. Returns uint8 RGB (n, 256, 256, 3). Raises `InputError`.
    """
    path = None if weights is None else Path(weights)
    model = Animator(path, backend=backend, precision=precision)
    return model.move(source_rgb_u8, driving_rgb_u8, motion)


def as_frames(pixels: Frames, what: str, count: int | None, size: int | None = None) -> Frames:
    """The frames `pixels` as RGB of the given size: (n, size, size, 3); None keeps their size.

    Grey becomes three channels, a transparent image is laid on white, other sizes are resized.
    With `count` 1 `pixels` is a single image. `what` names the input in the error. Raises
    `InputError` for anything that is no uint8 picture.
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


def _picture(frame: RgbImage, size: int | None) -> RgbImage:
    if frame.shape[-1] == 1:
        frame = np.repeat(frame, 3, axis=-1)
    image = Image.fromarray(frame)
    if frame.shape[-1] == 4:
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image).convert("RGB")
    if size is not None and image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image)
