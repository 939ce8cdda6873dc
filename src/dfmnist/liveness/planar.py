"""How far a face departs from a flat picture, and whether its surroundings move along with it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from dfmnist.faces.mesh import Mesh

Float = npt.NDArray[np.float64]
Frames = npt.NDArray[np.uint8]

SMOOTH_FRAMES = 5
"""Averages out the jitter of the landmarks; a blink still shows."""
START_FRAMES = 4
COARSE_PX = 128
EVERY = 3
SURROUNDINGS = 1.25
"""Half axes of the ellipse left out around the face, of the mesh's extent."""
_MOUTH = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91, 78, 81, 13, 311, 308, 402, 14, 178)


def homography(source_xy: Float, target_xy: Float) -> Float:
    """The (3, 3) plane projective map of least squares between (n, 2) points, n at least 4.

    Normalised direct linear transform (Hartley 1997) with the last element fixed at 1.
    """
    to_source, to_target = _normalising(source_xy), _normalising(target_xy)
    p, q = _apply(to_source, source_xy), _apply(to_target, target_xy)
    ones, zeros = np.ones((len(p), 1)), np.zeros((len(p), 3))
    rows_x = np.concatenate([p, ones, zeros, -q[:, :1] * p], axis=1)
    rows_y = np.concatenate([zeros, p, ones, -q[:, 1:] * p], axis=1)
    a = np.concatenate([rows_x, rows_y])
    b = np.concatenate([q[:, 0], q[:, 1]])
    solved = np.linalg.lstsq(a.T @ a, a.T @ b, rcond=None)[0]
    matrix = np.linalg.inv(to_target) @ np.append(solved, 1.0).reshape(3, 3) @ to_source
    return np.asarray(matrix / matrix[2, 2])


def _normalising(points: Float) -> Float:
    centre = points.mean(axis=0)
    spread = np.sqrt(((points - centre) ** 2).sum(axis=1).mean()) / np.sqrt(2)
    scale = 1 / max(float(spread), 1e-9)
    return np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1.0]])


def _apply(matrix: Float, points: Float) -> Float:
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def residuals(meshes: Sequence[Mesh], size_px: float) -> tuple[Float, Float]:
    """What no flat picture explains: (frames, 468, 2) for the mesh, (frames, 142, 2) for the eyes.

    Each frame's points are mapped onto those of the clip's start by the best homography; what
    remains is given in distances between the outer eye corners.
    """
    faces = np.stack([mesh.points[:, :2] for mesh in meshes]).astype(np.float64)
    eyes = np.stack([_eye_points(mesh) for mesh in meshes])
    face_start = faces[:START_FRAMES].mean(axis=0)
    eye_start = eyes[:START_FRAMES].mean(axis=0)
    face_rest, eye_rest = np.empty_like(faces), np.empty_like(eyes)
    for index, (face, eye) in enumerate(zip(faces, eyes, strict=True)):
        back = homography(face, face_start)
        face_rest[index] = _apply(back, face) - face_start
        eye_rest[index] = _apply(back, eye) - eye_start
    return face_rest / size_px, eye_rest / size_px


def _eye_points(mesh: Mesh) -> Float:
    if mesh.eyes is None:
        return mesh.points[:142, :2].astype(np.float64)
    return mesh.eyes.contours.reshape(-1, 3)[:, :2].astype(np.float64)


def shape_change(face_rest: Float, eye_rest: Float) -> float:
    """The largest smooth departure from a flat picture, of the whole face, the mouth or the eyes.

    RMS over the points, in distances between the outer eye corners; 95th percentile over time.
    """
    parts = (face_rest, face_rest[:, list(_MOUTH)], eye_rest)
    return max(_extent(part) for part in parts)


def jitter(face_rest: Float) -> float:
    """Frame-to-frame noise of the points after the best homography, same unit."""
    if len(face_rest) < 3:
        return 0.0
    second = np.diff(face_rest, n=2, axis=0)
    return float(np.median(np.sqrt((second**2).sum(axis=-1).mean(axis=1) / 6)))


def _extent(rest: Float) -> float:
    if len(rest) < SMOOTH_FRAMES:
        return 0.0
    total = np.cumsum(np.concatenate([np.zeros_like(rest[:1]), rest]), axis=0)
    smooth = (total[SMOOTH_FRAMES:] - total[:-SMOOTH_FRAMES]) / SMOOTH_FRAMES
    smooth = smooth - np.median(smooth, axis=0)
    rms = np.sqrt((smooth**2).sum(axis=-1).mean(axis=1))
    return float(np.percentile(rms, 95))


def coherence(frames_rgb_u8: Frames, meshes: Sequence[Mesh | None]) -> float:
    """Whether the surroundings follow the face as one flat picture: log of (error if they stay
    where they are / error if they move with the face).

    Above 0 they move with it, as behind a photo that is moved; near 0 or below they stay.
    """
    seen = [index for index, mesh in enumerate(meshes) if mesh is not None]
    if len(seen) < START_FRAMES + 1:
        return 0.0
    grey = _coarse(frames_rgb_u8)
    scale = np.array([COARSE_PX / frames_rgb_u8.shape[2], COARSE_PX / frames_rgb_u8.shape[1]])
    points = {i: m.points[:, :2] * scale for i in seen if (m := meshes[i]) is not None}
    first = seen[:START_FRAMES]
    start = np.mean([points[index] for index in first], axis=0).astype(np.float64)
    start_grey = np.mean([grey[index] for index in first], axis=0)
    around = _around(start)
    stays, follows = [1e-3], [1e-3]
    for index in seen[START_FRAMES::EVERY]:
        moved = homography(start, points[index].astype(np.float64))
        warped, inside = _warp(grey[index], moved)
        where = around & inside
        if where.any():
            stays.append(float(np.abs(grey[index] - start_grey)[where].mean()))
            follows.append(float(np.abs(warped - start_grey)[where].mean()))
    return float(np.log(np.mean(stays) / np.mean(follows)))


def _coarse(frames: Frames) -> Float:
    small = [
        np.asarray(
            Image.fromarray(frame).convert("L").resize((COARSE_PX, COARSE_PX), Image.Resampling.BOX)
        )
        for frame in frames
    ]
    return np.stack(small).astype(np.float64)


def _around(points: Float) -> npt.NDArray[np.bool_]:
    low, high = points.min(axis=0), points.max(axis=0)
    centre, half = (low + high) / 2, (high - low) / 2 * SURROUNDINGS
    rows, columns = np.mgrid[0:COARSE_PX, 0:COARSE_PX]
    return np.asarray(
        ((columns - centre[0]) / half[0]) ** 2 + ((rows - centre[1]) / half[1]) ** 2 > 1
    )


def _warp(grey: Float, moved: Float) -> tuple[Float, npt.NDArray[np.bool_]]:
    """`grey` brought back by the map from the start to this frame, and where that is known."""
    size = (COARSE_PX, COARSE_PX)
    data = tuple(moved.ravel()[:8].tolist())
    method, nearest = Image.Transform.PERSPECTIVE, Image.Resampling.NEAREST
    picture = Image.fromarray(grey.astype(np.float32))
    back = np.asarray(picture.transform(size, method, data, Image.Resampling.BILINEAR), np.float64)
    known = Image.new("L", size, 255).transform(size, method, data, nearest)
    return back, np.asarray(known) > 0
