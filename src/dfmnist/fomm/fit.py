"""What every training of a motion model shares: machine, trainer, log, curve, checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from dfmnist.core.engine import cpu_count
from dfmnist.core.errors import InputError
from dfmnist.core.files import atomic_path, write_text
from dfmnist.core.lightning import hushed

CHECKPOINT, CURVE, WEIGHTS = "last.ckpt", "curve.csv", "last.safetensors"
PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed"}


@dataclass(frozen=True)
class Machine:
    """Where a run trains; the losses of a step do not depend on it but for rounding."""

    accelerator: str = "auto"
    """auto, cpu or gpu."""
    devices: int = 1
    """On each node; more than one train as one (DDP)."""
    nodes: int = 1
    precision: str = "32"
    """32, or bf16: convolutions in bfloat16, coordinates and losses in float32."""
    loaders: int | None = None
    """Processes that decode, for each device; None: none on a CPU, else a share of the cores."""
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.accelerator not in ("auto", "cpu", "gpu"):
            raise InputError(f"--accelerator {self.accelerator}; expected auto, cpu or gpu")
        if self.precision not in PRECISIONS:
            raise InputError(f"--precision {self.precision}; expected {' or '.join(PRECISIONS)}")
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

    @property
    def loader_processes(self) -> int:
        """Processes that decode, for each device."""
        if self.loaders is not None:
            return self.loaders
        return min(16, max(1, cpu_count() // self.devices)) if self.uses_gpu else 0


def is_main() -> bool:
    """Whether this process is the one that writes and speaks."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0  # Lightning's, from the environment


def make_trainer(out: Path, watch: L.Callback, **options: Any) -> L.Trainer:
    """A trainer that leaves files and words to `watch`, but for TensorBoard's events."""
    with hushed():
        return L.Trainer(
            callbacks=[watch],
            logger=TensorBoardLogger(save_dir=out, name="", version="tensorboard"),
            default_root_dir=out,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **options,
        )


def save_checkpoint(trainer: L.Trainer, path: Path) -> None:
    """Lightning's whole state, written by rename; every process calls it."""
    if not trainer.is_global_zero:
        trainer.save_checkpoint(path)  # takes part, writes nothing
        return
    with atomic_path(path) as temporary:
        trainer.save_checkpoint(temporary)


def append_row(path: Path, row: Mapping[str, float]) -> None:
    """Add a row to a CSV file; rows of the same or a later step (of a killed run) are dropped.

    The first column tells the step. Lightning's own CSV logger deletes its file when a run goes
    on, so it is not used.
    """
    step = next(iter(row.values()))
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    lines = [line for line in lines[1:] if float(line.split(",")[0]) < step]
    new = ",".join(f"{value:.6g}" for value in row.values())
    write_text(path, "\n".join([",".join(row), *lines, new]) + "\n")
