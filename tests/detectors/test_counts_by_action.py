"""What was called fake, by action, counted by hand."""

import polars as pl
import pytest

from dfmnist.detectors.metrics import ActionCounts, counts_by_action, evaluate
from dfmnist.detectors.summary import by_action, counts, metric_lines, with_bounds
from dfmnist.stats.intervals import Estimate

NOD_RIGHT, NOD_LOST, SMILE_MISSED = "nod-right", "nod-lost", "smile-missed"


@pytest.fixture
def scores() -> pl.DataFrame:
    rows = [
        (SMILE_MISSED, "fake", "smile", "a", 1.0, None),
        (SMILE_MISSED, "fake", "smile", "a", -3.0, None),
        (NOD_RIGHT, "fake", "nod", "b", 2.0, None),
        (NOD_RIGHT, "fake", "nod", "b", 0.5, None),
        (NOD_LOST, "fake", "nod", "b", None, "x.mp4: no such file; expected a video"),
        ("talks", "real", "talk", "a", -1.0, None),
        ("talks", "real", "talk", "a", -1.0, None),
        ("nods", "real", "nod", "b", 1.0, None),
    ]
    columns = ["clip_id", "label", "action", "source_id", "logit", "reason"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(quality=pl.lit("raw"))


def test_counts_by_hand(scores: pl.DataFrame) -> None:
    by_name = {called.action: called for called in counts_by_action(scores)}
    assert list(by_name)[-1] is None
    assert by_name["smile"] == ActionCounts("smile", 0, 1, 0, 1, 1)  # the mean logit is -1
    assert by_name["nod"] == ActionCounts("nod", 1, 0, 1, 2, 0)
    assert by_name["nod"].clips == 2
    assert by_name[None] == ActionCounts(None, 1, 1, 0, 1, 2)  # reals of all actions together
    assert len(by_name) == 3


def test_counts_follow_the_threshold_and_the_qualities(scores: pl.DataFrame) -> None:
    strict = {c.action: c for c in counts_by_action(scores.with_columns(threshold=pl.lit(0.8)))}
    assert strict["nod"] == ActionCounts("nod", 0, 1, 1, 1, 1)  # from logit 1.39 on; mean 1.25
    two = pl.concat([scores, scores.with_columns(quality=pl.lit("c40"))])
    assert {c.action: c for c in counts_by_action(two)}["nod"] == ActionCounts("nod", 2, 0, 2, 4, 0)
    fakes = counts_by_action(scores.filter(pl.col("label") == "fake"))
    assert None not in [c.action for c in fakes]


def test_an_interval_over_people_needs_two() -> None:
    found = Estimate(0.5, 0.4, 0.6, 10, 2)
    assert with_bounds(found, 2) == "0.500 [0.400, 0.600]"
    assert with_bounds(found, 1) == "0.500"


def test_lines_are_aligned_and_undefined_metrics_are_dashes(
    scores: pl.DataFrame,
) -> None:
    lines = by_action(scores)
    assert lines[0].split() == [
        "clips:",
        "fake",
        "real",
        "not",
        "scored",
        "frames:",
        "fake",
        "real",
    ]
    assert lines[-1].split() == ["real", "clips", "1", "1", "0", "1", "2"]
    assert len({len(line) for line in lines}) == 1
    result = evaluate(scores)
    assert "2 people, 7 frames, 1 clips not scored" in counts(scores, result)[0]
    assert counts(scores, result)[1].endswith("x.mp4: no such file; expected a video")
    fakes = metric_lines(evaluate(scores.filter(pl.col("label") == "fake")))
    (line,) = [line for line in fakes if line.startswith("AUC")]
    assert line.split() == ["AUC", "–", "–"]


def test_many_reasons_are_cut_short(scores: pl.DataFrame) -> None:
    lost = pl.concat([
        scores.filter(pl.col("clip_id") == NOD_LOST).with_columns(clip_id=pl.lit(str(i)))
        for i in range(5)
    ])  # fmt: skip
    table = pl.concat([scores.filter(pl.col("clip_id") != NOD_LOST), lost])
    assert counts(table, evaluate(table))[-1] == "  not scored: 2 more; see the column `reason`"


def test_one_person_alone_gives_no_interval(scores: pl.DataFrame) -> None:
    alone = scores.filter(pl.col("source_id") == "b")
    (line,) = [line for line in metric_lines(evaluate(alone)) if line.startswith("accuracy")]
    assert line.split() == ["accuracy", "0.667", "0.500"]  # two of three frames, one of two clips


def test_a_logit_at_the_threshold_is_called_fake_and_no_action_has_its_own_row(
    scores: pl.DataFrame,
) -> None:
    silent = scores.with_columns(
        action=pl.when(pl.col("action") == "nod").then(None).otherwise("action"),
        logit=pl.col("logit") - 0.5,
    )
    found = {c.action: c for c in counts_by_action(silent)}
    assert found[""] == ActionCounts("", 1, 0, 1, 2, 0)  # the logits are 1.5 and 0
