"""Hair as a few thin shells over the scalp, which the renderer cuts into strands.

Every shell is a grid of directions from the centre of the skull. Each vertex has a strand
coordinate (constant along a strand), a length along the strand, and the distance to the hairline.
The renderer draws strands as stretched noise in these coordinates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfmnist.actors import raycast
from dfmnist.actors.deform import Body
from dfmnist.actors.device import send, wp
from dfmnist.actors.identity import Hair
from dfmnist.core.arrays import Floats32

COLUMNS, CAP_ROWS, DROP_ROWS = 72, 30, 12
"""Size of a shell's grid: columns around the head, rows of the cap, rows of hanging hair."""
LAYERS = {"curly": 3, "volume": 3}
"""Number of shells of the styles that have more than `DEFAULT_LAYERS`."""
DEFAULT_LAYERS = 2
SOLID = {2: 0.68, 3: 0.5}
"""Height of the closed inner shell, as a share of the hair's thickness, by number of shells."""
SCALP_GAP_M = 0.0022
"""Distance of the hair from the scalp."""


@dataclass(frozen=True, eq=False)
class HairMesh:
    """Mesh of the hair's shells in the neutral pose, with m vertices."""

    vertices: Floats32
    """Vertices, (m, 3), in metres."""
    faces: NDArray[np.int32]
    """Vertex indices of the triangles, (faces, 3)."""
    normals: Floats32
    """Normals of the vertices, (m, 3)."""
    tangents: Floats32
    """Directions of the strands from root to tip, (m, 3)."""
    strands: Floats32
    """Strand coordinate, length along the strand, distance inside the hairline, (m, 3), metres."""
    two_sided: NDArray[np.bool_]
    """Mask (faces,) of triangles that are also seen from behind: inner shell and hanging hair."""
    layer: Floats32
    """Height in the hair, (m,), from 0 at the scalp to 1 at the outer shell."""
    head_weight: Floats32
    """Weight of the head's motion, (m,): 1 on the head, 0 on the shoulders."""


def grow_hair(body: Body) -> HairMesh:
    """Hair of this person around the neutral head."""
    hair = body.identity.hair
    rng = np.random.default_rng([hair.noise_seed, 3])
    centre = _skull_centre(body)
    hanging = hair.length_m > 0
    azimuth, polar = _grid(hanging)
    directions = np.stack(
        [np.sin(polar) * np.sin(azimuth), -np.sin(polar) * np.cos(azimuth), np.cos(polar)], -1
    )
    radius = _skull_radius(body, centre, directions)
    scalp = centre + directions * radius[..., None]
    inside = _inside_hairline(hair, azimuth, polar, radius, rng)
    thick = _thickness(hair, azimuth, polar, inside, rng)
    if hanging:
        radius = radius + _over_ears(azimuth, polar)
    layers = LAYERS.get(hair.style, DEFAULT_LAYERS)
    parts = []
    for i in range(layers):
        level = i / (layers - 1)
        cap = (
            centre
            + directions
            * (radius + SCALP_GAP_M + thick * (SOLID[layers] + (1 - SOLID[layers]) * level))[
                ..., None
            ]
        )
        parts.append(_shell(hair, cap, scalp, azimuth, polar, inside, level, rng))
    tied = [_bun(hair, centre, radius, rng)] if hair.style == "tied" else []
    return _join(parts + tied)


def _skull_centre(body: Body) -> NDArray[np.float64]:
    ears = body.neutral[body.model.masks["ears"] > 0.5]
    eyes = body.eye_centres.mean(0)
    return np.array([0.0, ears[:, 1].mean() + 0.008, eyes[2] + 0.030])


def _grid(hanging: bool) -> tuple[Floats32, Floats32]:
    azimuth = np.linspace(-np.pi, np.pi, COLUMNS + 1)
    polar = np.linspace(0.02, np.radians(100 if hanging else 138), CAP_ROWS)
    a, p = np.meshgrid(azimuth, polar)
    return a.astype(np.float32), p.astype(np.float32)


def _skull_radius(body: Body, centre: NDArray[np.float64], directions: Floats32) -> Floats32:
    """Distance from the centre to the skin in each direction, with the ears smoothed out."""
    model = body.model
    eyes = model.eye_left | model.eye_right
    faces = model.faces[~(eyes | model.tongue)[model.faces].any(1)]
    mesh = wp.Mesh(send(body.neutral, wp.vec3, "cpu"), send(faces.ravel(), int, "cpu"))
    flat = directions.reshape(-1, 3)
    out = wp.zeros(len(flat), dtype=float, device="cpu")
    inputs = [mesh.id, wp.vec3(*centre), send(flat, wp.vec3, "cpu"), out]
    wp.launch(raycast.reach, len(flat), inputs, device="cpu")
    raw: NDArray[np.float64] = out.numpy().astype(np.float64).reshape(directions.shape[:2])
    raw = np.where(raw < 0, np.median(raw[raw > 0]), raw)
    smooth = raw
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    for _ in range(4):
        wrapped = np.concatenate([smooth[:, -3:-1], smooth, smooth[:, 1:3]], 1)
        smooth = sum(k * wrapped[:, i : i + smooth.shape[1]] for i, k in enumerate(kernel))
        padded = np.pad(smooth, ((2, 2), (0, 0)), mode="edge")
        smooth = sum(k * padded[i : i + smooth.shape[0]] for i, k in enumerate(kernel))
    side = np.degrees(np.abs(np.arctan2(directions[..., 0], -directions[..., 1])))
    low = directions[..., 2] < 0.35
    ear = np.exp(-(((side - 90) / 26) ** 4)) * low
    radius = raw * (1 - ear) + smooth * ear
    radius[:, -1] = radius[:, 0]
    return np.asarray(radius, np.float32)


def _inside_hairline(
    hair: Hair, azimuth: Floats32, polar: Floats32, radius: Floats32, rng: np.random.Generator
) -> Floats32:
    """Distance inside the hairline in metres for each direction, negative outside of it."""
    side = np.degrees(np.abs(azimuth))
    front = 25 + 7 * hair.hairline
    temple = 25 + 9 * hair.hairline
    knots = [0, 22, 44, 60, 72, 82, 95, 108, 130, 180]
    elevation = [front, front + 1, temple, 14, -6, -26, -8, -10, -34, -38]
    if hair.style in ("short", "side", "back", "buzz"):
        elevation[4:] = [-4, -22, -2, -4, -28, -32]
    line = np.interp(side, knots, elevation)
    phase = rng.uniform(0, 6.28, 3)
    line = line + 1.1 * np.sin(7 * azimuth + phase[0]) + 0.8 * np.sin(17 * azimuth + phase[1])
    return np.asarray(np.radians(90 - np.degrees(polar) - line) * radius, np.float32)


def _thickness(
    hair: Hair, azimuth: Floats32, polar: Floats32, inside: Floats32, rng: np.random.Generator
) -> Floats32:
    """Thickness of the hair above the scalp in metres, for each direction."""
    taper = np.clip(inside / 0.022, 0, 1)
    taper = taper * taper * (3 - 2 * taper)
    top = np.clip(np.cos(polar) * 1.1, 0, 1)
    sides = {"side": 0.28, "back": 0.3, "short": 0.55, "volume": 0.7, "buzz": 1.0, "curly": 0.9,
             "bob": 1.05, "long": 1.0, "tied": 0.9}[hair.style]  # fmt: skip
    level = sides + (1 - sides) * top
    front = np.cos(azimuth) * np.sin(polar)
    if hair.style in ("back", "volume", "side"):
        level = level + 0.35 * np.clip(front, 0, 1) * np.clip(top * 2, 0, 1)
    if hair.part:
        x = np.sin(polar) * np.sin(azimuth)
        groove = np.exp(-(((x - 0.33 * hair.part) / 0.14) ** 2)) * np.clip(top * 3, 0, 1)
        level = level * (1 - 0.45 * groove) + 0.15 * np.clip(-x * hair.part, 0, 1) * top
    waves = np.zeros_like(polar)
    for _ in range(9 if hair.style == "curly" else 5):
        k, m = rng.integers(3, 22 if hair.style == "curly" else 9), rng.uniform(3, 12)
        waves += rng.normal(0, 1) * np.sin(k * azimuth + m * polar + rng.uniform(0, 6.28))
    level = level * (1 + (0.10 if hair.style == "curly" else 0.045) * waves)
    thickness = hair.thickness_m * (0.16 + 0.84 * taper) * np.clip(level, 0.1, 2)
    return np.asarray(thickness, np.float32)


def _over_ears(azimuth: Floats32, polar: Floats32) -> Floats32:
    """Distance in metres by which hanging hair stands off the head, to pass over the ears."""
    side = np.degrees(np.abs(azimuth))
    low = np.clip((np.degrees(polar) - 50) / 40, 0, 1)
    bump = 0.020 * np.exp(-(((side - 92) / 34) ** 2)) * low * low * (3 - 2 * low)
    return bump.astype(np.float32)


def _shell(
    hair: Hair,
    cap: NDArray[np.float64],
    scalp: NDArray[np.float64],
    azimuth: Floats32,
    polar: Floats32,
    inside: Floats32,
    level: float,
    rng: np.random.Generator,
) -> HairMesh:
    strand, along = _strand_coordinates(hair, scalp, azimuth, polar)
    weight = np.ones_like(polar)
    if hair.length_m > 0:
        cap, strand, along, inside, weight = _hang(
            hair, cap, azimuth, strand, along, inside, level, rng
        )
    rows, columns = strand.shape
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = np.stack([a, c, b, b, c, d], -1).reshape(-1, 3)
    across = np.gradient(cap, axis=1)
    down = np.gradient(cap, axis=0)
    normals = np.cross(down, across)
    tangents = (
        down * np.gradient(strand, axis=1)[..., None]
        - across * np.gradient(strand, axis=0)[..., None]
    )
    turn = np.gradient(strand, axis=1) * np.gradient(along, axis=0) - np.gradient(
        strand, axis=0
    ) * np.gradient(along, axis=1)
    sign = np.sign(turn + 1e-12)[..., None]
    flat = faces[(inside.ravel()[faces] > -0.005).any(1)]
    return HairMesh(
        vertices=cap.reshape(-1, 3).astype(np.float32),
        faces=flat.astype(np.int32),
        normals=_unit(normals).reshape(-1, 3),
        tangents=_unit(tangents * sign).reshape(-1, 3),
        strands=np.stack([strand, along, inside], -1).reshape(-1, 3).astype(np.float32),
        two_sided=(flat >= (CAP_ROWS - 6) * columns).any(1) | (level == 0),
        layer=np.full(strand.size, level, np.float32),
        head_weight=weight.ravel().astype(np.float32),
    )


def _unit(vectors: NDArray[np.floating]) -> Floats32:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9), np.float32)


def _strand_coordinates(
    hair: Hair, scalp: NDArray[np.float64], azimuth: Floats32, polar: Floats32
) -> tuple[Floats32, Floats32]:
    strand: NDArray[np.floating]
    along: NDArray[np.floating]
    x = np.sin(polar) * np.sin(azimuth)
    y = -np.sin(polar) * np.cos(azimuth)
    z = np.cos(polar)
    if hair.style in ("side", "bob", "long"):
        back = np.clip((np.degrees(np.abs(azimuth)) - 105) / 50, 0, 1)
        back = back * back * (3 - 2 * back) * np.clip(polar / 0.9, 0, 1)
        lean = 0.35 * x * x
        strand = 0.095 * ((1 - back) * (np.arcsin(np.clip(y, -1, 1)) - lean) + back * azimuth)
        along = 0.1 * np.arctan2(x - 0.33 * hair.part, z + 0.2)
    elif hair.style in ("back", "tied", "volume"):
        strand = 0.095 * np.arcsin(np.clip(x, -1, 1))
        along = 0.1 * np.arctan2(y, z + 0.02)
    else:
        strand = 0.095 * azimuth
        along = 0.1 * polar
    return strand.astype(np.float32), along.astype(np.float32)


def _hang(
    hair: Hair,
    cap: NDArray[np.float64],
    azimuth: Floats32,
    strand: Floats32,
    along: Floats32,
    inside: Floats32,
    level: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], Floats32, Floats32, Floats32, Floats32]:
    """A shell's arrays with added rows that hang from the cap's rim at the sides and the back."""
    drop = np.linspace(0, 1, DROP_ROWS + 1)[1:, None]
    side = np.degrees(np.abs(azimuth[:1]))
    length = hair.length_m + 0.075
    rim = cap[-1]
    flare = 1 + 0.10 * np.sin(np.pi * drop * 0.6)
    flare = flare - (0.16 * drop**3 if hair.style == "bob" else 0.02 * drop)
    middle = rim.mean(0)
    locks = np.zeros((DROP_ROWS, side.size))
    for _ in range(6):
        k = int(rng.integers(4, 19))
        phase = rng.uniform(0, 6.28) + drop * rng.uniform(-3, 3)
        locks += rng.normal(0, 0.35) * np.sin(k * azimuth[:1] + phase)
    wave = 0.010 * locks * (0.3 + drop)
    wave = wave + 0.016 * (0.15 + hair.curl) * np.sin(drop * 17 + 6 * azimuth[:1]) * drop
    rows = np.empty((DROP_ROWS, rim.shape[0], 3))
    rows[..., :2] = middle[:2] + (rim - middle)[None, :, :2] * (flare + wave * 5)[..., None]
    rows[..., 2] = rim[None, :, 2] - drop * length
    ends = np.interp(side, [0, 52, 60, 76, 180], [-0.05, -0.05, 0.0, 0.05, 0.05])
    ragged = 0.022 * np.interp(
        np.arange(side.size), np.arange(0, side.size, 2), rng.normal(0, 1, (side.size + 1) // 2)
    )
    tip = (1 - drop) * length + ragged[None]
    edge = np.minimum(np.broadcast_to(ends, tip.shape), np.minimum(tip, 0.05))
    # the front edge of the hanging hair leans back a little towards its end
    edge = edge - 0.006 * drop * (side < 90)
    lower = np.clip((np.arange(len(inside)) / len(inside) - 0.62) / 0.3, 0, 1)[:, None]
    cap_edge = np.maximum(inside, np.where(side > 52, ends * lower - 0.05 * (1 - lower), -1.0))
    fall = np.broadcast_to(strand[-1:], (DROP_ROWS, strand.shape[1]))
    return (
        _without_kink(np.concatenate([cap, rows])),
        np.concatenate([strand, fall]),
        np.concatenate([along, along[-1:] + np.sign(along[-1:]) * drop * length]),
        np.concatenate([cap_edge, edge]).astype(np.float32),
        np.concatenate([np.ones_like(along), 1 - 0.75 * np.broadcast_to(drop, fall.shape) ** 1.2]),
    )


def _without_kink(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """The grid with smoothed rows around the rim, where the cap turns into hanging hair."""
    result = grid.copy()
    near = slice(CAP_ROWS - 7, CAP_ROWS + 4)
    for _ in range(12):
        middle = result[near]
        above, below = (
            result[CAP_ROWS - 8 : CAP_ROWS + 3],
            result[CAP_ROWS - 6 : CAP_ROWS + 5],
        )
        result[near] = (above + 2 * middle + below) / 4
    return result


def _bun(
    hair: Hair, centre: NDArray[np.float64], radius: Floats32, rng: np.random.Generator
) -> HairMesh:
    """Hair bun at the back of the crown, visible above the head."""
    at = np.radians(rng.uniform(30, 62))
    size = rng.uniform(0.028, 0.042)
    row = round(at / np.radians(138) * (CAP_ROWS - 1))
    reach = float(radius[row, 0]) + 0.55 * size  # column 0 is the back of the head
    middle = centre + reach * np.array([0.0, np.sin(at), np.cos(at)])
    u, v = np.meshgrid(np.linspace(-np.pi, np.pi, 29), np.linspace(0.02, np.pi - 0.02, 15))
    ball = np.stack([np.sin(v) * np.sin(u), -np.sin(v) * np.cos(u), 0.85 * np.cos(v)], -1)
    cap = middle + size * ball
    spiral = 0.03 * (u + 1.6 * v)
    full = np.full(u.shape, 0.05, np.float32)
    index = np.arange(u.size).reshape(u.shape)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    across, down = np.gradient(cap, axis=1), np.gradient(cap, axis=0)
    return HairMesh(
        vertices=cap.reshape(-1, 3).astype(np.float32),
        faces=np.stack([a, c, b, b, c, d], -1).reshape(-1, 3).astype(np.int32),
        normals=_unit(ball).reshape(-1, 3),
        tangents=_unit(down - 0.8 * across).reshape(-1, 3),
        strands=np.stack([spiral, 0.05 * v, full], -1).reshape(-1, 3).astype(np.float32),
        two_sided=np.zeros(2 * (u.shape[0] - 1) * (u.shape[1] - 1), np.bool_),
        layer=np.zeros(u.size, np.float32),
        head_weight=np.ones(u.size, np.float32),
    )


def _join(parts: list[HairMesh]) -> HairMesh:
    """One mesh of all `parts`."""
    starts = np.cumsum([0] + [len(p.vertices) for p in parts[:-1]])
    return HairMesh(
        vertices=np.concatenate([p.vertices for p in parts]),
        faces=np.concatenate([p.faces + s for p, s in zip(parts, starts, strict=True)]).astype(
            np.int32
        ),
        normals=np.concatenate([p.normals for p in parts]),
        tangents=np.concatenate([p.tangents for p in parts]),
        strands=np.concatenate([p.strands for p in parts]),
        two_sided=np.concatenate([p.two_sided for p in parts]),
        layer=np.concatenate([p.layer for p in parts]),
        head_weight=np.concatenate([p.head_weight for p in parts]),
    )
