"""Head pose and the state of eyes, brows and mouth, as numbers that do not depend on size.

Axes are those of the image: x right, y down, z away from the camera. Yaw is positive if the person
turns to their own left (image right), pitch if they look up, roll if the head tilts to their own
right shoulder (image left).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from dfmnist.core.arrays import Floats
from dfmnist.faces.mesh import EyePoints, Mesh

# The rigid points of the mesh, in units of the distance between the outer eye corners. They are the
# generalised Procrustes mean of the meshes of six people, made symmetric. Pitch 0 is the pose of
# people who look into the camera.
_MIDDLE: dict[int, tuple[float, float]] = {
    10: (-0.486, -0.222),
    151: (-0.304, -0.243),
    9: (-0.121, -0.251),
    8: (-0.023, -0.228),
    168: (0.065, -0.217),
    6: (0.162, -0.256),
    197: (0.246, -0.304),
    195: (0.324, -0.355),
    5: (0.408, -0.409),
    4: (0.506, -0.427),
    2: (0.633, -0.222),
}
"""Points on the middle of the face: (y, z) by index; x is 0."""
_PAIRS: dict[tuple[int, int], tuple[float, float, float]] = {
    (33, 263): (0.500, 0.102, 0.025),
    (133, 362): (0.196, 0.123, -0.033),
    (109, 338): (0.211, -0.481, -0.204),
    (67, 297): (0.388, -0.454, -0.131),
    (103, 332): (0.549, -0.394, -0.005),
    (54, 284): (0.651, -0.302, 0.141),
    (21, 251): (0.711, -0.185, 0.284),
    (162, 389): (0.742, -0.060, 0.436),
    (127, 356): (0.748, 0.098, 0.563),
    (234, 454): (0.736, 0.250, 0.629),
    (98, 327): (0.192, 0.597, -0.138),
}
"""Symmetric points: (x, y, z) of the right one, by the indices of the left and the right one."""

RIGID = (*_MIDDLE, *(left for left, _ in _PAIRS), *(right for _, right in _PAIRS))
_TEMPLATE: Floats = np.array(
    [(0.0, y, z) for y, z in _MIDDLE.values()]
    + [(-x, y, z) for x, y, z in _PAIRS.values()]
    + [(x, y, z) for x, y, z in _PAIRS.values()]
)

_RIGHT_LIDS = ((160, 144), (158, 153))
_LEFT_LIDS = ((385, 380), (387, 373))
_INNER_LIPS = ((81, 178), (13, 14), (311, 402))
_INNER_CORNERS = (78, 308)
_OUTER_CORNERS = (61, 291)
_UPPER_LIP = 0
_CHEEKS = (234, 454)
_BROWS = (70, 63, 105, 66, 107, 300, 293, 334, 296, 336)
_EYE_CORNERS = (33, 133, 362, 263)


@dataclass(frozen=True)
class Signals:
    """The signals of a face through a clip: one value per frame (n,), NaN without a face."""

    yaw_deg: Floats
    pitch_deg: Floats
    roll_deg: Floats
    eye_right: Floats
    """Aspect ratio of the person's right eye, opening over width: about 0.3 open, 0.1 shut."""
    eye_left: Floats
    mouth_open: Floats
    """Gap between the lips, in widths of the mouth's inner corners."""
    mouth_width: Floats
    """Width of the mouth, in widths of the face at the cheeks."""
    mouth_corner_lift: Floats
    """Height of the mouth's corners above the upper lip's middle, in distances between the outer
    eye corners."""
    brow_raise: Floats
    """Height of the brows above the eye corners, in distances between the outer eye corners."""
    gaze_side: Floats
    """Distance of the iris from the eye's middle towards the image's right, in eye widths."""
    gaze_down: Floats
    """Distance of the iris below the line between the eye's corners, in eye widths."""
    centre_x_px: Floats
    centre_y_px: Floats
    size_px: Floats
    """Distance in pixels between the outer eye corners, as if seen from the front."""
    score: Floats
    """Face presence, 0 to 1; 0 without a face."""

    @property
    def eye_aspect(self) -> Floats:
        """Mean aspect ratio of both eyes."""
        return (self.eye_right + self.eye_left) / 2

    def __len__(self) -> int:
        return len(self.yaw_deg)


def signals(meshes: Sequence[Mesh | None]) -> Signals:
    """The signals of a clip from its meshes, as `FaceMesh.track` gives them."""
    out = {f.name: np.full(len(meshes), np.nan) for f in fields(Signals)}
    out["score"][:] = 0.0
    for index, mesh in enumerate(meshes):
        if mesh is not None:
            for name, value in measure(mesh).items():
                out[name][index] = value
    return Signals(**out)


def measure(mesh: Mesh) -> dict[str, float]:
    """The values of `Signals` for one mesh; gaze and lids come from the iris model if it ran."""
    rotation, scale, centre = align(mesh)
    face = frontal(mesh)
    yaw_deg, pitch_deg, roll_deg = _angles_deg(rotation)
    right, left = eye_aspect_ratio(mesh)
    side, down = gaze(mesh)
    return {
        "yaw_deg": yaw_deg,
        "pitch_deg": pitch_deg,
        "roll_deg": roll_deg,
        "eye_right": right,
        "eye_left": left,
        "mouth_open": _mouth_open(face),
        "mouth_width": _mouth_width(face),
        "mouth_corner_lift": _corner_lift(face),
        "brow_raise": _brow_raise(face),
        "gaze_side": side,
        "gaze_down": down,
        "centre_x_px": float(centre[0]),
        "centre_y_px": float(centre[1]),
        "size_px": scale,
        "score": mesh.score,
    }


def align(mesh: Mesh) -> tuple[Floats, float, Floats]:
    """The similarity from the frontal face to the image: rotation (3, 3), pixels per unit, centre.

    It is the least-squares solution over the rigid points (Procrustes, by singular values).
    """
    points = mesh.points[list(RIGID)].astype(np.float64)
    centre = points.mean(axis=0)
    middle = _TEMPLATE.mean(axis=0)
    model = _TEMPLATE - middle
    u, strength, vt = np.linalg.svd((points - centre).T @ model)
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * flip) @ vt
    scale = float((strength * flip).sum() / (model**2).sum())
    return rotation, scale, centre - scale * rotation @ middle


def frontal(mesh: Mesh) -> Floats:
    """The mesh (468, 3) turned to face the camera, in distances between the outer eye corners."""
    rotation, scale, centre = align(mesh)
    return (mesh.points.astype(np.float64) - centre) @ rotation / scale


def _angles_deg(rotation: Floats) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees of a rotation (3, 3).

    The rotation is first roll about the face's own axis, then pitch, then yaw about the vertical.
    """
    forward = -rotation[:, 2]
    pitch = np.arcsin(np.clip(-forward[1], -1, 1))
    yaw = np.arctan2(forward[0], -forward[2])
    roll = np.arctan2(-rotation[1, 0], rotation[1, 1])
    yaw_deg, pitch_deg, roll_deg = np.degrees([yaw, pitch, roll]).tolist()
    return yaw_deg, pitch_deg, roll_deg


def eye_aspect_ratio(mesh: Mesh) -> tuple[float, float]:
    """Height of the opening over its width, of the person's right eye and left eye."""
    if mesh.eyes is not None:
        right, left = (_opening(contour.astype(np.float64)) for contour in mesh.eyes.contours)
        return right, left
    face = frontal(mesh)
    ratios = []
    for lids, corners in ((_RIGHT_LIDS, (33, 133)), (_LEFT_LIDS, (362, 263))):
        heights = [_distance(face, a, b) for a, b in lids]
        ratios.append(float(np.mean(heights)) / _distance(face, *corners))
    return ratios[0], ratios[1]


def _opening(contour: Floats) -> float:
    # points 1..7 run along the lower lid and 9..15 along the upper, 0 and 8 are the corners
    xy = contour[:, :2]
    width = float(np.hypot(*(xy[8] - xy[0])))
    heights = np.hypot(*(xy[10:15] - xy[2:7]).T)
    return float(heights.mean()) / max(width, 1e-6)


def gaze(mesh: Mesh) -> tuple[float, float]:
    """The gaze to the image's right and down, in eye widths; NaN without the iris model.

    It is the mean of both eyes and ignores the head's pose: 0 is an iris in the middle of the
    visible eye.
    """
    if mesh.eyes is None:
        return float("nan"), float("nan")
    both = [_iris_offset(mesh.eyes, which) for which in (0, 1)]
    side, down = np.mean(both, axis=0).tolist()
    return side, down


def _iris_offset(eyes: EyePoints, which: int) -> Floats:
    corners = eyes.contours[which][[0, 8], :2].astype(np.float64)
    across = corners[1] - corners[0]
    if which == 1:  # its first corner is the outer one, on the image's right
        across = -across
    width = max(float(np.hypot(*across)), 1e-6)
    along = across / width
    offset = eyes.irises[which][0, :2] - corners.mean(axis=0)
    return np.array([offset @ along, offset @ np.array([-along[1], along[0]])]) / width


def _distance(face: Floats, a: int, b: int) -> float:
    return float(np.linalg.norm(face[a] - face[b]))


def _mouth_open(face: Floats) -> float:
    gap = float(np.mean([_distance(face, a, b) for a, b in _INNER_LIPS]))
    return gap / max(_distance(face, *_INNER_CORNERS), 1e-6)


def _mouth_width(face: Floats) -> float:
    return _distance(face, *_OUTER_CORNERS) / max(_distance(face, *_CHEEKS), 1e-6)


def _corner_lift(face: Floats) -> float:
    return float(face[_UPPER_LIP, 1] - face[list(_OUTER_CORNERS), 1].mean())


def _brow_raise(face: Floats) -> float:
    return float(face[list(_EYE_CORNERS), 1].mean() - face[list(_BROWS), 1].mean())
