"""Guidance of the motion by the face mesh: within the face, pixels move as the mesh moves.

The motion model was trained on synthetic actors, and follows heads and mouths of real people too
little. The face mesh (`faces.mesh`), which was trained on real people, measures the driver's pose
and expression. The source's mesh takes the driver's change of pose and of shape in three
dimensions, and tells for each pixel of the face from where in the source it comes. The model's own
motion is corrected to that at the mesh points that both pictures show; around the face the
correction fades to nothing, so that hair, neck and background move as the model says. The inside
of a mouth that opens is the driver's (`fomm.mouth`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from scipy.spatial import Delaunay
from torch import Tensor
from torch.nn.functional import grid_sample

from dfmnist.core.arrays import Floats, Floats32, Frames, RgbImage
from dfmnist.faces.mesh import EyePoints, Mesh, face_mesh
from dfmnist.faces.pose import align
from dfmnist.fomm.mesh_points import MESH_NAMES, named_points
from dfmnist.fomm.mouth import (
    CHART_HW,
    Chart,
    Mouth,
    Points,
    chart_of,
    draw_mouth,
    light_of,
    opening,
)
from dfmnist.fomm.networks.keypoints import Keypoints

NO_MESH = "no face found by the face mesh"
"""Problem of a picture whose motion cannot be guided."""
MESH, IRIS = 468, 5
"""Numbers of points of the face mesh and of one iris."""
_CONTOUR = (*range(16), 50)
"""Points of the iris model's eye contour that are used: the lids, and the outer end of the brow."""
LID = len(_CONTOUR)
NUM_POINTS = MESH + 2 * (LID + IRIS)
"""Number of points of a guiding face: mesh, right and left lids, right and left iris."""
_LIDS = (slice(MESH, MESH + LID), slice(MESH + LID, MESH + 2 * LID))
_IRISES = (
    slice(NUM_POINTS - 2 * IRIS, NUM_POINTS - IRIS),
    slice(NUM_POINTS - IRIS, None),
)
_EYES = ((33, 133), (362, 263))
"""Mesh points of each eye's corners."""
_UPPER, _LOWER, _CORNERS = 12, 4, [0, 8]
"""Points of a lid contour: the middle of the upper and of the lower lid, and both corners."""
OUTLINE = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""Mesh points around the face."""
AROUND_EYES = (
    33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246,
    362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398,
)  # fmt: skip
"""Mesh points on the lids' edges. They do not guide, since the mesh hardly sees lids close: the
motion model moves the lids."""
REACH = 1.45
"""Distance from the face's middle, in distances of its outline, where the correction has ended."""
HIDDEN, FACING = 0.05, 0.35
"""Cosine between the surface's normal and the line of sight: below the first value a point does
not guide, above the second one it guides fully."""
GUIDED_PARTS = ("eye_", "mouth_", "lip_", "brow_", "nose_")
"""Beginnings of the names of keypoints whose movement is the mesh's. Chin, jaw, ears and forehead,
which the mesh places less well, keep the movement that the model found."""
SHUT, NARROW = 0.3, 0.6
"""Gap between the lids as the iris model sees it, as a share of the driver's first gap: with eyes
that are shut, and where they are narrow. Below the latter lids close further than it sees."""
_LARGEST_EYES = 2.5
"""Largest ratio between the eyes of source and driver by which a movement of lids is enlarged."""


class Faces(NamedTuple):
    """What guides the motion of n frames: the faces in them."""

    points: Points
    """Face points (n, `NUM_POINTS`, 3) as of `face_points`; NaN in a frame without a face."""
    mouths: Chart
    """Charts (n, h, w, 3) of the insides of the mouths (`mouth.chart_of`)."""
    light: Floats32
    """Brightness (n,) of the skin around the mouths."""

    def at(self, index: slice | npt.NDArray[np.intp]) -> "Faces":
        """The faces of the frames at `index`."""
        return Faces(self.points[index], self.mouths[index], self.light[index])

    def mouth(self, index: int) -> Mouth:
        """The mouth of the frame at `index`."""
        return Mouth(self.mouths[index], float(self.light[index]))

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """True for each of the frames (n,) that shows a face."""
        return np.asarray(np.isfinite(self.points).all(axis=(-2, -1)), np.bool_)


class Guide(NamedTuple):
    """Guidance of a batch of frames, for a motion of p = h · w pixels; positions in [-1, 1]."""

    source: Float[Tensor, "b v 2"]
    """Positions of the guiding points in the source picture."""
    target: Float[Tensor, "b v 2"]
    """Positions of the same points in the picture to make."""
    trust: Float[Tensor, "b v 1"]
    """Share of the correction that counts at each point: 0 where one picture hides it."""
    corners: Int[Tensor, "b p 3"]
    """Indices of the three points around each pixel; where there are none, with shares of 0."""
    shares: Float[Tensor, "b p 3"]
    """Barycentric coordinates of the pixel between them."""

    def at(self, index: slice) -> "Guide":
        """The guidance of the frames at `index`."""
        return Guide(*(value[index] for value in self))


def guided(deformation: Float[Tensor, "b h w 2"], guide: Guide) -> Float[Tensor, "b h w 2"]:
    """The motion `deformation`, corrected so that guiding points come from where they should.

    `deformation` gives the position in the source, in [-1, 1], from which each pixel comes.
    """
    b, h, w, _ = deformation.shape
    flow = deformation.permute(0, 3, 1, 2)
    there = grid_sample(flow, guide.target[:, None], padding_mode="border", align_corners=True)
    correction = (guide.source - there[:, :, 0].transpose(1, 2)) * guide.trust
    index = guide.corners.reshape(b, -1, 1).expand(-1, -1, 2)
    around = torch.gather(correction, 1, index).reshape(b, h * w, 3, 2)
    return deformation + (around * guide.shares[..., None]).sum(2).reshape(b, h, w, 2)


def face_points(mesh: Mesh | None, width: int, height: int) -> Floats32:
    """The guiding points (`NUM_POINTS`, 3) of a face in a picture (h, w); NaN without a face.

    x and y are in [-1, 1] as keypoints are, z grows away from the camera in the same unit. `mesh`
    must have eyes. Raises `ValueError` if it has none.
    """
    if mesh is None:
        return np.full((NUM_POINTS, 3), np.nan, np.float32)
    if mesh.eyes is None:
        raise ValueError("a mesh without eyes; expected one with the iris model's points")
    found = mesh.points.astype(np.float64)
    depths = [found[list(pair), 2].mean() for pair in _EYES]  # the iris model has another depth
    parts = [found]
    for eyes in (mesh.eyes.contours[:, _CONTOUR], mesh.eyes.irises):
        for one, depth in zip(eyes, depths, strict=True):
            parts.append(np.column_stack([one[:, :2], np.full(len(one), depth)]))
    points = np.concatenate(parts)
    # pixel 0's centre is at 0.5; a picture that is not square is stretched, as the model sees it
    points[:, :2] = (points[:, :2] - 0.5) / (width - 1, height - 1) * 2 - 1
    points[:, 2] *= 2 / (width - 1)
    return points.astype(np.float32)


class FaceTracker:
    """A finder of the guiding points of one face, in one frame after the other."""

    def __init__(self) -> None:
        self._finder = face_mesh()
        self._last: Mesh | None = None

    def __call__(self, frame_rgb_u8: RgbImage) -> Faces:
        """The face in the frame (h, w, 3); n is 1."""
        self._last = self._finder.follow(frame_rgb_u8, self._last)
        mesh = self._last and self._finder.find_eyes(frame_rgb_u8, self._last)
        points = face_points(mesh, frame_rgb_u8.shape[1], frame_rgb_u8.shape[0])
        chart, light = np.zeros((*CHART_HW, 3), np.uint8), 0.0
        if mesh is not None:
            chart, light = chart_of(frame_rgb_u8, points), light_of(frame_rgb_u8, points)
        return Faces(points[None], chart[None], np.array([light], np.float32))


def join_faces(faces: Sequence[Faces]) -> Faces:
    """The faces of all, one after the other; at least one."""
    return Faces(*(np.concatenate(values) for values in zip(*faces, strict=True)))


@dataclass(frozen=True)
class _Posed:
    """A face's shape, seen from the front, and where it is in the picture."""

    shape: Floats
    rotation: Floats
    scale: float
    centre: Floats

    @classmethod
    def of(cls, points: npt.NDArray[np.floating[Any]]) -> "_Posed":
        rotation, scale, centre = align(Mesh(points[:MESH].astype(np.float32), 1.0))
        shape = (points.astype(np.float64) - centre) @ rotation / scale
        return cls(shape, rotation, scale, centre)

    def place(self, shape: Floats) -> Floats:
        return shape @ self.rotation.T * self.scale + self.centre


class Guided(NamedTuple):
    """The guided motion of n frames."""

    keypoints: Keypoints
    """Driving keypoints (n, k, …)."""
    guide: Guide
    points: Floats
    """Face points (n, `NUM_POINTS`, 3) of the frames to make, NaN where nothing is guided."""


class FaceGuide:
    """Guidance of the motion of one source by one driver: from face points to a `Guide`.

    `source` is the face in the source (n = 1), `first` the face points (`NUM_POINTS`, 3) of the
    driver's frame from which the motion is measured. `size_hw` is the size of the motion. Motion is
    relative: the driver's change since `first`, in the scale of the source's face.
    """

    def __init__(
        self, source: Faces, first: Points, size_hw: tuple[int, int], names: Sequence[str] = ()
    ) -> None:
        """`names`: the face point that each keypoint was taught to be, or () if there are none."""
        self._points = source.points[0].astype(np.float64)
        self._source, self._first = _Posed.of(self._points), _Posed.of(first)
        self._gap, self._mouth = opening(source.points[0]), source.mouth(0)
        self._triangles = Delaunay(self._source.shape[:MESH, :2]).simplices
        self._seen = self._facing(self._points, self._source.shape)
        self._size_hw = height, width = size_hw
        x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
        self._pixels = np.stack([x, y], axis=-1).reshape(-1, 2)
        self._names = tuple(names) if set(names) <= set(MESH_NAMES) else ()
        self._named = _named(self._points) if self._names else None

    def moved(self, driving: Points) -> Floats:
        """Face points of the source that has moved as the driver has: (`NUM_POINTS`, 3)."""
        moved = self._move(driving)
        return moved.place(moved.shape)

    def __call__(self, target: Keypoints, source: Keypoints, driving: Points) -> "Guided":
        """The guided motion (n = 1) towards the driver's face points `driving`.

        `target` are the keypoints (1, k, …) that the model would move to, `source` those of the
        source. Where the mesh sees best, the keypoints' movement is replaced by the mesh's, if the
        model was taught which points its keypoints are. Without a face nothing is changed.
        """
        if np.isfinite(driving).all():
            moved = self._move(driving)
            points = moved.place(moved.shape)
            if np.isfinite(points).all():  # points of no face may lie on one line
                guide = self._guide(points, moved.shape)
                return Guided(self._keypoints(target, source, points), guide, points[None])
        nowhere = np.full((1, NUM_POINTS, 3), np.nan)
        return Guided(target, still_guide(self._size_hw), nowhere)

    def batch(self, target: Keypoints, source: Keypoints, driving: Points) -> "Guided":
        """The same for n frames: target (n, k, …), driving (n, `NUM_POINTS`, 3)."""
        each = [self(target.at(slice(i, i + 1)), source, face) for i, face in enumerate(driving)]
        keypoints, guides, points = zip(*each, strict=True)
        return Guided(
            Keypoints(*(torch.cat(values) for values in zip(*keypoints, strict=True))),
            Guide(*(torch.cat(values) for values in zip(*guides, strict=True))),
            np.concatenate(points),
        )

    def with_mouths(self, frames: Frames, points: Floats, driving: Faces) -> Frames:
        """The frames (n, h, w, 3), whose face points are `points`, with mouths drawn into them.

        `mouth.draw_mouth` says whose: the driver's or the source's own.
        """
        out = []
        for index, (frame, own) in enumerate(zip(frames, points, strict=True)):
            if np.isfinite(own).all():
                mouth = driving.mouth(index)
                frame = draw_mouth(frame, own, mouth, self._mouth, self._gap)
            out.append(frame)
        return np.stack(out)

    def _move(self, driving: Points) -> "_Posed":
        source, first, now = self._source, self._first, _Posed.of(driving)
        shape = source.shape + (now.shape - first.shape)
        for lids, iris in zip(_LIDS, _IRISES, strict=True):
            # lids that close by half do so in small eyes too
            own, was, became = source.shape[lids], first.shape[lids], now.shape[lids]
            gap = max(_opening(was), 1e-6)
            larger = float(np.clip(_opening(own) / gap, 1 / _LARGEST_EYES, _LARGEST_EYES))
            moved = _middle(became) - _middle(was)
            change = became - was - moved
            change[:-1] *= larger * _closing(_opening(became) / gap)
            shape[lids] = own + moved + change
            shape[iris] = source.shape[iris] + moved
        return _Posed(
            shape,
            now.rotation @ first.rotation.T @ source.rotation,
            source.scale * now.scale / first.scale,
            source.centre + (now.centre - first.centre) * (source.scale / first.scale),
        )

    def _guide(self, points: Floats, shape: Floats) -> Guide:
        facing = self._facing(points, shape)
        guiding = np.setdiff1d(np.flatnonzero(facing > HIDDEN), AROUND_EYES)
        end = _ring(points)
        target = np.concatenate([points[guiding, :2], end])
        source = np.concatenate([self._points[guiding, :2], end])
        trust = np.minimum(_smooth(self._seen[guiding]), _smooth(facing[guiding]))
        trust = np.concatenate([trust, np.zeros(len(end))])
        mesh = Delaunay(target)
        found = mesh.find_simplex(self._pixels)
        to = mesh.transform[found]
        two = np.einsum("pij,pj->pi", to[:, :2], self._pixels - to[:, 2])
        shares = np.column_stack([two, 1 - two.sum(axis=1)])
        shares[(found < 0) | ~np.isfinite(shares).all(axis=1)] = 0
        return _padded(source, target, trust, mesh.simplices[found].astype(np.int64), shares)

    def _keypoints(self, target: Keypoints, source: Keypoints, points: Floats) -> Keypoints:
        if self._named is None:
            return target
        change = torch.from_numpy(_named(points) - self._named).float()
        value = target.value.clone()
        for at, name in enumerate(self._names):
            if name.startswith(GUIDED_PARTS):
                value[:, at] = source.value[:, at] + change[MESH_NAMES.index(name)]
        for side in ("left", "right"):
            eye = (f"pupil_{side}", f"eye_{side}_upper", f"eye_{side}_lower")
            if set(eye) <= set(self._names):
                # the gaze within the lids is the model's, which follows better than the iris model
                pupil, upper, lower = (self._names.index(name) for name in eye)
                own = target.value[:, pupil] - target.value[:, [upper, lower]].mean(1)
                value[:, pupil] = value[:, [upper, lower]].mean(1) + own
        return Keypoints(value, target.jacobian)

    def _facing(self, points: Floats, shape: Floats) -> Floats:
        """Cosine between each mesh point's normal and the line of sight: (`MESH`,)."""
        a, b, c = (self._triangles[:, i] for i in range(3))
        normal = np.cross(points[b] - points[a], points[c] - points[a])
        # a triangle of the frontal shape may be listed in either direction
        along, other = (shape[b] - shape[a])[:, :2], (shape[c] - shape[a])[:, :2]
        turn = along[:, 0] * other[:, 1] - along[:, 1] * other[:, 0]
        normal *= np.sign(turn)[:, None]
        total = np.zeros((MESH, 3))
        for corner in (a, b, c):
            np.add.at(total, corner, normal)
        return np.asarray(total[:, 2] / np.maximum(np.linalg.norm(total, axis=1), 1e-12))


_MOST = MESH - len(AROUND_EYES) + len(OUTLINE) + 4
"""Number of guiding points in a `Guide`: those of the face, the ring around it, four far corners.
Hidden ones are left out and replaced by points that do nothing."""


def still_guide(size_hw: tuple[int, int]) -> Guide:
    """A `Guide` (batch 1) that changes nothing, for a motion of the size `size_hw`."""
    count, nothing = size_hw[0] * size_hw[1], np.zeros((0, 2))
    corners = np.zeros((count, 3), np.int64)
    return _padded(nothing, nothing, np.zeros(0), corners, np.zeros((count, 3)))


def _padded(
    source: Floats, target: Floats, trust: Floats, corners: npt.NDArray[np.int64], shares: Floats
) -> Guide:
    more = _MOST - len(source)
    return Guide(
        torch.from_numpy(np.pad(source, ((0, more), (0, 0)))).float()[None],
        torch.from_numpy(np.pad(target, ((0, more), (0, 0)))).float()[None],
        torch.from_numpy(np.pad(trust, (0, more))).float()[None, :, None],
        torch.from_numpy(corners)[None],
        torch.from_numpy(shares).float()[None],
    )


def _ring(points: Floats) -> Floats:
    """Positions (n, 2) around the moved face where the correction has ended."""
    outline = points[list(OUTLINE), :2]
    middle = outline.mean(axis=0)
    far = np.array([[-9.0, -9.0], [9.0, -9.0], [-9.0, 9.0], [9.0, 9.0]])
    return np.concatenate([middle + (outline - middle) * REACH, far])


def _named(points: Floats) -> Floats32:
    contours = np.zeros((2, max(_CONTOUR) + 1, 3), np.float32)
    contours[:, _CONTOUR] = [points[lids] for lids in _LIDS]
    irises = np.stack([points[iris] for iris in _IRISES]).astype(np.float32)
    return named_points(Mesh(points[:MESH].astype(np.float32), 1.0, EyePoints(contours, irises)))


def _opening(lids: Floats) -> float:
    return float(abs(lids[_UPPER, 1] - lids[_LOWER, 1]))


def _closing(share: float) -> float:
    """Factor of the lids' movement if their gap is `share` of what it was."""
    if share >= NARROW:
        return 1.0
    true = max(0.0, (share - SHUT) / (NARROW - SHUT) * NARROW)
    return (1 - true) / (1 - share)


def _middle(lids: Floats) -> Floats:
    return np.asarray(lids[_CORNERS].mean(axis=0))


def _smooth(cosine: Floats) -> Floats:
    share = np.clip((cosine - HIDDEN) / (FACING - HIDDEN), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))
