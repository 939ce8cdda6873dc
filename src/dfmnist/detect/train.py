"""From a manifest to a run folder: `train(config, dataset, runs)`, finished runs reused.

A run folder holds config.json, metrics.csv (a row an epoch), weights.safetensors (best epoch)
and, written last, run.json. While training it also holds last.ckpt, and precision.json.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dfmnist.core.errors import InputError
from dfmnist.core.files import claim_folder, read_json, sha256_file, write_json
from dfmnist.core.runs import config_hash, plain
from dfmnist.dataset.manifest import manifest_hash, read_manifest
from dfmnist.detect.calibrate import Calibration
from dfmnist.detect.config import TrainConfig
from dfmnist.detect.data import ClipFrames, select_samples
from dfmnist.detect.networks import build, load_weights
from dfmnist.detect.networks.base import Detector

KIND = "training run"
CONFIG, RUN, PRECISION = "config.json", "run.json", "precision.json"


@dataclass(frozen=True)
class TrainJob:
    """One call of `train`, for `core.engine.run_jobs`: one process and one thread each."""

    config: TrainConfig
    manifest_root: Path
    runs_root: Path
    quiet: bool = True


def run_train_job(job: TrainJob) -> Path:
    """`train` for a `TrainJob`; at the top level, so that another process can import it."""
    return train(job.config, job.manifest_root, job.runs_root, quiet=job.quiet)


def run_folder(config: TrainConfig, manifest_root: Path, runs_root: Path) -> Path:
    """Where the run of `config` on this dataset lies: `<network>-<quality>-<hash>`."""
    weights = config.weights_path
    if weights is not None and not weights.is_file():
        raise InputError.of(weights, "no such file", "weights to start from, or --weights none")
    weights_hash = sha256_file(weights) if weights else ""
    # The same weights elsewhere, and another accelerator, are the same run.
    same = dataclasses.replace(config, accelerator="auto", weights=weights_hash or "none")
    digest = config_hash(same, manifest_hash(manifest_root), weights_hash)
    return runs_root / f"{config.network}-{config.quality}-{digest}"


def is_finished(folder: Path) -> bool:
    """Whether the run in `folder` reached its last epoch."""
    return (folder / RUN).is_file()


def train(
    config: TrainConfig, manifest_root: Path, runs_root: Path, *, quiet: bool = False
) -> Path:
    """Train on the `train` split, choose the epoch on `validation`; the run's folder.

    A finished run is returned as it is; a killed one goes on from its last whole epoch, exactly
    as it would have gone on. The test split is not read. Raises `InputError`.
    """
    folder = run_folder(config, manifest_root, runs_root)
    if is_finished(folder):
        return folder
    manifest = read_manifest(manifest_root)
    frames = [
        ClipFrames(
            select_samples(manifest, split, config.qualities, config.frames_per_clip),
            size_px=config.input_size_px,
        )
        for split in ("train", "validation")
    ]
    claim_folder(folder, KIND)
    write_json(folder / CONFIG, plain(config))
    network = build(config.network, seed=config.seed, **config.network_options)
    initialisation = "random, every layer"
    if config.weights_path is not None:
        loaded = load_weights(network, config.weights_path)
        initialisation = f"{loaded} from {config.weights_path.name}"
    for part, split in zip(frames, ("train", "validation"), strict=True):
        part.load(f"decode {split} ({config.quality})", quiet=quiet)
    timed = _precision(config, folder)
    history, steps = _fit(config, network, frames, folder, timed["precision"], quiet)
    best = max(history, key=lambda r: (r["val_accuracy"], -r["val_loss"], -r["epoch"]))
    run = {
        "initialisation": initialisation,
        "frozen_backbone": config.freeze,
        "best_epoch": int(best["epoch"]),
        "best_validation": best,
        "epochs": config.epochs,
        "steps": steps,
        "seconds": round(sum(r["seconds"] for r in history), 1),
        "manifest_hash": manifest_hash(manifest_root),
        "counts": {
            split: _counts(part)
            for split, part in zip(("train", "validation"), frames, strict=True)
        },
        "loss": config.loss_name,
        "size_px": config.input_size_px,
        "torch": torch.__version__,
        **timed,
    }
    write_json(folder / RUN, run)
    (folder / "last.ckpt").unlink(missing_ok=True)
    return folder


def _counts(frames: ClipFrames) -> dict[str, int]:
    fake = sum(s.fake for s in frames.samples)
    return {"fake": fake, "real": len(frames.samples) - fake, "frames": frames.num_frames}


def _precision(config: TrainConfig, folder: Path) -> dict[str, Any]:
    """The precision of this run, timed once: a resumed run keeps what it began with."""
    path = folder / PRECISION
    if path.is_file():
        kept: dict[str, Any] = read_json(path)
        return kept
    chosen: dict[str, Any] = {"precision": config.precision, "step_seconds": {}}
    if config.precision == "auto":
        from dfmnist.detect.precision import choose_precision

        chosen["precision"], chosen["step_seconds"] = choose_precision(
            config.network, config.network_options, config.batch_size, _device(config)
        )
    write_json(path, chosen)
    return chosen


def _device(config: TrainConfig) -> torch.device:
    gpu = config.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return torch.device("cuda" if gpu else "cpu")


def _fit(
    config: TrainConfig,
    network: Detector,
    frames: list[ClipFrames],
    folder: Path,
    precision: str,
    quiet: bool,
) -> tuple[list[dict[str, float]], int]:
    """The rows of metrics.csv, and the number of steps."""
    import lightning.pytorch as pl

    from dfmnist.core.lightning import hushed, run
    from dfmnist.detect.fit import CHECKPOINT, Fit

    torch.set_flush_denormal(True)  # Adam's averages of dead units make denormals, slow on x86
    module = Fit(
        config, network, frames[0], frames[1], folder=folder, precision=precision, quiet=quiet
    )
    with hushed():
        trainer = pl.Trainer(
            max_epochs=config.epochs,
            accelerator=config.accelerator,
            devices=1,
            precision="bf16-mixed" if precision == "bf16" else "32-true",
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            inference_mode=False,
            reload_dataloaders_every_n_epochs=1,
        )
    run(module, trainer, folder / CHECKPOINT, weights_only=True)
    return module.history, trainer.global_step


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
    def hash(self) -> str:
        """The twelve digits that end the folder's name."""
        return self.folder.resolve().name.rsplit("-", 1)[-1]

    @property
    def calibration(self) -> Calibration:
        """Temperature and threshold, as fitted on validation; a run without changes nothing."""
        return Calibration(**self.record.get("calibration", {}))


def read_config(folder: Path) -> TrainConfig:
    """The config of the run in `folder`. Raises `InputError`."""
    values = read_json(folder / CONFIG)
    try:
        values["betas"] = tuple(values["betas"])
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
    network = build(config.network, folder / "weights.safetensors", **config.network_options)
    return Run(folder, config, read_json(folder / RUN), network)
