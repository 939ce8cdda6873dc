"""Evaluation of a table of scores; intervals over identities."""

import numpy as np
import polars as pl
import pytest

from dfmnist.core.errors import InputError
from dfmnist.detectors import metrics


def table(per_person: int = 10) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for person in range(12):
        skill = rng.normal(0.6, 1.0)  # errors go with the person
        for label in ("real", "fake"):
            for frame in range(per_person):
                sign = 1 if label == "fake" else -1
                logit = sign * (skill + rng.normal(0, 0.3))
                rows.append((f"{person}-{label}", label, str(person), frame, logit))
    columns = ["clip_id", "label", "source_id", "frame", "logit"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        quality=pl.lit("raw"), split=pl.lit("test"), action=pl.lit("nod")
    )


def test_intervals_are_over_people_not_frames() -> None:
    few, many = (metrics.evaluate(table(n)).frame["accuracy"] for n in (5, 100))
    assert few.low < few.value < few.high
    # Twenty times the frames of the same people hardly narrow it.
    assert (many.high - many.low) > 0.7 * (few.high - few.low)
    assert many.high - many.low > 0.2


def test_evaluation_decides_by_the_threshold_of_the_scores() -> None:
    scores = table()
    plain = metrics.evaluate(scores)
    assert metrics.evaluate(scores.with_columns(threshold=pl.lit(0.5))) == plain
    strict = metrics.evaluate(scores.with_columns(threshold=pl.lit(0.7)))
    least = np.log(0.7 / 0.3)
    right = (scores["logit"] >= least) == (scores["label"] == "fake")
    assert strict.frame["accuracy"].value == pytest.approx(right.mean())
    clips = metrics.clip_scores(scores)
    right = (clips["logit"] >= least) == (clips["label"] == "fake")
    assert strict.clip["accuracy"].value == pytest.approx(right.mean())
    assert strict.clip["auc"] == plain.clip["auc"]
    two = pl.concat([scores.with_columns(threshold=pl.lit(t)) for t in (0.5, 0.6)])
    with pytest.raises(InputError, match="2 thresholds; expected those of one run"):
        metrics.evaluate(two)


def test_one_class_is_evaluated_as_far_as_it_goes() -> None:
    result = metrics.evaluate(table().filter(pl.col("label") == "fake"))
    for values in (result.frame, result.clip):
        defined = {n for n, found in values.items() if not np.isnan(found.value)}
        assert defined == {"accuracy", "brier", "ece"}
        assert np.isnan(values["auc"].low)


def test_evaluation_counts_and_repeats_itself() -> None:
    scores = table()
    broken = scores.head(1).with_columns(
        clip_id=pl.lit("broken"), logit=pl.lit(None, dtype=pl.Float64)
    )
    scores = pl.concat([scores, broken])
    result = metrics.evaluate(scores)
    assert (result.num_frames, result.num_clips, result.num_identities) == (240, 24, 12)
    assert result.num_unscored == 1
    assert result == metrics.evaluate(scores)
    assert result.clip != metrics.evaluate(scores, seed=1).clip
    means = metrics.clip_scores(scores)
    expected = scores.filter(pl.col("clip_id") == "0-fake")["logit"].mean()
    assert means.filter(pl.col("clip_id") == "0-fake")["logit"][0] == pytest.approx(expected)
    with pytest.raises(InputError, match="no clip could be scored"):
        metrics.evaluate(broken)
