"""MiniFASNet, a published detector of presentation attacks in single pictures.

Minivision's Silent-Face-Anti-Spoofing (Apache-2.0,
https://github.com/minivision-ai/Silent-Face-Anti-Spoofing, `src/model_lib/MiniFASNet.py`): two
small networks of inverted residual blocks with pruned widths see the face with its surroundings at
two scales, and their probabilities are averaged. This is our own implementation of the published
layers; names of parameters are the authors', so that their weights can be loaded. The weights are
not part of this package: they are given as files, or taken from the cache.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dfmnist.core.arrays import Floats, Floats32, Frames, RgbImage
from dfmnist.core.checkpoints import bare_name, read_pickle, require_finite, unnested
from dfmnist.core.errors import InputError
from dfmnist.core.published_weights import get
from dfmnist.liveness.base import Verdict
from dfmnist.media.sample import evenly

INPUT_PX = 80
"""Side in pixels of the networks' input."""
CLASSES = 3
"""Number of classes; the middle one is a live person, the others are attacks."""
LIVE = 1
"""Index of the class of live persons."""
MAX_FRAMES = 8
"""Largest number of a clip's frames that are judged."""
REDUCTION = 4
"""Factor by which a squeeze-and-excitation unit narrows its channels."""


@dataclass(frozen=True)
class Variant:
    """One of the published networks."""

    name: str
    """Name of its published weights in the cache."""
    scale: float
    """Side of the part of the picture that is seen, in sides of the face's box."""
    excites: bool
    """Whether the last block of each stage weighs its channels (squeeze and excitation)."""
    widths: tuple[tuple[int, ...], ...]
    """Inner channels of the residual blocks of the three stages."""


V2 = Variant(
    "minifasnet-v2", 2.7, False, ((13, 13, 13, 13), (231, 52, 26, 77, 26, 26), (26, 26))
)  # fmt: skip
V1SE = Variant(
    "minifasnet-v1se", 4.0, True, ((13, 26, 13, 52), (154, 52, 26, 52, 26, 26), (26, 26))
)  # fmt: skip
VARIANTS = (V2, V1SE)
"""The two networks that the authors average."""


def _unit(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, *, by_channel: bool = False,
    padding: int | None = None, activated: bool = True,
) -> nn.Sequential:  # fmt: skip
    """A convolution without bias, batch norm and, if `activated`, PReLU."""
    around = kernel // 2 if padding is None else padding
    groups = inputs if by_channel else 1
    layers: dict[str, nn.Module] = {
        "conv": nn.Conv2d(inputs, outputs, kernel, stride, around, groups=groups, bias=False),
        "bn": nn.BatchNorm2d(outputs),
    }
    if activated:
        layers["prelu"] = nn.PReLU(outputs)
    return nn.Sequential(OrderedDict(layers))


class _Excitation(nn.Module):
    """Weights of the channels from their means (squeeze and excitation)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // REDUCTION
        self.fc1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.fc2 = nn.Conv2d(inner, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = torch.relu(self.bn1(self.fc1(x.mean(dim=(2, 3), keepdim=True))))
        return x * torch.sigmoid(self.bn2(self.fc2(squeezed)))


class _Block(nn.Module):
    """Inverted residual block: widen to `inner` channels, filter each, narrow to `outputs`."""

    def __init__(
        self, inputs: int, inner: int, outputs: int, *, stride: int = 1, excites: bool = False
    ) -> None:
        super().__init__()
        self.conv = _unit(inputs, inner)
        self.conv_dw = _unit(inner, inner, 3, stride, by_channel=True)
        self.project = _unit(inner, outputs, activated=False)
        self.is_residual = stride == 1
        if excites:
            self.se_module = _Excitation(outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(self.conv_dw(self.conv(x)))
        if hasattr(self, "se_module"):
            out = self.se_module(out)
        return x + out if self.is_residual else out


def _stage(channels: int, widths: Sequence[int], excites: bool) -> nn.Sequential:
    last = len(widths) - 1
    blocks = [
        _Block(channels, width, channels, excites=excites and place == last)
        for place, width in enumerate(widths)
    ]
    return nn.Sequential(OrderedDict(model=nn.Sequential(*blocks)))


class MiniFasNet(nn.Module):
    """One of the published networks: pictures (n, 3, 80, 80) to logits (n, 3).

    Pictures are BGR with values 0 to 255, as the authors' programs read them.
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        first, second, third = variant.widths
        self.conv1 = _unit(3, 32, 3, 2)
        self.conv2_dw = _unit(32, 32, 3, by_channel=True)
        self.conv_23 = _Block(32, 103, 64, stride=2)
        self.conv_3 = _stage(64, first, variant.excites)
        self.conv_34 = _Block(64, 231, 128, stride=2)
        self.conv_4 = _stage(128, second, variant.excites)
        self.conv_45 = _Block(128, 308, 128, stride=2)
        self.conv_5 = _stage(128, third, variant.excites)
        self.conv_6_sep = _unit(128, 512)
        rest = INPUT_PX // 16
        self.conv_6_dw = _unit(512, 512, rest, by_channel=True, padding=0, activated=False)
        self.linear = nn.Linear(512, 128, bias=False)
        self.bn = nn.BatchNorm1d(128)
        self.prob = nn.Linear(128, CLASSES, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_23(self.conv2_dw(self.conv1(x)))
        x = self.conv_45(self.conv_4(self.conv_34(self.conv_3(x))))
        x = self.conv_6_dw(self.conv_6_sep(self.conv_5(x)))
        out: Tensor = self.prob(self.bn(self.linear(x.flatten(1))))
        return out


def load_network(variant: Variant, path: Path) -> MiniFasNet:
    """The network with the published weights in the file `path`. Raises `InputError`."""
    expected = f"the published weights {variant.name} (`dfmnist fetch {variant.name}`)"
    if not path.is_file():
        raise InputError.of(path, "no such file", expected)
    network = MiniFasNet(variant)
    own = network.state_dict()
    read = unnested(read_pickle(path, expected))
    state = {bare_name(str(key), own): value for key, value in read.items()}
    for name, value in own.items():
        found = state.get(name)
        if not isinstance(found, Tensor) or found.shape != value.shape:
            raise InputError.of(path, f"lacks a fitting {name}", expected)
    if more := sorted(state.keys() - own.keys()):
        raise InputError.of(path, f"holds {more[0]}, which the network has not", expected)
    require_finite(path, state, expected)
    network.load_state_dict(state)
    return network.eval()


def check(name: str, path: Path) -> None:
    """Check that `path` holds the published weights `name`. Raises `InputError`."""
    load_network(next(one for one in VARIANTS if one.name == name), path)


class MiniFasNetDetector:
    """The universal detector of Silent-Face-Anti-Spoofing, on several frames of a clip."""

    name = "minifasnet"

    def __init__(self, v2: Path | None = None, v1se: Path | None = None) -> None:
        """`v2` and `v1se` are files of weights; None takes those of the cache, or fetches them.

        Raises `InputError`.
        """
        files = zip(VARIANTS, (v2, v1se), strict=True)
        self._networks = [
            (one, load_network(one, path or get(one.name, partial(check, one.name))))
            for one, path in files
        ]

    def judge(self, filmed_rgb_u8: Frames, searched: Sequence[int], boxes: Floats32) -> Verdict:
        """The verdict on frames (n, h, w, 3) with the face's `boxes` (k, 4) in k of them.

        The score is P(live) against the likelier class of attack, so that 0.5 is the published
        reading: live if that class is the largest.
        """
        chosen = evenly(len(searched), MAX_FRAMES)
        found = [self.probabilities(filmed_rgb_u8[searched[i]], boxes[i]) for i in chosen]
        mean = np.mean(found, axis=0)
        attack = float(np.delete(mean, LIVE).max())
        score = float(mean[LIVE]) / max(float(mean[LIVE]) + attack, 1e-9)
        reason = (
            "" if score >= 0.5 else f"looks like a picture of a person: P(live) {mean[LIVE]:.3f}"
        )
        return Verdict(self.name, score >= 0.5, score, reason)

    def probabilities(self, image_rgb_u8: RgbImage, box_xyxy: Floats32) -> Floats:
        """Probabilities (3,) of one picture (h, w, 3) with a face's box: the two networks' mean."""
        with torch.inference_mode():
            each = [
                torch.softmax(network(patch(image_rgb_u8, box_xyxy, one.scale)), dim=1)[0]
                for one, network in self._networks
            ]
        return np.asarray(torch.stack(each).mean(dim=0), np.float64)


def patch(image_rgb_u8: RgbImage, box_xyxy: Floats32, scale: float) -> Tensor:
    """The face with its surroundings: BGR (1, 3, 80, 80), 0 to 255.

    The part of the picture has `scale` times the sides of the box, or less where the picture is
    smaller, and is moved into the picture. It is resized bilinearly without smoothing, as OpenCV
    does (`src/generate_patches.py` of the authors).
    """
    left, top, right, bottom = place(image_rgb_u8.shape[:2], box_xyxy, scale)
    cut = np.ascontiguousarray(image_rgb_u8[top : bottom + 1, left : right + 1, ::-1])
    picture = torch.from_numpy(cut).permute(2, 0, 1)[None].float()
    return interpolate(picture, (INPUT_PX, INPUT_PX), mode="bilinear", align_corners=False)


def place(shape: tuple[int, ...], box_xyxy: Floats32, scale: float) -> tuple[int, int, int, int]:
    """The part of a picture of `shape` (h, w) that is seen: left, top, right, bottom in pixels."""
    height, width = shape
    low = np.clip(np.trunc(box_xyxy[:2].astype(np.float64)), 0, (width - 2, height - 2))
    high = np.clip(np.trunc(box_xyxy[2:].astype(np.float64)), low + 1, (width - 1, height - 1))
    size = high - low + 1
    room = np.array([width - 1, height - 1])
    scale = min(scale, *(room / size))
    corner = low + size / 2 - size * scale / 2
    corner = np.clip(corner, 0, room - size * scale)
    left, top = corner.astype(int)
    right, bottom = (corner + size * scale).astype(int)
    return int(left), int(top), int(right), int(bottom)
