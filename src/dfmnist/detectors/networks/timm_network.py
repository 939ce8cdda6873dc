"""Any image network of the package timm (extra `timm`) as a detector with one logit for FAKE.

timm (https://github.com/huggingface/pytorch-image-models, Apache-2.0) has about a thousand; those
whose last features are maps average them and end in one linear layer, or several.
"""

from typing import Any

import timm
import torch
from torch import Tensor, nn

from dfmnist.core.errors import InputError
from dfmnist.detectors.networks.base import Detector


class TimmNetwork(Detector):
    """A network of timm, made for square frames of `size_px` and without weights of its own.

    Frames are normalised as the network's ImageNet weights expect. A transformer has tokens
    (n, tokens, k) or maps with the channels last in place of maps (n, k, i, j).
    """

    averages = False  # Grad-CAM needs nothing but a gradient

    def __init__(self, name: str, *, size_px: int = 224, num_classes: int = 1) -> None:
        """Raises `InputError` for a name that timm does not know, or a size that it cannot take."""
        super().__init__()
        self.size_px, self._timm_name, self._classes = size_px, name, num_classes
        self.model = self._made()
        about = self.model.pretrained_cfg
        self.mean, self.std = tuple(about["mean"]), tuple(about["std"])
        layer = about.get("classifier")
        if not isinstance(layer, str):
            what = "has several heads or none"
            raise InputError.of(f"network timm:{name}", what, "a network with one classifier")
        self.head = f"model.{layer}"
        shape = self._shape()
        self.has_maps = len(shape) == 4 and shape[1] == self.model.num_features
        self.any_size = self.has_maps and not about.get("fixed_input_size")

    def _shape(self) -> tuple[int, ...]:
        """The shape of the features of one frame."""
        device = next(self.model.parameters()).device
        frame = torch.zeros(1, 3, self.size_px, self.size_px, device=device)
        with torch.no_grad():
            return tuple(self.model.eval().forward_features(frame).shape)

    def _made(self) -> Any:
        given = f"network timm:{self._timm_name}"
        options: dict[str, Any] = {"pretrained": False, "num_classes": self._classes}
        try:
            try:
                return timm.create_model(self._timm_name, img_size=self.size_px, **options)
            except TypeError:  # most convolutional networks take no `img_size`
                return timm.create_model(self._timm_name, **options)
        except (RuntimeError, ValueError, AssertionError, TypeError) as error:
            what = f"timm cannot make it at {self.size_px} px ({error})"
            raise InputError.of(given, what, "a name that timm.list_models() gives") from None

    def initialise(self, generator: torch.Generator) -> None:
        """Start from timm's own initialisation, drawn from `generator` alone."""
        seed = int(torch.randint(1 << 31, (1,), generator=generator))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = self._made()  # buffers that no state dict holds come with it

    def feature_maps(self, images: Tensor) -> Tensor:
        """The last features before pooling: maps (n, k, i, j), or tokens as timm gives them."""
        features: Tensor = self.model.forward_features(images)
        return features

    def logits_of(self, maps: Tensor) -> Tensor:
        """Logits (n,), or (n, num_classes) with more classes than one."""
        logits: Tensor = self.model.forward_head(maps)
        return logits.squeeze(1) if self._classes == 1 else logits

    def pooled(self, maps: Tensor) -> Tensor:
        """The features averaged over their places, (n, k)."""
        if self.has_maps:
            return super().pooled(maps)
        return maps.flatten(1, -2).mean(1)  # the channels come last

    def backbone_parameters(self) -> list[nn.Parameter]:
        """All parameters except the head's."""
        return [p for n, p in self.named_parameters() if not n.startswith(self.head + ".")]
