"""What `dfmnist experiment` wrote is read back as it was meant."""

import re
from pathlib import Path

import polars as pl
import pytest
from tests.reports.experiments import COMMON, LEFT_OUT, STAMP, write_experiments

from dfmnist.core.errors import InputError
from dfmnist.dataset.manifest import Manifest
from dfmnist.experiments import render as real
from dfmnist.experiments.catalogue import EXPERIMENTS
from dfmnist.experiments.written import (
    ORDER,
    Sheet,
    Written,
    read_experiments,
    read_sheet,
    table3_cells,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_experiments(tmp_path / "experiments", Manifest(tmp_path, ()))


def sheet(folder: Path, name: str) -> Sheet:
    return next(s for s in read_experiments(folder) if s.name == name)


def test_sheets_come_in_the_papers_order(folder: Path) -> None:
    names = [s.name for s in read_experiments(folder)]
    assert names == ["table1", "table3", "figure5", "figure7", "figure10"]
    assert set(ORDER) == set(EXPERIMENTS)


def test_a_table_of_numbers(folder: Path) -> None:
    table = sheet(folder, "table3")
    assert (table.short, table.heading) == ("Table 3", "Five detectors, three qualities")
    assert table.rows == ("raw", "light (c23)", "heavy (c40)")
    assert table.cells["raw", "ResNet-50"] == Written("93.1% [90.2, 95.4]", "96.58%")
    meso = table.cells["raw", "MesoInception-4"]
    assert meso.ours == "60.0 ± 0.4% [50.0, 100.0]"
    assert meso.notes == (STAMP, "not told from chance (60%)")
    assert table.cells["raw", "ResNet-101"] == Written("not run", "96.64%", (LEFT_OUT,))
    assert ("light (c23)", "Xception") not in table.cells
    assert (table.ran, table.wanted, table.stamp) == (4, 5, STAMP)
    assert table.sentences == ("Differs from the paper. Data: 2 fakes of 2 actions.", COMMON)
    assert table.picture == folder / "table3" / "table3.png"
    assert [f.suffix for f in table.files] == [".parquet", ".md", ".tex"]


def test_numbers_behind_the_cells_are_means_over_seeds(folder: Path) -> None:
    table = sheet(folder, "table3")
    assert set(table.numbers) == {
        ("raw", "ResNet-50"), ("raw", "MesoInception-4"), ("light (c23)", "ResNet-50"),
        ("heavy (c40)", "ResNet-50"),
    }  # fmt: skip
    meso = table.numbers["raw", "MesoInception-4"]
    assert meso.seeds == 2
    assert meso.evaluation.frame["accuracy"].value == pytest.approx(0.6)
    assert (meso.evaluation.num_frames, meso.evaluation.num_clips) == (10, 5)
    assert (meso.chance, meso.evaluation.num_identities) == (0.6, 3)


def test_table3_becomes_the_cells_that_the_page_opens_with(folder: Path) -> None:
    cells = table3_cells(sheet(folder, "table3"))
    assert len(cells) == 15
    best = cells["raw", "resnet50"]
    assert best.frame_accuracy is not None
    assert best.frame_accuracy.value == pytest.approx(0.931)
    assert best.paper is not None
    assert best.paper.percent == "96.58%"
    assert best.learnt
    assert cells["c40", "resnet50"].frame_accuracy is not None
    assert cells["raw", "xception"].frame_accuracy is None


def test_a_row_of_the_papers_alone_and_a_name_with_a_bar(folder: Path) -> None:
    table = sheet(folder, "table1")
    assert table.cells["DFDC", "real"] == Written("–", "48,190")
    assert table.cells["a|b", "fake"] == Written("6")
    assert table.numbers == {}
    assert table.wanted == 2


def test_figures_without_a_table(folder: Path) -> None:
    assert sheet(folder, "figure7").rows == ()
    missing = sheet(folder, "figure10")
    assert missing.picture is None
    assert missing.sentences[0].startswith("Not run: ")


def test_what_cannot_be_read_is_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no table and no figure"):
        read_experiments(tmp_path / "nothing")
    page = folder / "table3" / "table3.md"
    text = page.read_text()
    for broken, said in (
        (text.replace("# Table 3", "Table 3"), "no title"),
        (text.replace("| – | – |", "| – |", 1), "rows differ in length"),
        (text.replace("<sup>2,3</sup>", "<sup>2,9</sup>"), "note 9 where there are 3"),
        (text.replace("(table3.png)", "(gone.png)"), "shows gone.png"),
        (re.sub(r"\| heavy .*\n", "", text), "has 2 rows"),
    ):
        page.write_text(broken)
        with pytest.raises(InputError, match=said):
            read_sheet(folder / "table3")
    page.write_text(text)
    (folder / "table3" / "table3.parquet").write_bytes(b"torn")
    with pytest.raises(InputError, match=r"table3\.parquet: cannot be read"):
        read_sheet(folder / "table3")


def test_what_the_command_writes_is_what_is_read(tmp_path: Path) -> None:
    entry = real.Entry("93.1% [90.2, 95.4]", "~96.58%", ("a note", "not | told"))
    entries = {("a|b", "x"): entry, ("c", "y"): real.Entry("not run", "", ("not run: why",))}
    written = real.Sheet(
        "figure4", "Figure 4: parts: of them", ("a|b", "c"), ("x", "y"), entries,
        ("One sentence.", "Another."), "figure4.png", "What | it shows (all of it)",
    )  # fmt: skip
    (tmp_path / "figure4").mkdir()
    (tmp_path / "figure4" / "figure4.md").write_text(real.markdown(written))
    (tmp_path / "figure4" / "figure4.png").write_bytes(b"")
    pl.DataFrame({"step": [1]}).write_parquet(tmp_path / "figure4" / "figure4.parquet")
    found = read_sheet(tmp_path / "figure4")
    assert (found.title, found.rows, found.columns) == (
        written.title, written.rows, written.columns,
    )  # fmt: skip
    assert found.cells == {
        key: Written(e.ours, e.paper, e.notes) for key, e in written.entries.items()
    }
    assert (found.sentences, found.alt) == (written.sentences, written.alt)
