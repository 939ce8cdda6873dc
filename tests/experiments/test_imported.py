"""Experiments on datasets that somebody else made: without actions, and Tables 2 and 6 for real."""

from pathlib import Path

import pytest
from tests.dataset.test_layouts import celeb_df, faceforensics, imported, uadfv
from tests.dataset.trees import differ
from tests.running import called

from dfmnist import recipes
from dfmnist.dataset.manifest import read_manifest
from dfmnist.experiments.plan import PlanContext, count_clips
from dfmnist.experiments.results import ResultTable, read_result, read_results
from dfmnist.experiments.run import EXPERIMENTS

UNTRAINED = ("table1", "figure1", "figure2", "figure8", "figure9", "figure10")


@pytest.fixture
def swaps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """UADFV, which states no action and has one quality."""
    root = tmp_path / "uadfv/files"
    root.mkdir(parents=True)
    uadfv(root)
    return imported("uadfv", differ(root), capsys).root


def test_figures_of_a_dataset_without_actions(
    swaps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that make sense are drawn; the others say in one line why not."""
    out = tmp_path / "out"
    code, _, err = called(
        capsys, "experiment", swaps, *UNTRAINED, "--recipe", "smoke", "--out", out
    )
    assert code == 0, err
    made: dict[str, ResultTable] = {table.name: table for table in read_results(out)}
    assert set(made) == set(UNTRAINED)
    row = {cell.column: cell for cell in made["table1"].cells if cell.row == swaps.name}
    assert (row["real"].value, row["fake"].value) == (8, 8)
    assert row["type of generation"].text == "fakeapp"
    assert [tile.quality for tile in made["figure9"].tiles] == ["original"]
    for name in ("figure1", "figure10"):
        assert made[name].sentences == ("Not run: the dataset has no fake of an action.",)
    for name in ("figure2", "figure8"):
        (said,) = made[name].sentences
        assert said.startswith("Not run: the dataset was imported, so nothing of it was screened")


def test_the_plan_of_a_dataset_without_actions(swaps: Path) -> None:
    counts = count_clips("swaps", read_manifest(swaps))
    context = PlanContext(counts, recipes.experiments_smoke())

    def cells(name: str) -> tuple[set[str], set[str]]:
        """Rows that are run, and the reasons of the others."""
        plan = EXPERIMENTS[name].plan(context)
        ran = {cell.row for cell in plan.cells if cell.scores}
        return ran, {cell.missing for cell in plan.cells if cell.missing}

    no_actions = "swaps states no actions; run it with a dataset whose fakes have one"
    assert cells("figure5") == ({"All, a tenth of them"}, {no_actions})
    ran, missing = cells("figure6")
    assert ran == set()
    assert no_actions in missing
    assert "swaps has no clips in raw, only original" in missing
    assert cells("table3")[0] == {"original"}


@pytest.mark.soak
def test_everything_on_a_dataset_without_actions(
    swaps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, _, err = called(capsys, "experiment", swaps, "all", "--recipe", "smoke", "--out", out)
    assert code == 0, err
    assert {table.name for table in read_results(out)} == set(EXPERIMENTS)
    page = (out / "experiments.md").read_text()
    code, _, err = called(capsys, "report", swaps, "--experiments", out, "--out", tmp_path / "page")
    assert code == 0, err
    assert page


OTHERS = {"deepfakes": "deepfake", "face2face": "Face2Face", "neuraltextures": "NeuralTextures"}
"""Names of `--other`, and the paper's."""


@pytest.mark.soak
def test_tables_2_and_6_from_faceforensics_to_the_result(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """FaceForensics++ as it is downloaded in c23 and c40, with its official split."""
    root, out = tmp_path / "files", tmp_path / "out"
    faceforensics(root)
    for quality in ("c23", "c40"):
        methods = root / "manipulated_sequences"
        for path in sorted((methods / "Face2Face" / quality / "videos").iterdir()):
            new = methods / "NeuralTextures" / quality / "videos" / path.name
            new.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(path.read_bytes())
    differ(root)
    others: list[object] = []
    for name in OTHERS:
        folder = tmp_path / name
        code, _, err = called(
            capsys, "dataset", "import", "faceforensics", root, "--method", name, "--out", folder
        )
        assert code == 0, err
        assert read_manifest(folder).info.official_splits
        others += ["--other", f"{name}={folder}"]
    celeb_df(tmp_path / "celeb/files")
    celeb = imported("celeb-df-v2", differ(tmp_path / "celeb/files"), capsys).root
    others += ["--other", f"Celeb-DF-v2={celeb}"]
    code, _, err = called(
        capsys, "experiment", drawn, "table2", "table6", *others, "--recipe", "smoke", "--out", out
    )
    assert code == 0, err
    table = read_result(out / "table2")
    cells = {(cell.row, cell.column): cell for cell in table.cells}
    assert len(cells) == 11
    assert {cell.state for cell in cells.values()} == {"run"}
    for column in OTHERS.values():
        own, crossed, tuned = (cells[row, column] for row in ROWS)
        assert own.score is not None
        assert crossed.score is not None
        assert tuned.score is not None
        assert (own.score.trained_on, own.score.tested_on) == (column, column)
        assert (crossed.score.trained_on, crossed.score.tested_on) == (column, "drawn")
        assert (tuned.score.tested_on, tuned.score.trained_quality) == (column, "c23")
        assert {own.score.tested_quality, crossed.score.tested_quality} == {"c23"}
        assert own.n == 4 * 2  # the official test pair: both originals and both fakes, two frames
    said = "\n".join(table.sentences)
    assert "Face2Face has no clips in raw: trained on it in c23, tested in c23." in said
    assert not (out / "surrogates").exists()
    six = read_result(out / "table6")
    ran = {(cell.row, cell.column): cell for cell in six.cells if cell.state == "run"}
    assert set(ran) == {(row, "Celeb-DF") for row in ("without fine-tuning", "fine-tuned")}
    before, after = (cell.score for cell in ran.values())
    assert before is not None
    assert after is not None
    assert (before.trained_on, before.trained_quality, before.tested_on, before.tested_quality) == (
        "Celeb-DF", "original", "drawn", "raw",
    )  # fmt: skip
    assert (after.trained_on, after.trained_quality) == ("drawn", "raw")
    assert "Celeb-DF" in after.started_from


ROWS = ("original", "on DeepFake MNIST+", "fine-tuned")
