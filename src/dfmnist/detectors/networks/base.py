"""What the five detectors have in common: input size, normalisation, seeded initialisation."""

import functools
from typing import TypeVar

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Net = TypeVar("Net", bound="Detector")


class Detector(nn.Module):
    """A network that gives one logit for FAKE per frame; P(fake) is its sigmoid."""

    name: str = ""
    """As `networks.build` calls it."""
    size_px: int
    """Side of the square frames that it takes."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    head: str
    """Name of the last linear layer, the one that a new task replaces."""

    def normalise(self, frames_u8: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
        """0..255 to the range that the network was defined for, in channels-last memory."""
        mean, std = _on_device(self.mean, self.std, frames_u8.device)
        scaled = frames_u8.float().div_(255).sub_(mean).div_(std)
        return scaled.contiguous(memory_format=torch.channels_last)

    def feature_maps(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k i j"]:
        """The last maps before pooling: where the network looks (`detectors.cam`)."""
        raise NotImplementedError

    def logits_of(self, maps: Float[Tensor, "n k i j"]) -> Tensor:
        """The rest of the network after `feature_maps`: logits (n,)."""
        raise NotImplementedError

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Tensor:
        """Logits (n,), or (n, num_classes) with more classes than one."""
        return self.logits_of(self.feature_maps(images))

    def initialise(self, generator: torch.Generator) -> None:
        """Fill every parameter from `generator`; buffers to their start values."""
        raise NotImplementedError

    def backbone_parameters(self) -> list[nn.Parameter]:
        """All parameters but the head's: what `freeze` holds still."""
        return [p for n, p in self.named_parameters() if not n.startswith(self.head + ".")]


@functools.lru_cache(maxsize=16)
def _on_device(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Kept, since copying them to a GPU waits for all that it is still to do."""
    with torch.inference_mode(False):  # else training could not use what scoring made
        return (
            torch.tensor(mean, device=device).view(1, 3, 1, 1),
            torch.tensor(std, device=device).view(1, 3, 1, 1),
        )


class SeededDropout(nn.Module):
    """Dropout that draws from its own generator, so that a resumed run repeats itself."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self._generator: torch.Generator | None = None
        self._seed = 0

    def reseed(self, seed: int) -> None:
        """Start the stream of masks over; called at the start of every epoch."""
        self._seed, self._generator = seed, None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if self._generator is None:
            self._generator = torch.Generator(x.device).manual_seed(self._seed)
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self._generator)
        return x * keep / (1 - self.p)


def default_linear_(layer: nn.Linear | nn.Conv2d, generator: torch.Generator) -> None:
    """PyTorch's default for a linear or convolution layer, from an explicit generator."""
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
    if layer.bias is not None:
        bound = layer.weight[0].numel() ** -0.5
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)


def reset_norms(module: nn.Module) -> None:
    """Every batch norm to weight 1, bias 0, mean 0, variance 1."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
