"""The paper's tables and figures on the page, from the results of `dfmnist experiment` alone."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.reports.experiments import COMMON, LEFT_OUT, NO_FOLDER, STAMP, store
from tests.reports.test_page import Page, article
from tests.running import called, refused

from dfmnist.core.errors import InputError
from dfmnist.experiments.results import ResultCell, read_result
from dfmnist.reports.page import write_report
from dfmnist.reports.results_view import _cell
from dfmnist.reports.sizes import size_of


@pytest.fixture(scope="module")
def page(whole: Any) -> Page:
    return Page(whole.html)


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
    assert "not above chance (60%)" in table
    assert "not run 1 paper 96.64%" in table
    assert LEFT_OUT in table
    assert "4 of 5 cells run" in Page(whole.html).words
    assert "DFDC the paper’s 48,190 104,500" in article(whole.html, "table1")
    assert "a|b 9 1,006" in article(whole.html, "table1")
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


def test_every_unit_is_written_as_people_read_it() -> None:
    def words(**values: Any) -> tuple[str, str]:
        view = _cell(ResultCell(row="r", column="c", state="run", **values), ())
        return view.text, view.interval

    share = {"value": 0.5, "low": 0.25, "high": 0.75}
    assert words(**share, groups=0) == ("50.0%", "25.0 to 75.0%")
    assert words(**share, groups=1) == ("50.0%", "no interval: one person")
    assert words(value=0.5) == ("50.0%", "")
    assert words(unit="points", value=-0.021, low=-0.05, high=0.01) == ("−2.1", "−5.0 to +1.0")
    assert words(unit="count", value=6, n=9) == ("6 of 9", "")
    assert words(unit="count", value=104500) == ("104,500", "")
    assert words(unit="text", text="not decided") == ("not decided", "")


def test_the_page_opens_with_the_experiments_table3(whole: Any, made: Any) -> None:
    assert "ResNet-50 classifies 93.1% of single frames correctly" in whole.headline[-1]
    assert "smoke size" in whole.headline[-1]  # one cell is stamped
    assert "93.1%" not in made.headline[-1]


def test_a_figure_not_run_says_so(whole: Any) -> None:
    assert NO_FOLDER in article(whole.html, "figure10")


def test_without_a_folder_of_runs_the_results_are_the_same(whole: Any, tmp_path: Path) -> None:
    folder = tmp_path / "experiments"
    shutil.copytree(whole.experiments, folder, ignore=shutil.ignore_patterns("runs"))
    path, headline = write_report(
        whole.dataset, tmp_path / "out", whole.context, experiments=folder
    )
    assert headline == whole.headline
    html = path.read_text(encoding="utf-8")
    assert article(html, "table3") == article(whole.html, "table3")
    assert "How the detectors learnt" not in Page(html).words


@pytest.mark.parametrize(
    ("field", "error"),
    [
        ({"manifest_hash": "0" * 64}, r"figure7/result\.json.* was made on another dataset"),
        ({"tiles": "elsewhere"}, "shows clip elsewhere, which is not in the dataset"),
    ],
    ids=["manifest", "clip"],
)
def test_results_of_another_dataset_are_refused(
    whole: Any, tmp_path: Path, field: dict[str, Any], error: str
) -> None:
    copy = tmp_path / "experiments"
    shutil.copytree(whole.experiments, copy)
    table = read_result(copy / "figure7")
    if "tiles" in field:
        moved = (t.model_copy(update={"clip_id": field["tiles"]}) for t in table.tiles)
        field = {"tiles": tuple(moved)}
    store(copy, table.model_copy(update=field))
    with pytest.raises(InputError, match=error):
        write_report(whole.dataset, tmp_path / "out", experiments=copy)


def test_every_picture_has_its_true_size(whole: Any, page: Page) -> None:
    root = whole.page.parent
    for attrs in page.all("img"):
        path = root / str(attrs["src"])
        assert (int(str(attrs["width"])), int(str(attrs["height"]))) == size_of(path), path
    for attrs in page.all("video"):
        assert attrs["width"], attrs
        assert attrs["height"], attrs
    chart = root / "assets" / "paper" / "table3" / "table3-light.svg"
    assert size_of(chart) == (216, 144)  # three by two inches in points


def test_maps_are_a_detector_a_row_and_an_action_a_column(whole: Any, page: Page) -> None:
    maps = [a for a in page.all("img") if "/figure7/" in str(a["src"])]
    assert [a["alt"] for a in maps] == [
        "Yaw: Frame (raw, untouched)",
        "Smile: Frame (raw, untouched)",
        "Yaw: MesoInception-4 (trained on raw)",
        "Smile: MesoInception-4 (trained on raw)",
        "Yaw: MesoInception-4 (trained on c40)",
        "Smile: MesoInception-4 (trained on c40)",
    ]
    told = article(whole.html, "figure7")
    assert told.count("P(fake) 0.93") == 4
    assert "maps show where it looked" in told  # Table 3 says that this detector guesses
    assert "4 maps" in page.words


def test_a_regions_share_is_set_beside_its_area(whole: Any) -> None:
    told = article(whole.html, "figure7")
    assert "42.0% 32.0 to 52.0% 2.1× its area" in told
    assert "25.0% 15.0 to 35.0% 1.0× its area" in told
    part = whole.html[whole.html.index('id="figure7"') :]
    assert part.count("<td class=more>") == 1  # the interval of one lies above its area
    assert '<u style="left:20.0%"></u><i style="left:32.0%;width:20.0%"></i>' in part


def test_it_is_small(whole: Any) -> None:
    total = sum(p.stat().st_size for p in whole.page.parent.rglob("*") if p.is_file())
    assert total < 10e6


def test_the_command_takes_experiments_with_or_without_runs(
    whole: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("report", whole.dataset, "--out", tmp_path / "out")
    assert "--runs nor --experiments" in refused(capsys, *given)
    code, text, _ = called(capsys, *given, "--experiments", whole.experiments)
    assert code == 0
    assert "ResNet-50 classifies 93.1%" in text
    assert (tmp_path / "out" / "index.html").is_file()


NO_TORCH = """
import sys
from dfmnist.cli import main
for arguments in {calls!r}:
    sys.argv = ["dfmnist", "report", *arguments]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
    loaded = [name for name in ("torch", "torchvision", "lightning") if name in sys.modules]
    assert not loaded, (arguments, loaded)
import dfmnist.experiments.run
assert "torch" not in sys.modules
"""


def test_a_report_imports_no_torch(whole: Any, made: Any, tmp_path: Path) -> None:
    """Nor do results of runs, which it makes, and the module that runs experiments."""
    ways = {
        "help": ["--help"],
        "runs": ["--runs", str(made.runs)],
        "recipe": ["--experiments", str(whole.experiments), "--recipe", "demo"],
    }
    calls = [[str(whole.dataset), "--out", str(tmp_path / way), *ways[way]] for way in ways]
    code = NO_TORCH.format(calls=calls)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made_pages = [way for way in ways if (tmp_path / way / "index.html").is_file()]
    assert made_pages == ["runs", "recipe"]
