"""Test for a flat picture: how well one moved and tilted plane explains all frames of a face.

A photo that is held still, moved or tilted before the camera is always a projective map of itself.
The best such map from each frame to the clip's start is found on the pixels of the face beside the
eyes (inverse compositional alignment, Baker and Matthews 2004). Closing eyes, a moving mouth or a
nose that hides a cheek remain unexplained; a flat picture leaves nothing. A photo with lids that
are painted shut now and then leaves the eyes alone: all else stays one plane, whereas the parts of
a living face move against each other all the time, if only by tenths of a pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter1d

from dfmnist.core.arrays import Floats, Frames, RgbImage
from dfmnist.faces.mesh import Mesh

Mask = npt.NDArray[np.bool_]

START_FRAMES = 3
"""Number of frames that count as the clip's start."""
PATCH_PX = 80
"""Side in pixels of the patch into which the face is aligned."""
BLOCK_PX = 8
"""Side in pixels of the blocks in which the difference between a frame and the fitted plane is
averaged."""
WORST_BLOCKS = 3
"""Number of blocks with the largest difference that count."""
STEPS = 12
"""Largest number of alignment steps for one frame."""
PART_PX = 16
"""Side in pixels of the blocks whose shift against the plane is measured."""
STIFFNESS = 0.5
"""Squared slope, in grey levels per pixel, below which a block is held to have no shift."""
CODEC_FRAMES = 6
"""Number of frames over which measures are averaged: a whole number of the periods in which
encoders repeat P and B frames without a pyramid (IPP, IBP, IBBP)."""
EYE_CORNERS = ((33, 133), (362, 263))
"""Points of the mesh in the corners of both eyes."""
EYE_REACH = (0.8, 0.7)
"""Half of the width and of the height of the place of an eye, in distances of its corners."""
ROBUST_LEVELS = 8.0
"""Difference in grey levels above which a pixel has less weight in the alignment."""


@dataclass(frozen=True)
class FlatFit:
    """What the best flat picture does not explain in a clip; 0 for a picture that stands still."""

    misfit: float
    """Largest unexplained part of the face in two neighbouring frames, relative to its contrast."""
    relief: float
    """Movement of the face's parts against the plane over the whole clip, the eyes apart, in pixels
    of a face that is 80 px large."""


def flat_fit(frames_rgb_u8: Frames, meshes: Sequence[Mesh | None]) -> FlatFit:
    """How well one flat picture explains a clip (n, h, w, 3) with a mesh or None for each frame.

    The misfit is the RMS difference over the three worst blocks of 8 by 8 px (a tenth of the face),
    divided by the standard deviation of grey over the face at the start; of all frames, the largest
    value that two neighbouring ones reach. A blink of two frames counts, wherever the clip begins,
    and one frame whose alignment fails does not.

    The relief is the standard deviation over time of a block's shift against the plane (Lucas and
    Kanade 1981, blocks of 16 by 16 px), averaged over `CODEC_FRAMES` before that; of all blocks
    beside the eyes, the mean of the three largest.
    """
    seen = [index for index, mesh in enumerate(meshes) if mesh is not None]
    if len(seen) <= START_FRAMES:
        return FlatFit(0.0, 0.0)
    points = {i: m.points[:, :2].astype(np.float64) for i in seen if (m := meshes[i]) is not None}
    start = points[seen[0]]  # a mean of several frames would be blurred where they move
    low, high = start.min(axis=0), start.max(axis=0)
    shrink = max(1, round(float((high - low).max()) / PATCH_PX))
    place = _placement(low / shrink, high / shrink)
    origin: Floats = np.asarray(np.linalg.inv(place), np.float64)
    template, _ = _warp(_smooth(frames_rgb_u8[seen[0]], shrink), place, np.eye(3))
    beside = _beside_eyes(_apply(origin, start / shrink))
    aligner = _Aligner(template, beside)
    left, shifts = [], []
    for index in seen[1:]:
        moved = origin @ homography(start / shrink, points[index] / shrink) @ place
        rest, known = aligner.rest(_smooth(frames_rgb_u8[index], shrink), place, moved)
        left.append(_worst_blocks(rest, known))
        shifts.append(aligner.shifts(rest, known & beside))
    contrast = max(float(template[_FACE].std()), 1.0)
    misfit = float(np.minimum(left[1:], left[:-1]).max()) / contrast
    return FlatFit(misfit, _relief(np.stack(shifts)))


def landmark_jitter(meshes: Sequence[Mesh | None], size_px: float) -> float:
    """Noise of the mesh between frames, after the best homography to the start, per `size_px`."""
    faces = [mesh.points[:, :2].astype(np.float64) for mesh in meshes if mesh is not None]
    if len(faces) < START_FRAMES:
        return 0.0
    start = np.mean(faces[:START_FRAMES], axis=0)
    rest = np.stack([_apply(homography(face, start), face) for face in faces])
    second = np.diff(rest, n=2, axis=0) / size_px
    return float(np.median(np.sqrt((second**2).sum(axis=-1).mean(axis=1) / 6)))


def homography(source_xy: Floats, target_xy: Floats) -> Floats:
    """The least-squares projective map (3, 3) between two sets of points (n, 2), n at least 4.

    It is the normalised direct linear transform (Hartley 1997) with the last element fixed at 1.
    """
    to_source, to_target = _normalising(source_xy), _normalising(target_xy)
    p, q = _apply(to_source, source_xy), _apply(to_target, target_xy)
    ones, zeros = np.ones((len(p), 1)), np.zeros((len(p), 3))
    rows_x = np.concatenate([p, ones, zeros, -q[:, :1] * p], axis=1)
    rows_y = np.concatenate([zeros, p, ones, -q[:, 1:] * p], axis=1)
    a = np.concatenate([rows_x, rows_y])
    b = np.concatenate([q[:, 0], q[:, 1]])
    solved = np.linalg.lstsq(a.T @ a, a.T @ b, rcond=None)[0]
    matrix = np.linalg.inv(to_target) @ np.append(solved, 1.0).reshape(3, 3) @ to_source
    return np.asarray(matrix / matrix[2, 2])


class _Aligner:
    """Alignment of frames to one template by projective maps that `fitted` pixels decide."""

    def __init__(self, template: Floats, fitted: Mask) -> None:
        self._template = template
        self._fitted = fitted
        down, right = np.gradient(template)
        self._down: Floats = np.asarray(down)
        self._right: Floats = np.asarray(right)
        down, right = self._down * PATCH_PX / 2, self._right * PATCH_PX / 2
        both = right * _X + down * _Y
        parts = (
            (right * _X, right * _Y, right),
            (down * _X, down * _Y, down),
            (-both * _X, -both * _Y),
        )
        self._slopes = np.stack([p for row in parts for p in row], axis=-1).reshape(-1, 8)

    def rest(self, grey: Floats, place: Floats, moved: Floats) -> tuple[Floats, Mask]:
        """The difference left after alignment, begun at the map `moved`, and its known pixels."""
        for _ in range(STEPS):
            patch, known = _warp(grey, place, moved)
            off = patch - self._template
            usable = known & self._fitted
            off = off - off[usable].mean() if usable.any() else off
            weight = (usable / np.maximum(1.0, np.abs(off) / ROBUST_LEVELS)).reshape(-1, 1)
            weighted = self._slopes * weight
            ridge = 1e-5 * len(weighted) * np.eye(8)
            step = np.linalg.solve(weighted.T @ self._slopes + ridge, weighted.T @ off.ravel())
            moved = moved @ np.linalg.inv(np.append(step, 0.0).reshape(3, 3) + np.eye(3))
            moved = moved / moved[2, 2]
            if np.abs(step).max() < 2e-4:
                break
        patch, known = _warp(grey, place, moved)
        usable = known & self._fitted
        return _same_exposure(patch, self._template, usable) * known, known

    def shifts(self, rest: Floats, known: Mask) -> Floats:
        """The shift (m, 2) in pixels that explains the difference in each block best.

        A block of which less than 60% is known is NaN.
        """
        right, down = self._right * known, self._down * known
        stiff = STIFFNESS * PART_PX**2
        a, b, c = (_sums(p) for p in (right * right, right * down, down * down))
        u, v = _sums(right * rest), _sums(down * rest)
        a, c = a + stiff, c + stiff
        found = np.stack([c * u - b * v, a * v - b * u], axis=-1) / (a * c - b * b)[:, None]
        return np.where(_sums(known)[:, None] > 0.6 * PART_PX**2, found, np.nan)


def _sums(values: npt.NDArray[Any]) -> Floats:
    """The sum (m,) over each block of `PART_PX` of a patch."""
    count = PATCH_PX // PART_PX
    return np.asarray(values.reshape(count, PART_PX, count, PART_PX).sum(axis=(1, 3)).ravel())


def _relief(shifts: Floats) -> float:
    """The movement of the parts of a face, from their shifts (n, m, 2) in each frame."""
    always = shifts[:, np.isfinite(shifts).mean(axis=(0, 2)) > 0.9]
    if not always.shape[1]:
        return 0.0
    steady = uniform_filter1d(np.nan_to_num(always), min(CODEC_FRAMES, len(always)), axis=0)
    spread = np.sqrt(steady.var(axis=0).sum(axis=-1))
    return float(np.sort(spread)[-WORST_BLOCKS:].mean())


def _beside_eyes(mesh_xy: Floats) -> Mask:
    """The patch's pixels of the face that are no part of an eye, from the mesh in -1..1."""
    beside = _FACE.copy()
    for corners in EYE_CORNERS:
        first, second = mesh_xy[list(corners)]
        (x, y), width = (first + second) / 2, float(np.hypot(*(second - first)))
        beside &= (np.abs(_X - x) > EYE_REACH[0] * width) | (np.abs(_Y - y) > EYE_REACH[1] * width)
    return beside


def _pixel_grid() -> tuple[Floats, Floats, Mask]:
    at = (np.arange(PATCH_PX) + 0.5) / PATCH_PX * 2 - 1
    x, y = np.meshgrid(at, at)
    return x, y, x**2 + y**2 < 1


_X, _Y, _FACE = _pixel_grid()


def _placement(low: Floats, high: Floats) -> Floats:
    """The map (3, 3) from the patch's coordinates -1..1 to the face's box in pixels."""
    (x, y), (right, down) = (low + high) / 2, (high - low) / 2
    return np.array([[right, 0, x], [0, down, y], [0, 0, 1.0]])


def _smooth(frame: RgbImage, shrink: int) -> Floats:
    """The frame in grey, reduced and blurred to hide the resampling of a moved photo."""
    grey = Image.fromarray(frame).convert("L").reduce(shrink)
    return np.asarray(gaussian_filter(np.asarray(grey, np.float32), 1.0))


def _warp(grey: Floats, place: Floats, moved: Floats) -> tuple[Floats, Mask]:
    """The patch that `moved` takes from the frame, and the face's pixels inside the frame."""
    height, width = grey.shape
    whole = place @ moved
    from_patch = np.array([[2 / PATCH_PX, 0, -1], [0, 2 / PATCH_PX, -1], [0, 0, 1]])
    matrix = whole @ from_patch
    patch = Image.fromarray(grey).transform(
        (PATCH_PX, PATCH_PX),
        Image.Transform.PERSPECTIVE,
        tuple((matrix / matrix[2, 2]).ravel()[:8].tolist()),
        Image.Resampling.BILINEAR,
    )
    mapped = _apply(whole, np.stack([_X.ravel(), _Y.ravel()], axis=1))
    inside = ((mapped > 1) & (mapped < (width - 1, height - 1))).all(axis=1)
    return np.asarray(patch, np.float64), _FACE & inside.reshape(PATCH_PX, PATCH_PX)


def _same_exposure(patch: Floats, template: Floats, usable: Mask) -> Floats:
    """The difference after brightness and contrast of the `usable` pixels are matched."""
    if not usable.any():
        return np.zeros_like(template)
    a, b = patch - patch[usable].mean(), template - template[usable].mean()
    gain = float((a[usable] @ b[usable]) / max(a[usable] @ a[usable], 1e-6))
    return np.asarray(a * np.clip(gain, 0.5, 2.0) - b)


def _worst_blocks(rest: Floats, known: Mask) -> float:
    count = PATCH_PX // BLOCK_PX
    shape = (count, BLOCK_PX, count, BLOCK_PX)
    energy = (rest**2).reshape(shape).sum(axis=(1, 3))
    pixels = known.reshape(shape).sum(axis=(1, 3))
    enough = pixels > BLOCK_PX**2 // 2
    if not enough.any():
        return 0.0
    rms = np.sqrt(energy[enough] / pixels[enough])
    return float(np.sort(rms)[-WORST_BLOCKS:].mean())


def _normalising(points: Floats) -> Floats:
    centre = points.mean(axis=0)
    spread = np.sqrt(((points - centre) ** 2).sum(axis=1).mean()) / np.sqrt(2)
    scale = 1 / max(float(spread), 1e-9)
    return np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1.0]])


def _apply(matrix: Floats, points: Floats) -> Floats:
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(mapped[:, :2] / mapped[:, 2:])
