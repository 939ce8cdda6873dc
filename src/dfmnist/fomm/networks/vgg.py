"""VGG-19 as the perceptual network of a loss, with torchvision's parameter names.

Simonyan and Zisserman, 2015. The loss compares the layers relu1_1, relu2_1, relu3_1, relu4_1 and
relu5_1, as the public First Order Motion Model does.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dfmnist.core.checkpoints import bare_name, read_pickle, require_finite, unnested
from dfmnist.core.errors import InputError

SOURCE = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
"""Address of the weights: torchvision's, trained on ImageNet, 548 MB."""
EXPECTED = f"torchvision's VGG-19 ({SOURCE})"

_PLAN = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)
"""Widths of the 3×3 convolutions up to relu5_1; a 0 stands for max pooling."""
_SEEN = (1, 6, 11, 20, 29)
"""Indices in `features` of the five layers that are compared."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Vgg19(nn.Module):
    """VGG-19 up to relu5_1, with frozen weights."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        wide = 3
        for out in _PLAN:
            if not out:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(wide, out, 3, padding=1), nn.ReLU(inplace=True)]
            wide = out
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).reshape(1, 3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Features of five layers for RGB pictures in [0, 1], 16 pixels or more a side."""
        out = (image - self.mean) / self.std
        seen = []
        for index, layer in enumerate(self.features):
            out = layer(out)
            if index in _SEEN:
                seen.append(out)
        return seen


def load_vgg(path: Path) -> Vgg19:
    """VGG-19 with the weights in `path`, torchvision's file; its classifier is not read.

    Raises `InputError` that names missing and misshapen tensors.
    """
    if not path.exists():
        raise InputError.of(path, "no such file", EXPECTED)
    vgg = Vgg19()
    own = vgg.state_dict()
    held = unnested(read_pickle(path, EXPECTED))
    state = {bare_name(key, own): value for key, value in held.items()}
    problems = [f"lacks {name}" for name in own if not isinstance(state.get(name), Tensor)]
    if not problems:
        problems = [
            f"{name} is {list(state[name].shape)}, expected {list(value.shape)}"
            for name, value in own.items()
            if state[name].shape != value.shape
        ]
    if problems:
        more = f" and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise InputError.of(path, "; ".join(problems[:4]) + more, EXPECTED)
    require_finite(path, {name: state[name] for name in own}, EXPECTED)
    vgg.load_state_dict({name: state[name].float() for name in own})
    return vgg
