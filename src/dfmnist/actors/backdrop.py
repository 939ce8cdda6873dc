"""Plain or blurred backgrounds, painted once per person."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from dfmnist.actors.identity import Identity, Rgb
from dfmnist.core.arrays import Floats32

BASE = 192
"""Side of the background before it is enlarged to the frame."""


def paint_backdrop(identity: Identity, size: int) -> Floats32:
    """Background (size, size, 3) of a person, as display values from 0 to 1."""
    drop = identity.backdrop
    rng = np.random.default_rng([drop.noise_seed, 4])
    first, second, third = (_display(c) for c in (drop.first, drop.second, drop.third))
    rows, columns = np.mgrid[:BASE, :BASE] / BASE
    if drop.kind == "gradient":
        angle = rng.uniform(0, 2 * np.pi)
        t = 0.5 + 0.7 * ((columns - 0.5) * np.cos(angle) + (rows - 0.5) * np.sin(angle))
        picture = _mix(first, second, t * 0.6)
    elif drop.kind == "wall":
        centre = rng.uniform(0.2, 0.8, 2)
        glow = np.exp(-((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2) / 0.22)
        picture = first * (0.62 + 0.5 * glow[..., None])
    elif drop.kind == "plain":  # of training alone, as are the sharp ones
        picture = np.broadcast_to(first, (BASE, BASE, 3)).astype(np.float64)
    elif drop.kind == "sharp":
        picture = _sharp_scene(rng, first, second, third)
    else:
        picture = _scene(drop.kind, rng, first, second, third)
    fall = 0.0 if drop.kind == "plain" else 0.18
    vignette = 1 - fall * ((columns - 0.5) ** 2 + (rows - 0.5) ** 2)[..., None] * 2
    image = Image.fromarray((np.clip(picture * vignette, 0, 1) * 255 + 0.5).astype(np.uint8))
    big = image.resize((size, size), Image.Resampling.BICUBIC)
    result = np.asarray(big, np.float32) / 255
    grain = rng.normal(0, 0.004, (size, size, 1)).astype(np.float32)  # against banding
    return np.clip(result + grain, 0, 1)


def _scene(
    kind: str, rng: np.random.Generator, first: Floats32, second: Floats32, third: Floats32
) -> NDArray[np.float64]:
    image = Image.new("RGB", (BASE, BASE), _ink(first))
    draw = ImageDraw.Draw(image)

    def box(x: float, y: float, w: float, h: float, colour: Floats32) -> None:
        corners = [x * BASE, y * BASE, (x + w) * BASE, (y + h) * BASE]
        draw.rectangle([round(c) for c in corners], fill=_ink(colour))

    if kind == "shapes":
        for colour in (second, third, _blend(first, second), _blend(first, third)):
            x, y = rng.uniform(-0.1, 1.1, 2)
            r = rng.uniform(0.12, 0.4)
            ellipse = [(x - r) * BASE, (y - r) * BASE, (x + r) * BASE, (y + r) * BASE]
            draw.ellipse(ellipse, fill=_ink(_blend(first, colour, 0.55)))
        blur = 16.0
    elif kind == "room":
        side = rng.integers(2)
        left = rng.uniform(-0.1, 0.1) if side == 0 else rng.uniform(0.6, 0.75)
        box(0, 0.72, 1, 0.3, _blend(first, second, 0.5))
        for shelf in range(4):
            y = 0.08 + 0.2 * shelf
            box(left, y + 0.15, 0.4, 0.02, _blend(third, first, 0.3))
            x = left
            while x < left + 0.38:
                w = rng.uniform(0.02, 0.06)
                book = np.clip(
                    rng.choice([0.5, 0.8, 1.1]) * _blend(second, third, rng.random()), 0, 1
                )
                box(x, y + rng.uniform(0.0, 0.05), w, 0.15, book)
                x += w + rng.uniform(0, 0.02)
        box(1 - left - 0.35, rng.uniform(0.1, 0.3), 0.22, 0.26, _blend(third, second, 0.4))
        blur = 7.0
    else:
        left, width = rng.uniform(-0.1, 0.55), rng.uniform(0.35, 0.55)
        light = np.array([0.86, 0.91, 0.97], np.float32) * np.float32(rng.uniform(0.85, 1.02))
        box(left, -0.1, width, 0.75, light)
        box(left + width / 2 - 0.012, -0.1, 0.024, 0.75, _blend(first, third, 0.3))
        box(left, 0.28, width, 0.02, _blend(first, third, 0.3))
        box(left - 0.09, -0.1, 0.1, 0.95, _blend(second, first, 0.4))
        blur = 8.0
    soft = image.filter(ImageFilter.GaussianBlur(blur * rng.uniform(0.8, 1.2)))
    return np.asarray(soft, np.float64) / 255


def _sharp_scene(
    rng: np.random.Generator, first: Floats32, second: Floats32, third: Floats32
) -> NDArray[np.float64]:
    """Boards, lines and boxes in focus, so that a motion that bends a background is seen."""
    zoom = 2
    side = BASE * zoom
    image = Image.new("RGB", (side, side), _ink(first))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(4, 14))):
        x, y = (float(v) for v in rng.uniform(-0.1, 1.0, 2) * side)
        w, h = (float(v) for v in rng.uniform(0.03, 0.45, 2) * side)
        colour = _ink(_blend(second, third, float(rng.uniform(-0.3, 1.3))))
        if rng.random() < 0.6:
            draw.rectangle([x, y, x + w, y + h], fill=colour)
        else:
            draw.line([x, y, x + w, y + h * int(rng.integers(2))], fill=colour, width=4)
    blur = float(rng.choice([0.0, 1.0, 2.5]))
    small = image.filter(ImageFilter.GaussianBlur(blur)).resize((BASE, BASE), Image.Resampling.BOX)
    return np.asarray(small, np.float64) / 255


def _display(colour: Rgb) -> Floats32:
    c = np.array(colour, np.float32)
    return np.where(c <= 0.0031308, c * 12.92, 1.055 * c ** (1 / 2.4) - 0.055)


def _mix(a: Floats32, b: Floats32, t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(a + (b - a) * np.clip(t, 0, 1)[..., None])


def _blend(a: Floats32, b: Floats32, t: float = 0.5) -> Floats32:
    return np.asarray(a + (b - a) * t, np.float32)


def _ink(colour: Floats32) -> tuple[int, int, int]:
    r, g, b = (int(np.clip(c, 0, 1) * 255 + 0.5) for c in colour)
    return (r, g, b)
