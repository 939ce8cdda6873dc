"""Weights in and out: the public `.pth.tar` checkpoints, and our safetensors with their config."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path, sha256_file
from dfmnist.core.runs import plain
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.generator import OcclusionAwareGenerator
from dfmnist.fomm.keypoints import KPDetector

SHIPPED = Path(__file__).parent / "weights" / "actors.safetensors"
"""The small animator that comes with the package, trained on synthetic actors only."""

METADATA_KEY = "dfmnist"
EXPECTED = "a First Order Motion Model checkpoint (.pth.tar) or our .safetensors"


@dataclass(frozen=True, eq=False)
class Networks:
    """A motion model ready to run: evaluation mode, float32."""

    config: FommConfig
    kp_detector: KPDetector
    generator: OcclusionAwareGenerator


def weights_id(path: Path | None = None) -> str:
    """`fomm-NAME@XXXXXXXX`: what a manifest records; the digits begin the file's SHA-256."""
    path = _existing(path)
    name = path.name.removesuffix(".tar").removesuffix(".pth").removesuffix(".safetensors")
    return f"fomm-{name}@{sha256_file(path)[:8]}"


def load_networks(path: Path | None = None) -> Networks:
    """Networks with the weights in `path`; None is the shipped file.

    Raises `InputError` when the file is no checkpoint, or lacks or misshapes a tensor.
    """
    path = _existing(path)
    if path.suffix == ".safetensors":
        config, state = _read_safetensors(path)
    else:
        config, state = FommConfig(), _read_pickle(path)
    networks = Networks(config, KPDetector(config), OcclusionAwareGenerator(config))
    problems: list[str] = []
    for name, module in _modules(networks).items():
        problems += _load(name, module, state.get(name, {}))
    if problems:
        problems.sort(key=lambda text: not text.startswith("has no"))
        more = f" and {len(problems) - 6} more" if len(problems) > 6 else ""
        raise InputError.of(path, "; ".join(problems[:6]) + more, EXPECTED)
    return networks


def save_networks(
    path: Path,
    config: FommConfig,
    kp_detector: nn.Module,
    generator: nn.Module,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write weights as float16 safetensors; config and provenance go in its metadata as JSON."""
    tensors = {
        f"{name}.{key}": value.detach().cpu().to(torch.float16).contiguous()
        for name, module in (("kp_detector", kp_detector), ("generator", generator))
        for key, value in module.state_dict().items()
        if value.is_floating_point()
    }
    about = {"config": plain(config), "provenance": plain(provenance or {})}
    # one entry: the library writes several in any order, and the file's hash is its name
    metadata = {METADATA_KEY: json.dumps(about, sort_keys=True)}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def read_provenance(path: Path | None = None) -> dict[str, Any]:
    """What our safetensors file says about its training: seeds, recipe, steps."""
    path = _existing(path)
    with _safetensors(path) as file:
        value: dict[str, Any] = _about(file, path)["provenance"]
    return value


def training_seeds(path: Path | None = None) -> frozenset[int]:
    """Identity seeds of the synthetic actors that the weights were trained on, where recorded.

    A published `.pth.tar` records nothing, and was trained on other people altogether.
    """
    path = _existing(path)
    if path.suffix != ".safetensors":
        return frozenset()
    return frozenset(int(seed) for seed in read_provenance(path).get("identity_seeds", ()))


def _about(file: Any, path: Path) -> dict[str, Any]:
    """Config and provenance in the metadata of an open file of ours."""
    metadata = file.metadata() or {}
    if METADATA_KEY not in metadata:
        raise InputError.of(path, "has no config in its metadata", EXPECTED)
    about: dict[str, Any] = json.loads(metadata[METADATA_KEY])
    return about


def _existing(path: Path | None) -> Path:
    path = SHIPPED if path is None else Path(path)
    if not path.is_file():
        raise InputError.of(path, "no such file", EXPECTED)
    return path


def _modules(networks: Networks) -> dict[str, nn.Module]:
    return {"kp_detector": networks.kp_detector, "generator": networks.generator}


def _fixed(name: str) -> bool:
    """The blur's Gaussian follows from the config; some checkpoints hold it, some do not."""
    return name.endswith("down.weight")


def _load(name: str, module: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """Fill `module` in place; what is wrong with `state`, in words."""
    own = {
        key: value
        for key, value in module.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    missing = [key for key in own if key not in state]
    if len(missing) == len(own):
        return [f"has no {name}"]
    problems = [f"lacks {name}.{key}" for key in missing]
    for key, value in own.items():
        if key in state and state[key].shape != value.shape:
            found, wanted = list(state[key].shape), list(value.shape)
            problems.append(f"{name}.{key} is {found}, expected {wanted}")
    known = set(module.state_dict())
    problems += [f"unknown {name}.{key}" for key in state if key not in known and not _fixed(key)]
    if not problems:
        module.load_state_dict({key: state[key].float() for key in own}, strict=False)
        module.eval().requires_grad_(False)
    return problems


def _safetensors(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise InputError.of(path, f"cannot be read ({error})", EXPECTED) from None


def _read_safetensors(path: Path) -> tuple[FommConfig, dict[str, dict[str, Tensor]]]:
    state: dict[str, dict[str, Tensor]] = {}
    with _safetensors(path) as file:
        config = FommConfig.from_dict(_about(file, path)["config"], str(path))
        for key in file.keys():  # noqa: SIM118 - not a dict
            module, _, name = key.partition(".")
            state.setdefault(module, {})[name] = file.get_tensor(key)
    return config, state


def _read_pickle(path: Path) -> dict[str, dict[str, Tensor]]:
    """A published checkpoint, without running any code that it may hold."""
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds here, none of them its own
        kind = type(error).__name__
        raise InputError.of(path, f"cannot be read safely ({kind})", EXPECTED) from None
    if not isinstance(value, dict):
        raise InputError.of(path, f"holds a {type(value).__name__}", EXPECTED)
    return {name: value[name] for name in ("kp_detector", "generator") if name in value}
