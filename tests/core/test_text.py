"""Numbers, tables and escapes."""

import hashlib
import json
import math
import re

import pytest

from dfmnist.core.text import (
    duration_text,
    key_of,
    latex_escape,
    markdown_table,
    number,
    percent,
    plural,
    slug,
    text_table,
    visible,
)


def test_keys_of_different_names_differ() -> None:
    names = [
        "ann",
        "Ann",
        "ann/1",
        "ann_1",
        "ann.1",
        "李雷",
        "韩梅",
        "Jürg",
        "Jörg",
        "Jurg",
        "",
        " ",
    ]
    names += ["n" * 100 + end for end in "ab"]
    keys = [key_of(name) for name in names]
    assert len({key.lower() for key in keys}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", key) for key in keys)
    assert key_of("a300000") == "a300000"
    assert key_of("ann_1-b") == "ann_1-b"
    assert key_of("ann/1") == "ann_1-" + hashlib.sha256(b"ann/1").hexdigest()[:10]


def test_no_name_is_the_key_of_another() -> None:
    first = key_of("Ann")
    assert key_of(first) != first
    assert key_of("\udcff") != key_of("\udcfe")  # bytes of a file name that are no text


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


def test_what_is_no_text_becomes_visible() -> None:
    for hidden, shown in {
        "a\nb": r"a\nb",
        "a\rb": r"a\rb",
        "\x1b[2J\x07": r"\u001b[2J\u0007",
        "\x9b2J\x7f": r"\u009b2J\u007f",  # a control sequence of one byte, and delete
        "\u202e4pm.exe": r"\u202e4pm.exe",
        "\u2067a\u2069\u200f\u061c": r"\u2067a\u2069\u200f\u061c",
        "a\u2028b\u2029\x85": r"a\u2028b\u2029\u0085",
        "ann\u200b\ufeff\u00ad": r"ann\u200b\ufeff\u00ad",
        "\udcff": r"\udcff",
        "\U000e0041": r"\udb40\udc41",
    }.items():
        assert visible(hidden) == shown
        assert json.loads(f'"{shown}"') == hidden


def test_letters_of_every_script_stay_as_they_are() -> None:
    for name in ("李雷", "Jürg", "Ju\u0308rg", "محمد", "می\u200cروم", "שלום", "हिन्दी", "a b\u3000c",
                 "👨\u200d👩\u200d👧", "❤\ufe0f", "🏳\ufe0f\u200d🌈", r"a\nb"):  # fmt: skip
        assert visible(name) == name


def test_tables_hold_no_line_that_a_name_forges() -> None:
    forged = "a\r\n# b \u202ec"
    assert markdown_table(("x",), [(forged,)]).splitlines()[2:] == [r"| a # b \u202ec |"]
    assert latex_escape(forged) == r"a \# b \textbackslash{}u202ec"
