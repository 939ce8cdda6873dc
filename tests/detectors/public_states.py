"""Names and shapes of the public checkpoints, written out from the architectures' tables.

torchvision's ResNets (He et al., table 1, with torchvision's names) and the Xception of
Cadene's pretrained-models and timm (Chollet, figure 5). Independent of our modules.
"""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]
DEPTHS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}


def norm(name: str, width: int) -> Shapes:
    out: Shapes = {
        f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")
    }
    return out | {f"{name}.num_batches_tracked": ()}


def resnet(name: str, classes: int = 1000) -> Shapes:
    out: Shapes = {"conv1.weight": (64, 3, 7, 7)} | norm("bn1", 64)
    inputs = 64
    for stage, depth in enumerate(DEPTHS[name], 1):
        width = 32 * 2**stage
        for block in range(depth):
            at = f"layer{stage}.{block}"
            out[f"{at}.conv1.weight"] = (width, inputs, 1, 1)
            out[f"{at}.conv2.weight"] = (width, width, 3, 3)
            out[f"{at}.conv3.weight"] = (4 * width, width, 1, 1)
            for number, wide in ((1, width), (2, width), (3, 4 * width)):
                out |= norm(f"{at}.bn{number}", wide)
            if block == 0:
                out[f"{at}.downsample.0.weight"] = (4 * width, inputs, 1, 1)
                out |= norm(f"{at}.downsample.1", 4 * width)
            inputs = 4 * width
    return out | {"fc.weight": (classes, 2048), "fc.bias": (classes,)}


def separable(name: str, inputs: int, outputs: int) -> Shapes:
    return {
        f"{name}.conv1.weight": (inputs, 1, 3, 3),
        f"{name}.pointwise.weight": (outputs, inputs, 1, 1),
    }


def xception(classes: int = 1000) -> Shapes:
    out: Shapes = {"conv1.weight": (32, 3, 3, 3)} | norm("bn1", 32)
    out |= {"conv2.weight": (64, 32, 3, 3)} | norm("bn2", 64)
    blocks = [(64, 128, 128), (128, 256, 256), (256, 728, 728), *[(728,) * 4] * 8, (728, 728, 1024)]
    for number, widths in enumerate(blocks, 1):
        at = f"block{number}"
        if widths[0] != widths[-1]:
            out[f"{at}.skip.weight"] = (widths[-1], widths[0], 1, 1)
            out |= norm(f"{at}.skipbn", widths[-1])
        # ReLU, convolution, norm; and again. The first block has no ReLU before it.
        place = 0 if number == 1 else 1
        for inputs, outputs in pairwise(widths):
            out |= separable(f"{at}.rep.{place}", inputs, outputs)
            out |= norm(f"{at}.rep.{place + 1}", outputs)
            place += 3
    for number, (inputs, outputs) in ((3, (1024, 1536)), (4, (1536, 2048))):
        out |= separable(f"conv{number}", inputs, outputs) | norm(f"bn{number}", outputs)
    return out | {"fc.weight": (classes, 2048), "fc.bias": (classes,)}


def parameters(shapes: Shapes) -> int:
    """Values that train."""
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    return sum(torch.Size(s).numel() for n, s in shapes.items() if not n.endswith(buffers))


def fake(shapes: Shapes) -> dict[str, Tensor]:
    """Tensors of these shapes, each of one value of its own: a file of a few kilobytes."""
    return {
        name: torch.tensor(7)
        if name.endswith("num_batches_tracked")
        else torch.tensor([value_of(name, shapes)]).expand(shape)
        for name, shape in shapes.items()
    }


def value_of(name: str, names: Iterable[str]) -> float:
    """What `fake` fills `name` with."""
    return list(names).index(name) / 1024


def saved(path: Path, state: object) -> Path:
    torch.save(state, path)
    return path
