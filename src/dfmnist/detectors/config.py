"""The settings of a training run. Runs with the same settings and manifest are one run.

Reading this module imports no torch, so that a report can read finished runs without it.
"""

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from dfmnist.core.actions import TEN
from dfmnist.core.choices import QUALITIES, Precision
from dfmnist.core.errors import InputError
from dfmnist.core.settings import check_choices
from dfmnist.detectors.networks.names import (
    NETWORKS,
    Front,
    LossName,
    Pooling,
    is_mesonet,
    is_resnet,
    published_loss,
    published_size_px,
)

Balance = Literal["none", "loss"]
Augmentation = Literal["none", "flip", "strong"]
Pairing = Literal["auto", "none"]
_LEAST = {
    "frames_per_clip": 1,
    "epochs": 1,
    "passes": 1,
    "batch_size": 1,
    "accumulate": 1,
    "early_stop": 0,
    "precise_bn_frames": 0,
}
"""The smallest value allowed of each count."""
_MOST = 1_000_000
"""The largest value allowed of each count."""
MAX_SIDE_PX = 4096
"""Largest side of frames and crops in pixels."""


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training run. Defaults are the paper's (section 4) where it states them."""

    network: str = "resnet50"
    """The network to train: a name of `NETWORKS`, or `timm:NAME` for a network of the package timm
    (extra `timm`)."""
    quality: str = "raw"
    """Quality of the training clips, such as raw, c23, c40 or original. `mixed` draws one of raw,
    c23 and c40 for each clip anew in every epoch (the paper, section 5.2)."""
    actions: tuple[str, ...] = ()
    """Train only on fakes of these actions, and on as many real clips; empty means all actions
    (the paper's Figure 5 trains on one action at a time)."""
    corpus: float = 1.0
    """Share of the training clips to use, above 0 and up to 1, equally many of each action (the
    paper's Figure 3). A smaller share is contained in a larger one."""
    fakes: float = 1.0
    """Share of the fake training clips to use, above 0 and up to 1 (the paper's Figure 4). A
    smaller share is contained in a larger one."""
    reals: float = 1.0
    """Share of the real training clips to use, above 0 and up to 1 (the paper's Figure 4). A
    smaller share is contained in a larger one."""
    balance: Balance = "none"
    """Weighting of the classes in the training loss. `none` counts every frame the same; `loss`
    counts both classes the same, however many frames each has."""
    frames_per_clip: int = 32
    """Number of frames used of each clip, evenly spaced over the whole clip. The paper gives no
    number."""
    size_px: int | None = None
    """Side in pixels, 32 or more, to which whole frames are resized: the paper's way, with 224 for
    ResNets and 256 for the other networks. None keeps the clips' own pixels."""
    crop_px: int | None = None
    """Side in pixels, 32 or more, of the random crops to train on; scoring covers the whole frame.
    None means the size that the network was published for (224 or 256), or `size_px` if given."""
    pairing: Pairing = "auto"
    """Pairing of training frames: `auto` draws a fake together with a real clip of the same person
    and action, if nearly all fakes have one; `none` draws clips one by one, as the paper does."""
    epochs: int = 50
    """Number of epochs; each ends with a validation and a checkpoint. The paper trains for 50."""
    passes: int = 1
    """How often an epoch iterates over the training frames. Raise it for small sets, where
    validating after every pass would take longer than training."""
    batch_size: int = 64
    """Number of frames in a batch, over all devices together. The paper's batches hold 64."""
    accumulate: int = 1
    """Number of batches whose gradients are summed for one optimiser step."""
    early_stop: int = 0
    """Stop after this many epochs without a better one. 0 trains to the end, as the paper does."""
    learning_rate: float = 2e-4
    """Adam's learning rate at the start; it decays to 0. The paper starts at 0.0002."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's beta 1 and beta 2. The paper prints 0.999 and 0.9, which we take for a misprint."""
    poly_power: float = 0.9
    """Power of the polynomial learning-rate decay; the paper gives none (0.9 is DeepLab's)."""
    loss: LossName | None = None
    """Training loss: `bce` is binary cross-entropy, `mse` the squared error of P(fake). None means
    the paper's: `mse` for MesoNets, `bce` for the other networks."""
    weights: str = "none"
    """Weights to start from: `none` (every layer starts at random), `imagenet`, `actors` (the
    detector that ships, an EfficientNet-Lite0), a name of published weights, a file, or the folder
    of a finished run. The paper starts its ResNets and Xception from ImageNet weights."""
    freeze: bool = False
    """Train only the last layer and keep all others as `weights` has them, as the paper does for
    Xception. Needs `weights`."""
    augmentation: Augmentation = "none"
    """Random changes to training frames: `none`, as in the paper; `flip` mirrors; `strong` also
    shifts the frame and its colours. Small sets need `strong`."""
    pooling: Pooling = "flatten"
    """Layer after a MesoNet's last maps: `flatten`, as published, or `average` over all places."""
    dropout: float | None = None
    """Share of values that a MesoNet's dropout removes in training, from 0 to below 1. None means
    the published 0.5."""
    front: Front = "rgb"
    """Input of a MesoNet: `rgb`, as published; `high-pass`, which adds three channels of fixed
    high-pass filters; or `difference`, which adds the difference to the clip's next frame."""
    zero_init_residual: bool = False
    """Start each ResNet block as the identity, which helps short runs from random weights."""
    last_stride: Literal[1, 2] = 2
    """Stride of a ResNet's last stage: 2 as in the paper, or 1 for last feature maps twice as
    large and so finer attention maps of small frames."""
    precise_bn_frames: int = 0
    """Number of training frames on which batch norm's statistics are computed anew before each
    validation; 0 keeps the running averages, which lag behind in runs of few steps."""
    precision: Precision = "auto"
    """Number format of the training arithmetic: `f32`, `bf16`, or `auto`, which takes float32
    unless bfloat16 is faster in a timed step at the start."""
    seed: int = 0
    """Seed of the initial weights, the order of frames, dropout, augmentation, and which part of
    the training clips is used."""

    def __post_init__(self) -> None:
        self._check_choices()
        self._check_numbers()
        if self.freeze and self.weights == "none":
            raise InputError(
                "freeze with weights none: random frozen layers learn nothing; "
                "expected weights to start from, or no freeze"
            )
        if not is_mesonet(self.network) and (
            (self.pooling, self.dropout, self.front) != ("flatten", None, "rgb")
        ):
            raise InputError(
                f"pooling, dropout and front are for MesoNets; network: {self.network}"
            )
        if not is_resnet(self.network) and (self.zero_init_residual or self.last_stride != 2):
            raise InputError(
                f"zero_init_residual and last_stride are for ResNets; network: {self.network}"
            )

    def _check_choices(self) -> None:
        check_choices(self)
        if self.network not in NETWORKS and not re.fullmatch(r"timm:[a-z0-9_.]+", self.network):
            known = ", ".join(NETWORKS)
            raise InputError(f"network is '{self.network}'; expected one of {known}, or timm:NAME")
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", self.quality):
            expected = "mixed, or a quality such as raw, c23, c40 or original"
            raise InputError(f"quality is '{self.quality}'; expected {expected}")
        for action in self.actions:
            _one_of("actions", action, tuple(a.value for a in TEN))

    def _check_numbers(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; expected {least} or more")
            if getattr(self, name) > _MOST:
                raise InputError(f"{name} is {getattr(self, name)}; expected {_MOST:,} or less")
        for name in ("corpus", "fakes", "reals"):
            if not 0 < getattr(self, name) <= 1:
                found = getattr(self, name)
                raise InputError(f"{name} is {found}; expected more than 0, and 1 at most")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise InputError(f"betas are {self.betas}; expected two numbers from 0 to below 1")
        for name in ("size_px", "crop_px"):
            side = getattr(self, name)
            if side is not None and not 32 <= side <= MAX_SIDE_PX:
                raise InputError(f"{name} is {side}; expected 32 to {MAX_SIDE_PX}")
        if self.crop_px and self.size_px and self.crop_px > self.size_px:
            raise InputError(f"crop_px is {self.crop_px}; expected at most size_px, {self.size_px}")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise InputError(f"dropout is {self.dropout}; expected 0 or more, and less than 1")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate is {self.learning_rate}; expected more than 0")
        if not 0 <= self.poly_power < math.inf:
            raise InputError(f"poly_power is {self.poly_power}; expected 0 or more")

    @property
    def qualities(self) -> tuple[str, ...]:
        """The qualities of the training clips."""
        return QUALITIES if self.quality == "mixed" else (self.quality,)

    @property
    def input_size_px(self) -> int:
        """Side in pixels of what the network is trained on: `crop_px`, `size_px` or the
        published size, the first that is given."""
        return self.crop_px or self.size_px or published_size_px(self.network)

    def frame_px(self, native_px: int) -> int:
        """Side in pixels of the frames that crops are taken from, for clips of `native_px`.

        Clips smaller than a crop are enlarged to it.
        """
        return self.size_px or max(native_px, self.input_size_px)

    @property
    def loss_name(self) -> LossName:
        """The training loss: `loss`, or the paper's where that is None."""
        return self.loss or published_loss(self.network)

    @property
    def network_options(self) -> dict[str, Any]:
        """The options of `networks.builders.build` for this network."""
        options: dict[str, Any] = {"size_px": self.input_size_px}
        if is_mesonet(self.network):
            options |= {"pooling": self.pooling, "front": self.front}
            options |= {} if self.dropout is None else {"dropout": self.dropout}
        if is_resnet(self.network):
            options |= {
                "last_stride": self.last_stride,
                "zero_init_residual": self.zero_init_residual,
            }
        return options


def _one_of(field: str, value: object, allowed: tuple[Any, ...]) -> None:
    if value not in allowed:
        names = ", ".join(str(a) for a in allowed if a is not None)
        raise InputError(f"{field} is '{value}'; expected one of {names}")
