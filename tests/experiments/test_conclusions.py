"""Conclusions: what they compare, differences with intervals, when nothing is decided."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from tests.experiments.test_measure import scores

from dfmnist import recipes
from dfmnist.core.config import plain
from dfmnist.core.files import write_json
from dfmnist.experiments.conclusions import (
    DIFFERENCE,
    HOLDS,
    NO,
    OPEN,
    YES,
    Claim,
    Finding,
    cells_of,
    claims,
    conclusions,
    conclusions_chart,
    judge,
)
from dfmnist.experiments.corpus import figure3
from dfmnist.experiments.execute import Executed, RunOutcome
from dfmnist.experiments.paper import FOUR
from dfmnist.experiments.plan import DatasetCounts, Plan, PlanContext, ScoreSpec, training_clips
from dfmnist.experiments.render import cell_text, points
from dfmnist.experiments.shortcut import shortcut
from dfmnist.experiments.transfer import OURS, table2, table6

COUNTS = DatasetCounts(
    "ours", tuple((a, 20) for a in ("blink", "smile", "yaw", "nod")), 80, 20, 40, 50
)


def context(seeds: int = 1, *others: str) -> PlanContext:
    recipe = recipes.experiments_demo()
    named = tuple(replace(COUNTS, name=n, talks=n == "talking") for n in others)
    return PlanContext(COUNTS, recipe, named, seeds)


@cache
def _plan(seeds: int) -> Plan:
    return conclusions(context(seeds))


def plan_of(of: PlanContext) -> Plan:
    """The plan of the conclusions for a context without other datasets, made once."""
    assert of == context(of.seeds)
    return _plan(of.seeds)


@cache
def four_actions(right: int) -> pl.DataFrame:
    """Scores of six people in four actions, `right` of four frames right."""
    smile = scores(right, "abcdef")
    more = (
        smile.with_columns(
            pl.lit(action).alias("action"), (pl.col("clip_id") + action).alias("clip_id")
        )
        for action in ("blink", "nod", "yaw")
    )
    return pl.concat([smile, *more])


def of_quality(table: pl.DataFrame, quality: str) -> pl.DataFrame:
    return table.with_columns(quality=pl.lit(quality))


def filled(of: PlanContext, folder: Path, right: "dict[str, int]", other: int = 2) -> Executed:
    """Every score that they need: the frames of four that are right, by tested quality."""
    found = Executed()
    for number, score in enumerate(plan_of(of).scores):
        count = right.get(score.quality, other)
        run = folder / f"run-{number}"
        write_json(run / "run.json", {"steps": 300, "initialisation": "random"})
        write_json(run / "config.json", plain(score.run.config))
        of_quality(four_actions(count), score.quality).write_parquet(run / "scores.parquet")
        found.runs[score.run] = RunOutcome(run)
        found.scores[score] = run / "scores.parquet"
    return found


def judged(of: PlanContext, executed: Executed) -> dict[str, Finding]:
    return {f.claim.name: f for f in judge(of, executed, plan_of(of), draws=200)}


def test_the_papers_own_differences_are_computed_from_its_values() -> None:
    known = {c.name: c for c in claims(context())}
    # Table 5's four models on c40 against Table 4's raw -> c40, by hand
    assert known["Mixed quality helps on heavy compression"].published == pytest.approx(
        ((85.56 + 88.32 + 82.43 + 55.38) - (71.3 + 68.12 + 71.83 + 56.92)) / 400
    )
    # of its ten actions this dataset has yaw and nod, blink and smile
    assert known["Large movements teach more"].published == pytest.approx(
        (72.3 + 80.46) / 200 - (69.08 + 67.36) / 200
    )
    assert known["Detectors of other attacks fail here"].published is None


def test_each_side_has_only_what_both_can_run() -> None:
    known = {c.name: c for c in claims(context())}
    assert not known["Fine-tuning mends it"].runnable
    assert not known["Part of it is the action"].runnable
    heavy = known["Heavy compression hurts"]
    assert [c.column for c in heavy.more] == [c.column for c in heavy.less]
    assert len(heavy.more) == 5
    given = {c.name: c for c in claims(context(1, "mesh warp", "talking"))}
    assert given["Detectors of other attacks fail here"].runnable
    assert [c.column for c in given["Fine-tuning mends it"].more] == ["mesh warp"]
    assert given["Part of it is the action"].more[0].column == "talking"


def test_a_difference_that_leaves_zero_out_decides(tmp_path: Path) -> None:
    of = context()
    found = judged(of, filled(of, tmp_path, {"raw": 4, "c40": 3}))
    heavy = found["Heavy compression hurts"]
    assert heavy.difference is not None
    assert heavy.difference.value == pytest.approx(0.25)
    assert heavy.difference.low == pytest.approx(0.25)  # all people are alike here
    assert heavy.verdict == YES
    assert found["Mixed quality costs a little"].verdict == OPEN
    assert found["Mixed quality costs a little"].why == "the interval holds zero"
    assert found["Part of it is the action"].difference is None


def test_the_other_way_round_is_no(tmp_path: Path) -> None:
    of = context()
    found = judged(of, filled(of, tmp_path, {"raw": 3, "c40": 4}))
    assert found["Heavy compression hurts"].verdict == NO


def test_detectors_that_guess_decide_nothing(tmp_path: Path) -> None:
    of = context()
    found = judged(of, filled(of, tmp_path, {"raw": 2, "c40": 1}))
    heavy = found["Heavy compression hurts"]
    assert heavy.verdict == OPEN
    assert heavy.difference is not None
    assert heavy.difference.low > 0
    assert "not above chance" in heavy.why


def table_of(count: int, quality: str) -> pl.DataFrame:
    """Scores of three actions, `count` of four frames right."""
    actions = [scores(count, "abcdef").with_columns(pl.lit(a).alias("action"))
               for a in ("blink", "nod", "yaw")]  # fmt: skip
    return of_quality(pl.concat(actions), quality)


def test_a_loss_is_compared_with_the_losses_of_others(tmp_path: Path) -> None:
    """Xception falls from 4 to 2 right frames of 4, the others from 4 to 3: 25 points more."""
    of = context()
    executed = filled(of, tmp_path, {"raw": 4, "c40": 3})
    for score, path in executed.scores.items():
        if (score.run.config.network, score.quality) == ("xception", "c40"):
            table_of(2, "c40").write_parquet(path)
    found = judged(of, executed)["Xception loses most by compression"]
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.25)
    assert found.verdict == YES
    # Table 3, by hand: 92.38 - 83.143, and the mean loss of the three ResNets and MesoInception-4
    others = (96.58 - 91.49 + 96.64 - 90.44 + 96.18 - 91.27 + 60.39 - 57.90) / 4
    assert found.claim.published == pytest.approx((92.38 - 83.143 - others) / 100)


def test_equal_means_within_the_margin(tmp_path: Path) -> None:
    of = context()
    executed = filled(of, tmp_path, {"raw": 3})
    assert judged(of, executed)["Depth changes little"].verdict == YES
    for score, path in executed.scores.items():
        if (score.run.config.network, score.quality) == ("resnet152", "raw"):
            table_of(4, "raw").write_parquet(path)
    assert judged(of, executed)["Depth changes little"].verdict == NO
    for score, path in executed.scores.items():
        if (score.run.config.network, score.quality) == ("resnet152", "raw"):
            both = [table_of(4, "raw"), table_of(2, "raw")]  # some people gain, others lose
            people = [both[p in "abc"].filter(pl.col("source_id") == p) for p in "abcdef"]
            pl.concat(people).write_parquet(path)
    depth = judged(of, executed)["Depth changes little"]
    assert depth.verdict == OPEN
    assert depth.why == "the interval does not lie within ±2 points, nor outside"


def test_ten_fakes_are_compared_with_chance(tmp_path: Path) -> None:
    of = context()
    guess = judged(of, filled(of, tmp_path / "a", {}))["Ten fakes teach nothing"]
    assert guess.difference is not None
    assert guess.difference.value == pytest.approx(0)
    assert guess.verdict == YES
    assert guess.claim.published is None
    learnt = judged(of, filled(of, tmp_path / "b", {"raw": 4, "c23": 4, "c40": 4}))
    assert learnt["Ten fakes teach nothing"].verdict == NO
    # the smallest corpus has ten fakes, one of each action, whatever the dataset's size
    rows = {c.row: c for c in figure3(of).cells if c.column == "raw"}
    (score,) = rows["10 fakes"].scores
    assert training_clips(score.run.config, of.main)[0] == 10


def test_people_who_differ_make_the_interval_wide(tmp_path: Path) -> None:
    of = context()
    executed = filled(of, tmp_path, {"raw": 4, "c40": 3})
    for score, path in executed.scores.items():
        if score.quality == "c40":  # of one person all is right, of the others half
            table = pl.concat([scores(4, "a"), scores(2, "bcdef")])
            actions = [table.with_columns(pl.lit(a).alias("action")) for a in ("smile", "nod")]
            of_quality(pl.concat(actions), "c40").write_parquet(path)
    found = judged(of, executed)["Heavy compression hurts"].difference
    assert found is not None
    assert found.value == pytest.approx(1 - (1 + 5 * 0.5) / 6)
    assert found.low < found.value < found.high
    assert found.groups == 6


def test_seeds_are_drawn_too(tmp_path: Path) -> None:
    of = context(seeds=2)
    executed = filled(of, tmp_path, {"raw": 4, "c40": 3})
    for score, path in executed.scores.items():
        if score.quality == "c40" and score.run.config.seed == 1:
            of_quality(scores(2, "abcdef"), "c40").write_parquet(path)
    found = judged(of, executed)["Heavy compression hurts"].difference
    assert found is not None
    assert found.value == pytest.approx(1 - (0.75 + 0.5) / 2)
    assert found.low < found.value < found.high  # between people there is no difference


def test_they_are_written_and_drawn(tmp_path: Path) -> None:
    of = context()
    found = judge(of, filled(of, tmp_path, {"raw": 4, "c40": 3}), plan_of(of), draws=50)
    heavy = next(f for f in found if f.claim.name == "Heavy compression hurts")
    cells = {cell.column: cell for cell in cells_of(heavy)}
    assert cell_text(cells[DIFFERENCE]) == "+25.0 (+25.0 to +25.0)"
    paper = cells[DIFFERENCE].paper
    assert paper is not None
    assert paper.text == "+5.6"
    assert (cells[DIFFERENCE].groups, cells[DIFFERENCE].n) == (6, 5)
    assert cell_text(cells[HOLDS]) == YES
    assert {f.claim.name for f in found} == {c.name for c in claims(of)}
    missing = cells_of(next(f for f in found if f.difference is None), "smoke")
    assert [(c.column, c.state) for c in missing] == [(DIFFERENCE, "not run")]
    assert missing[0].notes[0].startswith("not run: ")
    assert cells_of(heavy, "smoke")[1].notes == ("smoke",)
    chart = conclusions_chart(tmp_path, found)
    assert "Heavy compression hurts: +25.0, yes" in chart.alt
    assert (tmp_path / "conclusions.png").stat().st_size > 0
    assert points(-0.012) == "−1.2"


def test_one_person_decides_nothing() -> None:
    claim = Claim("a", "b")
    assert claim.published is None
    assert not claim.runnable


def test_the_shortcut_needs_talking_clips_of_the_same_people() -> None:
    left = {(c.row, c.column): c for c in shortcut(context()).cells}
    assert len(left) == 10
    assert "--other talking=MANIFEST" in left["talking", "acting"].missing
    assert left["acting", "acting"].scores  # needs no other dataset
    of = context(1, "talking")
    cells = {(c.row, c.column): c for c in shortcut(of).cells}
    (score,) = cells["talking", "acting"].scores
    assert score == ScoreSpec(of.run("mesoinception4", dataset="talking"), "ours", "raw")
    assert cells["talking", "real clips acting"].part == "real"
    assert cells["talking", "fakes"].part == "fake"
    for table in (table2(of), table6(of)):  # no column of the paper's comparisons
        assert "talking" not in {c.column for c in table.cells}
    assert OURS in {c.column for c in table2(of).cells}
    of = replace(context(1, "acting"), main=replace(COUNTS, talks=True))
    turned = {(c.row, c.column): c for c in shortcut(of).cells}
    (score,) = turned["talking", "acting"].scores
    assert score == ScoreSpec(of.run("mesoinception4", dataset="ours"), "acting", "raw")
    (score,) = turned["acting", "talking"].scores
    assert score == ScoreSpec(of.run("mesoinception4", dataset="acting"), "ours", "raw")
    for others in ((), ("talking",)):  # not given, or talking clips under the other name
        left = shortcut(replace(of, others=tuple(replace(of.main, name="acting") for _ in others)))
        missing = {(c.row, c.column): c.missing for c in left.cells}
        assert "--other acting=MANIFEST" in missing["talking", "acting"]
        assert not missing["talking", "talking"]


def test_our_network_carries_the_claims_on_quality_where_none_of_the_papers_is_run() -> None:
    """In the study alone; beside the paper's networks it takes no part in the paper's claims."""
    for recipe, networks in (
        (recipes.experiments_study(), {"efficientnet_lite0"}),
        (recipes.experiments_demo(), {*FOUR, "resnet101"}),
    ):
        known = {c.name: c for c in claims(replace(context(), recipe=recipe))}
        for name in ("Heavy compression hurts", "Mixed quality costs a little"):
            cells = (*known[name].more, *known[name].less)
            found = {s.run.config.network for cell in cells for s in cell.scores}
            assert found == networks - ({"resnet101"} if "Mixed" in name else set()), name
        crossed = known["Another quality breaks a detector"].less[0].scores[0]
        assert (crossed.run.config.quality, crossed.quality) == ("raw", "c40")
