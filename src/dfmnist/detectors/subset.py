"""Parts of the training split: a smaller corpus, other class proportions, some actions only.

Clips are taken equally from each action, as in the paper (sections 5.3 and 5.4, Figures 3 to 5).
A smaller part is always contained in a larger one, so that a curve shows the effect of size alone.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from itertools import zip_longest

from dfmnist.core.errors import InputError
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.data import Sample


def training_part(samples: Sequence[Sample], config: TrainConfig) -> list[Sample]:
    """The samples that `config` trains on, chosen by `actions`, `corpus`, `fakes` and `reals`.

    `actions` keeps only fakes of these actions and as many real clips of any action. The draw
    depends on `config.seed` and the clips' names alone. Raises `InputError` if no fake performs an
    action or a class has no clip left.
    """
    fakes = [s for s in samples if s.fake]
    reals = _in_turn([s for s in samples if not s.fake], config.seed)
    if config.actions:
        present = {s.action for s in fakes}
        if unknown := [a for a in config.actions if a not in present]:
            names = ", ".join(sorted(present - {""})) or "a dataset that states actions"
            raise InputError(
                f"actions {unknown[0]}: no fake training clip; expected one of {names}"
            )
        fakes = [s for s in fakes if s.action in config.actions]
        reals = reals[: len(fakes)]
    fakes = _in_turn(fakes, config.seed)
    kept_fakes = fakes[: _count(len(fakes), config.corpus * config.fakes)]
    kept_reals = reals[: _count(len(reals), config.corpus * config.reals)]
    for name, kept, all_of_it in (("fake", kept_fakes, fakes), ("real", kept_reals, reals)):
        if not kept:
            raise InputError(
                f"corpus {config.corpus:g}, fakes {config.fakes:g}, reals {config.reals:g}: "
                f"no {name} clip of {len(all_of_it)} is left; expected one or more"
            )
    return sorted([*kept_fakes, *kept_reals], key=lambda s: s.clip_id)


def _count(total: int, share: float) -> int:
    return min(total, round(total * share))


def _in_turn(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """The samples with their actions alternating, so that any first part is balanced.

    The order within an action is drawn from `seed`.
    """

    def drawn(sample: Sample) -> str:
        return hashlib.sha256(f"{seed}/{sample.clip_id}".encode()).hexdigest()

    by_action: dict[str, list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=drawn):
        by_action[sample.action].append(sample)
    rounds = zip_longest(*(by_action[action] for action in sorted(by_action)))
    return [sample for one_round in rounds for sample in one_round if sample is not None]
