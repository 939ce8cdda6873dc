"""Finished training runs, read from their folders.

A run folder holds everything that scoring needs. Its records are read without torch; `load_run`
alone builds the network.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError, safe_open

from dfmnist.core import records
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json_object, sha256_file
from dfmnist.detectors.calibrate import Calibration
from dfmnist.detectors.config import MAX_SIDE_PX, TrainConfig

if TYPE_CHECKING:
    from dfmnist.detectors.networks.base import Detector

RUN = "run.json"
"""The record of a finished run, written last."""
CONFIG = "config.json"
"""The run's `TrainConfig`."""
WEIGHTS = "weights.safetensors"
"""The weights of the best epoch, with their calibration."""
METRICS = "metrics.csv"
"""The training's history, one row an epoch."""
CHECKPOINT = "last.ckpt"
"""The state after the last whole epoch, kept while a run trains."""
MAX_STEPS = 10**12
"""Largest number of steps that a record may state."""
_OLD_PRECISION = {"32": "f32"}
"""Names that earlier versions wrote into config.json and precision.json."""


@dataclass(frozen=True)
class RunRecord:
    """A finished run as its folder describes it, without its network."""

    folder: Path
    config: TrainConfig
    record: dict[str, Any]
    """The content of run.json."""

    @property
    def calibration(self) -> Calibration:
        """The temperature and threshold that were fitted on the validation split."""
        return Calibration(**self._checked.calibration.model_dump())

    @property
    def frame_px(self) -> int:
        """Side in pixels of the whole frames that the network scores."""
        return self._checked.frame_px or self.config.input_size_px

    @property
    def steps(self) -> int:
        """The number of optimiser steps; 0 if the record does not say."""
        return self._checked.steps

    @property
    def initialisation(self) -> str:
        """Where the training started, in words."""
        return self._checked.initialisation

    @property
    def _checked(self) -> "_Checked":
        return _Checked.model_validate(self.record)

    @property
    def seen(self) -> str:
        """What the network sees of a frame, in words."""
        size, frame = self.config.input_size_px, self.frame_px
        return f"{size} px" if size == frame else f"native {size} px crops of {frame} px frames"

    @property
    def hash(self) -> str:
        """The twelve digits that end the folder's name."""
        return self.folder.resolve().name.rsplit("-", 1)[-1]


class _CheckedCalibration(BaseModel):
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5


class _Checked(BaseModel):
    """The parts of run.json that scoring and the report rely on."""

    calibration: _CheckedCalibration = _CheckedCalibration()
    frame_px: Annotated[int, Field(ge=32, le=MAX_SIDE_PX)] | None = None
    trained_weights_sha256: str | None = None
    steps: Annotated[int, Field(ge=0, le=MAX_STEPS)] = 0
    initialisation: str = "not recorded"


@dataclass(frozen=True)
class Run(RunRecord):
    """A finished run with its network, ready to score."""

    network: "Detector"
    """The network with the weights of the best epoch, in evaluation mode."""


def is_finished(folder: Path) -> bool:
    """True if the run in `folder` reached its end."""
    return os.path.isfile(folder / RUN)  # also False where the folder may not be entered


def read_metadata(path: Path) -> dict[str, str]:
    """What `dfmnist train` noted in the weights file `path`. Raises `InputError`."""
    try:
        with safe_open(path, framework="numpy") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise InputError.of(path, f"cannot be read ({error})", "a run's safetensors") from None


def read_calibration(path: Path) -> Calibration:
    """The calibration that was fitted for the weights in the file `path`. Raises `InputError`."""
    about = read_metadata(path)
    known = {name: about[name] for name in ("temperature", "threshold") if name in about}
    try:
        return Calibration(**_CheckedCalibration.model_validate(known).model_dump())
    except ValidationError as error:
        what = records.first_problem(error)
        raise InputError.of(path, what, "weights that `dfmnist train` wrote") from None


def read_config(folder: Path) -> TrainConfig:
    """The config of the run in `folder`. Raises `InputError`."""
    path = folder / CONFIG
    values = read_json_object(path)
    if isinstance(written := values.get("precision"), str):
        values["precision"] = precision_name(written)
    return records.read_config(path, TrainConfig, values)


def precision_name(written: str) -> str:
    """The name of a precision that a run's files give, in the spelling of `TrainConfig`."""
    return _OLD_PRECISION.get(written, written)


def read_run(folder: Path) -> RunRecord:
    """The record of the run in `folder`, read without torch.

    Raises `InputError` if the folder holds no finished run.
    """
    if not is_finished(folder):
        raise InputError.of(
            folder, f"holds no {RUN}", "the folder of a finished `dfmnist train` run"
        )
    record = read_json_object(folder / RUN)
    try:
        _Checked.model_validate(record)
    except ValidationError as error:
        what = records.first_problem(error)
        raise InputError.of(folder / RUN, what, "a record that `dfmnist train` wrote") from None
    return RunRecord(folder, read_config(folder), record)


def load_run(folder: Path) -> Run:
    """The run in `folder` with its network. Raises `InputError` if it holds no finished run."""
    from dfmnist.detectors.networks.builders import build

    run = read_run(folder)
    if not (folder / WEIGHTS).is_file():
        raise InputError.of(folder / WEIGHTS, "no such file", "the weights of a finished run")
    known = run.record.get("trained_weights_sha256")
    if known is not None and known != sha256_file(folder / WEIGHTS):
        what = "is not the file that this run ended with (its SHA-256 is another)"
        raise InputError.of(folder / WEIGHTS, what, f"the weights that {RUN} names")
    network = build(run.config.network, folder / WEIGHTS, **run.config.network_options)
    return Run(run.folder, run.config, run.record, network)
