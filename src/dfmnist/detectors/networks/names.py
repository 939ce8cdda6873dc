"""Names, frame sizes and losses of the detectors' networks: plain data, read without torch."""

from typing import Literal, get_args

NetworkName = Literal[
    "resnet50", "resnet101", "resnet152", "xception", "mesoinception4", "meso4",
    "efficientnet_lite0",
]  # fmt: skip
"""A network that `builders.build` makes. All but `meso4` and `efficientnet_lite0` are the paper's
(section 4)."""
NETWORKS: tuple[NetworkName, ...] = get_args(NetworkName)
Pooling = Literal["flatten", "average"]
"""What follows a MesoNet's last maps: each place with weights of its own, or their average."""
Front = Literal["rgb", "high-pass", "difference"]
"""What a MesoNet sees: the frame; the frame and what fixed high-pass filters leave of it; or the
frame and its difference to the next frame."""
LossName = Literal["bce", "mse"]
"""A training loss: binary cross-entropy, or the mean squared error of P(fake)."""


TIMM = "timm:"
"""Start of the name of a network of the package timm, such as `timm:convnext_tiny`."""


def is_timm(name: str) -> bool:
    """True if the network `name` is one of the package timm."""
    return name.startswith(TIMM)


def is_resnet(name: str) -> bool:
    """True if the network `name` is a ResNet."""
    return name.startswith("resnet")


def is_mesonet(name: str) -> bool:
    """True if the network `name` is a MesoNet."""
    return name.startswith("meso")


def published_size_px(name: str) -> int:
    """Side in pixels of the frames that the network `name` was published for.

    The paper's five detectors: section 4; EfficientNet-Lite0: its ImageNet weights; those of timm:
    224, at which most of them were trained (`crop_px` sets another size).
    """
    small = is_resnet(name) or is_timm(name) or name == "efficientnet_lite0"
    return 224 if small else 256


def published_loss(name: str) -> LossName:
    """The loss that the paper trains the network `name` with (section 4)."""
    return "mse" if is_mesonet(name) else "bce"
