"""Pairs of a fake clip and a real clip of the same person and action, for training.

In a batch of such pairs neither person, room, light nor action tells the classes apart, so the
loss falls only by what the forgery left. The paper names no such pairing.
"""

from collections import defaultdict
from collections.abc import Sequence

from dfmnist.core.actions import Action
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.data import Sample

LEAST_PAIRED = 0.9
"""Share of the fakes that must have a counterpart for `pairing: auto` to pair."""
Unit = tuple[int, ...]
"""Indices of the samples that are drawn together: one, or a fake and its counterpart."""


def counterparts(samples: Sequence[Sample]) -> list[tuple[int, int]]:
    """Indices (fake, real) of the fakes that have a real counterpart.

    The counterpart shows the same person doing the same action; else talking; else anything. Where
    a person has several such clips, the fakes take turns.
    """
    reals: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        if not sample.fake:
            for action in {sample.action, ""}:
                reals[sample.identity, action].append(index)
    used: dict[tuple[str, str], int] = defaultdict(int)
    pairs = []
    for index, sample in enumerate(samples):
        if not sample.fake:
            continue
        for action in (sample.action, Action.TALK.value, ""):
            key = (sample.identity, action)
            if found := reals.get(key):
                pairs.append((index, found[used[key] % len(found)]))
                used[key] += 1
                break
    return pairs


def training_units(samples: Sequence[Sample], config: TrainConfig) -> list[Unit]:
    """What an epoch goes through: pairs where `config.pairing` asks for them, else single clips.

    `auto` pairs where nearly all fakes have a counterpart and both classes are used in full; a
    corpus of other proportions is trained on as it is.
    """
    single: list[Unit] = [(index,) for index in range(len(samples))]
    if config.pairing == "none" or (config.fakes, config.reals, config.balance) != (1, 1, "none"):
        return single
    pairs = counterparts(samples)
    fakes = sum(sample.fake for sample in samples)
    return list(pairs) if pairs and len(pairs) >= LEAST_PAIRED * fakes else single
