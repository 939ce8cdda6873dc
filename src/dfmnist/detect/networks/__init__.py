"""The five detectors by name: `build("resnet50")`."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dfmnist.core.errors import InputError
from dfmnist.detect.networks.base import Detector
from dfmnist.detect.networks.mesonet import MesoNet, read_keras
from dfmnist.detect.networks.resnet import LAYERS, ResNet
from dfmnist.detect.networks.xception import Xception

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
    network.to_empty(device="cpu")
    with torch.no_grad():
        network.initialise(torch.Generator().manual_seed(seed))
    if weights is not None:
        load_weights(network, Path(weights))
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def load_weights(network: Detector, path: Path) -> str:
    """Fill `network` from `path`; says what was loaded: "all layers" or "all but the head".

    A head of another size (ImageNet's 1000 classes) is left as it was; every other difference
    in names or shapes is an `InputError`. Never a silent fallback to random weights.
    """
    state = _read(network, path)
    state = {k.replace("last_linear.", "fc."): v for k, v in state.items()}
    own = network.state_dict()
    head = f"{network.head}.weight"
    loaded = "all layers"
    if head not in state or state[head].shape != own[head].shape:
        loaded = "all but the head"
        state = {k: v for k, v in state.items() if not k.startswith(network.head + ".")}
        state.update({k: v for k, v in own.items() if k.startswith(network.head + ".")})
    for key in own:  # checkpoints older than PyTorch 0.4.1 lack this counter
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, own[key])
    missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    wrong = [k for k in own if k in state and own[k].shape != state[k].shape]
    for problem, keys in (("lacks", missing), ("has unknown", extra), ("has misshaped", wrong)):
        if keys:
            what = f"{problem} {keys[0]}" + (f" and {len(keys) - 1} more" if keys[1:] else "")
            raise InputError.of(path, what, f"weights of {type(network).__name__}")
    network.load_state_dict(state)
    return loaded


def _read(network: Detector, path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise InputError.of(path, "no such file", "weights (.safetensors, .pth or .h5)")
    if path.suffix in (".h5", ".hdf5"):
        if not isinstance(network, MesoNet):
            raise InputError.of(path, "is a Keras file", "PyTorch weights for this network")
        return read_keras(network, path)
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise InputError.of(path, f"cannot be read ({error})", "safetensors") from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, KeyError, EOFError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError.of(path, f"cannot be read ({text})", "a PyTorch state dict") from None
    state = state.get("state_dict", state) if isinstance(state, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError.of(path, "holds no state dict", "parameter names and tensors")
    return state
