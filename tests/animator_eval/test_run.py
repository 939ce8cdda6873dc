"""The evaluation of the motion model at tiny size: records, resume, tables, criteria, bad input."""

import csv
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import cbook
from PIL import Image
from tests.fomm.test_networks import tiny
from tests.running import refused_at_last

from dfmnist.actors.seeds import SEED_RANGES
from dfmnist.animator_eval.acceptance import acceptance_criteria
from dfmnist.animator_eval.jobs import PairJob, run_job
from dfmnist.animator_eval.mesh_accuracy import MeshAccuracy
from dfmnist.animator_eval.metrics import COMPARED, SignalFit
from dfmnist.animator_eval.records import (
    AFFINE,
    ANIMATED,
    METHODS,
    SCREENED,
    STILL,
    EyeClosure,
    LivenessAnswer,
    Record,
    Transfer,
)
from dfmnist.animator_eval.run import evaluate_animator, evaluate_clips
from dfmnist.animator_eval.tables import report
from dfmnist.core.actions import TEN, Action
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json
from dfmnist.fomm.checkpoint import save_networks
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import KPDetector
from dfmnist.media.video import write_video
from dfmnist.pipeline.film_training import CLIP_FRAMES, film_training, join, mixed_performance, pick

SIZE = 64
FIRST = SEED_RANGES["evaluation"].start
NAN = float("nan")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model for frames of 64 px."""
    return save_tiny(tmp_path_factory.mktemp("weights") / "tiny.safetensors", 0)


def save_tiny(path: Path, seed: int, **provenance: object) -> Path:
    config = tiny().at_size(SIZE)
    torch.manual_seed(seed)
    save_networks(path, config, KPDetector(config), OcclusionAwareGenerator(config), provenance)
    return path


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """A picture of one face (128, 128, 3), framed as a clip."""
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    picture = Image.open(path).convert("RGB").crop((60, 30, 460, 430))
    return np.asarray(picture.resize((128, 128)))


def write_clip(path: Path, picture: np.ndarray, size: int = SIZE, count: int = 4) -> Path:
    """Write a clip of `count` frames of `picture`, which moves by a pixel a frame."""
    image = np.asarray(Image.fromarray(picture).resize((size, size)))
    frames = [np.roll(image, shift % 4, axis=1) for shift in range(count)]
    write_video(path, frames, Fraction(25), crf=10)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Path:
    """A folder of a good clip, one of noise, one of another size, and a truncated one."""
    clips = tmp_path_factory.mktemp("clips")
    write_clip(clips / "face.mp4", portrait)
    write_clip(clips / "large.mp4", portrait, 96)
    rng = np.random.default_rng(0)
    write_clip(clips / "noise.mp4", rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8))
    cut = write_clip(clips / "cut.mp4", portrait, count=80)  # the part that is read is complete
    cut.write_bytes(cut.read_bytes()[:-400])
    (clips / "notes.txt").write_text("no clip")
    return clips


def fit(**changes: float) -> SignalFit:
    values = dict.fromkeys(SignalFit.model_fields, 1.0)
    return SignalFit(**values | changes)


def transfer(
    action: Action, made: float = 20.0, still: float = 15.0, live: bool = True, **changes: object
) -> Transfer:
    rest = EyeClosure(fall=0.0, reopening=1.0, mesh_fall=0.0)
    asked = {name: LivenessAnswer(live=True, reason="") for name in ("action", "universal")}
    values: dict[str, object] = {
        "action": action, "source": 1, "driver": 2, "take": 0,
        "fits": {name: fit(psnr_moving=10.0) for name in METHODS}
        | {ANIMATED: fit(psnr_moving=made), STILL: fit(psnr_moving=still)},
        "correlation": NAN, "gain": NAN, "eyes": rest, "driver_eyes": rest,
        "screening": dict.fromkeys(SCREENED, asked)
        | {ANIMATED: asked | {"action": LivenessAnswer(live=live, reason="too small")}},
        "mesh_accuracy": {name: MeshAccuracy(correlation=0.9, error_deg=NAN) for name in COMPARED},
    }  # fmt: skip
    return Transfer.model_validate(values | changes)


def eyes(fall: float, reopening: float = 1.0, mesh_fall: float = 0.0) -> EyeClosure:
    return EyeClosure(fall=fall, reopening=reopening, mesh_fall=mesh_fall)


def test_criterion_of_moving_pixels_is_the_mean_above_no_motion() -> None:
    found = acceptance_criteria([transfer(Action.YAW, 18, 15), transfer(Action.YAW, 16, 15)])[0]
    assert found.met  # 17.0 against 15.0: exactly 2 dB
    assert found.measured == "17.00 dB, no motion 15.00: +2.00"
    below = acceptance_criteria([transfer(Action.YAW, 18, 15), transfer(Action.YAW, 15.9, 15)])[0]
    assert not below.met
    assert "+1.95" in below.measured
    unknown = acceptance_criteria([transfer(Action.YAW, NAN, NAN)])[0]
    assert (unknown.met, unknown.measured) == (False, "no clip")


def test_criteria_of_blinks() -> None:
    shut, half = eyes(0.6), eyes(0.3)
    clips = [
        transfer(Action.BLINK, eyes=shut, driver_eyes=shut),
        transfer(Action.BLINK, eyes=half, driver_eyes=half),  # its driver did not blink
        transfer(Action.YAW, eyes=half, driver_eyes=shut),  # no blink clip
    ]
    closes, opens = acceptance_criteria(clips)[7:9]
    assert (closes.met, closes.measured) == (True, "1 of 1 (100%)")
    assert opens.met
    stays = transfer(Action.BLINK, eyes=eyes(0.6, reopening=0.7), driver_eyes=shut)
    assert [p.met for p in acceptance_criteria([*clips, stays])][7:9] == [True, False]
    never = transfer(Action.BLINK, eyes=half, driver_eyes=shut)
    assert [p.met for p in acceptance_criteria([*clips, never])][7:9] == [False, False]
    assert [p.measured for p in acceptance_criteria([clips[1]])][7:9] == ["no clip", "no clip"]


def test_criterion_of_recognition_is_four_of_five() -> None:
    clips = [transfer(Action.SMILE, live=number > 0) for number in range(5)]
    at = 9 + TEN.index(Action.SMILE)
    found = acceptance_criteria(clips)[at]
    assert found.met
    assert found.measured == "4 of 5 (80%); true clips 5 of 5 (100%)"
    assert not acceptance_criteria(clips[:4])[at].met  # 3 of 4
    assert len(acceptance_criteria([])) == 7 + 2 + 10
    assert not any(criterion.met for criterion in acceptance_criteria([]))


def test_tables_hold_what_was_measured() -> None:
    good = {name: fit(l1=0.02) for name in (ANIMATED, STILL, AFFINE)}
    clips = [
        transfer(Action.YAW, correlation=0.9, gain=0.7),
        transfer(Action.YAW, 22, correlation=0.9, gain=0.5, live=False),
        transfer(Action.BLINK, eyes=eyes(0.5), driver_eyes=eyes(0.7, mesh_fall=0.4)),
        transfer(Action.BLINK, eyes=eyes(0.1), driver_eyes=eyes(0.7)),
        transfer(Action.BLINK, eyes=eyes(0.1), driver_eyes=eyes(0.1)),
    ]
    records = [Record(name=str(i), reconstruction=good, transfer=c) for i, c in enumerate(clips)]
    text = report("fomm-x@1", "five clips", [*records, Record(name="lost", problem="no face")])
    assert "Weights `fomm-x@1`; five clips." in text
    assert "Left out, 1 of 6:\n\n- lost: no face\n" in text
    assert "| animated | 5 | 0.0200 |" in text
    assert "| yaw | 2 | 21.00 | 15.00 | 10.00 | 10.00 | 0.90 | 0.60 | 50% | – | – |" in text
    assert "| blink | 3 | 20.00 | 15.00 | 10.00 | 10.00 | – | – | – | 50% | 0% |" in text
    assert "| yaw | 2 | 50% | 100% | 100% | 100% | 100% | 100% |" in text  # screening
    assert "not recognised:\n\n- yaw, 1 moved as 2, take 0: too small\n\n###" in text
    assert "| mouth opening | 5 | 0.90 | – |" in text
    assert "| yaw: recognised in 80% of animated clips | **not met** | 1 of 2 (50%);" in text
    assert "| yaw: 2 dB above no motion on moving pixels | met | 21.00 dB," in text


def test_one_pair_is_measured_recorded_and_taken_up_again(tmp_path: Path, weights: Path) -> None:
    job = PairJob(tmp_path, "key", weights, 4, "auto", True, FIRST, FIRST + 1, Action.BLINK, 0)
    record = run_job(job)
    assert record.problem == ""
    assert record.frames == 4
    assert set(record.reconstruction) == {ANIMATED, STILL, AFFINE}
    found = record.transfer
    assert found is not None
    assert set(found.fits) == set(METHODS)
    assert set(found.screening) == set(SCREENED)
    assert found.fits["true clip, camera noise"].psnr > 38
    assert found.fits["true clip, camera noise"].ssim > found.fits["copy of driver"].ssim
    assert found.fits["copy of driver"].akd_px > 1
    assert record.reconstruction[STILL] == found.fits[STILL]
    assert job.file(".png").exists()
    assert job.file(".column.png").exists()
    path = job.file(".json")
    value = json.loads(path.read_text())
    assert "NaN" not in path.read_text()
    value["frames"] = 99
    path.write_text(json.dumps(value))
    assert run_job(job).frames == 99  # taken from the record
    job.file(".png").unlink()
    assert run_job(job).frames == 4  # the job has pictures, so it is run again


def test_two_actions_of_two_actors(tmp_path: Path, weights: Path) -> None:
    def evaluate() -> str:
        people, actions = [FIRST, FIRST + 1], [Action.BLINK, Action.YAW]
        return evaluate_animator(weights, people, 1, tmp_path, actions=actions, num_frames=2)

    text = evaluate()
    assert "2 actors never trained on, 2 actions, 1 of each by pair, 2 frames" in text
    found = read_json(tmp_path / "clips.json")
    assert len(found["clips"]) == 4
    assert len(found["acceptance"]) == 19
    assert found["settings"]["weights"].startswith("fomm-tiny@")
    assert found["settings"]["noise_sigma"] == 2.0
    records = {path: path.stat().st_mtime_ns for path in (tmp_path / "records").rglob("*.json")}
    assert len(records) == 4
    sheet, columns = (Image.open(tmp_path / name) for name in ("sheet.png", "actions.png"))
    assert sheet.height == 2 * (24 + 4 * SIZE)  # driver, true, animated and affine, twice
    assert columns.width == 76 + 2 * SIZE // 2
    lost = next(iter(records))  # as if stopped before this one
    lost.unlink()
    assert evaluate() == text
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / "records").rglob("*.json")}
    assert {path for path in records if records[path] != again[path]} == {lost}


def test_clips_are_rebuilt_and_bad_ones_named(tmp_path: Path, weights: Path, folder: Path) -> None:
    text = evaluate_clips(weights, folder, tmp_path, num_frames=4)
    assert "Left out, 3 of 4" in text
    assert "- cut.mp4: " in text
    assert "truncated" in text
    assert "- large.mp4: is 96x96; expected 64x64, or --crop" in text
    assert "- noise.mp4: no face found" in text
    assert "Transfer" not in text
    assert "| no motion | 1 |" in text.partition("### Reconstruction: identity")[2]
    assert "Acceptance" not in text
    assert text == (tmp_path / "table.md").read_text()
    found = read_json(tmp_path / "clips.json")
    assert [clip["name"] for clip in found["clips"]] == ["face.mp4"]
    assert set(found["left_out"]) == {"cut.mp4", "large.mp4", "noise.mp4"}
    assert found["clips"][0]["frames"] == 4
    assert found["clips"][0]["reconstruction"][AFFINE]["l1"] > 0
    assert Image.open(tmp_path / "sheet.png").width > 6 * SIZE


def test_records_are_reused_for_the_same_weights_alone(
    tmp_path: Path, weights: Path, portrait: np.ndarray
) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    write_clip(clips / "face.mp4", portrait)
    evaluate_clips(weights, clips, out)
    (path,) = (out / "records").rglob("*.json")
    value = read_json(path)
    value["reconstruction"][ANIMATED]["l1"] = 0.4321
    path.write_text(json.dumps(value))
    assert "| animated | 1 | 0.4321 |" in evaluate_clips(weights, clips, out)
    other = save_tiny(tmp_path / "other.safetensors", 1)
    assert "0.4321" not in evaluate_clips(other, clips, out)
    assert "0.4321" not in evaluate_clips(weights, clips, out, num_frames=3)
    write_clip(clips / "face.mp4", portrait[:, ::-1])  # another clip of the same name
    assert "0.4321" not in evaluate_clips(weights, clips, out)
    assert len(list((out / "records").rglob("*.json"))) == 4


def test_cropped_clips(tmp_path: Path, weights: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    whole = np.asarray(Image.open(path).convert("RGB").resize((256, 300)))
    write_video(clips / "wide.mp4", [whole] * 2, Fraction(25), crf=18)
    text = evaluate_clips(weights, clips, tmp_path / "out", crop=True)
    assert "Left out" not in text
    assert "cropped by MTCNN" in text


def test_bad_input(tmp_path: Path, weights: Path, portrait: np.ndarray) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="holds no video"):
        evaluate_clips(weights, empty, tmp_path / "out")
    with pytest.raises(InputError, match="no such folder"):
        evaluate_clips(weights, tmp_path / "no", tmp_path / "out")
    write_clip(empty / "large.mp4", portrait, 96)
    with pytest.raises(InputError, match="no clip of 1 can be measured"):
        evaluate_clips(weights, empty, tmp_path / "out")
    with pytest.raises(InputError, match="belongs to animator"):
        evaluate_animator(None, [5, 6], 1, tmp_path)
    with pytest.raises(InputError, match="--actors 1; expected 2"):
        evaluate_animator(None, [FIRST], 1, tmp_path)
    with pytest.raises(InputError, match="--takes 0"):
        evaluate_animator(None, [FIRST, FIRST + 1], 0, tmp_path)
    with pytest.raises(InputError, match="--frames 1"):
        evaluate_animator(weights, [FIRST, FIRST + 1], 1, tmp_path, num_frames=1)
    seen = save_tiny(tmp_path / "seen.safetensors", 0, identity_seeds=[FIRST + 1])
    with pytest.raises(InputError, match=f"trained on actor {FIRST + 1}"):
        evaluate_animator(seen, [FIRST, FIRST + 1], 1, tmp_path)
    with pytest.raises(InputError, match="belongs to drivers"):
        film_training(tmp_path, 2, first=SEED_RANGES["drivers"].start)


def test_sources_are_moved_as_drivers(tmp_path: Path, weights: Path) -> None:
    drivers, sources, out = tmp_path / "drivers", tmp_path / "sources", tmp_path / "out"
    for folder in (drivers, sources):
        folder.mkdir()
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    whole = Image.open(path).convert("RGB").resize((200, 236))
    whole.save(sources / "photo.png")
    Image.new("RGB", (200, 200)).save(sources / "black.png")
    write_video(sources / "clip.mp4", [np.asarray(whole)] * 2, Fraction(25), crf=18)
    write_video(drivers / "ann.mp4", [np.asarray(whole)] * 3, Fraction(25), crf=18)
    (drivers / "bad.mp4").write_text("no video")
    text = evaluate_clips(weights, drivers, out, sources=sources, num_frames=3)
    assert "2 clips, cropped by MTCNN, their first 3 frames, motion auto; 3 sources" in text
    assert "Left out, 5 of 8" in text  # the bad driver, with each source, and the black picture
    assert "- black.png moved as ann.mp4: black.png: no face found; expected one face" in text
    assert "- photo.png moved as bad.mp4: bad.mp4: cannot be read as video" in text
    found = [clip for clip in read_json(out / "clips.json")["clips"] if clip["reenactment"]]
    assert {clip["reenactment"]["source"] for clip in found} == {"photo.png", "clip.mp4"}
    with (out / "clips.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["source"], r["driver"], r["method"]) for r in rows][-2:] == [
        ("clip.mp4", "ann.mp4", ANIMATED), ("photo.png", "ann.mp4", ANIMATED)
    ]  # fmt: skip
    assert (rows[0]["source"], rows[0]["psnr"] != "", rows[-1]["psnr"]) == ("ann.mp4", True, "")
    assert float(rows[-1]["yaw_deg_driver_range"]) < 5
    assert rows[-1]["yaw_deg_gain"] == ""  # the driver does not move
    assert Image.open(out / "pairs.png").size == (32 + 4 * 32, 24 + 3 * 32)
    records = {p: p.stat().st_mtime_ns for p in (out / "records").rglob("*.json")}
    table = (out / "clips.csv").read_text(encoding="utf-8")
    assert evaluate_clips(weights, drivers, out, sources=sources, num_frames=3) == text
    assert (out / "clips.csv").read_text(encoding="utf-8") == table
    assert records == {p: p.stat().st_mtime_ns for p in (out / "records").rglob("*.json")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--crop"], "--crop without --clips"),
        (["--sources", "."], "--sources without --clips"),
        (["--clips", ".", "--actors", "2"], "--clips with --actors, --first or --takes"),
        (["--clips", "nowhere"], "nowhere: no such folder"),
        (["--actors", "1"], "--actors 1; expected 2 or more"),
    ],
)
def test_bad_options(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused_at_last(capsys, "animator", "evaluate", "--out", "o", *arguments)
    assert not (tmp_path / "o").exists()


def test_training_performance_holds_rest_actions_and_free_movement() -> None:
    one = mixed_performance(3)
    assert len(one) == CLIP_FRAMES
    again = mixed_performance(3)
    np.testing.assert_array_equal(one.yaw_deg, again.yaw_deg)
    assert np.abs(one.yaw_deg[:2]).max() < 6  # at rest
    assert np.abs(one.yaw_deg).max() > 10
    assert (one.facial["eyeBlinkLeft"] > 0.5).sum() >= 3  # lids close more than once
    assert all(len(track) == len(one) for track in one.facial.values())
    twice = join([pick(one, [5]), pick(one, [0, 1])], 9)
    assert twice.yaw_deg.tolist() == one.yaw_deg[[5, 0, 1]].tolist()
    assert twice.gaze_deg.shape == (3, 2)
