"""What a build refuses before it makes anything."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fomm.test_networks import tiny

from dfmnist import recipes
from dfmnist.core.actions import Action
from dfmnist.core.choices import SPLITS
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.core.scheduling import LostJob
from dfmnist.fomm.checkpoint import save_networks
from dfmnist.fomm.networks.generator import OcclusionAwareGenerator
from dfmnist.fomm.networks.keypoints import KPDetector
from dfmnist.media.image import write_image
from dfmnist.media.video import read_frames, write_video
from dfmnist.pipeline import build as built
from dfmnist.pipeline import compress, jobs, select
from dfmnist.pipeline.build import build
from dfmnist.pipeline.config import BuildConfig
from dfmnist.pipeline.footage import Footage
from dfmnist.pipeline.jobs import (
    ClipResult,
    DriverJob,
    FakeJob,
    PersonJob,
    RealJob,
    SourceCheck,
    real_id,
)
from dfmnist.pipeline.plan import Pair
from dfmnist.pipeline.select import FaceSelection, load


def test_an_actor_the_motion_model_was_trained_on_is_refused(tmp_path: Path) -> None:
    config = tiny(blend=True)
    weights = tmp_path / "leak.safetensors"
    save_networks(weights, config, KPDetector(config), OcclusionAwareGenerator(config),
                  {"identity_seeds": [7, 300_001]})  # fmt: skip
    path = tmp_path / "black.mp4"
    write_video(path, np.zeros((5, 16, 16, 3), np.uint8), Fraction(25), crf=40)
    people = [
        Footage(path, f"a{300_000 + i}", Action.NOD, 0, split=split)
        for i, split in enumerate(("train", "validation", "test"))
    ]
    drivers = [replace(p, identity=f"a{100_000 + i}") for i, p in enumerate(people)]
    settings = replace(recipes.smoke().build, weights=weights)
    with pytest.raises(InputError, match=r"actor a300001: fomm-leak@.* was trained on 1 of these"):
        build(people, drivers, people, settings, tmp_path / "set")


FACE = FaceSelection(box_xyxy=(0, 0, 16, 16), source_frame=0, reason="")
SMALL = BuildConfig(num_frames=2, size_px=16, noise_sigma=0, licence="CC0-1.0", consent="signed")


@pytest.fixture
def filmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clip of two grey frames; whatever is animated stays as it is, and passes the screening."""
    write_video(tmp_path / "x.mp4", np.full((2, 16, 16, 3), 99, np.uint8), Fraction(25), crf=40)
    monkeypatch.setattr(jobs, "animate", lambda source, *_: np.stack([source] * 2))
    monkeypatch.setattr(jobs, "screen", lambda *_: ())
    return tmp_path / "x.mp4"


def test_a_clip_states_the_terms_of_everyone_in_it(filmed: Path) -> None:
    source = Footage(filmed, "ann", Action.NOD, split="train", licence="CC-BY-4.0")
    driver = Footage(filmed, "bob", Action.NOD, split="train", consent="by mail")
    fake = FakeJob(filmed.parent, SMALL, Pair(source, driver), FACE, "m@1").run().clips[0]
    assert fake.licence == "CC-BY-4.0; driver: CC0-1.0"
    assert fake.consent == "signed; driver: by mail"
    check = SourceCheck(choice=FACE, screening=(), real_reason="")
    real = RealJob(filmed.parent, SMALL, source, check).run().clips[0]
    assert (real.licence, real.consent) == ("CC-BY-4.0", "signed")
    alone = FakeJob(filmed.parent, SMALL, Pair(driver, replace(driver, identity="c")), FACE, "m@1")
    assert alone.run().clips[0].consent == "by mail"


def test_footage_without_terms_is_refused_before_any_work(filmed: Path, tmp_path: Path) -> None:
    people = [Footage(filmed, name, Action.NOD, licence="CC0-1.0") for name in "abc"]
    with pytest.raises(InputError, match=r"x\.mp4: has no consent; expected --consent, or a colu"):
        build(people, people, people, BuildConfig(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_of_names_that_look_alike_stay_apart(filmed: Path) -> None:
    long = "n" * 300
    names = ("ann/1", "ann_1", "ann.1", "李雷", "韩梅", "x", f"{long}a", f"{long}b")
    everyone = [Footage(filmed, name, Action.NOD, split="train") for name in names]
    pairs = [Pair(a, b) for a in everyone for b in everyone]
    assert len({pair.clip_id for pair in pairs}) == len(names) ** 2
    assert len({real_id(f) for f in everyone}) == len(names)
    made = FakeJob(filmed.parent, SMALL, Pair(everyone[-1], everyone[-2]), FACE, f"{long}@1").run()
    assert made.clips[0].source == f"{long}b"
    assert (filmed.parent / made.clips[0].file_name).is_file()


def test_a_job_that_fails_is_a_rejection_and_leaves_no_file(
    filmed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, footage = filmed.parent / "set", Footage(filmed, "ann", Action.NOD, split="train")
    pair = Pair(footage, replace(footage, identity="bob"))
    check = SourceCheck(choice=FACE, screening=(), real_reason="")

    def fail(path: Path, *_: object, **__: object) -> None:
        if "c40" in str(path) or "people" in str(path):
            raise ValueError(f"cannot shape {filmed}")

    encode = compress.write_video
    monkeypatch.setattr(compress, "write_video", lambda p, *a, **k: (fail(p), encode(p, *a, **k)))
    fake, real = FakeJob(root, SMALL, pair, FACE, "m@1"), RealJob(root, SMALL, footage, check)
    for job, name in ((fake, pair.clip_id), (real, real_id(footage))):
        result = jobs.run(job)
        assert isinstance(result, ClipResult)
        assert result.clips == ()
        assert result.rejected is not None
        assert result.rejected.reason == "x.mp4: ValueError: cannot shape x.mp4"
        assert result.rejected.attempt_id == name
        assert [p for p in root.rglob("*") if p.is_file()] == []
    assert result.rejected.action is Action.NOD
    monkeypatch.setattr(jobs, "choose", lambda *_, **__: fail(root / "people"))
    checked = jobs.run(PersonJob(root, SMALL, footage))
    assert isinstance(checked, SourceCheck)
    assert (rejected := jobs.unused(footage, checked)) is not None
    assert rejected.reason == checked.choice.reason == "x.mp4: ValueError: cannot shape x.mp4"
    assert jobs.run(DriverJob(root, SMALL, footage)) == rejected.reason
    assert not (root / "work").exists()  # the next build tries it again


def test_a_job_whose_process_was_lost_is_a_rejection(
    filmed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(jobs, "run_jobs", lambda *given, **options: asked.update(options))
    jobs.run_all([], "animate", gpu=0.25, seen=[filmed])
    assert (asked["gpu"], asked["seen"]) == (0.25, [filmed])
    footage = Footage(filmed, "ann", Action.NOD, split="train")
    job = FakeJob(
        filmed.parent, SMALL, Pair(footage, replace(footage, identity="bob")), FACE, "m@1"
    )
    (clip, *_) = job.run().clips
    lost = asked["failed"](job, LostJob("its process was lost, 3 times"))
    assert lost.rejected.reason == "its process was lost, 3 times"
    assert lost.rejected.action is None
    assert not (filmed.parent / clip.file_name).exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "no space left")])
def test_a_stop_and_a_full_disk_end_a_build(
    filmed: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(jobs, "choose", stop)
    with pytest.raises(type(error)):
        jobs.run(PersonJob(filmed.parent, SMALL, Footage(filmed, "ann", Action.NOD)))


def test_a_broken_file_is_rejected_without_its_folder(filmed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "my films" / "b.mp4"
    broken.parent.mkdir()
    broken.write_text("no video")
    reason = load(Footage(broken, "ann", Action.NOD), 2, Fraction(25)).reason
    assert reason.startswith("b.mp4: cannot be read as video")


def test_a_real_clip_that_fails_is_missing_and_listed(
    filmed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [Footage(filmed, name, Action.NOD, split="train") for name in ("ann", "bob")]
    inputs = built.Inputs(tuple(people), *[frozenset(f.key for f in people)] * 2, ())
    check = SourceCheck(choice=FACE, screening=(), real_reason="")
    compressed = RealJob.run

    def run(job: RealJob) -> ClipResult:
        if job.footage.identity == "ann":
            raise ValueError("bad")
        return compressed(job)

    monkeypatch.setattr(RealJob, "run", run)
    ok = ClipResult(clips=(), rejected=None)
    attempts = [built.Attempt(Pair(f, replace(f, identity="d")), ok) for f in people]
    state = built.State(tmp_path / "set", SMALL, "m@1")
    kept, failed = built._compress_reals(
        state, inputs, attempts, dict.fromkeys(("ann-nod-0", "bob-nod-0"), check)
    )
    assert {clip.source for clip in kept} == {"bob"}
    assert [r.source for r in failed] == ["ann"]


def test_crops_made_before_are_not_cropped_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select, "source_frame", lambda faces: (0, ""))
    frames = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    write_video(tmp_path / "x.mp4", frames, Fraction(25), crf=1)
    crop = Footage(tmp_path / "x.mp4", "ann", Action.NOD)
    choice, faces = select.choose(crop, 2, Fraction(25), 16, cropped=True)
    assert choice.box_xyxy == (0, 0, 16, 16)
    assert faces is not None
    assert np.array_equal(faces, read_frames(tmp_path / "x.mp4"))
    write_video(tmp_path / "w.mp4", frames[:, :8], Fraction(25), crf=1)
    wide = replace(crop, path=tmp_path / "w.mp4")
    choice, faces = select.choose(wide, 2, Fraction(25), 16, cropped=True)
    assert (faces, choice.reason) == (None, "is 16x8, no square crop of a face")


def test_what_is_not_used_is_said_of_nothing_that_is(
    filmed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = filmed.parent / "p.png"
    write_image(photo, np.zeros((8, 8, 3), np.uint8))
    people = [Footage(photo, name, Action.TALK, split="train") for name in "abc"]
    people += [Footage(filmed, name, Action.TALK, split="train") for name in "de"]
    blind = FaceSelection(box_xyxy=None, source_frame=None, reason="no face found")
    found = {
        **{name: SourceCheck(choice=FACE, screening=(), real_reason="a photo") for name in "ab"},
        "c": SourceCheck(choice=blind, screening=(), real_reason="no face found"),
        "d": SourceCheck(choice=FACE, screening=(), real_reason=""),
        "e": SourceCheck(choice=FACE, screening=(), real_reason="yaw 2°"),
    }
    monkeypatch.setattr(PersonJob, "run", lambda job: found[job.footage.identity])
    keys = frozenset(f.key for f in people)
    built._select(
        built.State(filmed.parent, SMALL, "m@1"), built.Inputs(tuple(people), keys, keys, ())
    )
    said = capsys.readouterr().err
    assert "2 of 5 clips and photos not used; 1 for: no face found" in said


def test_a_split_whose_last_driver_cannot_be_used_is_named(
    filmed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drivers = [Footage(filmed, s, a, split=s) for s in SPLITS for a in (Action.YAW, Action.NOD)]
    bad = lambda f: f.split == "test" and f.action is Action.YAW  # noqa: E731
    monkeypatch.setattr(DriverJob, "run", lambda job: "no face found" * bad(job.footage))
    inputs = built.Inputs(tuple(drivers), frozenset(), frozenset(), tuple(drivers))
    usable = built._crop_drivers(built.State(filmed.parent, SMALL, "m@1"), inputs)
    assert len(usable) == 5
    said = capsys.readouterr().err
    assert "nobody is left who performs: yaw for test; there will be no such fakes" in said


def test_it_is_said_that_long_driving_clips_are_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, count in (("ann", 20), ("bob", 5), ("broken", 0)):
        path = tmp_path / "yaw" / f"{name}.mp4"
        path.parent.mkdir(exist_ok=True)
        if count:
            write_video(path, np.zeros((count, 16, 16, 3), np.uint8), Fraction(25), crf=40)
        else:
            path.write_text("no video")
    arguments = (tmp_path / "yaw", tmp_path, BuildConfig(num_frames=5), tmp_path / "out")
    with pytest.raises(InputError, match="has no licence"):
        built.build_files(*arguments)
    said = capsys.readouterr().err
    assert "1 of 3 driving clips are longer than 0.2 s; the first 0.2 s of each are used" in said


def test_a_build_that_an_older_version_began_goes_on(filmed: Path, tmp_path: Path) -> None:
    people = [Footage(filmed, s, Action.NOD, split=s) for s in SPLITS]
    inputs = built.Inputs(tuple(people), frozenset(), frozenset(), tuple(people))
    state = built._open(tmp_path / "set", SMALL, inputs)
    settings = read_json(state.root / "build.json")
    del settings["config"]["cropped"]
    write_json(state.root / "build.json", settings)
    assert built._open(state.root, SMALL, inputs) == state
    with pytest.raises(InputError, match="begun with other settings"):
        built._open(state.root, replace(SMALL, cropped=True), inputs)
