"""What every training of a motion model shares: machine, trainer, log, curve, checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.loggers import TensorBoardLogger

from dfmnist.core.console import console
from dfmnist.core.errors import InputError
from dfmnist.core.extras import have
from dfmnist.core.files import write_text
from dfmnist.core.jobs import cpu_count
from dfmnist.core.lightning import Devices, is_main, quiet_lightning

CHECKPOINT, CURVE, WEIGHTS = "last.ckpt", "curve.csv", "last.safetensors"
NO_EVENTS = (
    f"no TensorBoard here, so the losses are in {CURVE} alone; for its events, "
    "pip install 'dfmnist[tensorboard]'"
)
PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed"}


@dataclass(frozen=True)
class Machine(Devices):
    """Where a run trains; the losses of a step do not depend on it but for rounding."""

    precision: str = "32"
    """32, or bf16: convolutions in bfloat16, coordinates and losses in float32."""
    loaders: int | None = None
    """Processes that decode, for each device; None: none on a CPU, else a share of the cores."""
    threads: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.precision not in PRECISIONS:
            raise InputError(f"--precision {self.precision}; expected {' or '.join(PRECISIONS)}")

    @property
    def loader_processes(self) -> int:
        """Processes that decode, for each device."""
        if self.loaders is not None:
            return self.loaders
        return min(16, max(1, cpu_count() // self.devices)) if self.uses_gpu else 0


def make_trainer(out: Path, watch: L.Callback, **options: Any) -> L.Trainer:
    """A trainer that leaves files and messages to `watch`, but for TensorBoard's events.

    Without the extra `tensorboard` no events are written, and one line says so.
    """
    with_events = have("tensorboard")
    if not with_events and is_main():
        console.print(NO_EVENTS, markup=False)
    with quiet_lightning():
        return L.Trainer(
            callbacks=[watch],
            logger=with_events and TensorBoardLogger(out, name="", version="tensorboard"),
            default_root_dir=out,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **options,
        )


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
