"""Building blocks of the networks, with the parameter names of the public implementation."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def coordinate_grid(
    height: int, width: int, device: torch.device | None = None
) -> Float[Tensor, "h w 2"]:
    """Coordinates (x, y) of the pixel centres, float32, corners at ±1 (`align_corners=True`)."""
    x = torch.linspace(-1, 1, width, device=device, dtype=torch.float32)
    y = torch.linspace(-1, 1, height, device=device, dtype=torch.float32)
    return torch.stack([x[None, :].expand(height, width), y[:, None].expand(height, width)], dim=-1)


def warp(
    image: Float[Tensor, "b c h w"],
    grid: Float[Tensor, "b p q 2"],
    padding: str = "zeros",
    mode: str = "bilinear",
) -> Float[Tensor, "b c p q"]:
    """Samples of `image` at the positions `grid`, where ±1 are the centres of the border pixels.

    The published weights were trained with this convention of early torch versions; the later
    default blurs even an identity warp. The grid stays float32, because bfloat16 keeps only 8 bits
    of a coordinate and would shift it by pixels.
    """
    sampled = F.grid_sample(
        image.float(), grid.float(), mode=mode, padding_mode=padding, align_corners=True
    )
    return sampled.to(image.dtype)


def resize(x: Float[Tensor, "b c h w"], size_hw: tuple[int, int]) -> Float[Tensor, "b c p q"]:
    """The tensor `x` resized bilinearly with fixed corners; unchanged if it has the size."""
    if tuple(x.shape[-2:]) == size_hw:
        return x
    return F.interpolate(x, size=size_hw, mode="bilinear", align_corners=True)


class DownBlock2d(nn.Module):
    """Encoder block: 3×3 convolution, batch norm, ReLU, and average pooling to half the size."""

    def __init__(self, features_in: int, features_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(features_in, features_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(features_out)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d p q"]:
        return F.avg_pool2d(F.relu(self.norm(self.conv(x)), inplace=True), 2)


class UpBlock2d(nn.Module):
    """Decoder block: nearest-neighbour doubling, 3×3 convolution, batch norm, ReLU."""

    def __init__(self, features_in: int, features_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(features_in, features_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(features_out)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d p q"]:
        x = F.interpolate(x, scale_factor=2)
        return F.relu(self.norm(self.conv(x)), inplace=True)


class SameBlock2d(nn.Module):
    """Block that keeps the size: convolution, batch norm, ReLU."""

    def __init__(self, features_in: int, features_out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(features_in, features_out, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(features_out)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        return F.relu(self.norm(self.conv(x)), inplace=True)


class ResBlock2d(nn.Module):
    """Residual block with pre-activation and two 3×3 convolutions."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(features)
        self.norm2 = nn.BatchNorm2d(features)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        y = self.conv1(F.relu(self.norm1(x), inplace=True))
        y = self.conv2(F.relu(self.norm2(y), inplace=True))
        out: Tensor = x + y
        return out


class _Encoder(nn.Module):
    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.down_blocks = nn.ModuleList(DownBlock2d(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> list[Tensor]:
        outs = [x]
        for block in self.down_blocks:
            outs.append(block(outs[-1]))
        return outs


class _Decoder(nn.Module):
    def __init__(self, pairs: list[tuple[int, int]]) -> None:
        super().__init__()
        self.up_blocks = nn.ModuleList(UpBlock2d(a, b) for a, b in pairs)

    def forward(self, features: list[Tensor]) -> Tensor:
        *skips, out = features
        for block, skip in zip(self.up_blocks, reversed(skips), strict=True):
            out = torch.cat([block(out), skip], dim=1)
        return out


class Hourglass(nn.Module):
    """U-Net whose output has the input's size and `expansion` + `features_in` channels."""

    def __init__(self, expansion: int, features_in: int, blocks: int, max_features: int) -> None:
        super().__init__()
        wide = [min(max_features, expansion * 2**i) for i in range(blocks + 1)]
        self.encoder = _Encoder([features_in, *wide[1:]])
        ups = [
            (wide[i + 1] * (1 if i == blocks - 1 else 2), wide[i]) for i in reversed(range(blocks))
        ]
        self.decoder = _Decoder(ups)
        self.out_features = wide[0] + features_in

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        # one memory layout for the input and the last skip connection, which avoids copies
        out: Tensor = self.decoder(self.encoder(x.contiguous(memory_format=torch.channels_last)))
        return out


class AntiAliasInterpolation2d(nn.Module):
    """Reduction of a picture: a fixed Gaussian blur, then every n-th pixel."""

    weight: Tensor

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.step = round(1 / scale)
        sigma = (1 / scale - 1) / 2
        self.margin = round(sigma * 4)
        offsets = torch.arange(-self.margin, self.margin + 1, dtype=torch.float32)
        line = torch.exp(-(offsets**2) / (2 * sigma**2)) if sigma else torch.ones(1)
        kernel = torch.outer(line, line)
        kernel = (kernel / kernel.sum()).repeat(channels, 1, 1, 1)
        # not persistent: it follows from the scale, which changes with the size of the frame
        self.register_buffer("weight", kernel, persistent=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c p q"]:
        if self.step == 1:
            return x
        # a stride computes only the pixels that are kept
        return F.conv2d(
            x, self.weight.to(x.dtype), stride=self.step, padding=self.margin, groups=x.shape[1]
        )


class ImagePyramid(nn.Module):
    """A picture at several sizes, blurred before each reduction, in float32."""

    def __init__(self, channels: int, scales: Sequence[float]) -> None:
        super().__init__()
        self.downs = nn.ModuleList(AntiAliasInterpolation2d(channels, scale) for scale in scales)

    def forward(self, image: Float[Tensor, "b c h w"]) -> list[Tensor]:
        with torch.autocast(image.device.type, enabled=False):
            return [down(image.float()) for down in self.downs]
