"""From scores to cells, and their views: Markdown, LaTeX, tidy rows. The test writes the scores."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from dfmnist import recipes
from dfmnist.core.config import plain
from dfmnist.core.files import write_json
from dfmnist.experiments.execute import Executed, RunOutcome
from dfmnist.experiments.experiment import headings
from dfmnist.experiments.measure import measure
from dfmnist.experiments.paper import TABLE3
from dfmnist.experiments.plan import (
    CellSpec,
    DatasetCounts,
    Plan,
    PlanContext,
    RunSpec,
    ScoreSpec,
)
from dfmnist.experiments.render import SCHEMA, cell_text, latex, markdown, tidy
from dfmnist.experiments.results import ResultCell, ResultPicture, ResultTable
from dfmnist.stats.binary_metrics import NAMES

COUNTS = DatasetCounts("ours", (("smile", 8),), 8, 4, 8, 50)
PUBLISHED = TABLE3["raw", "resnet50"]


def run_spec(seed: int = 0) -> RunSpec:
    return PlanContext(COUNTS, recipes.experiments_demo()).run("resnet50", seed=seed)


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
        write_json(folder / "config.json", plain(run.config))
        score = ScoreSpec(run, "ours", "raw")
        scores(count).write_parquet(folder / "scores.parquet")
        found.runs[run], found.scores[score] = RunOutcome(folder), folder / "scores.parquet"
        specs.append(score)
    cell = CellSpec("raw", "resnet50", PUBLISHED, tuple(specs))
    return Plan((cell,)), found


def only(plan: Plan, found: Executed, stamp: str = "") -> ResultCell:
    (cell,) = measure(plan, found, stamp, draws=50)
    return cell


def table_of(*cells: ResultCell, sentences: tuple[str, ...] = (), stamp: str = "") -> ResultTable:
    return ResultTable(
        name="table3", title="Table 3: t", rows=headings(c.row for c in cells),
        columns=headings(c.column for c in cells), cells=cells, sentences=sentences, stamp=stamp,
    )  # fmt: skip


def test_a_cell_is_frame_accuracy_beside_the_papers(tmp_path: Path) -> None:
    cell = only(*executed(tmp_path, 3))
    found = cell.estimate
    assert found is not None
    assert found.value == 0.75
    assert (found.n, found.groups) == (32, 4)
    assert cell.notes == ()
    assert cell_text(cell) == "75.0% [75.0, 75.0]"
    assert cell.paper is not None
    assert (cell.paper.text, cell.paper.value) == ("96.58%", 0.9658)


def test_the_details_say_what_was_trained_and_tested(tmp_path: Path) -> None:
    score = only(*executed(tmp_path, 3)).score
    assert score is not None
    assert (score.network, score.trained_on, score.tested_quality) == ("resnet50", "ours", "raw")
    assert (score.chance, score.learnt, score.started_from) == (0.5, True, "")
    (seed,) = score.seeds
    assert (seed.run, seed.steps, seed.initialisation) == ("run-0", 300, "random")
    assert seed.clip["accuracy"].value == 1.0  # by the mean logit of a clip's frames
    assert seed.clip["auc"].n == 8


def test_guessing_is_said(tmp_path: Path) -> None:
    cell = only(*executed(tmp_path, 2))
    assert cell.notes == ("not above chance (50%)",)
    assert cell.score is not None
    assert cell.score.learnt is False


def test_one_person_never_shows_learning(tmp_path: Path) -> None:
    plan, found = executed(tmp_path, 4)
    scores(4, "a").write_parquet(tmp_path / "run-0" / "scores.parquet")
    cell = only(plan, found)
    assert cell.value == 1.0
    assert cell.notes == ("one person: no interval over people",)
    assert cell.score is not None
    assert cell.score.learnt is False


def test_scores_of_other_qualities_do_not_count(tmp_path: Path) -> None:
    plan, found = executed(tmp_path, 4)
    other = scores(0).with_columns(quality=pl.lit("c40"))
    pl.concat([scores(4), other]).write_parquet(tmp_path / "run-0" / "scores.parquet")
    assert only(plan, found).value == 1.0


def test_too_few_steps_claim_nothing(tmp_path: Path) -> None:
    cell = only(*executed(tmp_path, 4, steps=299))
    assert cell.notes == ("fewer than 300 steps: claims nothing",)


def test_a_smoke_cell_is_stamped_once(tmp_path: Path) -> None:
    stamp = "smoke, not a result"
    cell = only(*executed(tmp_path, 4, steps=2), stamp)
    assert cell.notes == (stamp,)
    assert tidy(table_of(cell, stamp=stamp))["status"].unique().to_list() == [stamp]


def test_seeds_give_mean_and_spread(tmp_path: Path) -> None:
    cell = only(*executed(tmp_path, 4, 3))
    assert cell.value == pytest.approx(0.875)
    assert cell.spread == pytest.approx(0.17678, abs=1e-5)
    assert cell_text(cell) == "87.5 ± 17.7% [87.5, 87.5]"


def test_a_failed_run_leaves_its_reason(tmp_path: Path) -> None:
    plan, found = executed(tmp_path, 4)
    found.runs[run_spec()] = RunOutcome(None, "the loss is nan")
    cell = only(plan, found)
    assert cell.value is None
    assert cell_text(cell) == "not run"
    assert cell.notes == ("not run: the loss is nan",)
    assert cell.paper is not None
    assert cell.paper.text == "96.58%"


def test_parts_of_the_scores(tmp_path: Path) -> None:
    plan, found = executed(tmp_path, 4)
    parts = [replace(plan.cells[0], part=p, row=p) for p in ("real", "smile", "yaw")]
    cells = measure(Plan(tuple(parts)), found, draws=50)
    assert [c.n for c in cells] == [16, 16, None]
    assert "yaw" in cells[2].notes[0]
    assert cells[0].score is not None
    assert (cells[0].score.chance, cells[0].score.learnt) == (None, None)


def test_tidy_rows(tmp_path: Path) -> None:
    plan, found = executed(tmp_path, 4, 3)
    missing = CellSpec("c40", "resnet50", TABLE3["c40", "resnet50"], missing="needs it")
    plan = replace(plan, cells=(*plan.cells, missing))
    table = tidy(table_of(*measure(plan, found, draws=50)))
    assert list(table.columns) == list(SCHEMA)
    # seeds, units, measures; and the cell that was not run
    assert len(table) == 2 * 2 * len(NAMES) + 1
    main = table.filter((pl.col("unit") == "frame") & (pl.col("measure") == "accuracy"))
    assert main["value"].to_list() == [1.0, 0.75]
    assert main["paper"].to_list() == [0.9658, 0.9658]
    assert main["seed"].to_list() == [0, 1]
    assert main["chance"].to_list() == [0.5, 0.5]
    assert main["network"].to_list() == ["resnet50", "resnet50"]
    left = table.filter(pl.col("status") == "not run")
    assert left["value"].to_list() == [None]
    assert left["reason"].to_list() == ["needs it"]
    assert left["paper"].to_list() == [0.9149]


def test_tidy_rows_of_counts_and_words() -> None:
    cells = (
        ResultCell(row="a", column="b", state="counted", unit="count", value=3, n=7),
        ResultCell(row="a", column="c", state="counted", unit="text", text="yes"),
    )
    rows = tidy(table_of(*cells)).to_dicts()
    assert [(r["status"], r["measure"], r["value"], r["n"]) for r in rows] == [
        ("counted", "count", 3.0, 7), ("counted", "text", None, None),
    ]  # fmt: skip
    assert rows[1]["text"] == "yes"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ({"state": "counted", "unit": "count", "value": 12345}, "12,345"),
        ({"state": "counted", "unit": "count", "value": 3, "n": 7}, "3 of 7"),
        ({"state": "counted", "unit": "text", "text": "Yes"}, "Yes"),
        ({"state": "paper"}, "–"),
        ({"state": "not run"}, "not run"),
        ({"state": "run", "value": 0.5}, "50.0%"),
        ({"state": "run", "unit": "points", "value": 0.021, "low": -0.003, "high": 0.045},
         "+2.1 (−0.3 to +4.5)"),
        ({"state": "run", "value": 0.31, "region": {
            "area": 0.1, "times_area": 3.1, "left_out": 0, "clips": 1}}, "31% (3.1×)"),
        ({"state": "run", "value": 0.31, "region": {
            "area": 0.0, "times_area": None, "left_out": 0, "clips": 1}}, "31%"),
    ],
)  # fmt: skip
def test_what_a_cell_says(cell: dict[str, object], text: str) -> None:
    assert cell_text(ResultCell.model_validate({"row": "a", "column": "b", **cell})) == text


def test_markdown_and_latex_hold_the_same(tmp_path: Path) -> None:
    plan, found = executed(tmp_path, 2)
    missing = CellSpec("c40", "resnet50", None, missing="needs a_b: --other X=Y")
    plan = replace(plan, cells=(*plan.cells, missing))
    cells = measure(plan, found, draws=50)
    table = table_of(*cells, sentences=("It differs by 5% & more.",))
    text = markdown(table)
    assert "| raw | 50.0% [50.0, 50.0] <sup>1</sup><br>*paper: 96.58%* |" in text
    assert "| heavy (c40) | not run <sup>2</sup> |" in text
    assert "1. not above chance (50%)\n2. not run: needs a_b" in text
    tex = latex(table)
    for wanted in (r"\toprule", r"\bottomrule", r"50.0\% {[}50.0, 50.0{]}", r"\textit{96.58\%}",
                   r"not run\textsuperscript{2}", r"needs a\_b", r"5\% \& more"):  # fmt: skip
        assert wanted in tex
    body = tex.replace(r"\{", "").replace(r"\}", "")
    assert body.count("{") == body.count("}")
    columns = {line.count(" & ") for line in tex.splitlines() if line.endswith(r"\\")}
    assert columns == {1}


def test_latex_is_what_pdflatex_can_set() -> None:
    said = "−4.1 (−5.0 to +2.9) – raw → c40 ± 1, 2 × ~3: --other X=Y"
    tex = latex(ResultTable(name="table9", title="Table 9: odd", sentences=(said,)))
    assert tex.isascii()
    assert "$-$4.1 ($-$5.0 to +2.9) --" in tex
    assert r"$\sim$3: -{}-other X=Y" in tex


def test_a_figure_without_numbers_is_a_figure() -> None:
    picture = ResultPicture(file="figure9.png", alt="a | b")
    table = ResultTable(
        name="figure9", title="Figure 9: three", sentences=("Said.",), picture=picture
    )
    assert r"\includegraphics[width=\linewidth]{figure9.png}" in latex(table)
    assert r"\begin{figure*}" in latex(table)
    assert r"![a \| b](figure9.png)" in markdown(table)
    assert "](figure9/figure9.png)" in markdown(table, "figure9/")
