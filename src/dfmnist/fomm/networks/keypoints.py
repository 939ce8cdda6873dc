"""Keypoint detector: positions of the parts of a face, and the local affine map of each."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.networks.blocks import AntiAliasInterpolation2d, Hourglass, coordinate_grid


class Keypoints(NamedTuple):
    """Keypoints of a batch: positions in [-1, 1] (x right, y down) and Jacobians, float32."""

    value: Float[Tensor, "b k 2"]
    jacobian: Float[Tensor, "b k 2 2"]

    def at(self, index: slice | Tensor) -> "Keypoints":
        """The keypoints of the frames at `index`."""
        return Keypoints(self.value[index], self.jacobian[index])


def inverse_2x2(m: Float[Tensor, "*b 2 2"]) -> Float[Tensor, "*b 2 2"]:
    """Inverse of 2×2 matrices in closed form, much faster than the general routine."""
    a, b, c, d = m[..., 0, 0], m[..., 0, 1], m[..., 1, 0], m[..., 1, 1]
    adjugate = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2)
    return adjugate / (a * d - b * c)[..., None, None]


class KPDetector(nn.Module):
    """Hourglass network that gives keypoints by soft-argmax of one heatmap per keypoint.

    The Jacobian of a keypoint is the mean of predicted Jacobians, weighted by its heatmap.
    """

    def __init__(self, config: FommConfig) -> None:
        super().__init__()
        self.num_kp = config.num_kp
        self.temperature = config.temperature
        self.predictor = Hourglass(
            config.kp_expansion, config.num_channels, config.kp_blocks, config.kp_max_features
        )
        wide = self.predictor.out_features
        kernel, padding = config.kp_kernel, config.kp_padding
        self.kp = nn.Conv2d(wide, config.num_kp, kernel, padding=padding)
        self.jacobian = nn.Conv2d(wide, 4 * config.num_kp, kernel, padding=padding)
        nn.init.zeros_(self.jacobian.weight)
        bias = torch.tensor([1.0, 0.0, 0.0, 1.0]).repeat(config.num_kp)
        self.jacobian.bias = nn.Parameter(bias)
        self.down = AntiAliasInterpolation2d(config.num_channels, config.kp_scale)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Keypoints:
        """Keypoints of RGB images in [0, 1]."""
        features = self.predictor(self.down(image))
        logits, maps = self.kp(features).float(), self.jacobian(features).float()
        batch, _, height, width = logits.shape
        # under autocast these products would be bfloat16, which shifts keypoints by pixels
        with torch.autocast(image.device.type, enabled=False):
            heat = torch.softmax(logits.flatten(2) / self.temperature, dim=2)
            value = heat @ coordinate_grid(height, width, image.device).reshape(-1, 2)
            maps = maps.reshape(batch, self.num_kp, 4, -1)
            jacobian = torch.einsum("bkp,bkjp->bkj", heat, maps)
        return Keypoints(value, jacobian.reshape(batch, self.num_kp, 2, 2))
