"""Averages of runs: weights that lie between those of runs that started from one another.

Such averages often do better on new data than each of the runs (Wortsman et al.,
arXiv:2203.05482). Batch norm's statistics and the calibration belong to weights, so both are made
anew.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from dfmnist.core.config import plain
from dfmnist.core.errors import InputError
from dfmnist.core.files import holds_folder, sha256_file, write_json
from dfmnist.dataset.manifest import manifest_hash, read_manifest
from dfmnist.detectors.batches import TrainBatches
from dfmnist.detectors.calibrate import fit_calibration
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.data import ClipFrames, select_samples
from dfmnist.detectors.heldout import save_familiar, validation_outputs
from dfmnist.detectors.module import save_weights
from dfmnist.detectors.networks.builders import build
from dfmnist.detectors.norms import estimate_norms
from dfmnist.detectors.pairs import training_units
from dfmnist.detectors.run import CONFIG, RUN, WEIGHTS, RunRecord, read_calibration, read_run
from dfmnist.detectors.subset import training_part
from dfmnist.stats.binary_metrics import weighted_metrics

KIND = "averaged detector"
NORM_FRAMES = 512
"""Number of training frames for batch norm's statistics, where the first run states none."""


@holds_folder("out", KIND)
def average_runs(
    runs: Sequence[Path], dataset: Path, out: Path, shares: Sequence[float] | None = None
) -> Path:
    """Write the average of finished runs on one dataset as a finished run in the folder `out`.

    `shares` are the runs' parts of the average, in any unit; None gives equal parts. Settings are
    those of the first run. Raises `InputError` for runs that cannot be averaged.
    """
    records = [read_run(run) for run in runs]
    parts = _parts(records, shares)
    config, frame_px = records[0].config, records[0].frame_px
    if records[0].record.get("manifest_hash") != manifest_hash(dataset):
        raise InputError.of(runs[0], "was trained on another dataset", f"a run on {dataset}")
    network = build(config.network, **config.network_options)
    network.load_state_dict(_averaged([run.folder for run in records], parts))
    manifest = read_manifest(dataset)
    training, validation = (
        select_samples(manifest, split, config.qualities, config.frames_per_clip)
        for split in ("train", "validation")
    )
    chosen = training_part(training, config)
    frames = ClipFrames(chosen, size_px=frame_px, consecutive=network.consecutive)
    batches = TrainBatches(
        frames, batch_size=config.batch_size, seed=config.seed, epoch=0,
        units=training_units(chosen, config), crop_px=network.size_px,
        augmentation=config.augmentation,
    )  # fmt: skip
    estimate_norms(network, batches, config.precise_bn_frames or NORM_FRAMES)
    held_out = ClipFrames(validation, size_px=frame_px, consecutive=network.consecutive)
    outputs = list(validation_outputs(network, held_out, frame_px))
    logits = np.concatenate([found[:, 0] for _, found in outputs]).astype(np.float64)
    truth = [np.full(len(found), held_out.samples[i].fake) for i, found in outputs]
    fake = np.concatenate(truth)
    save_weights(network, out / WEIGHTS, epoch=1, calibration=fit_calibration(fake, logits))
    save_familiar(out, dataset, held_out, outputs)
    _write_record(records, parts, config, out, _metrics(fake, logits))
    return out


def _parts(records: Sequence[RunRecord], shares: Sequence[float] | None) -> list[float]:
    """The runs' parts, which add up to 1. Raises `InputError`."""
    if len(records) < 2:
        raise InputError(f"{len(records)} run to average; expected two or more")
    given = [1.0] * len(records) if shares is None else list(shares)
    if len(given) != len(records) or not all(0 < share < np.inf for share in given):
        raise InputError(f"shares are {given}; expected {len(records)} numbers above 0")
    first = records[0]
    for run in records[1:]:
        if (run.config.network, run.config.network_options, run.frame_px) != (
            first.config.network, first.config.network_options, first.frame_px,
        ):  # fmt: skip
            what = f"is another network than {first.folder.name} or sees frames of another size"
            raise InputError.of(run.folder, what, "runs of one network")
        if run.record.get("manifest_hash") != first.record.get("manifest_hash"):
            what = f"was trained on another dataset than {first.folder.name}"
            raise InputError.of(run.folder, what, "runs on one dataset")
    return [share / sum(given) for share in given]


def _averaged(folders: Sequence[Path], parts: Sequence[float]) -> dict[str, Tensor]:
    """The weighted mean of the runs' parameters; whole numbers are the first run's."""
    states = [load_file(folder / WEIGHTS) for folder in folders]
    averaged = dict(states[0])
    for name, value in states[0].items():
        if value.is_floating_point():
            terms = [state[name].float() * part for state, part in zip(states, parts, strict=True)]
            averaged[name] = torch.stack(terms).sum(0)
    return averaged


def _metrics(fake: NDArray[np.bool_], logits: NDArray[np.float64]) -> dict[str, float]:
    measured = weighted_metrics(fake, logits, np.ones((1, len(logits))))
    return {
        "epoch": 1,
        "val_accuracy": float(measured["accuracy"][0]),
        "val_auc": float(measured["auc"][0]),
    }


def _write_record(
    records: Sequence[RunRecord],
    parts: Sequence[float],
    config: TrainConfig,
    out: Path,
    validation: dict[str, float],
) -> None:
    """Write config.json and run.json of the average; run.json is written last."""
    write_json(out / CONFIG, plain(config))
    averaged: list[dict[str, Any]] = [
        {
            "run": run.folder.name,
            "share": part,
            "quality": run.config.quality,
            "steps": run.steps,
            "initialisation": run.initialisation,
            "weights_sha256": run.record.get("trained_weights_sha256"),
        }
        for run, part in zip(records, parts, strict=True)
    ]
    record = {
        **records[0].record,
        "averaged": averaged,
        "best_epoch": 1,
        "best_validation": validation,
        "calibration": plain(read_calibration(out / WEIGHTS)),
        "trained_weights_sha256": sha256_file(out / WEIGHTS),
    }
    write_json(out / RUN, record)
