"""Finished training runs for the page: their settings in words, and their training curves."""

from pathlib import Path

import polars as pl

from dfmnist.core.actions import INFO, Action
from dfmnist.core.choices import QUALITIES
from dfmnist.core.errors import InputError
from dfmnist.detectors.run import METRICS, RunRecord, is_finished, read_run
from dfmnist.experiments.charts import Curve
from dfmnist.experiments.paper import ALL_MODELS, MODEL_TITLES


def finished_runs(root: Path, dataset_hash: str) -> list[RunRecord]:
    """The finished runs below `root` that were trained on this dataset, by detector and quality.

    A folder that does not exist holds no runs. Raises `InputError` for a record that cannot be
    read.
    """
    found = [read_run(p) for p in root.glob("*") if p.is_dir() and is_finished(p)]
    networks = {name: index for index, name in enumerate(ALL_MODELS)}
    rank = {name: index for index, name in enumerate((*QUALITIES, "mixed"))}
    return sorted(
        (run for run in found if run.record.get("manifest_hash") == dataset_hash),
        key=lambda run: (
            networks.get(run.config.network, len(ALL_MODELS)),
            rank.get(run.config.quality, len(rank)),
            run.steps,
            run.folder.name,
        ),
    )


def title(run: RunRecord) -> str:
    """Title of the detector, and the quality that it was trained on."""
    return f"{MODEL_TITLES.get(run.config.network, run.config.network)}, {run.config.quality}"


def setting(run: RunRecord) -> str:
    """Words for a run's part of the data, initialisation, frames and epochs."""
    c = run.config
    part = trained_part(run)
    start = run.initialisation + (", frozen but for its head" if c.freeze else "")
    return (
        f"{f'trained on {part}; ' if part else ''}start: {start}; {run.seen}, "
        f"{c.frames_per_clip} frames a clip, "
        f"{c.epochs} epoch{'s' * (c.epochs != 1)} ({run.steps:,} steps)"
    )


def trained_part(run: RunRecord) -> str:
    """Words for the part of the training split that a run used; empty for all of it."""
    c = run.config
    words = [INFO[Action(a)].title.lower() for a in c.actions]
    for name, share in (("clips", c.corpus), ("fakes", c.fakes), ("reals", c.reals)):
        words += [f"{share * 100:g}% of the {name}"] if share < 1 else []
    return ", ".join(words)


def training_curve(run: RunRecord) -> Curve:
    """Training curve of a run: one entry per epoch. Raises `InputError` for an unreadable file."""
    path = run.folder / METRICS
    try:
        table = pl.read_csv(path)
        columns = (table[name].cast(pl.Float64) for name in ("train_loss", "val_accuracy"))
        loss, accuracy = (column.to_list() for column in columns)
    except (OSError, pl.exceptions.PolarsError) as error:
        what = f"cannot be read ({str(error).splitlines()[0]})"
        raise InputError.of(path, what, "the epochs of a run (CSV)") from None
    return Curve(title(run), tuple(loss), tuple(accuracy))
