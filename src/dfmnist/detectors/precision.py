"""Choice between float32 and bfloat16 by timed training steps.

Without AMX instructions, bfloat16 can be ten times slower than float32.
"""

import time
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.networks.builders import build

_MARGIN = 1.1
"""Factor by which bfloat16 must be faster to be worth its lower accuracy."""
_MAX_BATCH = 16
"""Largest number of frames in a timed step."""
_ROUNDS = 3
"""Number of timed training steps of each precision."""
_FEW = 2
"""Number of frames in the forward pass that is timed first."""
_HOPELESS = 2.0
"""Factor by which bfloat16's forward pass may be slower before no training step of it is timed,
since one could take minutes."""


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """A context in which a network computes in `precision` ("f32" or "bf16")."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def choose_precision(
    network: str, options: dict[str, Any], batch_size: int, device: torch.device
) -> tuple[str, dict[str, float]]:
    """The faster of "f32" and "bf16" for one training step, and the seconds that each takes.

    Steps of both alternate, so that other processes slow down both, and the fastest step of each
    counts. If a forward pass of few frames shows bfloat16 to be far slower, only float32's step is
    timed, and bfloat16's is taken to be as many times slower as its forward pass.
    """
    module = build(network, **options).train().to(device)
    generator = torch.Generator().manual_seed(0)
    channels = 3 * module.consecutive
    size = (max(_FEW, min(batch_size, _MAX_BATCH)), channels, module.size_px, module.size_px)
    frames = torch.randint(0, 256, size, dtype=torch.uint8, generator=generator).to(device)
    seconds = _best(module, frames[:_FEW], forward_only=True)
    slower = seconds["bf16"] / seconds["f32"]
    if slower < _HOPELESS:
        seconds = _best(module, frames, forward_only=False)
    else:
        (step,) = _best(module, frames, ("f32",), forward_only=False).values()
        seconds = {"f32": step, "bf16": step * slower}
    rounded = {name: round(value, 6) for name, value in seconds.items()}
    faster = rounded["bf16"] * _MARGIN < rounded["f32"]  # a reader of the record decides alike
    return ("bf16" if faster else "f32"), rounded


def _best(
    module: Detector,
    frames: Tensor,
    precisions: tuple[str, ...] = ("f32", "bf16"),
    *,
    forward_only: bool,
) -> dict[str, float]:
    """The fastest time of each precision in seconds; they alternate after one warm-up round.

    A forward pass is timed once: it decides between factors, not between a few percent.
    """
    seconds = dict.fromkeys(precisions, float("inf"))
    for turn in range(2 if forward_only else _ROUNDS + 1):
        for precision in seconds:
            taken = _pass_s(module, frames, precision, forward_only)
            if turn:
                seconds[precision] = min(seconds[precision], taken)
    return seconds


def _pass_s(module: Detector, frames: Tensor, precision: str, forward_only: bool) -> float:
    """The seconds that one forward pass takes, with its backward pass unless `forward_only`."""
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
