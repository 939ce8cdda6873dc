"""Building a detector's network by its name: `build("resnet50")`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from dfmnist.core.errors import InputError
from dfmnist.core.extras import need
from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.networks.efficientnet import EfficientNetLite0
from dfmnist.detectors.networks.load import load_weights
from dfmnist.detectors.networks.mesonet import MesoNet
from dfmnist.detectors.networks.names import TIMM, is_timm
from dfmnist.detectors.networks.resnet import DEPTHS, ResNet
from dfmnist.detectors.networks.xception import Xception

BUILDERS: dict[str, Callable[..., Detector]] = {
    "resnet50": lambda **options: ResNet(DEPTHS["resnet50"], **options),
    "resnet101": lambda **options: ResNet(DEPTHS["resnet101"], **options),
    "resnet152": lambda **options: ResNet(DEPTHS["resnet152"], **options),
    "xception": Xception,
    "mesoinception4": lambda **options: MesoNet(inception=True, **options),
    "meso4": lambda **options: MesoNet(inception=False, **options),
    "efficientnet_lite0": EfficientNetLite0,
}
"""A function that makes each network, by its name; the names are `names.NETWORKS`."""


def new_network(name: str, **options: Any) -> Detector:
    """The network `name` with parameters that have shapes but no values (the meta device).

    `options` are those of `build`. Raises `InputError` for a name that is not in `BUILDERS`.
    """
    if name not in BUILDERS and not is_timm(name):
        known = f"{', '.join(BUILDERS)}, or timm:NAME"
        raise InputError(f"unknown network '{name}'; expected one of {known}")
    with torch.device("meta"):
        network = _timm(name, **options) if is_timm(name) else BUILDERS[name](**options)
    network.name = name
    return network


def _timm(name: str, **options: Any) -> Detector:
    """A network of the package timm, which is imported only here. Raises `InputError`."""
    need("timm", extra="timm", for_what=f"network {name}")
    try:
        from dfmnist.detectors.networks.timm_network import TimmNetwork
    except (ImportError, RuntimeError) as error:  # a torchvision of another torch ends so
        what = f"the package timm cannot be imported ({error})"
        raise InputError.of(
            f"network {name}", what, "timm and the torchvision of this torch"
        ) from None

    return TimmNetwork(name.removeprefix(TIMM), **options)


def build(name: str, weights: str | Path | None = None, seed: int = 0, **options: Any) -> Detector:
    """The network `name`, which gives one logit for FAKE, in evaluation mode.

    Parameters are drawn from `seed` alone, then read from the file `weights` if one is given:
    this project's safetensors, a PyTorch checkpoint with the public names, or the MesoNet
    authors' `.h5`. `options` are size_px; for ResNets also num_classes, last_stride and
    zero_init_residual; for Xception and EfficientNet-Lite0 num_classes; for MesoNets pooling,
    dropout and front. Raises `InputError` for an unknown name or weights that do not fit.
    """
    network = new_network(name, **options)
    network.to_empty(device="cpu")
    with torch.no_grad():
        network.initialise(torch.Generator().manual_seed(seed))
    if weights is not None:
        load_weights(network, Path(weights))
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
