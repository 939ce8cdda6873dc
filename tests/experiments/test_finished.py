"""Results from runs trained by hand, and spoof rates, whose answer is known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.reports.conftest import write_table3_alone

from dfmnist.core.actions import Action
from dfmnist.core.files import read_json, write_json
from dfmnist.dataset.manifest import Clip, Rejected, Screening, read_manifest
from dfmnist.detectors.imported_scores import import_scores
from dfmnist.experiments import finished
from dfmnist.experiments.finished import write_run_results
from dfmnist.experiments.results import ResultTable, read_result, read_results
from dfmnist.experiments.spoof_rates import spoof_rates

Make = Callable[..., Path]


def scores(dataset: Path, quality: str, right: dict[str, int], frames: int = 4) -> pl.DataFrame:
    """Scores of the test clips of the people in `right`; of each clip so many frames are right."""
    clips = read_manifest(dataset).select(split="test", quality=quality).clips
    rows = [
        {
            "clip_id": clip.clip_id, "quality": quality, "split": "test", "label": clip.label,
            "action": clip.action.value, "source_id": clip.source, "frame": frame,
            "logit": 1.0 if (frame < right[clip.source]) == (clip.label == "fake") else -1.0,
        }
        for clip in clips if clip.source in right for frame in range(frames)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def table3(runs: Path, dataset: Path, out: Path) -> ResultTable:
    """Table 3 of `runs`; the other results, which take longer to draw, are not made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finished, "write_all", write_table3_alone)
        write_run_results(runs, read_manifest(dataset), out)
    return read_result(out / "table3")


def test_table3_counts_frames_and_clips(drawn: Path, make_run: Make, tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", drawn, "resnet50", "raw", skill=1.0)
    made = scores(drawn, "raw", {"a5": 4, "a6": 4, "a7": 3})
    made.write_parquet(run / "scores-test.parquet")
    table = table3(tmp_path / "runs", drawn, tmp_path / "out")
    cell = table.by_place["raw", "resnet50"]
    frames = {who: len(rows) for (who,), rows in made.group_by("source_id")}
    right = 1 - 0.25 * frames["a7"] / sum(frames.values())
    assert cell.value == pytest.approx(right)
    assert (cell.n, cell.groups) == (len(made), 3)
    assert cell.low is not None
    assert cell.low <= 0.75 + 1e-9  # a7 drawn three times
    assert cell.high == 1.0
    assert cell.paper is not None
    assert cell.paper.text == "96.58%"
    assert cell.score is not None
    assert cell.score.clip["accuracy"].value == 1.0
    assert (cell.score.run, cell.score.size_px, cell.score.steps) == (run.name, 64, 30)
    assert cell.score.learnt
    assert cell.notes == ("fewer than 300 steps: claims nothing",)


def test_cells_that_were_not_run_say_how_to_run_them(
    drawn: Path, make_run: Make, tmp_path: Path
) -> None:
    make_run(tmp_path / "runs", drawn, "resnet50", "raw", skill=1.0)
    table = table3(tmp_path / "runs", drawn, tmp_path / "out")
    assert len(table.cells) == 15
    empty = [c for c in table.cells if not c.ran]
    assert len(empty) == 14
    assert all(c.paper is not None for c in empty)
    assert {note for c in empty for note in c.notes} == {
        "not run: no such run is finished and scored; dfmnist train DATASET --network NETWORK "
        "--quality QUALITY, then dfmnist score RUN DATASET"
    }


def test_runs_that_are_no_cell_of_table3_are_left_out(
    drawn: Path, make_run: Make, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    for number, change in enumerate(
        ({"corpus": 0.1}, {"actions": ["yaw"]}, {"quality": "mixed"}, {"network": "meso4"})
    ):
        folder = make_run(runs, drawn, "resnet50", "raw", skill=1.0)
        write_json(folder / "config.json", read_json(folder / "config.json") | change)
        folder.rename(runs / f"part-{number}")
    for number, record in enumerate(
        ({"initialisation": "all layers from run resnet50-raw-0"}, {"manifest_hash": "0" * 64})
    ):
        folder = make_run(runs, drawn, "resnet50", "raw", skill=1.0)
        write_json(folder / "run.json", read_json(folder / "run.json") | record)
        folder.rename(runs / f"other-{number}")
    (make_run(runs, drawn, "resnet50", "c40", skill=1.0) / "scores-test.parquet").unlink()
    (runs / "no-run").mkdir()
    assert table3(runs, drawn, tmp_path / "out").ran == 0
    assert table3(tmp_path / "nowhere", drawn, tmp_path / "empty").ran == 0


def test_of_equal_runs_the_one_of_most_steps_counts(
    drawn: Path, make_run: Make, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    for name, steps in (("b", 500), ("a", 900), ("c", 400)):
        folder = make_run(runs, drawn, "resnet50", "raw", skill=1.0)
        write_json(folder / "run.json", read_json(folder / "run.json") | {"steps": steps})
        folder.rename(runs / name)
    score = table3(runs, drawn, tmp_path / "out").by_place["raw", "resnet50"].score
    assert score is not None
    assert (score.run, score.steps) == ("a", 900)


def test_guessing_is_not_learnt(drawn: Path, make_run: Make, tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", drawn, "resnet50", "raw", skill=1.0)
    made = scores(drawn, "raw", dict.fromkeys(("a5", "a6", "a7"), 2))
    made.write_parquet(run / "scores-test.parquet")
    cell = table3(tmp_path / "runs", drawn, tmp_path / "out").by_place["raw", "resnet50"]
    assert cell.value == 0.5
    assert cell.score is not None
    assert cell.score.learnt is False


def test_figure6_keeps_actions_and_the_real_class_apart_and_the_dataset_is_shown_too(
    drawn: Path, make_run: Make, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "runs", drawn, "xception", "raw", skill=1.0)
    made = scores(drawn, "raw", dict.fromkeys(("a5", "a6", "a7"), 3))
    missed_reals = made.with_columns(
        logit=pl.when(pl.col("label") == "real").then(1.0).otherwise(pl.col("logit"))
    )
    missed_reals.write_parquet(run / "scores-test.parquet")
    write_run_results(tmp_path / "runs", read_manifest(drawn), tmp_path / "out")
    names = [table.name for table in read_results(tmp_path / "out")]
    assert names == ["table1", "figure1", "figure2", "table3", "figure6", "figure9"]
    table = read_result(tmp_path / "out" / "figure6")
    cells = table.by_place
    assert cells["Smile", "raw"].value == pytest.approx(0.75)
    assert cells["Real clips", "raw"].value == 0.0
    assert cells["Smile", "raw"].score is not None
    assert cells["Smile", "raw"].score.network == "xception"  # the first that is scored
    assert cells["Nod", "raw"].notes == (
        "not run: the test split has no nod clips; run it with another dataset",
    )
    assert cells["Smile", "c40"].state == "not run"


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
            "identities": ["a", "d"],
            "method": "fomm",
            "origin": "built",
            "source": "a",
            "source_frame": 0,
            "driver": "d",
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
            "source": "a",
            "source_frame": 0,
            "driver": "d",
            "take": 0,
            "generator": "g",
            "seed": 0,
            "screening": screening,
            "reason": "flat",
        }
    )


def test_spoof_rate_counts_clips_once_and_every_attempt() -> None:
    kept = [made(q, n) for n in range(2) for q in ("raw", "c23", "c40")]
    away = [lost("yaw", words(False)), lost("yaw", ()), lost("nod", words(False))]
    rates = {r.action: r for r in spoof_rates(kept, away)}
    assert (rates[Action.YAW].accepted, rates[Action.YAW].attempts) == (2, 4)
    assert rates[Action.YAW].by_detector == {"action": (3, 3), "universal": (2, 3)}
    nod = rates[Action.NOD].estimate
    assert nod is not None
    assert (nod.value, nod.low) == (0.0, 0.0)
    assert 0.7 < nod.high < 0.8
    assert rates[Action.BLINK].estimate is None
    assert np.isclose(sum(r.attempts for r in rates.values()), 5)


def test_a_detector_of_the_users_stands_beside_the_five(
    drawn: Path, make_run: Make, tmp_path: Path
) -> None:
    make_run(tmp_path / "runs", drawn, "resnet50", "raw", skill=1.0)
    other = tmp_path / "other.csv"
    clips = read_manifest(drawn).select(split="test", quality="raw").clips
    rows = [f"{c.file_name},{0.9 if c.label == 'fake' else 0.2}" for c in clips]
    other.write_text("\n".join(["clip_id,p_fake", *rows]))
    for name, folder in (("theirs", "theirs-imported"), ("resnet50", "of-a-known-name")):
        out = tmp_path / "runs" / folder / "scores-test.parquet"
        import_scores(other, drawn, name=name, out=out)
    table = table3(tmp_path / "runs", drawn, tmp_path / "out")
    cell = table.by_place["raw", "theirs"]
    assert (cell.value, cell.n) == (1.0, len(clips))
    assert cell.notes == ("your detector: not trained here",)
    assert cell.score is not None
    assert cell.score.trained_on == "elsewhere"
    assert table.by_place["c23", "theirs"].state == "not run"
    ours = table.by_place["raw", "resnet50"]
    assert ours.score is not None
    assert ours.score.steps == 30  # no score file takes the place of a run
    assert [c.key for c in table.columns][-1] == "theirs"
    assert "Not trained here: theirs" in " ".join(table.sentences)
