"""Shading of each kind of surface: functions that the kernels of `raycast.py` call.

This file has no `from __future__ import annotations`, because warp reads the annotations as types.
They are no types for mypy, which is off for this file. `float(0.0)` declares a variable in warp.
"""

# mypy: ignore-errors
# ruff: noqa: UP018

import warp as wp

wp.set_module_options({"enable_backward": False, "optimization_level": 3})

SKIN = wp.constant(0)
EYE_LEFT = wp.constant(1)
EYE_RIGHT = wp.constant(2)
CAVITY = wp.constant(3)
TONGUE = wp.constant(4)
TEETH = wp.constant(5)
HAIR = wp.constant(6)
LASH = wp.constant(7)
CLOTH = wp.constant(8)
GLASSES = wp.constant(9)


@wp.struct
class Scene:
    """Values that are the same for every ray of one frame."""

    camera: wp.vec3
    focal_px: float
    centre_x: float
    centre_y: float
    key_dir: wp.vec3
    key: wp.vec3
    fill_dir: wp.vec3
    fill: wp.vec3
    sky: wp.vec3
    ground: wp.vec3
    exposure: float
    axis_y: float
    low_z: float
    high_z: float
    lips: wp.vec3
    hair: wp.vec3
    hair_shine: float
    hair_curl: float
    hair_seed: int
    hair_frequency: float
    iris: wp.vec3
    sclera: wp.vec3
    iris_m: float
    pupil: float
    eye_radius: float
    eye_left: wp.vec3
    eye_right: wp.vec3
    gaze_left: wp.vec3
    gaze_right: wp.vec3
    head_up: wp.vec3
    lash: float
    mouth: wp.vec3
    mouth_open: float
    varied_mouth: int
    head_back: wp.vec3
    enamel: wp.vec3
    gums: wp.vec3
    cavity: wp.vec3
    tongue: wp.vec3
    mouth_gap: float
    mouth_reach: float
    frame: wp.vec3
    cloth: wp.vec3
    cloth_second: wp.vec3
    cloth_pattern: float
    neckline: int
    collar_z: float
    collar_y: float


@wp.func
def smooth(low: float, high: float, x: float) -> float:
    """Smooth step: 0 below `low`, 1 above `high`."""
    t = wp.clamp((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@wp.func
def mix3(a: wp.vec3, b: wp.vec3, t: float) -> wp.vec3:
    """Linear interpolation of two colours."""
    return a + (b - a) * t


@wp.func
def noise2(seed: int, x: float, y: float) -> float:
    """Smooth random noise at (x, y), -1 to 1."""
    return wp.noise(wp.rand_init(seed), wp.vec2(x, y))


@wp.func
def read_skin(texture: wp.array2d(dtype=wp.vec4), column: float, row: float) -> wp.vec4:
    """Bilinear sample of the skin texture."""
    height = texture.shape[0]
    width = texture.shape[1]
    x = wp.clamp(column - 0.5, 0.0, float(width) - 1.001)
    y = wp.clamp(row - 0.5, 0.0, float(height) - 1.001)
    i = int(x)
    j = int(y)
    u = x - float(i)
    v = y - float(j)
    top = texture[j, i] * (1.0 - u) + texture[j, i + 1] * u
    bottom = texture[j + 1, i] * (1.0 - u) + texture[j + 1, i + 1] * u
    return top * (1.0 - v) + bottom * v


@wp.func
def collar_line(s: Scene, p: wp.vec3) -> float:
    """Height above the neckline in metres, on the mean head; below it is cloth."""
    front = smooth(0.05, -0.05, p[1] - s.collar_y)
    ax = wp.abs(p[0])
    height = p[2] - s.collar_z
    if s.neckline == 0:
        return height + 0.020 * front - 0.16 * ax
    if s.neckline == 1:
        return height + front * (0.085 - wp.min(0.95 * ax, 0.08)) - 0.10 * ax
    if s.neckline == 2:
        return height - 0.045 + 0.015 * front
    if s.neckline == 3:
        return height - 0.016 + front * (0.045 - wp.min(1.5 * ax, 0.06)) - 0.06 * ax
    return height + front * (0.035 - wp.min(0.5 * ax, 0.02)) - 0.22 * ax


@wp.func
def lit(s: Scene, n: wp.vec3, visible: float, ao: float, wrap: wp.vec3) -> wp.vec3:
    """Light on a matt surface; `wrap` extends it past the edge per channel, as in skin."""
    k = wp.dot(n, s.key_dir)
    f = wp.max(wp.dot(n, s.fill_dir) * 0.7 + 0.3, 0.0) * (0.35 + 0.65 * ao)
    key = wp.vec3(
        wp.max((k + wrap[0]) / (1.0 + wrap[0]), 0.0),
        wp.max((k + wrap[1]) / (1.0 + wrap[1]), 0.0),
        wp.max((k + wrap[2]) / (1.0 + wrap[2]), 0.0),
    )
    # the edge of a shadow on skin is red
    shade = wp.vec3(visible * (1.45 - 0.45 * visible), visible, visible)
    dome = mix3(s.ground, s.sky, 0.5 + 0.5 * n[2]) * ao
    return wp.cw_mul(wp.cw_mul(s.key, key), shade) + s.fill * f + dome


@wp.func
def highlight(s: Scene, n: wp.vec3, view: wp.vec3, power: float) -> float:
    """Strength of the key light's reflection (Blinn and Phong)."""
    h = wp.normalize(s.key_dir + view)
    return wp.pow(wp.max(wp.dot(n, h), 0.0), power) * (power + 8.0) * 0.04


@wp.func
def shade_skin(
    s: Scene, texture: wp.array2d(dtype=wp.vec4), rest: wp.vec3, n: wp.vec3, view: wp.vec3,
    lips: float, lid: float, ao: float, visible: float,
) -> wp.vec3:  # fmt: skip
    """Colour of skin and lips, in linear light."""
    azimuth = wp.atan2(rest[0], s.axis_y - rest[1])
    column = (azimuth / 6.2831853 + 0.5) * float(texture.shape[1])
    row = (s.high_z - rest[2]) / (s.high_z - s.low_z) * float(texture.shape[0])
    texel = read_skin(texture, column, row)
    albedo = wp.vec3(texel[0], texel[1], texel[2])
    if lips > 0.01:
        lines = 1.0 + 0.16 * noise2(11, rest[0] * 900.0, rest[2] * 160.0)
        albedo = mix3(albedo, s.lips * lines, 0.92 * lips)
    albedo = albedo * (1.0 - 0.78 * lid)
    light = lit(s, n, visible, ao, wp.vec3(0.28, 0.12, 0.07))
    facing = wp.max(wp.dot(n, view), 0.0)
    graze = (1.0 - facing) * (1.0 - facing)
    fresnel = 0.028 + 0.6 * graze * graze * (1.0 - facing)
    gloss = texel[3] * (1.0 - lips) + 1.2 * lips
    shine = float(0.0)
    front = wp.dot(n, s.key_dir)
    if front > 0.0:
        wide = highlight(s, n, view, 12.0)
        sharp = highlight(s, n, view, 46.0)
        shine = gloss * fresnel * (0.55 * wide + 0.45 * sharp) * front * 3.0
    rim = fresnel * 0.30 * ao
    return wp.cw_mul(albedo, light) + s.key * (visible * wp.min(shine, 1.5)) + s.sky * rim


@wp.func
def shade_cloth(
    s: Scene, rest: wp.vec3, n: wp.vec3, above: float, ao: float, visible: float
) -> wp.vec3:
    """Colour of cloth, in linear light; `above` is the height above the neckline."""
    colour = s.cloth
    weave = 1.0 + 0.10 * noise2(5, rest[0] * 900.0, rest[2] * 900.0)
    weave = weave + 0.12 * noise2(6, rest[0] * 26.0 + rest[1] * 9.0, rest[2] * 16.0)
    if s.cloth_pattern > 0.0:
        band = wp.sin(rest[2] * s.cloth_pattern * 6.28)
        colour = mix3(colour, s.cloth_second, smooth(-0.2, 0.2, band))
    edge = smooth(-0.017, -0.014, above)
    if s.neckline == 4:
        lapel = wp.abs(rest[0]) - 0.045 - 0.10 * (s.collar_z - rest[2])
        colour = mix3(s.cloth_second, colour, smooth(-0.002, 0.002, lapel))
        if lapel < 0.0:
            edge = edge * 0.5
        weave = weave * (1.0 - 0.45 * smooth(0.006, 0.0, wp.abs(lapel)))
    if s.neckline == 3:
        edge = smooth(-0.045, -0.043, above)
        weave = weave * (1.0 - 0.5 * smooth(0.0025, 0.0, wp.abs(above + 0.044)))
        placket = smooth(0.0022, 0.0, wp.abs(wp.abs(rest[0]) - 0.014)) * smooth(-0.05, -0.06, above)
        weave = weave * (1.0 - 0.3 * placket)
    else:
        weave = weave * (1.0 - 0.35 * smooth(0.002, 0.0, wp.abs(above + 0.0155)))
    colour = colour * (1.0 - 0.14 * edge) * weave
    return wp.cw_mul(colour, lit(s, n, visible, ao, wp.vec3(0.08, 0.08, 0.08)))


@wp.func
def shade_eye(
    s: Scene, mesh: wp.uint64, p: wp.vec3, centre: wp.vec3, gaze: wp.vec3, view: wp.vec3,
    visible: float,
) -> wp.vec3:  # fmt: skip
    """Colour of an eyeball with its iris, shaded by the upper lid."""
    n = wp.normalize(p - centre)
    cosine = wp.clamp(wp.dot(n, gaze), -1.0, 1.0)
    r = s.eye_radius * wp.sqrt(wp.max(1.0 - cosine * cosine, 0.0))
    if cosine < 0.0:
        r = s.eye_radius
    side = wp.normalize(wp.cross(gaze, s.head_up))
    up = wp.cross(side, gaze)
    angle = wp.atan2(wp.dot(n, up), wp.dot(n, side))
    fibre = 1.0 + 0.30 * noise2(21, wp.cos(angle) * 9.0 + r * 500.0, wp.sin(angle) * 9.0)
    fibre = fibre + 0.22 * noise2(22, angle * 14.0, r * 260.0)
    share = r / s.iris_m
    # light that enters the cornea brightens the far side of the iris
    caustic = 1.0 + 0.5 * wp.dot(
        wp.normalize(s.key_dir), -(side * wp.cos(angle) + up * wp.sin(angle))
    )
    iris = s.iris * (fibre * caustic * (1.25 - 0.45 * share))
    iris = mix3(iris, s.iris * 0.22, smooth(0.78, 1.0, share))
    iris = iris * smooth(s.pupil - 0.06, s.pupil + 0.06, share)
    white = s.sclera * (1.0 + 0.03 * noise2(23, n[0] * 60.0, n[2] * 60.0))
    far = smooth(0.010, 0.016, r)
    white = wp.cw_mul(white, mix3(wp.vec3(1.0, 1.0, 1.0), wp.vec3(0.92, 0.72, 0.68), far))
    colour = mix3(iris, white, smooth(0.92, 1.06, share))
    # the upper lid and its lashes shade the eye
    lid = wp.mesh_query_ray(mesh, p + n * 0.0012, wp.normalize(s.head_up * 0.85 + n * 0.6), 0.009)
    ao = float(1.0)
    if lid.result:
        ao = 0.40 + 0.6 * smooth(0.0008, 0.009, lid.t)
    colour = wp.cw_mul(colour, lit(s, n, visible * ao, 0.75 * ao, wp.vec3(0.25, 0.2, 0.2)) * 0.82)
    bulge = wp.normalize(n + gaze * (0.55 * smooth(1.15, 0.3, share)))
    mirror = bulge * (2.0 * wp.dot(bulge, view)) - view
    spot = smooth(0.955, 0.975, wp.dot(mirror, s.key_dir))
    spot = spot + 0.25 * smooth(0.94, 0.97, wp.dot(mirror, s.fill_dir))
    sheen = 0.05 * wp.max(mirror[2], 0.0)
    return colour + (s.key * (0.75 * spot * (0.3 + 0.7 * ao)) + s.sky * sheen * ao)


@wp.func
def shade_mouth(
    s: Scene, material: int, rest: wp.vec3, p: wp.vec3, n: wp.vec3, view: wp.vec3
) -> wp.vec3:
    """Colour of cavity, tongue or teeth, darker with their depth behind the lips."""
    depth = wp.max(p[1] - s.mouth[1], 0.0)
    reach = wp.exp(-depth / (0.006 + 0.022 * s.mouth_open)) * (
        0.25 + 0.75 * wp.min(s.mouth_open * 2.0, 1.0)
    )
    albedo = wp.vec3(0.20, 0.045, 0.04)
    shine = float(0.0)
    if material == TONGUE:
        albedo = wp.vec3(0.42, 0.13, 0.12) * (
            1.0 + 0.2 * noise2(31, rest[0] * 700.0, rest[1] * 700.0)
        )
        shine = 0.10
    if material == TEETH:
        albedo = wp.vec3(0.72, 0.66, 0.55)
        gap = wp.abs(wp.sin(rest[0] * 3.14159))
        albedo = albedo * (0.55 + 0.45 * smooth(0.0, 0.35, gap))
        gum = smooth(0.75, 0.95, rest[1] + 0.12 * gap)
        albedo = mix3(albedo, wp.vec3(0.42, 0.14, 0.13), gum)
        reach = wp.min(reach * 1.5 + 0.10 * wp.min(s.mouth_open * 4.0, 1.0), 1.0)
        shine = 0.25
    light = s.key * (0.55 * wp.max(wp.dot(n, s.key_dir), 0.0) + 0.1) + s.fill * 0.4 + s.sky * 0.5
    glint = s.key * (shine * wp.min(highlight(s, n, view, 40.0), 2.0) * 0.25)
    return (wp.cw_mul(albedo, light) + glint) * reach


@wp.func
def shade_varied_mouth(
    s: Scene, material: int, rest: wp.vec3, p: wp.vec3, n: wp.vec3, view: wp.vec3
) -> wp.vec3:
    """Colour of cavity, tongue or teeth of a person with a `Mouth`; see `identity.Mouth`."""
    depth = wp.max(wp.dot(p - s.mouth, s.head_back), 0.0)
    open = wp.min(s.mouth_open * 3.0, 1.0)
    reach = wp.exp(-depth / (s.mouth_reach * (0.007 + 0.020 * s.mouth_open))) * (0.3 + 0.7 * open)
    albedo = s.cavity
    shine = float(0.05)
    if material == TONGUE:
        middle = 1.0 - 0.35 * smooth(0.0025, 0.0, wp.abs(rest[0]))
        grain = 1.0 + 0.2 * noise2(31, rest[0] * 700.0, rest[1] * 700.0)
        albedo = s.tongue * (middle * grain)
        reach = wp.exp(-depth / (s.mouth_reach * 0.030)) * (0.35 + 0.65 * open)
        shine = 0.12
    if material == TEETH:
        across = wp.abs(rest[0]) - wp.floor(wp.abs(rest[0]))
        side = wp.abs(2.0 * across - 1.0)
        gap = smooth(0.80, 1.0, side)
        # darker and yellower towards the gum, a little grey at the edge
        albedo = wp.cw_mul(
            s.enamel, mix3(wp.vec3(0.94, 0.95, 0.97), wp.vec3(0.97, 0.90, 0.78), rest[1])
        )
        albedo = albedo * (1.0 + 0.05 * noise2(33, wp.floor(rest[0]) * 7.3, 0.5))
        albedo = albedo * (1.0 - s.mouth_gap * gap) * (1.0 - 0.22 * side * side)
        gum = smooth(0.66, 0.78, rest[1] + 0.16 * side * side)
        albedo = mix3(albedo, s.gums, gum)
        behind = wp.max(depth - 0.006, 0.0)
        reach = wp.exp(-behind / (s.mouth_reach * 0.013)) * (0.55 + 0.45 * open)
        if rest[2] > 0.0:  # the upper lip shades the upper teeth
            reach = reach * (1.0 - 0.45 * smooth(0.25, 1.0, rest[1]))
        else:
            reach = reach * 0.78
        shine = 0.30 * (1.0 - gum)
    lamp = 0.60 * wp.max(wp.dot(n, s.key_dir), 0.0) + 0.12
    light = s.key * lamp + s.fill * 0.4 + s.sky * 0.5
    glint = s.key * (shine * wp.min(highlight(s, n, view, 40.0), 2.0) * 0.25)
    return (wp.cw_mul(albedo, light) + glint) * reach


@wp.func
def strand_noise(s: Scene, strand: float, along: float, layer: float) -> float:
    """Noise of strands, -1 to 1, stretched along them: locks, and hairs within locks."""
    f = s.hair_frequency
    x = strand + layer * 0.013
    if s.hair_curl > 0.1:
        x = x + s.hair_curl * 0.012 * noise2(s.hair_seed, strand * 40.0, along * 45.0)
    stretch = 0.05 + 0.5 * s.hair_curl * s.hair_curl
    coarse = noise2(s.hair_seed + 1, x * f * 0.22, along * f * 0.22 * stretch)
    fine = noise2(s.hair_seed + 2, x * f, along * f * stretch)
    return 0.55 * coarse + 0.75 * fine


@wp.func
def hair_cover(s: Scene, strand: wp.vec3, layer: float, noise: float) -> float:
    """Opacity of hair: it thins out at the hairline and between strands of outer shells."""
    inside = strand[2] - 0.006 * layer
    cover = float(1.0)
    if inside < 0.017:
        f = s.hair_frequency * 0.7
        inside = inside + 0.0055 * noise2(s.hair_seed + 3, strand[0] * f, strand[1] * 40.0)
        cover = smooth(-0.002, 0.011, inside)
    if layer < 0.02:
        return cover
    need = 0.62 * layer - 0.40
    return cover * smooth(need - 0.22, need + 0.22, noise)


@wp.func
def shade_hair(
    s: Scene, n: wp.vec3, tangent: wp.vec3, view: wp.vec3, layer: float, noise: float,
    visible: float,
) -> wp.vec3:  # fmt: skip
    """Colour of hair with two highlights.

    Kajiya and Kay, "Rendering fur with three dimensional textures" (1989).
    """
    colour = s.hair * (1.0 + 0.42 * noise) * (0.72 + 0.28 * layer)
    t = wp.normalize(tangent + n * (0.10 * noise))
    tl = wp.dot(t, s.key_dir)
    diffuse = wp.sqrt(wp.max(1.0 - tl * tl, 0.0))
    side = smooth(-0.35, 0.5, wp.dot(n, s.key_dir))
    h = wp.normalize(s.key_dir + view)
    th = wp.dot(wp.normalize(t + n * 0.08), h)
    th2 = wp.dot(wp.normalize(t - n * 0.14), h)
    first = wp.pow(wp.sqrt(wp.max(1.0 - th * th, 0.0)), 70.0)
    second = wp.pow(wp.sqrt(wp.max(1.0 - th2 * th2, 0.0)), 22.0)
    ao = 0.7 + 0.3 * layer
    dome = mix3(s.ground, s.sky, 0.5 + 0.5 * n[2]) * ao
    light = s.key * (diffuse * side * visible * 0.75) + s.fill * (0.5 * ao) + dome
    gleam = (0.5 + 0.5 * noise) * s.hair_shine * side * visible
    tint = mix3(s.hair, wp.vec3(0.5, 0.5, 0.5), 0.25)
    return (
        wp.cw_mul(colour, light)
        + wp.cw_mul(s.key, tint) * (gleam * 0.55 * second)
        + s.key * (gleam * 0.045 * first)
    )


@wp.func
def display(s: Scene, c: wp.vec3) -> wp.vec3:
    """Display colour of linear light: exposure, soft clipping, and the sRGB curve."""
    x = c * s.exposure
    out = wp.vec3()
    for k in range(3):
        v = wp.max(x[k], 0.0)
        v = v * (1.0 + v * 0.20) / (1.0 + v * 0.62)
        v = wp.min(v, 1.0)
        if v <= 0.0031308:
            out[k] = v * 12.92
        else:
            out[k] = 1.055 * wp.pow(v, 1.0 / 2.4) - 0.055
    return out
