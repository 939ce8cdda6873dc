"""Running Lightning the same way in every training."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.trainer.states import TrainerStatus
from lightning.pytorch.utilities import rank_zero_only

from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path


@dataclass(frozen=True)
class Devices:
    """Where a training runs; several devices train as one (DDP)."""

    accelerator: str = "auto"
    """auto, cpu or gpu."""
    devices: int = 1
    """On each node: GPUs, or processes on a CPU."""
    nodes: int = 1

    def __post_init__(self) -> None:
        if self.accelerator not in ("auto", "cpu", "gpu"):
            raise InputError(f"--accelerator {self.accelerator}; expected auto, cpu or gpu")
        for flag, value in (("--devices", self.devices), ("--nodes", self.nodes)):
            if value < 1:
                raise InputError(f"{flag} {value}; expected 1 or more")
        if self.uses_gpu and self.devices > torch.cuda.device_count():
            count = torch.cuda.device_count()
            raise InputError(f"--devices {self.devices}; this machine has {count} GPUs")

    @property
    def uses_gpu(self) -> bool:
        """Whether the run trains on GPUs."""
        has = torch.cuda.is_available()
        return self.accelerator == "gpu" or (self.accelerator == "auto" and has)

    @property
    def world(self) -> int:
        """Processes in all."""
        return self.devices * self.nodes

    def options(self) -> dict[str, Any]:
        """What Lightning's trainer needs to know of them."""
        return {
            "accelerator": "gpu" if self.uses_gpu else "cpu",
            "devices": self.devices,
            "num_nodes": self.nodes,
            "use_distributed_sampler": False,
            # torch has it for GPUs only
            "sync_batchnorm": self.world > 1 and self.uses_gpu,
        }


def is_main() -> bool:
    """Whether this process is the one that writes and speaks."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0  # Lightning's, from the environment


def save_checkpoint(trainer: pl.Trainer, path: Path) -> None:
    """Lightning's whole state, written by rename; every process calls it."""
    if not trainer.is_global_zero:
        trainer.save_checkpoint(path)  # takes part, writes nothing
        return
    with atomic_path(path) as temporary:
        trainer.save_checkpoint(temporary)


def run(module: pl.LightningModule, trainer: pl.Trainer, checkpoint: Path, **more: Any) -> None:
    """`trainer.fit`, from `checkpoint` if there is one; Ctrl-C stays Ctrl-C."""
    with quiet_lightning():
        try:
            trainer.fit(module, ckpt_path=checkpoint if checkpoint.is_file() else None, **more)
        except SystemExit:
            if trainer.state.status == TrainerStatus.INTERRUPTED:  # Lightning hides Ctrl-C
                raise KeyboardInterrupt from None
            raise


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Without Lightning's tips and its warnings about what we chose on purpose."""
    names = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
