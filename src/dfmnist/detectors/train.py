"""Training of a detector: `train(config, dataset, runs)` makes or reuses a run folder.

A run folder holds config.json, metrics.csv (one row an epoch), weights.safetensors (best epoch),
precision.json, familiar.safetensors (what the detector knows; where the validation clips show
enough people) and, written last, run.json; during training it also holds last.ckpt.
"""

import dataclasses
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from dfmnist.core.config import config_hash, plain
from dfmnist.core.console import progress_bar
from dfmnist.core.devices import Devices
from dfmnist.core.errors import InputError
from dfmnist.core.files import (
    claim_folder,
    folder_lock,
    read_json,
    sha256_file,
    write_json,
)
from dfmnist.core.lightning import BatchProgress, is_main, quiet_lightning, run
from dfmnist.core.text import slug
from dfmnist.dataset.manifest import manifest_hash, read_manifest
from dfmnist.dataset.qualities import qualities_of
from dfmnist.dataset.splits import assert_fair
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.data import ClipFrames, native_side_px, select_samples
from dfmnist.detectors.heldout import enough_people, save_familiar, validation_outputs
from dfmnist.detectors.module import DetectorModule, best_epoch
from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.networks.builders import build
from dfmnist.detectors.networks.load import load_weights
from dfmnist.detectors.networks.weights import Source, resolve
from dfmnist.detectors.pairs import training_units
from dfmnist.detectors.run import (
    CHECKPOINT,
    CONFIG,
    RUN,
    WEIGHTS,
    is_finished,
    precision_name,
    read_calibration,
)
from dfmnist.detectors.subset import training_part

KIND = "training run"
"""The kind of folder that a run's marker file names."""
PRECISION = "precision.json"
"""The precision that was chosen when the run began."""


def source_of(config: TrainConfig) -> Source:
    """The weights that the run of `config` starts from. Raises `InputError`."""
    return resolve(config.network, config.weights, config.input_size_px)


def run_folder(config: TrainConfig, manifest_root: Path, runs_root: Path, source: Source) -> Path:
    """The folder of the run of `config` on this dataset: `<network>-<quality>-<hash>`.

    `source` is `source_of(config)`.
    """
    # the same weights in another place give the same run
    same = dataclasses.replace(config, weights=source.sha256 or "none")
    digest = config_hash(same, manifest_hash(manifest_root))
    return runs_root / f"{slug(config.network)}-{config.quality}-{digest}"


def train(
    config: TrainConfig,
    manifest_root: Path,
    runs_root: Path,
    *,
    quiet: bool = False,
    devices: Devices | None = None,
) -> Path:
    """Train on the `train` split, choose the epoch on `validation`, and return the run's folder.

    A finished run is returned unchanged. A killed run continues from its last whole epoch with the
    same result as an unbroken one. The test split is not read. Each of several devices reads the
    frames for itself. Raises `InputError`.
    """
    devices = devices or Devices()
    if config.batch_size % devices.world:
        text = f"batch_size {config.batch_size} for {devices.world} devices"
        raise InputError(f"{text}; expected a multiple: it counts the frames of all devices")
    source = source_of(config)
    folder = run_folder(config, manifest_root, runs_root, source)
    if is_finished(folder):
        return folder
    # one process holds the folder for all that train together
    with folder_lock(folder) if is_main() else nullcontext():
        _train(config, source, manifest_root, folder, quiet, devices)
    return folder


def default_quality(dataset: Path) -> str:
    """The quality to train on where none is named: raw, or the best that the dataset has."""
    return qualities_of(read_manifest(dataset).clips)[0]


def _train(
    config: TrainConfig,
    source: Source,
    manifest_root: Path,
    folder: Path,
    quiet: bool,
    devices: Devices,
) -> None:
    """Train in `folder`, whole or from its last epoch on."""
    manifest = read_manifest(manifest_root)
    assert_fair(manifest.clips, manifest.info)
    training, validation = (
        select_samples(manifest, split, config.qualities, config.frames_per_clip)
        for split in ("train", "validation")
    )
    training = training_part(training, config)
    frame_px = config.frame_px(native_side_px(manifest, config.qualities))
    network = build(config.network, seed=config.seed, **config.network_options)
    frames = [
        ClipFrames(s, size_px=frame_px, consecutive=network.consecutive)
        for s in (training, validation)
    ]
    initialisation = source.words
    if source.path is not None:
        initialisation = f"{load_weights(network, source.path)} from {source.words}"
    claim_folder(folder, KIND)
    write_json(folder / CONFIG, plain(config))
    for part, split in zip(frames, ("train", "validation"), strict=True):
        part.load(f"decode {split} ({config.quality})", quiet=quiet or not is_main())
    timed = _precision(config, folder, devices)
    history, steps = _fit(config, network, frames, folder, timed["precision"], quiet, devices)
    if is_main():
        start = {"initialisation": initialisation, "weights_sha256": source.sha256}
        about = {**start, "steps": steps, **timed, "frame_px": frame_px}
        about["pairs"] = sum(len(unit) > 1 for unit in training_units(training, config))
        counts = {
            split: _counts(part)
            for split, part in zip(("train", "validation"), frames, strict=True)
        }
        about |= {"counts": counts, "manifest_hash": manifest_hash(manifest_root)}
        _learn_what_is_known(network, frames[1], folder, manifest_root, frame_px)
        _finish(config, folder, history, about, devices)


def _learn_what_is_known(
    network: Detector, validation: ClipFrames, folder: Path, manifest_root: Path, frame_px: int
) -> None:
    """Describe the validation clips as the best epoch's weights see them, for `detect`."""
    if not enough_people(validation):
        return
    network.cpu()
    load_weights(network, folder / WEIGHTS)
    outputs = list(validation_outputs(network.eval(), validation, frame_px))
    save_familiar(folder, manifest_root, validation, outputs)


def _finish(
    config: TrainConfig,
    folder: Path,
    history: list[dict[str, float]],
    about: dict[str, Any],
    devices: Devices,
) -> None:
    """Write run.json, which marks the run as finished, and delete its checkpoint."""
    best = best_epoch(history)
    run = {
        **about,
        "frozen_backbone": config.freeze,
        "best_epoch": int(best["epoch"]),
        "best_validation": best,
        "epochs": len(history),
        "stopped_early": len(history) < config.epochs,
        "seconds": round(sum(r["seconds"] for r in history), 1),
        "waited_for_frames": round(float(np.mean([r["waited"] for r in history])), 4),
        "calibration": plain(read_calibration(folder / WEIGHTS)),
        "trained_weights_sha256": sha256_file(folder / WEIGHTS),
        "loss": config.loss_name,
        "size_px": config.input_size_px,
        "devices": plain(devices),
        "torch": torch.__version__,
    }
    write_json(folder / RUN, run)
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _counts(frames: ClipFrames) -> dict[str, int]:
    fake = sum(s.fake for s in frames.samples)
    return {"fake": fake, "real": len(frames.samples) - fake, "frames": frames.num_frames}


def _precision(config: TrainConfig, folder: Path, devices: Devices) -> dict[str, Any]:
    """The run's precision, timed once; a resumed run keeps the precision that it began with."""
    path = folder / PRECISION
    if path.is_file():
        kept: dict[str, Any] = read_json(path)
        return kept | {"precision": precision_name(kept["precision"])}
    chosen: dict[str, Any] = {"precision": config.precision, "step_seconds": {}}
    if config.precision == "auto":
        from dfmnist.detectors.precision import choose_precision

        chosen["precision"], chosen["step_seconds"] = choose_precision(
            config.network,
            config.network_options,
            config.batch_size,
            torch.device("cuda" if devices.uses_gpu else "cpu"),
        )
    write_json(path, chosen)
    return chosen


def _fit(
    config: TrainConfig,
    network: Detector,
    frames: list[ClipFrames],
    folder: Path,
    precision: str,
    quiet: bool,
    devices: Devices,
) -> tuple[list[dict[str, float]], int]:
    """Train `network` and return the rows of metrics.csv and the number of steps."""
    torch.set_flush_denormal(True)  # Adam's averages of unused units get denormal, slow on x86
    module = DetectorModule(
        config, network, frames[0], frames[1], folder=folder, precision=precision, quiet=quiet
    )
    with quiet_lightning(), progress_bar() as bar:
        name = f"train {config.network} ({config.quality})"
        validation = frames[1].num_qualities * frames[1].num_frames // devices.world
        batches = -(-validation // config.batch_size)
        trainer = pl.Trainer(
            callbacks=[BatchProgress(bar, name, batches, quiet=quiet)],
            max_epochs=config.epochs,
            strategy="ddp" if devices.world > 1 else "auto",
            accumulate_grad_batches=config.accumulate,
            precision="bf16-mixed" if precision == "bf16" else "32-true",
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            inference_mode=False,
            reload_dataloaders_every_n_epochs=1,
            **devices.options(),
        )
        run(module, trainer, folder / CHECKPOINT)
    return module.history, trainer.global_step
