"""Discriminator of the published recipe: scores for patches of a picture at several sizes."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dfmnist.core.errors import InputError
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.networks.blocks import ImagePyramid
from dfmnist.fomm.networks.dense_motion import gaussians
from dfmnist.fomm.networks.keypoints import Keypoints


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Sizes of the discriminator; the defaults are `vox-256.yaml` of the public implementation."""

    scales: tuple[float, ...] = (1.0,)
    """Sizes of the picture, relative to full size; each has a discriminator of its own."""
    expansion: int = 32
    max_features: int = 512
    blocks: int = 4
    spectral_norm: bool = True
    use_kp: bool = False
    """Whether the input also has a Gaussian channel for each keypoint (vox-adv)."""

    def __post_init__(self) -> None:
        if not self.scales or self.blocks < 1 or min(self.expansion, self.max_features) < 1:
            raise InputError(f"discriminator: {self}; expected scales, blocks and features")


class DiscriminatorOutput(NamedTuple):
    """Features and score of one discriminator for a picture."""

    features: list[Tensor]
    """Output of each block, from the first to the last."""
    score: Float[Tensor, "b 1 p q"]
    """Score of each patch: near 1 for a real one, near 0 for a generated one."""


class SpectralConv2d(nn.Module):
    """Convolution whose weight is divided by its largest singular value (spectral norm).

    Each training step runs one power iteration (Miyato et al., 2018), in float32 also under
    autocast. The parameter names are those of `torch.nn.utils.spectral_norm`.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(self, features_in: int, features_out: int, kernel: int) -> None:
        super().__init__()
        plain = nn.Conv2d(features_in, features_out, kernel)  # gives the initial weights
        assert plain.bias is not None
        self.bias, self.weight_orig = plain.bias, plain.weight
        matrix = plain.weight.detach().flatten(1)
        self.register_buffer("weight_u", F.normalize(torch.randn(matrix.shape[0]), dim=0))
        self.register_buffer("weight_v", F.normalize(torch.randn(matrix.shape[1]), dim=0))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d p q"]:
        with torch.autocast(x.device.type, enabled=False):
            matrix, u, v = self.weight_orig.flatten(1), self.weight_u, self.weight_v
            if self.training:
                with torch.no_grad():
                    v = F.normalize(matrix.t() @ u, dim=0, eps=1e-12)
                    u = F.normalize(matrix @ v, dim=0, eps=1e-12)
                    self.weight_u.copy_(u)
                    self.weight_v.copy_(v)
            weight = self.weight_orig / (u @ (matrix @ v))
        return F.conv2d(x, weight, self.bias)


def _conv(config: DiscriminatorConfig, features_in: int, out: int, kernel: int) -> nn.Module:
    if config.spectral_norm:
        return SpectralConv2d(features_in, out, kernel)
    return nn.Conv2d(features_in, out, kernel)


class _Block(nn.Module):
    """Block: 4×4 convolution without padding, optional instance norm, leaky ReLU, halving."""

    def __init__(self, conv: nn.Module, norm: nn.InstanceNorm2d | None, halve: bool) -> None:
        super().__init__()
        self.conv, self.norm, self.halve = conv, norm, halve

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        if self.norm is not None:
            out = self.norm(out)
        out = F.leaky_relu(out, 0.2)
        return F.avg_pool2d(out, 2) if self.halve else out


class Discriminator(nn.Module):
    """Discriminator for one size: blocks, then a 1×1 convolution to a score for each patch."""

    def __init__(self, config: DiscriminatorConfig, features_in: int) -> None:
        super().__init__()
        self.down_blocks = nn.ModuleList()
        wide = features_in
        for i in range(config.blocks):
            out = min(config.max_features, config.expansion * 2 ** (i + 1))
            norm = nn.InstanceNorm2d(out, affine=True) if i else None
            halve = i < config.blocks - 1
            self.down_blocks.append(_Block(_conv(config, wide, out, 4), norm, halve))
            wide = out
        self.conv = _conv(config, wide, 1, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> DiscriminatorOutput:
        features = []
        for block in self.down_blocks:
            x = block(x)
            features.append(x)
        return DiscriminatorOutput(features, self.conv(x))


class MultiScaleDiscriminator(nn.Module):
    """A discriminator for each size, with the parameter names of the public checkpoints."""

    def __init__(self, config: DiscriminatorConfig, model: FommConfig) -> None:
        super().__init__()
        self.use_kp, self.kp_variance = config.use_kp, model.kp_variance
        seen = model.num_channels + (model.num_kp if config.use_kp else 0)
        self.pyramid = ImagePyramid(model.num_channels, config.scales)
        self.discs = nn.ModuleDict(  # a name holds no dot
            {f"{scale:g}".replace(".", "-"): Discriminator(config, seen) for scale in config.scales}
        )

    def forward(
        self, image: Float[Tensor, "b 3 h w"], keypoints: Keypoints | None = None
    ) -> list[DiscriminatorOutput]:
        """Outputs for an RGB picture in [0, 1] at each size.

        `keypoints` are those of the target picture; required with `use_kp`.
        """
        outputs = []
        for picture, disc in zip(self.pyramid(image), self.discs.values(), strict=True):
            if self.use_kp:
                assert keypoints is not None, "this discriminator sees keypoints"
                height, width = picture.shape[-2:]
                channels = gaussians(keypoints.value, height, width, self.kp_variance)
                picture = torch.cat([picture, channels], dim=1)
            outputs.append(disc(picture))
        return outputs
