"""`dfmnist experiment` on a tiny dataset: plans printed, tables made, runs shared and resumed."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from tests.running import called, refused

import dfmnist
from dfmnist import recipes
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json
from dfmnist.core.jobs import engine
from dfmnist.dataset.manifest import Manifest, manifest_hash, read_manifest
from dfmnist.detectors.external import parse_external
from dfmnist.experiments import cost
from dfmnist.experiments.cost import cost_of, describe
from dfmnist.experiments.execute import execute
from dfmnist.experiments.plan import Plan, PlanContext, count_clips
from dfmnist.experiments.render import latex, markdown, tidy
from dfmnist.experiments.results import RESULT, read_results
from dfmnist.experiments.run import EXPERIMENTS, Request, parse_other, run_experiments

SOME = ("table1", "table2", "figure2", "figure6", "figure8", "figure10")
ALL_FILES = ("parquet", "md", "tex")


def test_the_plan_is_printed_and_nothing_is_written(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with monkeypatch.context() as patch:  # five networks, each of which takes a second to time
        patch.setattr(cost, "measured", lambda runs, step_s: dict.fromkeys(runs, 1.0))
        code, out, _ = called(
            capsys, "experiment", drawn, "table3", "table4", "table6", "--out",
            tmp_path / "out", "--recipe", "smoke", "--dry-run", "--workers", 2,
        )  # fmt: skip
    assert code == 0
    # six of Table 3, none of Table 4's own, two of Table 6 and two that go on from them
    assert "distinct runs: 10, each trained once" in out
    assert "Table 3: five detectors, three qualities (table3): 6 of 15 cells, 6 runs" in out
    assert "not run: needs the dataset: --other DFDC=MANIFEST" in out
    assert "from run" in out
    assert "with 2 side by side" in out
    code, out, _ = called(
        capsys, "experiment", drawn, "figure6", "--recipe", "smoke", "--dry-run", "--json",
    )  # fmt: skip
    assert code == 0
    plan = json.loads(out)
    (one,) = plan["experiments"]
    assert (one["name"], one["runs"], one["cells_with_runs"]) == ("figure6", 3, 33)
    assert len(plan["runs"]) == 3
    assert plan["steps"] == sum(run["steps"] for run in plan["runs"])
    assert 0 < plan["seconds"] < 600  # from a timed step
    assert not (tmp_path / "out").exists()


def test_the_time_follows_from_the_step() -> None:
    counts = count_clips("x", Manifest(Path("."), ()))
    counts = replace(counts, fakes=(("yaw", 16),), reals=16, validation=8, test=8, frames=50)
    context = PlanContext(counts, replace(recipes.experiments_demo(), main="resnet50"))
    plans = {EXPERIMENTS["figure7"]: EXPERIMENTS["figure7"].plan(context)}
    # 32 clips of 16 frames in batches of 32: 16 steps a pass, so 2 passes an epoch, 10 epochs; 128
    # frames to validate and 128 for the norms are 8 forward passes of a third of a step each
    text = describe(cost_of(plans, context, step_s=lambda config: 1.0))
    assert "16 fake + 16 real clips, 10 epochs, 320 steps, 6 min" in text
    assert "320 steps, 0 scorings: about 6 min" in text


@pytest.fixture(scope="module")
def small(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few experiments, run."""
    out = tmp_path_factory.mktemp("out")
    run_experiments(Request(SOME, drawn, recipes.experiments_smoke()), out / "e")
    return out / "e"


def test_each_comes_out_in_four_ways(small: Path, drawn: Path) -> None:
    for name in SOME:
        for kind in ALL_FILES:
            assert (small / name / f"{name}.{kind}").stat().st_size > 0
        rows = pl.read_parquet(small / name / f"{name}.parquet")
        assert set(rows["manifest"]) == {manifest_hash(drawn)}
        pictures = [p for kind in ("png", "jpg") for p in small.glob(f"{name}/{name}.{kind}")]
        assert len(pictures) == 1
    page = (small / "experiments.md").read_text()
    assert page.count("\n# ") + page.startswith("# ") == len(SOME)
    for line in page.splitlines():
        if line.startswith("!["):
            assert (small / line.rpartition("](")[2].rstrip(")")).is_file()


def test_every_view_is_made_from_the_result(small: Path) -> None:
    tables = read_results(small)
    assert {table.name for table in tables} == set(SOME)
    for table in tables:
        folder = small / table.name
        assert (folder / f"{table.name}.md").read_text() == markdown(table)
        assert (folder / f"{table.name}.tex").read_text() == latex(table)
        assert pl.read_parquet(folder / f"{table.name}.parquet").equals(tidy(table))
        assert markdown(table, f"{table.name}/").strip() in (small / "experiments.md").read_text()
        assert (table.dataset, table.recipe) == ("drawn", "smoke")
    stamps = {table.name: table.stamp for table in tables}
    assert stamps["table2"] == stamps["figure6"] == "smoke, not a result"
    assert stamps["table1"] == stamps["figure2"] == ""


def test_results_are_read_without_their_views(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small, tmp_path / "e")
    for name in SOME:
        for kind in ALL_FILES:
            (tmp_path / "e" / name / f"{name}.{kind}").write_bytes(b"torn")
    assert read_results(tmp_path / "e") == read_results(small)


def test_no_module_takes_text_apart() -> None:
    """Results are numbers in `result.json`; two modules look into text, of pictures and reasons."""
    rooms = Path(dfmnist.__file__).parent
    users = {
        f"{room}/{path.name}"
        for room in ("experiments", "reports")
        for path in (rooms / room).glob("*.py")
        if re.search(r"^\s*(import re\b|from re import)", path.read_text(), re.MULTILINE)
    }
    assert users == {"reports/sizes.py", "reports/text.py"}


def test_a_result_that_is_drawn_again_is_gone_until_it_is_whole(
    small: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dfmnist.experiments.dataset_figures._pipeline_chart", stop)
    request = Request(("figure8",), drawn, recipes.experiments_smoke())
    with pytest.raises(KeyboardInterrupt):
        run_experiments(request, small)
    assert not (small / "figure8" / RESULT).exists()
    monkeypatch.undo()
    run_experiments(request, small)
    assert (small / "figure8" / RESULT).is_file()


def test_every_cell_that_was_run_is_stamped_and_no_other_has_a_value(small: Path) -> None:
    table = pl.read_parquet(small / "table2" / "table2.parquet")
    ran = table.filter(pl.col("value").is_not_null())
    assert set(ran["status"]) == {"smoke, not a result"}
    assert set(table.filter(pl.col("value").is_null())["status"]) == {"not run"}
    assert set(ran["column"]) == {"DeepFake MNIST+", "mesh warp", "face swap"}
    cells = {(r["row"], r["column"]): r for r in ran.iter_rows(named=True)}
    assert cells["fine-tuned", "mesh warp"]["trained_on"] == "mesh warp+face swap"
    assert cells["fine-tuned", "mesh warp"]["started_from"] == "mesoinception4 trained on drawn"
    assert cells["on DeepFake MNIST+", "face swap"]["tested_on"] == "drawn"


def test_runs_are_shared_and_fine_tuning_starts_from_its_run(small: Path) -> None:
    folders = list((small / "runs").iterdir())
    tables = [pl.read_parquet(small / n / f"{n}.parquet") for n in ("table2", "figure6")]
    named = {run for table in tables for run in table["run"].drop_nulls()}
    assert {f.name for f in folders} == named
    same = (
        pl.col("trained_on") == "drawn",
        pl.col("network") == "mesoinception4",
        pl.col("trained_quality") == "raw",
    )
    raw = [set(t.filter(*same)["run"]) for t in tables]
    assert raw[0] == raw[1]
    assert len(raw[0]) == 1
    starts = [read_json(f / "config.json")["weights"] for f in folders]
    tuned = [s for s in starts if s != "none"]
    assert [Path(s).parent.name for s in tuned] == list(raw[0])


def test_a_second_call_trains_nothing(small: Path, drawn: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (small / "runs").rglob("*")}
    scores = {p: p.stat().st_mtime_ns for p in (small / "scores").iterdir()}
    request = Request(("figure6",), drawn, recipes.experiments_smoke())
    run_experiments(request, small)
    assert {p: p.stat().st_mtime_ns for p in (small / "runs").rglob("*")} == before
    assert {p: p.stat().st_mtime_ns for p in (small / "scores").iterdir()} == scores


def test_a_run_that_fails_does_not_stop_the_others(drawn: Path, tmp_path: Path) -> None:
    counts = count_clips("drawn", read_manifest(drawn))
    context = PlanContext(counts, recipes.experiments_smoke())
    bad = context.run("resnet50", learning_rate=1e30, size_px=33)
    good = context.run("mesoinception4")
    broken = replace(bad, config=replace(bad.config, weights=str(tmp_path / "none.pth")))
    child = replace(good, config=good.config, start=broken)
    plan = Plan(more_runs=(broken, good, child))
    found = execute([plan], {"drawn": drawn}, tmp_path / "out")
    assert found.runs[good].folder is not None
    assert "none.pth" in found.runs[broken].reason
    assert "the run it starts from failed" in found.runs[child].reason
    assert len(found.failures) == 2


def test_bad_words_are_refused(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def line(*more: object) -> str:
        return refused(capsys, "experiment", drawn, "--out", tmp_path / "o", *more)

    assert "experiment 'table7'" in line("table7")
    best = line("table1", "--recipe", "best")
    assert "'--recipe': 'best' is not one of 'smoke', 'demo', 'study', 'paper'" in best
    assert "--other DFDC; expected NAME=MANIFEST" in line("table6", "--other", "DFDC")
    assert "'spark' is not one of 'local', 'ray'" in line("table1", "--engine", "spark")
    assert "--seeds 0" in line("table1", "--seeds", 0)
    assert "--imagenet with --recipe demo" in line("table1", "--imagenet", tmp_path)
    twice = ("--other", f"DFDC={drawn}", "--other", f"dfdc={drawn}")
    assert "each dataset once" in line("table6", *twice)
    assert "no such file" in refused(capsys, "experiment", tmp_path / "x", "table1")
    monkeypatch.setitem(sys.modules, "ray", None)
    ray = called(capsys, "experiment", drawn, "figure7", "--out", tmp_path / "o",
                 "--recipe", "smoke", "--engine", "ray")  # fmt: skip
    assert ray[0] == 2
    assert "pip install 'dfmnist[ray]'" in ray[2]


def test_other_is_a_name_and_a_manifest() -> None:
    assert parse_other("Celeb-DF=/d/celeb") == ("Celeb-DF", Path("/d/celeb"))
    with pytest.raises(InputError):
        parse_other("=x")


@pytest.mark.soak
def test_everything_at_smoke_size(drawn: Path, tmp_path: Path) -> None:
    recipe = recipes.experiments_smoke()
    with engine(workers=2):
        run_experiments(Request(("all",), drawn, recipe, seeds=2), tmp_path)
    for name in EXPERIMENTS:
        for kind in ALL_FILES:
            assert (tmp_path / name / f"{name}.{kind}").is_file()
    table = pl.read_parquet(tmp_path / "figure3" / "figure3.parquet")
    assert set(table["status"]) == {"not run", recipe.stamp}
    assert set(table["seed"].drop_nulls()) == {0, 1}


def test_your_own_detector_stands_in_table3(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ModuleType("made_for_table3")
    made.bright = lambda frames: frames.mean((1, 2, 3)) / 255  # type: ignore[attr-defined]
    made.broken = lambda frames: None / 2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_for_table3", made)
    recipe = replace(recipes.experiments_smoke(), tables={})
    own = tuple(
        parse_external(f"made_for_table3:{name}", frames=2) for name in ("bright", "broken")
    )
    request = Request(("table3",), drawn, recipe, external=own)
    with pytest.raises(InputError, match=r"1 of the runs failed, the rest is in .*: --detector m"):
        run_experiments(request, tmp_path / "e")
    (table,) = read_results(tmp_path / "e")
    for quality in ("raw", "c23", "c40"):
        bright, broken = (table.by_place[quality, name] for name in ("bright", "broken"))
        assert bright.state == "run"
        assert bright.notes[0] == "your detector: not trained here"
        assert bright.score is not None
        assert (bright.score.network, bright.score.frames_per_clip) == ("bright", 2)
        assert broken.state == "not run"
        assert "the function raised TypeError" in broken.notes[0]
    with pytest.raises(InputError, match="two detectors are called resnet50; expected NAME="):
        Request(("table3",), drawn, recipe, external=(parse_external("resnet50=a:b"),))
