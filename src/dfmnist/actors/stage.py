"""Stage of one actor: joined mesh, textures, light and background, prepared once for all films."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from dfmnist.actors import raycast, shading
from dfmnist.actors.backdrop import paint_backdrop
from dfmnist.actors.deform import Body, Moment, Posed
from dfmnist.actors.device import send, wp
from dfmnist.actors.glasses import make_glasses, pose_glasses
from dfmnist.actors.hair import grow_hair
from dfmnist.actors.head import HeadModel
from dfmnist.actors.identity import Identity
from dfmnist.actors.landmarks import find_landmarks
from dfmnist.actors.skin import paint_skin, unroll
from dfmnist.actors.teeth_lashes import Lashes, grow_teeth, pose_teeth
from dfmnist.actors.tiles import TILE_PX, list_triangles
from dfmnist.actors.truth import CameraView
from dfmnist.core.arrays import Floats32

NECKLINES = {"crew": 0, "v": 1, "turtle": 2, "shirt": 3, "open": 4}
"""Number of each neckline in `shading.collar_line`."""
AMBIENT_RAYS, SHADOW_RAYS = 40, 5
"""Number of rays per vertex for ambient light and for shadows."""
AMBIENT_REACH_M, SHADOW_REACH_M = 0.25, 0.45
"""Distance within which surfaces block ambient light and the key light."""
AMBIENT_HAIR, SHADOW_HAIR = 0.35, 0.75
"""Share of ambient light and key light that a shell of hair blocks."""
CLOTH_M = 0.007
"""Distance of the cloth from the skin."""
GOLDEN_ANGLE = 2.399963
"""Angle between successive points of a spiral that covers a disc evenly, in radians."""


class ActorStage:
    """Everything of one person's films that is the same in all frames."""

    def __init__(self, identity: Identity, size: int, device: str) -> None:
        self.identity, self.size, self.device = identity, size, device
        self.body = Body(identity)
        self.model: HeadModel = self.body.model
        self.teeth = grow_teeth(self.body, identity.mouth)
        self.lashes = Lashes(self.body)
        self.glasses = make_glasses(self.body, identity.glasses)
        self.hair = grow_hair(self.body)
        self.view = CameraView.of(identity, self.body, self.hair.vertices, size)
        self.backdrop = paint_backdrop(identity, size)
        self.texture = send(paint_skin(identity), wp.vec4, device)
        body = len(self.body.neutral)
        worn = len(self.lashes.rest) + len(self.glasses.vertices)
        self.starts = np.cumsum([body, len(self.teeth.vertices), worn])
        self._base = self._still_scene()
        self._adjacent = _adjacency(self.model.faces, body)
        self._cloth = self._cloth_offset()
        self._key_rays = self._key_light_rays()
        self._join_mesh()
        quiet = np.zeros(len(self.model.facial_names), np.float32)
        self.neutral: Posed = self.body.pose(Moment((0.0, 0.0, 0.0), quiet, (0.0, 0.0)))
        vertices, normals, _ = self._geometry(self.neutral)
        g = self.surface
        g.points = send(vertices, wp.vec3, device)
        g.normals = send(normals, wp.vec3, device)
        g.tangents = wp.zeros(len(vertices), dtype=wp.vec3, device=device)
        g.visibility = wp.ones(len(vertices), dtype=float, device=device)
        self.mesh = wp.Mesh(g.points, send(self.faces.ravel(), int, device))
        self._bake_ambient()

    def _join_mesh(self) -> None:
        """Set the static arrays of the joined mesh: body, teeth, lashes, glasses and hair."""
        model, device = self.model, self.device
        parts = (self.teeth.faces, self.lashes.faces, self.glasses.faces, self.hair.faces)
        teeth, lashes, hair = self.starts
        starts = (teeth, lashes, lashes + len(self.lashes.rest), hair)
        shifted = [faces + start for faces, start in zip(parts, starts, strict=True)]
        self.faces = np.concatenate([model.faces, *shifted]).astype(np.int32)
        material = np.full(len(model.faces), int(shading.SKIN))
        inside = model.masks["inside_mouth"] > 0.5
        for code, mask in (
            (shading.CAVITY, inside),
            (shading.TONGUE, model.tongue),
            (shading.EYE_LEFT, model.eye_left),
            (shading.EYE_RIGHT, model.eye_right),
        ):
            material[mask[model.faces].all(1)] = int(code)
        codes = (shading.TEETH, shading.LASH, shading.GLASSES, shading.HAIR)
        more = [np.full(len(f), int(c)) for f, c in zip(parts, codes, strict=True)]
        materials = np.concatenate([material, *more]).astype(np.int32)
        thin = (shading.TEETH, shading.LASH, shading.GLASSES)
        self._two_sided = np.isin(materials, [int(code) for code in thin])
        self._two_sided[-len(self.hair.faces) :] = self.hair.two_sided
        self.surface = raycast.Surface()
        self.surface.faces = send(self.faces, int, device)
        self.surface.material = send(materials, int, device)
        rest = [model.mean, self.teeth.rest, self.lashes.rest]
        rest += [self.glasses.vertices, self.hair.strands]
        joined = np.concatenate(rest).astype(np.float32)
        self.surface.rest = send(joined, wp.vec3, device)
        still = model.bone_weights.sum(1) <= 0
        behind = model.mean[:, 1] > self._base.axis_y + 0.03
        self.moves = np.ones(len(joined), bool)
        self.moves[: self.starts[0]] = ~still
        shadowed = np.flatnonzero(~(still | behind | model.tongue | inside))
        self.shadowed = send(shadowed.astype(np.int32), int, device)
        self.all_skin = send(np.arange(self.starts[0], dtype=np.int32), int, device)

    def _lid_lines(self) -> Floats32:
        """Darkness (v,) of the rims of the lids."""
        marks = find_landmarks()
        lines = np.zeros(len(self.body.neutral), np.float32)
        for rims, amount in ((marks.lower_lids, 0.30), (marks.upper_lids, 0.75)):
            for rim in rims:
                lines[rim] = amount * self.identity.eyes.lashes
        return lines

    def _cloth_offset(self) -> Floats32:
        """Distance (v, 1) of the cloth from the skin in metres, smaller towards the neckline."""
        count = len(self.model.mean)
        above = wp.empty(count, dtype=float, device="cpu")
        inputs = [self._base, send(self.model.mean, wp.vec3, "cpu"), above]
        wp.launch(raycast.collar, count, inputs, device="cpu")
        amount = np.clip((0.004 - above.numpy()) / 0.022, 0, 1)[:, None]
        return np.asarray(CLOTH_M * amount, np.float32)

    def _geometry(self, posed: Posed) -> tuple[Floats32, Floats32, Floats32]:
        """Vertices, normals and strand tangents of the joined mesh in a pose."""
        faces = self.model.faces
        vertices = posed.vertices
        a, b, c = (vertices[faces[:, k]] for k in range(3))
        normals = _unit(self._adjacent @ np.cross(b - a, c - a))
        vertices = vertices + normals * self._cloth
        hair, matrix = self.hair, posed.head.astype(np.float32)
        turned = hair.vertices @ matrix[:3, :3].T + matrix[:3, 3]
        weight = hair.head_weight[:, None]
        falling = weight * turned + (1 - weight) * hair.vertices
        teeth = pose_teeth(self.teeth, posed)
        lashes = self.lashes.pose(posed)
        worn = np.concatenate([lashes, pose_glasses(self.glasses, posed)])
        joined = np.concatenate([vertices, teeth, worn, falling]).astype(np.float32)
        forward = np.broadcast_to(np.array([0, -1, 0], np.float32), worn.shape)
        shown = [normals, _teeth_normals(teeth), forward, hair.normals @ matrix[:3, :3].T]
        tangents = np.zeros_like(joined)
        tangents[self.starts[2] :] = hair.tangents @ matrix[:3, :3].T
        return joined, np.concatenate(shown).astype(np.float32), tangents

    def take_pose(self, posed: Posed) -> Floats32:
        """Move the joined mesh to a pose; returns its vertices."""
        vertices, normals, tangents = self._geometry(posed)
        self.surface.points.assign(vertices)
        self.mesh.refit()
        self.surface.normals.assign(normals)
        self.surface.tangents.assign(tangents)
        self._sort_into_tiles(vertices)
        return vertices

    def _sort_into_tiles(self, vertices: Floats32) -> None:
        depth = vertices[:, 1].astype(np.float64) - self.view.position[1]
        pixels = self.view.project(vertices)
        lists = list_triangles(pixels, depth, self.faces, self._two_sided, self.size)
        tiles = raycast.Tiles()
        tiles.starts = send(lists.starts, int, self.device)
        tiles.triangles = send(lists.triangles, int, self.device)
        tiles.planes = send(lists.planes, float, self.device)
        tiles.across, tiles.tile_px = lists.across, float(TILE_PX)
        self._tiles = tiles

    def _bake_ambient(self) -> None:
        """Compute the ambient light at each vertex once, in the neutral pose."""
        k = np.arange(AMBIENT_RAYS) + 0.5
        height = np.sqrt(1 - k / AMBIENT_RAYS)  # more rays in directions that bring more light
        width = np.sqrt(1 - height**2)
        rays = np.stack(
            [width * np.cos(k * GOLDEN_ANGLE), width * np.sin(k * GOLDEN_ANGLE), height], 1
        )
        light = wp.ones(len(self.surface.rest), dtype=float, device=self.device)
        self._occlude(rays, True, light, self.all_skin)
        body = int(self.starts[0])
        extra = np.zeros((len(light), 4), np.float32)
        extra[:body, 0] = self.model.masks["lips"]
        extra[:body, 1] = self._lid_lines()
        extra[:body, 2] = 0.12 + 0.88 * np.clip(light.numpy()[:body], 0, 1)
        extra[self.starts[2] :, 3] = self.hair.layer
        self.surface.extra = send(extra, wp.vec4, self.device)

    def cast_shadows(self, everywhere: bool = False) -> None:
        """Compute the key light on the skin; `everywhere` includes parts that never move."""
        which = self.all_skin if everywhere else self.shadowed
        self._occlude(self._key_rays, False, self.surface.visibility, which)

    def _occlude(
        self, rays: NDArray[np.floating], ambient: bool, out: object, which: object
    ) -> None:
        """Write to `out` the share of `rays` that reach each of the vertices `which`."""
        inputs = [
            self.surface,
            self.mesh.id,
            which,
            self._base.camera,
            send(rays.astype(np.float32), wp.vec3, self.device),
            int(ambient),
            AMBIENT_REACH_M if ambient else SHADOW_REACH_M,
            AMBIENT_HAIR if ambient else SHADOW_HAIR,
            out,
        ]
        wp.launch(raycast.occlude, len(which), inputs, device=self.device)  # type: ignore[arg-type]

    def _key_light_rays(self) -> Floats32:
        """Directions (rays, 3) spread over the key light's disc."""
        azimuth, elevation = np.radians(self.identity.light.key_deg)
        key = np.array(_towards(azimuth, elevation))
        side = np.cross(key, [0, 0, 1.0])
        side /= np.linalg.norm(side)
        up = np.cross(side, key)
        k = np.arange(SHADOW_RAYS) + 0.5
        r = np.sqrt(k / SHADOW_RAYS) * np.tan(self.identity.light.softness)
        spread = np.outer(r * np.cos(k * GOLDEN_ANGLE), side) + np.outer(
            r * np.sin(k * GOLDEN_ANGLE), up
        )
        return _unit(key + spread)

    def _still_scene(self) -> shading.Scene:
        """Scene of the kernels without a pose: camera, light, colours and clothes."""
        i, view, lay = self.identity, self.view, unroll()
        s = shading.Scene()
        s.camera = wp.vec3(*view.position)
        s.focal_px, s.centre_x, s.centre_y = view.focal_px, view.centre_x, view.centre_y
        azimuth, elevation = np.radians(i.light.key_deg)
        s.key_dir = wp.vec3(*_towards(azimuth, elevation))
        s.fill_dir = wp.vec3(*_towards(-0.8 * azimuth - 0.2 * np.sign(azimuth), 0.12))
        s.key, s.fill = wp.vec3(*i.light.key), wp.vec3(*i.light.fill)
        s.sky, s.ground = wp.vec3(*i.light.sky), wp.vec3(*i.light.ground)
        s.exposure = i.light.exposure
        s.axis_y, s.low_z, s.high_z = lay.axis_y, lay.low_z, lay.high_z
        s.lips, s.hair = wp.vec3(*i.skin.lips), wp.vec3(*i.hair.colour)
        s.hair_shine, s.hair_curl = i.hair.shine, i.hair.curl
        s.hair_seed = i.hair.noise_seed % 100_000
        s.hair_frequency = 270.0
        s.iris, s.sclera = wp.vec3(*i.eyes.iris), wp.vec3(*i.eyes.sclera)
        s.iris_m, s.pupil, s.eye_radius = i.eyes.iris_m, i.eyes.pupil, self.body.eye_radius
        s.lash = i.eyes.lashes
        s.cloth, s.cloth_second = wp.vec3(*i.clothes.colour), wp.vec3(*i.clothes.second)
        s.cloth_pattern = i.clothes.pattern
        s.neckline = NECKLINES[i.clothes.neckline]
        s.collar_z = float(self.model.mean_bones[0, 2]) - 0.005
        s.collar_y = float(self.model.mean_bones[0, 1]) - 0.01
        if i.glasses is not None:
            s.frame = wp.vec3(*i.glasses.colour)
        if (mouth := i.mouth) is not None:
            s.varied_mouth = 1
            s.enamel, s.gums = wp.vec3(*mouth.enamel), wp.vec3(*mouth.gums)
            s.cavity, s.tongue = wp.vec3(*mouth.cavity), wp.vec3(*mouth.tongue)
            s.mouth_gap, s.mouth_reach = mouth.gap, mouth.reach
        return s

    def scene(self, posed: Posed) -> shading.Scene:
        """Scene of one frame: the still scene with the eyes and the opening of the mouth."""
        s = self._base
        s.eye_left, s.eye_right = (wp.vec3(*map(float, c)) for c in posed.eye_centres)
        s.gaze_left, s.gaze_right = (wp.vec3(*map(float, g)) for g in posed.gazes)
        s.head_up = wp.vec3(*map(float, posed.head[:3, 2]))
        s.head_back = wp.vec3(*map(float, posed.head[:3, 1]))
        marks = find_landmarks()
        lips = [marks.names.index(n) for n in ("lip_upper_inner", "lip_lower_inner")]
        upper, lower = posed.vertices[marks.vertices[lips]]
        s.mouth = wp.vec3(*map(float, (upper + lower) / 2))
        s.mouth_open = float(np.clip(np.linalg.norm(upper - lower) / 0.04, 0, 1))
        return s

    def trace(self, scene: shading.Scene, samples: Floats32) -> tuple[Floats32, Floats32]:
        """Colours with opacity (n, 4), and materials with depths (n, 2), at pixels (n, 2)."""
        count = len(samples)
        colours = wp.empty(count, dtype=wp.vec4, device=self.device)
        keys = wp.empty(count, dtype=wp.vec2, device=self.device)
        inputs = [
            scene,
            self.surface,
            self._tiles,
            self.mesh.id,
            self.texture,
            send(samples, wp.vec2, self.device),
            colours,
            keys,
        ]
        wp.launch(raycast.trace, count, inputs, device=self.device)
        return colours.numpy(), keys.numpy()


def _towards(azimuth: float, elevation: float) -> tuple[float, float, float]:
    """Direction from the face to a lamp; azimuth 0 is the camera, positive the image's right."""
    c = np.cos(elevation)
    return (float(np.sin(azimuth) * c), float(-np.cos(azimuth) * c), float(np.sin(elevation)))


def _teeth_normals(teeth: Floats32) -> Floats32:
    out = teeth - (teeth.mean(0) + np.array([0, 0.02, 0], np.float32))
    out[:, 2] = 0
    return _unit(out)


def _adjacency(faces: NDArray[np.int32], count: int) -> csr_matrix:
    """Sparse matrix (count, faces) that sums the normals of a vertex's faces."""
    columns = np.repeat(np.arange(len(faces)), 3)
    return csr_matrix((np.ones(faces.size, np.float32), (faces.ravel(), columns)),
                      (count, len(faces)))  # fmt: skip


def _unit(vectors: NDArray[np.floating]) -> Floats32:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)
