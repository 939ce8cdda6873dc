"""Xception with the parameter names of timm's `legacy_xception` (Chollet, arXiv:1610.02357).

The public checkpoint (`xception-43020ad28`) was trained on images scaled to -1..1.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dfmnist.detectors.networks.base import Detector, initialise_classifier


class SeparableConv2d(nn.Module):
    """A 3x3 convolution of each channel, followed by a 1x1 convolution across channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.pointwise(self.conv1(x))
        return y


class Block(nn.Module):
    """A block of separable convolutions with a shortcut.

    `widths` are the channels of its input and of each convolution.
    """

    def __init__(self, widths: tuple[int, ...], stride: int = 1, first_relu: bool = True) -> None:
        super().__init__()
        self.skip: nn.Conv2d | None = None
        if stride != 1 or widths[0] != widths[-1]:
            self.skip = nn.Conv2d(widths[0], widths[-1], 1, stride=stride, bias=False)
            self.skipbn = nn.BatchNorm2d(widths[-1])
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.ReLU(), SeparableConv2d(inputs, outputs), nn.BatchNorm2d(outputs)]
        if not first_relu:
            layers = layers[1:]
        if stride != 1:
            layers.append(nn.MaxPool2d(3, stride, padding=1))
        self.rep = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.skip is None else self.skipbn(self.skip(x))
        y: Tensor = self.rep(x) + shortcut
        return y


class Xception(Detector):
    """The Xception network; 22,855,952 parameters for 1000 classes."""

    mean, std, head = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "fc"

    def __init__(self, *, num_classes: int = 1, size_px: int = 256) -> None:
        super().__init__()
        self.size_px = size_px
        self.conv1 = nn.Conv2d(3, 32, 3, stride=2, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.block1 = Block((64, 128, 128), 2, first_relu=False)
        self.block2 = Block((128, 256, 256), 2)
        self.block3 = Block((256, 728, 728), 2)
        for number in range(4, 12):
            self.add_module(f"block{number}", Block((728, 728, 728, 728)))
        self.block12 = Block((728, 728, 1024), 2)
        self.conv3 = SeparableConv2d(1024, 1536)
        self.bn3 = nn.BatchNorm2d(1536)
        self.conv4 = SeparableConv2d(1536, 2048)
        self.bn4 = nn.BatchNorm2d(2048)
        self.fc = nn.Linear(2048, num_classes)

    def initialise(self, generator: torch.Generator) -> None:
        initialise_classifier(self, generator)

    def feature_maps(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 2048 i j"]:
        x = torch.relu(self.bn1(self.conv1(images)))
        x = torch.relu(self.bn2(self.conv2(x)))
        for number in range(1, 13):
            x = self.get_submodule(f"block{number}")(x)
        x = torch.relu(self.bn3(self.conv3(x)))
        return torch.relu(self.bn4(self.conv4(x)))

    def logits_of(self, maps: Float[Tensor, "n 2048 i j"]) -> Tensor:
        logits: Tensor = self.fc(maps.mean((2, 3)))
        return logits.squeeze(1)
