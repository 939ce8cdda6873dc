import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfmnist.core.errors import InputError
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.info import DatasetInfo
from dfmnist.dataset.people import components, groups_of, people_of
from dfmnist.dataset.splits import (
    assert_disjoint,
    assert_fair,
    assign_splits,
    check_splits,
    divide,
    split_info,
    splits_hash,
)


def sizes(placed: dict[str, str]) -> tuple[int, int, int]:
    splits = list(placed.values())
    return tuple(splits.count(s) for s in ("train", "validation", "test"))


def test_seventy_fifteen_fifteen() -> None:
    assert sizes(assign_splits([f"p{i}" for i in range(100)], 0)) == (70, 15, 15)
    assert sizes(assign_splits([f"p{i}" for i in range(20)], 0)) == (14, 3, 3)
    assert sizes(assign_splits("abc", 0)) == (1, 1, 1)


def test_order_does_not_matter_and_the_seed_does() -> None:
    people = [f"p{i}" for i in range(30)]
    assert assign_splits(people, 5) == assign_splits(people[::-1], 5)
    assert assign_splits(people, 5) != assign_splits(people, 6)


def test_weights_are_balanced() -> None:
    weights = {f"p{i}": 1 + 40 / (1 + i) for i in range(60)}
    placed = assign_splits(weights, 0)
    total = sum(weights.values())
    for split, share in (("train", 0.7), ("validation", 0.15), ("test", 0.15)):
        got = sum(w for p, w in weights.items() if placed[p] == split) / total
        assert abs(got - share) < 0.02


@given(st.integers(3, 80), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_everyone_is_placed_and_no_split_is_empty(n: int, seed: int) -> None:
    placed = assign_splits([str(i) for i in range(n)], seed)
    assert len(placed) == n
    assert min(sizes(placed)) >= 1


def test_too_few() -> None:
    with pytest.raises(InputError, match="2 identities"):
        assign_splits(["a", "b"], 0)
    with pytest.raises(InputError, match="fractions"):
        assign_splits("abc", 0, (1.0, 0.0, 0.0))


def test_disjoint(record) -> None:
    a = record()
    source = record(clip_id="b", file_name="b.mp4", split="test", driver="driver-2")
    driver = record(clip_id="c", file_name="c.mp4", split="test", source="person-2")
    crossed = record(
        clip_id="d", file_name="d.mp4", split="test", source="driver-1", driver="driver-2"
    )
    fine = record(
        clip_id="e", file_name="e.mp4", split="test", source="person-2", driver="driver-2"
    )
    assert_disjoint([a, fine])
    with pytest.raises(InputError, match=r"b\.mp4: source person-1 is in test.*in train"):
        assert_disjoint([a, source])
    with pytest.raises(InputError, match="driver driver-1"):
        assert_disjoint([a, driver])
    with pytest.raises(InputError, match="source driver-1 is in test, and as driver in train"):
        assert_disjoint([a, crossed])
    assert_disjoint([a, driver], drivers=False)
    with pytest.raises(InputError):
        assert_disjoint([a, source], drivers=False)


def imported(name: str, label: str, *people: str, **more: object) -> Clip:
    values = {"file_name": f"{name}.mp4", "label": label, "split": "train", "identities": people}
    return Clip.model_validate({**values, **more})


def test_a_face_swap_binds_two_people() -> None:
    clips = [
        imported("a", "real", "a"),
        imported("b", "real", "b", split="test"),
        imported("ab", "fake", "a", "b"),
    ]
    with pytest.raises(InputError, match=r"swapped-in person b is in train, and as source in test"):
        assert_disjoint(clips, drivers=False)
    assert groups_of(clips) == ["a", "a", "a"]
    driven = imported("ab", "fake", "a", "b", driver="b")
    assert_disjoint([*clips[:2], driven], drivers=False)
    assert groups_of([*clips[:2], driven]) == ["a", "b", "a"]
    chain = [imported("x", "fake", "a", "b"), imported("y", "fake", "c", "b")]
    assert components([c.identities for c in chain]) == dict.fromkeys("abc", "a")


def world(pairs: int = 40) -> list[Clip]:
    """Pairs of people who are swapped with each other, with two actions."""
    found = []
    for i in range(pairs):
        a, b, action = f"a{i}", f"b{i}", ("nod", "yaw")[i % 2]
        for x, y in ((a, b), (b, a)):
            found.append(imported(f"{x}-real", "real", x, action="talk"))
            found.append(imported(f"{x}-{y}", "fake", x, y, action=action))
    return found


def test_divide_by_identity_is_balanced_and_disjoint() -> None:
    made = divide(world(), "identity", 1)
    assert made.left_out == ()
    assert_disjoint(made.clips)
    for kind in (("real", "talk"), ("fake", "nod"), ("fake", "yaw")):
        splits = [c.split for c in made.clips if (c.label, c.action) == kind]
        share = [splits.count(s) / len(splits) for s in ("train", "validation", "test")]
        assert share == pytest.approx([0.7, 0.15, 0.15], abs=0.06)
    again = divide(list(reversed(world())), "identity", 1)
    assert splits_hash(again.clips) == splits_hash(made.clips)
    assert splits_hash(divide(world(), "identity", 2).clips) != splits_hash(made.clips)


def test_people_who_all_meet_are_dealt_one_by_one() -> None:
    names = [f"p{i}" for i in range(12)]
    clips = [imported(f"{x}-r", "real", x) for x in names]
    clips += [imported(f"{x}-{y}", "fake", x, y) for x in names for y in names if x != y]
    made = divide(clips, "identity", 0)
    assert_disjoint(made.clips)
    assert len(made.clips) + len(made.left_out) == len(clips)
    for split in ("train", "validation", "test"):
        assert {c.label for c in made.clips if c.split == split} == {"real", "fake"}
    assert any("are left out, since their people" in note for note in made.notes)


def test_three_drivers_give_each_split_one() -> None:
    people = [f"p{i}" for i in range(20)]
    for seed in range(5):
        clips = [
            imported(f"{p}-{d}", "fake", p, d, driver=d, action="nod")
            for p in people
            for d in "xyz"
        ]
        clips += [imported(p, "real", p) for p in people]
        made = divide(clips, "identity", seed)
        assert_disjoint(made.clips)
        served = {(c.driver, c.split) for c in made.clips if c.driver}
        assert {split for _, split in served} == {"train", "validation", "test"}
        assert len(served) == 3


def test_divide_by_clip_keeps_qualities_together() -> None:
    clips = [
        imported(f"{q}/{i}", label, "p", clip_id=f"{label}{i}", quality=q, action=action)
        for label, action in (("fake", "nod"), ("real", "talk"))
        for i in range(20)
        for q in ("raw", "c40")
    ]
    clips = [c.model_copy(update={"file_name": f"{c.clip_id}-{c.quality}.mp4"}) for c in clips]
    made = divide(clips, "paper", 0)
    place: dict[str, set[str]] = {}
    for clip in made.clips:
        place.setdefault(clip.clip_id, set()).add(clip.split)
    assert {len(found) for found in place.values()} == {1}
    for label in ("fake", "real"):
        splits = [c.split for c in made.clips if c.label == label and c.quality == "raw"]
        assert [splits.count(s) for s in ("train", "validation", "test")] == [14, 3, 3]


@given(st.integers(0, 200), st.integers(3, 30), st.integers(2, 5))
@settings(max_examples=25, deadline=None)
def test_divide_is_always_disjoint(seed: int, people: int, clips_each: int) -> None:
    rng = random.Random(seed)
    names = [f"p{i}" for i in range(people)]
    clips = []
    for i in range(people * clips_each):
        some = rng.sample(names, rng.choice((1, 1, 2)))
        label = "fake" if len(some) > 1 else rng.choice(("real", "fake"))
        clips.append(imported(str(i), label, *some))
    try:
        made = divide(clips, "identity", seed)
    except InputError as error:
        assert "identities that share no clip" in str(error)  # noqa: PT017
        return
    assert_disjoint(made.clips)
    assert len(made.clips) + len(made.left_out) == len(clips)


def test_declared_splits_may_share_people(capsys: pytest.CaptureFixture[str]) -> None:
    clips = [imported("a", "real", "ann"), imported("b", "real", "ann", split="test")]
    with pytest.raises(InputError, match="ann is in test"):
        assert_fair(clips, DatasetInfo())
    with pytest.raises(InputError, match="ann is in test"):
        split_info(clips, "identity", 0)
    declared = DatasetInfo(splits=split_info(clips, "official", 0))
    assert_fair(clips, declared)
    assert "1 person is in two splits or more (ann): the splits are its makers' own" in (
        capsys.readouterr().err
    )
    with pytest.raises(InputError, match="not those that dataset"):
        check_splits(clips[:1], declared, "x")


def test_who_drives_their_own_clip_is_seen() -> None:
    own = imported("a", "fake", "ann", "bob", driver="ann")
    assert people_of(own, drivers=False) == ("ann", "bob")
    assert people_of(imported("a", "fake", "ann", "bob", driver="bob"), drivers=False) == ("ann",)
    assert groups_of([own, imported("b", "real", "bob")]) == ["ann", "ann"]


def test_recorded_splits_are_checked_for_people_too() -> None:
    """The hash alone would hold for splits that break the rule which the file records."""
    clips = [imported("a", "real", "ann"), imported("b", "real", "ann", split="test")]
    by_clip = split_info(clips, "paper", 0)
    check_splits(clips, DatasetInfo(splits=by_clip), "x")
    wrong = DatasetInfo(splits=by_clip.model_copy(update={"rule": "identity"}))
    with pytest.raises(InputError, match="ann is in test"):
        check_splits(clips, wrong, "x")


def test_built_clips_may_share_drivers_and_others_may_not(record) -> None:
    built = [record(), record(clip_id="b", file_name="b.mp4", split="test", source="person-2")]
    assert_fair(built, DatasetInfo())
    swaps = [
        imported("a", "fake", "ann", "dan", driver="dan"),
        imported("b", "fake", "bob", "dan", driver="dan", split="test"),
    ]
    with pytest.raises(InputError, match="driver dan is in test, and as driver in train"):
        assert_fair(swaps, DatasetInfo())


def test_a_split_by_clip_is_drawn_by_its_seed_within_each_action() -> None:
    clips = [
        imported(f"{action}-{i}", "fake", "p", action=action)
        for action in ("nod", "yaw")
        for i in range(11)
    ]
    first = divide(clips, "paper", 0)
    assert splits_hash(first.clips) != splits_hash(divide(clips, "paper", 1).clips)
    for action in ("nod", "yaw"):
        splits = [c.split for c in first.clips if c.action == action]
        assert [splits.count(s) for s in ("train", "validation", "test")] == [8, 1, 2]


def test_people_with_many_clips_are_dealt_first() -> None:
    many = [imported(f"ann-{i}", "real", "ann") for i in range(10)]
    made = divide([*many, *(imported(f"p{i}", "real", f"p{i}") for i in range(10))], "identity", 0)
    splits = [c.split for c in made.clips]
    assert [splits.count(s) for s in ("train", "validation", "test")] == [14, 3, 3]


def test_people_who_have_a_split_already_are_counted() -> None:
    placed = {f"q{i}": "train" for i in range(7)}
    given = assign_splits([f"p{i}" for i in range(3)], 0, placed=placed)
    assert sorted(given.values()) == ["test", "test", "validation"] or sorted(given.values()) == [
        "test", "validation", "validation",
    ]  # fmt: skip
    given = assign_splits(["p"], 0, placed={"q": "train", "r": "test"})
    assert given == {"p": "validation"}
