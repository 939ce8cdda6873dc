"""Weights drawn from (seed, name): any two implementations that load them hold the same ones."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch

DATA = Path(__file__).parents[1] / "data"


def state_shapes(module: str) -> dict[str, list[int]]:
    """Names and shapes of the public vox-256 checkpoint; `module` is generator or kp_detector."""
    shapes: dict[str, list[int]] = json.loads((DATA / "fomm_state_shapes.json").read_text())[module]
    return shapes


def draw(name: str, shape: list[int], seed: int) -> torch.Tensor:
    """A tensor drawn by Philox keyed by seed and CRC-32 of its name, scaled by its kind."""
    rng = np.random.Generator(np.random.Philox(key=[seed, zlib.crc32(name.encode())]))
    value = rng.standard_normal(shape)  # drawn first for every tensor, used or not
    if name.endswith("running_var"):
        return torch.as_tensor(rng.uniform(0.7, 1.3, shape), dtype=torch.float32)
    if name == "jacobian.weight":
        value *= 0.01
    elif name == "kp.weight":
        value *= 2.0 * np.sqrt(2.0 / np.prod(shape[1:]))
    elif len(shape) == 4:
        value *= np.sqrt(2.0 / np.prod(shape[1:]))
    else:
        value *= 0.1
    if name == "jacobian.bias":
        value += np.tile([1, 0, 0, 1], shape[0] // 4)
    elif "norm" in name and name.endswith(".weight"):
        value += 1
    return torch.as_tensor(value, dtype=torch.float32)


def seeded_state(module: str, seed: int) -> dict[str, torch.Tensor]:
    """State of `module` without the fixed blur, from which the reference output was made."""
    return {
        name: torch.tensor(0) if name.endswith("num_batches_tracked") else draw(name, shape, seed)
        for name, shape in state_shapes(module).items()
        if not name.endswith("down.weight")
    }
