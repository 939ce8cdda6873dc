"""What the page says about the strength of the liveness detectors, and where it comes from."""

from pathlib import Path

import pytest

from dfmnist.core.files import write_json
from dfmnist.experiments.results import LIVENESS, Heading, ResultCell, ResultTable
from dfmnist.liveness.base import EVERY
from dfmnist.liveness.thresholds import thresholds_id
from dfmnist.reports import text
from dfmnist.reports.results_view import StoredResult
from dfmnist.reports.strength import filter_strength

VALUES = {
    "BPCER": 0.1,
    "APCER Repeated still": 0.0,
    "APCER Replay": 0.5,
    "APCER First-order animation": 0.75,
    "APCER maximum": 0.75,
}


def evaluated(columns: tuple[str, ...]) -> StoredResult:
    rows = [f"{name}, {quality}" for name in ("action", EVERY) for quality in ("raw", "c23")]
    cells = [
        ResultCell(
            row=row,
            column=column,
            state="run",
            value=VALUES[column] * (0.9 if row.startswith("action") else 1),
            low=0.0,
            high=1.0,
            n=8,
            groups=4,
        )
        for row in rows
        for column in columns
    ]
    table = ResultTable(
        name=LIVENESS[0],
        title="Liveness detectors: error rates",
        rows=tuple(Heading(key=row, title=row) for row in rows),
        columns=tuple(Heading(key=column, title=column) for column in columns),
        cells=tuple(cells),
        manifest_hash="0" * 64,
    )
    return StoredResult(table, Path())


def test_an_evaluation_of_the_dataset_comes_first(tmp_path: Path) -> None:
    (said,) = filter_strength((evaluated(tuple(VALUES)),), tmp_path)
    assert f"({EVERY}, raw;" in said
    assert "repeated still 0.0% (0.0 to 100.0%); replay 50.0% (0.0 to 100.0%)." in said
    assert "They rejected 10.0% (0.0 to 100.0%) of the real clips." in said
    assert "75" not in said  # animations are the spoof rate itself


def test_the_shipped_rates_speak_for_a_dataset_without_one(tmp_path: Path) -> None:
    for stored in ((), (evaluated(("BPCER", "APCER First-order animation")),)):
        (said,) = filter_strength(stored, tmp_path)
        assert "is not recorded" in said
        assert "docs/SCREENING.md" in said
        assert "repeated still" in said
        assert "still with painted lids" in said
    write_json(tmp_path / "build.json", {"thresholds": thresholds_id()})
    assert filter_strength((), tmp_path)[0].startswith("How strong this filter is was measured on")
    for other in ({"thresholds": "0" * 16}, {}):  # older versions wrote none
        write_json(tmp_path / "build.json", other)
        assert "other thresholds than those that are shipped" in filter_strength((), tmp_path)[0]


@pytest.mark.parametrize(("rule", "words"), [("all", "all ten"), ("paper", "as in the paper")])
def test_the_page_names_the_rule(rule: str, words: str) -> None:
    assert words in text.screening(rule)
