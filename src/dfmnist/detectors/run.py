"""A finished training run as a model: its folder holds everything that scoring needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json
from dfmnist.detectors.calibrate import Calibration
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.networks import build
from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.networks.weights import CONFIG, RUN, WEIGHTS


def is_finished(folder: Path) -> bool:
    """Whether the run in `folder` reached its end."""
    return (folder / RUN).is_file()


def read_calibration(path: Path) -> Calibration:
    """What was fitted on validation for the weights in `path`."""
    with safe_open(path, framework="pt") as file:
        about = file.metadata() or {}
    return Calibration(float(about.get("temperature", 1.0)), float(about.get("threshold", 0.5)))


@dataclass(frozen=True)
class Run:
    """A finished run: everything that scoring needs."""

    folder: Path
    config: TrainConfig
    record: dict[str, Any]
    """run.json."""
    network: Detector
    """Weights of the best epoch, in evaluation mode."""

    @property
    def calibration(self) -> Calibration:
        """Temperature and threshold, fitted on validation."""
        return Calibration(**self.record.get("calibration", {}))

    @property
    def hash(self) -> str:
        """The twelve digits that end the folder's name."""
        return self.folder.resolve().name.rsplit("-", 1)[-1]


def read_config(folder: Path) -> TrainConfig:
    """The config of the run in `folder`. Raises `InputError`."""
    values = read_json(folder / CONFIG)
    try:
        values |= {name: tuple(values[name]) for name in ("betas", "actions")}
        return TrainConfig(**values)
    except (TypeError, KeyError) as error:
        what = f"not a training config ({error})"
        raise InputError.of(folder / CONFIG, what, "one written by `dfmnist train`") from None


def load_run(folder: Path) -> Run:
    """The run in `folder`. Raises `InputError` where it is none, or has not finished."""
    if not is_finished(folder):
        raise InputError.of(
            folder, f"holds no {RUN}", "the folder of a finished `dfmnist train` run"
        )
    config = read_config(folder)
    network = build(config.network, folder / WEIGHTS, **config.network_options)
    return Run(folder, config, read_json(folder / RUN), network)
