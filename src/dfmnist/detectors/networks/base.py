"""The base class of the detectors' networks: input size, normalisation, initialisation."""

import functools

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from dfmnist.detectors.crops import crop, grid

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Detector(nn.Module):
    """A network that gives one logit for FAKE per frame; P(fake) is its sigmoid."""

    name: str = ""
    """The name that `networks.builders.build` takes."""
    size_px: int
    """Side in pixels of the square frames or crops that the network is trained on."""
    any_size: bool = True
    """True if the network averages its last maps, so that it takes frames of any larger size."""
    consecutive: int = 1
    """Number of consecutive frames that the network sees at once; its input has three channels for
    each of them."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    head: str
    """Name of the last linear layer, the one that a new task replaces."""
    has_maps: bool = True
    """True if the last features are maps (n, k, i, j), of which class activation maps are made."""
    averages: bool = True
    """True if the last maps are averaged and one linear layer follows, so that CAM is possible."""

    def normalise(self, frames_u8: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Frames of 0..255 scaled to the network's input range, in channels-last memory."""
        times = self.consecutive
        mean, std = _on_device(self.mean * times, self.std * times, frames_u8.device)
        scaled = frames_u8.float().div_(255).sub_(mean).div_(std)
        return scaled.contiguous(memory_format=torch.channels_last)

    def feature_maps(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k i j"]:
        """The last feature maps before pooling, from which `detectors.cam` makes its maps."""
        raise NotImplementedError

    def logits_of(self, maps: Float[Tensor, "n k i j"]) -> Tensor:
        """The logits (n,) that the rest of the network computes from `feature_maps`."""
        raise NotImplementedError

    def forward(self, images: Float[Tensor, "n c h w"]) -> Tensor:
        """The logits (n,), or (n, num_classes) if there is more than one class."""
        return self.logits_of(self.feature_maps(images))

    def frame_logits(self, images: Float[Tensor, "n c h w"]) -> Tensor:
        """The logits (n,) of whole frames, which may be larger than `size_px`.

        A network that takes any size sees the frame at once; the others see a grid of crops that
        covers it, and the crops' logits are averaged.
        """
        height, width = images.shape[-2:]
        if self.any_size or (height, width) == (self.size_px, self.size_px):
            return self.forward(images)
        corners = grid(int(height), int(width), self.size_px)
        logits = [self.forward(crop(images, corner, self.size_px)) for corner in corners]
        return torch.stack(logits).mean(0)

    def frame_features(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """The logit of each whole frame, as `frame_logits` gives it, and its pooled features.

        The features (k - 1 columns after the logit) are the last maps averaged over all places,
        and over the crops of a network that takes one size alone.
        """
        height, width = images.shape[-2:]
        parts = [images]
        if not self.any_size and (height, width) != (self.size_px, self.size_px):
            corners = grid(int(height), int(width), self.size_px)
            parts = [crop(images, corner, self.size_px) for corner in corners]
        found = []
        for part in parts:
            maps = self.feature_maps(part)
            found.append(torch.cat([self.logits_of(maps)[:, None], self.pooled(maps)], 1))
        return torch.stack(found).mean(0)

    def pooled(self, maps: Float[Tensor, "n k i j"]) -> Float[Tensor, "n k"]:
        """Each of the last feature maps averaged over its places."""
        return maps.mean((2, 3))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every parameter from `generator` and set buffers to their start values."""
        raise NotImplementedError

    def backbone_parameters(self) -> list[nn.Parameter]:
        """All parameters except the head's; training with `freeze` does not change them."""
        return [p for n, p in self.named_parameters() if not n.startswith(self.head + ".")]


@functools.lru_cache(maxsize=16)
def _on_device(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """The mean and standard deviation as tensors (1, c, 1, 1) on `device`.

    They are cached, since each copy to a GPU would wait for its pending work.
    """
    with torch.inference_mode(False):  # else training could not use tensors that scoring made
        return (
            torch.tensor(mean, device=device).view(1, -1, 1, 1),
            torch.tensor(std, device=device).view(1, -1, 1, 1),
        )


class SeededDropout(nn.Module):
    """Dropout with its own random generator, so that a resumed run draws the same masks."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self._generator: torch.Generator | None = None
        self._seed = 0

    def reseed(self, seed: int) -> None:
        """Restart the random masks from `seed`; training calls it at the start of each epoch."""
        self._seed, self._generator = seed, None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if self._generator is None:
            self._generator = torch.Generator(x.device).manual_seed(self._seed)
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self._generator)
        return x * keep / (1 - self.p)


def default_linear_(layer: nn.Linear | nn.Conv2d, generator: torch.Generator) -> None:
    """Initialise a linear or convolution layer as PyTorch does, from an explicit generator."""
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
    if layer.bias is not None:
        bound = layer.weight[0].numel() ** -0.5
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)


def initialise_classifier(network: Detector, generator: torch.Generator) -> None:
    """Initialise convolutions by Kaiming's normal distribution, and the head as PyTorch does."""
    reset_norms(network)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(
                layer.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
    head = network.get_submodule(network.head)
    assert isinstance(head, nn.Linear)
    default_linear_(head, generator)


def reset_norms(module: nn.Module) -> None:
    """Set every batch norm to weight 1, bias 0, mean 0 and variance 1."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
