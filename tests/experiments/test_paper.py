"""Every exact number stands in the paper's own text."""

import re
from pathlib import Path

import pytest

from dfmnist.core.actions import TEN, Action
from dfmnist.experiments import paper
from dfmnist.experiments.paper import PaperValue

ONLY_PROSE = {
    96.3, 2, 91.06, 5,  # means of the ResNets and what they lose (section 5.1)
    99, 100,  # claimed accuracy of the liveness services; FF++ models on their own sets (3.2)
    70, 67, 3,  # across qualities, and ResNet-152 above ResNet-50 (5.2)
    7, 97,  # embarrassment's loss; smile and blink under heavy compression (5.4)
}  # fmt: skip
"""Percentages of the paper's text that stand beside no number of ours."""
SETTINGS = {70, 15}
"""Shares of the videos in its training, and in its validation and test split (section 4)."""


def exact() -> list[PaperValue]:
    """All that is not read off a chart by eye."""
    tables = (paper.TABLE2, paper.TABLE3, paper.TABLE4, paper.TABLE5, paper.TABLE6)
    figures = (
        paper.FIGURE2_SPOOF_RATE,
        paper.FIGURE5_SINGLE_ACTION,
        paper.FIGURE6_RAW,
        paper.FIGURE6_C40,
        paper.FIGURE4_ACCURACY,
    )
    cells = [cell for table in (*tables, *figures) for cell in table.values()]
    cells += [paper.FIGURE5_MEAN, paper.FIGURE5_ALL_ACTIONS, *paper.FIGURE4_DROP.values()]
    return [cell for cell in cells if not cell.read_off]


def test_every_exact_number_is_printed_in_the_paper(shared: Path) -> None:
    text = (shared / "paper" / "deepfake-mnist-plus.txt").read_text(encoding="utf-8")
    printed = {float(number) for number in re.findall(r"(\d+(?:\.\d+)?)\s?%", text)}
    missing = [cell for cell in exact() if round(cell.value * 100, 3) not in printed]
    assert not missing


def test_every_percentage_of_the_paper_is_here(shared: Path) -> None:
    """The other way round: nothing printed is left out, but for shares that are settings."""
    text = (shared / "paper" / "deepfake-mnist-plus.txt").read_text(encoding="utf-8")
    printed = {float(number) for number in re.findall(r"(\d+(?:\.\d+)?)\s?%", text)}
    held = {round(cell.value * 100, 3) for cell in exact()}
    settings = SETTINGS | {round(share * 100, 3) for share in paper.FIGURE3_SHARES}
    assert printed <= held | settings | ONLY_PROSE, printed - held - settings - ONLY_PROSE
    assert printed >= ONLY_PROSE | SETTINGS


def test_every_count_is_printed_in_the_paper(shared: Path) -> None:
    text = (shared / "paper" / "deepfake-mnist-plus.txt").read_text(encoding="utf-8")
    text = text.replace("\\,", "")
    rows = [n for row in paper.TABLE1 for n in (row.real, row.fake)]
    for count in [*rows, paper.TRAINING_FAKES_OF_AN_ACTION, paper.TRAINING_REALS]:
        assert f"{count:,}" in text or re.search(rf"\b{count}\b", text), count


def test_tables_are_complete() -> None:
    assert len(paper.TABLE2) == 11
    assert len(paper.TABLE3) == 15
    assert len(paper.TABLE4) == 24
    assert len(paper.TABLE5) == 12
    assert len(paper.TABLE6) == 6
    assert [row.name for row in paper.TABLE1][-1] == "DeepFake MNIST+"
    assert len(paper.TABLE1) == 6
    assert len(paper.FIGURE5_SINGLE_ACTION) == len(paper.FIGURE6_RAW) == 10
    assert len(paper.FIGURE3_SHARES) == 6


def test_values_stand_in_their_own_cells() -> None:
    assert paper.TABLE3["raw", "resnet50"].value == 0.9658
    assert paper.TABLE3["c40", "xception"].percent == "83.143%"
    assert paper.TABLE4["resnet152", "c40->raw"].value == 0.7672
    assert paper.TABLE5["c23", "mesoinception4"].value == 0.5694
    assert paper.TABLE2["on DeepFake MNIST+", "Face2Face"].value == 0.675
    assert ("on DeepFake MNIST+", "DeepFake MNIST+") not in paper.TABLE2


def test_charts_say_what_was_read_off() -> None:
    assert list(paper.FIGURE6_RAW) == list(TEN)
    assert [a for a in TEN if not paper.FIGURE6_RAW[a].read_off] == [Action.LEFT_SLOPE]
    assert paper.FIGURE6_RAW[Action.YAW].percent == "~94.5%"
    assert paper.figure6(Action.EMBARRASSMENT, "c40") == paper.FIGURE6_C40[Action.EMBARRASSMENT]
    assert paper.figure6(Action.YAW, "c23") is None
    mean = sum(paper.FIGURE5_SINGLE_ACTION[a].value for a in TEN) / len(TEN)
    assert abs(mean - paper.FIGURE5_MEAN.value) < 0.005


PRINTED = {
    "TABLE2": """
        96.58 99.7 99.2 98.9
        -     43.7 63.6 67.5
        95.3  98.46 98.1 98.49""",
    "TABLE3": """
        96.58 96.64 96.18 92.38  60.39
        94.32 94.87 94.90 85.52  58.58
        91.49 90.44 91.27 83.143 57.90""",
    "TABLE4": """
        85.52 71.3  95.16 82.98 59    61.02
        79.23 68.12 82.33 73.60 76.72 76.69
        79.17 71.83 87.89 68.99 67.38 62.9
        51.37 56.92 57.01 49.53 55.65 58.64""",
    "TABLE5": """
        93.57 95.78 90.82 59.47
        90.69 92.11 83.28 56.94
        85.56 88.32 82.43 55.38""",
    "TABLE6": """
        61.2 60.7 57.2
        95.6 96.1 95.1""",
}
"""The tables as they are printed, row by row, in percent (sections 4 and 5)."""


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_each_number_stands_where_it_is_printed(name: str) -> None:
    held: dict[tuple[str, str], PaperValue] = getattr(paper, name)
    rows = list(dict.fromkeys(row for row, _ in held))
    columns = list(dict.fromkeys(column for _, column in held))
    printed = [line.split() for line in PRINTED[name].strip().splitlines()]
    assert (len(printed), len(printed[0])) == (len(rows), len(columns))
    for row, line in zip(rows, printed, strict=True):
        for column, text in zip(columns, line, strict=True):
            if text == "-":
                assert (row, column) not in held
            else:
                assert held[row, column].value == pytest.approx(float(text) / 100, abs=1e-9)
