"""Numbers, tables and escapes."""

import math

import pytest

from dfmnist.core.text import (
    duration_text,
    latex_escape,
    markdown_table,
    number,
    percent,
    plural,
    slug,
    text_table,
)


def test_a_slug_is_safe_in_paths() -> None:
    assert slug("DeepFake MNIST+ / c23") == "DeepFake_MNIST_c23"
    assert slug("../..") == ".._.."
    assert slug("→") == "x"


def test_numbers() -> None:
    assert (number(0.12345), number(0.12345, ".1f"), number(math.nan)) == ("0.123", "0.1", "–")
    assert (percent(0.931), percent(0.931, 0), percent(math.nan)) == ("93.1%", "93%", "–")
    assert (plural(1, "clip"), plural(1200, "clip")) == ("1 clip", "1,200 clips")
    assert plural(2, "person", "people") == "2 people"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (40, "40 s"), (60, "1 min 0 s"), (190, "3 min 10 s"), (7500, "2 h 5 min")],
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_markdown_table_holds_any_text() -> None:
    assert (
        markdown_table(("a", "b"), [("x|y", "1\n2")]) == "| a | b |\n|---|---|\n| x\\|y | 1 2 |\n"
    )
    right = markdown_table(("a", "b", "c"), [], align_right=True)
    assert right == "| a | b | c |\n|---|--:|--:|\n"


def test_a_text_table_is_aligned() -> None:
    assert text_table([("", "A"), ("long", "1.5"), ("x", "10.25")]) == [
        "          A",
        "long    1.5",
        "x     10.25",
    ]


def test_latex_shows_text_as_it_is() -> None:
    assert latex_escape(r"50% of $x_1 & {y}\z") == r"50\% of \$x\_1 \& \{y\}\textbackslash{}z"
    assert latex_escape("--other [1, 2]") == "-{}-other {[}1, 2{]}"
