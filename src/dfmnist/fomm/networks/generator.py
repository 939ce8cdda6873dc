"""Generator: warps the source's features by dense motion, masks hidden parts, and decodes."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.networks.blocks import (
    DownBlock2d,
    ResBlock2d,
    SameBlock2d,
    UpBlock2d,
    resize,
    warp,
)
from dfmnist.fomm.networks.dense_motion import DenseMotion, DenseMotionNetwork
from dfmnist.fomm.networks.keypoints import Keypoints


class SourceCode(NamedTuple):
    """Features of the source that are computed once and serve any number of frames."""

    image: Float[Tensor, "b 3 h w"]
    reduced: Float[Tensor, "b 3 p q"]
    features: Float[Tensor, "b c r s"]


class Generated(NamedTuple):
    """A generated picture with the motion and occlusion it was made by."""

    prediction: Float[Tensor, "b 3 h w"]
    """Generated picture, RGB in [0, 1]."""
    occlusion: Float[Tensor, "b 1 p q"]
    """Occlusion map: 1 where the source shows the pixel, 0 where it is hidden there."""
    deformation: Float[Tensor, "b p q 2"]
    """Position in the source, in [-1, 1], from which each pixel comes."""
    warped: Float[Tensor, "b 3 h w"] | None
    """The source picture warped at full size; None without `blend`."""


class OcclusionAwareGenerator(nn.Module):
    """The generator network: encoder, dense motion, bottleneck and decoder."""

    def __init__(self, config: FommConfig) -> None:
        super().__init__()
        self.blend = config.blend
        downs = config.generator_down_blocks
        wide = [
            min(config.generator_max_features, config.generator_expansion * 2**i)
            for i in range(downs + 1)
        ]
        self.dense_motion_network = DenseMotionNetwork(config)
        self.first = SameBlock2d(config.num_channels, wide[0], 7)
        self.down_blocks = nn.ModuleList(DownBlock2d(wide[i], wide[i + 1]) for i in range(downs))
        self.up_blocks = nn.ModuleList(
            UpBlock2d(wide[i + 1], wide[i]) for i in reversed(range(downs))
        )
        self.bottleneck = nn.Sequential()
        for i in range(config.generator_bottleneck_blocks):
            self.bottleneck.add_module(f"r{i}", ResBlock2d(wide[-1]))
        self.hint: nn.Conv2d | None = None
        if config.hint:
            seen = self.dense_motion_network.hourglass.out_features
            self.hint = nn.Conv2d(seen, wide[-1], 1)
            nn.init.zeros_(self.hint.weight)  # so that training can go on from a model without it
        # with `blend` a fourth channel refines the mask at full size, where lids are a few pixels
        outputs, kernel = config.num_channels + int(config.blend), config.final_kernel
        self.final = nn.Conv2d(wide[0], outputs, kernel, padding=kernel // 2)
        if config.blend:
            # start from the warped source: learning to decode all of it takes far longer
            nn.init.constant_(self.final.bias[3:], 2.0)  # type: ignore[index]

    def encode(self, source: Float[Tensor, "b 3 h w"]) -> SourceCode:
        """Features of a source picture (RGB in [0, 1]), computed once for each source."""
        features = self.first(source)
        for block in self.down_blocks:
            features = block(features)
        return SourceCode(source, self.dense_motion_network.reduce(source), features)

    def warp_features(
        self,
        features: Float[Tensor, "b c r s"],
        motion: DenseMotion,
        hinted: Float[Tensor, "b c h w"] | None,
    ) -> Float[Tensor, "b c r s"]:
        """The source's features warped by `motion` and reduced where they are occluded."""
        height, width = features.shape[-2:]
        grid = resize(motion.deformation.permute(0, 3, 1, 2), (height, width))
        out = warp(features, grid.permute(0, 2, 3, 1))
        out = out * resize(torch.sigmoid(motion.occlusion_logit), (height, width)).to(out.dtype)
        if hinted is not None:
            out = out + resize(hinted, (height, width))
        return out

    def decode_features(self, warped: Float[Tensor, "b c r s"]) -> Float[Tensor, "b d h w"]:
        """Logits of RGB from warped features; with `blend` a fourth channel refines the mask."""
        out = self.bottleneck(warped)
        for block in self.up_blocks:
            out = block(out)
        logits: Tensor = self.final(out)
        return logits

    def decode(self, code: SourceCode, source: Keypoints, driving: Keypoints) -> Generated:
        """The frame of the encoded source at the driving keypoints."""
        motion = self.dense_motion_network(code.reduced, source, driving)
        occlusion = torch.sigmoid(motion.occlusion_logit)
        hinted = None if self.hint is None else self.hint(motion.features)
        features = self.warp_features(code.features, motion, hinted)
        features = features.contiguous(memory_format=torch.channels_last)
        out = self.decode_features(features).float()
        if not self.blend:
            return Generated(torch.sigmoid(out), occlusion, motion.deformation, None)
        warped, visibility = full_warp(code.image, motion)
        picture = blended(out, warped, visibility)
        return Generated(picture, occlusion, motion.deformation, warped)

    def forward(
        self, image: Float[Tensor, "b 3 h w"], source: Keypoints, driving: Keypoints
    ) -> Generated:
        """The frame of a source picture at the driving keypoints: `encode`, then `decode`."""
        return self.decode(self.encode(image), source, driving)


def full_warp(
    image: Float[Tensor, "b 3 h w"], motion: DenseMotion
) -> tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b 1 h w"]]:
    """The source picture warped at full size, and the logit of its visibility."""
    size_hw = (image.shape[-2], image.shape[-1])
    full = resize(motion.deformation.permute(0, 3, 1, 2), size_hw).permute(0, 2, 3, 1)
    # bicubic, because bilinear samples between pixels lose half of the finest detail
    warped = warp(image, full, padding="border", mode="bicubic").clamp(0, 1)
    return warped, resize(motion.occlusion_logit, size_hw)


def blended(
    decoded: Float[Tensor, "b 4 h w"], warped: Float[Tensor, "b 3 h w"], visibility: Tensor
) -> Float[Tensor, "b 3 h w"]:
    """Blend of the warped source, where it is visible, and the decoded picture elsewhere.

    `decoded` holds logits of RGB and of the mask's refinement; `visibility` is a logit.
    """
    share = torch.sigmoid(visibility + decoded[:, 3:])
    return share * warped + (1 - share) * torch.sigmoid(decoded[:, :3])
