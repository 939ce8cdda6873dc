"""Training of the small motion model on clips of synthetic actors, whose true points are known.

Every step depends on (config, step number) alone. A run that resumes from its last checkpoint
therefore draws what an uninterrupted run would have drawn.
"""

import copy
import dataclasses
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from dfmnist.core.config import plain
from dfmnist.core.console import show
from dfmnist.core.errors import InputError
from dfmnist.core.files import holds_folder, write_json
from dfmnist.core.lightning import run, save_checkpoint
from dfmnist.fomm.checkpoint import load_networks, save_networks, training_seeds
from dfmnist.fomm.config import FommConfig, actors
from dfmnist.fomm.networks.blocks import AntiAliasInterpolation2d, coordinate_grid, resize
from dfmnist.fomm.networks.discriminator import DiscriminatorConfig, MultiScaleDiscriminator
from dfmnist.fomm.networks.generator import Generated, OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import Keypoints, KPDetector, inverse_2x2
from dfmnist.fomm.training.actors_data import (
    Batch,
    Draw,
    Drawn,
    FaceClips,
    developed,
    draw_pairs,
    load_actor_clips,
)
from dfmnist.fomm.training.contact_sheet import save_sheet
from dfmnist.fomm.training.losses import (
    RandomTransform,
    equivariance,
    gradient_l1,
    keypoint_l1,
    pyramid_l1,
    texture_l1,
    weighted_lsgan,
)
from dfmnist.fomm.training.trainer import (
    CHECKPOINT,
    CONFIG,
    CURVE,
    PRECISIONS,
    RUN_KIND,
    WEIGHTS,
    Machine,
    append_row,
    make_trainer,
)

DISCRIMINATOR = DiscriminatorConfig(expansion=24, max_features=256)
"""Discriminator of the adversarial loss: patches of 58 pixels at full size."""
POINTS = (
    "eye_left_upper",
    "eye_left_lower",
    "eye_right_upper",
    "eye_right_lower",
    "pupil_left",
    "pupil_right",
    "brow_left_inner",
    "brow_left_outer",
    "brow_right_inner",
    "brow_right_outer",
    "nose_tip",
    "nose_bridge",
    "mouth_left",
    "mouth_right",
    "lip_upper_outer",
    "lip_upper_inner",
    "lip_lower_inner",
    "lip_lower_outer",
    "chin",
    "jaw_left",
    "jaw_right",
    "ear_left",
    "ear_right",
    "forehead",
)
"""Names of the face points that the keypoints of the actors model are trained to find."""


@dataclass(frozen=True)
class Phase:
    """A part of the training with one frame size and one composition of batches."""

    steps: int
    draw: Draw
    lr: float
    """Learning rate of Adam at the start; it falls along half a cosine."""
    last_lr: float
    """Learning rate of Adam at the end."""


@dataclass(frozen=True)
class ActorsLossWeights:
    """Factors of the losses of the training on actors."""

    pyramid: float = 10.0
    gradient: float = 10.0
    texture: float = 25.0
    """Factor of the loss on fine detail; pixel losses alone blur what moves unpredictably."""
    warped: float = 4.0
    """Factor of the loss on the warped source alone, which trains the motion, not the decoder."""
    keypoint: float = 20.0
    jacobian: float = 4.0
    follow: float = 60.0
    """Factor of the loss on the points that the averaged detector finds in the generated picture.

    This loss does not train the detector. Pixel losses hardly change if a corner of the mouth is
    3 pixels off.
    """
    gaze: float = 160.0
    """Factor of the loss on the pupils' position between the lids.

    It compares the points found in every image and, as `follow`, in the generated picture. The
    other losses hardly change for the two pixels that a gaze moves.
    """
    equivariance: float = 0.0
    """Factor of both equivariance losses, not needed where the true points are known.

    They cost a third pass of the detector.
    """
    texture_seen: bool = False
    """Whether the loss on fine detail counts only where the source shows the pixel."""
    adversarial: float = 0.0
    """Factor of the loss of a patch discriminator on hidden pixels and the mouth; 0 is none."""
    adversarial_from: int = 0
    """Step from which the adversarial loss counts; the discriminator learns 300 steps longer."""


@dataclass(frozen=True)
class ActorsTrainConfig:
    """Settings of a training on actors."""

    phases: tuple[Phase, ...]
    model: FommConfig = field(default_factory=lambda: actors(len(POINTS)))
    points: tuple[str, ...] = POINTS
    weights: ActorsLossWeights = ActorsLossWeights()
    seed: int = 1
    epoch_steps: int = 100
    """Number of steps between checkpoints, points of the curve and validations."""
    held_out: int = 8
    """Number of people kept for validation, the last ones."""
    margin: tuple[float, float] = (-0.02, 0.12)
    """Range of the crop's margin around the face points, as a share of their extent."""
    ema: float = 0.998
    """Decay of the averaged weights, which are saved for use."""
    sheet_epochs: int = 3
    """Number of epochs between contact sheets."""

    def __post_init__(self) -> None:
        if not self.phases:
            raise InputError("training on actors: no phases; expected at least one")
        if len(self.points) != self.model.num_kp:
            raise InputError(
                f"training on actors: {len(self.points)} points for {self.model.num_kp} keypoints; "
                "expected one each"
            )
        for phase in self.phases:
            if phase.steps % self.epoch_steps:
                raise InputError(
                    f"training on actors: a phase of {phase.steps} steps; "
                    f"expected a multiple of {self.epoch_steps}"
                )

    @property
    def steps(self) -> int:
        """Number of steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def at(self, step: int) -> tuple[Phase, float]:
        """The phase of `step`, and the learning rate there."""
        start = 0
        for phase in self.phases:
            if step < start + phase.steps:
                share = (step - start) / phase.steps
                fall = (1 + np.cos(np.pi * share)) / 2
                warm = min(1.0, (step + 1) / 100)
                return phase, warm * float(phase.last_lr + (phase.lr - phase.last_lr) * fall)
            start += phase.steps
        return self.phases[-1], self.phases[-1].last_lr


def attention(truth: Keypoints, source: Tensor, target: Tensor, names: tuple[str, ...]) -> Tensor:
    """Weights (b, 1, h, w) of the pixel losses: higher at eyes, mouth and moving pixels."""
    height, width = target.shape[-2:]
    grid = coordinate_grid(height, width, target.device)
    weight = 1 + 6 * (target - source).abs().mean(dim=1).clamp(max=0.4)
    for part, reach, gain in (
        ("eye_left", 0.1, 9.0),
        ("eye_right", 0.1, 9.0),
        ("lip", 0.15, 5.0),
        ("mouth_left", 0.08, 9.0),
        ("mouth_right", 0.08, 9.0),
        ("pupil_left", 0.04, 9.0),
        ("pupil_right", 0.04, 9.0),
    ):
        chosen = [i for i, name in enumerate(names) if name.startswith(part)]
        if chosen:
            centre = truth.value[:, chosen].mean(dim=1)[:, None, None]
            weight = weight + gain * torch.exp(-((grid - centre) ** 2).sum(-1) / (2 * reach**2))
    return weight[:, None]


def near_mouth(truth: Keypoints, image: Tensor, names: tuple[str, ...]) -> Tensor:
    """Weights (b, 1, h, w), about 1 within the mouth of `truth`, 0 away from it.

    They are 0 for a model without points of the mouth.
    """
    height, width = image.shape[-2:]
    chosen = [i for i, name in enumerate(names) if name.startswith(("lip", "mouth"))]
    if not chosen:
        return image.new_zeros((len(image), 1, height, width))
    grid = coordinate_grid(height, width, image.device)
    points = truth.value[:, chosen]
    centre = points.mean(dim=1)[:, None, None]
    reach = (points.amax(dim=1) - points.amin(dim=1)).clamp(min=0.1)[:, None, None] / 2
    return torch.exp(-0.5 * (((grid - centre) / reach) ** 2).sum(-1))[:, None]


def _find(detector: Any, images: Tensor) -> Keypoints:
    """Keypoints of `images` in float32, since bfloat16 would shift them."""
    with torch.autocast(images.device.type, enabled=False):
        found: Keypoints = detector(images.float())
    return found


def gaze_l1(found: Tensor, true: Tensor, names: tuple[str, ...]) -> Tensor:
    """Mean absolute error of the pupils' positions relative to their lids; points are (b, k, 2).

    It is zero for a model without eye points.
    """
    offsets = []
    for side in ("left", "right"):
        eye = (f"pupil_{side}", f"eye_{side}_upper", f"eye_{side}_lower")
        if all(name in names for name in eye):
            pupil, upper, lower = (names.index(name) for name in eye)
            error = found - true
            offsets.append(error[:, pupil] - (error[:, upper] + error[:, lower]) / 2)
    return torch.stack(offsets).abs().mean() if offsets else found.new_zeros(())


class AnimatorModule(L.LightningModule):
    """Lightning module of the training on actors: both networks and their running average."""

    def __init__(self, config: ActorsTrainConfig) -> None:
        super().__init__()
        self.config = config
        torch.manual_seed(config.seed)  # initial weights; Lightning offers no generator for them
        self.kp_detector = KPDetector(config.model)
        self.generator = OcclusionAwareGenerator(config.model)
        self.to(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(torch.nn.ModuleList([self.kp_detector, self.generator]))
        self.averaged.requires_grad_(False).eval()
        self.discriminator: MultiScaleDiscriminator | None = None
        if config.weights.adversarial:
            self.discriminator = MultiScaleDiscriminator(DISCRIMINATOR, config.model)
        self.frame_size = config.model.image_size

    def resize(self, size: int) -> None:
        """Replace both networks' blur for frames of `size`; no weights depend on it."""
        self.frame_size = size
        config = self.config.model.at_size(size)
        for detector in (self.kp_detector, self.averaged[0]):
            detector.down = AntiAliasInterpolation2d(3, config.kp_scale).to(self.device)
        for generator in (self.generator, self.averaged[1]):
            motion: Any = generator.dense_motion_network
            motion.down = AntiAliasInterpolation2d(3, config.motion_scale).to(self.device)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Optimiser: Adam for both networks, and for the discriminator if there is one."""
        trained = [*self.kp_detector.parameters(), *self.generator.parameters()]
        if self.discriminator is not None:
            trained += self.discriminator.parameters()
        return torch.optim.Adam(trained, lr=self.config.phases[0].lr, betas=(0.9, 0.99))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set frame size and learning rate of this step."""
        phase, lr = self.config.at(self.global_step)
        if phase.draw.size != self.frame_size:
            self.resize(phase.draw.size)
        for group in self.optimizers().param_groups:  # type: ignore[union-attr]
            group["lr"] = lr

    def on_after_batch_transfer(self, batch: Drawn, dataloader_idx: int) -> Batch:
        """The batch of what was drawn, made on the module's device."""
        return developed(batch)

    def animate(self, batch: Batch, detector: Any, generator: Any) -> tuple[Generated, Keypoints]:
        """Frames generated from the sources, and the keypoints of every image of the batch."""
        images = torch.cat([batch.source, batch.target, batch.driver_first, batch.driver])
        found = _find(detector, images)
        return generator(batch.source, *self.motion(batch, found)), found

    def motion(self, batch: Batch, found: Keypoints) -> tuple[Keypoints, Keypoints]:
        """Keypoints of the sources and of the targets; in cross pairs by relative motion."""
        b, cross = len(batch.source), len(batch.driver)
        source, target = found.at(slice(0, b)), found.at(slice(b, 2 * b))
        if cross:
            moved = relative(
                source.at(slice(b - cross, b)),
                found.at(slice(2 * b, 2 * b + cross)),
                found.at(slice(2 * b + cross, None)),
            )
            target = Keypoints(
                torch.cat([target.value[: b - cross], moved.value]),
                torch.cat([target.jacobian[: b - cross], moved.jacobian]),
            )
        return source, target

    def picture_losses(self, batch: Batch, made: Generated) -> dict[str, Tensor]:
        """Losses that compare pictures, each with its factor."""
        b, factor = len(batch.source), self.config.weights
        where = attention(
            batch.truth.at(slice(b, 2 * b)), batch.source, batch.target, self.config.points
        )
        fine = where
        if factor.texture_seen:
            seen = resize(made.occlusion.detach(), (where.shape[-2], where.shape[-1]))
            fine = where * (0.05 + 0.95 * seen)
        terms = {
            "pyramid": factor.pyramid * pyramid_l1(made.prediction, batch.target, where),
            "gradient": factor.gradient * gradient_l1(made.prediction, batch.target, where),
            "texture": factor.texture * texture_l1(made.prediction, batch.target, fine),
        }
        if made.warped is not None:
            terms["warped"] = factor.warped * pyramid_l1(made.warped, batch.target, where)
        return terms

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """All losses of a batch, each with its factor."""
        made, found = self.animate(batch, self.kp_detector, self.generator)
        b, factor = len(batch.source), self.config.weights
        value, jacobian = keypoint_l1(found, batch.truth)
        wanted = batch.truth.at(slice(b, 2 * b))
        terms = {
            **self.picture_losses(batch, made),
            "keypoint": factor.keypoint * value,
            "jacobian": factor.jacobian * jacobian,
        }
        names = self.config.points
        if factor.gaze:
            terms["gaze"] = factor.gaze * gaze_l1(found.value, batch.truth.value, names)
        if factor.follow or factor.gaze:
            shown = _find(self.averaged[0], made.prediction)
            terms["follow"] = factor.follow * keypoint_l1(shown, wanted)[0]
            if factor.gaze:
                seen = gaze_l1(shown.value, wanted.value, names)
                terms["follow_gaze"] = factor.gaze * seen
        if factor.equivariance:
            generator = torch.Generator().manual_seed(self.global_step)
            transform = RandomTransform(b, generator, device=batch.target.device)
            moved = _find(self.kp_detector, transform.image(batch.target))
            v, j = equivariance(found.at(slice(b, 2 * b)), moved, transform)
            terms["equivariance"] = factor.equivariance * (v + j)
        if self.discriminator is not None:
            terms |= self.adversarial_losses(batch, made)
        return terms

    def adversarial_losses(self, batch: Batch, made: Generated) -> dict[str, Tensor]:
        """Losses of the discriminator and, later, of the generator against it.

        They count where the source shows nothing, and at the mouth. The generator's loss does not
        train the discriminator, whose weights are detached for it.
        """
        assert self.discriminator is not None
        factor, step = self.config.weights, self.global_step
        if step < factor.adversarial_from - 300:
            return {}
        b = len(batch.source)
        hidden = 1 - resize(
            made.occlusion.detach(), (batch.target.shape[-2], batch.target.shape[-1])
        )
        mouth = near_mouth(batch.truth.at(slice(b, 2 * b)), batch.target, self.config.points)
        where = (hidden + mouth).clamp(0, 1) + 0.02
        with torch.autocast(batch.target.device.type, enabled=False):
            real = self.discriminator(batch.target)
            false = self.discriminator(made.prediction.detach().float())
            terms = {
                "discriminator": sum(
                    (
                        weighted_lsgan(r.score, 1.0, where) + weighted_lsgan(f.score, 0.0, where)
                        for r, f in zip(real, false, strict=True)
                    ),
                    start=where.new_zeros(()),
                )
            }
            if step >= factor.adversarial_from:
                still = {k: v.detach() for k, v in self.discriminator.named_parameters()}
                judged = torch.func.functional_call(
                    self.discriminator, still, (made.prediction.float(),)
                )
                terms["adversarial"] = factor.adversarial * sum(
                    (weighted_lsgan(j.score, 1.0, where) for j in judged),
                    start=where.new_zeros(()),
                )
        return terms

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Sum of all losses of one step."""
        terms = self.losses(batch)
        for name, term in terms.items():
            self.log(name, term.detach(), on_step=False, on_epoch=True, batch_size=1)
        return torch.stack(list(terms.values())).sum()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient, since a nearly singular Jacobian can make it very large."""
        torch.nn.utils.clip_grad_norm_(
            [*self.kp_detector.parameters(), *self.generator.parameters()], 10.0
        )

    @torch.no_grad()
    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Update the averaged weights; statistics of normalisation are copied."""
        decay = min(self.config.ema, (1 + self.global_step) / (10 + self.global_step))
        for kept, module in zip(self.averaged, (self.kp_detector, self.generator), strict=True):
            for old, new in zip(kept.parameters(), module.parameters(), strict=True):
                old.lerp_(new, 1 - decay)
            for statistic, now in zip(kept.buffers(), module.buffers(), strict=True):
                statistic.copy_(now)

    def start_from(self, path: Path) -> None:
        """Load trained weights (safetensors) of the same configuration; `hint` may differ.

        This model may also have more bottleneck blocks; each more starts as one that changes
        nothing. Raises `InputError` for another configuration.
        """
        networks = load_networks(path)
        blocks = networks.config.generator_bottleneck_blocks
        most = max(blocks, self.config.model.generator_bottleneck_blocks)
        same = dataclasses.replace(
            networks.config, hint=self.config.model.hint, generator_bottleneck_blocks=most
        )
        if same != self.config.model:
            raise InputError.of(path, "has another configuration", "weights of this model")
        for detector, generator in ((self.kp_detector, self.generator), self.averaged):
            detector.load_state_dict(networks.kp_detector.state_dict(), strict=False)
            generator.load_state_dict(networks.generator.state_dict(), strict=False)
            bottleneck: Any = generator.bottleneck
            for block in bottleneck[blocks:]:
                nn.init.zeros_(block.conv2.weight)
                nn.init.zeros_(block.conv2.bias)

    def save(self, path: Path, provenance: dict[str, Any]) -> None:
        """Write the averaged weights as safetensors, for use."""
        detector, generator = self.averaged
        save_networks(path, self.config.model, detector, generator, provenance)


def check_initial(config: ActorsTrainConfig, initial: Path | None) -> None:
    """Raise `InputError` now if weights to start from cannot be used; footage takes hours."""
    if initial is not None:
        AnimatorModule(config).start_from(initial)


def relative(source: Keypoints, first: Keypoints, driving: Keypoints) -> Keypoints:
    """Relative motion for a batch with one reference frame per pair: (b, k, …) each."""
    return Keypoints(
        source.value + driving.value - first.value,
        driving.jacobian @ inverse_2x2(first.jacobian) @ source.jacobian,
    )


class _StepBatches(Dataset[Drawn]):
    """Batches of one epoch, drawn by step number."""

    def __init__(
        self,
        footage: FaceClips,
        config: ActorsTrainConfig,
        clips: list[int],
        actors_share: float = 0.0,
    ) -> None:
        self.footage, self.config, self.clips = footage, config, clips
        self.actors_share = actors_share
        self.first = 0

    def __len__(self) -> int:
        return self.config.epoch_steps

    def __getitem__(self, index: int) -> Drawn:
        step = self.first + index
        phase, _ = self.config.at(step)
        return draw_pairs(
            self.footage, phase.draw, self.clips, self.config.seed, step, self.actors_share
        )


class _ActorsEpochEnd(L.Callback):
    """Callback that validates and writes contact sheets, weights and checkpoint each epoch."""

    def __init__(
        self,
        out: Path,
        footage: FaceClips,
        clips: list[int],
        steps: _StepBatches,
        about: dict[str, Any],
        held: Collection[int | str] = (),
        grow: Callable[[], FaceClips] | None = None,
    ) -> None:
        self.out, self.footage, self.clips, self.steps = out, footage, clips, steps
        self.about, self.held, self.grow = about, held, grow
        self.clock = time.monotonic()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.steps.first = trainer.global_step
        if self.grow is not None:
            more = self.grow()
            self.steps.footage = more
            own = [i for i, who in enumerate(more.identities) if who not in self.held]
            self.steps.clips = own
            known = {who for who in more.identities if isinstance(who, int)}
            self.about["identity_seeds"] = sorted(known | set(self.about["identity_seeds"]))

    @torch.no_grad()
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, AnimatorModule)
        config, step = pl_module.config, trainer.global_step
        size = config.at(step - 1)[0].draw.size
        detector, generator = pl_module.averaged
        scores = []
        for i in range(4):  # the same pictures every time, by seeds that no training step uses
            draw = Draw(size, 2, 6, rest=1.0)  # sources at rest, as when the model is used
            drawn = draw_pairs(self.footage, draw, self.clips, config.seed + 7919, i)
            batch = developed(drawn.to(pl_module.device))
            made, found = pl_module.animate(batch, detector, generator)
            scores.append(validation_scores(batch, made, found))
            if i == 0 and (step // config.epoch_steps) % config.sheet_epochs == 0:
                save_sheet(self.out / "sheets" / f"{step:06d}.png", sheet_columns(batch, made))
        values = {k: float(np.mean([s[k] for s in scores])) for k in scores[0]}
        now = time.monotonic()
        values["seconds_per_step"] = (now - self.clock) / config.epoch_steps
        self.clock = now
        terms = {k: float(v) for k, v in trainer.callback_metrics.items()}
        row = {"step": float(step), **terms, **{f"val_{k}": v for k, v in values.items()}}
        append_row(self.out / CURVE, row)
        if trainer.logger is not None:  # the module has logged its losses
            trainer.logger.log_metrics({f"val_{k}": v for k, v in values.items()}, step)
        text = " ".join(f"{k} {v:.4f}" for k, v in row.items() if k != "step")
        show(f"{time.strftime('%H:%M:%S')} step {step} {text}")
        about = {"steps": step, "config": plain(config), **self.about}
        pl_module.save(self.out / WEIGHTS, about)
        save_checkpoint(trainer, self.out / CHECKPOINT)


def sheet_columns(batch: Batch, made: Generated) -> list[Tensor]:
    """Columns of the contact sheet: source, driver, target, generated frame, warped source."""
    cross = len(batch.driver)
    driver = torch.cat([batch.target[: len(batch.target) - cross], batch.driver])
    columns = [batch.source, driver, batch.target, made.prediction]
    return columns if made.warped is None else [*columns, made.warped]


def validation_scores(batch: Batch, made: Generated, found: Keypoints) -> dict[str, float]:
    """Validation metrics of a batch, by name.

    `psnr` counts the pixels that change between source and target. `l1_still` and `psnr_still` are
    those of the source itself, `kp` is the error of the keypoints. `detail` is the energy of the
    finest band at 128 px as a share of the target's, so that 1 is equally sharp.
    """
    changed = ((batch.target - batch.source).abs().amax(dim=1, keepdim=True) > 0.08).float()
    area = (changed.sum() * 3).clamp(min=1)

    def fine(pictures: Tensor) -> float:
        half = F.avg_pool2d(pictures, 2) if pictures.shape[-1] > 128 else pictures
        return float((half - F.avg_pool2d(half, 3, 1, 1)).square().mean())

    def psnr(pictures: Tensor) -> float:
        return float(-10 * torch.log10((((pictures - batch.target) ** 2) * changed).sum() / area))

    value, _ = keypoint_l1(found, batch.truth)
    return {
        "texture": float(texture_l1(made.prediction, batch.target)),
        "detail": fine(made.prediction) / fine(batch.target),
        "l1": float((made.prediction - batch.target).abs().mean()),
        "l1_still": float((batch.source - batch.target).abs().mean()),
        "psnr": psnr(made.prediction),
        "psnr_still": psnr(batch.source),
        "kp": float(value),
    }


@holds_folder("out", RUN_KIND)
def train_animator(
    config: ActorsTrainConfig,
    clips: Path,
    out: Path,
    *,
    initial: Path | None = None,
    stop_after: int | None = None,
    machine: Machine | None = None,
) -> Path:
    """Train on the clips under `clips`, from `out`'s last checkpoint if it has one.

    Writes `last.safetensors` (averaged weights, for use), `last.ckpt`, `curve.csv`,
    `tensorboard/` and `sheets/*.png` under `out`, and returns the path of the weights. `initial`
    is the safetensors file of weights to start from, `stop_after` the number of epochs in this
    call. `machine` says on what to train; by default on a GPU if there is one. Raises `InputError`.
    """
    check_initial(config, initial)
    write_json(out / CONFIG, plain(config))
    footage = load_actor_clips(
        clips, config.points, config.model.image_size, margin=config.margin, seed=config.seed
    )
    people = list(dict.fromkeys(footage.identities))
    if len(people) <= config.held_out + 1:
        few = f"holds clips of {len(people)} people"
        raise InputError.of(clips, few, f"of more than {config.held_out + 1}")
    held = set(people[len(people) - config.held_out :])
    return fit(config, footage, held, out, initial=initial, stop_after=stop_after, machine=machine)


def fit(
    config: ActorsTrainConfig,
    footage: FaceClips,
    held: Collection[int | str],
    out: Path,
    *,
    initial: Path | None,
    stop_after: int | None,
    actors_share: float = 0.0,
    about: Mapping[str, Any] | None = None,
    machine: Machine | None = None,
    grow: Callable[[], FaceClips] | None = None,
) -> Path:
    """Train on the clips of `footage`, and validate on those of the people `held`.

    Without such people the validation shows those of the training, actors only if there is nobody
    else.
    `about` is added to the record in the weights, which names all actors that the weights saw.
    `grow` is asked for the footage before every epoch, for a training that runs while more is
    filmed; a run with it is not repeatable.
    The other arguments are those of `draw_pairs` and `train_animator`.
    """
    machine = machine or Machine()
    torch.set_flush_denormal(True)  # Gaussians have denormal tails, which are slow
    if machine.threads:
        torch.set_num_threads(machine.threads)
    train = [i for i, who in enumerate(footage.identities) if who not in held]
    unseen = [i for i, who in enumerate(footage.identities) if who in held]
    unseen = unseen or [i for i in train if footage.is_person(i)] or train
    steps = _StepBatches(footage, config, train, actors_share)
    seen = {who for who in footage.identities if isinstance(who, int)}
    seen |= training_seeds(initial) if initial else set()
    more = {"identity_seeds": sorted(seen), **(about or {})}
    watch = _ActorsEpochEnd(out, footage, unseen, steps, more, held, grow)
    module = AnimatorModule(config)
    last = out / CHECKPOINT
    if initial is not None and not last.is_file():
        module.start_from(initial)
    epochs = stop_after or config.steps // config.epoch_steps
    trainer = make_trainer(
        out,
        watch,
        max_epochs=epochs,
        precision=PRECISIONS[machine.precision],
        **machine.options(),
    )
    loader: DataLoader[Drawn] = DataLoader(steps, batch_size=None)
    run(module, trainer, last, train_dataloaders=loader)
    return out / WEIGHTS


def actors_recipe(seed: int = 1) -> ActorsTrainConfig:
    """Recipe that trains the shipped model from random weights, in about three hours without AMX.

    The shipped weights were trained by another schedule, which grew by trials: docs/project/LOG.md.
    """
    return ActorsTrainConfig(
        seed=seed,
        phases=(
            Phase(1500, Draw(128, 4, 2), 1e-3, 7e-4),
            Phase(3500, Draw(128, 3, 3, rest=0.75), 8e-4, 5e-4),
            Phase(1600, Draw(256, 2, 1, rest=0.8), 4e-4, 2e-5),
        ),
    )
