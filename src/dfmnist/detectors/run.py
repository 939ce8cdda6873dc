"""Finished training runs, read from their folders.

A run folder holds everything that scoring needs. Its records are read without torch; `load_run`
alone builds the network.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json
from dfmnist.detectors.calibrate import Calibration
from dfmnist.detectors.config import TrainConfig

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
        return Calibration(**self.record.get("calibration", {}))

    @property
    def frame_px(self) -> int:
        """Side in pixels of the whole frames that the network scores."""
        return int(self.record.get("frame_px", self.config.input_size_px))

    @property
    def seen(self) -> str:
        """What the network sees of a frame, in words."""
        size, frame = self.config.input_size_px, self.frame_px
        return f"{size} px" if size == frame else f"native {size} px crops of {frame} px frames"

    @property
    def hash(self) -> str:
        """The twelve digits that end the folder's name."""
        return self.folder.resolve().name.rsplit("-", 1)[-1]


@dataclass(frozen=True)
class Run(RunRecord):
    """A finished run with its network, ready to score."""

    network: "Detector"
    """The network with the weights of the best epoch, in evaluation mode."""


def is_finished(folder: Path) -> bool:
    """True if the run in `folder` reached its end."""
    return (folder / RUN).is_file()


def read_calibration(path: Path) -> Calibration:
    """The calibration that was fitted for the weights in the file `path`. Raises `InputError`."""
    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise InputError.of(path, f"cannot be read ({error})", "a run's safetensors") from None
    return Calibration(float(about.get("temperature", 1.0)), float(about.get("threshold", 0.5)))


def read_config(folder: Path) -> TrainConfig:
    """The config of the run in `folder`. Raises `InputError`."""
    values = read_json(folder / CONFIG)
    try:
        values |= {name: tuple(values[name]) for name in ("betas", "actions")}
        values["precision"] = precision_name(values["precision"])
        return TrainConfig(**values)
    except (TypeError, KeyError) as error:
        what = f"not a training config ({error})"
        raise InputError.of(folder / CONFIG, what, "one written by `dfmnist train`") from None


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
    return RunRecord(folder, read_config(folder), read_json(folder / RUN))


def load_run(folder: Path) -> Run:
    """The run in `folder` with its network. Raises `InputError` if it holds no finished run."""
    from dfmnist.detectors.networks.builders import build

    run = read_run(folder)
    network = build(run.config.network, folder / WEIGHTS, **run.config.network_options)
    return Run(run.folder, run.config, run.record, network)
