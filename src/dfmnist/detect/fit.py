"""The training loop: the paper's optimiser and schedule as a Lightning module."""

import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from dfmnist.core.engine import console
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path, write_text
from dfmnist.detect import metrics
from dfmnist.detect.config import TrainConfig
from dfmnist.detect.data import ClipFrames, EvalBatches, TrainBatches, loader
from dfmnist.detect.networks.base import Detector, SeededDropout
from dfmnist.detect.precision import autocast

WEIGHTS, METRICS, CHECKPOINT = "weights.safetensors", "metrics.csv", "last.ckpt"
COLUMNS = ("epoch", "train_loss", "val_loss", "val_accuracy", "val_auc", "seconds")
_LOOK_EVERY = 20
"""Steps between looks at the loss; each look waits for a GPU."""


class Fit(pl.LightningModule):
    """Trains `network`, and after each epoch validates and keeps weights, history, checkpoint.

    The best epoch has the highest validation accuracy per frame; the lower validation loss
    decides a tie, then the earlier epoch.
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
        self._outputs: list[tuple[Tensor, Tensor]] = []
        if config.freeze:
            for parameter in network.backbone_parameters():
                parameter.requires_grad_(False)

    # data

    def train_dataloader(self) -> Any:
        return loader(self._epoch_batches(self.current_epoch))

    def val_dataloader(self) -> Any:
        return loader(EvalBatches(self.val_frames, self.config.batch_size))

    def _epoch_batches(self, epoch: int) -> TrainBatches:
        return TrainBatches(
            self.train_frames,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            epoch=epoch,
            augmentation=self.config.augmentation,
        )

    # training

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam; the rate falls with every step to (1 - step / steps) ** power of its start."""
        steps = self.config.epochs * len(self._epoch_batches(0))
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

    def on_train_epoch_start(self) -> None:
        self._losses.clear()
        if self.config.freeze:  # frozen layers keep their batch norm statistics too
            self.network.eval()
            self.network.get_submodule(self.network.head).train()
        for layer in self.network.modules():
            if isinstance(layer, SeededDropout):
                layer.reseed(self.config.seed * 1_000_003 + self.current_epoch)

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.config.loss_name == "mse":
            return F.mse_loss(torch.sigmoid(logits.float()), targets)
        return F.binary_cross_entropy_with_logits(logits.float(), targets)

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
                f"(try a lower --learning-rate); the last good checkpoint is kept"
            )

    # validation

    def on_validation_epoch_start(self) -> None:
        self._check_losses()
        self._outputs.clear()
        if self.config.precise_bn_frames and not self.config.freeze:
            self._estimate_norms(self.config.precise_bn_frames)

    def _estimate_norms(self, num_frames: int) -> None:
        """Batch norm's mean and variance as averages over training batches of this epoch.

        Not from running averages, which in a run of few steps are mostly those of weights long
        gone. Training does not read these statistics, so this changes validation alone.
        """
        norms = [m for m in self.network.modules() if isinstance(m, nn.BatchNorm2d)]
        momenta = [m.momentum for m in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain average
            norm.train()
        seen = 0
        with torch.no_grad(), autocast(self.device, self.run_precision):
            for images, _ in self._epoch_batches(self.current_epoch):
                self.network(self.network.normalise(images.to(self.device)))
                seen += len(images)
                if seen >= num_frames:
                    break
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        images, targets = batch
        logits = self.network(self.network.normalise(images))
        self._outputs.append((logits.float().cpu(), targets.cpu()))

    def on_validation_epoch_end(self) -> None:
        logits = torch.cat([o[0] for o in self._outputs])
        targets = torch.cat([o[1] for o in self._outputs])
        if not bool(torch.isfinite(logits).all()):
            raise InputError(
                f"{self.folder}: a validation score of epoch {self.current_epoch + 1} is not "
                "finite; expected a number; the last good checkpoint is kept"
            )
        measured = metrics.curves(
            targets.numpy() > 0.5, logits.numpy().astype(np.float64), np.ones((1, len(logits)))
        )
        now = time.monotonic()
        row = {
            "epoch": self.current_epoch + 1,
            "train_loss": float(torch.stack(self._losses).mean()),
            "val_loss": float(self._loss(logits, targets)),
            "val_accuracy": float(measured["accuracy"][0]),
            "val_auc": float(measured["auc"][0]),
            "seconds": round(now - self._start_s, 2),
        }
        self._start_s = now
        self.history.append(row)
        if self.best is row:
            save_weights(self.network, self.folder / WEIGHTS, epoch=int(row["epoch"]))
        self._write_history()
        if not self.quiet:
            console.print(
                f"{self.folder.name}  epoch {row['epoch']}/{self.config.epochs}  "
                f"loss {row['train_loss']:.3f}  val accuracy {row['val_accuracy']:.3f}  "
                f"AUC {row['val_auc']:.3f}  {row['seconds']:.0f} s",
                highlight=False,
            )

    @property
    def best(self) -> dict[str, float]:
        """The row of the best epoch so far."""
        return max(self.history, key=lambda r: (r["val_accuracy"], -r["val_loss"], -r["epoch"]))

    def _write_history(self) -> None:
        lines = [",".join(COLUMNS)]
        lines += [",".join(f"{row[c]:.6g}" for c in COLUMNS) for row in self.history]
        write_text(self.folder / METRICS, "\n".join(lines) + "\n")

    # resuming

    def on_train_epoch_end(self) -> None:
        """Lightning's whole state, at an epoch's end: what a killed run starts from again."""
        with atomic_path(self.folder / CHECKPOINT) as temporary:
            self.trainer.save_checkpoint(temporary)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = list(checkpoint["history"])


def save_weights(network: Detector, path: Path, *, epoch: int) -> None:
    """The parameters and buffers of `network` as safetensors, whole or not at all."""
    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(state, temporary, metadata={"epoch": str(epoch), "logit": "fake"})
