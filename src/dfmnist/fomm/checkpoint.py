"""Weights files: the public `.pth.tar` checkpoints, and our safetensors with their config."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dfmnist.core.checkpoints import (
    bare_name,
    in_disguise,
    read_pickle,
    require_finite,
    unnested,
)
from dfmnist.core.config import plain
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path, sha256_file
from dfmnist.core.published_weights import PUBLISHED, in_cache
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.infer_config import State, infer_config
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import KPDetector
from dfmnist.fomm.networks.vgg import load_vgg

SHIPPED = Path(__file__).parent / "weights" / "actors.safetensors"
"""File of the small motion model in the package, trained on synthetic actors only."""

METADATA_KEY = "dfmnist"
"""Name of the metadata entry of our safetensors that holds config and provenance as JSON."""
EXPECTED = "a First Order Motion Model checkpoint (.pth.tar) or our .safetensors"
"""Text for errors that says what file is expected."""


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks of a motion model in evaluation mode, float32, with their config."""

    config: FommConfig
    kp_detector: KPDetector
    generator: OcclusionAwareGenerator


def weights_id(path: Path | None = None) -> str:
    """Identifier of weights in a manifest: `fomm-NAME@XXXXXXXX`, with 8 digits of their SHA-256.

    None is the shipped file. Raises `InputError` if there is no such file.
    """
    path = _existing(path)
    name = path.name.removesuffix(".tar").removesuffix(".pth").removesuffix(".safetensors")
    return f"fomm-{name}@{sha256_file(path)[:8]}"


def load_networks(path: Path | None = None) -> Networks:
    """Networks with the weights in `path`, a file or a published name; None is the shipped file.

    Raises `InputError` for a file that is no checkpoint, and for missing or misshapen tensors.
    """
    path = _existing(path)
    if path.suffix == ".safetensors":
        config, state = _read_safetensors(path)
    else:
        state = _networks_in(path, read_pickle(path, EXPECTED))
        config = _config_of(state)
    if problems := _problems(config, state):
        problems.sort(key=lambda text: not text.startswith("has no"))
        more = f" and {len(problems) - 6} more" if len(problems) > 6 else ""
        raise InputError.of(path, "; ".join(problems[:6]) + more, EXPECTED)
    networks = Networks(config, KPDetector(config), OcclusionAwareGenerator(config))
    for name, module in (("kp_detector", networks.kp_detector), ("generator", networks.generator)):
        values = {key: state[name][key].float() for key in _required(module)}
        require_finite(path, values, EXPECTED)
        module.load_state_dict(values, strict=False)
        module.eval().requires_grad_(False)
    return networks


def check_weights(path: Path | None) -> None:
    """Raise `InputError` unless the motion model in `path` can be used; None is the shipped one.

    It is called before long work that needs the model later.
    """
    if path is not None:
        load_networks(path)


def save_networks(
    path: Path,
    config: FommConfig,
    kp_detector: nn.Module,
    generator: nn.Module,
    provenance: Mapping[str, Any] | None = None,
    *,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write weights as safetensors of `dtype`, with config and provenance in the metadata."""
    tensors = {
        f"{name}.{key}": value.detach().cpu().to(dtype).contiguous()
        for name, module in (("kp_detector", kp_detector), ("generator", generator))
        for key, value in module.state_dict().items()
        if value.is_floating_point()
    }
    about = {"config": plain(config), "provenance": plain(provenance or {})}
    # one entry, because the library writes several in random order, which changes the hash
    metadata = {METADATA_KEY: json.dumps(about, sort_keys=True)}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def read_provenance(path: Path | None = None) -> dict[str, Any]:
    """Record of the training in our safetensors file: seeds, recipe, steps."""
    path = _existing(path)
    with _safetensors(path) as file:
        return _about(file, path)["provenance"]


def taught_points(path: Path | None = None) -> tuple[str, ...]:
    """Names of the face points that the keypoints were taught to be, in order, as recorded.

    They are () for weights that record none, such as a published `.pth.tar`, whose keypoints mean
    nothing that has a name.
    """
    path = _existing(path)
    if path.suffix != ".safetensors":
        return ()
    config = read_provenance(path).get("config")
    names = config.get("points", []) if isinstance(config, dict) else []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError.of(path, "its points are no list of names", EXPECTED)
    return tuple(names)


def training_seeds(path: Path | None = None) -> frozenset[int]:
    """Identity seeds of the synthetic actors that the weights were trained on, as recorded.

    The set is empty for a published `.pth.tar`, which was trained on real people.
    """
    path = _existing(path)
    if path.suffix != ".safetensors":
        return frozenset()
    seeds = read_provenance(path).get("identity_seeds", [])
    if not isinstance(seeds, list) or not all(isinstance(seed, int) for seed in seeds):
        raise InputError.of(path, "its identity_seeds are no list of numbers", EXPECTED)
    return frozenset(seeds)


def resolve_weights(weights: Path) -> Path:
    """The file that `--weights` names: an existing file, or a published motion model by name.

    Raises `InputError` for a published name without a file in the cache, and for one that is no
    motion model.
    """
    name = str(weights)
    if name not in PUBLISHED or weights.is_file():
        return weights  # a missing file is reported when it is read
    if not PUBLISHED[name].is_motion_model:
        models = " or ".join(name for name, known in PUBLISHED.items() if known.is_motion_model)
        raise InputError.of(weights, "is no motion model", models)
    return in_cache(name)


def check_published(name: str, file: Path) -> None:
    """Read all of `file` as the published motion model `name`, or as VGG-19.

    Raises `InputError` if it is something else; a function for `core.published_weights.install`.
    """
    if not PUBLISHED[name].is_motion_model:
        load_vgg(file)
        return
    config = load_networks(file).config
    if config != FommConfig():
        raise InputError.of(file, f"is another motion model ({config})", f"the {name} network")


def _about(file: Any, path: Path) -> dict[str, dict[str, Any]]:
    """Config and provenance from the metadata of an open safetensors file of ours."""
    metadata = file.metadata() or {}
    if METADATA_KEY not in metadata:
        raise InputError.of(path, "has no config in its metadata", EXPECTED)
    try:
        about: Any = json.loads(metadata[METADATA_KEY])
    except (ValueError, RecursionError):
        raise InputError.of(path, "its metadata is not valid JSON", EXPECTED) from None
    for name in ("config", "provenance"):
        if not isinstance(about, dict) or not isinstance(about.get(name), dict):
            raise InputError.of(path, f"has no {name} in its metadata", EXPECTED)
    return {"config": about["config"], "provenance": about["provenance"]}


def _existing(path: Path | None) -> Path:
    path = SHIPPED if path is None else resolve_weights(Path(path))
    if not path.is_file():
        problem = in_disguise(path) if path.is_dir() else "no such file"
        raise InputError.of(path, problem, EXPECTED)
    return path


def _fixed(name: str) -> bool:
    """Whether a tensor is the blur's Gaussian, which follows from the config and may be missing."""
    return name.endswith("down.weight")


def _required(module: nn.Module) -> dict[str, Tensor]:
    """Tensors of `module` that a file must hold."""
    state = module.state_dict()
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


def _problems(config: FommConfig, state: State) -> list[str]:
    """Texts that name missing, misshapen and unknown tensors in `state` for `config`."""
    problems: list[str] = []
    with torch.device("meta"):  # names and shapes alone
        modules = {"kp_detector": KPDetector(config), "generator": OcclusionAwareGenerator(config)}
    for name, module in modules.items():
        own, found = _required(module), state.get(name, {})
        missing = [key for key in own if key not in found]
        if len(missing) == len(own):
            problems.append(f"has no {name}")
            continue
        problems += [f"lacks {name}.{key}" for key in missing]
        for key, value in own.items():
            if key in found and found[key].shape != value.shape:
                shapes = f"is {list(found[key].shape)}, expected {list(value.shape)}"
                problems.append(f"{name}.{key} {shapes}")
        known = module.state_dict()
        problems += [
            f"unknown {name}.{key}" for key in found if key not in known and not _fixed(key)
        ]
    return problems


def _config_of(state: State) -> FommConfig:
    """Config of a published checkpoint: vox-256, or one inferred from shapes that fits better."""
    published = FommConfig()
    try:
        inferred = infer_config(state)
    except InputError:  # shapes of no network; the comparison with vox-256 names them
        return published
    if len(_problems(inferred, state)) < len(_problems(published, state)):
        return inferred
    return published


def _safetensors(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        problem = in_disguise(path) or f"cannot be read ({error})"
        raise InputError.of(path, problem, EXPECTED) from None


def _read_safetensors(path: Path) -> tuple[FommConfig, State]:
    state: State = {}
    with _safetensors(path) as file:
        config = FommConfig.from_dict(_about(file, path)["config"], str(path))
        for key in file.keys():  # noqa: SIM118 - not a dict
            module, _, name = key.partition(".")
            state.setdefault(module, {})[name] = file.get_tensor(key)
    return config, state


def _networks_in(path: Path, value: Mapping[str, Any]) -> State:
    """Tensors of generator and keypoint detector in a published checkpoint."""
    if "inpainting_network" in value:
        held = ", ".join(sorted(key for key in value if key.endswith("network")))
        problem = f"is of a Thin-Plate-Spline Motion Model, another network (holds {held})"
        raise InputError.of(path, problem, EXPECTED)
    value = _by_network(value)
    if not {"generator", "kp_detector"} & set(value):
        some = ", ".join(map(str, list(value)[:4])) or "nothing"
        problem = f"has no kp_detector and no generator (holds {some})"
        raise InputError.of(path, problem, EXPECTED)
    state: State = {}
    for name in ("kp_detector", "generator"):
        found = value.get(name, {})
        found = unnested(found) if isinstance(found, Mapping) else found
        if not isinstance(found, Mapping) or not all(
            isinstance(key, str) and isinstance(tensor, Tensor) for key, tensor in found.items()
        ):
            raise InputError.of(path, f"its {name} is not a table of tensors", EXPECTED)
        state[name] = {bare_name(key): tensor for key, tensor in found.items()}
    return state


def _by_network(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tables of the networks in a checkpoint; Lightning's holds all tensors in one table."""
    if {"generator", "kp_detector"} & set(value):
        return value
    value = unnested(value)
    tables: dict[str, dict[str, Any]] = {}
    for key, tensor in value.items():
        network, _, name = bare_name(str(key)).partition(".")
        if network in ("generator", "kp_detector") and name:
            tables.setdefault(network, {})[name] = tensor
    return tables or value
