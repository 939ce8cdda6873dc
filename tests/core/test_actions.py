"""Names of the ten actions."""

import pytest

from dfmnist.core.actions import TEN, Action, parse_action
from dfmnist.core.errors import InputError


def test_there_are_ten_and_talking() -> None:
    assert len(TEN) == 10
    assert set(Action) - set(TEN) == {Action.TALK}


@pytest.mark.parametrize(
    ("spelling", "action"),
    [
        ("surpise", Action.SURPRISE),  # the released dataset's folder
        ("up", Action.LOOK_UP),
        ("mouth", Action.OPEN_MOUTH),
        ("embarrass", Action.EMBARRASSMENT),
        ("Left slope", Action.LEFT_SLOPE),
        ("right-slope", Action.RIGHT_SLOPE),
        ("YAW", Action.YAW),
    ],
)
def test_spellings_met_in_the_wild(spelling: str, action: Action) -> None:
    assert parse_action(spelling) is action


def test_an_unknown_action_lists_the_known() -> None:
    with pytest.raises(InputError, match="unknown action 'wave'; expected one of blink"):
        parse_action("wave")
