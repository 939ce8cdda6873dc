"""What a build promises, on clips that are made here and detectors that decide as they are told.

The build, its screening, noise, encoder, audit and manifest are the real ones; only the face
finder, the motion model and the two liveness detectors are stand-ins, so a build takes a second.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dfmnist.core.actions import DETECTED_BY_BOTH, Action
from dfmnist.core.arrays import Frames
from dfmnist.core.choices import Quality, ScreenRule
from dfmnist.core.config import seed_of
from dfmnist.core.errors import InputError
from dfmnist.dataset.manifest import Clip, read_manifest, read_rejected
from dfmnist.dataset.provenance import read_provenance
from dfmnist.faces.pose import Signals
from dfmnist.liveness.base import Verdict
from dfmnist.media.image import read_image
from dfmnist.media.video import read_comment, read_frames, write_video
from dfmnist.pipeline import jobs, screen, select
from dfmnist.pipeline.build import build
from dfmnist.pipeline.config import BuildConfig
from dfmnist.pipeline.footage import Footage
from dfmnist.pipeline.select import FaceSelection

SIZE_PX, FRAMES, SOURCE_FRAME = 64, 8, 2
GREY = 128
ACTIONS = (Action.SMILE, Action.YAW)
BRIGHT = 40
"""Levels that the motion model adds to a fake of a person whom the detectors shall refuse."""
REFUSED = "p1"
CONFIG = BuildConfig(
    per_action=3,
    attempts_per_clip=2,
    num_frames=FRAMES,
    fps=Fraction(25),
    size_px=SIZE_PX,
    licence="CC0-1.0",
    consent="drawn",
)


def picture(footage: Footage) -> Frames:
    """The clip of a person (n, 64, 64, 3): grey, with marks of the person and the frame."""
    frames = np.full((FRAMES, SIZE_PX, SIZE_PX, 3), GREY, np.uint8)
    frames[:, :8, :8] = seed_of(footage.identity) % 100 + 60
    look = np.random.default_rng(seed_of(footage.identity)).integers(60, 200, (2, 6, 1), np.uint8)
    frames[:, 8:20, 10:64] = look.repeat(6, 0).repeat(9, 1)
    for index in range(FRAMES):
        frames[index, -8:, :8] = 60 + 15 * index
    return frames


@dataclass
class Stage:
    """The stand-ins, and what they were asked."""

    refuse: bool = False
    """Whether both detectors refuse bright frames."""
    refusing: tuple[str, ...] = ("action", "universal")
    """Names of the detectors that refuse them."""
    bad_drivers: bool = False
    """Whether the action detector refuses the driver d1 who turns the head."""
    lost_frames: int = 0
    """Number of frames by which the motion model's clips are too short."""
    asked: list[tuple[str, Action]] = field(default_factory=list)
    """Detector and action of each question about a fake or a real clip."""
    animated: list[tuple[Frames, str, Any]] = field(default_factory=list)
    """Source frame, motion and weights of each animation."""

    def choose(self, footage: Footage, *_: Any, **__: Any) -> tuple[FaceSelection, Frames]:
        box = (0.0, 0.0, float(SIZE_PX), float(SIZE_PX))
        found = FaceSelection(box_xyxy=box, source_frame=SOURCE_FRAME, reason="")
        return found, picture(footage)

    def crop(self, footage: Footage, choice: FaceSelection, count: int, *_: Any) -> Frames:
        return picture(footage)[:count]

    def animate(self, source: Frames, path: Path, weights: Path | None, motion: str) -> Frames:
        self.animated.append((source, motion, weights))
        frames = np.stack([source] * (FRAMES - self.lost_frames))
        refused = int(source[0, 0, 0]) == seed_of(REFUSED) % 100 + 60
        return frames + np.uint8(BRIGHT if refused and self.refuse else 0)

    def detector(self, name: str) -> Callable[[Frames, Fraction, Action], Verdict]:
        def decide(frames: Frames, fps: Fraction, action: Action) -> Verdict:
            self.asked.append((name, action))
            mark = frames[:, :8, :8].mean() - (seed_of("d1") % 100 + 60)
            if self.bad_drivers and (name, action) == ("action", Action.YAW) and abs(mark) < 0.5:
                return Verdict(name, False, 0.0, "action: a bad driver")
            bright = frames[:, 30:, 30:].mean() > GREY + BRIGHT / 2
            live = not (self.refuse and name in self.refusing and bright)
            return Verdict(name, live, float(live), "" if live else f"{name}: too bright")

        return decide


@contextmanager
def staged() -> Iterator[Stage]:
    """Builds within the `with` block use these stand-ins."""
    found = Stage()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("choose", "crop", "animate"):
            patch.setattr(jobs, name, getattr(found, name))
        patch.setattr(jobs, "save_motion", lambda *_, **__: None)
        patch.setattr(jobs, "animator", lambda *_: None)
        both = (found.detector("action"), found.detector("universal"))
        patch.setattr(screen, "detectors", lambda *_: both)
        yield found


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def footage(folder: Path, people: Sequence[str], actions: Sequence[Action] = ACTIONS) -> list[Any]:
    """One clip of each person and action, each a small file of its own; three splits in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number, name in enumerate(people):
        split = ("train", "validation", "test")[number % 3]
        for action in actions:
            path = folder / f"{name}-{action.value}.mp4"
            write_video(path, np.full((2, 16, 16, 3), number, np.uint8), Fraction(25), crf=40)
            found.append(Footage(path, name, action, 0, split=split))
    return found


def made(folder: Path, config: BuildConfig = CONFIG, drivers: int = 3) -> Path:
    """The dataset of three people, p0 to p2, and so many drivers, d0 to d2."""
    people = footage(folder / "people", [f"p{i}" for i in range(3)])
    driving = footage(folder / "drivers", [f"d{i}" for i in range(drivers)])
    return build(people, driving, people, config, folder / "set")


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Stage]:
    """A build that nothing refuses, with strong noise."""
    with staged() as found:
        root = made(tmp_path_factory.mktemp("usual"), replace(CONFIG, noise_sigma=6.0))
    return root, found


def clips(root: Path, **wanted: str) -> list[Clip]:
    return list(read_manifest(root).select(**wanted).clips)


def test_a_fake_that_a_detector_refuses_is_listed_and_not_kept(
    stage: Stage, tmp_path: Path
) -> None:
    stage.refuse = True
    root = made(tmp_path, replace(CONFIG, qualities=(Quality.RAW,)))
    assert {c.source for c in clips(root, label="fake")} == {"p0", "p2"}
    refused = [r for r in read_rejected(root) if r.label == "fake"]
    assert {(r.source, r.action) for r in refused} == {(REFUSED, a) for a in ACTIONS}
    yaw = next(r for r in refused if r.action is Action.YAW)
    assert yaw.reason == "action: too bright; universal: too bright"
    assert [(v.detector, v.live) for v in yaw.screening] == [
        ("action", False), ("universal", False),
    ]  # fmt: skip
    for clip in clips(root, label="fake"):
        assert all(v.live for v in clip.screening)
        assert clip.screening
    assert not list((root / "clips").rglob(f"fake-*{REFUSED}*"))


def test_both_detectors_are_asked_about_every_clip_and_recorded(usual: tuple[Path, Stage]) -> None:
    root, _ = usual
    assert {a in DETECTED_BY_BOTH for a in ACTIONS} == {True, False}
    for clip in clips(root):  # real clips are screened as fakes are
        assert [v.detector for v in clip.screening] == ["action", "universal"]


@pytest.mark.parametrize("rule", ["all", "paper"])
def test_the_rule_says_which_detector_decides(
    stage: Stage, tmp_path: Path, rule: ScreenRule
) -> None:
    stage.refusing = ("action",)
    stage.refuse = True
    root = made(tmp_path, replace(CONFIG, screen=rule))
    kept = {(c.source, c.action) for c in clips(root, label="fake", quality="raw")}
    assert ((REFUSED, Action.SMILE) in kept) is (rule == "paper")
    assert (REFUSED, Action.YAW) not in kept
    refused = [clip for clip in clips(root, label="fake") if clip.source == REFUSED]
    for clip in refused:  # the verdict is recorded all the same
        assert [v.live for v in clip.screening] == [False, True]


def test_drivers_are_screened_first_and_those_who_fail_are_named(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.bad_drivers = True  # a third of the drivers: d0 to d2 have other marks
    root = made(tmp_path)
    said = capsys.readouterr().err
    assert "1 of 6 driving clips not used" in said
    assert "d1, yaw, take 0: the driver does not pass as yaw: action: a bad driver" in said
    assert "nobody is left who performs: yaw for validation" in said
    assert all(c.driver != "d1" or c.action is Action.SMILE for c in clips(root, label="fake"))
    assert not [r for r in read_rejected(root) if r.driver == "d1"]  # no attempt was wasted


def test_the_source_is_the_frame_that_was_chosen(usual: tuple[Path, Stage]) -> None:
    root, stage = usual
    assert {int(source[-1, 0, 0]) for source, _, _ in stage.animated} == {60 + 15 * SOURCE_FRAME}
    for clip in clips(root, label="fake"):
        assert clip.source_frame == SOURCE_FRAME
        kept = read_image(root / "sources" / f"{clip.clip_id}.png")
        assert int(kept[-1, 0, 0]) == 60 + 15 * SOURCE_FRAME
        assert int(kept[0, 0, 0]) == seed_of(clip.source) % 100 + 60


def noise_of(root: Path) -> dict[str, float]:
    """Mean deviation of the raw clips' middles, which are flat grey but for noise, by class."""
    return {
        label: float(
            np.mean([
                np.std(read_frames(root / c.file_name)[:, 24:, 24:])
                for c in clips(root, label=label, quality="raw")
            ])
        )
        for label in ("real", "fake")
    }  # fmt: skip


def test_both_classes_carry_the_same_noise(usual: tuple[Path, Stage]) -> None:
    found = noise_of(usual[0])
    assert found["real"] == pytest.approx(found["fake"], rel=0.1)
    assert found["real"] > 4


def test_each_clip_has_noise_of_its_own(usual: tuple[Path, Stage]) -> None:
    root, _ = usual
    raw = clips(root, quality="raw")
    assert len({c.seed for c in raw}) == len(raw) == 12
    middles = [read_frames(root / c.file_name)[0, 24:, 24:].tobytes() for c in raw]
    assert len(set(middles)) == len(raw)


def test_without_noise_there_is_none_and_motion_and_weights_reach_the_model(
    usual: tuple[Path, Stage], stage: Stage, tmp_path: Path
) -> None:
    assert {(motion, weights) for _, motion, weights in usual[1].animated} == {("relative", None)}
    config = replace(CONFIG, motion="absolute", noise_sigma=0.0, qualities=(Quality.RAW,))
    root = made(tmp_path, config)
    assert {motion for _, motion, _ in stage.animated} == {"absolute"}
    assert max(noise_of(root).values()) < 0.5


def test_the_three_qualities_differ_as_they_are_named(usual: tuple[Path, Stage]) -> None:
    root, _ = usual
    for label in ("real", "fake"):
        size = {
            quality: sum((root / c.file_name).stat().st_size
                         for c in clips(root, label=label, quality=quality))
            for quality in ("raw", "c23", "c40")
        }  # fmt: skip
        assert size["raw"] > 1.3 * size["c23"]
        assert size["c23"] > 1.3 * size["c40"]
    settings = {
        (c.quality, factor)
        for c in clips(root)
        for factor in ("18.0", "23.0", "40.0")
        if f"crf={factor}".encode() in (root / c.file_name).read_bytes()
    }
    assert settings == {("raw", "18.0"), ("c23", "23.0"), ("c40", "40.0")}


def test_the_provenance_says_what_a_clip_is(usual: tuple[Path, Stage]) -> None:
    root, _ = usual
    for clip in clips(root):
        found = read_provenance(read_comment(root / clip.file_name))
        assert found is not None
        label, detail = found
        assert label == clip.label
        if clip.label == "fake":
            moved = f"{clip.source} moved as {clip.driver} {clip.action.value}"
            assert detail == f"AI-generated: {moved}, by {clip.generator}"
        else:
            assert detail == f"camera footage: {clip.source} {clip.action.value}"


def test_drivers_of_one_split_serve_that_split_alone(usual: tuple[Path, Stage]) -> None:
    served = {(c.split, c.driver) for c in clips(usual[0], label="fake")}
    assert served == {("train", "d0"), ("validation", "d1"), ("test", "d2")}


def test_a_shared_driver_serves_every_split(stage: Stage, tmp_path: Path) -> None:
    config = replace(CONFIG, driver_protocol="shared", qualities=(Quality.RAW,))
    fakes = clips(made(tmp_path, config, drivers=1), label="fake")
    assert {c.split for c in fakes} == {"train", "validation", "test"}
    assert {c.driver for c in fakes} == {"d0"}


def test_a_dataset_that_gives_the_class_away_is_not_published(stage: Stage, tmp_path: Path) -> None:
    stage.lost_frames = 2
    with pytest.raises(InputError, match="audit"):
        made(tmp_path, replace(CONFIG, qualities=(Quality.RAW,)))
    assert not (tmp_path / "set" / "metadata.jsonl").exists()
    assert not json.loads((tmp_path / "set" / "audit.json").read_text())["passed"]


def test_nobody_is_in_two_splits(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the plan were wrong: what is published is checked again."""
    real = jobs._records

    def confused(*given: Any) -> Any:
        *others, who, people = given
        same = [replace(people[0], identity="p0"), *people[1:]]
        return real(*others, {**who, "source": "p0"}, same)

    monkeypatch.setattr(jobs, "_records", confused)
    with pytest.raises(InputError, match="p0"):
        made(tmp_path, replace(CONFIG, qualities=(Quality.RAW,)))
    assert not (tmp_path / "set" / "metadata.jsonl").exists()


def signals_of(**changes: float) -> Signals:
    """Signals of four frames: a face at rest, but for the first frame, which `changes` says."""
    rest = {f.name: 0.0 for f in fields(Signals)} | {"eye_right": 0.3, "eye_left": 0.3}
    values = {
        name: np.array([changes.get(name, value), *[value] * 3]) for name, value in rest.items()
    }
    return Signals(**values)


@pytest.mark.parametrize(
    ("changes", "blurred"),
    [
        ({}, False),
        ({"yaw_deg": 11.0}, False),
        ({"yaw_deg": -11.0}, False),
        ({"pitch_deg": 13.0}, False),
        ({"roll_deg": -11.0}, False),
        ({"eye_right": 0.1, "eye_left": 0.1}, False),
        ({"mouth_open": 0.3}, False),
        ({}, True),
    ],
    ids=["at rest", "turned", "turned left", "raised", "tilted", "shut", "open", "blurred"],
)
def test_the_source_frame_is_the_first_that_is_fit(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, float], blurred: bool
) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 64, 64, 3)).astype(np.uint8)
    if blurred:
        frames[0, ..., 1] = frames[0, ..., 1] // 4  # green, whose sharpness is measured
    mesh = SimpleNamespace(track=lambda clip: [object()] * len(clip))
    monkeypatch.setattr(select, "face_mesh", lambda: mesh)
    monkeypatch.setattr(select, "signals", lambda track: signals_of(**changes))
    index, reason = select.source_frame(frames)
    assert (index, reason) == (1 if changes or blurred else 0, "")


@pytest.mark.parametrize(
    ("opening", "own", "taken"),
    [(0.2, 0.39, False), (0.2, 0.23, True), (0.12, 0.12, False), (0.3, 0.31, True)],
    ids=["half shut", "narrow eyes", "shut throughout", "open"],
)
def test_open_eyes_are_those_of_the_person(
    monkeypatch: pytest.MonkeyPatch, opening: float, own: float, taken: bool
) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, 64, 64, 3)).astype(np.uint8)
    mesh = SimpleNamespace(track=lambda clip: [object()] * len(clip))
    monkeypatch.setattr(select, "face_mesh", lambda: mesh)
    first = signals_of(eye_right=opening, eye_left=opening)
    rest = {"eye_right": own, "eye_left": own}
    found = Signals(
        **{
            name: np.array([track[0], *[rest.get(name, value) for value in track[1:]]])
            for name, track in vars(first).items()
        }
    )
    monkeypatch.setattr(select, "signals", lambda track: found)
    index, _ = select.source_frame(frames)
    assert (index == 0) is taken


def test_a_source_frame_is_searched_for_beyond_the_first_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (12, 64, 64, 3)).astype(np.uint8)
    mesh = SimpleNamespace(track=lambda clip: [object()] * len(clip))

    def turned(track: list[object], fit: int) -> Signals:
        still = signals_of()
        yaw = np.where(np.arange(len(track)) == fit, 0.0, 30.0)
        rest = {f.name: np.full(len(track), getattr(still, f.name)[1]) for f in fields(Signals)}
        return Signals(**{**rest, "yaw_deg": yaw})

    monkeypatch.setattr(select, "face_mesh", lambda: mesh)
    for fit, found in ((9, (9, "")), (99, (None, "no frame to animate: turned away in 12 of 12 "
                                           "frames"))):  # fmt: skip
        monkeypatch.setattr(select, "signals", lambda track, fit=fit: turned(track, fit))
        assert select.source_frame(frames) == found


def test_one_recording_under_two_names_is_refused_before_any_animation(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choose(footage: Footage, *_: Any, **__: Any) -> tuple[FaceSelection, Frames]:
        if footage.identity == "p2":  # a mirrored copy of p0, who is in another split
            found, frames = stage.choose(replace(footage, identity="p0"))
            return found, frames[:, :, ::-1]
        return stage.choose(footage)

    monkeypatch.setattr(jobs, "choose", choose)
    with pytest.raises(InputError, match="shows the same recording as") as stop:
        made(tmp_path)
    assert "p0-" in str(stop.value)
    assert "p2-" in str(stop.value)
    assert "one name for both (p0 or p2)" in str(stop.value)
    assert stage.animated == []
