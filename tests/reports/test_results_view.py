"""The paper's tables and figures on the page, from the files of `dfmnist experiment` alone."""

import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.reports.experiments import COMMON, LEFT_OUT, STAMP
from tests.reports.test_page import Page
from tests.running import called, refused

from dfmnist.core.errors import InputError
from dfmnist.reports.page import ReportContext, write_report
from dfmnist.reports.sizes import size_of


@pytest.fixture(scope="module")
def page(whole: Any) -> Page:
    return Page(whole.html)


def article(html: str, name: str) -> str:
    """The words of one table or figure."""
    part = html[html.index(f'<article class="paper-sheet" id="{name}"') :]
    return Page(part[: part.index("</article>") + 10]).words


def test_sheets_stand_in_the_papers_order_and_are_in_both_lists(whole: Any, page: Page) -> None:
    ids = [a["id"] for t, a in page.tags if a.get("class") == "paper-sheet"]
    assert ids == ["table1", "table3", "figure5", "figure7", "figure10"]
    hrefs = [a["href"] for a in page.all("a")]
    assert "#paper" in hrefs
    assert all(f"#{name}" in hrefs for name in ids)


def test_cells_have_the_papers_value_interval_stamp_and_note(whole: Any) -> None:
    table = article(whole.html, "table3")
    assert "93.1% 90.2 to 95.4% paper 96.58% whole clips 93.1%, AUC 0.93" in table
    assert f"60.0 ± 0.4% 50.0 to 100.0% paper 60.39% whole clips 60.0%, AUC 0.60 {STAMP}" in table
    assert "not told from chance (60%)" in table
    assert "not run 1 paper 96.64%" in table
    assert LEFT_OUT in table
    assert "4 of 5 cells run" in Page(whole.html).words
    assert "DFDC the paper’s 48,190 104,500" in article(whole.html, "table1")
    assert "paper ~72.3%" in article(whole.html, "figure5")


def test_bars_lie_where_the_numbers_are(whole: Any) -> None:
    part = whole.html[whole.html.index('id="table3"') :]
    bar = re.search(
        r'<u style="left:([\d.]+)%"></u><i style="left:([\d.]+)%;width:([\d.]+)%"></i>'
        r'<b style="left:([\d.]+)%">', part,
    )  # fmt: skip
    assert bar is not None
    assert [float(v) for v in bar.groups()] == [60.0, 90.2, 5.2, 93.1]


def test_what_all_say_is_said_once_and_escaped(whole: Any, page: Page) -> None:
    assert page.words.count(COMMON) == 1
    assert "<nobody" not in whole.html
    assert "Frames: 2 of each clip." in article(whole.html, "figure5")
    assert "Frames: 2 of each clip." not in article(whole.html, "table3")


def test_nothing_is_shown_twice(whole: Any, page: Page) -> None:
    assert page.words.count("DFDC") == 1
    assert 'class="t3"' not in whole.html
    assert "Can a detector tell them apart?" not in page.words
    assert not list((whole.page.parent / "assets" / "figures").glob("figure6*"))


def test_the_page_opens_with_the_experiments_table3(whole: Any, made: Any) -> None:
    assert "ResNet-50 names 93.1% of single frames correctly" in whole.headline[-1]
    assert "smoke size" in whole.headline[-1]  # one cell is stamped
    assert "93.1%" not in made.headline[-1]


def test_a_figure_not_run_says_so(whole: Any) -> None:
    assert "Not run: the dataset has no folder of driving clips" in article(whole.html, "figure10")


def test_experiments_alone_are_enough(whole: Any, tmp_path: Path) -> None:
    path, headline = write_report(
        whole.dataset, tmp_path / "no-runs", tmp_path / "out", ReportContext(), whole.experiments
    )
    html = path.read_text(encoding="utf-8")
    assert "93.1%" in headline[-1]
    assert article(html, "table3") == article(whole.html, "table3")
    assert "Figure 7 (class activation maps) was not run" in Page(html).words


def test_experiments_of_another_dataset_are_refused(whole: Any, tmp_path: Path) -> None:
    shutil.copytree(whole.experiments, tmp_path / "experiments")
    rows = tmp_path / "experiments" / "figure7" / "figure7.parquet"
    pl.read_parquet(rows).with_columns(clip_id=pl.lit("fake-elsewhere")).write_parquet(rows)
    with pytest.raises(InputError, match="shows clip fake-elsewhere, which is not in --data"):
        write_report(
            whole.dataset, whole.runs, tmp_path / "out", ReportContext(), tmp_path / "experiments"
        )


def test_experiments_from_before_the_dataset_changed_are_refused(
    whole: Any, tmp_path: Path
) -> None:
    shutil.copytree(whole.experiments, tmp_path / "experiments")
    rows = tmp_path / "experiments" / "table3" / "table3.parquet"
    pl.read_parquet(rows).with_columns(manifest=pl.lit("0" * 64)).write_parquet(rows)
    with pytest.raises(InputError, match=r"table3\.parquet.* was made on another dataset"):
        write_report(
            whole.dataset, whole.runs, tmp_path / "out", ReportContext(), tmp_path / "experiments"
        )


def test_every_picture_has_its_true_size(whole: Any, page: Page) -> None:
    root = whole.page.parent
    for attrs in page.all("img"):
        path = root / str(attrs["src"])
        assert (int(str(attrs["width"])), int(str(attrs["height"]))) == size_of(path), path
    for attrs in page.all("video"):
        assert attrs["width"], attrs
        assert attrs["height"], attrs
    chart = next((root / "assets" / "paper").glob("table3-light.svg"))
    assert size_of(chart) == (216, 144)  # three by two inches in points


def test_maps_are_a_detector_a_row_and_an_action_a_column(whole: Any, page: Page) -> None:
    maps = [a for a in page.all("img") if "/maps/" in str(a["src"])]
    # ResNet-50 on raw alone has weights: the frames and one row of maps, of the two actions
    assert len(maps) == 4
    assert [a["alt"] for a in maps[2:]] == [
        "Yaw: where ResNet-50 (trained on raw) looks",
        "Smile: where ResNet-50 (trained on raw) looks",
    ]
    assert len(re.findall(r"P\(fake\) [01]\.\d\d", page.words)) == 2


def test_it_is_small(whole: Any) -> None:
    total = sum(p.stat().st_size for p in whole.page.parent.rglob("*") if p.is_file())
    assert total < 10e6


def test_the_command_takes_experiments_with_or_without_runs(
    whole: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("report", "--data", whole.dataset, "--out", tmp_path / "out")
    assert "--runs nor --experiments" in refused(capsys, *given)
    code, text, _ = called(capsys, *given, "--experiments", whole.experiments)
    assert code == 0
    assert "ResNet-50 names 93.1%" in text
    assert (tmp_path / "out" / "index.html").is_file()
