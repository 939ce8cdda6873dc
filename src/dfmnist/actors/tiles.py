"""Which triangles each tile of the picture may show, so that a camera ray tests only those."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfmnist.actors.head import F32

TILE_PX = 4
LEAST_AREA_PX2 = 1e-4
AWAY_COSINE = -0.85


@dataclass(frozen=True, eq=False)
class TileLists:
    """Triangles by tile, row by row; those of tile k are `triangles[starts[k] : starts[k + 1]]`."""

    starts: NDArray[np.int32]
    triangles: NDArray[np.int32]
    planes: F32
    """(t, 9) u, v and inverse depth as `a * x + b * y + c` of the pixel position."""
    across: int


def list_triangles(
    pixels: NDArray[np.float64],
    depth: NDArray[np.float64],
    all_faces: NDArray[np.int32],
    candidates: NDArray[np.int64],
    two_sided: NDArray[np.bool_],
    size: int,
) -> TileLists:
    """Sort triangles into tiles.

    `pixels` (n, 2) and `depth` (n,) are the vertices as the camera sees them. Of `all_faces`,
    those numbered in `candidates` are looked at; the ones that turn their back are left out
    unless they are `two_sided` (one for each candidate).
    """
    across = -(-size // TILE_PX)
    faces = all_faces[candidates]
    a, b, c = (pixels[faces[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    low = np.minimum(np.minimum(a, b), c)
    high = np.maximum(np.maximum(a, b), c)
    shown = (area < -LEAST_AREA_PX2) | (two_sided & (area > LEAST_AREA_PX2))
    shown &= (high > 0).all(1) & (low < size).all(1)
    chosen = np.flatnonzero(shown)
    planes = np.zeros((len(all_faces), 9), np.float32)
    numbers = candidates[chosen]
    planes[numbers] = _planes(a[chosen], b[chosen], c[chosen], area[chosen], depth[faces[chosen]])
    # a margin of a tenth of a pixel: triangles reach a little over their edges
    first = np.clip((low[chosen] - 0.1) // TILE_PX, 0, across - 1).astype(np.int64)
    last = np.clip((high[chosen] + 0.1) // TILE_PX, 0, across - 1).astype(np.int64)
    spans = last - first + 1
    counts = spans[:, 0] * spans[:, 1]
    owner = np.repeat(np.arange(len(chosen)), counts)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    row = first[owner, 1] + within // spans[owner, 0]
    column = first[owner, 0] + within % spans[owner, 0]
    tile = row * across + column
    # sixteen bits are sorted by radix, several times as fast
    short = np.uint16 if across * across < 2**16 else np.int64
    order = np.argsort(tile.astype(short), kind="stable")
    starts = np.zeros(across * across + 1, np.int32)
    np.cumsum(np.bincount(tile, minlength=across * across), out=starts[1:])
    return TileLists(starts, numbers[owner[order]].astype(np.int32), planes, across)


def possible_triangles(
    pixels: NDArray[np.float64],
    cosine: NDArray[np.floating],
    faces: NDArray[np.int32],
    two_sided: NDArray[np.bool_],
    size: int,
) -> NDArray[np.int64]:
    """Numbers of the triangles that may ever show, judged in the neutral pose.

    Left out is what faces away (`cosine` to the camera, one a triangle) by more than a head
    turns, and what lies below the frame.
    """
    below = pixels[faces][..., 1].min(1) > size * 1.05
    return np.flatnonzero(~below & (two_sided | (cosine > AWAY_COSINE)))


def _planes(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    c: NDArray[np.float64],
    area: NDArray[np.float64],
    depth: NDArray[np.float64],
) -> F32:
    """(t, 9) plane coefficients; `depth` is (t, 3)."""

    def edge(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
        d = q - p
        return np.stack([-d[:, 1], d[:, 0], d[:, 1] * p[:, 0] - d[:, 0] * p[:, 1]], 1)

    u = edge(b, c) / area[:, None]
    v = edge(c, a) / area[:, None]
    near = 1 / depth
    inverse = u * (near[:, 0] - near[:, 2])[:, None] + v * (near[:, 1] - near[:, 2])[:, None]
    inverse[:, 2] += near[:, 2]
    return np.concatenate([u, v, inverse], 1).astype(np.float32)
