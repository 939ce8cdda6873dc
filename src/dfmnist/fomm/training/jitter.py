"""Colour jitter: one random change of colours for both pictures of a training pair."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "b 3 h w"]


@dataclass(frozen=True)
class Jitter:
    """One change of colours: factors around 1, a shift of hue, and their order."""

    brightness: float
    contrast: float
    saturation: float
    hue: float
    """Shift of the hue, as a share of the colour circle."""
    order: tuple[int, ...] = (0, 1, 2, 3)
    """Order of the changes; 0 to 3 are brightness, contrast, saturation and hue."""


def draw_jitter(rng: np.random.Generator, amount: float) -> Jitter:
    """A random change: factors within 1 ± `amount`, hue within ± `amount`, random order."""
    brightness, contrast, saturation = rng.uniform(1 - amount, 1 + amount, 3)
    hue = rng.uniform(-amount, amount)
    order = tuple(int(i) for i in rng.permutation(4))
    return Jitter(float(brightness), float(contrast), float(saturation), float(hue), order)


def jitter_colours(images: Images, jitter: Jitter) -> Images:
    """The pictures `images` (RGB in [0, 1]) with their colours changed by `jitter`.

    Equal colours stay equal across the pictures: contrast scales around the mean grey of all.
    """
    changes = (
        lambda x: x * jitter.brightness,
        lambda x: _mix(x, _grey(x).mean(), jitter.contrast),
        lambda x: _mix(x, _grey(x), jitter.saturation),
        lambda x: shift_hue(x, jitter.hue),
    )
    for index in jitter.order:
        images = changes[index](images).clamp(0, 1)
    return images


def _grey(images: Images) -> Float[Tensor, "b 1 h w"]:
    """Luma of BT.601 as one channel."""
    r, g, b = images.unbind(dim=1)
    return (0.299 * r + 0.587 * g + 0.114 * b)[:, None]


def _mix(images: Images, other: Tensor, share: float) -> Images:
    mixed: Tensor = share * images + (1 - share) * other
    return mixed


def shift_hue(images: Images, turns: float) -> Images:
    """The pictures with their hue shifted by `turns` of the colour circle (hexcone HSV).

    Value and saturation do not change.
    """
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
    for start in (5, 3, 1):  # each channel is lowest opposite to its own third of the circle
        k = (start + sixth) % 6
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, dim=1)
