"""Types of a plan: counts of datasets, runs, scores and cells, and how they are made from a recipe.

A run is its config, its dataset and the run it starts from; equal runs are one run, so that
Table 3's ResNet-50 on raw is also that of Tables 2 and 4 and of Figures 3 to 7.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dfmnist.core.actions import Action
from dfmnist.core.choices import QUALITIES
from dfmnist.dataset.headers import header_of
from dfmnist.dataset.manifest import Manifest
from dfmnist.dataset.qualities import qualities_of
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.external import ExternalDetector
from dfmnist.experiments.paper import MODEL_TITLES, PaperValue
from dfmnist.experiments.recipe import ExperimentRecipe

JOIN = "+"
"""Separator between the names of datasets that are trained on together."""
MESH_WARP, FACE_SWAP = "mesh warp", "face swap"
SURROGATES = (MESH_WARP, FACE_SWAP)
"""Names of the attacks that `surrogates` makes from the dataset's own clips."""
VALIDATIONS = 10
"""A run with a fixed number of optimiser steps is validated at most this often."""


@dataclass(frozen=True)
class DatasetCounts:
    """Numbers of clips in a dataset's splits; a clip counts once, whatever its qualities."""

    name: str
    fakes: tuple[tuple[str, int], ...]
    """Number of training fakes by action; those without an action stand under an empty name."""
    reals: int
    """Number of training reals."""
    validation: int
    test: int
    frames: int
    """Number of frames of the shortest clip."""
    talks: bool = False
    """Whether real clips only talk, as the paper's do."""
    qualities: tuple[str, ...] = QUALITIES
    """Qualities of the clips, from the best to the worst."""

    @property
    def num_fakes(self) -> int:
        """Number of training fakes."""
        return sum(count for _, count in self.fakes)

    @property
    def actions(self) -> tuple[str, ...]:
        """Actions of the training fakes."""
        return tuple(action for action, _ in self.fakes if action)


def count_clips(name: str, manifest: Manifest) -> DatasetCounts:
    """Count the clips of a manifest under the dataset's `name`."""
    distinct = list({clip.clip_id: clip for clip in manifest.clips}.values())
    train = [c for c in distinct if c.split == "train"]
    return DatasetCounts(
        name,
        tuple(sorted(Counter(c.action_name for c in train if c.label == "fake").items())),
        sum(c.label == "real" for c in train),
        sum(c.split == "validation" for c in distinct),
        sum(c.split == "test" for c in distinct),
        min((header_of(manifest, c).num_frames for c in distinct), default=0),
        all(c.action is Action.TALK for c in distinct if c.label == "real"),
        tuple(qualities_of(manifest.clips)),
    )


def together(name: str, parts: Sequence[DatasetCounts]) -> DatasetCounts:
    """The counts of several datasets joined."""
    fakes: Counter[str] = Counter()
    for part in parts:
        fakes.update(dict(part.fakes))
    return DatasetCounts(
        name,
        tuple(sorted(fakes.items())),
        sum(p.reals for p in parts),
        sum(p.validation for p in parts),
        sum(p.test for p in parts),
        min(p.frames for p in parts),
        all(p.talks for p in parts),
        tuple(q for q in parts[0].qualities if all(q in p.qualities for p in parts)),
    )


def training_clips(config: TrainConfig, counts: DatasetCounts) -> tuple[int, int]:
    """Numbers of (fakes, reals) that `config` trains on, as `detectors.subset` draws them."""
    fakes, reals = counts.num_fakes, counts.reals
    if config.actions:
        fakes = sum(count for action, count in counts.fakes if action in config.actions)
        reals = min(reals, fakes)
    return (
        min(fakes, round(fakes * config.corpus * config.fakes)),
        min(reals, round(reals * config.corpus * config.reals)),
    )


def steps_an_epoch(config: TrainConfig, counts: DatasetCounts) -> int:
    """Optimiser steps of one epoch; 0 where nothing is left to train on."""
    frames = sum(training_clips(config, counts)) * min(config.frames_per_clip, counts.frames)
    frames *= config.passes
    batch = min(config.batch_size, frames)
    return -(-(frames // batch) // config.accumulate) if batch else 0


def for_steps(config: TrainConfig, counts: DatasetCounts, steps: int) -> TrainConfig:
    """Give `config` as many epochs as `steps` optimiser steps need.

    Where that is more than `VALIDATIONS`, an epoch is several passes over the few frames there
    are, so that a run on a tenth of the corpus takes no longer than one on all. An epoch has at
    least the passes that `config` asks for.
    """
    if not (once := steps_an_epoch(replace(config, passes=1), counts)):
        return config
    config = replace(config, passes=max(config.passes, -(-steps // (once * VALIDATIONS))))
    return replace(config, epochs=-(-steps // steps_an_epoch(config, counts)))


@dataclass(frozen=True)
class RunSpec:
    """One training."""

    config: TrainConfig
    dataset: str
    start: "RunSpec | None" = None
    """The run whose weights a fine-tuning starts from."""

    @property
    def depth(self) -> int:
        """Number of runs that must be finished before it, one after another."""
        return 0 if self.start is None else 1 + self.start.depth


@dataclass(frozen=True)
class ScoreSpec:
    """The scores of one run, or of a detector of the user's, on one split in one quality."""

    run: RunSpec | ExternalDetector
    dataset: str
    quality: str
    split: str = "test"


@dataclass(frozen=True)
class CellSpec:
    """One number of a table or figure."""

    row: str
    column: str
    paper: PaperValue | None = None
    scores: tuple[ScoreSpec, ...] = ()
    """Scores of the cell, one for each seed; empty where the cell is not run."""
    missing: str = ""
    """Why the cell is not run, and how to run it."""
    part: str = ""
    """Which of the scores count: `real`, `fake`, or an action's fakes; empty is all."""


@dataclass(frozen=True)
class Plan:
    """What a table or figure needs: its cells in reading order, and runs beside them."""

    cells: tuple[CellSpec, ...] = ()
    more_runs: tuple[RunSpec, ...] = ()

    @property
    def scores(self) -> tuple[ScoreSpec, ...]:
        """Every score needed, once."""
        return tuple(dict.fromkeys(s for cell in self.cells for s in cell.scores))

    @property
    def runs(self) -> tuple[RunSpec, ...]:
        """Every run needed, once, those that others start from first."""
        trained = [s.run for s in self.scores if isinstance(s.run, RunSpec)]
        return in_order([*trained, *self.more_runs])


def in_order(runs: Sequence[RunSpec]) -> tuple[RunSpec, ...]:
    """`runs` and all that they start from, each once, starts first."""
    found: dict[RunSpec, None] = {}
    for run in runs:
        chain = [run]
        while chain[-1].start is not None:
            chain.append(chain[-1].start)
        found |= dict.fromkeys(reversed(chain))
    return tuple(sorted(found, key=lambda r: r.depth))


def _states_no_action(counts: DatasetCounts) -> str:
    return f"{counts.name} states no actions; run it with a dataset whose fakes have one"


@dataclass(frozen=True)
class PlanContext:
    """Everything that plans are made from: dataset under test, recipe, other datasets, seeds."""

    main: DatasetCounts
    recipe: ExperimentRecipe
    others: tuple[DatasetCounts, ...] = ()
    """Datasets under the names of `--other`; a name that the paper knows is in its spelling."""
    seeds: int = 1
    external: tuple[ExternalDetector, ...] = ()
    """Detectors of the user's, which stand beside the paper's in Table 3."""

    def counts(self, dataset: str) -> DatasetCounts:
        """The counts of a dataset by its name, joined ones too."""
        known = {f.name: f for f in (self.main, *self.others)}
        if dataset in known:
            return known[dataset]
        return together(dataset, [known[part] for part in dataset.split(JOIN)])

    def run(
        self,
        network: str,
        quality: str | None = None,
        dataset: str | None = None,
        start: RunSpec | None = None,
        seed: int = 0,
        **part: Any,
    ) -> RunSpec:
        """The run of `network`, on the best quality if none is given.

        `part` are the config's fields of a subset.
        """
        dataset = dataset or self.main.name
        quality = quality or self.best_quality
        config = replace(self.recipe.config(network), quality=quality, seed=seed, **part)
        if start is not None:  # its own initialisation is overwritten by the start's
            config = replace(config, weights="none", freeze=False)
        if self.recipe.steps is not None:
            config = for_steps(config, self.counts(dataset), self.recipe.steps[network])
        return RunSpec(config, dataset, start)

    def cell(
        self,
        row: str,
        column: str,
        published: PaperValue | None,
        make: Callable[[int], RunSpec],
        *,
        on: str | None = None,
        quality: str | None = None,
        part: str = "",
    ) -> CellSpec:
        """A cell that is run: one score for each seed, from the run `make(seed)`."""
        quality = quality or self.best_quality
        if why := self._lacks(quality, on) or self._too_few(make(0)):
            return CellSpec(row, column, published, missing=why)
        scores = tuple(
            ScoreSpec(make(seed), on or self.main.name, quality) for seed in range(self.seeds)
        )
        return CellSpec(row, column, published, scores, part=part)

    def external_cell(self, row: str, detector: ExternalDetector) -> CellSpec:
        """The cell of a detector of the user's on the clips of the quality `row`."""
        if why := self._lacks(row, None):
            return CellSpec(row, detector.name, missing=why)
        return CellSpec(row, detector.name, None, (ScoreSpec(detector, self.main.name, row),))

    @property
    def best_quality(self) -> str:
        """The best quality of the dataset under test."""
        return next(iter(self.main.qualities), "raw")

    @property
    def states_no_action(self) -> str:
        """Why a cell of an action is not run where the dataset under test has none."""
        return _states_no_action(self.main)

    def quality_on(self, dataset: str) -> str:
        """The quality of trainings on another dataset: the best that it shares with this one.

        A dataset that shares none is trained on in its own best quality.
        """
        theirs = self.counts(dataset).qualities
        shared = [quality for quality in self.main.qualities if quality in theirs]
        return next(iter((*shared, *theirs)), self.best_quality)

    def tested_in(self, quality: str) -> str:
        """The quality of the clips under test for a detector trained in `quality`: the same one,
        or the best where the dataset under test lacks it."""
        return quality if quality in self.main.qualities else self.best_quality

    def _lacks(self, quality: str, dataset: str | None) -> str:
        """Why there is nothing of `quality` to test; empty where there is."""
        counts = self.counts(dataset or self.main.name)
        if quality in counts.qualities:
            return ""
        return f"{counts.name} has no clips in {quality}, only {', '.join(counts.qualities)}"

    def _too_few(self, run: RunSpec) -> str:
        counts = self.counts(run.dataset)
        lacking = [q for q in run.config.qualities if q not in counts.qualities]
        if lacking:
            return self._lacks(lacking[0], run.dataset)
        if run.config.actions and not counts.actions:
            return _states_no_action(counts)
        fakes, reals = training_clips(run.config, counts)
        least = self.recipe.least_fakes
        if min(fakes, reals) >= 1 and fakes >= min(least, counts.num_fakes):
            return ""
        return (
            f"{fakes} fake and {reals} real training clips would be left of "
            f"{counts.num_fakes} and {counts.reals} ({self.recipe.name} asks for {least}); "
            "run it with a larger dataset"
        )

    def left_out(self, table: str, network: str, qualities: Sequence[str]) -> str:
        """Why a network has no cell of these qualities in `table`; empty when it has one."""
        if network not in self.recipe.tables.get(table, ()):
            why = f"is not in the recipe {self.recipe.name}"
        elif network in self.recipe.raw_only and set(qualities) != {"raw"}:
            why = f"is run on raw clips alone in the recipe {self.recipe.name}"
        else:
            return ""
        return f"{MODEL_TITLES[network]} {why}; dfmnist experiment {table} --recipe paper"
