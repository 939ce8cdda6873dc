"""Table 3, Figure 6's numbers and spoof rates from scores and records whose answer is known."""

import numpy as np
import polars as pl
import pytest

from dfmnist.core.actions import Action
from dfmnist.dataset.manifest import Clip, Rejected, Screening
from dfmnist.experiments.results import spoof_rates
from dfmnist.experiments.tables import Scored, per_action, table1, table3


def scores(right: dict[str, int], frames: int = 4) -> pl.DataFrame:
    """For each person a real and a fake smile of `frames`; the first `right` of each are right."""
    rows = [
        {
            "clip_id": f"{label}-{person}",
            "quality": "raw",
            "split": "test",
            "label": label,
            "action": "smile",
            "source_id": person,
            "frame": frame,
            "logit": (1.0 if (frame < count) == (label == "fake") else -1.0),
        }
        for person, count in right.items()
        for label in ("real", "fake")
        for frame in range(frames)
    ]
    return pl.DataFrame(rows).with_columns(p_fake=1 / (1 + (-pl.col("logit")).exp()))


def test_table3_counts_frames_and_clips() -> None:
    cells = table3([Scored("resnet50", "raw", scores({"a": 4, "b": 4, "c": 3}), "64 px", "r1")])
    cell = cells["raw", "resnet50"]
    assert cell.frame_accuracy is not None
    assert cell.frame_accuracy.value == pytest.approx(22 / 24)
    assert (cell.frame_accuracy.n, cell.frame_accuracy.groups) == (24, 3)
    assert cell.frame_accuracy.low <= 0.75 + 1e-9  # person c drawn three times
    assert cell.frame_accuracy.high == 1.0
    assert cell.clip_accuracy is not None
    assert cell.clip_accuracy.value == 1.0
    assert cell.learnt
    assert cell.paper is not None
    assert cell.paper.percent == "96.58%"
    assert cell.setting == "64 px"


def test_cells_that_were_not_run_stay_empty() -> None:
    cells = table3([Scored("resnet50", "raw", scores({"a": 4, "b": 4}))])
    assert len(cells) == 15
    empty = [c for c in cells.values() if c.frame_accuracy is None]
    assert len(empty) == 14
    assert not any(c.learnt for c in empty)
    assert all(c.paper is not None for c in empty)


def test_guessing_is_not_learnt() -> None:
    half = table3([Scored("resnet50", "raw", scores({"a": 2, "b": 3, "c": 1}))])["raw", "resnet50"]
    assert half.frame_accuracy is not None
    assert half.frame_accuracy.value == 0.5
    assert not half.learnt


def test_one_person_never_shows_learning() -> None:
    alone = table3([Scored("resnet50", "raw", scores({"a": 4}))])["raw", "resnet50"]
    assert alone.frame_accuracy is not None
    assert alone.frame_accuracy.value == 1.0
    assert not alone.learnt


def test_figure6_keeps_actions_and_the_real_class_apart() -> None:
    table = scores({"a": 4, "b": 2})
    missed_reals = table.with_columns(
        logit=pl.when(pl.col("label") == "real").then(1.0).otherwise(pl.col("logit"))
    )
    rows = per_action([Scored("resnet50", "raw", missed_reals)], "resnet50")
    assert list(rows) == [Action.SMILE, None]
    assert rows[Action.SMILE]["raw"].value == pytest.approx(0.75)
    assert rows[None]["raw"].value == 0.0


def test_table1_ends_with_this_dataset() -> None:
    rows = table1("ours", {"real": 7, "fake": 5})
    assert (rows[-1].name, rows[-1].real, rows[-1].fake) == ("ours", 7, 5)
    assert rows[-2].fake == 10_000


def words(live: bool) -> tuple[Screening, ...]:
    return (
        Screening(detector="action", live=True, score=1.0, reason=""),
        Screening(detector="universal", live=live, score=0.5, reason="" if live else "flat"),
    )


def made(quality: str, number: int) -> Clip:
    return Clip.model_validate(
        {
            "file_name": f"clips/{quality}/{number}.mp4",
            "clip_id": str(number),
            "label": "fake",
            "action": "yaw",
            "quality": quality,
            "split": "test",
            "source_id": "a",
            "source_frame": 0,
            "driver_id": "d",
            "take": 0,
            "generator": "g",
            "seed": 0,
            "screening": words(True),
            "fps": "25",
            "num_frames": 1,
            "width": 8,
            "height": 8,
            "sha256": "0" * 64,
            "licence": "x",
            "consent": "x",
        }
    )


def lost(action: str, screening: tuple[Screening, ...]) -> Rejected:
    return Rejected.model_validate(
        {
            "attempt_id": f"{action}-lost-{len(screening)}",
            "label": "fake",
            "action": action,
            "split": "test",
            "source_id": "a",
            "source_frame": 0,
            "driver_id": "d",
            "take": 0,
            "generator": "g",
            "seed": 0,
            "screening": screening,
            "reason": "flat",
        }
    )


def test_spoof_rate_counts_clips_once_and_every_attempt() -> None:
    kept = [made(q, n) for n in range(2) for q in ("raw", "c23", "c40")]
    turned_away = [lost("yaw", words(False)), lost("yaw", ()), lost("nod", words(False))]
    rates = {r.action: r for r in spoof_rates(kept, turned_away)}
    assert (rates[Action.YAW].accepted, rates[Action.YAW].attempts) == (2, 4)
    assert rates[Action.YAW].by_detector == {"action": (3, 3), "universal": (2, 3)}
    nod = rates[Action.NOD].estimate
    assert nod is not None
    assert (nod.value, nod.low) == (0.0, 0.0)
    assert 0.7 < nod.high < 0.8
    assert rates[Action.BLINK].estimate is None
    assert np.isclose(sum(r.attempts for r in rates.values()), 5)
