"""`result.json` is read as it was written; what is wrong is refused in one line with its place."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.experiments.results import (
    ORDER,
    Heading,
    Published,
    RegionShare,
    ResultCell,
    ResultPicture,
    ResultTable,
    ResultTile,
    Score,
    SeedScore,
    read_result,
    read_results,
    write_result,
)
from dfmnist.stats.intervals import Estimate

STAMP = "smoke, not a result"


def seed(number: int, value: float) -> SeedScore:
    metrics = {"accuracy": Estimate(value, value - 0.1, value + 0.1, 40, 4)}
    return SeedScore(
        seed=number, run=f"resnet50-raw-{number}", steps=300 + number, initialisation="random",
        frame=metrics, clip={**metrics, "auc": Estimate(0.9, 0.8, 1.0, 10, 4)},
    )  # fmt: skip


SCORE = Score(
    network="resnet50", size_px=64, frames_per_clip=4, trained_on="ours", trained_quality="raw",
    tested_on="ours", tested_quality="raw", chance=0.5, learnt=True,
    seeds=(seed(0, 0.8), seed(1, 0.6)),
)  # fmt: skip
TABLE = ResultTable(
    name="table3",
    title="Table 3: five detectors, three qualities",
    rows=(Heading(key="raw", title="raw"), Heading(key="a|b", title="a | b")),
    columns=(Heading(key="resnet50", title="ResNet-50"), Heading(key="xception", title="X")),
    cells=(
        ResultCell(
            row="raw", column="resnet50", state="run", value=0.7, low=0.6, high=0.8, n=40,
            groups=4, spread=0.14, notes=(STAMP,), score=SCORE,
            paper=Published(text="96.58%", value=0.9658, place="Table 3, raw, resnet50"),
        ),
        ResultCell(row="raw", column="xception", state="not run", notes=("not run: why", STAMP)),
        ResultCell(row="a|b", column="resnet50", state="counted", unit="count", value=3, n=7),
        ResultCell(
            row="a|b", column="xception", state="run", value=0.3, low=0.2, high=0.4, n=9, groups=1,
            region=RegionShare(area=0.1, times_area=3.0, left_out=1, clips=2),
        ),
    ),
    sentences=("Differs | from\nthe paper.",),
    picture=ResultPicture(file="table3.png", light="table3-light.svg", dark="t.svg", alt="what"),
    tiles=(
        ResultTile(
            file="table3-00.jpg", title="Yaw", alt="a yaw", clip_id="fake-yaw", label="fake",
            action="yaw", quality="raw",
        ),
    ),
    files=("table3.md",),
    stamp=STAMP,
    manifest_hash="0" * 64,
    recipe="smoke",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The table written, with empty files where it names some."""
    write_result(tmp_path / "table3", TABLE)
    for name in TABLE.file_names:
        (tmp_path / "table3" / name).touch()
    return tmp_path / "table3"


def test_what_is_written_is_read(folder: Path) -> None:
    found = read_result(folder)
    assert found == TABLE
    assert read_results(folder.parent) == (TABLE,)
    assert (found.short, found.heading) == ("Table 3", "Five detectors, three qualities")
    assert (found.ran, found.wanted) == (3, 4)
    assert found.footnotes == (STAMP, "not run: why")
    assert read_json(folder / "result.json")["schema_version"] == 1


def test_metrics_behind_a_cell_are_means_over_seeds(folder: Path) -> None:
    score = read_result(folder).by_place["raw", "resnet50"].score
    assert score is not None
    assert score.frame["accuracy"].value == pytest.approx(0.7)
    assert score.clip["auc"].low == pytest.approx(0.8)
    assert score.clip["auc"].n == 10
    assert (score.run, score.steps, len(score.seeds)) == ("resnet50-raw-0", 300, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.update(schema_version=2), "schema_version is 2; expected 1"),
        (lambda v: v.update(schema_version="1"), "schema_version is '1'; expected 1"),
        (lambda v: v.pop("schema_version"), "schema_version is None"),
        (lambda v: v.pop("title"), "title: Field required"),
        (lambda v: v.update(surprise=1), "surprise: Extra inputs are not permitted"),
        (lambda v: v["cells"][0].update(value=1.2), "cells.0: .*outside 0 to 1"),
        (lambda v: v["cells"][0].update(value=None), "cells.0: .*has no value"),
        (lambda v: v["cells"][1].update(value=0.5), "cells.1: .*'not run' has a value"),
        (lambda v: v["cells"][0].update(state="ran"), "cells.0.state"),
        (lambda v: v["cells"][0].update(row="c40"), "row 'c40', which is not listed"),
        (lambda v: v["cells"].append(v["cells"][1]), "two cells in one place"),
        (lambda v: v["rows"].append(v["rows"][0]), "a row stands twice"),
        (lambda v: v["cells"][0]["score"].update(seeds=[]), "cells.0.score.seeds"),
        (lambda v: v["tiles"][0].update(file="../../x.jpg"), "tiles.0.file"),
        (lambda v: v.update(files=["/etc/passwd"]), "files.0"),
        (lambda v: v.update(name="table4"), "name: 'table4'; expected 'table3'"),
        (lambda v: v.update(files=["gone.md"]), "names gone.md, which is not beside it"),
        (lambda v: v["cells"][0]["score"]["seeds"][0]["clip"]["auc"].update(value=float("nan")),
         "clip.auc.value: Input should be a finite number"),
    ],
)  # fmt: skip
def test_a_bad_record_is_one_line(
    folder: Path, change: Callable[[dict[str, Any]], Any], said: str
) -> None:
    values = read_json(folder / "result.json")
    change(values)
    write_json(folder / "result.json", values)
    with pytest.raises(InputError, match=said) as error:
        read_result(folder)
    assert str(error.value).startswith(f"{folder / 'result.json'}: ")
    assert "\n" not in str(error.value)


def test_no_result_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no table and no figure"):
        read_results(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_result(tmp_path / "table3")
    (tmp_path / "table3").mkdir()
    (tmp_path / "table3" / "result.json").write_text("[]")
    with pytest.raises(InputError, match="schema_version is None"):
        read_result(tmp_path / "table3")


def test_results_come_in_the_papers_order(folder: Path) -> None:
    for name in ("figure2", "conclusions", "table2"):
        write_result(folder.parent / name, ResultTable(name=name, title=name))
    names = [table.name for table in read_results(folder.parent)]
    assert names == ["table2", "figure2", "table3", "conclusions"]
    assert len(set(ORDER)) == len(ORDER)


def test_reading_results_imports_no_torch() -> None:
    code = "import sys, dfmnist.experiments.results; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_metric_that_is_no_number_is_not_written() -> None:
    with pytest.raises(ValueError, match="auc is not a number"):
        SeedScore(seed=0, run="r", steps=1, initialisation="random", frame={},
                  clip={"auc": Estimate(float("nan"), 0, 1, 4, 2)})  # fmt: skip
