"""Bilinear sampling of a picture, shared by the attacks that warp one."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from dfmnist.core.arrays import RgbImage


def sample(image: RgbImage, xy: Tensor) -> RgbImage:
    """Bilinear samples of `image` (h, w, 3) at the positions `xy` (p, q, 2): (p, q, 3).

    Positions are in pixels from the corner of the image: the centre of the first pixel is at
    (0.5, 0.5). Outside of the image its border pixels repeat.
    """
    height, width = image.shape[:2]
    grid = xy / torch.tensor([width, height]) * 2 - 1
    planes = torch.from_numpy(np.array(image, np.float64)).permute(2, 0, 1)[None]
    out = grid_sample(planes, grid[None], "bilinear", "border", align_corners=False)
    return np.asarray(out[0].permute(1, 2, 0).round().clamp(0, 255).numpy().astype(np.uint8))
