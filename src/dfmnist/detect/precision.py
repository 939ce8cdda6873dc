"""float32, unless bfloat16 wins a timed step: without AMX it can be ten times slower."""

import time
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from dfmnist.detect.networks import build

_MARGIN = 1.1
"""bfloat16 must be this much faster to be worth its lower accuracy."""
_MAX_BATCH = 16


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """The context in which a network runs in `precision` ("32" or "bf16")."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def choose_precision(
    network: str, options: dict[str, Any], batch_size: int, device: torch.device
) -> tuple[str, dict[str, float]]:
    """The faster of "32" and "bf16" for one training step, and the seconds of each."""
    seconds: dict[str, float] = {}
    for precision in ("32", "bf16"):
        limit = 4 * seconds["32"] if "32" in seconds else float("inf")
        seconds[precision] = _step_s(network, options, min(batch_size, _MAX_BATCH), device,
                                     precision, limit)  # fmt: skip
    faster = seconds["bf16"] * _MARGIN < seconds["32"]
    return ("bf16" if faster else "32"), {k: round(v, 4) for k, v in seconds.items()}


def _step_s(
    name: str,
    options: dict[str, Any],
    batch_size: int,
    device: torch.device,
    precision: str,
    give_up_s: float,
) -> float:
    """The best of two timed steps after one to warm up; the warm-up where it was hopeless."""
    network = build(name, **options).train().to(device)
    generator = torch.Generator().manual_seed(0)
    size = (batch_size, 3, network.size_px, network.size_px)
    frames = torch.randint(0, 256, size, dtype=torch.uint8, generator=generator).to(device)
    targets = torch.arange(batch_size, device=device) % 2.0
    taken: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        with autocast(device, precision):
            logits = network(network.normalise(frames))
        loss = binary_cross_entropy_with_logits(logits.float(), targets)
        torch.autograd.backward(loss)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - start)
        if taken[0] > give_up_s:
            return taken[0]
    return min(taken[1:])
