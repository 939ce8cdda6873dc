"""Settings of a config from text: every type, every refusal, the docstrings."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pytest

from dfmnist.core.errors import InputError
from dfmnist.core.settings import (
    check_choices,
    field_docs,
    setting_text,
    settings_of,
    with_settings,
    with_values,
)


class Shade(StrEnum):
    DARK = "dark"
    LIGHT = "light"


@dataclass(frozen=True)
class Base:
    count: int = 3
    """How many there are,
    over two lines."""


@dataclass(frozen=True)
class Config(Base):
    """A config with a field of each type."""

    rate: float = 0.5
    loss: Literal["bce", "mse"] | None = None
    stride: Literal[1, 2] = 2
    """The stride."""
    size: int | None = None
    name: str = "none"
    on: bool = False
    pair: tuple[float, float] = (0.9, 0.999)
    """A pair of numbers."""
    shades: tuple[Shade, ...] = tuple(Shade)
    path: Path | None = None
    fps: Fraction = Fraction(25)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("count=5", "count", 5),
        ("rate=1e-3", "rate", 1e-3),
        (" rate = 2 ", "rate", 2.0),
        ("loss=mse", "loss", "mse"),
        ("loss=none", "loss", None),
        ("stride=1", "stride", 1),
        ("size=64", "size", 64),
        ("size=None", "size", None),
        ("name=none", "name", "none"),
        ("name=a=b", "name", "a=b"),
        ("on=true", "on", True),
        ("on=no", "on", False),
        ("pair=0.999,0.9", "pair", (0.999, 0.9)),
        ("shades=light", "shades", (Shade.LIGHT,)),
        ("shades=", "shades", ()),
        ("path=a/b", "path", Path("a/b")),
        ("fps=30000/1001", "fps", Fraction(30000, 1001)),
        ("fps=29.97", "fps", Fraction(2997, 100)),
    ],
)
def test_a_value_is_read_by_its_fields_type(text: str, field: str, value: Any) -> None:
    changed = with_settings(Config(), [text])
    assert getattr(changed, field) == value
    assert type(getattr(changed, field)) is type(value)
    assert with_settings(changed, [f"{field}={setting_text(value)}"]) == changed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs=3", "--set epochs=3: no such field; expected one of count, rate, loss"),
        ("count", "--set count; expected field=value, for example count=3"),
        ("count=many", "--set count=many; expected a whole number"),
        ("rate=nan", "--set rate=nan; expected a number"),
        ("loss=l1", "--set loss=l1; expected one of bce, mse, or none"),
        ("stride=3", "--set stride=3; expected one of 1, 2"),
        ("on=maybe", "--set on=maybe; expected true or false"),
        ("pair=1", "--set pair=1; expected 2 values with commas between them, each a number"),
        ("shades=dark,red", "each one of dark, light"),
        (
            "fps=1e999999999",
            "--set fps=1e999999999; expected a number or a fraction such as 30000/1001",
        ),
        ("fps=1/0", "--set fps=1/0; expected a number or a fraction such as 30000/1001"),
    ],
)
def test_what_does_not_fit_is_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as stop:
        with_settings(Config(), [text])
    assert message in str(stop.value)
    assert "\n" not in str(stop.value)


def test_the_last_setting_wins_and_dashes_are_underscores() -> None:
    @dataclass(frozen=True)
    class Two:
        batch_size: int = 1

    assert with_settings(Two(), ["batch_size=2", "batch-size=3"]).batch_size == 3


def test_values_by_name() -> None:
    assert with_values(Config(), {"count": 7}).count == 7
    changed = with_values(Config(), {"fps": "30000/1001", "path": "a", "pair": [0.5, 0.6]})
    assert (changed.fps, changed.path) == (Fraction(30000, 1001), Path("a"))
    assert changed.pair == (0.5, 0.6)
    assert with_values(Config(), {"name": "x"}).name == "x"
    with pytest.raises(InputError, match=r"^count=many; expected a whole number"):
        with_values(Config(), {"count": "many"})
    with pytest.raises(InputError, match="colour: no such setting; expected one of count, rate"):
        with_values(Config(), {"colour": 7})


def test_choices_are_checked() -> None:
    check_choices(Config(loss="mse"))
    check_choices(Config(loss=None))
    wrong: Any = "l1"
    with pytest.raises(InputError, match="loss is 'l1'; expected one of bce, mse"):
        check_choices(Config(loss=wrong))


def test_docstrings_are_found_with_those_of_a_base() -> None:
    assert field_docs(Config) == {
        "count": "How many there are, over two lines.",
        "stride": "The stride.",
        "pair": "A pair of numbers.",
    }
    found = {setting.name: setting for setting in settings_of(Config)}
    assert found["pair"].default_text == "0.9,0.999"
    assert found["shades"].default_text == "dark,light"
    assert found["size"].default_text == "none"
    assert found["stride"].values == "one of 1, 2"
    assert found["size"].values == "a whole number, or none"
