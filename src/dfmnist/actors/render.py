"""Renderer of one person, frame by frame: rays are cast against the posed mesh and shaded.

Only tiles that moving parts may touch are traced in each frame. The still torso and the background
are traced once per person, as a background plate. Only edges get more than one ray per pixel.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfmnist.actors import shading
from dfmnist.actors.deform import Moment, Posed
from dfmnist.actors.device import default_device
from dfmnist.actors.identity import Identity
from dfmnist.actors.performance import Performance
from dfmnist.actors.stage import ActorStage
from dfmnist.core.arrays import Floats32, RgbImage

EDGE_SAMPLES = np.array([(-0.30, -0.34), (0.40, -0.08), (-0.16, 0.38)], np.float32)
"""Offsets from the pixel centre of the additional rays at edges, in pixels."""
CONTRAST, HAIR_CONTRAST, EDGE_CONTRAST, DEPTH_JUMP_M = 0.15, 0.30, 0.05, 0.012
"""Steps that make an edge, in brightness (in general, in hair, between materials) and depth."""
TILE = 12
"""Side of a tile in pixels; larger than any triangle."""


Window = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class Frame:
    """One rendered frame, with the pose in it."""

    image: RgbImage
    posed: Posed
    rotation_deg: tuple[float, float, float]
    """Yaw, pitch and roll of the head, the person's resting pose included."""


def moment(
    identity: Identity, names: tuple[str, ...], performance: Performance, frame: int
) -> Moment:
    """The moment of `performance` at `frame` as this person performs it.

    `names` are those of `HeadModel.facial_names`.
    """
    facial = np.zeros(len(names), np.float32)
    for name, track in performance.facial.items():
        facial[names.index(name)] = track[frame]
    p, (yaw, pitch, roll) = performance, identity.first_pose_deg
    return Moment(
        (
            float(p.yaw_deg[frame]) + yaw,
            float(p.pitch_deg[frame]) + pitch,
            float(p.roll_deg[frame]) + roll,
        ),
        facial,
        (float(p.gaze_deg[frame, 0]), float(p.gaze_deg[frame, 1])),
        (float(p.sway_m[frame, 0]), float(p.sway_m[frame, 1]), float(p.sway_m[frame, 2])),
    )


class Camera:
    """Camera before one actor's stage, with the background plate."""

    def __init__(self, stage: ActorStage) -> None:
        self.stage = stage
        size = stage.size
        rows, columns = np.mgrid[:size, :size]
        self._grid = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], 1).astype(np.float32)
        self._behind = stage.backdrop.reshape(-1, 3)
        self._still = np.zeros((size, size), bool)
        self._plate = stage.backdrop
        self._plate_keys = np.full((size, size, 2), -1, np.float32)
        self._paint_plate()

    def _paint_plate(self) -> None:
        stage = self.stage
        vertices = stage.take_pose(stage.neutral)
        stage.cast_shadows(everywhere=True)
        image, keys = self._develop(stage.neutral, np.arange(stage.size**2))
        self._plate, self._plate_keys = image, keys
        self._still = keys[..., 0] == int(shading.CLOTH)
        self._neutral_tiles = self._tiles(vertices)

    def shoot(self, posed: Posed) -> RgbImage:
        """Picture (size, size, 3), uint8, of one pose."""
        size = self.stage.size
        vertices = self.stage.take_pose(posed)
        self.stage.cast_shadows()
        tiles = self._tiles(vertices) | self._neutral_tiles
        active = tiles.repeat(TILE, 0).repeat(TILE, 1)[:size, :size]
        image, _ = self._develop(posed, np.flatnonzero(active))
        return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)

    def _tiles(self, vertices: Floats32) -> NDArray[np.bool_]:
        """Mask (tiles, tiles) of the tiles that moving parts may touch."""
        count = -(-self.stage.size // TILE)
        pixels = self.stage.view.project(vertices[self.stage.moves])
        at = np.clip(pixels // TILE, -1, count).astype(int) + 1
        marked = np.zeros((count + 2, count + 2), bool)
        marked[at[:, 1], at[:, 0]] = True
        grown = np.zeros((count, count), bool)
        for down in range(3):
            for right in range(3):
                grown |= marked[down : down + count, right : right + count]
        return grown

    def _develop(self, posed: Posed, active: NDArray[np.int64]) -> tuple[Floats32, Floats32]:
        """The plate with its active pixels traced anew, edges with more rays; and its keys.

        The keys of a pixel are material and depth.
        """
        scene = self.stage.scene(posed)
        image, keys = self._plate.copy(), self._plate_keys.copy()
        flat = image.reshape(-1, 3)
        colours, found = self.stage.trace(scene, self._grid[active])
        flat[active] = _over(colours, self._behind[active])
        keys.reshape(-1, 2)[active] = found
        marked = np.zeros(image.shape[:2], bool)
        window = _window(active, self.stage.size)
        same = self._as_on_plate(keys, window)
        image[window][same] = self._plate[window][same]
        marked[window] = _edges(image[window], keys[window]) & ~same
        edges = active[marked.ravel()[active]]
        if edges.size:
            samples = (self._grid[edges][:, None] + EDGE_SAMPLES).reshape(-1, 2)
            fine, _ = self.stage.trace(scene, samples)
            more = _over(fine, np.repeat(self._behind[edges], len(EDGE_SAMPLES), 0))
            total = more.reshape(edges.size, -1, 3).sum(1) + flat[edges]
            flat[edges] = total / (len(EDGE_SAMPLES) + 1)
        return image, keys

    def _as_on_plate(self, keys: Floats32, window: Window) -> NDArray[np.bool_]:
        """Mask of window pixels that, with their neighbours, show the plate's cloth."""
        difference = np.abs(keys[window] - self._plate_keys[window])
        same = (difference[..., 0] + difference[..., 1] < 1e-5) & self._still[window]
        kept = same.copy()
        kept[1:-1, 1:-1] &= same[:-2, 1:-1] & same[2:, 1:-1] & same[1:-1, :-2] & same[1:-1, 2:]
        return np.asarray(kept, np.bool_)


def _window(active: NDArray[np.int64], size: int) -> Window:
    """Smallest window around the active pixels, with one more pixel on each side."""
    rows, columns = active // size, active % size
    return tuple(
        slice(max(0, int(along.min()) - 1), int(along.max()) + 2) for along in (rows, columns)
    )


def _over(colours: Floats32, behind: Floats32) -> Floats32:
    """Colours with straight alpha (n, 4) laid over an opaque background (n, 3)."""
    alpha = colours[:, 3:]
    return np.asarray(colours[:, :3] * alpha + behind * (1 - alpha), np.float32)


def _edges(image: Floats32, keys: Floats32) -> NDArray[np.bool_]:
    """Mask (rows, columns) of edges: steps in brightness, material or depth."""
    luma = (image[..., 0] + image[..., 1] + image[..., 2]) / 3
    hair = keys[..., 0] == int(shading.HAIR)
    marked = np.zeros(luma.shape, bool)
    for axis in (0, 1):
        lead = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
        trail = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
        both = hair[lead] & hair[trail]
        other = np.diff(keys[..., 0], axis=axis) != 0
        other |= np.abs(np.diff(keys[..., 1], axis=axis)) > DEPTH_JUMP_M
        limit = np.where(other, EDGE_CONTRAST, CONTRAST)
        limit[both] = HAIR_CONTRAST
        jump = np.abs(np.diff(luma, axis=axis)) > limit
        marked[lead] |= jump
        marked[trail] |= jump
    return marked


class Renderer:
    """Renderer of people at `size` x `size`; it keeps the last person's stage for the next call."""

    def __init__(self, size: int = 384, device: str | None = None) -> None:
        self.size = size
        self.device = device or default_device()
        self._camera: Camera | None = None

    def camera(self, identity: Identity) -> Camera:
        """The camera before this person; the first call takes about a second."""
        if self._camera is None or self._camera.stage.identity != identity:
            self._camera = Camera(ActorStage(identity, self.size, self.device))
        return self._camera

    def stage(self, identity: Identity) -> ActorStage:
        """The stage of this person, made on first use."""
        return self.camera(identity).stage

    def frames(
        self, identity: Identity, performance: Performance, indices: Iterable[int] | None = None
    ) -> Iterator[Frame]:
        """Render the frames at `indices` (all by default), one at a time."""
        camera = self.camera(identity)
        body = camera.stage.body
        for index in range(len(performance)) if indices is None else indices:
            now = moment(identity, body.model.facial_names, performance, index)
            posed = body.pose(now)
            yield Frame(camera.shoot(posed), posed, now.rotation_deg)

    def render(
        self, identity: Identity, performance: Performance, indices: Iterable[int] | None = None
    ) -> RgbImage:
        """Wide frames (n, size, size, 3), uint8, at `indices` (all by default)."""
        return np.stack([f.image for f in self.frames(identity, performance, indices)])
