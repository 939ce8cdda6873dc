"""Splits of a dataset: by identity, by clip as in the paper, or as its makers published them.

By identity, each person, seen or driving, is in one split only. How the splits of a dataset were
made is recorded in its `dataset.json` with a hash, and checked whenever the dataset is read.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dfmnist.core.choices import SPLITS, SplitRule
from dfmnist.core.config import seed_of
from dfmnist.core.console import say
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_text
from dfmnist.core.text import plural
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.info import DatasetInfo, SplitInfo
from dfmnist.dataset.people import components, people_of

FRACTIONS = (0.7, 0.15, 0.15)
"""Shares of train, validation and test (section 4.1)."""
THREE_PARTS: Mapping[str, float] = dict(zip(SPLITS, FRACTIONS, strict=True))
"""The splits with their shares of the clips."""
WITHOUT_TEST: Mapping[str, float] = {"train": 0.85, "validation": 0.15}
"""Shares of the clips where the makers of a dataset published its test split alone."""
LARGEST = 0.85
"""Share of a class's clips above which a connected component of people is taken apart."""


@dataclass(frozen=True)
class Division:
    """Clips with their new splits."""

    clips: tuple[Clip, ...]
    left_out: tuple[Clip, ...]
    """Clips whose people are in different splits, so that no split can have them."""
    notes: tuple[str, ...]
    """What was done, a sentence each."""


def divide(
    clips: Sequence[Clip],
    rule: SplitRule,
    seed: int = 0,
    parts: Mapping[str, float] = THREE_PARTS,
) -> Division:
    """Give each clip a split of `parts` by a rule; equal clips and seeds give equal splits.

    `identity` deals connected components of people, balanced over classes and actions. Where one
    component holds nearly all clips, its people are dealt one by one, and clips whose people come
    to different splits are left out. `paper` deals single clips within each class and action.
    `official` keeps the splits that the clips have. Raises `InputError` where there are fewer
    people or clips than `parts`.
    """
    if rule == "official":
        return Division(tuple(clips), (), ("The splits are those that its makers published.",))
    if rule == "paper":
        split_of = _by_clip(clips, seed, parts)
        given = tuple(c.model_copy(update={"split": split_of[c.clip_id]}) for c in clips)
        return Division(given, (), ("The splits are made by clip: a person may be in several.",))
    return _by_identity(clips, seed, parts)


def _by_clip(clips: Sequence[Clip], seed: int, parts: Mapping[str, float]) -> dict[str, str]:
    """Split of each clip id: `parts` of the clips of each class and action."""
    kinds: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for clip in clips:
        kinds[clip.label, clip.action_name][clip.clip_id] = None
    split_of: dict[str, str] = {}
    for names in kinds.values():
        drawn = sorted(names, key=lambda name: (seed_of(str(seed), "paper", name), name))
        edges = np.cumsum(list(parts.values())) / sum(parts.values()) * len(drawn)
        starts = [0, *(round(float(edge)) for edge in edges)]
        for split, (start, stop) in zip(parts, pairwise(starts), strict=True):
            split_of |= dict.fromkeys(drawn[start:stop], split)
    return split_of


def _by_identity(clips: Sequence[Clip], seed: int, parts: Mapping[str, float]) -> Division:
    people = {clip.clip_id: people_of(clip) for clip in clips}
    distinct = list({clip.clip_id: clip for clip in clips}.values())
    component = components(people.values())
    cut = _too_large(distinct, component)
    unit_of = {p: p if name in cut else name for p, name in component.items()}
    units: dict[str, Counter[Hashable]] = {unit: Counter() for unit in unit_of.values()}
    for clip in distinct:
        units[unit_of[clip.source]].update(_kinds(clip))
    for counts in units.values():
        if not counts:
            counts["drives"] = 1
    split_of = _dealt(units, seed, parts)
    kept, left_out = [], []
    for clip in clips:
        found = {split_of[unit_of[person]] for person in people[clip.clip_id]}
        if len(found) == 1:
            kept.append(clip.model_copy(update={"split": found.pop()}))
        else:
            left_out.append(clip)
    notes = ["The splits are made by identity: nobody, seen or driving, is in two of them."]
    if left_out:
        count = plural(len({clip.clip_id for clip in left_out}), "clip")
        notes.append(f"{count} are left out, since their people came to different splits.")
    return Division(tuple(kept), tuple(left_out), tuple(notes))


def _kinds(clip: Clip) -> tuple[Hashable, ...]:
    """What a clip counts for where splits are balanced: its class, and its class and action."""
    return (clip.label,), (clip.label, clip.action_name)


def _too_large(clips: Sequence[Clip], component: Mapping[str, str]) -> set[str]:
    """Names of the components that hold more than `LARGEST` of the clips of a class."""
    held = Counter((component[c.source], c.label) for c in clips)
    total = Counter(c.label for c in clips)
    several = {name for person, name in component.items() if person != name}
    return {
        name for (name, label), n in held.items() if name in several and n > LARGEST * total[label]
    }


def _dealt(
    units: Mapping[str, Counter[Hashable]], seed: int, parts: Mapping[str, float]
) -> dict[str, str]:
    """The split of each unit, the heaviest first, each to the split that lacks most of its kinds.

    Each split gets a unit of each class, and one that drives, where there are enough.
    """
    if len(units) < len(parts):
        raise InputError(
            f"{len(units)} identities that share no clip; expected at least {len(parts)}, one for "
            f"each of {', '.join(parts)}"
        )
    total: Counter[Hashable] = Counter()
    for counts in units.values():
        total.update(counts)
    whole = sum(parts.values())
    missing = {s: {k: n * f / whole for k, n in total.items()} for s, f in parts.items()}
    needed = {kind: dict.fromkeys(parts) for kind in total if not _has_action(kind)}
    left = Counter(kind for counts in units.values() for kind in counts if kind in needed)
    drawn = sorted(units, key=lambda unit: (seed_of(str(seed), "identity", unit), unit))
    split_of: dict[str, str] = {}
    for unit in sorted(drawn, key=lambda unit: -sum(units[unit].values())):
        counts = units[unit]
        short = [k for k in counts if k in needed and 0 < len(needed[k]) >= left[k]]
        choice = needed[short[0]] if short else parts
        split = max(
            choice, key=lambda s: sum(n * missing[s][k] / total[k] ** 2 for k, n in counts.items())
        )
        split_of[unit] = split
        for kind, n in counts.items():
            missing[split][kind] -= n
            if kind in needed:
                needed[kind].pop(split, None)
                left[kind] -= 1
    return split_of


def _has_action(kind: Hashable) -> bool:
    return isinstance(kind, tuple) and len(kind) > 1


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


def splits_hash(clips: Iterable[Clip]) -> str:
    """SHA-256 of the names of all clips and their splits, whatever their order."""
    return sha256_text("".join(sorted({f"{c.clip_id}\t{c.split}\n" for c in clips})))


def split_info(
    clips: Sequence[Clip], rule: SplitRule, seed: int, *, drivers: bool = True
) -> SplitInfo:
    """The record of how splits were made. Raises `InputError` if they break their own rule."""
    if rule == "identity":
        assert_disjoint(clips, drivers=drivers)
    return SplitInfo(rule=rule, seed=seed, drivers=drivers, sha256=splits_hash(clips))


def check_splits(clips: Sequence[Clip], info: DatasetInfo, file: object) -> None:
    """Raise `InputError` naming `file` if the splits are not those that `dataset.json` records."""
    if info.splits is None:
        return
    if info.splits.rule == "identity":
        assert_disjoint(clips, drivers=info.splits.drivers)
    if splits_hash(clips) != info.splits.sha256:
        raise InputError.of(
            str(file),
            "the splits are not those that dataset.json records: clips were added, removed or "
            "moved",
            "the manifest as it was written, or an import anew",
        )


def assert_fair(clips: Sequence[Clip], info: DatasetInfo) -> None:
    """Raise `InputError` if a person of the training is tested, unless the dataset declares it.

    Splits by clip, and those that the makers of a dataset published, may share people: how many
    is printed. Drivers of built clips may be in several splits, as in the paper.
    """
    if info.splits is None or info.splits.rule == "identity":
        assert_disjoint(clips, drivers=not any(clip.origin == "built" for clip in clips))
    elif shared := shared_people(clips):
        made = {"paper": "made by clip", "official": "its makers' own"}[info.splits.rule]
        people = plural(len(shared), "person is", "people are")
        say(f"  {people} in two splits or more ({shared[0]}): the splits are {made}")


def shared_people(clips: Iterable[Clip]) -> list[str]:
    """Names of the people who are in two splits or more, sorted."""
    found: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        for person in clip.identities:
            found[person].add(clip.split)
    return sorted(person for person, splits in found.items() if len(splits) > 1)


def assert_disjoint(clips: Iterable[Clip], *, drivers: bool = True) -> None:
    """Raise `InputError` if a person, seen or driving, is in two splits.

    `drivers=False` leaves out people who only drive, as the paper's protocol needs (one volunteer
    drives all). The message names the person, the role and the splits.
    """
    found: dict[str, tuple[str, str]] = {}
    for clip in clips:
        for person in people_of(clip, drivers=drivers):
            role = role_of(clip, person)
            split, first_role = found.setdefault(person, (clip.split, role))
            if split != clip.split:
                raise InputError(
                    f"{clip.file_name}: {role} {person} is in {clip.split}, and as {first_role} "
                    f"in {split}; expected each person in one split"
                )


def role_of(clip: Clip, person: str) -> str:
    """What a person of the clip does there, in a word."""
    if person == clip.source:
        return "source"
    return "driver" if person == clip.driver else "swapped-in person"
