"""Film one person frame by frame: rays against the posed mesh, shaded in the kernel."""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import warp as wp
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from dfmnist.actors import kernels
from dfmnist.actors.backdrop import paint_backdrop
from dfmnist.actors.deform import Body, Moment, Posed
from dfmnist.actors.hair import grow_hair
from dfmnist.actors.head import F32
from dfmnist.actors.identity import Identity
from dfmnist.actors.landmarks import find_landmarks
from dfmnist.actors.parts import Lashes, grow_teeth, pose_teeth
from dfmnist.actors.performance import Performance
from dfmnist.actors.skin import paint_skin, unroll
from dfmnist.actors.truth import CameraView

NECKLINE_INDEX = {"crew": 0, "v": 1, "turtle": 2, "shirt": 3, "open": 4}
AMBIENT_RAYS, SHADOW_RAYS = 40, 6
CLOTH_M = 0.007
EDGE_SAMPLES = ((-0.30, -0.34), (0.40, -0.08), (-0.16, 0.38))
"""Beside the pixel's own centre."""
CONTRAST, HAIR_CONTRAST = 0.10, 0.22
DEPTH_JUMP_M = 0.012
TILE = 12
"""Pixels; larger than any triangle."""

wp.config.quiet = True


def moment(model_names: tuple[str, ...], performance: Performance, frame: int) -> Moment:
    """Frame number `frame` of a performance."""
    facial = np.zeros(len(model_names), np.float32)
    for name, track in performance.facial.items():
        facial[model_names.index(name)] = track[frame]
    p = performance
    return Moment(
        (float(p.yaw_deg[frame]), float(p.pitch_deg[frame]), float(p.roll_deg[frame])),
        facial,
        (float(p.gaze_deg[frame, 0]), float(p.gaze_deg[frame, 1])),
        (float(p.sway_m[frame, 0]), float(p.sway_m[frame, 1]), float(p.sway_m[frame, 2])),
    )


@dataclass(frozen=True, eq=False)
class Frame:
    """One rendered frame and where everything was."""

    image: NDArray[np.uint8]
    posed: Posed
    rotation_deg: tuple[float, float, float]
    """Yaw, pitch, roll, the person's own resting pose included."""


class Stage:
    """One person, ready to be filmed: everything that does not change from frame to frame."""

    def __init__(self, identity: Identity, size: int, device: str) -> None:
        self.identity, self.size, self.device = identity, size, device
        self.body = Body(identity)
        self.model = self.body.model
        self.teeth = grow_teeth(self.body)
        self.lashes = Lashes(self.body)
        self.hair = grow_hair(self.body)
        self.view = CameraView.of(identity, self.body, self.hair.vertices, size)
        self.backdrop = paint_backdrop(identity, size)
        self.texture = wp.array(paint_skin(identity), dtype=wp.vec4, device=device)
        self._assemble()
        self._normals = _normal_matrix(self.model.faces, len(self.body.neutral))
        self._cloth = self._cloth_push()
        rest = Moment((0.0, 0.0, 0.0), np.zeros(len(self.model.facial_names), np.float32), (0, 0))
        posed = self.body.pose(rest)
        vertices, normals, _ = self._geometry(posed)
        self.points = wp.array(vertices, dtype=wp.vec3, device=device)
        self.mesh = wp.Mesh(self.points, self._flat_faces)
        self._grid = _pixel_grid(size)
        self._bake_ambient(normals)
        self._paint_plate(posed)

    def _assemble(self) -> None:
        """Static arrays of the joined mesh: body, teeth, lashes, hair."""
        model, body = self.model, len(self.body.neutral)
        teeth, lashes = len(self.teeth.vertices), len(self.lashes.rest)
        self.starts = (body, body + teeth, body + teeth + lashes)
        self.faces = np.concatenate([
            model.faces,
            self.teeth.faces + self.starts[0],
            self.lashes.faces + self.starts[1],
            self.hair.faces + self.starts[2],
        ]).astype(np.int32)  # fmt: skip
        material = np.full(len(model.faces), int(kernels.SKIN))
        inside = model.masks["inside_mouth"] > 0.5
        for code, mask in (
            (kernels.CAVITY, inside),
            (kernels.TONGUE, model.tongue),
            (kernels.EYE_LEFT, model.eye_left),
            (kernels.EYE_RIGHT, model.eye_right),
        ):
            material[mask[model.faces].all(1)] = int(code)
        kinds = (
            (kernels.TEETH, self.teeth.faces),
            (kernels.LASH, self.lashes.faces),
            (kernels.HAIR, self.hair.faces),
        )
        self.materials = np.concatenate(
            [material] + [np.full(len(faces), int(code)) for code, faces in kinds]
        ).astype(np.int32)
        rest = np.concatenate(
            [model.mean, self.teeth.rest, self.lashes.rest, self.hair.strands]
        ).astype(np.float32)
        device = self.device
        self._flat_faces = wp.array(self.faces.ravel(), dtype=int, device=device)
        self.face_array = wp.array(self.faces, dtype=int, device=device)
        self.material_array = wp.array(self.materials, dtype=int, device=device)
        self.rest = wp.array(rest, dtype=wp.vec3, device=device)
        self.extra_host = np.zeros((len(rest), 4), np.float32)
        self.extra_host[:body, 0] = model.masks["lips"]
        self.extra_host[:body, 1] = self._lid_lines()
        self.extra_host[self.starts[2] :, 3] = self.hair.layer
        still = model.bone_weights.sum(1) <= 0
        self.moves = np.ones(len(rest), bool)
        self.moves[:body] = ~still
        self.moving = np.flatnonzero(~still).astype(np.int32)
        self.moving_points = wp.array(self.moving, dtype=int, device=device)
        self.all_points = wp.array(np.arange(body, dtype=np.int32), dtype=int, device=device)

    def _lid_lines(self) -> F32:
        marks = find_landmarks()
        lines = np.zeros(len(self.body.neutral), np.float32)
        lashes = self.identity.eyes.lashes
        for rims, amount in ((marks.lower_lids, 0.30), (marks.upper_lids, 0.75)):
            for rim in rims:
                lines[rim] = amount * lashes
        return lines

    def _cloth_push(self) -> F32:
        """(v, 1) metres by which cloth stands off the skin."""
        scene = self.scene_base()
        above = _collar_line(scene, self.model.mean)
        amount = np.clip((0.002 - above) / 0.008, 0, 1)[:, None]
        return (CLOTH_M * amount).astype(np.float32)

    def _geometry(self, posed: Posed) -> tuple[F32, F32, F32]:
        """Vertices, normals and strand tangents of the joined mesh."""
        vertices = posed.vertices
        normals = _unit_rows(self._normals @ _face_normals(vertices, self.model.faces))
        vertices = vertices + normals * self._cloth
        hair, head = self.hair, posed.head.astype(np.float32)
        turned = hair.vertices @ head[:3, :3].T + head[:3, 3]
        weight = hair.head_weight[:, None]
        hair_vertices = weight * turned + (1 - weight) * hair.vertices
        teeth = pose_teeth(self.teeth, posed)
        lashes = self.lashes.pose(posed)
        outward = self._teeth_normals(teeth)
        joined = np.concatenate([vertices, teeth, lashes, hair_vertices]).astype(np.float32)
        lash_normals = np.broadcast_to(np.array([0, -1, 0], np.float32), lashes.shape)
        all_normals = np.concatenate(
            [normals, outward, lash_normals, hair.normals @ head[:3, :3].T]
        ).astype(np.float32)
        tangents = np.zeros_like(joined)
        tangents[self.starts[2] :] = hair.tangents @ head[:3, :3].T
        return joined, all_normals, tangents

    def _teeth_normals(self, teeth: F32) -> F32:
        middle = teeth.mean(0) + np.array([0, 0.02, 0], np.float32)
        out = teeth - middle
        out[:, 2] = 0
        return _unit_rows(out)

    def _bake_ambient(self, normals: F32) -> None:
        """Ambient light at each vertex in the neutral pose, and room for the key's shadow."""
        count = len(normals)
        self.normals = wp.array(normals, dtype=wp.vec3, device=self.device)
        self.tangents = wp.zeros(count, dtype=wp.vec3, device=self.device)
        out = wp.ones(count, dtype=float, device=self.device)
        k = np.arange(AMBIENT_RAYS) + 0.5
        height = np.sqrt(1 - k / AMBIENT_RAYS)  # cosine-weighted
        angle = k * 2.399963
        ball = np.stack(
            [np.sqrt(1 - height**2) * np.cos(angle), np.sqrt(1 - height**2) * np.sin(angle), height],
            1,
        )
        self._occlude(
            ball.astype(np.float32), 1, 0.25, 0.35, out, self.all_points, self.starts[0]
        )
        ambient = out.numpy()
        body = self.starts[0]
        self.extra_host[:body, 2] = 0.12 + 0.88 * np.clip(ambient[:body], 0, 1)
        self.extra = wp.array(self.extra_host, dtype=wp.vec4, device=self.device)
        self.visibility = wp.ones(count, dtype=float, device=self.device)

    def _occlude(
        self,
        directions: F32,
        relative: int,
        reach: float,
        hair: float,
        out: wp.array,
        which: wp.array,
        count: int,
    ) -> None:
        wp.launch(
            kernels.occlude,
            count,
            [
                self.mesh.id,
                which,
                self.scene_base().camera,
                self.points,
                self.normals,
                self.face_array,
                self.material_array,
                self.rest,
                wp.array(directions, dtype=wp.vec3, device=self.device),
                relative,
                reach,
                hair,
                out,
            ],
            device=self.device,
        )

    def scene_base(self) -> kernels.Scene:
        """The parts of the scene that stay."""
        i, view, body = self.identity, self.view, self.body
        s = kernels.Scene()
        s.camera = wp.vec3(*view.position)
        s.focal_px, s.centre_x, s.centre_y = view.focal_px, view.centre_x, view.centre_y
        azimuth, elevation = np.radians(i.light.key_deg)
        key = _direction(azimuth, elevation)
        s.key_dir = wp.vec3(*key)
        s.fill_dir = wp.vec3(*_direction(-azimuth * 0.8 - 0.2 * np.sign(azimuth), 0.12))
        s.key, s.fill = wp.vec3(*i.light.key), wp.vec3(*i.light.fill)
        s.sky, s.ground = wp.vec3(*i.light.sky), wp.vec3(*i.light.ground)
        s.softness, s.exposure = i.light.softness, i.light.exposure
        lay = unroll()
        s.axis_y, s.low_z, s.high_z = lay.axis_y, lay.low_z, lay.high_z
        s.lips, s.hair = wp.vec3(*i.skin.lips), wp.vec3(*i.hair.colour)
        s.hair_shine, s.hair_curl = i.hair.shine, i.hair.curl
        s.hair_seed = i.hair.noise_seed % 100_000
        s.hair_frequency = 270.0
        s.iris, s.sclera = wp.vec3(*i.eyes.iris), wp.vec3(*i.eyes.sclera)
        s.iris_m, s.pupil, s.eye_radius = i.eyes.iris_m, i.eyes.pupil, body.eye_radius
        s.lash = i.eyes.lashes
        s.cloth, s.cloth_second = wp.vec3(*i.clothes.colour), wp.vec3(*i.clothes.second)
        s.cloth_pattern = i.clothes.pattern
        s.neckline = NECKLINE_INDEX[i.clothes.neckline]
        s.collar_z = float(self.model.mean_bones[0, 2]) - 0.005
        s.collar_y = float(self.model.mean_bones[0, 1]) - 0.01
        return s

    def scene(self, posed: Posed) -> kernels.Scene:
        """The scene of one frame."""
        s = self.scene_base()
        s.eye_left, s.eye_right = (wp.vec3(*map(float, c)) for c in posed.eye_centres)
        s.gaze_left, s.gaze_right = (wp.vec3(*map(float, g)) for g in posed.gazes)
        s.head_up = wp.vec3(*map(float, posed.head[:3, 2]))
        marks = find_landmarks()
        lips = [marks.names.index(n) for n in ("lip_upper_inner", "lip_lower_inner")]
        upper, lower = posed.vertices[marks.vertices[lips]]
        s.mouth = wp.vec3(*map(float, (upper + lower) / 2))
        s.mouth_open = float(np.clip(np.linalg.norm(upper - lower) / 0.04, 0, 1))
        return s

    def shoot(self, posed: Posed) -> NDArray[np.uint8]:
        """(size, size, 3) sRGB of one pose."""
        vertices = self._update(posed)
        self._occlude(
            self._key_rays(), 0, 0.45, 0.75, self.visibility, self.moving_points, self.moving.size
        )
        active = np.flatnonzero(self._active(vertices))
        image, keys = self.plate.copy(), self.plate_keys.copy()
        return self._finish(self.scene(posed), image, keys, active)

    def _update(self, posed: Posed) -> F32:
        vertices, normals, tangents = self._geometry(posed)
        self.points.assign(vertices)
        self.mesh.refit()
        self.normals.assign(normals)
        self.tangents.assign(tangents)
        return vertices

    def _paint_plate(self, posed: Posed) -> None:
        """Render the background and the torso once: neither ever moves."""
        size = self.size
        self._occlude(
            self._key_rays(), 0, 0.45, 0.75, self.visibility, self.all_points, self.starts[0]
        )
        self.plate_done = False
        self.plate = self.backdrop
        self.plate_keys = np.full((size, size, 2), -1, np.float32)
        everything = np.arange(size * size)
        image, keys = self.plate.copy(), self.plate_keys.copy()
        self._finish(self.scene(posed), image, keys, everything)
        self.plate, self.plate_keys = image, keys
        self.plate_still = (keys[..., 0] < 0) | (keys[..., 0] == int(kernels.CLOTH))
        self.plate_done = True
        self._neutral_active = self._tiles(self._update(posed))

    def _tiles(self, vertices: F32) -> NDArray[np.bool_]:
        """(tiles, tiles) that something which moves may touch."""
        count = -(-self.size // TILE)
        pixels = self.view.project(vertices[self.moves])
        at = np.clip(pixels // TILE, -1, count).astype(int) + 1
        marked = np.zeros((count + 2, count + 2), bool)
        marked[at[:, 1], at[:, 0]] = True
        grown = np.zeros_like(marked[1:-1, 1:-1])
        for down in range(3):
            for right in range(3):
                grown |= marked[down : down + count, right : right + count]
        return grown

    def _active(self, vertices: F32) -> NDArray[np.bool_]:
        """(size * size,) pixels to trace in this frame; the rest is as on the plate."""
        tiles = self._tiles(vertices) | self._neutral_active
        return tiles.repeat(TILE, 0).repeat(TILE, 1)[: self.size, : self.size].ravel()

    @functools.cache  # noqa: B019 - one entry per stage, which lives as long
    def _key_rays(self) -> F32:
        azimuth, elevation = np.radians(self.identity.light.key_deg)
        key = np.array(_direction(azimuth, elevation))
        side = np.cross(key, [0, 0, 1.0])
        side /= np.linalg.norm(side)
        up = np.cross(side, key)
        k = np.arange(SHADOW_RAYS) + 0.5
        r = np.sqrt(k / SHADOW_RAYS) * np.tan(self.identity.light.softness)
        spread = side * (r * np.cos(k * 2.399963))[:, None] + up * (r * np.sin(k * 2.399963))[:, None]
        return _unit_rows((key + spread).astype(np.float32))

    def _as_on_plate(self, keys: F32) -> NDArray[np.bool_]:
        """(size, size) pixels that show, with all their neighbours, what the plate shows."""
        if not self.plate_done:
            return np.zeros(keys.shape[:2], bool)
        same = np.abs(keys - self.plate_keys).max(2) < 1e-5
        same[1:-1, 1:-1] &= same[:-2, 1:-1] & same[2:, 1:-1] & same[1:-1, :-2] & same[1:-1, 2:]
        return same & self.plate_still

    def _trace(self, scene: kernels.Scene, samples: F32) -> tuple[F32, F32]:
        count = len(samples)
        colours = wp.empty(count, dtype=wp.vec4, device=self.device)
        keys = wp.empty(count, dtype=wp.vec2, device=self.device)
        wp.launch(
            kernels.trace,
            count,
            [
                scene,
                self.mesh.id,
                self.face_array,
                self.material_array,
                self.normals,
                self.rest,
                self.tangents,
                self.extra,
                self.visibility,
                self.texture,
                wp.array(samples, dtype=wp.vec2, device=self.device),
                colours,
                keys,
            ],
            device=self.device,
        )
        return colours.numpy(), keys.numpy()

    def _finish(
        self, scene: kernels.Scene, image: F32, keys: F32, active: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        """Trace the active pixels into `image` and `keys`, then their edges more finely."""
        size = self.size
        flat, flat_keys = image.reshape(-1, 3), keys.reshape(-1, 2)
        behind = self.backdrop.reshape(-1, 3)
        colours, found = self._trace(scene, self._grid[active])
        flat[active] = _over(colours, behind[active])
        flat_keys[active] = found
        still = self._as_on_plate(keys)
        image[still] = self.plate[still]
        marked = (_edges(image, keys) & ~still).ravel()
        edges = active[marked[active]]
        if edges.size:
            offsets = np.array(EDGE_SAMPLES, np.float32)
            fine, _ = self._trace(scene, (self._grid[edges][:, None] + offsets).reshape(-1, 2))
            over = _over(fine, np.repeat(behind[edges], len(offsets), 0))
            total = over.reshape(edges.size, len(offsets), 3).sum(1) + flat[edges]
            flat[edges] = total / (len(offsets) + 1)
        return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8).reshape(size, size, 3)


def _over(colours: F32, behind: F32) -> F32:
    alpha = colours[:, 3:]
    result: F32 = colours[:, :3] * alpha + behind * (1 - alpha)
    return result


def _edges(image: F32, keys: F32) -> NDArray[np.bool_]:
    """(rows, columns) where another thing begins, at another depth, or the brightness jumps."""
    luma = image.mean(2)
    marked = np.zeros(luma.shape, bool)
    for axis in (0, 1):
        hair = keys[..., 0] == int(kernels.HAIR)
        both = hair[1:] & hair[:-1] if axis == 0 else hair[:, 1:] & hair[:, :-1]
        limit = np.where(both, HAIR_CONTRAST, CONTRAST)
        jump = (
            (np.diff(keys[..., 0], axis=axis) != 0)
            | (~both & (np.abs(np.diff(keys[..., 1], axis=axis)) > DEPTH_JUMP_M))
            | (np.abs(np.diff(luma, axis=axis)) > limit)
        )
        lead = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
        trail = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
        marked[lead] |= jump
        marked[trail] |= jump
    return marked


def _pixel_grid(size: int) -> F32:
    rows, columns = np.mgrid[:size, :size]
    return np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], 1).astype(np.float32)


def _direction(azimuth: float, elevation: float) -> tuple[float, float, float]:
    """From the face towards a lamp: azimuth 0 is the camera, positive the image's right."""
    c = np.cos(elevation)
    return (float(np.sin(azimuth) * c), float(-np.cos(azimuth) * c), float(np.sin(elevation)))


def _face_normals(vertices: F32, faces: NDArray[np.int32]) -> F32:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def _normal_matrix(faces: NDArray[np.int32], count: int) -> csr_matrix:
    rows = faces.ravel()
    columns = np.repeat(np.arange(len(faces)), 3)
    return csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (count, len(faces)))


def _unit_rows(vectors: F32) -> F32:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)


@wp.kernel(enable_backward=False)
def _collar_kernel(s: kernels.Scene, points: wp.array(dtype=wp.vec3), out: wp.array(dtype=float)):
    i = wp.tid()
    out[i] = kernels.collar_line(s, points[i])


def _collar_line(scene: kernels.Scene, points: F32) -> F32:
    out = wp.empty(len(points), dtype=float, device="cpu")
    wp.launch(
        _collar_kernel,
        len(points),
        [scene, wp.array(points, dtype=wp.vec3, device="cpu"), out],
        device="cpu",
    )
    result: F32 = out.numpy()
    return result


def default_device() -> str:
    """The GPU where warp finds one, else the CPU."""
    return "cuda:0" if wp.get_cuda_device_count() else "cpu"


class Renderer:
    """Renders people at `size` x `size`; keeps the last person's stage for the next call."""

    def __init__(self, size: int = 384, device: str | None = None) -> None:
        wp.init()
        self.size = size
        self.device = device or default_device()
        self._stage: Stage | None = None

    def stage(self, identity: Identity) -> Stage:
        """The stage of this person, made on first use."""
        if self._stage is None or self._stage.identity != identity:
            self._stage = Stage(identity, self.size, self.device)
        return self._stage

    def frames(
        self, identity: Identity, performance: Performance, indices: Iterable[int] | None = None
    ) -> Iterator[Frame]:
        """Render the frames of `indices` (all by default), one at a time."""
        stage = self.stage(identity)
        yaw, pitch, roll = identity.first_pose_deg
        names = stage.model.facial_names
        for index in range(len(performance)) if indices is None else indices:
            now = moment(names, performance, index)
            turned = (
                now.rotation_deg[0] + yaw,
                now.rotation_deg[1] + pitch,
                now.rotation_deg[2] + roll,
            )
            posed = stage.body.pose(Moment(turned, now.facial, now.gaze_deg, now.sway_m))
            yield Frame(stage.shoot(posed), posed, turned)

    def render(
        self, identity: Identity, performance: Performance, indices: Iterable[int] | None = None
    ) -> NDArray[np.uint8]:
        """u8 (n, size, size, 3): the wide frames of `indices` (all by default)."""
        return np.stack([f.image for f in self.frames(identity, performance, indices)])
