"""Bounds, what a verdict says, and the file they are shipped in."""

from pathlib import Path

import pytest

from dfmnist.core.actions import TEN
from dfmnist.core.errors import InputError
from dfmnist.liveness import universal
from dfmnist.liveness.action import RULES
from dfmnist.liveness.thresholds import (
    SHIPPED,
    Bound,
    check_bounds,
    read_thresholds,
    shipped_thresholds,
    write_thresholds,
)

LEAST, MOST = Bound("a", "least", 10.0), Bound("b", "most", 2.0)
WORDS = {"a": "turning", "b": "speaking"}


def test_score_is_a_half_on_the_bound_and_grows_inside() -> None:
    on, why = check_bounds([LEAST, MOST], {"a": 10.0, "b": 2.0}, WORDS)
    assert why == ""
    inside, _ = check_bounds([LEAST, MOST], {"a": 20.0, "b": 1.0}, WORDS)
    outside, _ = check_bounds([LEAST, MOST], {"a": 5.0, "b": 1.0}, WORDS)
    assert on == pytest.approx(0.5)
    assert inside == pytest.approx(2 / 3)
    assert outside == pytest.approx(1 / 3)
    assert check_bounds([LEAST], {"a": -3.0}, WORDS)[0] == 0
    assert Bound("b", "most", 0.0).margin(0.0) == 1  # a bound of nothing holds for nothing


def test_a_bound_may_be_in_units_of_the_actions_own_extent() -> None:
    bound = Bound("b", "most", 0.5, per="a")
    assert check_bounds([bound], {"a": 10.0, "b": 5.0}, WORDS)[0] == pytest.approx(0.5)
    assert check_bounds([bound], {"a": 20.0, "b": 5.0}, WORDS)[1] == ""
    reason = check_bounds([bound], {"a": 5.0, "b": 5.0}, WORDS)[1]
    assert reason == "speaking, relative to: turning: 1, expected at most 0.5"
    assert check_bounds([bound], {"a": 0.0, "b": 5.0}, WORDS)[1]


def test_reason_names_the_worst_bound_alone() -> None:
    assert check_bounds([LEAST, MOST], {"a": 11.0, "b": 1.9}, WORDS)[1] == ""
    reason = check_bounds([LEAST, MOST], {"a": 9.0, "b": 8.0}, WORDS)[1]
    assert reason == "speaking: 8, expected at most 2"


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.json"
    write_thresholds(shipped_thresholds(), path)
    assert read_thresholds(path) == shipped_thresholds()


def test_a_file_of_another_version_is_refused_by_name_of_its_measure(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    write_thresholds(shipped_thresholds(), path)
    path.write_text(path.read_text().replace('"eye_closure"', '"eye_shut_s"'))
    with pytest.raises(InputError, match=r"old\.json.*'eye_shut_s'.*liveness fit"):
        read_thresholds(path)


def test_shipped_file_covers_every_rule_and_names_its_origin() -> None:
    thresholds = shipped_thresholds()
    assert set(thresholds.actions) == {action.value for action in TEN}
    for action in TEN:
        rule, bounds = RULES[action], thresholds.actions[action.value]
        count = len(rule.fitted)
        assert [(b.measure, b.kind, b.per) for b in bounds[:count]] == list(rule.fitted)
        assert bounds[count:] == rule.fixed
    expected = list(universal.MEASURES.items())
    assert [(b.measure, b.kind) for b in thresholds.universal] == expected
    assert thresholds.provenance["clips"] >= 11 * len(thresholds.provenance["identity_seeds"]) - 20
    assert SHIPPED.stat().st_size < 20_000


@pytest.mark.parametrize(
    "content", ["{}", '{"actions": [], "universal": [], "provenance": {}}', "not json"]
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"other\.json") as caught:
        read_thresholds(path)
    assert "\n" not in str(caught.value)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="least or most"):
        Bound("a", "about", 1.0)
