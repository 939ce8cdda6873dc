"""Splits by identity: each person, seen or driving, is in one split only."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dfmnist.core.choices import SPLITS
from dfmnist.core.errors import InputError
from dfmnist.dataset.manifest import Clip

FRACTIONS = (0.7, 0.15, 0.15)
"""Shares of train, validation and test (section 4.1)."""


def assign_splits(
    identities: Iterable[str] | Mapping[str, float],
    seed: int,
    fractions: Sequence[float] = FRACTIONS,
    placed: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Assign a split to each identity; the result depends on the seed, not on their order.

    A mapping gives weights (clips of each identity): the heaviest are assigned first, each to the
    split that lacks most, so that the splits' weights come near `fractions`. Every split gets at
    least one identity. `placed` are further identities, of weight 1, that have a split already
    and are counted. Raises `InputError` for fewer than three identities in all.
    """
    placed = placed or {}
    if len(fractions) != len(SPLITS) or min(fractions) <= 0:
        raise InputError(f"split fractions {tuple(fractions)}; expected three above zero")
    weights = (
        {str(k): float(v) for k, v in identities.items()}
        if isinstance(identities, Mapping)
        else dict.fromkeys(map(str, identities), 1.0)
    )
    if len(weights) + len(placed) < len(SPLITS):
        raise InputError(
            f"{len(weights) + len(placed)} identities; expected at least {len(SPLITS)}, one for "
            f"each of {', '.join(SPLITS)}"
        )
    names = sorted(weights)
    order = np.random.default_rng(seed).permutation(len(names))
    heaviest_first = sorted((names[i] for i in order), key=lambda name: -weights[name])
    total = sum(weights.values()) + len(placed)
    missing: dict[str, float] = {
        s: f / sum(fractions) * total for s, f in zip(SPLITS, fractions, strict=True)
    }
    count: dict[str, int] = dict.fromkeys(SPLITS, 0)
    for split in placed.values():
        missing[split] -= 1
        count[split] += 1
    given: dict[str, str] = {}
    for index, name in enumerate(heaviest_first):
        empty = [split for split in SPLITS if not count[split]]
        choice = empty if len(heaviest_first) - index <= len(empty) else SPLITS
        split = max(choice, key=lambda s: missing[s])
        given[name] = split
        missing[split] -= weights[name]
        count[split] += 1
    return {name: given[name] for name in names}


def assert_disjoint(clips: Iterable[Clip], *, drivers: bool = True) -> None:
    """Raise `InputError` if a person, seen or driving, is in two splits.

    `drivers=False` checks sources only, as the paper's protocol needs (one volunteer drives all).
    The message names the person, the role and the splits.
    """
    found: dict[str, tuple[str, str]] = {}
    for clip in clips:
        people = [(clip.source_id, "source")]
        if drivers and clip.driver_id:
            people.append((clip.driver_id, "driver"))
        for person, role in people:
            split, first_role = found.setdefault(person, (clip.split, role))
            if split != clip.split:
                raise InputError(
                    f"{clip.file_name}: {role} {person} is in {clip.split}, and as {first_role} "
                    f"in {split}; expected each person in one split"
                )
