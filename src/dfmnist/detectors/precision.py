"""float32, unless bfloat16 wins timed steps: without AMX it can be ten times slower."""

import time
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.networks.builders import build

_MARGIN = 1.1
"""bfloat16 must be this much faster to be worth its lower accuracy."""
_MAX_BATCH = 16
_ROUNDS = 3
_FEW = 2
"""Frames of the first look, a forward pass."""
_HOPELESS = 2.0
"""Where bfloat16 takes this many times as long there, no step is timed: it could take minutes."""


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """The context in which a network runs in `precision` ("f32" or "bf16")."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def choose_precision(
    network: str, options: dict[str, Any], batch_size: int, device: torch.device
) -> tuple[str, dict[str, float]]:
    """The faster of "f32" and "bf16" for one training step, and the seconds of each.

    Steps of both take turns, so that a neighbour who wants the machine meanwhile slows both; the
    best of each counts. Where a forward pass of few frames shows that bfloat16 is hopeless, the
    seconds are those of that pass.
    """
    module = build(network, **options).train().to(device)
    generator = torch.Generator().manual_seed(0)
    size = (max(_FEW, min(batch_size, _MAX_BATCH)), 3, module.size_px, module.size_px)
    frames = torch.randint(0, 256, size, dtype=torch.uint8, generator=generator).to(device)
    seconds = _best(module, frames[:_FEW], forward_only=True)
    if seconds["bf16"] < _HOPELESS * seconds["f32"]:
        seconds = _best(module, frames, forward_only=False)
    told = {name: round(value, 6) for name, value in seconds.items()}
    faster = told["bf16"] * _MARGIN < told["f32"]  # as told, so that a reader decides alike
    return ("bf16" if faster else "f32"), told


def _best(module: Detector, frames: Tensor, *, forward_only: bool) -> dict[str, float]:
    """The best seconds of each precision, taking turns after a round to warm up."""
    seconds = dict.fromkeys(("f32", "bf16"), float("inf"))
    for turn in range(_ROUNDS + 1):
        for precision in seconds:
            taken = _pass_s(module, frames, precision, forward_only)
            if turn:
                seconds[precision] = min(seconds[precision], taken)
    return seconds


def _pass_s(module: Detector, frames: Tensor, precision: str, forward_only: bool) -> float:
    """Seconds of one forward pass, and of its backward pass where asked."""
    targets = torch.arange(len(frames), device=frames.device) % 2.0
    module.zero_grad()
    start = time.perf_counter()
    with autocast(frames.device, precision):
        logits = module(module.normalise(frames))
    loss = binary_cross_entropy_with_logits(logits.float(), targets)
    if not forward_only:
        torch.autograd.backward(loss)
    if frames.device.type == "cuda":
        torch.cuda.synchronize(frames.device)
    return time.perf_counter() - start
