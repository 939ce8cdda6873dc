import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfmnist.core.errors import InputError
from dfmnist.dataset.splits import assert_disjoint, assign_splits


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
    source = record(clip_id="b", file_name="b.mp4", split="test", driver_id="driver-2")
    driver = record(clip_id="c", file_name="c.mp4", split="test", source_id="person-2")
    crossed = record(
        clip_id="d", file_name="d.mp4", split="test", source_id="driver-1", driver_id="driver-2"
    )
    fine = record(
        clip_id="e", file_name="e.mp4", split="test", source_id="person-2", driver_id="driver-2"
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
