"""Parts that all trainings of a motion model share: machine, Lightning trainer, curve file."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.loggers import TensorBoardLogger

from dfmnist.core.console import say
from dfmnist.core.devices import Devices
from dfmnist.core.errors import InputError
from dfmnist.core.extras import have
from dfmnist.core.files import read_json, write_text
from dfmnist.core.jobs import cpu_count
from dfmnist.core.lightning import is_main, quiet_lightning

CHECKPOINT, CURVE, WEIGHTS = "last.ckpt", "curve.csv", "last.safetensors"
CONFIG = "config.json"
"""File in a run's folder that records recipe, clips and seeds."""
RUN_KIND = "animator-run"
"""Kind of the folder of a run, in its marker."""
NO_EVENTS = (
    f"no TensorBoard here, so the losses are in {CURVE} alone; for its events, "
    "pip install 'dfmnist[tensorboard]'"
)
PRECISIONS = {"f32": "32-true", "bf16": "bf16-mixed"}
"""Precisions that a training takes, with Lightning's names for them."""


@dataclass(frozen=True)
class Machine(Devices):
    """Devices and precision of a training; they change the losses by rounding alone."""

    precision: str = "f32"
    """Number format: `f32`, or `bf16` for convolutions; coordinates and losses stay float32."""
    loaders: int | None = None
    """Decoding processes per device; None is none on a CPU, else a share of the cores."""
    threads: int | None = None
    """Threads of torch; None leaves torch's own number."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.precision not in PRECISIONS:
            raise InputError(f"--precision {self.precision}; expected {' or '.join(PRECISIONS)}")

    @property
    def loader_processes(self) -> int:
        """Number of decoding processes per device."""
        if self.loaders is not None:
            return self.loaders
        return min(16, max(1, cpu_count() // self.devices)) if self.uses_gpu else 0


def make_trainer(out: Path, watch: L.Callback, **options: Any) -> L.Trainer:
    """A Lightning trainer whose files and messages come from `watch`, except TensorBoard's events.

    Without the extra `tensorboard` no events are written, and one line says so.
    """
    with_events = have("tensorboard")
    if not with_events and is_main():
        say(NO_EVENTS)
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
    """Add a row to a CSV file, whose first column is the step.

    Rows of the same or a later step, left by a stopped run, are removed. Lightning's own CSV
    logger is not used, because it deletes its file when a run resumes.
    """
    step = next(iter(row.values()))
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    lines = [line for line in lines[1:] if float(line.split(",")[0]) < step]
    new = ",".join(f"{value:.6g}" for value in row.values())
    write_text(path, "\n".join([",".join(row), *lines, new]) + "\n")


def check_same(path: Path, about: Mapping[str, Any], *, free: Collection[str] = ()) -> None:
    """Compare a run's settings and clips, `about`, with those in the file `path` at its start.

    Raises `InputError` for the first difference. Values whose dotted names are in `free` may have
    changed.
    """
    before = _flat(read_json(path))
    for key, now in _flat(about).items():
        then = before.get(key)
        if then != now and key not in free:
            raise InputError.of(
                path, f"this run began with {key} {then}, now {now}", "the same, or another --out"
            )


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return found
