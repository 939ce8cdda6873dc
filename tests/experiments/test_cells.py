"""From scores to cells, tidy rows, Markdown and LaTeX; the scores are written by the test."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from dfmnist import recipes
from dfmnist.core.files import write_json
from dfmnist.experiments.cells import SCHEMA, Cell, measure, tidy
from dfmnist.experiments.execute import Executed, RunOutcome
from dfmnist.experiments.facts import DatasetCounts
from dfmnist.experiments.paper import TABLE3
from dfmnist.experiments.plan import CellSpec, Plan, PlanContext, RunSpec, ScoreSpec
from dfmnist.experiments.render import Entry, Sheet, entry_of, latex, markdown, sheet_of
from dfmnist.stats.binary_metrics import NAMES

FACTS = DatasetCounts("ours", (("smile", 8),), 8, 4, 8, 50)
PUBLISHED = TABLE3["raw", "resnet50"]


def run_spec(seed: int = 0) -> RunSpec:
    return PlanContext(FACTS, recipes.experiments_demo()).run("resnet50", seed=seed)


def scores(right: int, people: str = "abcd", frames: int = 4) -> pl.DataFrame:
    """Of each clip the first `right` frames are right; a real and a fake smile a person."""
    rows = [
        {"clip_id": f"{label}-{person}", "quality": "raw", "split": "test", "label": label,
         "action": "smile", "source_id": person, "frame": frame,
         "logit": 1.0 if (frame < right) == (label == "fake") else -1.0}
        for person in people for label in ("real", "fake") for frame in range(frames)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def executed(tmp_path: Path, *right: int, steps: int = 300) -> tuple[Plan, Executed]:
    """A plan of one cell with a seed for each of `right`, and its files."""
    found = Executed()
    specs = []
    for seed, count in enumerate(right):
        run = run_spec(seed)
        folder = tmp_path / f"run-{seed}"
        write_json(folder / "run.json", {"steps": steps, "initialisation": "random"})
        score = ScoreSpec(run, "ours", "raw")
        scores(count).write_parquet(folder / "scores.parquet")
        found.runs[run], found.scores[score] = RunOutcome(folder), folder / "scores.parquet"
        specs.append(score)
    cell = CellSpec("raw", "resnet50", PUBLISHED, tuple(specs))
    return Plan("table3", "Table 3: t", (cell,)), found


def only(plan: Plan, found: Executed, stamp: str = "") -> Cell:
    (cell,) = measure(plan, found, stamp, draws=50)
    return cell


def test_a_cell_is_frame_accuracy_beside_the_papers(tmp_path: Path) -> None:
    cell = only(*executed(tmp_path, 3))
    assert cell.accuracy is not None
    assert cell.accuracy.value == 0.75
    assert (cell.accuracy.n, cell.accuracy.groups) == (32, 4)
    assert cell.remarks == ()
    assert entry_of(cell) == Entry("75.0% [75.0, 75.0]", "96.58%")


def test_guessing_is_said(tmp_path: Path) -> None:
    assert only(*executed(tmp_path, 2)).remarks == ("not told from chance (50%)",)


def test_too_few_steps_claim_nothing(tmp_path: Path) -> None:
    cell = only(*executed(tmp_path, 4, steps=299))
    assert cell.remarks == ("fewer than 300 steps: claims nothing",)


def test_a_smoke_cell_is_stamped_once(tmp_path: Path) -> None:
    cell = only(*executed(tmp_path, 4, steps=2), "smoke, not a result")
    assert cell.remarks == ("smoke, not a result",)
    assert tidy(executed(tmp_path, 4)[0], [cell])["status"].unique().to_list() == [
        "smoke, not a result"
    ]


def test_seeds_give_mean_and_spread(tmp_path: Path) -> None:
    cell = only(*executed(tmp_path, 4, 3))
    assert cell.accuracy is not None
    assert cell.accuracy.value == pytest.approx(0.875)
    assert cell.spread == pytest.approx(0.17678, abs=1e-5)
    assert entry_of(cell).ours == "87.5 ± 17.7% [87.5, 87.5]"


def test_a_failed_run_leaves_its_reason(tmp_path: Path) -> None:
    plan, found = executed(tmp_path, 4)
    found.runs[run_spec()] = RunOutcome(None, "the loss is nan")
    cell = only(plan, found)
    assert cell.accuracy is None
    assert entry_of(cell) == Entry("not run", "96.58%", ("not run: the loss is nan",))


def test_parts_of_the_scores(tmp_path: Path) -> None:
    plan, found = executed(tmp_path, 4)
    parts = [replace(plan.cells[0], part=p, row=p) for p in ("real", "smile", "yaw")]
    cells = measure(Plan("figure6", "t", tuple(parts)), found, draws=50)
    assert [c.accuracy.n if c.accuracy else None for c in cells] == [16, 16, None]
    assert "yaw" in cells[2].reason
    assert cells[0].seeds[0].chance is None


def test_tidy_rows(tmp_path: Path) -> None:
    plan, found = executed(tmp_path, 4, 3)
    missing = CellSpec("c40", "resnet50", TABLE3["c40", "resnet50"], missing="needs it")
    plan = replace(plan, cells=(*plan.cells, missing))
    table = tidy(plan, measure(plan, found, draws=50))
    assert list(table.columns) == list(SCHEMA)
    # seeds, units, measures; and the cell that was not run
    assert len(table) == 2 * 2 * len(NAMES) + 1
    main = table.filter((pl.col("unit") == "frame") & (pl.col("measure") == "accuracy"))
    assert main["value"].to_list() == [1.0, 0.75]
    assert main["paper"].to_list() == [0.9658, 0.9658]
    assert main["seed"].to_list() == [0, 1]
    left = table.filter(pl.col("status") == "not run")
    assert left["value"].to_list() == [None]
    assert left["reason"].to_list() == ["needs it"]
    assert left["paper"].to_list() == [0.9149]


def test_markdown_and_latex_hold_the_same(tmp_path: Path) -> None:
    plan, found = executed(tmp_path, 2)
    missing = CellSpec("c40", "resnet50", None, missing="needs a_b: --other X=Y")
    plan = replace(plan, cells=(*plan.cells, missing))
    sheet = sheet_of(plan, measure(plan, found, draws=50), ["It differs by 5% & more."])
    text = markdown(sheet)
    assert "| raw | 50.0% [50.0, 50.0] <sup>1</sup><br>*paper: 96.58%* |" in text
    assert "| heavy (c40) | not run <sup>2</sup> |" in text
    assert "1. not told from chance (50%)\n2. not run: needs a_b" in text
    tex = latex(sheet)
    for wanted in (r"\toprule", r"\bottomrule", r"50.0\% {[}50.0, 50.0{]}", r"\textit{96.58\%}",
                   r"not run\textsuperscript{2}", r"needs a\_b", r"5\% \& more"):  # fmt: skip
        assert wanted in tex
    body = tex.replace(r"\{", "").replace(r"\}", "")
    assert body.count("{") == body.count("}")
    columns = {line.count(" & ") for line in tex.splitlines() if line.endswith(r"\\")}
    assert columns == {1}


def test_latex_is_what_pdflatex_can_set() -> None:
    said = "−4.1 (−5.0 to +2.9) – raw → c40 ± 1, 2 × ~3: --other X=Y"
    tex = latex(Sheet("table9", "Table 9: odd", (), (), {}, (said,), "", ""))
    assert tex.isascii()
    assert "$-$4.1 ($-$5.0 to +2.9) --" in tex
    assert r"$\sim$3: -{}-other X=Y" in tex


def test_a_figure_without_numbers_is_a_figure() -> None:
    sheet = Sheet("figure9", "Figure 9: three", (), (), {}, ("Said.",), "figure9.png", "alt")
    assert r"\includegraphics[width=\linewidth]{figure9.png}" in latex(sheet)
    assert r"\begin{figure*}" in latex(sheet)
    assert "![alt](figure9.png)" in markdown(sheet)
