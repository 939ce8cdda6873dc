"""Finished training runs and their test scores, read from a folder of run folders."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dfmnist.core.actions import INFO, Action
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json
from dfmnist.detectors.config import TrainConfig
from dfmnist.experiments.paper import MODEL_TITLES
from dfmnist.experiments.results import Curve
from dfmnist.experiments.tables import Scored

SCORES = "scores-test.parquet"
RUN_WEIGHTS = "weights.safetensors"
"""A run's file of weights, as `run.json` names what another run started from."""


@dataclass(frozen=True)
class FinishedRun:
    """One run on one dataset, with the scores of its test split where there are any."""

    folder: Path
    config: TrainConfig
    record: dict[str, Any]
    """run.json, as `detectors.train` writes it."""
    curve: Curve
    scores: pl.DataFrame | None

    @property
    def setting(self) -> str:
        """Initialisation, size, frames and epochs, in words."""
        c = self.config
        start = str(self.record["initialisation"])
        frozen = ", frozen but for its head" if c.freeze else ""
        part = f"trained on {self.part}; " if self.part else ""
        return (
            f"{part}start: {start}{frozen}; {c.input_size_px} px, "
            f"{c.frames_per_clip} frames a clip, "
            f"{c.epochs} epoch{'s' * (c.epochs != 1)} ({self.record['steps']:,} steps)"
        )

    @property
    def title(self) -> str:
        """Detector and quality."""
        return (
            f"{MODEL_TITLES.get(self.config.network, self.config.network)}, {self.config.quality}"
        )

    @property
    def whole(self) -> bool:
        """Trained on the whole training split, and not from another run: one of Table 3 or 5."""
        start = str(self.record["initialisation"])
        return not self.part and " from run " not in start and not start.endswith(RUN_WEIGHTS)

    @property
    def part(self) -> str:
        """What of the training split it saw, where not all; empty else."""
        c = self.config
        words = [INFO[Action(a)].title.lower() for a in c.actions]
        for name, share in (("clips", c.corpus), ("fakes", c.fakes), ("reals", c.reals)):
            words += [f"{share * 100:g}% of the {name}"] if share < 1 else []
        return ", ".join(words)

    def scored(self) -> Scored | None:
        """The scores on the quality of training; None when not scored, or trained on several.

        Nor of a run on a part of the data or fine-tuned from another: no cell of Table 3.
        """
        if self.scores is None or self.config.quality == "mixed" or not self.whole:
            return None
        mine = self.scores.filter(pl.col("quality") == self.config.quality).drop_nulls("logit")
        if mine.is_empty():
            return None
        name = self.folder.name
        return Scored(self.config.network, self.config.quality, mine, self.setting, name)


def finished_runs(runs_root: Path, dataset_hash: str) -> list[FinishedRun]:
    """The finished runs below `runs_root` that were trained on this dataset, by folder name.

    Where two runs share detector and quality, the one of more steps comes later, so that a
    table, which keeps the last, shows it. An absent folder holds no runs.
    """
    from dfmnist.detectors.run import is_finished, read_config

    found = []
    for folder in sorted(p for p in runs_root.glob("*") if p.is_dir() and is_finished(p)):
        record = read_json(folder / "run.json")
        if record.get("manifest_hash") != dataset_hash:
            continue
        config = read_config(folder)
        title = MODEL_TITLES.get(config.network, config.network)
        curve = _curve(folder / "metrics.csv", f"{title}, {config.quality}")
        found.append(FinishedRun(folder, config, record, curve, _scores(folder / SCORES)))
    return sorted(found, key=lambda r: (int(r.record["steps"]), r.folder.name))


def _curve(path: Path, title: str) -> Curve:
    table = _read(path, "the epochs of a run (CSV)")
    return Curve(
        title, tuple(table["train_loss"].to_list()), tuple(table["val_accuracy"].to_list())
    )


def _scores(path: Path) -> pl.DataFrame | None:
    return _read(path, "scores (Parquet)") if path.is_file() else None


def _read(path: Path, expected: str) -> pl.DataFrame:
    try:
        return pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        what = str(error).splitlines()[0]
        raise InputError.of(path, f"cannot be read ({what})", expected) from None
