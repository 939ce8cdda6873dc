"""What a training run depends on. Two runs with the same fields and manifest are one run."""

from dataclasses import dataclass
from typing import Any

from dfmnist.core.actions import TEN
from dfmnist.core.errors import InputError
from dfmnist.detectors.networks import BUILDERS, published_size_px

QUALITIES = ("raw", "c23", "c40")


@dataclass(frozen=True)
class TrainConfig:
    """Defaults are the paper's (section 4), but for what its text leaves open or misprints."""

    network: str = "resnet50"
    """A name of `networks.BUILDERS`."""
    quality: str = "raw"
    """`raw`, `c23`, `c40`, or `mixed`: each clip in one of the three, drawn anew every epoch."""
    actions: tuple[str, ...] = ()
    """Train on fakes of these actions alone, and on as many real clips; empty is all (Figure 5)."""
    corpus: float = 1.0
    """Share of the training clips to keep, equally of each action (Figure 3); a smaller share is
    part of a larger one."""
    fakes: float = 1.0
    """Share of the fake training clips to keep (Figure 4: class proportions); nested likewise."""
    reals: float = 1.0
    """Share of the real training clips to keep."""
    balance: str = "none"
    """`none`, or `loss`: each class counts the same in the training loss, however many it has."""
    frames_per_clip: int = 32
    """Evenly spaced over the whole clip; the paper gives no number."""
    size_px: int | None = None
    """Side of the frames; None is the paper's: 224 for ResNets, 256 for the others."""
    epochs: int = 50
    """Each ends with a validation and a checkpoint."""
    passes: int = 1
    """Over the training frames in an epoch: with few of them, validations would take the longer."""
    batch_size: int = 64
    """Frames of a batch, over all devices together."""
    accumulate: int = 1
    """Batches whose gradients are summed up for one step of the optimiser."""
    early_stop: int = 0
    """Stop after so many epochs without a better one; 0 (the paper) trains to the end."""
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's. The paper prints (0.999, 0.9), which we take for a slip; that pair works too."""
    poly_power: float = 0.9
    """Learning rate times (1 - step / steps) to this power; the paper gives no power."""
    loss: str | None = None
    """None is the paper's: `mse`, squared error of P(fake), for MesoNets, else `bce`."""
    weights: str = "none"
    """`none` (every layer starts at random), `imagenet`, a published name, a file, or the folder of
    a finished run: `networks.weights.resolve`."""
    freeze: bool = False
    """Train the head only, as the paper does for Xception; needs `weights`."""
    augmentation: str = "none"
    """The paper names none. `flip`, or `strong`: see `data.augment`. Small sets need it."""
    zero_init_residual: bool = False
    """ResNets: each block starts as the identity, which helps short runs from scratch."""
    last_stride: int = 2
    """ResNets: 1 keeps the last maps twice as large (a finer CAM for small frames)."""
    precise_bn_frames: int = 0
    """Before each validation, re-estimate batch norm's statistics on this many training frames.
    The running averages lag behind in runs of few steps. 0 (the paper's habit) is off."""
    precision: str = "auto"
    """`32`, `bf16`, or `auto`: float32, unless bfloat16 wins a timed step at the start."""
    seed: int = 0
    """Of the initialisation, the order of frames, dropout, flips, and what part is trained on."""

    def __post_init__(self) -> None:
        _one_of("--network", self.network, tuple(BUILDERS))
        _one_of("--quality", self.quality, (*QUALITIES, "mixed"))
        _one_of("--loss", self.loss, (None, "bce", "mse"))
        _one_of("--augmentation", self.augmentation, ("none", "flip", "strong"))
        _one_of("--precision", self.precision, ("auto", "32", "bf16"))
        _one_of("--last-stride", str(self.last_stride), ("1", "2"))
        _one_of("--balance", self.balance, ("none", "loss"))
        for action in self.actions:
            _one_of("--actions", action, tuple(a.value for a in TEN))
        for name, least in (
            ("frames_per_clip", 1), ("epochs", 1), ("passes", 1), ("batch_size", 1),
            ("accumulate", 1), ("early_stop", 0), ("precise_bn_frames", 0),
        ):  # fmt: skip
            if getattr(self, name) < least:
                flag = "--" + name.replace("_", "-")
                raise InputError(f"{flag} is {getattr(self, name)}; expected {least} or more")
        for name in ("corpus", "fakes", "reals"):
            if not 0 < getattr(self, name) <= 1:
                found = getattr(self, name)
                raise InputError(f"--{name} is {found}; expected more than 0, and 1 at most")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise InputError(f"--betas are {self.betas}; expected two numbers from 0 to below 1")
        if self.size_px is not None and self.size_px < 32:
            raise InputError(f"--size-px is {self.size_px}; expected 32 or more")
        if self.learning_rate <= 0:
            raise InputError(f"--learning-rate is {self.learning_rate}; expected more than 0")
        if self.freeze and self.weights == "none":
            raise InputError(
                "--freeze with --weights none: random frozen layers learn nothing; "
                "expected weights to start from, or no --freeze"
            )
        if not self.network.startswith("resnet") and (
            self.zero_init_residual or self.last_stride != 2
        ):
            raise InputError(
                f"--zero-init-residual and --last-stride are for ResNets; network: {self.network}"
            )

    @property
    def qualities(self) -> tuple[str, ...]:
        """The qualities trained on."""
        return QUALITIES if self.quality == "mixed" else (self.quality,)

    @property
    def input_size_px(self) -> int:
        """`size_px`, or the paper's."""
        return self.size_px or published_size_px(self.network)

    @property
    def loss_name(self) -> str:
        """`loss`, or the paper's."""
        return self.loss or ("mse" if self.network.startswith("meso") else "bce")

    @property
    def network_options(self) -> dict[str, Any]:
        """What `networks.build` needs beside the name."""
        options: dict[str, Any] = {"size_px": self.input_size_px}
        if self.network.startswith("resnet"):
            options |= {
                "last_stride": self.last_stride,
                "zero_init_residual": self.zero_init_residual,
            }
        return options


def _one_of(flag: str, value: str | None, allowed: tuple[str | None, ...]) -> None:
    if value not in allowed:
        names = ", ".join(a for a in allowed if a)
        raise InputError(f"{flag} is '{value}'; expected one of {names}")
