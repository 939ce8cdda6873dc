"""Ground truth of every frame: positions and Jacobians of named points in the picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfmnist.actors.deform import Body, Posed
from dfmnist.actors.identity import Identity
from dfmnist.actors.landmarks import PUPILS, find_landmarks
from dfmnist.core.arrays import Floats32


@dataclass(frozen=True)
class CameraView:
    """Camera along +y with a shifted lens, which keeps vertical lines vertical."""

    position: tuple[float, float, float]
    focal_px: float
    centre_x: float
    centre_y: float

    @classmethod
    def of(cls, identity: Identity, body: Body, hair: Floats32, size: int) -> "CameraView":
        """The camera that shows head and hair at `head_fraction` of the frame's height.

        `hair` are the vertices of the hair, `size` is the side of the frame in pixels.
        """
        camera = identity.camera
        marks = find_landmarks()
        chin = body.neutral[marks.vertices[marks.names.index("chin")]]
        eyes = body.eye_centres.mean(0)
        head_top = float(body.neutral[:, 2].max())
        top = max(head_top, min(float(hair[:, 2].max()), head_top + 0.045))
        bottom = float(chin[2]) - 0.008
        depth = camera.distance_m
        focal = camera.head_fraction * size * depth / (top - bottom)
        position = (0.0, float(eyes[1]) - depth, float(eyes[2]) + camera.height_m)
        middle_z = (top + bottom) / 2
        return cls(
            position,
            focal,
            camera.centre_x * size,
            camera.centre_y * size + focal * (middle_z - position[2]) / depth,
        )

    def project(self, points: Floats32) -> NDArray[np.float64]:
        """Pixels (…, 2), x right, y down, of points (…, 3) in metres; pixel centres are at .5."""
        relative = np.asarray(points, np.float64) - np.array(self.position)
        depth = relative[..., 1]
        return np.stack(
            [
                self.centre_x + self.focal_px * relative[..., 0] / depth,
                self.centre_y - self.focal_px * relative[..., 2] / depth,
            ],
            -1,
        )

    def project_directions(self, points: Floats32, directions: Floats32) -> NDArray[np.float64]:
        """Pixels per metre (…, 2, k) along k directions (…, k, 3) at points (…, 3)."""
        relative = (np.asarray(points, np.float64) - np.array(self.position))[..., None, :]
        depth = relative[..., 1]
        d = np.asarray(directions, np.float64)
        x = self.focal_px * (d[..., 0] - relative[..., 0] * d[..., 1] / depth) / depth
        y = -self.focal_px * (d[..., 2] - relative[..., 2] * d[..., 1] / depth) / depth
        return np.stack([x, y], -2)


def point_names() -> tuple[str, ...]:
    """Names of the points, in the order of the arrays."""
    return (*find_landmarks().names, *PUPILS)


def locate(
    view: CameraView, body: Body, posed: Posed
) -> tuple[Floats32, Floats32, Floats32, Floats32]:
    """Truth of one frame: points, Jacobians, depths and the head's box.

    Shapes and units: points (p, 2) px, Jacobians (p, 2, 2) px per cm, depths (p,) m, box (4,) px.
    The columns of a Jacobian are the pixels per centimetre on the shared head's surface: level
    (towards the person's left at the front) and up. Hidden points have values too.
    """
    marks = find_landmarks()
    vertices = posed.vertices
    points = vertices[marks.vertices]
    ring = vertices[marks.ring]
    tangents = np.einsum("pck,pkx->pcx", marks.weights, ring - ring.mean(1, keepdims=True))
    up = posed.head[:3, 2]
    pupils, pupil_tangents = [], []
    for centre, gaze in zip(posed.eye_centres, posed.gazes, strict=True):
        level = np.cross(up, gaze)
        level /= np.linalg.norm(level)
        pupils.append(centre + body.eye_radius * gaze)
        pupil_tangents.append(np.stack([level, np.cross(gaze, level)]))
    points = np.concatenate([points, np.stack(pupils)])
    tangents = np.concatenate([tangents, np.stack(pupil_tangents)])
    jacobians = view.project_directions(points, tangents.astype(np.float32)) / 100.0
    head = view.project(vertices[body.model.bone_weights[:, 3] > 0.9])
    box = np.concatenate([head.min(0), head.max(0)])
    depth = points[:, 1] - view.position[1]
    return (
        view.project(points).astype(np.float32),
        jacobians.astype(np.float32),
        depth.astype(np.float32),
        box.astype(np.float32),
    )
