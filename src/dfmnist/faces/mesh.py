"""Face mesh (468 points) and eyes (71 points and 5 iris points each), computed by OpenVINO.

The models are those of Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on
Mobile GPUs", 2019, and Ablavatski et al., "Real-time Pupil Tracking from Monocular Video", 2020.
Their input is the same as in mediapipe: the box of the previous points, turned so that the eyes are
level, squared and enlarged by half. Each model uses one thread.
"""

import functools
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from dfmnist.core.arrays import Floats32, RgbImage
from dfmnist.core.quiet_openvino import openvino
from dfmnist.faces.mtcnn import Mtcnn, mtcnn
from dfmnist.faces.weights import face_model

MESH_PX = 192
"""Side in pixels of the mesh model's input."""
IRIS_PX = 64
"""Side in pixels of the iris model's input."""
MIN_SCORE = 0.5
"""Smallest face presence that counts as a face (mediapipe's min_tracking_confidence)."""
MESH_MARGIN = 1.5
"""Side of the mesh model's region, in sides of the box around the face."""
IRIS_MARGIN = 2.3
"""Side of the iris model's region, in widths of the eye (mediapipe's iris graph)."""
RIGHT_EYE_OUTER, RIGHT_EYE_INNER = 33, 133
LEFT_EYE_INNER, LEFT_EYE_OUTER = 362, 263


@dataclass(frozen=True)
class Region:
    """A rotated square in an image."""

    centre_xy: tuple[float, float]
    side_px: float
    angle_rad: float
    """Rotation in radians, clockwise in the image; 0 is upright."""


@dataclass(frozen=True)
class EyePoints:
    """The points of both eyes from the iris model, in pixels of the image."""

    contours: Floats32
    """Eye points (2, 71, 3): the person's right eye, then the left; the first 16 are on lids."""
    irises: Floats32
    """Iris points (2, 5, 3): the centre, then four points on the rim."""


@dataclass(frozen=True)
class Mesh:
    """The mesh of one face in one image."""

    points: Floats32
    """Points (468, 3) in pixels; z grows away from the camera and has the scale of x."""
    score: float
    """Face presence, 0 to 1."""
    eyes: EyePoints | None = None


class FaceMesh:
    """A finder of face meshes in single images and through clips."""

    def __init__(self, detector: Mtcnn | None = None) -> None:
        self._detector = detector or mtcnn()
        self._mesh = _Model("face_landmark", 1, (1404, 1))
        self._iris = _Model("iris_landmark", 2, (213, 15))

    def __call__(
        self, image_rgb_u8: RgbImage, box_xyxy: Floats32 | None = None, *, with_eyes: bool = True
    ) -> Mesh | None:
        """The mesh of the largest face or of the one in `box_xyxy`; None if there is no face."""
        if box_xyxy is None:
            found = self._detector.detect(image_rgb_u8)
            best = found.largest()
            if best is None:
                return None
            region = _region_of_box(found.boxes_xyxy[best], found.points[best])
        else:
            region = _region_of_box(box_xyxy, None)
        first = self._run(image_rgb_u8, region)
        if first is None:
            return None
        # once more from its own points, since the detector's box is only roughly centred
        mesh = self._run(image_rgb_u8, region_of_points(first.points))
        return self.find_eyes(image_rgb_u8, mesh) if mesh and with_eyes else mesh

    def track(
        self, frames_rgb_u8: Iterable[RgbImage], *, with_eyes: bool = True
    ) -> list[Mesh | None]:
        """The meshes of one face through a clip: a mesh or None for each frame.

        The face is detected in the first frame and again when it is lost; otherwise its previous
        position is the start.
        """
        track: list[Mesh | None] = []
        last: Mesh | None = None
        for frame in frames_rgb_u8:
            last = self.follow(frame, last)
            track.append(self.find_eyes(frame, last) if last and with_eyes else last)
        return track

    def follow(self, frame_rgb_u8: RgbImage, last: Mesh | None) -> Mesh | None:
        """The mesh of the face that was at `last`, without eyes; a lost face is detected anew."""
        mesh = self._run(frame_rgb_u8, region_of_points(last.points)) if last else None
        return self(frame_rgb_u8, with_eyes=False) if mesh is None else mesh

    def _run(self, image: RgbImage, region: Region) -> Mesh | None:
        patch, transform = cut_region(image, region, MESH_PX)
        raw, logit = self._mesh(patch[None])
        score = 1.0 / (1.0 + float(np.exp(-np.clip(logit[0, 0], -50, 50))))
        if score < MIN_SCORE:
            return None
        points = _to_image(raw.reshape(-1, 3), transform)
        return Mesh(points, score) if np.isfinite(points).all() else None

    def find_eyes(self, image: RgbImage, mesh: Mesh) -> Mesh:
        corners = ((RIGHT_EYE_OUTER, RIGHT_EYE_INNER), (LEFT_EYE_INNER, LEFT_EYE_OUTER))
        patches, transforms = [], []
        for first, second in corners:
            region = _region_of_eye(mesh.points[first], mesh.points[second])
            patch, transform = cut_region(image, region, IRIS_PX)
            patches.append(patch)
            transforms.append(transform)
        # the model expects the nose on the image's right, so the left eye is mirrored
        patches[1] = patches[1][:, ::-1]
        contours: list[Floats32] = []
        irises: list[Floats32] = []
        for values, into in zip(self._iris(np.stack(patches)), (contours, irises), strict=True):
            points = values.reshape(2, -1, 3)
            points[1, :, 0] = IRIS_PX - points[1, :, 0]
            into += [_to_image(p, t) for p, t in zip(points, transforms, strict=True)]
        return Mesh(mesh.points, mesh.score, EyePoints(np.stack(contours), np.stack(irises)))


@functools.lru_cache(maxsize=1)
def face_mesh() -> FaceMesh:
    """The face mesh finder of this process, compiled once."""
    return FaceMesh()


def region_of_points(points: Floats32) -> Region:
    """The region that contains a face whose points in the previous frame were `points` (468, 3)."""
    across = points[LEFT_EYE_OUTER, :2] - points[RIGHT_EYE_OUTER, :2]
    angle = float(np.arctan2(across[1], across[0]))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    level = points[:, :2] @ turn.T
    low, high = level.min(axis=0), level.max(axis=0)
    centre = turn.T @ ((low + high) / 2)
    side = float((high - low).max()) * MESH_MARGIN
    return Region((float(centre[0]), float(centre[1])), side, angle)


def _region_of_box(box_xyxy: Floats32, points: Floats32 | None) -> Region:
    angle = 0.0
    if points is not None:
        across = points[1] - points[0]
        angle = float(np.arctan2(across[1], across[0]))
    centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
    side = float((box_xyxy[2:] - box_xyxy[:2]).max()) * MESH_MARGIN
    return Region((float(centre[0]), float(centre[1])), side, angle)


def _region_of_eye(first: Floats32, second: Floats32) -> Region:
    across = second[:2] - first[:2]
    centre = (first[:2] + second[:2]) / 2
    side = max(1.0, float(np.hypot(*across)) * IRIS_MARGIN)
    angle = float(np.arctan2(across[1], across[0]))
    return Region((float(centre[0]), float(centre[1])), side, angle)


def cut_region(image_rgb_u8: RgbImage, region: Region, size: int) -> tuple[Floats32, Floats32]:
    """The region as pixels (size, size, 3) of 0..1 and the matrix (2, 3) back to the image.

    Pixels outside the image are black. The matrix takes pixels of the region, counted from its
    corner, to pixels of the image.
    """
    step = region.side_px / size
    cos, sin = np.cos(region.angle_rad) * step, np.sin(region.angle_rad) * step
    x, y = region.centre_xy
    half = size / 2
    matrix = np.array(
        [[cos, -sin, x - cos * half + sin * half], [sin, cos, y - sin * half - cos * half]]
    )
    picture, shrink = Image.fromarray(image_rgb_u8), max(1, int(step))
    if shrink > 1:  # bilinear sampling alone would skip pixels of a large face
        picture = picture.reduce(shrink)
    patch = picture.transform(
        (size, size),
        Image.Transform.AFFINE,
        tuple((matrix / shrink).ravel().tolist()),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(patch, np.float32) / 255.0, matrix.astype(np.float32)


def _to_image(points: Floats32, matrix: Floats32) -> Floats32:
    """Points (n, 3) in pixels of the image, from points in pixels of the model's input."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    xy = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([xy, points[:, 2:] * scale], axis=1).astype(np.float32)


class _Model:
    """A compiled model that takes images and gives flat vectors."""

    def __init__(self, name: str, batch: int, sizes: tuple[int, ...]) -> None:
        """`sizes` are the numbers of values for each image in the wanted outputs, in order."""
        core = openvino.Core()
        model = core.read_model(str(face_model(name)))
        height, width = (model.input().partial_shape[axis].get_length() for axis in (1, 2))
        model.reshape([batch, height, width, 3])
        # float32, since bfloat16 makes the points jump and differ between processors
        options: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": 1,
            # with pinning, every process would bind its one thread to the first core
            "ENABLE_CPU_PINNING": False,
        }
        self._request = core.compile_model(model, "CPU", options).create_infer_request()
        self._lock = threading.Lock()
        self._batch = batch
        self._sizes = sizes

    def __call__(self, patches: Floats32) -> list[Floats32]:
        """An array (batch, n) for each n of `sizes`; `patches` are (batch, size, size, 3), 0..1."""
        with self._lock:
            self._request.infer([np.ascontiguousarray(patches)])
            outputs = [
                np.array(self._request.get_output_tensor(index).data, np.float32)
                for index in range(len(self._sizes))
            ]
        flat = {output.size // self._batch: output for output in outputs}
        return [flat[size].reshape(self._batch, size) for size in self._sizes]
