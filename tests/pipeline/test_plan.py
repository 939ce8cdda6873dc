"""Who meets whom: splits, order of attempts, and reals beside fakes."""

import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfmnist.core.actions import TEN, Action
from dfmnist.core.choices import SPLITS
from dfmnist.core.config import seed_of
from dfmnist.core.errors import InputError
from dfmnist.pipeline.config import FilmConfig
from dfmnist.pipeline.film import plan_drivers, plan_people
from dfmnist.pipeline.footage import Footage
from dfmnist.pipeline.plan import Pair, match_reals, next_round, pairs, targets, with_splits


def person(name: str, action: Action = Action.TALK, take: int = 0, split: str = "train") -> Footage:
    return Footage(Path(f"{name}.mp4"), name, action, take, split=split)


@given(st.integers(1, 2000))
def test_targets_add_up(per_action: int) -> None:
    assert sum(targets(per_action).values()) == per_action


def test_targets_of_the_paper() -> None:
    assert targets(1000) == {"train": 700, "validation": 150, "test": 150}
    assert targets(11) == {"train": 8, "validation": 1, "test": 2}
    assert targets(3) == {"train": 1, "validation": 1, "test": 1}
    assert targets(10, ["train"]) == {"train": 10, "validation": 0, "test": 0}


def test_a_person_has_one_split_across_sources_and_drivers() -> None:
    people = [person(f"p{i}", take=t, split="") for i in range(10) for t in range(2)]
    drivers = [person("p3", Action.YAW, split=""), person("d", Action.YAW, split="")]
    a, b = with_splits([people, drivers], seed=1)
    split_of = {}
    for footage in (*a, *b):
        assert footage.split in SPLITS
        assert split_of.setdefault(footage.identity, footage.split) == footage.split


def splits_of(*groups: list[Footage], seed: int = 0) -> list[dict[Action, set[str]]]:
    """The splits of each group, by action."""
    found = with_splits(groups, seed)
    return [
        {a: {f.split for f in g if f.action is a} for a in {f.action for f in g}} for g in found
    ]


@pytest.mark.parametrize("seed", range(20))
def test_each_split_gets_a_driver_for_each_action(seed: int) -> None:
    people = [person(f"p{i}", split="") for i in range(12)]
    yaw = [person(f"d{i}", Action.YAW, split="") for i in range(3)]
    assert splits_of(people, yaw, seed=seed)[1] == {Action.YAW: set(SPLITS)}
    # three of six drivers perform each action; `d` must go where `b` is not
    some = {Action.YAW: "abc", Action.NOD: "cde", Action.SMILE: "bdx"}
    mixed = [person(name, action, split="") for action, names in some.items() for name in names]
    assert splits_of(people, mixed, seed=seed)[1] == {action: set(SPLITS) for action in some}
    # drivers who are sources too, and one whose split is stated
    both = [person("p1", Action.YAW, split="test"), person("p2", Action.YAW, split="")]
    both.append(person("p3", Action.YAW, split=""))
    sources, drivers = with_splits([people, both], seed)
    assert {d.split for d in drivers} == set(SPLITS)
    assert {f.split for f in sources if f.identity == "p1"} == {"test"}
    assert Counter(f.split for f in sources) == {"train": 8, "validation": 2, "test": 2}


def test_many_drivers_are_shared_out_like_people() -> None:
    people = [person(f"p{i}", split="") for i in range(20)]
    moving = [person(f"d{i}", a, split="") for i in range(20) for a in TEN]
    sources, drivers = with_splits([people, moving], 3)
    for group in (sources, drivers[::10]):
        assert Counter(f.split for f in group) == {"train": 14, "validation": 3, "test": 3}


def test_drivers_go_where_there_are_people() -> None:
    people = [person("p", split="train"), person("q", split="test")]
    moving = [person(n, Action.YAW, split="") for n in ("d", "e", "f")]
    for seed in range(9):
        assert {d.split for d in with_splits([people, moving], seed)[1]} >= {"train", "test"}


def test_two_stated_splits_for_one_person_are_refused() -> None:
    with pytest.raises(InputError, match="two splits"):
        with_splits([[person("p"), person("p", take=1, split="test")]], seed=0)


def test_nobody_drives_themselves_and_each_pass_brings_a_new_driver() -> None:
    sources = [person("a", Action.YAW), person("b", Action.YAW)]
    drivers = [person(n, Action.YAW, take=5) for n in ("a", "d", "e")]
    table = list(pairs(sources, drivers, Action.YAW, "train", seed=0))
    assert all(p.source.identity != p.driver.identity for p in table)
    assert Counter(p.source.identity for p in table) == {"a": 2, "b": 3}
    assert len({p.clip_id for p in table}) == len(table)


def test_rounds_stop_at_the_target_and_at_the_cap() -> None:
    sources = [person(f"s{i}", Action.NOD) for i in range(4)]
    drivers = [person(f"d{i}", Action.NOD) for i in range(3)]
    table = pairs(sources, drivers, Action.NOD, "train", seed=0)
    first = next_round(table, {}, target=3, cap=9)
    assert len(first) == 3
    assert len({p.source.key for p in first}) == 3
    results = dict.fromkeys(first, False) | {first[0]: True}
    second = next_round(table, results, target=3, cap=9)
    assert len(second) == 2
    assert first[0].source.key not in {p.source.key for p in second}
    assert next_round(table, results, target=1, cap=9) == []
    assert len(next_round(table, results, target=3, cap=4)) == 1
    assert next_round(table, dict.fromkeys(table, False), target=3, cap=99) == []


def test_every_fake_gets_its_own_sources_clip_as_real() -> None:
    sources = [person(f"s{i}", Action.SMILE) for i in range(3)]
    fakes = list(pairs(sources, [person("d", Action.SMILE)], Action.SMILE, "train", seed=0))
    reals = match_reals(fakes, sources)
    assert [r.key for r in reals] == [f.source.key for f in fakes]


def test_photos_are_matched_by_other_people_of_the_split() -> None:
    photo = Footage(Path("x.png"), "x", Action.TALK, split="train")
    (one,) = pairs([photo], [person("d", Action.NOD)], Action.NOD, "train", 0)
    assert one.source is photo
    fakes = [p for a in TEN for p in pairs([photo], [person("d", a)], a, "train", 0)]
    reals = [person("y"), person("z", split="test")]
    assert {r.identity for r in match_reals(fakes, reals)} == {"y"}


def test_a_source_is_used_again_only_if_no_other_is_left() -> None:
    sources = [person(f"s{i}", Action.NOD) for i in range(2)]
    drivers = [person(f"d{i}", Action.NOD) for i in range(2)]
    table = pairs(sources, drivers, Action.NOD, "train", seed=0)
    one, *_ = table
    again = next_round(table, {one: True}, target=9, cap=9)
    assert [p.source.key for p in again] == [s.key for s in sources if s.key != one.source.key]
    both = {p: p.driver is one.driver for p in table if p.source is one.source}
    both[again[0]] = True
    left = next_round(table, both, target=9, cap=9)
    assert len(left) == 1
    assert left[0].source is again[0].source


def one_by_one(fakes: list[Pair], reals: list[Footage]) -> list[Footage]:
    """`match_reals` as its docstring says it, looking through all clips for each fake."""
    free, chosen, unmatched = list(reals), [], []
    for fake in fakes:
        own = [r for r in free if r.identity == fake.source.identity]
        if own:
            order = lambda r: (r.key != fake.source.key, r.action is not fake.action)  # noqa: E731, B023
            chosen.append(min(own, key=order))
            free.remove(chosen[-1])
        else:
            unmatched.append(fake)
    sources = {fake.source.identity for fake in fakes}
    for fake in unmatched:
        others = [r for r in free if r.split == fake.split and r.identity not in sources]
        if others:
            chosen.append(others[0])
            free.remove(others[0])
    return chosen


CLIPS = st.builds(
    person,
    st.sampled_from("abcde"),
    st.sampled_from([Action.TALK, Action.NOD, Action.YAW]),
    st.integers(0, 2),
    st.sampled_from(["train", "test"]),
)


@given(st.lists(CLIPS, max_size=12), st.lists(CLIPS, unique_by=lambda f: f.key, max_size=20))
def test_reals_are_matched_as_if_all_were_looked_through(
    sources: list[Footage], reals: list[Footage]
) -> None:
    fakes = [Pair(s, person("d", (Action.NOD, Action.YAW)[i % 2])) for i, s in enumerate(sources)]
    assert match_reals(fakes, reals) == one_by_one(fakes, reals)


def test_the_papers_size_is_planned_in_seconds() -> None:
    """10,000 fakes and 10,000 real clips; 20 driving clips of each action, and of each split."""
    before = time.process_time()
    people = [person(f"p{i // 5}", take=i % 5, split="") for i in range(10_000)]
    drivers = [person(f"d{i}", a, split="") for a in TEN for i in range(60)]
    people, drivers = with_splits([people, drivers], 0)
    wanted, fakes = targets(1000), []
    for split, action in ((s, a) for s in SPLITS for a in TEN):
        here = [d for d in drivers if d.split == split]
        table, results = pairs(people, here, action, split, 0), {}
        while batch := next_round(table, results, wanted[split], 4 * wanted[split]):
            results |= {pair: seed_of(pair.clip_id) % 5 > 0 for pair in batch}
        fakes += [pair for pair, accepted in results.items() if accepted]
    reals = match_reals(fakes, people)
    assert len(fakes) == 10_000
    assert len(reals) > 9_900
    assert time.process_time() - before < 10


def test_the_film_plan_is_balanced_and_disjoint(tmp_path: Path) -> None:
    config = FilmConfig(people=(6, 2, 2), clips_per_action=(6, 2, 2), drivers=(2, 1, 1), takes=2)
    people, drivers = plan_people(config, tmp_path), plan_drivers(config, tmp_path)
    assert len({f.key for f in people}) == len(people) == 100
    for split, clips in zip(SPLITS, config.clips_per_action, strict=True):
        here = [f for f in people if f.split == split]
        each = Counter(f.identity for f in here)
        assert max(each.values()) - min(each.values()) <= 1
        actions = Counter(f.action for f in here)
        assert actions[Action.TALK] == len(here) // 11
        lost = Counter(clips - actions[a] for a in TEN)  # a talking clip takes an action's place
        assert lost == {0: 10 - actions[Action.TALK], 1: actions[Action.TALK]}
    splits_of: dict[str, set[str]] = {}
    for f in (*people, *drivers):
        splits_of.setdefault(f.identity, set()).add(f.split)
    assert all(len(s) == 1 for s in splits_of.values())
    for action in TEN:
        assert {d.split for d in drivers if d.action is action} == set(SPLITS)
        assert len({d.identity for d in drivers if d.action is action}) >= 3
    assert not {f.identity for f in people} & {f.identity for f in drivers}


@pytest.mark.parametrize("count", [11, 12, 22, 36])
@pytest.mark.parametrize("actions", [TEN, (Action.TALK,), (Action.NOD, Action.YAW, Action.SMILE)])
def test_nobody_is_left_out_whatever_the_number(
    tmp_path: Path, count: int, actions: tuple[Action, ...]
) -> None:
    clips = -(-count * 3 // len(actions))
    config = FilmConfig((count, 1, 1), (clips, 1, 1), (1, 1, 1), actions=actions)
    here = [f for f in plan_people(config, tmp_path) if f.split == "train"]
    each = Counter(f.identity for f in here)
    assert len(each) == count
    assert max(each.values()) - min(each.values()) <= 2


def test_a_real_clip_shows_the_fakes_action_where_the_sources_own_is_no_video() -> None:
    photo = Footage(Path("x.png"), "x", Action.TALK, 9, split="train")
    fakes = [p for a in (Action.NOD, Action.YAW)
             for p in pairs([photo], [person("d", a)], a, "train", 0)]  # fmt: skip
    reals = [person("x", a) for a in (Action.SMILE, Action.YAW, Action.NOD)]
    assert [r.action for r in match_reals(fakes, reals)] == [Action.NOD, Action.YAW]


def test_who_has_fakes_is_no_replacement_for_another() -> None:
    fakes = pairs([person("a", Action.NOD), person("b", Action.NOD)], [person("d", Action.NOD)],
                  Action.NOD, "train", 0)  # fmt: skip
    reals = [person("a", Action.NOD), person("a", Action.YAW), person("c", Action.YAW)]
    assert sorted(r.key for r in match_reals(fakes, reals)) == ["a-nod-0", "c-yaw-0"]


def test_a_source_that_was_accepted_comes_again_when_no_other_is_left() -> None:
    sources = [person(f"s{i}", Action.NOD) for i in range(2)]
    table = pairs(sources, [person(f"d{i}", Action.NOD) for i in range(3)], Action.NOD, "train", 0)
    results = dict.fromkeys(next_round(table, {}, target=2, cap=9), True)
    again = next_round(table, results, target=3, cap=9)
    assert len(again) == 1
    assert again[0] not in results


def test_talking_sources_serve_an_action_after_those_who_perform_it() -> None:
    sources = [person("nods", Action.NOD), *(person(f"t{i:02}") for i in range(20))]
    table = pairs(sources, [person("d", Action.NOD)], Action.NOD, "train", seed=0)
    tried = list(table)
    assert len(tried) == 21
    assert "nods" in {p.source.identity for p in tried[:3]}  # with two of the talking clips
