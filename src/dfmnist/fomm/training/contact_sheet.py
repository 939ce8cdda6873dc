"""Contact sheets: pictures that show the progress of a training."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from dfmnist.core.files import atomic_path

_COLOURS = ((1.0, 0.1, 0.1), (0.1, 1.0, 0.1), (0.2, 0.4, 1.0), (1.0, 1.0, 0.1), (1.0, 0.2, 1.0))


def save_sheet(path: Path, columns: Sequence[Tensor]) -> None:
    """Write a PNG of `columns` side by side; each is (rows, 3, h, w) of one size, RGB in [0, 1]."""
    sheet = torch.cat([torch.cat(list(column), dim=1) for column in columns], dim=2)
    pixels = (sheet.permute(1, 2, 0).clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary)


def with_points(images: Tensor, points: Tensor) -> Tensor:
    """A copy of `images` (b, 3, h, w) with a dot at each of `points` (b, k, 2), in [-1, 1]."""
    images = images.clone()
    height, width = images.shape[-2:]
    reach = max(1, height // 100)
    scale = torch.tensor([width - 1, height - 1], device=points.device)
    for image, own in zip(images, ((points + 1) / 2 * scale).round().long(), strict=True):
        for i, (x, y) in enumerate(own.tolist()):
            rows = slice(max(0, y - reach), max(0, y + reach + 1))
            columns = slice(max(0, x - reach), max(0, x + reach + 1))
            colour = torch.tensor(_COLOURS[i % len(_COLOURS)], device=image.device)
            image[:, rows, columns] = colour[:, None, None]
    return images
