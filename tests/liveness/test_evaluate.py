"""The harness: what is shown to detectors, what is kept, and what is said of it."""

import csv
import json
import shutil
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests import misbehaving as bad
from tests.misbehaving import service
from tests.running import called, refused

from dfmnist.core.actions import Action
from dfmnist.core.choices import Attack
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file
from dfmnist.dataset.clip import Clip, Screening
from dfmnist.dataset.manifest import clip_file_name, read_manifest, write_manifest
from dfmnist.experiments.liveness import write_results
from dfmnist.experiments.results import read_result
from dfmnist.liveness import assess, load
from dfmnist.liveness.evaluate import EVERY, EvaluationConfig, evaluate_detectors
from dfmnist.liveness.presentations import (
    BONA_FIDE,
    MAKERS,
    AttackJob,
    attacked,
    make_attack,
    plan,
)
from dfmnist.media.video import read_frames, write_video

Image8 = npt.NDArray[np.uint8]
PEOPLE = ("ann", "bob")
FRAMES = 12
MODULE = """
import numpy as np
calls = []
def judge(frames, fps, action):
    calls.append(action)
    still = np.abs(frames[-1].astype(int) - frames[0]).mean() < 4
    return {"live": not still, "score": float(np.abs(frames[-1].astype(int) - frames[0]).mean())}
def broken(frames, fps, action): raise RuntimeError("no licence")
"""


@pytest.fixture(scope="module")
def dataset(portrait: Image8, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people who nod, real and fake, raw: the portrait and its mirror image, moved."""
    root = tmp_path_factory.mktemp("dataset")
    clips = []
    for person in PEOPLE:
        photo = portrait if person == "ann" else portrait[:, ::-1]
        for label in ("real", "fake"):
            step = 2 if label == "real" else 1
            frames = np.stack([np.roll(photo, step * i, 0) for i in range(FRAMES)])
            clips.append(written(root, f"{label}-{person}", person, label, frames))
    write_manifest(root, clips)
    return root


def written(root: Path, clip_id: str, person: str, label: Any, frames: Image8) -> Clip:
    name = clip_file_name(clip_id, "raw")
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    write_video(root / name, frames, Fraction(25), crf=18)
    fake = label == "fake"
    return Clip(
        file_name=name, clip_id=clip_id, label=label, action=Action.NOD, quality="raw",
        split="test", source=person, source_frame=0 if fake else None,
        identities=(person, "driver") if fake else (person,), method="fomm" if fake else "",
        origin="built", driver="driver" if fake else "", take=0,
        generator="test@0" if fake else "", seed=0,
        screening=(Screening(detector="x", live=True, score=1.0, reason=""),),
        fps="25", num_frames=len(frames), width=frames.shape[2],
        height=frames.shape[1], sha256=sha256_file(root / name), licence="CC0-1.0", consent="none",
    )  # fmt: skip


@pytest.fixture
def detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "harness_checks.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop("harness_checks", None)
    assess._detectors.cache_clear()
    yield "python:harness_checks:judge"
    sys.modules.pop("harness_checks", None)
    assess._detectors.cache_clear()


def config(*detectors: str, attacks: tuple[Attack, ...] = (Attack.STILL,), **more: Any) -> Any:
    return EvaluationConfig(detectors, attacks=attacks, **more)


def test_every_attack_is_made_and_measured(
    dataset: Path, detector: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def counted(file: Any) -> load.LoadedClip:
        loaded.append(file.path.name)
        return load.load_clip(file)

    monkeypatch.setattr(assess, "load_clip", counted)
    out = tmp_path / "liveness"
    wanted = config(detector, "universal", attacks=tuple(Attack), per_action=1)
    found = evaluate_detectors(dataset, wanted, out)
    assert found.counts == {BONA_FIDE: 2, "animation": 2, **dict.fromkeys(list(Attack)[1:], 1)}
    assert len(loaded) == 10  # decoded once for both detectors
    mine = {
        (rate.measure, rate.attack): (rate.estimate.value, rate.estimate.n)
        for rate in found.rates
        if (rate.detector, rate.action) == ("judge", "all")
    }
    assert mine["BPCER", ""] == (0.0, 2)
    assert mine["APCER", "animation"] == (1.0, 2)
    assert mine["APCER", "still"] == (0.0, 1)
    assert mine["APCER", "mesh_warp"] == (1.0, 1)
    assert mine["APCER", "max"][0] == 1.0
    assert mine["ACER", ""][0] == 0.5
    together = found.rate(EVERY, "raw", "APCER", "still", "nod")
    assert together is not None
    assert together.value == 0.0
    _check_files(found, out)


def _check_files(found: Any, out: Path) -> None:
    tables = write_results(found, out)
    errors, spoof = (read_result(out / table.name) for table in tables)
    assert [row.title for row in errors.rows] == ["judge, raw", "universal, raw", f"{EVERY}, raw"]
    assert errors.by_place["judge, raw", "APCER Repeated still"].value == 0.0
    assert errors.by_place["judge, raw", "APCER at BPCER 1%"].value == 0.0
    assert (errors.name, "det.png") == ("liveness_errors", errors.picture and errors.picture.file)
    assert any("animations passed its own screening" in text for text in errors.sentences)
    assert spoof.by_place["Nod", "judge"].value == 1.0
    with (out / "liveness_errors" / "rates.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found.rates)
    assert {row["action"] for row in rows} == {"all", "nod"}
    with (out / "liveness_errors" / "verdicts.csv").open() as file:
        kept = list(csv.DictReader(file))
    assert {row["verdict"] for row in kept if row["detector"] == "judge"} == {"live", "not live"}
    together = {(row["verdict"], row["score"]) for row in kept if row["detector"] == EVERY}
    assert together <= {("live", "1.0"), ("not live", "0.0")}
    assert together
    with (out / "liveness_errors" / "det.csv").open() as file:
        points = [
            r for r in csv.DictReader(file) if (r["detector"], r["attack"]) == ("judge", "max")
        ]
    assert [float(points[0][name]) for name in ("apcer", "bpcer")] == [1.0, 0.0]
    assert [float(points[-1][name]) for name in ("apcer", "bpcer")] == [0.0, 1.0]


def test_a_warp_that_moves_nothing_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a.mp4"
    write_video(source, np.zeros((3, 32, 32, 3), np.uint8), Fraction(25), crf=40)
    moved = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.full((32, 32, 3), 80, np.uint8)
    places = tuple((quality, tmp_path / quality / "a.mp4") for quality in ("raw", "c40"))
    job = AttackJob("mesh_warp", source, source, 1, places)
    monkeypatch.setitem(MAKERS, "mesh_warp", lambda *_: moved * 0)
    assert make_attack(job) == "a.mp4: no face to warp"
    assert not any(path.exists() for _, path in places)
    moved[1] = 0  # one frame that moves is enough
    monkeypatch.setitem(MAKERS, "mesh_warp", lambda *_: moved)
    assert make_attack(job) == ""
    assert [len(read_frames(path)) for _, path in places] == [3, 3]


def test_a_stopped_evaluation_goes_on(dataset: Path, detector: str, tmp_path: Path) -> None:
    import harness_checks

    out = tmp_path / "liveness"
    first = evaluate_detectors(dataset, config(detector), out)
    assert len(harness_checks.calls) == 4
    again = evaluate_detectors(dataset, config(detector), out)
    assert len(harness_checks.calls) == 4
    assert again.rates == first.rates
    records = sorted((out / "verdicts").rglob("*.json"))
    assert len(records) == 4
    records[0].unlink()
    records[1].write_text("{")  # not ours: judged anew
    evaluate_detectors(dataset, config(detector), out)
    assert len(harness_checks.calls) == 6
    (made,) = (out / "clips" / "still" / "raw").glob("real-ann.mp4")
    shutil.copy(read_manifest(dataset).path(read_manifest(dataset).clips[0]), made)
    evaluate_detectors(dataset, config(detector), out)
    assert len(harness_checks.calls) == 7  # another file under the same name


def test_bad_clips_and_a_broken_detector_are_non_responses(
    dataset: Path, detector: str, tmp_path: Path
) -> None:
    root = tmp_path / "dataset"
    shutil.copytree(dataset, root)
    clips = list(read_manifest(root).clips)
    short = np.zeros((3, 64, 64, 3), np.uint8)
    clips.append(written(root, "real-short", "eve", "real", short))
    clips.append(written(root, "real-torn", "eve", "real", short))
    write_manifest(root, clips)
    (root / clip_file_name("real-torn", "raw")).write_bytes(b"torn")
    broken = detector.replace("judge", "broken")
    found = evaluate_detectors(
        root, config(detector, broken, attacks=(Attack.ANIMATION,)), tmp_path / "o"
    )
    rates = {
        name: [found.rate(name, "raw", measure) for measure in ("BPNRR", "BPCER")]
        for name in ("judge", "broken")
    }
    silent, wrong = rates["judge"]
    assert silent is not None
    assert wrong is not None
    assert (silent.value, silent.n) == (0.5, 4)
    assert (wrong.value, wrong.n) == (0.0, 2)
    all_silent = rates["broken"][0]
    assert all_silent is not None
    assert all_silent.value == 1.0
    assert rates["broken"][1] is None
    reasons = {
        v.presentation.clip_id: v.verdict.reason for v in found.verdicts if v.detector == "judge"
    }
    assert reasons["real-short"] == "3 frames; expected 12 or more"
    assert "real-torn" in reasons["real-torn"]
    assert str(tmp_path) not in reasons["real-torn"]
    said = {v.verdict.reason for v in found.verdicts if v.detector == "broken"}
    assert "the function raised RuntimeError: no licence" in said


def test_a_service_is_asked_once_a_clip_and_again_after_a_failure(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DFMNIST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(assess, "load_clip", _fast)
    assess._detectors.cache_clear()
    with service(bad.status(404), bad.says({"live": True})) as server:
        path = tmp_path / "service.json"
        path.write_text(json.dumps({
            "kind": "http", "name": "mine", "url": server.url, "calls_per_s": 1000,
            "authorisation": "I run this service on this machine.",
        }))  # fmt: skip
        wanted = config(str(path), attacks=(Attack.ANIMATION,))
        first = evaluate_detectors(dataset, wanted, tmp_path / "out")
        assert len(server.received) == 4
        assert sum(not v.verdict.assessed for v in first.verdicts) == 1
        second = evaluate_detectors(dataset, wanted, tmp_path / "out")
        assert len(server.received) == 5
        assert all(v.verdict.live for v in second.verdicts)
    table = write_results(second, tmp_path / "out")[0]
    assert "the tester states: I run this service" in " ".join(table.sentences)


def _fast(file: Any) -> Any:
    """A clip that is taken as usable without a look."""
    return load.LoadedClip(file, Fraction(25), np.zeros((1, 1, 1, 3), np.uint8),
                           np.zeros((1, 1, 1, 3), np.uint8), (), np.zeros((0, 4)))  # fmt: skip


def test_people_take_turns_and_drive_each_other(dataset: Path, tmp_path: Path) -> None:
    manifest = read_manifest(dataset)
    one, two = ([c] for c in manifest.clips if c.label == "real")
    second = [one[0].model_copy(update={"clip_id": "real-ann2"})]
    ids = [found[0].clip_id for found in attacked([one, second, two], 2)]
    assert ids == ["real-ann", "real-bob"]
    planned = plan(manifest, tmp_path, (Attack.MESH_WARP, Attack.STILL), 5)
    drivers = {job.source.stem: job.driver and job.driver.stem for job in planned.attacks
               if job.kind == "mesh_warp"}  # fmt: skip
    assert drivers == {"real-ann": "real-bob", "real-bob": "real-ann"}
    alone = type(manifest)(manifest.root, tuple(c for c in manifest.clips if c.source == "ann"))
    planned = plan(alone, tmp_path, (Attack.MESH_WARP, Attack.STILL), 5)
    assert [job.kind for job in planned.attacks] == ["still"]
    assert planned.without_driver == 1


def test_other_peoples_clips(dataset: Path, tmp_path: Path) -> None:
    """An imported clip may have no action, any quality and method, and an odd name."""
    manifest = read_manifest(dataset)
    imported = tuple(
        Clip(file_name=name, label=label, split="test", identities=people, method=method,
             clip_id=clip_id, quality="hq")
        for name, label, people, method, clip_id in (
            ("r/a.mp4", "real", ("a",), "", "../../a"), ("r/b.mp4", "real", ("b",), "", "b"),
            ("f/ab.mp4", "fake", ("a", "b"), "faceswap", "ab"),
        )
    )  # fmt: skip
    planned = plan(type(manifest)(manifest.root, imported), tmp_path, tuple(Attack), 9)
    by_name = {(p.kind, p.clip_id): p for p in planned.presentations}
    assert by_name["faceswap", "ab"].person == by_name[BONA_FIDE, "b"].person == "a"
    made = [path for job in planned.attacks for _, path in job.targets]
    assert len(made) == 2 * 6
    for place in (*made, *(tmp_path / p.name for p in planned.presentations)):
        assert place.resolve().is_relative_to(tmp_path)
    assert by_name["still", "b"].action is None


def test_what_cannot_be_evaluated_is_one_line(
    dataset: Path, detector: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="no real clip of split train"):
        evaluate_detectors(dataset, config(detector, split="train"), tmp_path / "o")
    with pytest.raises(InputError, match="no real clip of split test in c40"):
        evaluate_detectors(dataset, config(detector, qualities=("c40",)), tmp_path / "o")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        evaluate_detectors(dataset, config(detector), tmp_path / "own")
    assert "is no known detector" in refused(
        capsys, "liveness", "evaluate", dataset, "--detector", "actoin", "--out", tmp_path / "o"
    )
    assert "no such file" in refused(capsys, "liveness", "evaluate", tmp_path / "gone")
    assert "two detectors named 'judge'" in refused(
        capsys, "liveness", "evaluate", dataset, "--detector", detector,
        "--detector", "python:other:judge", "--out", tmp_path / "o",
    )  # fmt: skip


def test_the_commands(
    dataset: Path, detector: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = read_manifest(dataset).path(read_manifest(dataset).clips[0])
    both = ("--detector", detector, "--detector", "action")
    code, out, _ = called(capsys, "liveness", "check", path, "--action", "nod", *both)
    assert code == 0
    first, second = out.splitlines()
    assert first.startswith("judge: live (score ")
    assert second.startswith("action: not live (score 0.")
    code, out, _ = called(capsys, "liveness", "check", path, "--json")
    assert code == 0
    (only,) = json.loads(out)  # the action detector is not asked without an action
    assert only["detector"] == "universal"
    assert only["verdict"] in ("live", "not live")
    short = tmp_path / "short.mp4"
    write_video(short, np.zeros((3, 64, 64, 3), np.uint8), Fraction(25), crf=23)
    code, out, _ = called(capsys, "liveness", "check", short, "--action", "blink")
    assert code == 0
    assert out.splitlines()[0] == "action: not assessed: 3 frames; expected 12 or more"
    assert "no such file" in refused(capsys, "liveness", "check", tmp_path / "gone.mp4")
    assert "unknown action 'jump'" in refused(
        capsys, "liveness", "check", short, "--action", "jump"
    )
    assert "no detector is asked" in refused(
        capsys, "liveness", "check", short, "--detector", "action"
    )
    words = ("--detector", detector, "--attack", "still", "--per-action", "1", "--json")
    code, out, _ = called(capsys, "liveness", "evaluate", dataset, "--out", tmp_path / "o", *words)
    assert code == 0
    assert json.loads(out)["presentations"] == {BONA_FIDE: 2, "still": 1}
