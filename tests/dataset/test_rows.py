"""Records as rows whose columns have one type in every split, and back."""

import json
from typing import Any

import pytest
from tests.dataset.conftest import record

from dfmnist.dataset.clip import Clip
from dfmnist.dataset.rows import from_row, row_of, typed


def clip(**changes: Any) -> Clip:
    given = {"file_name": "a.mp4", "label": "real", "split": "train", "identities": ("a",)}
    return Clip(**{**given, **changes})


def columns(*splits: list[Clip]) -> list[list[dict[str, Any]]]:
    return list(typed({str(i): [row_of(c) for c in one] for i, one in enumerate(splits)}).values())


def test_a_row_that_shows_each_type_stands_first() -> None:
    """`datasets` reads the types out of the first lines of a large file."""
    made = record(file_name="b.mp4", clip_id="b")
    real = record(label="real", screening=())
    (rows,) = columns([real, real, made])
    assert rows[0]["source_frame"] == 3
    assert isinstance(rows[0]["screening"], list)  # as values, not as text
    assert [row["clip_id"] for row in rows] == ["b", "a", "a"]


def test_what_is_empty_in_one_split_is_text_in_all() -> None:
    made, real = record(), record(label="real", screening=(), split="test")
    train, test = columns([made, made], [real])
    assert train[0]["source_frame"] == "3"
    assert test[0]["source_frame"] == ""
    assert json.loads(train[0]["screening"])[0]["detector"] == "action"
    assert test[0]["screening"] == ""
    for row, whole in ((train[0], made), (test[0], real)):
        assert Clip.model_validate(from_row(row)) == whole


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ([1, 2], [1, 2]),
        ([1, 2.5], [1.0, 2.5]),
        ([1, None], ["1", ""]),
        ([True, 1], ["true", "1"]),
        (["a", "b"], ["a", "b"]),
        (["2020-01-31", "in June"], ['"2020-01-31"', "in June"]),
        (["2020-01-31", "2020-02-01 10:00"], ['"2020-01-31"', '"2020-02-01 10:00"']),
        ([2**70, 1], [str(2**70), "1"]),
        ([{"a": 1}, [1, 2]], ['{"a": 1}', "[1, 2]"]),
        (["/home/ann/films/x.mp4", "yes/no"], ["x.mp4", "yes/no"]),
    ],
)
def test_further_columns(values: list[Any], written: list[Any]) -> None:
    splits = columns(*([clip(extra={"more": v} if v is not None else {})] for v in values))
    found = [rows[0]["more"] for rows in splits]
    assert found == written
    assert [type(v) for v in found] == [type(v) for v in written]


def test_dates_come_back() -> None:
    person = clip(identities=("2020-01-31",), clip_id="2020-01-31", source="2020-01-31")
    (rows,) = columns([person])
    assert rows[0]["identities"] == '["2020-01-31"]'
    assert Clip.model_validate(from_row(rows[0])) == person


def test_columns_that_say_nothing_are_left_out() -> None:
    (rows,) = columns([clip(extra={"note": ""})])
    assert set(rows[0]) == {
        "file_name", "clip_id", "label", "quality", "split", "identities", "source", "take",
        "seed", "origin", "schema_version",
    }  # fmt: skip
    (rows,) = columns([record(label="real")])
    assert set(rows[0]) == set(Clip.model_fields) - {"extra", "dataset"}
