"""Dense motion network: from two sets of keypoints to a flow field and an occlusion map."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.networks.blocks import AntiAliasInterpolation2d, Hourglass, coordinate_grid, warp
from dfmnist.fomm.networks.keypoints import Keypoints, inverse_2x2


class DenseMotion(NamedTuple):
    """Backward flow and occlusion at the reduced size."""

    deformation: Float[Tensor, "b h w 2"]
    """Position in the source, in [-1, 1], from which each pixel comes; float32."""
    occlusion_logit: Float[Tensor, "b 1 h w"]
    """Logit of the occlusion map: above 0 if the source shows the pixel, below if it is hidden."""
    features: Float[Tensor, "b c h w"]
    """Features from which flow and occlusion are predicted: the hourglass network's output."""


def gaussians(
    value: Float[Tensor, "b k 2"], height: int, width: int, variance: float
) -> Float[Tensor, "b k h w"]:
    """A Gaussian with peak 1 around each keypoint position `value`."""
    grid = coordinate_grid(height, width, value.device)
    # a Gaussian is separable: two small tables replace a distance for each pixel; the exponents
    # are limited so that the product is never a denormal number, which is several times slower
    x = torch.exp((-0.5 * (grid[0, :, 0] - value[..., :1]) ** 2 / variance).clamp(min=-30))
    y = torch.exp((-0.5 * (grid[:, 0, 1] - value[..., 1:]) ** 2 / variance).clamp(min=-30))
    return y[..., :, None] * x[..., None, :]


def sparse_motions(
    source: Keypoints, driving: Keypoints, height: int, width: int
) -> Float[Tensor, "b k1 h w 2"]:
    """Candidate flows: the background's identity, then the first-order flow of each keypoint.

    Siarohin et al., 2019, equation 4.
    """
    grid = coordinate_grid(height, width, source.value.device)
    matrix = source.jacobian @ inverse_2x2(driving.jacobian)
    offset = source.value - (matrix @ driving.value[..., None])[..., 0]
    flow = torch.einsum("hwj,bkij->bkhwi", grid, matrix) + offset[:, :, None, None, :]
    batch = flow.shape[0]
    return torch.cat([grid.expand(batch, 1, height, width, 2), flow], dim=1)


class DenseMotionNetwork(nn.Module):
    """Network that weighs, for each pixel, the keypoints' motions and the still background."""

    def __init__(self, config: FommConfig) -> None:
        super().__init__()
        self.num_kp = config.num_kp
        self.kp_variance = config.kp_variance
        self.hourglass = Hourglass(
            config.motion_expansion,
            (config.num_kp + 1) * (config.num_channels + 1),
            config.motion_blocks,
            config.motion_max_features,
        )
        wide, kernel = self.hourglass.out_features, config.motion_kernel
        self.mask = nn.Conv2d(wide, config.num_kp + 1, kernel, padding=kernel // 2)
        self.occlusion = nn.Conv2d(wide, 1, kernel, padding=kernel // 2)
        self.down = AntiAliasInterpolation2d(config.num_channels, config.motion_scale)

    def reduce(self, source: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 p q"]:
        """The source picture at the network's size; computed once for each source."""
        reduced: Tensor = self.down(source)
        return reduced

    def candidates(
        self, reduced: Float[Tensor, "b 3 h w"], source: Keypoints, driving: Keypoints
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b k1 h w 2"]]:
        """The network's input, and the candidate flows (float32) of background and keypoints."""
        batch, channels, height, width = reduced.shape
        count = self.num_kp + 1
        with torch.autocast(
            reduced.device.type, enabled=False
        ):  # bfloat16 is too coarse for positions
            flows = sparse_motions(source, driving, height, width)
        copies = reduced[:, None].expand(batch, count, channels, height, width)
        warped = warp(copies.flatten(0, 1), flows.flatten(0, 1)).reshape(
            batch, count, channels, height, width
        )
        bumps = gaussians(driving.value, height, width, self.kp_variance)
        bumps = bumps - gaussians(source.value, height, width, self.kp_variance)
        bumps = torch.cat([torch.zeros_like(bumps[:, :1]), bumps], dim=1)[:, :, None]
        return torch.cat([bumps.to(warped.dtype), warped], dim=2).flatten(1, 2), flows

    @staticmethod
    def combine(
        mask_logits: Float[Tensor, "b k1 h w"], flows: Float[Tensor, "b k1 h w 2"]
    ) -> Float[Tensor, "b h w 2"]:
        """Mean of the candidate flows, weighted by the softmax of the mask; float32."""
        with torch.autocast(flows.device.type, enabled=False):
            mask = torch.softmax(mask_logits.float(), dim=1)
            return torch.einsum("bkhw,bkhwi->bhwi", mask, flows)

    def forward(
        self, reduced: Float[Tensor, "b 3 h w"], source: Keypoints, driving: Keypoints
    ) -> DenseMotion:
        """Motion from the source, already reduced, to the driving keypoints."""
        seen, flows = self.candidates(reduced, source, driving)
        features = self.hourglass(seen)
        deformation = self.combine(self.mask(features), flows)
        return DenseMotion(deformation, self.occlusion(features).float(), features)
