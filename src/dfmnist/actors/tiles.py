"""Lists of the triangles that each tile of the picture may show, for the camera's rays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfmnist.core.arrays import Floats32

TILE_PX = 4
"""Side of a tile in pixels."""
MIN_AREA_PX2 = 1e-4
"""Smallest area of a triangle that is shown."""
MARGIN_PX = 64
"""Distance outside of the picture beyond which a triangle's first corner excludes it."""


@dataclass(frozen=True, eq=False)
class TileLists:
    """Triangles by tile, tiles row by row.

    The triangles of tile k are `triangles[starts[k] : starts[k + 1]]`.
    """

    starts: NDArray[np.int32]
    triangles: NDArray[np.int32]
    planes: Floats32
    """Coefficients (t, 9) of u, v and inverse depth: `a * x + b * y + c` of the pixel position."""
    across: int
    """Number of tiles in a row."""


def list_triangles(
    pixels: NDArray[np.float64],
    depth: NDArray[np.float64],
    faces: NDArray[np.int32],
    two_sided: NDArray[np.bool_],
    size: int,
) -> TileLists:
    """Lists of the triangles `faces` (t, 3) by tile of a picture of side `size`.

    `pixels` (n, 2) and `depth` (n,) are the vertices as the camera sees them. Triangles seen from
    behind are left out unless they are `two_sided` (t,).
    """
    across = -(-size // TILE_PX)
    a, b, c = (pixels[faces[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    shown = (area < -MIN_AREA_PX2) | (two_sided & (area > MIN_AREA_PX2))
    shown &= (a > -MARGIN_PX).all(1) & (a < size + MARGIN_PX).all(1)
    chosen = np.flatnonzero(shown)
    a, b, c = a[chosen], b[chosen], c[chosen]
    planes = np.zeros((len(faces), 9), np.float32)
    planes[chosen] = _planes(a, b, c, area[chosen], depth[faces[chosen]])
    # a margin of a tenth of a pixel, because triangles extend a little over their edges
    low = np.minimum(np.minimum(a, b), c) - 0.1
    high = np.maximum(np.maximum(a, b), c) + 0.1
    first = np.clip(low / TILE_PX, 0, across - 1).astype(np.int32)
    last = np.clip(high / TILE_PX, 0, across - 1).astype(np.int32)
    spans = last - first + 1
    counts = spans[:, 0] * spans[:, 1]
    owner = np.repeat(np.arange(len(chosen)), counts)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    row = first[owner, 1] + within // spans[owner, 0]
    column = first[owner, 0] + within % spans[owner, 0]
    tile = row * across + column
    # numpy sorts 16-bit integers by radix sort, which is several times faster
    short = np.uint16 if across * across < 2**16 else np.int64
    order = np.argsort(tile.astype(short), kind="stable")
    starts = np.zeros(across * across + 1, np.int32)
    np.cumsum(np.bincount(tile, minlength=across * across), out=starts[1:])
    return TileLists(starts, chosen[owner[order]].astype(np.int32), planes, across)


def _planes(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    c: NDArray[np.float64],
    area: NDArray[np.float64],
    depth: NDArray[np.float64],
) -> Floats32:
    """Plane coefficients (t, 9) of triangles with corners `a`, `b`, `c` and depths (t, 3)."""

    def edge(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
        d = q - p
        return np.stack([-d[:, 1], d[:, 0], d[:, 1] * p[:, 0] - d[:, 0] * p[:, 1]], 1)

    u = edge(b, c) / area[:, None]
    v = edge(c, a) / area[:, None]
    near = 1 / depth
    inverse = u * (near[:, 0] - near[:, 2])[:, None] + v * (near[:, 1] - near[:, 2])[:, None]
    inverse[:, 2] += near[:, 2]
    return np.concatenate([u, v, inverse], 1).astype(np.float32)
