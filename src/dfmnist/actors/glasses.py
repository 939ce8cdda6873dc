"""Glasses of an actor: two rims, a bridge and two temples, as boxes along lines; without lenses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfmnist.actors.deform import Body, Posed
from dfmnist.actors.identity import Glasses
from dfmnist.actors.landmarks import find_landmarks
from dfmnist.core.arrays import Floats, Floats32

RIM = 40
"""Number of vertices around a rim, times four."""
LENS_M = 0.013
"""Distance of the rims from the front of the eyeballs."""


@dataclass(frozen=True, eq=False)
class GlassesMesh:
    """Mesh of the glasses in the neutral pose."""

    vertices: Floats32
    faces: NDArray[np.int32]


def make_glasses(body: Body, look: Glasses | None) -> GlassesMesh:
    """The glasses of this person in the neutral pose; without vertices if `look` is None."""
    if look is None:
        return GlassesMesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    marks = find_landmarks()
    point = dict(zip(marks.names, body.neutral[marks.vertices], strict=True))
    eyes = body.eye_centres
    front = float(eyes[:, 1].min()) - body.eye_radius - LENS_M
    front = min(front, float(point["nose_bridge"][1]) - 0.003)
    angle = np.linspace(0, 2 * np.pi, RIM, endpoint=False)
    power = 2 / look.squareness
    across = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power * look.half_width_m
    up = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power * look.half_height_m
    vertices, faces, start = [], [], 0

    def add(line: Floats, closed: bool) -> None:
        nonlocal start
        corners, sides = _tube(line, look.thickness_m, closed)
        vertices.append(corners)
        faces.append(sides + start)
        start += len(corners)

    inner, outer = [], []
    for eye, ear in zip(eyes, ("ear_left", "ear_right"), strict=True):
        out = float(np.sign(eye[0]))
        middle = eye[0] + out * look.apart_m
        height = eye[2] - look.drop_m
        # the rim bends a little around the face
        bend = 0.004 * ((across * out + look.half_width_m) / (2 * look.half_width_m)) ** 2
        add(np.stack([middle + across, front + bend, height + up], 1), closed=True)
        inner.append(np.array([middle - out * look.half_width_m, front, height + 0.003]))
        outer.append(np.array([middle + out * look.half_width_m, front + 0.004, height + 0.006]))
        end = point[ear] + np.array([out * 0.004, 0.010, 0.0])
        end[2] = height + 0.012
        add(np.linspace(outer[-1], end, 6), closed=False)
    t = np.linspace(0, 1, 7)[:, None]
    bridge = inner[0] * (1 - t) + inner[1] * t
    bridge[:, 2] += 0.003 * np.sin(np.pi * t[:, 0])
    add(bridge, closed=False)
    return GlassesMesh(
        np.concatenate(vertices).astype(np.float32), np.concatenate(faces).astype(np.int32)
    )


def _tube(line: Floats, thickness_m: float, closed: bool) -> tuple[Floats, NDArray[np.int64]]:
    """Vertices (4 n, 3) and triangles of a box along `line` (n, 3)."""
    along = np.roll(line, -1, 0) - np.roll(line, 1, 0) if closed else np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along, [0.0, 1.0, 0.0])
    length = np.linalg.norm(side, axis=1, keepdims=True)
    side = np.where(length > 0.3, side / np.maximum(length, 1e-9), [0.0, 0.0, 1.0])
    other = np.cross(along, side)
    half = thickness_m / 2
    corners = [(1, 1), (1, -1), (-1, -1), (-1, 1)]
    rings = np.stack([line + half * (a * side + b * other) for a, b in corners], 1)
    n = len(line)
    first = np.arange(n if closed else n - 1)
    second = (first + 1) % n
    faces = []
    for k in range(4):
        a, b = 4 * first + k, 4 * first + (k + 1) % 4
        c, d = 4 * second + k, 4 * second + (k + 1) % 4
        faces += [np.stack([a, b, c], 1), np.stack([b, d, c], 1)]
    return rings.reshape(-1, 3), np.concatenate(faces)


def pose_glasses(mesh: GlassesMesh, posed: Posed) -> Floats32:
    """Vertices (m, 3) of the glasses as the head is posed."""
    matrix = posed.head.astype(np.float32)
    return np.asarray(mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3], np.float32)
