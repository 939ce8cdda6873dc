"""Batch norm's statistics, computed anew from training frames."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from dfmnist.detectors.networks.base import Detector


@torch.no_grad()
def estimate_norms(
    network: Detector, batches: Iterable[tuple[Tensor, Tensor]], num_frames: int
) -> None:
    """Set batch norm's mean and variance to plain averages over training batches.

    `batches` gives frames (n, c, h, w) uint8 and targets (n,); as many are used as `num_frames`
    frames need. Running averages lag behind: in a run of few steps they mostly describe earlier
    weights. The norms are in evaluation mode afterwards.
    """
    device = next(network.parameters()).device
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [m.momentum for m in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
        norm.train()
    seen = 0
    for images, _ in batches:
        network(network.normalise(images.to(device)))
        seen += len(images)
        if seen >= num_frames:
            break
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
