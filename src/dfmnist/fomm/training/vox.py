"""The published training of the First Order Motion Model, as recipes and a Lightning module.

Siarohin et al., NeurIPS 2019, section 3.3 and supplement. The numbers are those of
`config/vox-256.yaml` and `config/vox-adv-256.yaml` of the public implementation.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dfmnist.core.errors import InputError
from dfmnist.fomm.checkpoint import load_networks
from dfmnist.fomm.config import FommConfig
from dfmnist.fomm.networks.blocks import ImagePyramid
from dfmnist.fomm.networks.discriminator import DiscriminatorConfig, MultiScaleDiscriminator
from dfmnist.fomm.networks.generator import Generated, OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import Keypoints, KPDetector
from dfmnist.fomm.networks.vgg import Vgg19
from dfmnist.fomm.training.clips import Pairs, People, TrainingPair, batches
from dfmnist.fomm.training.losses import (
    RandomTransform,
    equivariance,
    feature_matching,
    gradient_l1,
    lsgan_discriminator,
    lsgan_generator,
    perceptual,
    pyramid_l1,
)

LOG_STEPS = 50
"""Number of steps between two points of the losses in TensorBoard."""


@dataclass(frozen=True)
class LossWeights:
    """Factors of the losses; `pyramid` and `gradient` are ours, the others are published."""

    perceptual: float = 10.0
    """Factor of each of VGG-19's five layers at each size."""
    pyramid: float = 400.0
    """Factor of the mean absolute difference of pixels, which replaces VGG-19 if it is not given.

    The loss then begins near the perceptual loss. With a factor of 50, the equivariance loss drew
    all keypoints of a small trial into one point.
    """
    gradient: float = 400.0
    """Factor of the mean absolute difference of gradients, which also replaces VGG-19."""
    equivariance_value: float = 10.0
    equivariance_jacobian: float = 10.0
    generator_gan: float = 0.0
    """Factor of the adversarial loss; 0 trains without discriminator and feature matching."""
    discriminator_gan: float = 1.0
    feature_matching: float = 10.0
    """Factor of each block of the discriminator."""


@dataclass(frozen=True)
class PublishedConfig:
    """Settings of a training by a published recipe; the default is vox-256."""

    name: str = "vox-256"
    model: FommConfig = field(default_factory=FommConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    pictures: str = "vgg"
    """Loss that compares pictures: `vgg` (published), or `pyramid` (L1 of pixels and gradients)."""
    epochs: int = 100
    repeats: int = 75
    """Number of draws of each person in an epoch."""
    batch_size: int = 40
    """Number of pairs in a step, all devices together."""
    lr: float = 2e-4
    """Learning rate of Adam for every network."""
    betas: tuple[float, float] = (0.5, 0.999)
    milestones: tuple[int, ...] = (60, 90)
    """Numbers of finished epochs at which the learning rate falls to a tenth."""
    scales: tuple[float, ...] = (1.0, 0.5, 0.25, 0.125)
    """Sizes, relative to full size, at which pictures are compared."""
    jitter: float = 0.1
    """Largest change of brightness, contrast, saturation and hue."""
    affine: float = 0.05
    """Standard deviation of the equivariance transform's affine part."""
    spline: float = 0.005
    """Standard deviation of the equivariance transform's thin-plate-spline part."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.pictures not in ("vgg", "pyramid"):
            raise InputError(f"--pictures {self.pictures}; expected vgg or pyramid")
        for flag, value in (("--epochs", self.epochs), ("--batch-size", self.batch_size)):
            if value < 1:
                raise InputError(f"{flag} {value}; expected 1 or more")
        if self.seed < 0:
            raise InputError(f"--seed {self.seed}; expected 0 or more")
        smallest = round(self.model.image_size * min(self.scales))
        if self.pictures == "vgg" and smallest < 16:
            raise InputError(f"scales reach {smallest} px; expected 16 or more for VGG-19")

    def lr_at(self, epoch: int) -> float:
        """Learning rate in an epoch, counted from 0."""
        return float(self.lr * 0.1 ** sum(epoch >= m for m in self.milestones))

    @property
    def adversarial(self) -> bool:
        """Whether the recipe has a discriminator."""
        return self.weights.generator_gan > 0


def vox256() -> PublishedConfig:
    """The published recipe `vox-256`."""
    return PublishedConfig()


def voxadv256() -> PublishedConfig:
    """The published recipe `vox-adv-256`, with a discriminator that sees keypoints."""
    return PublishedConfig(
        name="vox-adv-256",
        discriminator=DiscriminatorConfig(spectral_norm=False, use_kp=True),
        weights=LossWeights(generator_gan=1.0),
        epochs=150,
        batch_size=36,
        milestones=(),
    )


class PublishedModule(L.LightningModule):
    """Lightning module of a published recipe: keypoint detector, generator, discriminator.

    There may be two optimisers, so their steps are taken by hand.
    """

    def __init__(
        self, config: PublishedConfig, people: People, vgg: Vgg19 | None = None, loaders: int = 0
    ) -> None:
        super().__init__()
        assert (vgg is None) == (config.pictures == "pyramid"), (
            "VGG-19 if and only if the recipe compares pictures by it"
        )
        self.automatic_optimization = False
        self.config, self.people, self.loaders = config, people, loaders
        with torch.random.fork_rng(devices=[]):  # initial weights; torch takes no generator here
            torch.manual_seed(config.seed)
            self.kp_detector = KPDetector(config.model)
            self.generator = OcclusionAwareGenerator(config.model)
            self.discriminator: MultiScaleDiscriminator | None = None
            if config.adversarial:
                self.discriminator = MultiScaleDiscriminator(config.discriminator, config.model)
        self.pyramid = ImagePyramid(config.model.num_channels, config.scales)
        self.to(memory_format=torch.channels_last)
        # in a list, so that the perceptual network is neither trained nor saved
        self._vgg = [vgg] if vgg is not None else []

    # data

    def pairs(self, epoch: int) -> Pairs:
        """Training pairs of an epoch."""
        c = self.config
        return Pairs(
            self.people, repeats=c.repeats, size=c.model.image_size, jitter=c.jitter, seed=c.seed,
            epoch=epoch,
        )  # fmt: skip

    def train_dataloader(self) -> DataLoader[TrainingPair]:
        pairs = self.pairs(self.current_epoch)
        rank, world = self.trainer.global_rank, self.trainer.world_size
        steps = batches(len(pairs), self.config.batch_size, rank, world)
        return DataLoader(
            pairs,
            batch_sampler=steps,
            num_workers=self.loaders,
            pin_memory=self.device.type == "cuda",
        )

    def transform(self, batch_idx: int) -> RandomTransform:
        """Equivariance transforms for this process's share of a step's pairs."""
        key = [self.config.seed, self.current_epoch, batch_idx]
        word = int(np.random.SeedSequence(key).generate_state(1)[0])
        share = self.config.batch_size // self.trainer.world_size
        first = self.trainer.global_rank * share
        return RandomTransform(
            self.config.batch_size,
            torch.Generator().manual_seed(word),
            self.config.affine,
            self.config.spline,
            self.device,
        ).at(slice(first, first + share))

    # losses, each with its factor

    def picture_terms(self, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Losses that compare generated pictures with their targets."""
        factor = self.config.weights
        if self._vgg:
            made, true = self.pyramid(prediction), self.pyramid(target)
            return {"perceptual": factor.perceptual * perceptual(self._vgg[0], made, true)}
        prediction, levels = prediction.float(), len(self.config.scales)
        return {
            "pyramid": factor.pyramid * pyramid_l1(prediction, target, levels=levels),
            "gradient": factor.gradient * gradient_l1(prediction, target),
        }

    def generator_terms(
        self, batch: TrainingPair, transform: RandomTransform
    ) -> tuple[Generated, Keypoints, dict[str, Tensor]]:
        """Generated pictures, driving keypoints, and the losses of detector and generator."""
        factor = self.config.weights
        # two passes, as published: batch norm sees only sources, then only driving frames
        source, driving = self.kp_detector(batch.source), self.kp_detector(batch.driving)
        made = self.generator(batch.source, source, driving)
        terms = self.picture_terms(made.prediction, batch.driving)
        moved = self.kp_detector(transform.image(batch.driving))
        value, jacobian = equivariance(driving, moved, transform)
        terms["equivariance_value"] = factor.equivariance_value * value
        terms["equivariance_jacobian"] = factor.equivariance_jacobian * jacobian
        if self.discriminator is not None:
            shown = _detached(driving)
            with torch.no_grad():
                real = self.discriminator(batch.driving, shown)
            fake = self.discriminator(made.prediction, shown)
            pairs = list(zip(real, fake, strict=True))
            fooled = torch.stack([lsgan_generator(f.score) for _, f in pairs]).sum()
            alike = torch.stack([feature_matching(r.features, f.features) for r, f in pairs]).sum()
            terms["generator_gan"] = factor.generator_gan * fooled
            terms["feature_matching"] = factor.feature_matching * alike
        return made, driving, terms

    def discriminator_terms(
        self, batch: TrainingPair, made: Generated, driving: Keypoints
    ) -> dict[str, Tensor]:
        """Loss of the discriminator; no gradient reaches the other networks."""
        assert self.discriminator is not None
        shown = _detached(driving)
        real = self.discriminator(batch.driving, shown)
        fake = self.discriminator(made.prediction.detach(), shown)
        terms = [lsgan_discriminator(r.score, f.score) for r, f in zip(real, fake, strict=True)]
        factor = self.config.weights.discriminator_gan
        return {"discriminator_gan": factor * torch.stack(terms).sum()}

    # training

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Optimisers: Adam for detector and generator, and another for the discriminator."""
        both = [*self.kp_detector.parameters(), *self.generator.parameters()]
        groups = [both]
        if self.discriminator is not None:
            groups.append(list(self.discriminator.parameters()))
        return [torch.optim.Adam(g, self.config.lr, betas=self.config.betas) for g in groups]

    def on_fit_start(self) -> None:
        for vgg in self._vgg:
            vgg.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def on_train_epoch_start(self) -> None:
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.config.lr_at(self.current_epoch)

    def training_step(self, batch: TrainingPair, batch_idx: int) -> None:
        """One step of detector and generator, then one of the discriminator."""
        batch = TrainingPair(*(x.contiguous(memory_format=torch.channels_last) for x in batch))
        optimizers = self.optimizers()
        first, *second = optimizers if isinstance(optimizers, list) else [optimizers]
        with _frozen(self.discriminator):
            made, driving, terms = self.generator_terms(batch, self.transform(batch_idx))
            self._step(first, terms)
        if second:
            own = self.discriminator_terms(batch, made, driving)
            self._step(second[0], own)
            terms |= own
        shown = {name: term.detach() for name, term in terms.items()}
        self.log_dict(
            shown, on_step=False, on_epoch=True, logger=False, sync_dist=True,
            batch_size=len(batch.source),
        )  # fmt: skip
        if self.logger is not None and batch_idx % LOG_STEPS == 0:
            step = self.current_epoch * int(self.trainer.num_training_batches) + batch_idx
            self.logger.log_metrics({f"step/{k}": float(v) for k, v in shown.items()}, step)

    def _step(self, optimizer: Any, terms: dict[str, Tensor]) -> None:
        optimizer.zero_grad()
        self.manual_backward(torch.stack(list(terms.values())).sum())
        optimizer.step()

    def start_from(self, path: Path) -> None:
        """Load the weights of another run, or published ones, of the same configuration.

        Raises `InputError` for another configuration.
        """
        networks = load_networks(path)
        if networks.config != self.config.model:
            raise InputError.of(path, "has another configuration", f"weights of {self.config.name}")
        self.kp_detector.load_state_dict(networks.kp_detector.state_dict())
        self.generator.load_state_dict(networks.generator.state_dict())


def _detached(keypoints: Keypoints) -> Keypoints:
    return Keypoints(keypoints.value.detach(), keypoints.jacobian.detach())


@contextlib.contextmanager
def _frozen(module: nn.Module | None) -> Iterator[None]:
    """Context in which `module` passes gradients on and its own weights get none."""
    if module is not None:
        module.requires_grad_(False)
    try:
        yield
    finally:
        if module is not None:
            module.requires_grad_(True)
