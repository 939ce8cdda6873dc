"""Landmarks: named points of the shared head, found by their geometry, with local frames."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfmnist.actors.head import HeadModel, load_head
from dfmnist.core.arrays import Floats32

PUPILS = ("pupil_left", "pupil_right")
"""Names of the points on the eyeballs, which follow the gaze; the last of `point_names`."""
RING_SIZE = 12
"""Number of vertices around a point that define its tangents."""
EYE_STEP_M = 0.0006
"""Step of the grid on which the outline of the eye is searched."""


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Named points of the shared head: p vertices, and weights for two tangents at each."""

    names: tuple[str, ...]
    vertices: NDArray[np.int64]
    """Index of each point's vertex, (p,)."""
    ring: NDArray[np.int64]
    """Vertices around each point, (p, k)."""
    upper_lids: tuple[NDArray[np.int64], NDArray[np.int64]]
    """Vertices of the upper lid's rim of the left and right eye, sorted by x."""
    lower_lids: tuple[NDArray[np.int64], NDArray[np.int64]]
    """Vertices of the lower lid's rim of the left and right eye, sorted by x."""
    weights: Floats32
    """Weights (p, 2, k) that give two tangents as `weights @ ring positions`.

    They are per metre of the shared head's surface. The first is level (to the person's left, or
    back on the right side), the second points up.
    """


def _mirror(vertex: int, mean: Floats32, allowed: NDArray[np.bool_]) -> int:
    target = mean[vertex] * np.array([-1, 1, 1], np.float32)
    distance = np.linalg.norm(mean - target, axis=1) + np.where(allowed, 0, 1)
    return int(distance.argmin())


def front_faces(head: HeadModel, x: NDArray[Any], z: NDArray[Any]) -> NDArray[np.int64]:
    """Index of the triangle of the mean head seen from the front at each (x, z), -1 for none."""
    corners = head.mean[head.faces]
    low, high = corners.min(1), corners.max(1)
    window = np.flatnonzero(
        (low[:, 0] <= x.max()) & (high[:, 0] >= x.min())
        & (low[:, 2] <= z.max()) & (high[:, 2] >= z.min())
    )  # fmt: skip
    corners = corners[window]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 2] - a[:, 2]) - (c[:, 0] - a[:, 0]) * (b[:, 2] - a[:, 2])
    low, high = corners.min(1), corners.max(1)
    result = np.full(x.shape, -1, np.int64)
    for index in np.ndindex(x.shape):
        px, pz = x[index], z[index]
        near = np.flatnonzero(
            (low[:, 0] <= px) & (high[:, 0] >= px) & (low[:, 2] <= pz) & (high[:, 2] >= pz)
            & (abs(area) > 1e-12)
        )  # fmt: skip
        u = ((px - a[near, 0]) * (c[near, 2] - a[near, 2])
             - (c[near, 0] - a[near, 0]) * (pz - a[near, 2])) / area[near]  # fmt: skip
        v = ((b[near, 0] - a[near, 0]) * (pz - a[near, 2])
             - (px - a[near, 0]) * (b[near, 2] - a[near, 2])) / area[near]  # fmt: skip
        inside = (u >= 0) & (v >= 0) & (u + v <= 1)
        if inside.any():
            hit = near[inside]
            depth = a[hit, 1] + u[inside] * (b - a)[hit, 1] + v[inside] * (c - a)[hit, 1]
            result[index] = window[hit[depth.argmin()]]
    return result


@functools.cache
def find_landmarks() -> Landmarks:
    """Landmarks of the shared head."""
    head = load_head()
    mean = head.mean
    skin = ~(head.eye_left | head.eye_right | head.tongue) & (head.masks["inside_mouth"] < 0.5)
    chosen: dict[str, int] = _left_eye(head, skin) | _middle(head, skin) | _left_side(head, skin)
    for name, vertex in list(chosen.items()):
        if "left" in name:
            chosen[name.replace("left", "right")] = _mirror(vertex, mean, skin)
    names = tuple(sorted(chosen))
    vertices = np.array([chosen[n] for n in names])
    ring, weights = _rings(mean, vertices, skin)
    upper, lower = _lid_rims(head, skin)
    mirrored = [
        np.array([_mirror(int(v), mean, skin) for v in rim[::-1]]) for rim in (upper, lower)
    ]
    return Landmarks(names, vertices, ring, (upper, mirrored[0]), (lower, mirrored[1]), weights)


def _nearest(mean: Floats32, target: NDArray[Any], allowed: NDArray[np.bool_]) -> int:
    return int((np.linalg.norm(mean - target, axis=1) + np.where(allowed, 0, 1)).argmin())


def _eye_window(
    head: HeadModel,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Grid before the left eye: x of columns, z of rows, and where the eyeball is visible."""
    centre = head.mean[head.eye_left].mean(0)
    x = centre[0] + np.arange(-0.024, 0.024, EYE_STEP_M)
    z = centre[2] + np.arange(-0.012, 0.012, EYE_STEP_M)
    grid_x, grid_z = np.meshgrid(x, z)
    faces = front_faces(head, grid_x, grid_z)
    seen = (faces >= 0) & head.eye_left[head.faces[np.maximum(faces, 0)]].all(2)
    return x, z, seen


def _lid_vertex(head: HeadModel, skin: NDArray[np.bool_], x: float, z: float) -> int:
    """Index of the frontmost vertex of the left eye's lids at (x, z)."""
    centre = head.mean[head.eye_left].mean(0)
    lids = skin & (head.mean[:, 1] < centre[1])
    lids &= np.linalg.norm(head.mean - centre, axis=1) < 0.03
    near = np.hypot(head.mean[:, 0] - x, head.mean[:, 2] - z) + np.where(lids, 0, 1)
    candidates = np.flatnonzero(near < near.min() + 0.0012)
    return int(candidates[head.mean[candidates, 1].argmin()])


def _left_eye(head: HeadModel, skin: NDArray[np.bool_]) -> dict[str, int]:
    """Vertices of the left eye's corners and lids, from the visible part of the eyeball."""
    x, z, seen = _eye_window(head)
    rows, columns = np.nonzero(seen)

    def vertex(column: float, row: float) -> int:
        return _lid_vertex(head, skin, x[0] + column * EYE_STEP_M, z[0] + row * EYE_STEP_M)

    middle = round((columns.min() + columns.max()) / 2)
    at_middle = rows[abs(columns - middle) <= 1]
    return {
        "eye_left_inner": vertex(columns.min() - 1, rows[columns == columns.min()].mean()),
        "eye_left_outer": vertex(columns.max() + 1, rows[columns == columns.max()].mean()),
        "eye_left_upper": vertex(middle, at_middle.max() + 1),
        "eye_left_lower": vertex(middle, at_middle.min() - 1),
    }


def _lid_rims(
    head: HeadModel, skin: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    x, z, seen = _eye_window(head)
    upper: list[int] = []
    lower: list[int] = []
    for column in np.flatnonzero(seen.any(0)):
        rows = np.flatnonzero(seen[:, column])
        upper.append(_lid_vertex(head, skin, x[column], z[rows.max()] + EYE_STEP_M))
        lower.append(_lid_vertex(head, skin, x[column], z[rows.min()] - EYE_STEP_M))
    rims = [np.array(list(dict.fromkeys(rim))) for rim in (upper, lower)]
    ordered = [rim[np.argsort(head.mean[rim, 0])] for rim in rims]
    return ordered[0], ordered[1]


def _middle(head: HeadModel, skin: NDArray[np.bool_]) -> dict[str, int]:
    mean = head.mean
    line = skin & (abs(mean[:, 0]) < 0.0015)
    eye = mean[head.eye_left].mean(0)
    face = line & (mean[:, 1] < eye[1] + 0.03)
    nose = int(np.where(face & (mean[:, 2] < eye[2]), mean[:, 1], 9).argmin())
    jaw = head.facial[head.facial_names.index("jawOpen")].reshape(-1, 3)
    lips = face & (head.masks["lips"] > 0.5)
    upper, lower = lips & (jaw[:, 2] > -0.012), lips & (jaw[:, 2] <= -0.012)
    top, bottom = mean[upper, 2].max(), mean[lower, 2].min()
    front_upper = upper & (mean[:, 1] < mean[upper, 1].min() + 0.006)
    front_lower = lower & (mean[:, 1] < mean[lower, 1].min() + 0.006)
    below = face & (mean[:, 2] < bottom - 0.012) & (mean[:, 2] > bottom - 0.045)
    chin = int(np.where(below, mean[:, 1] + 0.3 * mean[:, 2], 9).argmin())
    hair_z = eye[2] + 0.055
    return {
        "nose_tip": nose,
        "nose_bridge": _nearest(mean, np.array([0, eye[1] - 0.02, eye[2] + 0.003]), face),
        "lip_upper_outer": int(np.where(upper & (mean[:, 2] >= top - 1e-6), 0, 1).argmin()),
        "lip_upper_inner": int(np.where(front_upper, mean[:, 2], 9).argmin()),
        "lip_lower_inner": int(np.where(front_lower, mean[:, 2], -9).argmax()),
        "lip_lower_outer": int(np.where(lower & (mean[:, 2] <= bottom + 1e-6), 0, 1).argmin()),
        "chin": chin,
        "forehead": _nearest(mean, np.array([0, eye[1] - 0.01, hair_z]), face),
        "head_top": int(np.where(line, mean[:, 2], -9).argmax()),
        "neck_base": _nearest(mean, head.mean_bones[0] + np.array([0, -0.05, -0.005]), line),
    }


def _left_side(head: HeadModel, skin: NDArray[np.bool_]) -> dict[str, int]:
    mean = head.mean
    left = skin & (mean[:, 0] > 0.004)
    eye = mean[head.eye_left].mean(0)
    nose = mean[_middle(head, skin)["nose_tip"]]
    lips = left & (head.masks["lips"] > 0.5)
    ear = left & (head.masks["ears"] > 0.5)

    def peak(action: str, low_x: float, high_x: float) -> int:
        move = head.facial[head.facial_names.index(action)].reshape(-1, 3)[:, 2]
        zone = left & (mean[:, 0] > low_x) & (mean[:, 0] < high_x) & (mean[:, 2] > eye[2] + 0.012)
        return int(np.where(zone & (mean[:, 2] < eye[2] + 0.035), move, -9).argmax())

    inner, outer = peak("browInnerUp", 0.008, 0.02), peak("browOuterUpLeft", 0.035, 0.055)
    front = left & (mean[:, 1] < eye[1] + 0.06)
    middle = (mean[inner] + mean[outer]) / 2 + np.array([0, -0.004, 0.002])
    chin_z = mean[_middle(head, skin)["chin"], 2]
    ear_centre = mean[ear].mean(0)
    alar = front & (abs(mean[:, 2] - nose[2]) < 0.008) & (mean[:, 1] < nose[1] + 0.03)
    return {
        "brow_left_inner": inner,
        "brow_left_mid": _nearest(mean, middle, front),
        "brow_left_outer": outer,
        "nostril_left": int(np.where(alar & (mean[:, 0] < 0.024), mean[:, 0], -9).argmax()),
        "mouth_left": int(np.where(lips, mean[:, 0], -9).argmax()),
        "jaw_left": _nearest(mean, np.array([0.055, eye[1] + 0.06, chin_z + 0.02]), left),
        "cheek_left": _nearest(mean, np.array([eye[0] + 0.012, eye[1], nose[2]]), front),
        "ear_left": _nearest(mean, ear_centre + np.array([0.01, 0, -0.025]), ear),
    }


def _rings(
    mean: Floats32, vertices: NDArray[np.int64], skin: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], Floats32]:
    ring = np.zeros((len(vertices), RING_SIZE), np.int64)
    weights = np.zeros((len(vertices), 2, RING_SIZE), np.float32)
    up = np.array([0.0, 0.0, 1.0])
    head = load_head()
    middle = mean[head.masks["ears"] > 0.5].mean(0)
    eyes_z = mean[head.eye_left, 2].mean()
    for i, vertex in enumerate(vertices):
        distance = np.linalg.norm(mean - mean[vertex], axis=1) + np.where(skin, 0, 1)
        near = np.argsort(distance, kind="stable")[:RING_SIZE]
        offsets = mean[near] - mean[near].mean(0)
        normal = np.linalg.svd(offsets.astype(np.float64))[2][2]
        inside = np.array([0.0, middle[1], min(mean[vertex, 2], eyes_z)])
        if normal @ (mean[vertex] - inside) < 0:
            normal = -normal
        level = np.cross(up, normal)
        level = np.array([1.0, 0, 0]) if np.linalg.norm(level) < 0.2 else level
        level /= np.linalg.norm(level)
        frame = np.stack([level, np.cross(normal, level)])
        flat = offsets @ frame.T  # (k, 2)
        ring[i] = near
        weights[i] = np.linalg.pinv(flat)
    return ring, weights
