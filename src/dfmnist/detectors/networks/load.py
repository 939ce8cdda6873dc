"""Loading weights from a file; a file is refused unless every name and shape fits."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from dfmnist.core.checkpoints import (
    bare_name,
    in_disguise,
    read_pickle,
    require_finite,
    unnested,
)
from dfmnist.core.errors import InputError
from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.networks.mesonet import MesoNet, read_keras

SHOWN = 3
"""Number of differences that an error lists before it counts the rest."""


def load_weights(network: Detector, path: Path) -> str:
    """Load `path` into `network` and return "all layers" or "all but the head".

    A head of another size (ImageNet's 1000 classes) is not loaded. Raises `InputError` for every
    other difference in names or shapes, so that no layer stays random without notice.
    """
    state, loaded = fitting_state(network, path)
    network.load_state_dict(state)
    return loaded


def fitting_state(network: Detector, path: Path) -> tuple[dict[str, Tensor], str]:
    """The parameters in `path` under the names of `network`, and the words of `load_weights`.

    The network provides names, shapes and the values that the file may lack; it may be on the
    meta device. Raises `InputError`.
    """
    own = network.state_dict()
    state = _renamed(_read(network, path), own)
    head = f"{network.head}.weight"
    loaded = "all layers"
    if head not in state or state[head].shape != own[head].shape:
        loaded = "all but the head"
        state = {k: v for k, v in state.items() if not k.startswith(network.head + ".")}
        state.update({k: v for k, v in own.items() if k.startswith(network.head + ".")})
    for key in own:  # checkpoints from before PyTorch 0.4.1 lack this counter
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, own[key])
    if problems := _problems(own, state):
        more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise InputError.of(path, "; ".join(problems[:SHOWN]) + more, _expected(network))
    read = {key: value for key, value in state.items() if value is not own[key]}
    require_finite(path, read, _expected(network))
    return state, loaded


def _renamed(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` under the names that `own` has, without what wrappers put before them.

    Cadene's Xception calls its head `last_linear` once it is built, but `fc` in its file. His
    first file (`xception-b5690688`) was written by PyTorch 0.3, which stored 1x1 convolutions as
    matrices.
    """
    last = {f"last_linear.{key.removeprefix('fc.')}": key for key in own if key.startswith("fc.")}
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        name = bare_name(key, {**own, **last})
        name = last.get(name, name)
        if name.endswith("pointwise.weight") and value.ndim == 2:
            value = value[:, :, None, None]
        renamed[key if name in renamed else name] = value
    return renamed


def _problems(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """The differences in words: wrong shapes first, then missing and unknown names."""
    shapes = [
        f"{key} is {list(state[key].shape)}, expected {list(value.shape)}"
        for key, value in own.items()
        if key in state and state[key].shape != value.shape
    ]
    missing = [f"lacks {key}" for key in own if key not in state]
    return shapes + missing + [f"has unknown {key}" for key in state if key not in own]


def _expected(network: Detector) -> str:
    return f"weights of {network.name or type(network).__name__} at {network.size_px} px"


def _read(network: Detector, path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        problem = in_disguise(path) if path.is_dir() else "no such file"
        raise InputError.of(path, problem, "weights (.safetensors, .pth or .h5)")
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
            problem = in_disguise(path) or f"cannot be read ({error})"
            raise InputError.of(path, problem, "safetensors") from None
    state = unnested(read_pickle(path, _expected(network)))
    odd = [k for k, v in state.items() if not (isinstance(k, str) and isinstance(v, Tensor))]
    if odd:
        problem = f"'{odd[0]}' in it is no tensor with a name"
        raise InputError.of(path, problem, "parameter names and tensors (a state dict)")
    return state
