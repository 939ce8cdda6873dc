"""Deformation of a person's head: from a moment of a performance to all vertex positions."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dfmnist.actors.head import HeadModel, load_head
from dfmnist.actors.identity import Identity
from dfmnist.actors.landmarks import find_landmarks
from dfmnist.core.arrays import Floats32

NECK_SHARES = (0.0, 0.2, 0.42, 1.0)
"""Shares of the head's rotation at neck01, neck02, neck03 and the head."""
EYE_MARGIN_M = 0.0007
"""Distance of the lids' skin from the eyeball, so that a half-closed lid slides over it."""
TONGUE_SINK_M = np.array([0.0, 0.010, -0.006], np.float32)
"""Shift of the tongue at rest, behind the lower teeth."""


@dataclass(frozen=True, eq=False)
class Moment:
    """Pose, facial actions and gaze in one frame of a performance."""

    rotation_deg: tuple[float, float, float]
    """Yaw, pitch and roll of the head."""
    facial: Floats32
    """Facial actions, (52,), in the order of `HeadModel.facial_names`."""
    gaze_deg: tuple[float, float]
    """Yaw and pitch of the eyes in the head, with the signs of the head's."""
    sway_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Shift of head and neck with the body."""


@dataclass(frozen=True, eq=False)
class Posed:
    """Positions of a person's head in one frame."""

    vertices: Floats32
    """Vertices of the head, (v, 3)."""
    head: NDArray[np.float64]
    """Transform (4, 4) from the neutral head to the posed one."""
    jaw: NDArray[np.float64]
    """Transform (4, 4) from the neutral lower teeth to the posed ones, the head's included."""
    eye_centres: Floats32
    """Centres of the left and right eyeball, (2, 3)."""
    gazes: Floats32
    """Directions of the left and right eye, (2, 3), unit vectors."""


def rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> NDArray[np.float64]:
    """Rotation matrix (3, 3) of the head.

    Positive yaw is to the person's left, pitch up, roll to the person's right shoulder.
    """
    a, b, c = np.radians([yaw_deg, -pitch_deg, -roll_deg])
    yaw = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    pitch = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    roll = np.array([[np.cos(c), 0, np.sin(c)], [0, 1, 0], [-np.sin(c), 0, np.cos(c)]])
    return np.asarray(yaw @ pitch @ roll)


def _between(grid: NDArray[np.floating], position: float, count: int) -> tuple[int, float]:
    at = float(np.clip(position, 0, 1)) * (count - 1)
    low = min(int(at), count - 2)
    return low, at - low


class Body:
    """Head of one person: the neutral shape, and its deformation over time."""

    def __init__(self, identity: Identity) -> None:
        self.model: HeadModel = load_head()
        self.identity = identity
        self.neutral, self.joints = _neutral(self.model, identity)
        model = self.model
        self.eye_centres = np.stack(
            [self.neutral[mask].mean(0) for mask in (model.eye_left, model.eye_right)]
        )
        self.eye_radius = float(
            np.linalg.norm(self.neutral[model.eye_left] - self.eye_centres[0], axis=1).mean()
        )
        eyes = model.eye_left | model.eye_right
        facial = model.facial.reshape(-1, len(self.neutral), 3).copy()
        for i, name in enumerate(model.facial_names):
            if name.startswith("eyeLook"):
                facial[i, eyes] = 0  # the iris is drawn where the gaze points
        self._jaw_open = model.facial_names.index("jawOpen")
        self._side = [model.facial_names.index(n) for n in ("jawLeft", "jawRight", "jawForward")]
        chin = find_landmarks().vertices[find_landmarks().names.index("chin")]
        self._jaw_shift = facial[self._side, chin]
        ears = self.neutral[model.masks["ears"] > 0.5]
        self.hinge = np.array([0.0, ears[:, 1].mean() - 0.01, ears[:, 2].mean() - 0.015])
        reach = np.linalg.norm(self.neutral[chin] - self.hinge)
        self.jaw_angle = float(-facial[self._jaw_open, chin, 2] / reach)
        self._facial = facial.reshape(len(facial), -1)
        self._tongue_sink = TONGUE_SINK_M
        if identity.mouth is not None:
            front, up = identity.mouth.tongue_m
            self._tongue_sink = TONGUE_SINK_M + np.array([0.0, -front, up], np.float32)
        self._lids = [self._lid_skin(c) for c in self.eye_centres]

    def _lid_skin(self, centre: Floats32) -> NDArray[np.int64]:
        offset = self.neutral - centre
        near = np.linalg.norm(offset, axis=1) < self.eye_radius * 1.9
        model = self.model
        front = near & (offset[:, 1] < 0) & ~(model.eye_left | model.eye_right)
        return np.flatnonzero(front)

    def jaw_transform(self, facial: Floats32) -> NDArray[np.float64]:
        """Transform (4, 4) of the lower teeth within the neutral head."""
        angle = self.jaw_angle * float(facial[self._jaw_open])
        shift = facial[self._side] @ self._jaw_shift
        result = np.eye(4)
        result[:3, :3] = rotation(0, -np.degrees(angle), 0)
        result[:3, 3] = self.hinge - result[:3, :3] @ self.hinge + shift
        return result

    def pose(self, moment: Moment) -> Posed:
        """Positions of all vertices at one moment."""
        facial = _with_gaze(self.model, moment)
        vertices = self.neutral + (facial @ self._facial).reshape(-1, 3)
        jaw = self.jaw_transform(facial)
        tongue = self.model.tongue
        resting = self.neutral[tongue] + self._tongue_sink
        out = facial[self.model.facial_names.index("tongueOut")]
        vertices[tongue] = (resting @ jaw[:3, :3].T + jaw[:3, 3]) * (1 - out) + vertices[
            tongue
        ] * out
        for lids, centre in zip(self._lids, self.eye_centres, strict=True):
            self._outside_eye(vertices, lids, centre)
        chain = self._chain(moment)
        head = chain[-1]
        vertices = self._skin(vertices, chain)
        centres = self.eye_centres @ head[:3, :3].T + head[:3, 3]
        return Posed(
            vertices=vertices.astype(np.float32),
            head=head,
            jaw=head @ jaw,
            eye_centres=centres.astype(np.float32),
            gazes=self._gazes(moment, head),
        )

    def _outside_eye(self, vertices: Floats32, lids: NDArray[np.int64], centre: Floats32) -> None:
        """Move the lids' vertices, in place, out of the eyeball around `centre`."""
        offset = vertices[lids] - centre
        distance = np.linalg.norm(offset, axis=1)
        at_rest = np.linalg.norm(self.neutral[lids] - centre, axis=1)
        least = np.minimum(self.eye_radius + EYE_MARGIN_M, at_rest)
        push = np.maximum(least / np.maximum(distance, 1e-6), 1.0)
        vertices[lids] = centre + offset * push[:, None]

    def _chain(self, moment: Moment) -> list[NDArray[np.float64]]:
        """Transforms (4, 4) of the three neck joints and the head, from neutral to posed."""
        chain: list[NDArray[np.float64]] = []
        yaw, pitch, roll = moment.rotation_deg
        shift = np.asarray(moment.sway_m)
        moved = self.joints[0]
        for i, share in enumerate(NECK_SHARES):
            matrix = np.eye(4)
            matrix[:3, :3] = rotation(yaw * share, pitch * share, roll * share)
            matrix[:3, 3] = moved - matrix[:3, :3] @ self.joints[i]
            chain.append(matrix)
            if i + 1 < len(NECK_SHARES):
                nxt = matrix[:3, :3] @ self.joints[i + 1] + matrix[:3, 3]
                moved = nxt + shift / 3
        return chain

    def _skin(self, vertices: Floats32, chain: list[NDArray[np.float64]]) -> Floats32:
        weights = self.model.bone_weights
        result = vertices * (1 - weights.sum(1, keepdims=True))
        for i, matrix in enumerate(chain):
            used = weights[:, i] > 0
            part = vertices[used] @ matrix[:3, :3].T.astype(np.float32)
            result[used] += weights[used, i, None] * (part + matrix[:3, 3].astype(np.float32))
        return np.asarray(result, np.float32)

    def _gazes(self, moment: Moment, head: NDArray[np.float64]) -> Floats32:
        forward = np.array([0.0, -1.0, 0.0])
        yaw, pitch = moment.gaze_deg
        # both eyes look at the lens, about a metre and a half away
        return np.stack(
            [head[:3, :3] @ rotation(yaw + toe, pitch, 0) @ forward for toe in (-1.2, 1.2)]
        ).astype(np.float32)


def _with_gaze(model: HeadModel, moment: Moment) -> Floats32:
    """Facial actions of a moment, with lids that follow the gaze up and down."""
    facial = moment.facial.copy()
    yaw, pitch = moment.gaze_deg

    def add(name: str, value: float) -> None:
        facial[model.facial_names.index(name)] += max(value, 0.0)

    for side, out in (("Left", 1.0), ("Right", -1.0)):
        blink = facial[model.facial_names.index(f"eyeBlink{side}")]
        wide = 1 - min(float(blink), 1.0)
        add(f"eyeLookDown{side}", -pitch / 35 * wide)
        add(f"eyeLookUp{side}", pitch / 30 * wide)
        add(f"eyeLookOut{side}", out * yaw / 40 * wide)
        add(f"eyeLookIn{side}", -out * yaw / 40 * wide)
        facial[model.facial_names.index(f"eyeWide{side}")] *= wide
        facial[model.facial_names.index(f"eyeSquint{side}")] *= wide
    return facial


def _neutral(model: HeadModel, identity: Identity) -> tuple[Floats32, NDArray[np.float64]]:
    """Vertices (v, 3) and joints (4, 3) of this person at rest."""
    shape = identity.shape
    corners, bones = model.corners, model.corner_bones
    values = ((shape.age - 2 / 3) * 3, shape.gender, shape.muscle, shape.weight)
    weights = np.ones((1,))
    for value, count in zip(values, corners.shape[:4], strict=True):
        low, t = _between(corners, value, count)
        axis = np.zeros(count)
        axis[low], axis[low + 1] = 1 - t, t
        weights = np.multiply.outer(weights, axis)
    weights = np.multiply.outer(weights[0], np.array(shape.origin))
    flat = weights.ravel()
    used = np.flatnonzero(flat)
    v = len(model.mean)
    offset = np.einsum(
        "c,cvk->vk", flat[used], corners.reshape(-1, v, 3)[used].astype(np.float32), optimize=True
    )
    joints = model.mean_bones + np.einsum("c,cbk->bk", flat, bones.reshape(flat.size, -1, 3))
    names = model.change_names
    values_of = changes_for(names, shape.changes)
    sign = (values_of < 0).astype(int)
    picked = model.changes[np.arange(len(names)), sign].astype(np.float32)
    strength = np.abs(values_of).astype(np.float32)
    offset = offset + np.tensordot(strength, picked, 1)
    joints = joints + np.tensordot(strength, model.change_bones[np.arange(len(names)), sign], 1)
    return (model.mean + offset).astype(np.float32), joints


STRONG = ("ear-wing", "ear-flap", "shape-triangle", "trans-out", "head-trans", "neck-trans",
          "nose-trans-out", "epicanthus", "head-age", "eye-push", "nose-compression",
          "mouth-trans", "head-angle", "scale-vert", "eye-height", "eye-trans")  # fmt: skip
"""Parts of names of changes that look wrong at full strength and are used at half of it."""
FRIENDLY = ("mouth-angles-up", "eyebrows-angle-up", "eyebrows-trans-up", "l-eye-height2-incr",
            "r-eye-height2-incr")  # fmt: skip
"""Changes whose mean is shifted, since without it half of all people look angry."""


def changes_for(names: tuple[str, ...], draws: tuple[float, ...]) -> Floats32:
    """Strengths (names,) of the local changes `names` from random `draws`.

    Left and right of a pair differ by a tenth of a draw; strong changes are reduced.
    """
    result = np.array(draws[: len(names)], np.float32)
    for i, (first, second) in enumerate(pairwise(names)):
        if first.startswith("l-") and second == "r-" + first[2:]:
            result[i + 1] = np.clip(result[i] * 0.9 + result[i + 1] * 0.1, -1, 1)
    for i, name in enumerate(names):
        if any(s in name for s in STRONG):
            result[i] *= 0.5
        if name.startswith("nose"):
            result[i] *= 0.7
        if name in FRIENDLY:
            result[i] = 0.45 * result[i] + 0.22
    return result
