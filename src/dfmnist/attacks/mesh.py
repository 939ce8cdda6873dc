"""Two attacks that warp a face by its mesh: a photo moved as a driver, and a swapped face.

The 468 points of the face mesh are triangulated (Delaunay) and every triangle is warped with its
corners. Outside of the face the movement fades to zero at the border of the picture.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFilter
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import ConvexHull
from torch.nn.functional import interpolate

from dfmnist.attacks.photo import still
from dfmnist.attacks.sampling import sample
from dfmnist.core.arrays import Frames, RgbImage
from dfmnist.faces.mesh import Mesh, face_mesh

Points = npt.NDArray[np.float64]

FIELD_PX = 128
"""Side of the grid on which the movement is computed before it is resized to the picture."""
FEATHER = 0.035
"""Blur radius of a swapped face's edge, as a share of the picture's side."""
Tracker = Callable[[Frames], Sequence[Mesh | None]]
"""A function that finds the face mesh in each frame (n, h, w, 3); None where there is none."""


def track_face(frames_rgb_u8: Frames) -> list[Mesh | None]:
    """The face mesh of each frame (n, h, w, 3), without the irises; None where no face is found."""
    return face_mesh().track(frames_rgb_u8, with_eyes=False)


def mesh_warp(source: RgbImage, driving: Frames, track: Tracker = track_face) -> Frames:
    """The photo `source` (h, w, 3) moved as the face in `driving` (n, h, w, 3): (n, h, w, 3).

    The motion is relative: each mesh point moves as far as the driver's has moved since the
    driver's first face, at the scale of the source's face. A frame without a face repeats the
    last movement. Nothing moves if the source or the whole driving clip shows no face.
    """
    start, *_ = track(source[None])
    found = track(driving)
    first = next((mesh for mesh in found if mesh is not None), None)
    if start is None or first is None:
        return still(source, len(driving))
    at, origin = _xy(start), _xy(first)
    scale = _size(at) / _size(origin)
    moved, out = at, []
    for mesh in found:
        moved = at + scale * (_xy(mesh) - origin) if mesh is not None else moved
        out.append(_warp(source, at, moved))
    return np.stack(out)


def swap_faces(target: Frames, donor: Frames, track: Tracker = track_face) -> Frames:
    """The clip `target` (n, h, w, 3) with the first face of `donor` (m, h, w, 3): (n, h, w, 3).

    The donor's face is warped to the target's mesh points, takes on the target's colours, and is
    blended in within the outline of the face. Frames without a face do not change.
    """
    seen = track(donor[: min(8, len(donor))])
    index = next((i for i, mesh in enumerate(seen) if mesh is not None), None)
    if index is None:
        return target
    given = seen[index]
    assert given is not None
    out = []
    for frame, mesh in zip(target, track(target), strict=True):
        if mesh is None:
            out.append(frame)
            continue
        face = _warp(donor[index], _xy(given), _xy(mesh))
        mask = outline(_xy(mesh), frame.shape[0])
        out.append(_blend(frame, face, mask))
    return np.stack(out)


def outline(points_xy: Points, side: int) -> npt.NDArray[np.float32]:
    """Mask (side, side), 0 to 1, of the convex hull of `points_xy`, slightly shrunk and blurred."""
    hull = points_xy[ConvexHull(points_xy).vertices]
    hull = hull.mean(axis=0) + 0.93 * (hull - hull.mean(axis=0))
    picture = Image.new("L", (side, side))
    ImageDraw.Draw(picture).polygon([(float(x), float(y)) for x, y in hull], fill=255)
    soft = picture.filter(ImageFilter.GaussianBlur(FEATHER * side))
    return np.asarray(soft, np.float32) / np.float32(255)


def _blend(frame: RgbImage, face: RgbImage, mask: npt.NDArray[np.float32]) -> RgbImage:
    """The `frame` with `face` blended over it by `mask`.

    The colours of `face` first get the mean and the spread of those of `frame` within `mask`.
    """
    weight = mask[..., None]
    total = weight.sum() + 1e-6
    below, above = frame.astype(np.float32), face.astype(np.float32)
    means = [(weight * image).sum((0, 1)) / total for image in (below, above)]
    spreads = [
        np.sqrt((weight * (image - m) ** 2).sum((0, 1)) / total) + 1.0
        for image, m in zip((below, above), means, strict=True)
    ]
    matched = (above - means[1]) * np.clip(spreads[0] / spreads[1], 0.5, 2.0) + means[0]
    mixed = below + weight * (matched - below)
    result: RgbImage = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return result


def _xy(mesh: Mesh) -> Points:
    return mesh.points[:, :2].astype(np.float64)


def _size(points_xy: Points) -> float:
    return float(np.sqrt(np.prod(np.ptp(points_xy, axis=0)) + 1e-6))


def _warp(image: RgbImage, at: Points, moved: Points) -> RgbImage:
    """The `image` (h, w, 3) with the points `at` moved to `moved`; its border does not move."""
    height, width = image.shape[:2]
    ring = np.linspace(0.0, 1.0, 9)[:-1]
    zero, one = np.zeros_like(ring), np.ones_like(ring)
    border = np.concatenate(
        [
            np.stack(pair, 1)
            for pair in ((ring, zero), (one, ring), (1 - ring, one), (zero, 1 - ring))
        ]
    ) * (width, height)
    inside = ((moved > 1) & (moved < (width - 1, height - 1))).all(axis=1)
    where = np.concatenate([moved[inside], border])
    shift = np.concatenate([(at - moved)[inside], np.zeros_like(border)])
    step_x, step_y = width / FIELD_PX, height / FIELD_PX
    x, y = np.meshgrid((np.arange(FIELD_PX) + 0.5) * step_x, (np.arange(FIELD_PX) + 0.5) * step_y)
    coarse = LinearNDInterpolator(where, shift, fill_value=0.0)(x, y)
    field = torch.from_numpy(np.ascontiguousarray(coarse.transpose(2, 0, 1)))[None]
    fine = interpolate(field, (height, width), mode="bilinear", align_corners=False)[0]
    px, py = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return sample(image, torch.from_numpy(np.stack([px, py], axis=-1)) + fine.permute(1, 2, 0))
