"""The baseline of an attacker without a network: one affine map of the photo in each frame."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from dfmnist.attacks.sampling import sample
from dfmnist.core.arrays import Frames, RgbImage
from dfmnist.faces.mesh import Mesh

Meshes = Sequence[Mesh | None]

Affine = npt.NDArray[np.float64]
"""An affine map (2, 3): the left two columns turn and stretch, the last shifts by pixels."""

MIN_AREA = 0.05
"""Smallest ratio of areas after and before a map; a map below it is not applied."""


def affine_warp(source: RgbImage, source_meshes: Meshes, driving_meshes: Meshes) -> Frames:
    """The photo `source` (h, w, 3) moved by one affine map for each driving frame: (n, h, w, 3).

    The motion is relative, as that of the motion model: each of the 468 mesh points of the source
    moves as far as the driver's has moved since the driver's first frame, and the map fits these
    moves by least squares. A frame without a driving mesh repeats the last map. Nothing moves if
    the source or the first driving frame has no mesh.
    """
    now = np.eye(2, 3)
    maps = []
    start, first = source_meshes[0], driving_meshes[0]
    for mesh in driving_meshes:
        if start is not None and first is not None and mesh is not None:
            at = start.points[:, :2].astype(np.float64)
            new = fit_affine(at, at + mesh.points[:, :2] - first.points[:, :2])
            now = new if abs(np.linalg.det(new[:, :2])) > MIN_AREA else now
        maps.append(now)
    return np.stack([warp(source, affine) for affine in maps])


def fit_affine(points_xy: npt.NDArray[np.float64], targets_xy: npt.NDArray[np.float64]) -> Affine:
    """The affine map from `points_xy` (n, 2) to `targets_xy` (n, 2) with least squared error."""
    rows = np.concatenate([points_xy, np.ones((len(points_xy), 1))], axis=1)
    return np.asarray(np.linalg.lstsq(rows, targets_xy, rcond=None)[0].T)


def warp(source: RgbImage, affine: Affine) -> RgbImage:
    """The photo `source` (h, w, 3) under an affine map, sampled bilinearly, its border repeated.

    Positions are in pixels from the corner of the image, as those of the face mesh.
    """
    height, width = source.shape[:2]
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    inverse = np.linalg.inv(affine[:, :2])
    from_xy = (np.stack([x, y], axis=-1) - affine[:, 2]) @ inverse.T
    return sample(source, torch.from_numpy(from_xy))
