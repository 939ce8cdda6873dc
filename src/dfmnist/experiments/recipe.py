"""Recipes of experiments: the size of each training, and which cells are run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dfmnist.core.errors import InputError
from dfmnist.detectors.config import TrainConfig
from dfmnist.experiments.paper import ALL_MODELS

SMOKE_STAMP = "smoke, not a result"
CLAIM_STEPS = 300
"""Fewest optimiser steps of a cell that claims something."""
MAIN_MODEL = "resnet50"
"""The paper's network for Tables 2 and 6 and all figures but the right half of Figure 3."""


@dataclass(frozen=True)
class ExperimentRecipe:
    """Configs and choices; a cell that the recipe leaves out says "not run" and how to run it."""

    name: str
    training: tuple[TrainConfig, ...]
    """A config for each network that is run at all; quality and subset are set by the plan."""
    tables: Mapping[str, tuple[str, ...]]
    """Networks that are run for `table3`, `table4` and `table5`."""
    mixed_corpus: str
    """The network of Figure 3's mixed quality (the paper: ResNet-152)."""
    steps: Mapping[str, int] | None
    """Optimiser steps of a run of each network, epochs rounded up to them; None: the epochs of
    `training`."""
    raw_only: tuple[str, ...] = ()
    """Networks of `tables` that are run on raw clips alone."""
    main: str = MAIN_MODEL
    """The network of Tables 2 and 6 and of the figures."""
    least_fakes: int = 1
    """Fewest training fakes of a subset that is run."""
    surrogates: bool = False
    """True if two more attacks (surrogates) are made from the dataset's own clips when the user
    gives no other dataset (`--other`)."""
    stamp: str = ""
    """Words that are noted in every cell that was run."""
    departures: tuple[str, ...] = ()
    """What differs from the paper whatever the data, in sentences."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What differs in one experiment alone, by its name."""

    def __post_init__(self) -> None:
        """Check that every network that is asked for has a config."""
        asked = {self.main, self.mixed_corpus}.union(*self.tables.values())
        known = {config.network for config in self.training}
        if missing := [n for n in ALL_MODELS if n in asked - known]:
            raise InputError(f"recipe {self.name}: no training config for {missing[0]}")

    def config(self, network: str) -> TrainConfig:
        """The training config of `network`, on raw clips and the whole split."""
        return next(c for c in self.training if c.network == network)
