"""A detector on its validation clips: the logits that calibrate it, and the features it knows."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dfmnist.core.arrays import Floats32
from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError
from dfmnist.core.files import check_writable, sha256_file
from dfmnist.dataset.manifest import manifest_hash, read_manifest
from dfmnist.detectors.backends import choose_backend
from dfmnist.detectors.data import ClipFrames, select_samples
from dfmnist.detectors.familiar import FILE, LEAST_PEOPLE, fit_familiar, write_familiar
from dfmnist.detectors.networks.base import Detector
from dfmnist.detectors.run import WEIGHTS, load_run


def validation_outputs(
    network: Detector, frames: ClipFrames, frame_px: int, *, quiet: bool = True
) -> Iterator[tuple[int, Floats32]]:
    """Yield the number of each clip's sample and its outputs (n, 1 + k), in every quality.

    The first column is the raw logit of a frame, the others are its pooled features; all are
    computed in float32.
    """
    keys = [(i, q) for i in range(len(frames.samples)) for q in range(frames.num_qualities)]
    model = choose_backend(network, precision="f32", frame_px=frame_px, features=True)
    with progress_bar() as bar:
        task = bar.add_task("look at the validation clips", total=len(keys), visible=not quiet)
        for (sample, _), clip in zip(keys, frames.clips(keys, most=2), strict=True):
            parts = (clip[i : i + model.batch] for i in range(0, len(clip), model.batch))
            yield sample, np.concatenate(list(model.run(parts)))
            bar.advance(task)


def enough_people(frames: ClipFrames) -> bool:
    """True if the clips show enough people to say what a detector knows of others."""
    return len({sample.identity for sample in frames.samples}) >= LEAST_PEOPLE


def save_familiar(
    folder: Path,
    dataset: Path,
    frames: ClipFrames,
    outputs: list[tuple[int, Floats32]],
) -> bool:
    """Write what the detector in `folder` knows, from its `outputs` on the validation `frames`.

    `dataset` is the dataset's folder. Returns False, and writes nothing, for too few people.
    """
    people = [frames.samples[sample].identity for sample, _ in outputs]
    known = fit_familiar([found[:, 1:] for _, found in outputs], people)
    if known is None:
        return False
    notes = {
        "weights_sha256": sha256_file(folder / WEIGHTS),
        "manifest_hash": manifest_hash(dataset),
        "split": "validation",
    }
    write_familiar(known, folder / FILE, notes)
    return True


def measure_familiar(run: Path, dataset: Path, *, quiet: bool = False) -> bool:
    """Measure what the finished run `run` knows on the validation clips of its dataset.

    Training does this by itself; this is for runs of earlier versions and for packed ones. The file
    is in the run's folder. Returns False, and writes nothing, for clips of too few people. Raises
    `InputError` for another dataset than the run was trained on.
    """
    check_writable(run / FILE)
    loaded = load_run(run)
    if loaded.record.get("manifest_hash") != manifest_hash(dataset):
        raise InputError.of(run, "was trained on another dataset", f"a run on {dataset}")
    config, network = loaded.config, loaded.network
    samples = select_samples(
        read_manifest(dataset), "validation", config.qualities, config.frames_per_clip
    )
    frames = ClipFrames(
        samples, size_px=loaded.frame_px, consecutive=network.consecutive, budget_bytes=0
    )
    if not enough_people(frames):
        return False
    outputs = list(validation_outputs(network, frames, loaded.frame_px, quiet=quiet))
    return save_familiar(run, dataset, frames, outputs)
