"""Two tables of scores against each other."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dfmnist.core.errors import InputError
from dfmnist.detectors.compare import compare
from dfmnist.detectors.scores import read_scores


def scores(skill: float, seed: int, threshold: float = 0.5, people: int = 20) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (f"{p}-{label}", label, str(p), frame, sign * skill + rng.normal())
        for p in range(people)
        for label, sign in (("real", -1), ("fake", 1))
        for frame in range(3)
    ]
    columns = ["clip_id", "label", "source_id", "frame", "logit"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        quality=pl.lit("raw"), action=pl.lit("nod"), threshold=pl.lit(threshold)
    )


def test_comparison_matches_clips_whatever_their_order() -> None:
    good, bad = scores(1.5, 0), scores(0.2, 1)
    found = compare(good, bad.sample(fraction=1, shuffle=True, seed=0))
    assert (found.num_clips, found.num_identities, found.num_unscored) == (40, 20, 0)
    assert found.accuracy.value == pytest.approx(found.accuracy_a - found.accuracy_b)
    assert found.accuracy.low > 0
    assert found.auc.value == pytest.approx(found.test.difference)
    assert found.auc.low > 0
    assert found.test.p_value < 0.01
    assert compare(bad, good).accuracy.value == pytest.approx(-found.accuracy.value)
    same = compare(good, good)
    assert (same.accuracy.low, same.accuracy.high, same.test.p_value) == (0, 0, 1)


def test_each_decides_by_its_own_threshold() -> None:
    found = compare(scores(1.0, 0), scores(1.0, 0, threshold=0.999))
    assert found.accuracy_b == pytest.approx(0.5, abs=0.1)  # hardly anything is called fake
    assert found.accuracy_a > 0.8
    assert found.test.difference == 0


def test_comparison_with_one_class_has_accuracies_alone() -> None:
    one = [scores(s, 0).filter(pl.col("label") == "fake") for s in (1.0, 0.0)]
    found = compare(*one)
    assert found.accuracy.value > 0
    assert np.isnan(found.auc.value)
    assert np.isnan(found.test.p_value)


def test_other_clips_are_refused() -> None:
    table = scores(1.0, 0)
    fewer = table.filter(pl.col("clip_id") != "3-fake")
    with pytest.raises(InputError, match="clip 3-fake in raw is in A alone"):
        compare(table, fewer)
    with pytest.raises(InputError, match="clip 0-fake in c40 and 39 more is in B alone"):
        compare(table, pl.concat([table, table.with_columns(quality=pl.lit("c40"))]))
    lost = pl.concat([
        fewer, table.filter(pl.col("clip_id") == "3-fake").head(1).with_columns(logit=None)
    ])  # fmt: skip
    with pytest.raises(InputError, match="clip 3-fake in raw has a score in A alone"):
        compare(table, lost)
    both = compare(lost, lost)
    assert (both.num_clips, both.num_unscored) == (39, 1)
    flipped = table.with_columns(label=pl.lit("fake"))
    with pytest.raises(InputError, match="clip 0-real has another label in B"):
        compare(table, flipped)
    with pytest.raises(InputError, match="clip 0-fake has another source_id in B"):
        compare(table, table.with_columns(source_id=pl.lit("ann")))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"logit": pl.lit("x")}, "its column 'logit' holds String"),
        ({"logit": pl.lit(float("nan"))}, "holds a logit that is not a finite number"),
        ({"logit": pl.lit(float("-inf"))}, "holds a logit that is not a finite number"),
        ({"label": pl.lit(1)}, "its column 'label' holds Int32"),
        ({"label": pl.lit("FAKE")}, "holds the label 'FAKE'"),
        ({"threshold": pl.lit(2.0)}, "scores with the threshold 2.0"),
        ({"threshold": pl.lit("x")}, "its column 'threshold' holds String"),
    ],
)
def test_scores_that_no_detector_gives_are_refused(
    tmp_path: Path, changes: dict[str, pl.Expr], said: str
) -> None:
    path = tmp_path / "s.parquet"
    scores(1.0, 0).with_columns(**changes).write_parquet(path)
    with pytest.raises(InputError, match=rf"s\.parquet: {said}; expected scores"):
        read_scores(path)


def test_damaged_scores_are_named(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    scores(1.0, 0).write_parquet(path)
    content = path.read_bytes()
    for damaged in (b"", b"no scores", content[: len(content) // 2], content[:-40] + b"x" * 40):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"s\.parquet: cannot be read"):
            read_scores(path)
