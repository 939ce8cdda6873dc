"""MesoInception-4 and Meso-4 (Afchar et al., arXiv:1809.00888), and the authors' Keras weights.

The authors' networks output P(real) and these give a logit for FAKE, so the last layer is negated
when their weights are loaded.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from dfmnist.core.checkpoints import in_disguise
from dfmnist.core.errors import InputError
from dfmnist.core.extras import need
from dfmnist.detectors.networks.base import Detector, SeededDropout, reset_norms
from dfmnist.detectors.networks.names import Front, Pooling

KERAS_EPS, KERAS_MOMENTUM = 1e-3, 0.01
"""Keras's defaults for batch norm; the momentum is in PyTorch's convention (1 - 0.99)."""


DROPOUT = 0.5
"""Dropout before each linear layer, as the authors have it."""
LUMA = (0.299, 0.587, 0.114)
HIGH_PASS_GAIN = 8.0
"""Factor that brings the filters' small outputs to the range of a frame's values."""
DIFFERENCE_GAIN = 8.0
"""Factor that brings the small differences between frames to the range of a frame's values."""


def high_pass_kernels() -> Float[Tensor, "3 1 5 5"]:
    """Three fixed high-pass filters of the spatial rich model (Fridrich and Kodovsky, 2012).

    They are the ones that Zhou et al. (arXiv:1805.04953) put before a forgery detector: a square
    of side 3, one of side 5, and a second difference along a row.
    """
    square3 = torch.tensor([[-1.0, 2.0, -1.0], [2.0, -4.0, 2.0], [-1.0, 2.0, -1.0]]) / 4
    edge = torch.tensor([-1.0, 2.0, -2.0, 2.0, -1.0])
    middle = torch.tensor([2.0, -6.0, 8.0, -6.0, 2.0])
    square5 = torch.stack([edge, middle, torch.tensor([-2.0, 8.0, -12.0, 8.0, -2.0]), middle, edge])
    row = torch.tensor([[0.0, 1.0, -2.0, 1.0, 0.0]]) / 2
    kernels = [
        nn.functional.pad(square3, (1, 1, 1, 1)),
        square5 / 12,
        nn.functional.pad(row, (0, 0, 2, 2)),
    ]
    return torch.stack(kernels)[:, None]


class InceptionLayer(nn.Module):
    """Four parallel convolution paths: 1x1, and 1x1 followed by 3x3 of dilation 1, 2 and 3."""

    def __init__(self, inputs: int, a: int, b: int, c: int, d: int) -> None:
        super().__init__()
        self.path1 = nn.Conv2d(inputs, a, 1)
        self.path2 = _two(inputs, b, 1)
        self.path3 = _two(inputs, c, 2)
        self.path4 = _two(inputs, d, 3)

    def forward(self, x: Tensor) -> Tensor:
        paths = (self.path1(x), self.path2(x), self.path3(x), self.path4(x))
        return torch.relu(torch.cat(paths, 1))


def _two(inputs: int, width: int, dilation: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, width, 1),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation),
    )


class MesoNet(Detector):
    """MesoInception-4 (28,615 trained parameters at 256 px) or Meso-4 (27,977).

    Both have four convolution stages with batch norm and max pooling, then two linear layers.
    `size_px` sets the size of the first linear layer and must be a multiple of 32; `pooling`
    `average` averages the last maps over all places, so that frames of any size fit. `front`
    `high-pass` adds three channels of fixed high-pass filters to the frame's three; `difference`
    takes a frame and the next one, and adds their difference.
    """

    head, averages = "fc2", False

    def __init__(
        self,
        *,
        inception: bool,
        size_px: int = 256,
        pooling: Pooling = "flatten",
        dropout: float = DROPOUT,
        front: Front = "rgb",
    ) -> None:
        super().__init__()
        if size_px % 32:
            raise InputError(f"size_px is {size_px}; MesoNet takes a multiple of 32")
        self.size_px = size_px
        self.pooling = pooling
        self.any_size = pooling == "average"
        self.front = front
        self.consecutive = 2 if front == "difference" else 1
        channels = 3 if front == "rgb" else 6
        self.conv1: nn.Module
        self.conv2: nn.Module
        if inception:
            self.conv1 = InceptionLayer(channels, 1, 4, 4, 2)
            self.conv2 = InceptionLayer(11, 2, 4, 4, 2)
            widths = (11, 12)
        else:
            self.conv1 = nn.Sequential(nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU())
            self.conv2 = nn.Sequential(nn.Conv2d(8, 8, 5, padding=2), nn.ReLU())
            widths = (8, 8)
        self.conv3 = nn.Conv2d(widths[1], 16, 5, padding=2)
        self.conv4 = nn.Conv2d(16, 16, 5, padding=2)
        self.bn1, self.bn2, self.bn3, self.bn4 = (
            nn.BatchNorm2d(w, eps=KERAS_EPS, momentum=KERAS_MOMENTUM) for w in (*widths, 16, 16)
        )
        self.drop1, self.drop2 = SeededDropout(dropout), SeededDropout(dropout)
        self.fc1 = nn.Linear(16 if self.any_size else 16 * (size_px // 32) ** 2, 16)
        self.fc2 = nn.Linear(16, 1)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw weights from Glorot's uniform distribution and set biases to zero, as Keras does."""
        reset_norms(self)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def _seen(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """The frame, and behind it the three channels that `front` adds."""
        if self.front == "rgb":
            return images
        if self.front == "difference":
            frame, following = images[:, :3], images[:, 3:]
            return torch.cat([frame, (following - frame) * DIFFERENCE_GAIN], 1)
        red, green, blue = LUMA
        luma = red * images[:, :1] + green * images[:, 1:2] + blue * images[:, 2:]
        kernels = high_pass_kernels().to(images) * HIGH_PASS_GAIN
        padded = nn.functional.pad(luma, (2, 2, 2, 2), mode="reflect")
        return torch.cat([images, nn.functional.conv2d(padded, kernels)], 1)

    def feature_maps(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 16 i j"]:
        pool = nn.functional.max_pool2d
        x = pool(self.bn1(self.conv1(self._seen(images))), 2)
        x = pool(self.bn2(self.conv2(x)), 2)
        x = pool(self.bn3(torch.relu(self.conv3(x))), 2)
        maps: Tensor = self.bn4(torch.relu(self.conv4(x)))
        return maps

    def logits_of(self, maps: Float[Tensor, "n 16 i j"]) -> Float[Tensor, " n"]:
        places = nn.functional.max_pool2d(maps, 4)
        pooled = places.mean((2, 3)) if self.any_size else places.flatten(1)
        x = self.drop1(pooled)
        x = self.drop2(nn.functional.leaky_relu(self.fc1(x), 0.1))
        logits: Tensor = self.fc2(x)
        return logits.squeeze(1)


def read_keras(network: MesoNet, path: Path) -> dict[str, Tensor]:
    """The authors' `.h5` weights as a state dict of `network`, for a logit of FAKE.

    Keras numbers layers on from those built before in the same session, so layers are matched by
    their order within each kind, not by number. Raises `InputError`.
    """
    kinds = _keras_layers(path)
    layers = {k: [a for _, a in sorted(v, key=lambda x: x[0])] for k, v in kinds.items()}
    convs = [n for n, m in network.named_modules() if isinstance(m, nn.Conv2d)]
    norms = [n for n, m in network.named_modules() if isinstance(m, nn.BatchNorm2d)]
    state = network.state_dict()
    try:
        for name, arrays in zip(convs, layers["conv2d"], strict=True):
            state[f"{name}.weight"] = torch.from_numpy(arrays["kernel"].transpose(3, 2, 0, 1))
            state[f"{name}.bias"] = torch.from_numpy(arrays["bias"])
        for name, arrays in zip(norms, layers["batch_normalization"], strict=True):
            state[f"{name}.weight"] = torch.from_numpy(arrays["gamma"])
            state[f"{name}.bias"] = torch.from_numpy(arrays["beta"])
            state[f"{name}.running_mean"] = torch.from_numpy(arrays["moving_mean"])
            state[f"{name}.running_var"] = torch.from_numpy(arrays["moving_variance"])
        first, last = layers["dense"]
        side = network.size_px // 32
        # Keras flattens rows, columns, channels; PyTorch flattens channels, rows, columns
        kernel = first["kernel"].reshape(side, side, 16, 16).transpose(3, 2, 0, 1)
        state["fc1.weight"] = torch.from_numpy(kernel.reshape(16, -1).copy())
        state["fc1.bias"] = torch.from_numpy(first["bias"])
        state["fc2.weight"] = torch.from_numpy(-last["kernel"].T)
        state["fc2.bias"] = torch.from_numpy(-last["bias"])
    except (KeyError, ValueError) as error:
        expected = f"the weights of this MesoNet at {network.size_px} px"
        raise InputError.of(path, f"does not fit ({error})", expected) from None
    return state


def _keras_layers(path: Path) -> dict[str, list[tuple[int, dict[str, np.ndarray]]]]:
    """The layers of each kind (`conv2d`, ...): their number and their arrays by name."""
    need("h5py", extra="mesonet", for_what=f"{path.name}: a Keras file")
    import h5py

    kinds: dict[str, list[tuple[int, dict[str, np.ndarray]]]] = {}
    try:
        with h5py.File(path) as file:
            for name, group in file.items():
                if not isinstance(group, h5py.Group) or name not in group:
                    continue
                kind, _, number = name.rpartition("_")
                if not number.isdigit():  # newer Keras does not number the first of a kind
                    kind, number = name, "0"
                arrays = {k.split(":")[0]: np.asarray(v) for k, v in group[name].items()}
                kinds.setdefault(kind, []).append((int(number), arrays))
    except OSError as error:
        problem = in_disguise(path) or f"cannot be read ({error})"
        raise InputError.of(path, problem, "Keras weights (.h5)") from None
    return kinds
