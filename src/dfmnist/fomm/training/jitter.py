"""Colour jitter: one change of colours for all pictures of a pair."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "b 3 h w"]


@dataclass(frozen=True)
class Jitter:
    """Factors around 1, a turn of hue, and the order in which they are applied."""

    brightness: float
    contrast: float
    saturation: float
    hue: float
    """Part of a whole turn of the colour circle."""
    order: tuple[int, ...] = (0, 1, 2, 3)
    """Of brightness, contrast, saturation, hue."""


def draw_jitter(rng: np.random.Generator, amount: float) -> Jitter:
    """Factors in 1 ± `amount`, hue in ± `amount`, in any order."""
    brightness, contrast, saturation = rng.uniform(1 - amount, 1 + amount, 3)
    hue = rng.uniform(-amount, amount)
    order = tuple(int(i) for i in rng.permutation(4))
    return Jitter(float(brightness), float(contrast), float(saturation), float(hue), order)


def jitter_colours(images: Images, jitter: Jitter) -> Images:
    """`images` (RGB in [0, 1]) under `jitter`.

    A colour goes where it goes in every picture: contrast turns about the mean grey of them all.
    """
    changes = (
        lambda x: x * jitter.brightness,
        lambda x: _mix(x, _grey(x).mean(), jitter.contrast),
        lambda x: _mix(x, _grey(x), jitter.saturation),
        lambda x: turn_hue(x, jitter.hue),
    )
    for index in jitter.order:
        images = changes[index](images).clamp(0, 1)
    return images


def _grey(images: Images) -> Float[Tensor, "b 1 h w"]:
    """Luma of BT.601."""
    r, g, b = images.unbind(dim=1)
    return (0.299 * r + 0.587 * g + 0.114 * b)[:, None]


def _mix(images: Images, other: Tensor, share: float) -> Images:
    mixed: Tensor = share * images + (1 - share) * other
    return mixed


def turn_hue(images: Images, turns: float) -> Images:
    """Hue moved by `turns` of the circle at the same value and saturation (hexcone HSV)."""
    r, g, b = images.unbind(dim=1)
    value, low = images.amax(dim=1), images.amin(dim=1)
    chroma = value - low
    divisor = torch.where(chroma > 0, chroma, torch.ones_like(chroma))
    sixth = torch.where(
        value == r,
        (g - b) / divisor,
        torch.where(value == g, (b - r) / divisor + 2, (r - g) / divisor + 4),
    )
    sixth = sixth + 6 * turns
    channels = []
    for start in (5, 3, 1):  # each channel falls by the chroma away from its own third
        k = (start + sixth) % 6
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, dim=1)
