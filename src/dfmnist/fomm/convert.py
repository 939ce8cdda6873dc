"""Conversion of a published checkpoint to our safetensors, with config and origin."""

import os
from pathlib import Path

import torch

from dfmnist.core.errors import InputError
from dfmnist.core.files import check_writable, sha256_file
from dfmnist.fomm.checkpoint import (
    load_networks,
    read_provenance,
    resolve_weights,
    save_networks,
)
from dfmnist.fomm.config import FommConfig


def convert_weights(
    source: Path, out: Path, *, half: bool = False, force: bool = False
) -> FommConfig:
    """Write the networks of `source` to the safetensors file `out`; returns their config.

    The tensors are float32, or float16 with `half`. Discriminator and optimizers are left out. The
    provenance records the name and SHA-256 of `source`. An existing `out` is refused unless
    `force` is set. Raises `InputError`, also for what `load_networks` refuses, and then writes no
    file.
    """
    source = resolve_weights(source)
    if out.suffix != ".safetensors":
        raise InputError.of(out, f"ends in '{out.suffix}'", "a name that ends in .safetensors")
    if os.path.exists(out) and (out.is_dir() or out.samefile(source) or not force):
        raise InputError.of(out, "exists", "a new file, or --force to replace another one")
    check_writable(out)
    networks = load_networks(source)
    modules = (networks.kp_detector, networks.generator)
    if half:
        for module in modules:
            for key, value in module.state_dict().items():
                if value.is_floating_point() and not bool(value.half().isfinite().all()):
                    problem = f"--half: {key} reaches {float(value.abs().max()):.3g}"
                    raise InputError.of(source, problem, "at most 65504; convert without --half")
    ours = source.suffix == ".safetensors"
    provenance = {
        **(read_provenance(source) if ours else {}),
        "origin_file": source.name,
        "origin_sha256": sha256_file(source),
    }
    dtype = torch.float16 if half else torch.float32
    save_networks(out, networks.config, *modules, provenance, dtype=dtype)
    return networks.config
