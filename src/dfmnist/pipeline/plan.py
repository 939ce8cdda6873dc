"""Plan of a build: which source meets which driver, and what is made next.

All functions are pure, so a killed build makes the same plan again.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dfmnist.core.actions import TEN, Action
from dfmnist.core.choices import SPLITS
from dfmnist.core.config import seed_of
from dfmnist.core.errors import InputError
from dfmnist.core.text import key_of
from dfmnist.dataset.splits import FRACTIONS, assign_splits
from dfmnist.pipeline.footage import Footage

DEALS = 200
"""Number of orders in which drivers are dealt to the splits until every split has its drivers."""


@dataclass(frozen=True)
class Pair:
    """Source and driving clip of one attempt: the source moves as the driver does."""

    source: Footage
    driver: Footage

    @property
    def action(self) -> Action:
        """Action that the driver performs, and so the fake."""
        return self.driver.action

    @property
    def split(self) -> str:
        """Split of the source."""
        return self.source.split

    @property
    def clip_id(self) -> str:
        """Name of the fake, unique within a build."""
        source = f"{key_of(self.source.identity)}.{self.source_take}"
        driver = f"{key_of(self.driver.identity)}.{self.driver.take}"
        return f"fake-{self.action.value}-{source}-{driver}"

    @property
    def source_take(self) -> str:
        """Action and take of the source's own clip."""
        return f"{self.source.action.value}.{self.source.take}"


def targets(per_action: int, splits: Sequence[str] = SPLITS) -> dict[str, int]:
    """Number of accepted clips of one action that each split gets: 70/15/15, largest remainder.

    Each split gets at least one if there are enough. `splits` are those that have people; the
    others get none.
    """
    shares = {s: f for s, f in zip(SPLITS, FRACTIONS, strict=True) if s in splits}
    least = min(1, per_action // max(len(shares), 1))  # one for each split, if possible
    rest = per_action - least * len(shares)
    exact = {s: per_action * f / sum(shares.values()) - least for s, f in shares.items()}
    over = sum(max(x, 0.0) for x in exact.values())
    exact = {s: rest * max(x, 0.0) / over if over else 0.0 for s, x in exact.items()}
    whole = {s: int(x + 1e-9) for s, x in exact.items()}
    # Equal remainders: the test split first, since its size sets the width of every interval.
    by_remainder = sorted(exact, key=lambda s: (round(whole[s] - exact[s], 9), s != "test"))
    for split in by_remainder[: rest - sum(whole.values())]:
        whole[split] += 1
    return {s: whole[s] + least if s in whole else 0 for s in SPLITS}


def with_splits(groups: Sequence[Sequence[Footage]], seed: int) -> list[list[Footage]]:
    """Assign one split to every person of all groups; splits that the footage states are kept.

    The first group is that of sources and real clips, the second, if any, that of the drivers.
    Drivers are dealt first, so that every split in which there are people gets one for each
    action, where there are enough.
    """
    stated: dict[str, str] = {}
    for footage in (f for group in groups for f in group):
        if footage.split and stated.setdefault(footage.identity, footage.split) != footage.split:
            raise InputError.of(footage.path, f"puts {footage.identity} into two splits", "one")
    split_of = dict(stated)
    people, *drivers = groups
    if drivers:
        open_to_all = any(f.identity not in stated for f in people)
        needed = SPLITS if open_to_all else tuple({stated[f.identity] for f in people})
        split_of |= _dealt(drivers[0], stated, needed, seed)
    for group in groups:
        everyone = sorted({f.identity for f in group})
        if unplaced := [name for name in everyone if name not in split_of]:
            placed = {name: split_of[name] for name in everyone if name in split_of}
            split_of |= assign_splits(unplaced, seed, FRACTIONS, placed)
    return [[replace(f, split=split_of[f.identity]) for f in group] for group in groups]


def _dealt(
    drivers: Sequence[Footage], stated: Mapping[str, str], needed: Sequence[str], seed: int
) -> dict[str, str]:
    """Splits of as many drivers as it takes to have one for each action in each `needed` split.

    Actions of few drivers choose first. Where that fails, other orders are tried; the result lacks
    as little as any of them.
    """
    names = sorted({d.identity for d in drivers})
    performers = {a: {d.identity for d in drivers if d.action is a} for a in TEN}
    actions = sorted((a for a in TEN if performers[a]), key=lambda a: len(performers[a]))
    found: list[tuple[int, dict[str, str]]] = []
    for turn in range(DEALS):
        order = sorted(names, key=lambda name: seed_of(str(seed), "deal", str(turn), name))
        placed = {name: stated[name] for name in names if name in stated}
        lacking = 0
        for action in actions:
            there = {placed[name] for name in performers[action] if name in placed}
            missing = [s for s in SPLITS if s in needed and s not in there]
            free = [name for name in order if name in performers[action] and name not in placed]
            placed |= dict(zip(free, missing, strict=False))
            lacking += max(0, len(missing) - len(free))
        found.append((lacking, placed))
        if not lacking:
            break
    return min(found, key=lambda deal: deal[0])[1]


@dataclass(frozen=True, eq=False)
class PairTable:
    """All pairs of one action in one split, in the order in which they are tried.

    The pairs are made while they are iterated over: 10,000 sources and 100 driving clips have a
    million pairs, of which a build tries a few thousand.
    """

    tiers: tuple[Sequence[Footage], Sequence[Footage]]
    """Sources that are tried first, and those that are tried after all pairs of the first."""
    performers: Sequence[Footage]
    """Driving clips of the action."""
    seed: int
    split: str
    action: Action

    @cached_property
    def orders(self) -> tuple[list[Footage], list[Footage]]:
        """The sources of both tiers in the order in which each pass takes them."""
        first, second = self.tiers
        words = (self.split, self.action.value)
        return _shuffled(first, self.seed, *words), _shuffled(second, self.seed, *words)

    def __iter__(self) -> Iterator[Pair]:
        """Each source meets a new driver in each pass. Nobody drives themselves."""
        count = len(self.performers)
        for order in self.orders:
            for turn in range(count):
                for i, source in enumerate(order):
                    driver = self.performers[(i + turn) % count]
                    if driver.identity != source.identity:
                        yield Pair(source, driver)


def pairs(
    sources: Sequence[Footage], drivers: Sequence[Footage], action: Action, split: str, seed: int
) -> PairTable:
    """Every pair of `action` in `split`, in the order in which they are tried.

    `drivers` are those that may be used in this split. Clips in which the source performs the same
    action come first, with the talking clips that are dealt to this action. Each source meets a
    new driver in each pass. Nobody drives themselves.
    """
    performers = _shuffled([d for d in drivers if d.action is action], seed, split, action.value)
    here = [s for s in sources if s.split == split]
    talking = _shuffled([s for s in here if s.action is Action.TALK], seed, split, "talk")
    mine = TEN.index(action)
    first = [s for s in here if s.action is action] + talking[mine :: len(TEN)]
    second = [s for i, s in enumerate(talking) if i % len(TEN) != mine]
    return PairTable((first, second), performers, seed, split, action)


def next_round(table: PairTable, results: Mapping[Pair, bool], target: int, cap: int) -> list[Pair]:
    """Choose the attempts to make next: as many as are missing to `target`, up to `cap` in all.

    `results` maps the finished attempts of the table to accepted or not. A source clip whose
    animation was accepted is used again only if no other is left.
    """
    wanted = min(target - sum(results.values()), cap - len(results))
    if wanted < 1:
        return []
    used = {pair.source.key for pair, accepted in results.items() if accepted}
    fresh: list[Pair] = []
    if any(source.key not in used for order in table.orders for source in order):
        fresh = _one_of_each_source(table, wanted, results, used)
    return fresh or _one_of_each_source(table, wanted, results, set())


def _one_of_each_source(
    table: PairTable, wanted: int, results: Mapping[Pair, bool], without: Collection[str]
) -> list[Pair]:
    """The first pairs that were not tried, at most one for each source whose key is allowed."""
    chosen: list[Pair] = []
    taken = set(without)
    for pair in table:
        if pair.source.key not in taken and pair not in results:
            chosen.append(pair)
            taken.add(pair.source.key)
            if len(chosen) == wanted:
                break
    return chosen


def match_reals(fakes: Sequence[Pair], reals: Sequence[Footage]) -> list[Footage]:
    """Choose one real clip for each fake: of the same person, if possible the source's own clip.

    A person without real clips is replaced by another person of the same split, so that the
    classes stay equal where the footage allows it.
    """
    free = {r.key: r for r in reals}
    queues: dict[tuple[object, ...], deque[str]] = defaultdict(deque)
    for key, real in free.items():
        queues[real.identity,].append(key)
        queues[real.identity, real.action].append(key)

    def take(*queue: object) -> Footage | None:
        """The first clip of a queue that is still free, and no longer free from now on."""
        while queues[queue]:
            if (real := free.pop(queues[queue].popleft(), None)) is not None:
                return real
        return None

    chosen: list[Footage] = []
    unmatched: list[Pair] = []
    for fake in fakes:
        person = fake.source.identity
        found = free.pop(fake.source.key, None) or take(person, fake.action) or take(person)
        if found is None:
            unmatched.append(fake)
        else:
            chosen.append(found)
    sources = {fake.source.identity for fake in fakes}
    for key, real in free.items():
        if real.identity not in sources:
            queues["split", real.split].append(key)
    others = (take("split", fake.split) for fake in unmatched)
    return [*chosen, *(real for real in others if real is not None)]


def _shuffled(footage: Sequence[Footage], seed: int, *salt: str) -> list[Footage]:
    return sorted(footage, key=lambda f: (seed_of(str(seed), *salt, f.key), f.key))
