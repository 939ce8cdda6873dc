"""The five detectors by name: `build("resnet50")`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from dfmnist.core.errors import InputError
from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.networks.load import load_weights
from dfmnist.detectors.networks.mesonet import MesoNet
from dfmnist.detectors.networks.resnet import LAYERS, ResNet
from dfmnist.detectors.networks.xception import Xception

__all__ = ["BUILDERS", "build", "load_weights", "published_size_px"]

BUILDERS: dict[str, Callable[..., Detector]] = {
    "mesoinception4": lambda **options: MesoNet(inception=True, **options),
    "meso4": lambda **options: MesoNet(inception=False, **options),
    "xception": Xception,
    "resnet50": lambda **options: ResNet(LAYERS["resnet50"], **options),
    "resnet101": lambda **options: ResNet(LAYERS["resnet101"], **options),
    "resnet152": lambda **options: ResNet(LAYERS["resnet152"], **options),
}
PUBLISHED_SIZE_PX = {"mesoinception4": 256, "meso4": 256, "xception": 256}
"""Section 4 of the paper; the ResNets take 224."""


def published_size_px(name: str) -> int:
    """The frame size that the paper gives `name`."""
    return PUBLISHED_SIZE_PX.get(name, 224)


def build(name: str, weights: str | Path | None = None, seed: int = 0, **options: Any) -> Detector:
    """The network `name`, giving one logit for FAKE, in evaluation mode.

    Parameters come from `seed` alone, then from the file `weights` where one is given: our
    safetensors, a PyTorch checkpoint with the public names, or the MesoNet authors' `.h5`.
    `options`: size_px; ResNets also num_classes, last_stride and zero_init_residual.
    """
    if name not in BUILDERS:
        raise InputError(f"unknown network '{name}'; expected one of {', '.join(BUILDERS)}")
    with torch.device("meta"):
        network = BUILDERS[name](**options)
    network.name = name
    network.to_empty(device="cpu")
    with torch.no_grad():
        network.initialise(torch.Generator().manual_seed(seed))
    if weights is not None:
        load_weights(network, Path(weights))
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
