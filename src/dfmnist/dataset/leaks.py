"""Leaks between the splits of a dataset: people in two of them, and copies of one recording.

Splits that `dataset.json` records as made by clip, or as published by the makers of the dataset,
may share people; drivers of a dataset with shared drivers may be in every split. Such sharing is
declared: it is counted, and fails nothing. Copies that show the same people are declared with them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from dfmnist.core.choices import SPLITS
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.fingerprint import Hashes, near_pairs
from dfmnist.dataset.info import DatasetInfo
from dfmnist.dataset.people import groups_of
from dfmnist.dataset.splits import role_of

LISTED = 100
"""Largest number of people and of pairs of clips that a report lists; all are counted."""


@dataclass(frozen=True)
class SharedPerson:
    """A person who is in two splits or more."""

    person: str
    roles: dict[str, tuple[str, ...]]
    """Roles of the person by split: `source`, `driver` or `swapped-in person`."""
    declared: bool
    """Whether `dataset.json` says that the splits share such people."""


@dataclass(frozen=True)
class PeopleCheck:
    """People of a dataset, and those who are in two splits or more."""

    people: int
    shared: int
    """Number of people in two splits or more whom nothing declares."""
    declared: int
    """Number of people in two splits or more whom `dataset.json` declares."""
    listed: tuple[SharedPerson, ...]
    """The first of both by name, undeclared ones first."""


@dataclass(frozen=True)
class CopiedClip:
    """Two clips in different splits that show one recording."""

    files: tuple[str, str]
    splits: tuple[str, str]
    distance: float
    """Distance of the perceptual hashes: 0 for equal pictures, 1 for unrelated ones."""
    declared: bool
    """Whether they show people whom `dataset.json` allows in several splits."""


@dataclass(frozen=True)
class CopyCheck:
    """Near-duplicates of clips in other splits."""

    clips: int
    """Number of clips compared; of each clip, the file of the best quality."""
    empty: int
    """Number of clips that cannot be compared: a black or one-coloured picture."""
    pairs: int
    """Number of pairs that nothing declares."""
    declared: int
    """Number of pairs of clips of people whom `dataset.json` allows in several splits."""
    listed: tuple[CopiedClip, ...]
    """The nearest of both, undeclared ones first."""


def check_people(clips: Iterable[Clip], info: DatasetInfo) -> tuple[PeopleCheck, frozenset[str]]:
    """Find the people in two splits or more, seen or driving, and the names of declared ones."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for clip in clips:
        for person in clip.identities:
            found[person][clip.split].add(role_of(clip, person))
    shared = [
        SharedPerson(
            person,
            {split: tuple(sorted(roles[split])) for split in SPLITS if split in roles},
            _is_declared(roles, info),
        )
        for person, roles in found.items()
        if len(roles) > 1
    ]
    shared.sort(key=lambda one: (one.declared, one.person))
    declared = frozenset(one.person for one in shared if one.declared)
    undeclared = len(shared) - len(declared)
    check = PeopleCheck(len(found), undeclared, len(declared), tuple(shared[:LISTED]))
    return check, declared


def _is_declared(roles: Mapping[str, set[str]], info: DatasetInfo) -> bool:
    """Whether a person with these roles in several splits is allowed there."""
    if info.splits is None:
        return False
    if info.splits.rule != "identity":
        return True
    seen = [split for split, names in roles.items() if names != {"driver"}]
    return not info.splits.drivers and len(seen) < 2


def check_copies(
    clips: Sequence[Clip], hashes: Sequence[Hashes], allowed: frozenset[str]
) -> CopyCheck:
    """Find clips that show the recording of a clip of another split.

    `hashes` are those of `clips`, one clip for all its qualities; `allowed` are the people who may
    be in several splits.
    """
    kept = [i for i, one in enumerate(hashes) if one.any()]
    part = [clips[i] for i in kept]
    if not kept:
        return CopyCheck(0, len(clips), 0, 0, ())
    table = np.stack([hashes[i] for i in kept])
    names = groups_of(part)
    group = np.unique(names, return_inverse=True)[1]
    open_to = np.array([not allowed.isdisjoint(clip.identities) for clip in part])
    where = {split: np.flatnonzero([c.split == split for c in part]) for split in SPLITS}
    counts = {False: 0, True: 0}
    nearest: list[tuple[bool, float, int, int]] = []
    for one, other in combinations(SPLITS, 2):
        for i, j, distance in near_pairs(table[where[one]], table[where[other]]):
            first, second = where[one][i], where[other][j]
            declared = (group[first] == group[second]) & open_to[first] & open_to[second]
            counts[True] += int(declared.sum())
            counts[False] += int((~declared).sum())
            order = np.lexsort((second, first, distance, declared))[:LISTED]
            nearest += [
                (bool(declared[k]), float(distance[k]), int(first[k]), int(second[k]))
                for k in order
            ]
            nearest = sorted(nearest)[:LISTED]
    listed = tuple(
        CopiedClip(
            (part[a].file_name, part[b].file_name),
            (part[a].split, part[b].split),
            round(max(distance, 0.0), 4),
            declared,
        )
        for declared, distance, a, b in nearest
    )
    return CopyCheck(len(kept), len(clips) - len(kept), counts[False], counts[True], listed)
