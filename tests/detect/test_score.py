"""Scores: every frame and clip in the table, those that cannot be read too."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dfmnist.core.errors import InputError
from dfmnist.detect.config import TrainConfig
from dfmnist.detect.metrics import evaluate
from dfmnist.detect.run import load_run
from dfmnist.detect.score import SCHEMA, score
from dfmnist.detect.train import train
from dfmnist.detect.video import detect_video


@pytest.fixture(scope="module")
def run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = TrainConfig(
        network="mesoinception4",
        size_px=64,
        frames_per_clip=4,
        epochs=2,
        batch_size=8,
        learning_rate=3e-3,
        precise_bn_frames=16,
        precision="32",
    )
    return train(config, dataset, tmp_path_factory.mktemp("runs"), quiet=True)


def test_scores_are_per_frame_and_separate_the_classes(
    run: Path, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.parquet"
    table = score(run, dataset, out=out, quiet=True)
    assert table.schema == pl.Schema(SCHEMA)
    assert len(table) == 4 * 4
    assert table["frame"].unique().sort().to_list() == [1, 3, 5, 7]
    assert set(table["split"]) == {"test"}
    np.testing.assert_allclose(table["p_fake"], 1 / (1 + np.exp(-table["logit"])), rtol=1e-5)
    assert table["run"].unique().to_list() == [run.name.rsplit("-", 1)[-1]]
    assert evaluate(table).frame["auc"].value > 0.9
    assert pl.read_parquet(out).equals(table)
    assert pl.read_parquet_metadata(out)["run"] == run.name


def test_other_qualities_can_be_asked_for(run: Path, dataset: Path) -> None:
    table = score(run, dataset, "validation", ("raw", "c40"), quiet=True)
    assert table.group_by("quality").len().sort("quality")["len"].to_list() == [16, 16]
    with pytest.raises(InputError, match="unknown quality 'c50'"):
        score(run, dataset, qualities=("c50",), quiet=True)


def test_a_clip_that_cannot_be_read_stays_with_its_reason(
    run: Path, dataset: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    (copy / "clips" / "raw" / "g-fake.mp4").write_text("not a video")
    (copy / "clips" / "raw" / "h-real.mp4").unlink()
    table = score(run, copy, quiet=True)
    assert len(table) == 2 * 4 + 2
    broken = table.filter(pl.col("p_fake").is_null())
    assert set(broken["clip_id"]) == {"g-fake", "h-real"}
    assert all("mp4" in reason for reason in broken["reason"])
    assert evaluate(table).num_unscored == 2


def test_one_video_gets_the_score_of_its_clip(run: Path, dataset: Path) -> None:
    video = dataset / "clips" / "raw" / "g-fake.mp4"
    found = detect_video(video, load_run(run), cropped=True)
    table = score(run, dataset, quiet=True).filter(pl.col("clip_id") == "g-fake")
    assert found.frames == (1, 3, 5, 7)
    np.testing.assert_allclose(found.p_fake_per_frame, table["p_fake"], rtol=1e-4)
    assert found.p_fake == pytest.approx(1 / (1 + np.exp(-table["logit"].mean())), rel=1e-4)
    with pytest.raises(InputError, match=r"g-fake\.mp4: no face found"):
        detect_video(video, load_run(run))
