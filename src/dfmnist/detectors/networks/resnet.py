"""ResNet-50, -101 and -152 with torchvision's parameter names (He et al., arXiv:1512.03385).

The stride of a bottleneck is in its 3x3 convolution (torchvision's "V1.5"), so that torchvision's
V1 and V2 ImageNet checkpoints both load.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d

from dfmnist.detectors.networks.base import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Detector,
    initialise_classifier,
)

DEPTHS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}
"""Number of bottlenecks in each of a ResNet's four stages."""


class Bottleneck(nn.Module):
    """Convolutions 1x1, 3x3 and 1x1 to four times `width` channels, added to the input."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        return self._finish(self.conv2(y), shortcut)

    def _finish(self, y: Tensor, shortcut: Tensor) -> Tensor:
        y = self.bn3(self.conv3(self.relu(self.bn2(y))))
        out: Tensor = self.relu(y + shortcut)
        return out

    def at_stride_1(self, x: Tensor, dilation: int) -> Tensor:
        """The block's output at stride 1; every other position of it is that of `forward`.

        `dilation` is the 3x3 convolution's: 2 after a stride of 2 that was left out (Yu et al.,
        arXiv:1705.09914).
        """
        shortcut = x
        if self.downsample is not None:
            conv, norm = self.downsample
            assert isinstance(conv, nn.Conv2d)
            shortcut = norm(conv2d(x, conv.weight))
        y = self.relu(self.bn1(self.conv1(x)))
        return self._finish(
            conv2d(y, self.conv2.weight, padding=dilation, dilation=dilation), shortcut
        )


class ResNet(Detector):
    """A ResNet with `depths` bottlenecks in its four stages.

    `last_stride` 1 makes the last maps twice as large. The parameters are the same for both
    strides, so ImageNet checkpoints load with either.
    """

    mean, std, head = IMAGENET_MEAN, IMAGENET_STD, "fc"

    def __init__(
        self,
        depths: tuple[int, int, int, int],
        *,
        num_classes: int = 1,
        size_px: int = 224,
        last_stride: int = 2,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        self.size_px = size_px
        self.zero_init_residual = zero_init_residual
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(64, 64, depths[0], 1)
        self.layer2 = _stage(256, 128, depths[1], 2)
        self.layer3 = _stage(512, 256, depths[2], 2)
        self.layer4 = _stage(1024, 512, depths[3], last_stride)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2048, num_classes)

    def initialise(self, generator: torch.Generator) -> None:
        initialise_classifier(self, generator)
        for layer in self.modules():
            if isinstance(layer, Bottleneck) and self.zero_init_residual:
                nn.init.zeros_(layer.bn3.weight)

    def feature_maps(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 2048 i j"]:
        maps: Tensor = self.layer4(self._before_layer4(images))
        return maps

    def _before_layer4(self, images: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps: Tensor = self.layer3(self.layer2(self.layer1(x)))
        return maps

    def dense_maps(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 2048 i j"]:
        """The last feature maps without the last stride, twice as fine as `feature_maps`.

        Every other position is that of `feature_maps`. At 64 px these maps are 4x4 instead of 2x2.
        """
        maps = self._before_layer4(images)
        dilation = 1
        for block in self.layer4:
            assert isinstance(block, Bottleneck)
            maps = block.at_stride_1(maps, dilation)
            dilation *= block.conv2.stride[0]
        return maps

    def logits_of(self, maps: Float[Tensor, "n 2048 i j"]) -> Tensor:
        logits: Tensor = self.fc(self.avgpool(maps).flatten(1))
        return logits.squeeze(1)


def _stage(inputs: int, width: int, depth: int, stride: int) -> nn.Sequential:
    blocks = [Bottleneck(inputs, width, stride)]
    blocks += [Bottleneck(4 * width, width, 1) for _ in range(depth - 1)]
    return nn.Sequential(*blocks)
