"""What a plan must know of a dataset: how many clips of what kind its splits hold."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dfmnist.core.actions import Action
from dfmnist.dataset.manifest import Clip
from dfmnist.detectors.config import TrainConfig

VALIDATIONS = 10
"""At most, of a run of a given number of steps."""


@dataclass(frozen=True)
class DatasetCounts:
    """Counts of one dataset; a clip counts once, whatever its qualities."""

    name: str
    fakes: tuple[tuple[str, int], ...]
    """Training fakes by action."""
    reals: int
    """Training reals."""
    validation: int
    test: int
    frames: int
    """Frames of the shortest clip."""
    talks: bool = False
    """Real clips only talk, as the paper's."""

    @property
    def num_fakes(self) -> int:
        """All training fakes."""
        return sum(count for _, count in self.fakes)


def facts_of(name: str, clips: Iterable[Clip]) -> DatasetCounts:
    """Count the `clips` of a manifest."""
    distinct = list({clip.clip_id: clip for clip in clips}.values())
    train = [c for c in distinct if c.split == "train"]
    return DatasetCounts(
        name,
        tuple(sorted(Counter(c.action.value for c in train if c.label == "fake").items())),
        sum(c.label == "real" for c in train),
        sum(c.split == "validation" for c in distinct),
        sum(c.split == "test" for c in distinct),
        min((c.num_frames for c in distinct), default=0),
        all(c.action is Action.TALK for c in distinct if c.label == "real"),
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
    )


def training_clips(config: TrainConfig, facts: DatasetCounts) -> tuple[int, int]:
    """(fakes, reals) on which `config` trains: `detect`'s subsets, counted."""
    fakes, reals = facts.num_fakes, facts.reals
    if config.actions:
        fakes = sum(count for action, count in facts.fakes if action in config.actions)
        reals = min(reals, fakes)
    return (
        min(fakes, round(fakes * config.corpus * config.fakes)),
        min(reals, round(reals * config.corpus * config.reals)),
    )


def steps_an_epoch(config: TrainConfig, facts: DatasetCounts) -> int:
    """Optimiser steps of one epoch; 0 where nothing is left to train on."""
    frames = sum(training_clips(config, facts)) * min(config.frames_per_clip, facts.frames)
    frames *= config.passes
    batch = min(config.batch_size, frames)
    return -(-(frames // batch) // config.accumulate) if batch else 0


def for_steps(config: TrainConfig, facts: DatasetCounts, steps: int) -> TrainConfig:
    """`config` with as many epochs as `steps` optimiser steps need.

    Where that is more than `VALIDATIONS`, an epoch is several passes over the few frames there
    are, so that a run on a tenth of the corpus takes no longer than one on all.
    """
    if not (once := steps_an_epoch(config, facts)):
        return config
    config = replace(config, passes=-(-steps // (once * VALIDATIONS)))
    return replace(config, epochs=-(-steps // steps_an_epoch(config, facts)))
