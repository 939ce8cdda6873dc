"""A detector's training loop as a Lightning module, with the paper's optimiser and schedule."""

import errno
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from dfmnist.core.console import say
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path, write_text
from dfmnist.core.lightning import save_checkpoint
from dfmnist.detectors.batches import EvalBatches, TrainBatches, loader
from dfmnist.detectors.calibrate import Calibration, fit_calibration
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.data import ClipFrames
from dfmnist.detectors.networks.base import Detector, SeededDropout
from dfmnist.detectors.norms import estimate_norms
from dfmnist.detectors.pairs import training_units
from dfmnist.detectors.precision import autocast
from dfmnist.detectors.run import CHECKPOINT, METRICS, WEIGHTS
from dfmnist.stats.binary_metrics import weighted_metrics

COLUMNS = ("epoch", "train_loss", "val_loss", "val_accuracy", "val_auc", "seconds", "waited")
"""Columns of metrics.csv. `seconds` is the time of the whole epoch; `waited` is the share of the
training time that was spent waiting for frames."""
_LOOK_EVERY = 20
"""Number of steps between checks that the loss is finite; each check waits for the GPU."""


class DetectorModule(pl.LightningModule):
    """Training of one `network`; each epoch ends with a validation and a checkpoint.

    The weights of the best epoch are kept: the one with the highest validation accuracy per frame
    (section 4 of the paper), of equal ones that with the lower validation loss, then the earlier.
    """

    def __init__(
        self,
        config: TrainConfig,
        network: Detector,
        train: ClipFrames,
        validation: ClipFrames,
        *,
        folder: Path,
        precision: str,
        quiet: bool = False,
    ) -> None:
        super().__init__()
        self.config, self.network = config, network
        self.train_frames, self.val_frames = train, validation
        self.folder, self.run_precision, self.quiet = folder, precision, quiet
        self.history: list[dict[str, float]] = []
        self._start_s = time.monotonic()
        self._losses: list[Tensor] = []
        self._step_s, self._wait_s, self._last_s = 0.0, 0.0, 0.0
        self._outputs: list[tuple[Tensor, Tensor]] = []
        self.units = training_units(train.samples, config)
        self.class_weights = _class_weights(train) if config.balance == "loss" else None
        if config.freeze:
            for parameter in network.backbone_parameters():
                parameter.requires_grad_(False)

    # data

    def train_dataloader(self) -> Any:
        return loader(self._epoch_batches(self.current_epoch))

    def val_dataloader(self) -> Any:
        return loader(EvalBatches(self.val_frames, self.config.batch_size, **self._share))

    def _epoch_batches(self, epoch: int) -> TrainBatches:
        return TrainBatches(
            self.train_frames,
            batch_size=self.config.batch_size // self._share["world"],
            seed=self.config.seed,
            epoch=epoch,
            units=self.units,
            crop_px=self.network.size_px,
            passes=self.config.passes,
            augmentation=self.config.augmentation,
            **self._share,
        )

    @property
    def _share(self) -> dict[str, int]:
        """The rank of this process and the number of processes that share the frames."""
        return {"rank": self.global_rank, "world": self.trainer.world_size}

    # training

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam, with a learning rate that is multiplied by (1 - step / steps) ** poly_power."""
        batches = len(self._epoch_batches(0))
        steps = self.config.epochs * -(-batches // self.config.accumulate)
        power = self.config.poly_power
        trained = [p for p in self.network.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam(
            trained, self.config.learning_rate, betas=self.config.betas, fused=True
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: max(0.0, 1 - step / steps) ** power
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_train_start(self) -> None:
        if self._stalled:  # a run that was killed between its last epoch and its end
            self.trainer.should_stop = True

    def on_train_epoch_start(self) -> None:
        self._losses.clear()
        self._step_s, self._wait_s, self._last_s = 0.0, 0.0, time.monotonic()
        self.network.train()  # Lightning keeps the mode it is given, and `build` gives evaluation
        if self.config.freeze:  # frozen layers keep their batch norm statistics too
            self.network.eval()
            self.network.get_submodule(self.network.head).train()
        for layer in self.network.modules():
            if isinstance(layer, SeededDropout):
                layer.reseed(self.config.seed * 1_000_003 + self.current_epoch)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        now = time.monotonic()
        self._wait_s += now - self._last_s
        self._last_s = now

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        now = time.monotonic()
        self._step_s += now - self._last_s
        self._last_s = now

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        weight = None
        if self.class_weights is not None:
            real, fake = self.class_weights
            weight = torch.where(targets > 0.5, fake, real)
        if self.config.loss_name == "mse":
            error = F.mse_loss(torch.sigmoid(logits.float()), targets, reduction="none")
            return (error if weight is None else error * weight).mean()
        return F.binary_cross_entropy_with_logits(logits.float(), targets, weight)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        images, targets = batch
        loss = self._loss(self.network(self.network.normalise(images)), targets)
        self._losses.append(loss.detach())
        if index % _LOOK_EVERY == 0:
            self._check_losses()
        return loss

    def _check_losses(self) -> None:
        losses = torch.stack(self._losses)
        if not bool(torch.isfinite(losses).all()):
            step = int(torch.isfinite(losses).logical_not().nonzero()[0])
            raise InputError(
                f"{self.folder}: the loss is {float(losses[step])} at epoch "
                f"{self.current_epoch + 1}, step {step + 1}; expected a number "
                f"(try a lower learning_rate); the last good checkpoint is kept"
            )

    # validation

    def on_validation_epoch_start(self) -> None:
        self._check_losses()
        self._outputs.clear()
        if self.config.precise_bn_frames and not self.config.freeze:
            self._estimate_norms(self.config.precise_bn_frames)

    def _estimate_norms(self, num_frames: int) -> None:
        """Compute batch norm's statistics anew; training uses none, so only validation changes."""
        with autocast(self.device, self.run_precision):
            estimate_norms(self.network, self._epoch_batches(self.current_epoch), num_frames)
        if self.trainer.world_size > 1:  # as DDP, all processes take the first one's buffers
            for buffer in self.network.buffers():
                torch.distributed.broadcast(buffer, 0)

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        images, targets = batch
        logits = self.network.frame_logits(self.network.normalise(images))
        self._outputs.append((logits.float().cpu(), targets.cpu()))

    def on_validation_epoch_end(self) -> None:
        nothing = (torch.empty(0), torch.empty(0))  # more processes than clips
        logits, targets = (
            self._gathered(torch.cat(parts))
            for parts in zip(*(self._outputs or [nothing]), strict=True)
        )
        losses = self._gathered(torch.stack(self._losses).cpu())
        if not bool(torch.isfinite(logits).all()):
            raise InputError(
                f"{self.folder}: a validation score of epoch {self.current_epoch + 1} is not "
                "finite; expected a number; the last good checkpoint is kept"
            )
        fake, scores = targets.numpy() > 0.5, logits.numpy().astype(np.float64)
        measured = weighted_metrics(fake, scores, np.ones((1, len(logits))))
        now = time.monotonic()
        row = {
            "epoch": self.current_epoch + 1,
            "train_loss": float(losses.mean()),
            "val_loss": float(self._loss(logits, targets)),
            "val_accuracy": float(measured["accuracy"][0]),
            "val_auc": float(measured["auc"][0]),
            "seconds": round(now - self._start_s, 2),
            "waited": round(self._wait_s / max(self._wait_s + self._step_s, 1e-9), 4),
        }
        self._start_s = now
        self.history.append(row)
        if self._stalled:
            self.trainer.should_stop = True
        if not self.trainer.is_global_zero:
            return
        if self.best is row:
            save_weights(
                self.network,
                self.folder / WEIGHTS,
                epoch=int(row["epoch"]),
                calibration=fit_calibration(fake, scores),
            )
        self._write_history()
        if not self.quiet:
            say(
                f"{self.folder.name}  epoch {row['epoch']}/{self.config.epochs}  "
                f"loss {row['train_loss']:.3f}  val accuracy {row['val_accuracy']:.3f}  "
                f"AUC {row['val_auc']:.3f}  {row['seconds']:.0f} s"
            )

    def _gathered(self, part: Tensor) -> Tensor:
        """The values (n,) of all processes, in the order of their ranks."""
        if self.trainer.world_size == 1:
            return part
        parts: list[Any] = [None] * self.trainer.world_size
        torch.distributed.all_gather_object(parts, part)
        return torch.cat(parts)

    @property
    def _stalled(self) -> bool:
        """True if none of the last `early_stop` epochs was the best so far."""
        patience = self.config.early_stop
        if not patience or not self.history:
            return False
        return self.history[-1]["epoch"] - self.best["epoch"] >= patience

    @property
    def best(self) -> dict[str, float]:
        """The metrics of the best epoch so far."""
        return best_epoch(self.history)

    def _write_history(self) -> None:
        lines = [",".join(COLUMNS)]
        lines += [",".join(f"{row[c]:.6g}" for c in COLUMNS) for row in self.history]
        write_text(self.folder / METRICS, "\n".join(lines) + "\n")

    # resuming

    def on_train_epoch_end(self) -> None:
        """Save Lightning's whole state, from which a killed run continues."""
        save_checkpoint(self.trainer, self.folder / CHECKPOINT)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = list(checkpoint["history"])


def best_epoch(history: list[dict[str, float]]) -> dict[str, float]:
    """The epoch of the highest validation accuracy; ties go to the lower loss, then the earlier."""
    return max(history, key=lambda r: (r["val_accuracy"], -r["val_loss"], -r["epoch"]))


def save_weights(network: Detector, path: Path, *, epoch: int, calibration: Calibration) -> None:
    """Write the parameters and buffers of `network` as safetensors, with their calibration.

    The file is written completely or not at all. Raises `OSError` where the disk is full.
    """
    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    about = {
        "epoch": str(epoch),
        "logit": "fake",
        "temperature": repr(calibration.temperature),
        "threshold": repr(calibration.threshold),
    }
    with atomic_path(path) as temporary:
        try:
            save_file(state, temporary, metadata=about)
        except SafetensorError as error:  # safetensors wraps the OSError of a full disk
            raise OSError(errno.ENOSPC, str(error)) from None


def _class_weights(frames: ClipFrames) -> tuple[float, float]:
    """Factors of the loss for real and fake frames that make both classes count the same."""
    fake = sum(s.num_frames for s in frames.samples if s.fake)
    total = frames.num_frames
    return total / (2 * (total - fake)), total / (2 * fake)
