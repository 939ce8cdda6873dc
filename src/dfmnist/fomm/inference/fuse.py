"""The same networks with less arithmetic, for inference: results are equal up to rounding.

These rewrites give the largest gain in float32 speed on a CPU (docs/PERFORMANCE.md), and
neither torch nor OpenVINO makes them. Four identities are used, none of them in the public
implementation:

- Nearest-neighbour doubling followed by a 3x3 convolution reads each pixel four times. It equals a
  transposed convolution of 4x4 with stride 2, or four 2x2 convolutions on the small picture, which
  need four ninths of the products.
- A 3x3 convolution in 4x4 tiles needs a quarter of the products (Winograd's F(4x4, 3x3): Lavin
  and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016). It is used in float32 only,
  because the transforms of the tiles lose about three bits.
- Batch norm with fixed statistics is part of the convolution before it.
- A wide convolution to three channels leaves vector units idle. A tall one to 7 x 3 channels,
  shifted and added, uses them.
"""

import copy
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dfmnist.fomm.networks.blocks import DownBlock2d, ResBlock2d, SameBlock2d, UpBlock2d

Module = TypeVar("Module", bound=nn.Module)

LEAST_CHANNELS = 32
"""Smallest number of channels for which Winograd's tiles are faster."""
WIDE_KERNEL = 5
"""Smallest kernel size for which a convolution to few channels is split."""

_TILE_IN = torch.tensor(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    dtype=torch.float64,
)
_TILE_KERNEL = torch.tensor(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    dtype=torch.float64,
)
_TILE_OUT = torch.tensor(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    dtype=torch.float64,
)
_DOUBLED = torch.tensor([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=torch.float64)
"""Matrix that gives the rows of the 4-tap transposed kernel as sums of the 3-tap kernel's rows."""


def fuse(module: Module, *, tiles: bool) -> Module:
    """A copy of `module`, in evaluation mode, that computes the same with fewer products.

    `tiles` also uses Winograd's tiles and transposed convolutions, which are fast in float32 only.
    It needs single pictures whose features have sides that are multiples of 4.
    """
    return _replace(copy.deepcopy(module).eval().requires_grad_(False), tiles)


def _replace(module: Module, tiles: bool) -> Module:
    for name, child in module.named_children():
        made: nn.Module
        if isinstance(child, UpBlock2d):
            made = TransposedUp(child) if tiles else PhaseUp(child)
        elif isinstance(child, DownBlock2d):
            made = FusedBlock(child.conv, child.norm, halve=True)
        elif isinstance(child, SameBlock2d):
            made = FusedBlock(child.conv, child.norm, halve=False)
        elif isinstance(child, nn.Sequential) and tiles and _tileable(child):
            made = WinogradBlocks(child)
        elif name == "final" and isinstance(child, nn.Conv2d) and _splittable(child):
            made = SplitConv(child)
        else:
            made = _replace(child, tiles)
        setattr(module, name, made)
    return module


def _tileable(blocks: nn.Sequential) -> bool:
    return len(blocks) > 0 and all(
        isinstance(b, ResBlock2d) and b.conv1.in_channels >= LEAST_CHANNELS for b in blocks
    )


def _splittable(conv: nn.Conv2d) -> bool:
    return conv.kernel_size[0] >= WIDE_KERNEL and conv.out_channels <= 4


def _fixed(value: Tensor) -> nn.Parameter:
    return nn.Parameter(value.detach().float().contiguous(), requires_grad=False)


def _scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift, float64, of a batch norm with fixed statistics: `x * scale + shift`."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    return scale, norm.bias.double() - norm.running_mean.double() * scale


def _fused(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias, float64, of a convolution merged with the batch norm after it."""
    assert conv.bias is not None
    scale, shift = _scale_and_shift(norm)
    return conv.weight.double() * scale[:, None, None, None], conv.bias.double() * scale + shift


class FusedBlock(nn.Module):
    """Convolution merged with its batch norm, then ReLU, and average pooling if `halve` is set."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, *, halve: bool) -> None:
        super().__init__()
        weight, bias = _fused(conv, norm)
        self.weight, self.bias = _fixed(weight), _fixed(bias)
        self.margin, self.halve = weight.shape[-1] // 2, halve

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d p q"]:
        y = F.relu(F.conv2d(x, self.weight, self.bias, padding=self.margin))
        return F.avg_pool2d(y, 2) if self.halve else y


class TransposedUp(nn.Module):
    """An `UpBlock2d` as one transposed convolution and ReLU."""

    def __init__(self, block: UpBlock2d) -> None:
        super().__init__()
        weight, bias = _fused(block.conv, block.norm)
        self.weight = _fixed(torch.einsum("ia,jb,ocab->coij", _DOUBLED, _DOUBLED, weight))
        self.bias = _fixed(bias)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d p q"]:
        return F.relu(F.conv_transpose2d(x, self.weight, self.bias, stride=2, padding=1))


class PhaseUp(nn.Module):
    """An `UpBlock2d` as four 2x2 convolutions, one for each of the four pixels of a doubled one.

    It serves bfloat16, in which processors have fast convolutions but slow transposed ones.
    """

    def __init__(self, block: UpBlock2d) -> None:
        super().__init__()
        weight, bias = _fused(block.conv, block.norm)
        self.weights = nn.ParameterList()
        # taps of phase p, which start at the pixel before (p = 0) or at the pixel itself (p = 1)
        taps = [
            torch.tensor([[1, 0, 0], [0, 1, 1]], dtype=torch.float64),
            torch.tensor([[1, 1, 0], [0, 0, 1]], dtype=torch.float64),
        ]
        for down in taps:
            for right in taps:
                self.weights.append(_fixed(torch.einsum("ia,jb,ocab->ocij", down, right, weight)))
        self.bias = _fixed(bias)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d p q"]:
        height, width = x.shape[-2:]
        x = F.pad(x, (1, 1, 1, 1))
        phases = []
        for i, weight in enumerate(self.weights):
            down, right = i // 2, i % 2
            window = x[:, :, down : down + height + 1, right : right + width + 1]
            phases.append(F.relu(F.conv2d(window, weight, self.bias)))
        return F.pixel_shuffle(torch.stack(phases, dim=2).flatten(1, 2), 2)


class SplitConv(nn.Module):
    """A k x k convolution to few channels as a k x 1 one to k times as many, shifted and added."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        assert conv.bias is not None
        outputs, inputs, kernel, _ = conv.weight.shape
        tall = conv.weight.permute(3, 0, 1, 2).reshape(kernel * outputs, inputs, kernel, 1)
        self.weight, self.bias = _fixed(tall), _fixed(conv.bias.reshape(1, -1, 1, 1))
        self.kernel, self.outputs = kernel, outputs

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        margin, width = self.kernel // 2, x.shape[-1]
        tall = F.conv2d(F.pad(x, (margin, margin, 0, 0)), self.weight, padding=(margin, 0))
        out: Tensor = self.bias
        for i in range(self.kernel):
            out = out + tall[:, i * self.outputs : (i + 1) * self.outputs, :, i : i + width]
        return out


class WinogradConv(nn.Module):
    """A 3x3 convolution with padding 1 in Winograd's tiles, for one picture (h, w, c).

    The sides h and w are multiples of 4.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        kernel = torch.einsum("ia,jb,ocab->ijco", _TILE_KERNEL, _TILE_KERNEL, weight.double())
        self.kernel = _fixed(kernel.flatten(0, 1))
        self.into = _fixed(torch.kron(_TILE_IN, _TILE_IN))
        self.out_of = _fixed(torch.kron(_TILE_OUT, _TILE_OUT))
        self.bias = _fixed(bias)

    def forward(self, x: Float[Tensor, "h w c"]) -> Float[Tensor, "h w d"]:
        height, width, channels = x.shape
        rows, columns = height // 4, width // 4
        x = F.pad(x, (0, 0, 1, 3, 1, 3)).reshape(rows + 1, 4, columns + 1, 4, channels)
        # tiles of 6 x 6 overlap by two pixels: a block of four and the first two of the next
        x = torch.cat([x[:-1], x[1:, :2]], dim=1)
        x = torch.cat([x[:, :, :-1], x[:, :, 1:, :2]], dim=3)
        tiles = x.permute(1, 3, 0, 2, 4).reshape(36, rows * columns * channels)
        tiles = (self.into @ tiles).reshape(36, rows * columns, channels)
        made = (tiles @ self.kernel).reshape(36, -1)
        picture = (self.out_of @ made).reshape(4, 4, rows, columns, -1)
        return picture.permute(2, 0, 3, 1, 4).reshape(height, width, -1) + self.bias


class WinogradBlocks(nn.Module):
    """A sequence of residual blocks in Winograd's tiles, for one picture."""

    def __init__(self, blocks: nn.Sequential) -> None:
        super().__init__()
        self.convolutions, self.affine = nn.ModuleList(), nn.ParameterList()
        for block in blocks:
            assert isinstance(block, ResBlock2d)
            assert block.conv2.bias is not None
            self.affine.extend(_fixed(v) for v in _scale_and_shift(block.norm1))
            self.convolutions.append(WinogradConv(*_fused(block.conv1, block.norm2)))
            self.convolutions.append(WinogradConv(block.conv2.weight, block.conv2.bias))

    def forward(self, x: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 c h w"]:
        picture = x[0].permute(1, 2, 0)
        for i in range(0, len(self.convolutions), 2):
            y = F.relu(picture * self.affine[i] + self.affine[i + 1])
            y = self.convolutions[i](y)
            picture = picture + self.convolutions[i + 1](F.relu(y))
        return picture.permute(2, 0, 1)[None]
