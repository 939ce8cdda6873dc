"""Colours that can be read, by arithmetic: WCAG 2.1 contrast of the page's own variables."""

import re
from importlib.resources import files

import pytest

CSS = files("dfmnist.reports").joinpath("page.css").read_text(encoding="utf-8")
TEXT = 4.5
"""Success criterion 1.4.3 (AA) for text of ordinary size."""
SHAPE = 3.0
"""Criterion 1.4.11 for what is no text: focus outlines, marks, the frames of clips."""
PAIRS = [
    *((ink, behind, TEXT) for ink in ("ink", "muted") for behind in ("bg", "card", "soft")),
    ("ink", "note-bg", TEXT),
    ("muted", "note-bg", TEXT),
    ("accent", "bg", TEXT),
    ("accent", "card", TEXT),
    ("accent", "note-bg", TEXT),
    ("accent", "soft", TEXT),
    ("fake", "bg", TEXT),
    ("fake", "card", TEXT),
    ("fake", "fake-bg", TEXT),
    ("real", "real-bg", TEXT),
    ("bg", "ink", TEXT),
    ("real", "bg", SHAPE),
    ("accent", "soft", SHAPE),
]


def variables(start: str) -> dict[str, str]:
    """The colours declared in the first block after `start`."""
    block = CSS[CSS.index(start) :]
    block = block[block.index("{") : block.index("}")]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})\b", block))


LIGHT = variables(":root {")
DARK = variables(':root:not([data-theme="light"])')


def luminance(colour: str) -> float:
    """Relative luminance, https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG contrast of two colours, 1 to 21."""
    a, b = sorted((luminance(one), luminance(other)))
    return (b + 0.05) / (a + 0.05)


def test_the_measure_is_right() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "behind", "least"), PAIRS)
def test_text_and_marks_stand_out(
    theme: dict[str, str], ink: str, behind: str, least: float
) -> None:
    assert contrast(theme[ink], theme[behind]) >= least


def test_the_chosen_dark_is_the_systems_dark() -> None:
    assert variables(':root[data-theme="dark"]') == DARK
    assert set(DARK) == set(LIGHT)


def test_print_is_light_and_motion_can_be_off() -> None:
    assert "@media screen and (prefers-color-scheme: dark)" in CSS
    assert "@media (prefers-color-scheme: dark)" not in CSS
    assert "@media print" in CSS
    assert "prefers-reduced-motion: reduce" in CSS
