"""Generator: warps the source's features by dense motion, hides what was hidden, decodes."""

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
    """What is computed once a source, whatever number of frames follows."""

    image: Float[Tensor, "b 3 h w"]
    reduced: Float[Tensor, "b 3 p q"]
    features: Float[Tensor, "b c r s"]


class Generated(NamedTuple):
    """A generated picture and how it came about."""

    prediction: Float[Tensor, "b 3 h w"]
    """RGB in [0, 1]."""
    occlusion: Float[Tensor, "b 1 p q"]
    """1 where the source shows the pixel, 0 where it is made up."""
    deformation: Float[Tensor, "b p q 2"]
    warped: Float[Tensor, "b 3 h w"] | None
    """The source warped at full size; only with `blend`."""


class OcclusionAwareGenerator(nn.Module):
    """Encoder, dense motion, bottleneck and decoder."""

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
            nn.init.zeros_(self.hint.weight)  # a model without it can be trained on with it
        # with `blend` a fourth channel refines the mask at full size (eyelids are a few pixels)
        outputs, kernel = config.num_channels + int(config.blend), config.final_kernel
        self.final = nn.Conv2d(wide[0], outputs, kernel, padding=kernel // 2)
        if config.blend:
            # start from the warped source: painting everything anew takes far longer to learn
            nn.init.constant_(self.final.bias[3:], 2.0)  # type: ignore[index]

    def encode(self, source: Float[Tensor, "b 3 h w"]) -> SourceCode:
        """The source's part of the work. RGB in [0, 1]."""
        features = self.first(source)
        for block in self.down_blocks:
            features = block(features)
        return SourceCode(source, self.dense_motion_network.reduce(source), features)

    def gather(
        self,
        features: Float[Tensor, "b c r s"],
        motion: DenseMotion,
        hinted: Float[Tensor, "b c h w"] | None,
    ) -> Float[Tensor, "b c r s"]:
        """The source's features where the motion takes them, dimmed where they were hidden."""
        height, width = features.shape[-2:]
        grid = resize(motion.deformation.permute(0, 3, 1, 2), (height, width))
        out = warp(features, grid.permute(0, 2, 3, 1))
        out = out * resize(torch.sigmoid(motion.occlusion_logit), (height, width)).to(out.dtype)
        if hinted is not None:
            out = out + resize(hinted, (height, width))
        return out

    def paint(self, hidden: Float[Tensor, "b c r s"]) -> Float[Tensor, "b d h w"]:
        """Logits of RGB, and with `blend` the mask's refinement, from gathered features."""
        out = self.bottleneck(hidden)
        for block in self.up_blocks:
            out = block(out)
        painted: Tensor = self.final(out)
        return painted

    def decode(self, code: SourceCode, source: Keypoints, driving: Keypoints) -> Generated:
        """The frame that shows the encoded source at the driving keypoints."""
        motion = self.dense_motion_network(code.reduced, source, driving)
        occlusion = torch.sigmoid(motion.occlusion_logit)
        hinted = None if self.hint is None else self.hint(motion.features)
        hidden = self.gather(code.features, motion, hinted)
        out = self.paint(hidden.contiguous(memory_format=torch.channels_last)).float()
        if not self.blend:
            return Generated(torch.sigmoid(out), occlusion, motion.deformation, None)
        warped, seen = full_warp(code.image, motion)
        return Generated(blended(out, warped, seen), occlusion, motion.deformation, warped)

    def forward(
        self, image: Float[Tensor, "b 3 h w"], source: Keypoints, driving: Keypoints
    ) -> Generated:
        """`encode` and `decode` in one."""
        return self.decode(self.encode(image), source, driving)


def full_warp(
    image: Float[Tensor, "b 3 h w"], motion: DenseMotion
) -> tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b 1 h w"]]:
    """The source moved at full size, and the logit of its being seen there."""
    size_hw = (image.shape[-2], image.shape[-1])
    full = resize(motion.deformation.permute(0, 3, 1, 2), size_hw).permute(0, 2, 3, 1)
    # bicubic: bilinear samples between pixels lose half of the finest detail
    warped = warp(image, full, padding="border", mode="bicubic").clamp(0, 1)
    return warped, resize(motion.occlusion_logit, size_hw)


def blended(
    painted: Float[Tensor, "b 4 h w"], warped: Float[Tensor, "b 3 h w"], seen: Tensor
) -> Float[Tensor, "b 3 h w"]:
    """The moved source where it is seen, painted pixels elsewhere; `seen` is a logit."""
    share = torch.sigmoid(seen + painted[:, 3:])
    return share * warped + (1 - share) * torch.sigmoid(painted[:, :3])
