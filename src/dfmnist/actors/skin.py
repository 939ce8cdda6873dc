"""Skin texture of one person: tone, redness, mottling, brows, stubble, freckles, wrinkles.

The texture is unrolled around the vertical axis of the head: the column is the azimuth (the face in
the middle, the person's left to the right), the row is the height. Its coordinates are those of the
shared mean head, so that every feature moves with the face.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from dfmnist.actors.head import load_head
from dfmnist.actors.identity import Identity
from dfmnist.actors.landmarks import find_landmarks
from dfmnist.core.arrays import Floats32

WIDTH, HEIGHT = 960, 512
"""Size of the texture in pixels."""
Points = dict[str, Floats32]
"""Positions (column, row) of named points in the texture."""


def _cover(layer: Image.Image) -> Floats32:
    """A drawn layer as opacity, 0 to 1."""
    return np.asarray(np.asarray(layer, np.float32) / 255, np.float32)


def _off(point: Floats32, right: float, down: float) -> Floats32:
    """The point moved by `right` and `down` pixels."""
    return np.asarray(point + np.array([right, down]), np.float32)


@dataclass(frozen=True)
class Unroll:
    """Mapping of the texture to the mean head: azimuth about (0, `axis_y`), range of heights."""

    axis_y: float
    low_z: float
    high_z: float

    def project(self, points: Floats32) -> Floats32:
        """Columns and rows (n, 2) in the texture of points (n, 3) on the mean head."""
        azimuth = np.arctan2(points[:, 0], self.axis_y - points[:, 1])
        column = (azimuth / (2 * np.pi) + 0.5) * WIDTH
        row = (self.high_z - points[:, 2]) / (self.high_z - self.low_z) * HEIGHT
        return np.stack([column, row], 1).astype(np.float32)


def unroll() -> Unroll:
    """Mapping of the texture to the shared head."""
    head = load_head()
    ears = head.mean[head.masks["ears"] > 0.5]
    return Unroll(float(ears[:, 1].mean()), float(head.mean_bones[0, 2]) - 0.06,
                  float(head.mean[:, 2].max()) + 0.005)  # fmt: skip


def value_noise(
    rng: np.random.Generator, shape: tuple[int, int], cell: tuple[int, int]
) -> Floats32:
    """Smooth noise of `shape`, -1 to 1, with cells of `cell` pixels; its columns wrap around."""
    rows, columns = shape[0] // cell[0] + 2, max(2, round(shape[1] / cell[1]))
    grid = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
    wrapped = np.concatenate([grid[:, -1:], grid, grid[:, :2]], 1)
    image = Image.fromarray(wrapped)
    wide = (wrapped.shape[1] * shape[1]) // columns
    big = image.resize((wide, rows * cell[0]), Image.Resampling.BICUBIC)
    left = shape[1] // columns
    return np.asarray(big, np.float32)[: shape[0], left : left + shape[1]]


def _blob(centre: Floats32, radius: tuple[float, float]) -> Floats32:
    """Gaussian spot in the texture around `centre`, with radii (columns, rows) in pixels."""
    across = np.exp(-(((np.arange(WIDTH) - centre[0]) / radius[0]) ** 2))
    down = np.exp(-(((np.arange(HEIGHT) - centre[1]) / radius[1]) ** 2))
    return np.outer(down.astype(np.float32), across.astype(np.float32))


def paint_skin(identity: Identity) -> Floats32:
    """Skin texture of this person, (HEIGHT, WIDTH, 4): linear RGB and gloss."""
    skin = identity.skin
    rng = np.random.default_rng([skin.noise_seed, 1])
    marks = find_landmarks()
    places = unroll().project(load_head().mean[marks.vertices])
    points: Points = dict(zip(marks.names, places, strict=True))
    shape = (HEIGHT, WIDTH)
    picture = np.broadcast_to(np.array(skin.tone, np.float32), (*shape, 3)).copy()
    coarse, middle, fine, pores = (value_noise(rng, shape, (c, c)) for c in (64, 22, 7, 3))
    light = 1 + skin.mottling * (0.035 * coarse + 0.03 * middle + 0.03 * fine + 0.035 * pores)
    picture *= light[..., None]
    _add_blood(picture, skin.redness, points, middle)
    _darken(picture, _eye_hollow(points), skin.eye_shadow)
    _wrinkle(picture, points, skin.wrinkles)
    _speckle(picture, rng, skin.freckles, skin.moles, points)
    hair = np.array(identity.hair.colour, np.float32)
    if skin.stubble > 0:
        grain = np.clip(0.55 + 0.5 * fine + 0.5 * pores, 0, 1)
        amount = _beard_zone(points, rng) * (0.22 * skin.stubble + 0.0 * grain)
        amount = amount + _beard_zone(points, rng) * skin.beard * (0.45 + 0.5 * grain) * 0.95
        _blend(picture, hair * 0.8 + 0.02, np.clip(amount, 0, 0.96))
    brows = paint_brows(identity, points)
    _blend(picture, hair * 0.75, brows)
    gloss = skin.gloss * (0.55 + 0.25 * middle + 0.25 * fine)
    oily = _blob(points["nose_tip"], (26, 34)) + 0.7 * _blob(points["forehead"], (70, 45))
    gloss = np.clip(gloss * (0.8 + 0.8 * oily), 0, 2)
    return np.concatenate([np.clip(picture, 0.005, 1), gloss[..., None]], 2).astype(np.float32)


def _blend(picture: Floats32, colour: Floats32, amount: Floats32) -> None:
    picture += (colour - picture) * amount[..., None]


def _darken(picture: Floats32, zone: Floats32, amount: float) -> None:
    picture *= 1 - amount * zone[..., None] * np.array([0.30, 0.42, 0.36], np.float32)


def _add_blood(picture: Floats32, redness: float, points: Points, noise: Floats32) -> None:
    zone = np.zeros((HEIGHT, WIDTH), np.float32)
    for side in ("left", "right"):
        zone += 0.8 * _blob(points[f"cheek_{side}"], (55, 42))
        zone += 0.7 * _blob(points[f"ear_{side}"], (40, 60))
    zone += 0.75 * _blob(points["nose_tip"], (26, 24)) + 0.4 * _blob(points["chin"], (50, 28))
    zone *= 1 + 0.35 * noise
    picture *= 1 - redness * np.clip(zone, 0, 1.2)[..., None] * np.array([0.03, 0.23, 0.20])


def _eye_hollow(points: Points) -> Floats32:
    zone = np.zeros((HEIGHT, WIDTH), np.float32)
    for side in ("left", "right"):
        upper, lower = points[f"eye_{side}_upper"], points[f"eye_{side}_lower"]
        zone += 0.9 * _blob(upper - np.array([0, 5]), (34, 12))
        zone += 0.6 * _blob(lower + np.array([0, 10]), (34, 12))
        zone += 0.5 * _blob(points[f"eye_{side}_inner"], (14, 18))
    return np.clip(zone, 0, 1)


def _wrinkle(picture: Floats32, points: Points, amount: float) -> None:
    if amount <= 0.02:
        return
    layer = Image.new("L", (WIDTH * 2, HEIGHT * 2), 0)
    draw = ImageDraw.Draw(layer)
    forehead = points["forehead"]
    for dy, width in ((-16, 118), (0, 140), (17, 120)):
        xs = np.linspace(-width, width, 24)
        curve = [(2 * (forehead[0] + x), 2 * (forehead[1] + dy + 5 * np.cos(x / 34)))
                 for x in xs]  # fmt: skip
        draw.line(curve, fill=130, width=3)
    for side in ("left", "right"):
        nose, mouth = points[f"nostril_{side}"], points[f"mouth_{side}"]
        out = np.sign(mouth[0] - WIDTH / 2)
        start, end = _off(nose, out * 5, -6), _off(mouth, out * 12, 2)
        bend = _off(0.5 * (start + end), out * 7, 0)
        draw.line([tuple(2 * p) for p in (start, bend, end)], fill=170, width=4)
        corner = points[f"eye_{side}_outer"]
        for slope in (-9, -1, 8):
            near, far = _off(corner, out * 7, slope / 3), _off(corner, out * 24, slope)
            draw.line([tuple(2 * near), tuple(2 * far)], fill=120, width=2)
    soft = layer.filter(ImageFilter.GaussianBlur(3)).resize((WIDTH, HEIGHT))
    _darken(picture, _cover(soft), 1.1 * amount)


def _speckle(
    picture: Floats32, rng: np.random.Generator, freckles: float, moles: int, points: Points
) -> None:
    layer = Image.new("L", (WIDTH, HEIGHT), 0)
    draw = ImageDraw.Draw(layer)
    centre = (points["nose_bridge"] + points["nose_tip"]) / 2
    for _ in range(int(420 * min(freckles, 1.2))):
        x, y = rng.normal(centre, (85, 34))
        r = rng.uniform(0.5, 1.4)
        draw.ellipse([x - r, y - r, x + r, y + r], fill=int(rng.uniform(40, 120)))
    for _ in range(moles):
        x, y = rng.uniform((WIDTH * 0.3, HEIGHT * 0.3), (WIDTH * 0.7, HEIGHT * 0.95))
        r = rng.uniform(0.9, 2.0)
        draw.ellipse([x - r, y - r, x + r, y + r], fill=int(rng.uniform(150, 230)))
    zone = _cover(layer.filter(ImageFilter.GaussianBlur(0.8)))
    _blend(picture, picture[0, 0] * np.array([0.35, 0.22, 0.18], np.float32), zone)


def _beard_zone(points: Points, rng: np.random.Generator) -> Floats32:
    """Opacity of a full beard: lower cheeks, jaw, chin and upper lip, without the lips."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    mouth = (points["mouth_left"] + points["mouth_right"]) / 2
    away = np.abs(columns - mouth[0]) / (WIDTH / 4)  # 1 at the ears
    top = points["nose_tip"][1] + 10 + 36 * np.exp(-((away / 0.16 - 2.2) ** 2)) - 60 * away**3
    low = points["chin"][1] + 42 - 26 * away
    ragged = 5 * value_noise(rng, (HEIGHT, WIDTH), (9, 9))
    soft = 9.0
    zone = (
        1 / (1 + np.exp(-(rows - top + ragged) / soft)) / (1 + np.exp((rows - low + ragged) / soft))
    )
    zone *= 1 / (1 + np.exp((away - 0.98) * 25))
    lips = np.exp(-(((columns - mouth[0]) / 50) ** 4) - ((rows - mouth[1]) / 15) ** 4)
    return np.asarray(zone * (1 - lips), np.float32)


def paint_brows(identity: Identity, points: Points) -> Floats32:
    """Opacity (HEIGHT, WIDTH) of the brows, drawn hair by hair at three times the size."""
    skin = identity.skin
    rng = np.random.default_rng([skin.noise_seed, 2])
    zoom = 3
    layer = Image.new("L", (WIDTH * zoom, HEIGHT * zoom), 0)
    draw = ImageDraw.Draw(layer)
    lift = rng.uniform(-3, 2)
    for side in ("left", "right"):
        inner, mid, outer = (points[f"brow_{side}_{p}"] for p in ("inner", "mid", "outer"))
        out = np.sign(outer[0] - inner[0])
        start = _off(inner, out, 6 + lift)
        peak = _off(mid, out * 8, 3 + lift - 5 * skin.brow_arch)
        end = _off(outer, out * 14, 9 + lift)
        for _ in range(int(240 * skin.brow_density)):
            t = rng.beta(1.1, 1.15)
            point = (1 - t) ** 2 * start + 2 * t * (1 - t) * peak + t**2 * end
            thick = skin.brow_width * 6.5 * (0.55 + 1.1 * t) * (1.25 - t) * 1.25
            point = _off(point, rng.normal(0, 1.0), thick * rng.uniform(-0.55, 0.55))
            rise = (1 - t) * 1.1 - 0.25 + rng.normal(0, 0.18)
            length = rng.uniform(5, 9) * (0.7 + 0.3 * skin.brow_width)
            tip = _off(point, out * length * np.cos(rise), -length * np.sin(rise))
            draw.line([tuple(zoom * point), tuple(zoom * tip)],
                      fill=int(rng.uniform(120, 235)), width=int(rng.integers(2, 4)))  # fmt: skip
    small = layer.filter(ImageFilter.GaussianBlur(1.6)).resize(
        (WIDTH, HEIGHT), Image.Resampling.BOX
    )
    soft = layer.filter(ImageFilter.GaussianBlur(7)).resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    hairs = np.asarray(small, np.float32) / 255
    ground = np.asarray(soft, np.float32) / 255
    cover: NDArray[np.float32] = np.clip(0.85 * hairs + 0.35 * ground, 0, 0.93)
    return cover
