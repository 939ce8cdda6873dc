"""Scores: every frame and clip in the table, those that cannot be read too."""

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from scipy.special import expit
from tests.detectors.conftest import clip_frames, make_dataset

from dfmnist.core.choices import Quality
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.core.inference import has_amx
from dfmnist.dataset.manifest import read_manifest, write_manifest
from dfmnist.detectors.calibrate import Calibration
from dfmnist.detectors.chosen import choose_detector
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.metrics import evaluate
from dfmnist.detectors.module import save_weights
from dfmnist.detectors.predict import Looking, detect_file
from dfmnist.detectors.run import load_run
from dfmnist.detectors.score import score
from dfmnist.detectors.scores import SCHEMA, read_scores
from dfmnist.detectors.train import train
from dfmnist.media.video import write_video


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
        precision="f32",
    )
    return train(config, dataset, tmp_path_factory.mktemp("runs"), quiet=True)


@pytest.mark.usefixtures("as_shipped")
def test_scores_are_per_frame_and_separate_the_classes(
    run: Path, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.parquet"
    table = score(run, dataset, out=out, quiet=True)
    assert table.schema == pl.Schema(SCHEMA)
    assert len(table) == 4 * 4
    assert table["frame"].unique().sort().to_list() == [1, 3, 5, 7]
    assert set(table["split"]) == {"test"}
    np.testing.assert_allclose(table["p_fake"], expit(table["logit"].to_numpy()), rtol=1e-5)
    assert table["run"].unique().to_list() == [run.name.rsplit("-", 1)[-1]]
    assert evaluate(table).frame["auc"].value > 0.9
    assert read_scores(out).equals(table)
    notes = pl.read_parquet_metadata(out)
    assert notes["run"] == run.name
    assert notes["run_hash"] == table[0, "run"]
    assert notes["manifest"] == read_json(run / "run.json")["manifest_hash"]
    assert notes["clip_score"] == "mean logit"
    assert (notes["backend"], notes["precision"]) == (
        "openvino",
        "f32" if not has_amx() else "bf16",
    )


def test_other_qualities_can_be_asked_for(run: Path, dataset: Path) -> None:
    table = score(run, dataset, "validation", ("raw", "c40"), quiet=True)
    assert table.group_by("quality").len().sort("quality")["len"].to_list() == [16, 16]
    with pytest.raises(
        InputError, match=r"holds no test clips in c50; expected one of raw, c23, c40"
    ):
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
    detector = choose_detector(run)
    (face,) = detect_file(video, detector, Looking(cropped=True)).faces
    table = score(run, dataset, quiet=True).filter(pl.col("clip_id") == "g-fake")
    assert [moment.frame for moment in face.timeline] == [1, 3, 5, 7]
    assert [moment.time_s for moment in face.timeline] == [0.04, 0.12, 0.2, 0.28]
    np.testing.assert_allclose([m.p_fake for m in face.timeline], table["p_fake"], rtol=1e-4)
    assert face.p_fake == pytest.approx(expit(table["logit"].mean()), rel=1e-4)
    assert face.low is not None
    assert face.low <= face.p_fake <= (face.high or 0)
    with pytest.raises(InputError, match=r"g-fake\.mp4: no face found"):
        detect_file(video, detector)


def calibrated(run: Path, folder: Path, temperature: float, threshold: float) -> Path:
    """A copy of the run with another calibration."""
    shutil.copytree(run, folder)
    record = read_json(folder / "run.json")
    record["calibration"] = {"temperature": temperature, "threshold": threshold}
    write_json(folder / "run.json", record)
    return folder


def test_scores_are_calibrated_and_carry_their_threshold(
    run: Path, dataset: Path, tmp_path: Path
) -> None:
    plain = score(calibrated(run, tmp_path / run.name, 1.0, 0.5), dataset, quiet=True)
    other = calibrated(run, tmp_path / "other" / run.name, 4.0, 0.9)
    out = tmp_path / "scores.parquet"
    table = score(other, dataset, out=out, quiet=True)
    np.testing.assert_allclose(4 * table["logit"], plain["logit"], rtol=1e-5)
    np.testing.assert_allclose(table["p_fake"], expit(table["logit"].to_numpy()), rtol=1e-5)
    assert set(table["threshold"]) == {0.9}
    notes = pl.read_parquet_metadata(out)
    assert (notes["temperature"], notes["threshold"]) == ("4.0", "0.9")
    found = evaluate(table).frame["accuracy"].value
    right = (table["p_fake"] >= 0.9) == (table["label"] == "fake")
    assert found == pytest.approx(right.mean())
    video = dataset / "clips" / "raw" / "g-fake.mp4"
    one = detect_file(video, choose_detector(other), Looking(cropped=True))
    mean = table.filter(pl.col("clip_id") == "g-fake")["logit"].mean()
    assert one.p_fake == pytest.approx(expit(mean), rel=1e-4)
    assert one.verdict == "none"  # four validation clips of two people are not above chance
    assert choose_detector(other).facts.threshold == 0.9


def test_backends_give_the_same_scores(run: Path, dataset: Path) -> None:
    ours, plain = (
        score(run, dataset, backend=name, precision="f32", quiet=True)
        for name in ("openvino", "torch")
    )
    np.testing.assert_allclose(ours["logit"], plain["logit"], atol=1e-3)
    assert ours.drop("logit", "p_fake").equals(plain.drop("logit", "p_fake"))
    with pytest.raises(InputError, match="--backend is 'onnx'"):
        score(run, dataset, backend="onnx", quiet=True)


def test_a_run_folder_is_a_whole_model(run: Path, dataset: Path, tmp_path: Path) -> None:
    """Moved, and its training data gone, it scores another dataset."""
    root = make_dataset(tmp_path / "data", (Quality.RAW,))
    other = make_dataset(tmp_path / "another", (Quality.RAW,))
    folder = train(load_run(run).config, root, tmp_path / "runs", quiet=True)
    before = score(folder, other, quiet=True)
    moved = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, moved)
    shutil.rmtree(root)
    shutil.rmtree(tmp_path / "runs")
    assert score(moved, other, quiet=True).equals(before)
    video = other / "clips" / "raw" / "g-fake.mp4"
    (face,) = detect_file(video, choose_detector(moved), Looking(cropped=True)).faces
    assert [moment.frame for moment in face.timeline] == [1, 3, 5, 7]


def test_a_clip_that_was_cut_is_not_scored_as_if_it_were_whole(
    run: Path, dataset: Path, tmp_path: Path
) -> None:
    """Neither a file that ends too soon nor a whole one of fewer frames."""
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    cut, short = (copy / "clips" / "raw" / f"{name}.mp4" for name in ("g-fake", "h-real"))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    write_video(short, clip_frames(1, False)[:5], Fraction(25), crf=18)
    broken = score(run, copy, quiet=True).filter(pl.col("logit").is_null())
    assert broken["clip_id"].to_list() == ["g-fake", "h-real"]
    assert broken["frame"].is_null().all()
    assert "h-real.mp4: not as long as the manifest says; expected 9 frames" in broken[1, "reason"]


def test_a_manifest_without_its_files_is_one_message(
    run: Path, dataset: Path, tmp_path: Path
) -> None:
    shutil.copy(dataset / "metadata.jsonl", tmp_path / "metadata.jsonl")
    out = tmp_path / "scores.parquet"
    with pytest.raises(InputError) as caught:
        score(run, tmp_path, out=out, quiet=True)
    text = str(caught.value)
    assert "none of 4 test clips could be scored (the first: " in text
    assert "no such file" in text
    assert "\n" not in text
    assert not out.exists()


def test_a_manifest_is_named_by_its_folder_or_its_file(
    run: Path, dataset: Path, tmp_path: Path
) -> None:
    table = score(run, dataset, quiet=True)
    assert score(run, dataset / "metadata.jsonl", quiet=True).equals(table)
    with pytest.raises(InputError, match="not a manifest; expected a dataset folder"):
        score(run, run / "run.json", quiet=True)
    with pytest.raises(InputError, match="no such file"):
        score(run, tmp_path / "nowhere", quiet=True)


def test_what_holds_no_clips_is_refused(run: Path, dataset: Path, tmp_path: Path) -> None:
    clips = read_manifest(dataset).clips
    write_manifest(tmp_path, [c for c in clips if c.split != "test" and c.quality == "raw"])
    with pytest.raises(InputError, match="holds no test clips in raw"):
        score(run, tmp_path, quiet=True)
    with pytest.raises(InputError, match="holds no validation clips in c23 or c40"):
        score(run, tmp_path, "validation", ("c23", "c40"), quiet=True)
    with pytest.raises(InputError, match=r"^split is 'all'; expected one of train, validation"):
        score(run, dataset, "all", quiet=True)


def test_an_unfinished_run_is_refused(run: Path, dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "run.json").unlink()
    with pytest.raises(InputError, match=r"holds no run\.json"):
        score(tmp_path / "run", dataset, quiet=True)


def test_one_class_alone_can_be_scored(run: Path, dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    clips = read_manifest(copy).clips
    write_manifest(copy, [c for c in clips if c.label == "fake"])
    result = evaluate(score(run, copy, quiet=True))
    assert np.isnan(result.clip["auc"].value)
    assert not np.isnan(result.clip["accuracy"].value)


def test_a_network_that_gives_no_number_gives_a_reason(
    run: Path, dataset: Path, tmp_path: Path
) -> None:
    folder = tmp_path / run.name
    shutil.copytree(run, folder)
    network = load_run(folder).network
    with torch.no_grad():
        network.get_submodule(network.head).weight.fill_(3e38)  # a number, but sums of it are not
        network.get_submodule(network.head).bias.fill_(3e38)
    save_weights(network, folder / "weights.safetensors", epoch=1, calibration=Calibration())
    record = read_json(folder / "run.json")
    del record["trained_weights_sha256"]
    write_json(folder / "run.json", record)
    with pytest.raises(InputError, match="the network's output is not a finite number"):
        score(folder, dataset, quiet=True)


def test_what_are_no_scores_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    with pytest.raises(InputError, match="no such file; expected scores"):
        read_scores(path)
    path.write_text("nothing of the kind")
    with pytest.raises(InputError, match="cannot be read"):
        read_scores(path)
    pl.DataFrame({"clip_id": ["a"]}).write_parquet(path)
    with pytest.raises(InputError, match="has no column 'quality'"):
        read_scores(path)
