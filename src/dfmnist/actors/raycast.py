"""Raycast kernels in warp, for CPU and GPU: one ray per sample, shaded where it hits.

Rays of the camera find their triangles in lists, one per tile of the picture (`tiles.py`), which is
five times as fast on a CPU as a tree. Rays of light use warp's tree.

This file has no `from __future__ import annotations`, because warp reads the annotations as types.
They are no types for mypy, which is off for this file. `float(0.0)` declares a variable in warp.
"""

# mypy: ignore-errors
# ruff: noqa: UP018

import warp as wp

from dfmnist.actors.shading import (
    CLOTH,
    EYE_LEFT,
    EYE_RIGHT,
    GLASSES,
    HAIR,
    LASH,
    SKIN,
    Scene,
    collar_line,
    display,
    hair_cover,
    noise2,
    shade_cloth,
    shade_eye,
    shade_hair,
    shade_mouth,
    shade_skin,
    shade_varied_mouth,
    smooth,
    strand_noise,
)

wp.set_module_options({"enable_backward": False, "optimization_level": 3})

FAR = wp.constant(9.0)
SLACK = wp.constant(-0.002)
"""Barycentric limit by which triangles extend over their edges, so that no ray misses two."""


@wp.struct
class Surface:
    """The joined mesh with the values of its vertices and triangles."""

    faces: wp.array2d(dtype=int)
    material: wp.array(dtype=int)
    points: wp.array(dtype=wp.vec3)
    normals: wp.array(dtype=wp.vec3)
    rest: wp.array(dtype=wp.vec3)
    tangents: wp.array(dtype=wp.vec3)
    extra: wp.array(dtype=wp.vec4)
    """Values of each vertex: lips, lid line, ambient light, layer of hair."""
    visibility: wp.array(dtype=float)


@wp.struct
class Tiles:
    """Triangles by tile; those of tile k are `triangles[starts[k]:starts[k + 1]]`."""

    starts: wp.array(dtype=int)
    triangles: wp.array(dtype=int)
    planes: wp.array2d(dtype=float)
    """Nine numbers per triangle: u, v and inverse depth as planes over the picture."""
    across: int
    tile_px: float


@wp.func
def shade(
    s: Scene, g: Surface, mesh: wp.uint64, texture: wp.array2d(dtype=wp.vec4), face: int,
    u: float, v: float, view: wp.vec3,
) -> wp.vec4:  # fmt: skip
    """Colour and opacity of triangle `face` at (u, v)."""
    a = g.faces[face, 0]
    b = g.faces[face, 1]
    c = g.faces[face, 2]
    w = 1.0 - u - v
    m = g.material[face]
    r = g.rest[a] * u + g.rest[b] * v + g.rest[c] * w
    cover = float(1.0)
    colour = wp.vec3(0.0, 0.0, 0.0)
    if m == LASH:
        hairs = noise2(41, r[0] * 2200.0, 0.3)
        cover = s.lash * smooth(1.0, 0.25, r[1] + 0.55 * hairs) * smooth(0.0, 0.1, r[2])
        colour = wp.vec3(0.012, 0.009, 0.008)
        return wp.vec4(colour[0], colour[1], colour[2], cover)
    e = g.extra[a] * u + g.extra[b] * v + g.extra[c] * w
    noise = float(0.0)
    if m == HAIR:
        noise = strand_noise(s, r[0], r[1], e[3])
        cover = hair_cover(s, r, e[3], noise)
        if cover < 0.01:
            return wp.vec4(0.0, 0.0, 0.0, 0.0)
    n = wp.normalize(g.normals[a] * u + g.normals[b] * v + g.normals[c] * w)
    seen = g.visibility[a] * u + g.visibility[b] * v + g.visibility[c] * w
    if m == HAIR:
        if wp.dot(n, view) < 0.0:
            n = -n
        t = g.tangents[a] * u + g.tangents[b] * v + g.tangents[c] * w
        colour = shade_hair(s, n, t, view, e[3], noise, seen)
    elif m == SKIN:
        above = collar_line(s, r)
        if above < 0.0:
            colour = shade_cloth(s, r, n, above, e[2], seen)
        else:
            ao = e[2] * (0.6 + 0.4 * smooth(0.0, 0.02, above))
            colour = shade_skin(s, texture, r, n, view, e[0], e[1], ao, seen)
    else:
        p = g.points[a] * u + g.points[b] * v + g.points[c] * w
        if m == EYE_LEFT:
            colour = shade_eye(s, mesh, p, s.eye_left, s.gaze_left, view, seen)
        elif m == EYE_RIGHT:
            colour = shade_eye(s, mesh, p, s.eye_right, s.gaze_right, view, seen)
        elif m == GLASSES:
            light = s.key * 0.45 + s.fill * 0.4 + s.sky * 0.6
            colour = wp.cw_mul(s.frame, light) + s.sky * 0.03
        elif s.varied_mouth == 0:
            colour = shade_mouth(s, m, r, p, n, view)
        else:
            colour = shade_varied_mouth(s, m, r, p, n, view)
    return wp.vec4(colour[0], colour[1], colour[2], cover)


@wp.func
def first_barycentric(tiles: Tiles, k: int, x: float, y: float) -> float:
    return tiles.planes[k, 0] * x + tiles.planes[k, 1] * y + tiles.planes[k, 2]


@wp.func
def second_barycentric(tiles: Tiles, k: int, x: float, y: float) -> float:
    return tiles.planes[k, 3] * x + tiles.planes[k, 4] * y + tiles.planes[k, 5]


@wp.kernel
def trace(
    s: Scene,
    g: Surface,
    tiles: Tiles,
    mesh: wp.uint64,
    texture: wp.array2d(dtype=wp.vec4),
    samples: wp.array(dtype=wp.vec2),
    colours: wp.array(dtype=wp.vec4),
    keys: wp.array(dtype=wp.vec2),
):
    """Trace the samples: display colour with straight alpha, and (material, depth), of each.

    Hair and lashes are transparent between strands. The four nearest hits on them are kept and
    blended from front to back over the nearest solid surface.
    """
    i = wp.tid()
    x = samples[i][0]
    y = samples[i][1]
    tile = int(y / tiles.tile_px) * tiles.across + int(x / tiles.tile_px)
    solid = wp.int32(-1)
    solid_depth = float(FAR)
    thin = wp.vec4i(-1, -1, -1, -1)
    thin_depth = wp.vec4(FAR, FAR, FAR, FAR)
    for entry in range(tiles.starts[tile], tiles.starts[tile + 1]):
        k = tiles.triangles[entry]
        u = first_barycentric(tiles, k, x, y)
        v = second_barycentric(tiles, k, x, y)
        if u >= SLACK and v >= SLACK and u + v <= 1.0 - SLACK:
            depth = 1.0 / (tiles.planes[k, 6] * x + tiles.planes[k, 7] * y + tiles.planes[k, 8])
            m = g.material[k]
            if m == HAIR or m == LASH:  # noqa: SIM109
                if depth < thin_depth[3]:
                    thin_depth[3] = depth
                    thin[3] = k
                    for step in range(3):
                        j = 3 - step
                        if thin_depth[j] < thin_depth[j - 1]:
                            far = thin_depth[j - 1]
                            thin_depth[j - 1] = thin_depth[j]
                            thin_depth[j] = far
                            other = thin[j - 1]
                            thin[j - 1] = thin[j]
                            thin[j] = other
            elif depth < solid_depth:
                solid_depth = depth
                solid = k
    view = -wp.normalize(
        wp.vec3((x - s.centre_x) / s.focal_px, 1.0, -(y - s.centre_y) / s.focal_px)
    )
    total = wp.vec3(0.0, 0.0, 0.0)
    open = float(1.0)
    key = float(-1.0)
    key_depth = float(FAR)
    wisps = float(0.0)
    for j in range(5):
        k = solid
        depth = solid_depth
        if j < 4:
            k = thin[j]
            depth = thin_depth[j]
            if depth > solid_depth:
                k = -1
        if k >= 0 and open > 0.06:
            u = first_barycentric(tiles, k, x, y)
            v = second_barycentric(tiles, k, x, y)
            hit = shade(s, g, mesh, texture, k, u, v, view)
            total = total + wp.vec3(hit[0], hit[1], hit[2]) * (open * hit[3])
            open = open * (1.0 - hit[3])
            if key < 0.0 and open < 0.5:
                key = float(g.material[k])
                key_depth = depth
            elif key < 0.0:
                wisps = 1.0 - open
    if open < 0.06:  # almost opaque counts as opaque
        open = 0.0
    if key == float(SKIN):
        a = g.faces[solid, 0]
        b = g.faces[solid, 1]
        c = g.faces[solid, 2]
        u = first_barycentric(tiles, solid, x, y)
        v = second_barycentric(tiles, solid, x, y)
        if collar_line(s, g.rest[a] * u + g.rest[b] * v + g.rest[c] * (1.0 - u - v)) < 0.0:
            key = float(CLOTH)
    alpha = 1.0 - open
    if alpha > 0.0:
        total = display(s, total / alpha)
    colours[i] = wp.vec4(total[0], total[1], total[2], alpha)
    # thin hair in front changes the depth, so that its pixels differ from those without
    keys[i] = wp.vec2(key, key_depth + 0.004 * wisps)


@wp.kernel
def occlude(
    g: Surface,
    mesh: wp.uint64,
    which: wp.array(dtype=int),
    camera: wp.vec3,
    directions: wp.array(dtype=wp.vec3),
    relative: int,
    reach: float,
    hair_opacity: float,
    out: wp.array(dtype=float),
):
    """Share of the light from `directions` that reaches each point.

    With `relative` 1 the directions are on a half sphere around the normal (ambient light), with 0
    they point towards a lamp (soft shadow).
    """
    i = which[wp.tid()]
    n = g.normals[i]
    if relative == 0 and wp.dot(n, wp.normalize(camera - g.points[i])) < -0.2:
        # it is seen from behind: an estimate is enough, but the last frame's value is not
        out[i] = wp.clamp(0.4 + 1.5 * wp.dot(n, directions[0]), 0.0, 1.0)
        return
    side = wp.vec3(1.0, 0.0, 0.0)
    if wp.abs(n[0]) > 0.8:
        side = wp.vec3(0.0, 1.0, 0.0)
    u = wp.normalize(wp.cross(n, side))
    v = wp.cross(n, u)
    light = float(0.0)
    count = directions.shape[0]
    for k in range(count):
        d = directions[k]
        if relative == 1:
            d = u * d[0] + v * d[1] + n * d[2]
        if wp.dot(d, n) > -0.2:
            q = wp.mesh_query_ray(mesh, g.points[i] + n * 0.0015 + d * 0.001, d, reach)
            share = float(1.0)
            if q.result:
                share = 0.0
                m = g.material[q.face]
                if m == HAIR:
                    inside = (
                        g.rest[g.faces[q.face, 0]][2] * q.u
                        + g.rest[g.faces[q.face, 1]][2] * q.v
                        + g.rest[g.faces[q.face, 2]][2] * (1.0 - q.u - q.v)
                    )
                    share = 1.0 - hair_opacity * smooth(0.0, 0.012, inside)
                if m == LASH:
                    share = 1.0
            light = light + share
    out[i] = light / float(count)


@wp.kernel
def reach(
    mesh: wp.uint64,
    origin: wp.vec3,
    directions: wp.array(dtype=wp.vec3),
    out: wp.array(dtype=float),
):
    """Distance from `origin` to the mesh in each direction; -1 if there is none within 0.4 m."""
    i = wp.tid()
    query = wp.mesh_query_ray(mesh, origin, directions[i], 0.4)
    out[i] = -1.0
    if query.result:
        out[i] = query.t


@wp.kernel
def collar(s: Scene, points: wp.array(dtype=wp.vec3), out: wp.array(dtype=float)):
    """Compute `collar_line` of many points."""
    i = wp.tid()
    out[i] = collar_line(s, points[i])
