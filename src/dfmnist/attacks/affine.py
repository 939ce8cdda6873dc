"""What a user without a network would do: nothing, show the driver, or warp the picture."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import grid_sample

from dfmnist.core.arrays import Frames
from dfmnist.faces.mesh import Mesh

Meshes = Sequence[Mesh | None]

Affine = npt.NDArray[np.float64]
"""(2, 3): the left two columns turn and stretch, the last shifts, in pixels."""

FLAT = 0.05
"""A map that leaves less than this share of an area cannot be undone and is passed over."""


def still(source: Frames, count: int) -> Frames:
    """`count` times the source (h, w, 3)."""
    return np.broadcast_to(source, (count, *source.shape))


def affine_warp(source: Frames, source_meshes: Meshes, driving_meshes: Meshes) -> Frames:
    """The source (h, w, 3) moved by one affine map a frame: (n, h, w, 3).

    Relative motion as the network's: each of the 468 points of the source's mesh goes by as much
    as the driver's has gone from the driver's first frame, and the map fits that by least
    squares. Where a mesh is not found the last map stays; without the first ones nothing moves.
    """
    now = np.eye(2, 3)
    maps = []
    start, first = source_meshes[0], driving_meshes[0]
    for mesh in driving_meshes:
        if start is not None and first is not None and mesh is not None:
            at = start.points[:, :2].astype(np.float64)
            new = fit_affine(at, at + mesh.points[:, :2] - first.points[:, :2])
            now = new if abs(np.linalg.det(new[:, :2])) > FLAT else now
        maps.append(now)
    return np.stack([warp(source, affine) for affine in maps])


def fit_affine(points_xy: npt.NDArray[np.float64], targets_xy: npt.NDArray[np.float64]) -> Affine:
    """The map that takes `points_xy` (n, 2) to `targets_xy` with least squared error."""
    rows = np.concatenate([points_xy, np.ones((len(points_xy), 1))], axis=1)
    return np.asarray(np.linalg.lstsq(rows, targets_xy, rcond=None)[0].T)


def warp(source: Frames, affine: Affine) -> Frames:
    """The source (h, w, 3) taken through `affine`: bilinear, its border repeated outward.

    Coordinates are of corners: the first pixel's middle is at (0.5, 0.5), as in the mesh.
    """
    height, width = source.shape[:2]
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    inverse = np.linalg.inv(affine[:, :2])
    came_xy = (np.stack([x, y], axis=-1) - affine[:, 2]) @ inverse.T
    grid = torch.from_numpy(came_xy / (width, height) * 2 - 1)[None]
    picture = torch.from_numpy(np.array(source, np.float64)).permute(2, 0, 1)[None]
    out = grid_sample(picture, grid, "bilinear", "border", align_corners=False)
    return np.asarray(out[0].permute(1, 2, 0).round().clamp(0, 255).numpy().astype(np.uint8))
