"""Faces of photos and videos, watched in bounded memory and judged one by one."""

import io
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch

from dfmnist.core.errors import InputError
from dfmnist.detectors import watch
from dfmnist.detectors.chosen import ChosenDetector, guessed
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.familiar import Familiar
from dfmnist.detectors.networks.builders import build
from dfmnist.detectors.predict import Looking, detect_file, detect_files, find_files
from dfmnist.detectors.run import Run
from dfmnist.detectors.verdict import (
    SCHEMA_FILE,
    Answer,
    DetectorFacts,
    FileVerdict,
    Validation,
    as_csv,
    json_schema,
    lines,
    overall,
)
from dfmnist.faces.mtcnn import Detections
from dfmnist.media.image import write_image
from dfmnist.media.video import probe, write_video

SIDE = 40
FACES = {10: 200, 120: 250}
"""Top and brightness of a face: two people who look different."""


class Bright:
    """A detector that takes bright squares at two heights for faces."""

    def detect(self, image_rgb_u8: np.ndarray) -> Detections:
        boxes = []
        for top in FACES:
            columns = np.flatnonzero(image_rgb_u8[top : top + SIDE, :, 0].max(0) > 150)
            if len(columns):
                boxes.append([columns[0], top, columns[-1] + 1, top + SIDE])
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.ones(len(boxes), np.float32),
            np.zeros((len(boxes), 5, 2), np.float32),
        )


@pytest.fixture(autouse=True)
def bright(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "mtcnn", Bright)


def picture(first: int | None, second: int | None = None) -> np.ndarray:
    """A frame with the two people at these left edges; None: not there."""
    frame = np.full((180, 400, 3), 60, np.uint8)
    for (top, light), left in zip(FACES.items(), (first, second), strict=True):
        if left is not None:
            shade = np.linspace(light - 40, light, SIDE)
            face = np.tile(shade[:, None], (1, SIDE)) if top == 10 else np.tile(shade, (SIDE, 1))
            frame[top : top + SIDE, left : left + SIDE] = face[..., None]
    return frame


def film(path: Path, places: list[tuple[int | None, int | None]], fps: int = 25) -> Path:
    write_video(path, [picture(*place) for place in places], Fraction(fps), crf=18)
    return path


def chosen(known: Familiar | None = None, **more: Any) -> ChosenDetector:
    """A tiny detector with random weights."""
    config = TrainConfig(network="meso4", size_px=32, frames_per_clip=4, **more)
    network = build("meso4", seed=1, **config.network_options)
    facts = DetectorFacts(
        name="tiny", network="meso4", trained_on="nothing", weights_sha256="0" * 64, threshold=0.5,
        validation=None, knows=None, cannot_tell=("It cannot tell anything.",),
    )  # fmt: skip
    return ChosenDetector(Run(Path("tiny"), config, {}, network), known, facts)


@pytest.fixture(scope="module")
def tiny() -> ChosenDetector:
    return chosen()


@pytest.fixture(scope="module")
def backend(tiny: ChosenDetector) -> Any:
    from dfmnist.detectors.backends import choose_backend

    return choose_backend(tiny.run.network, "torch", "f32", 32, features=True)


@pytest.fixture
def judged(tiny: ChosenDetector, backend: Any) -> Callable[..., FileVerdict]:
    def judge(path: Path, **looking: Any) -> FileVerdict:
        return detect_file(path, tiny, Looking(**looking), backend=backend)

    return judge


def test_each_face_is_followed_and_judged(tmp_path: Path, judged: Any) -> None:
    places = [(20 + i, 300 - i if i >= 10 else None) for i in range(40)]
    found = judged(film(tmp_path / "two.mp4", places), looks=20)
    assert (found.kind, found.width, found.height, found.num_frames) == ("video", 400, 180, 40)
    assert (found.looked_at, found.passed_over) == (20, 0)
    first, second = found.faces
    assert (first.face, second.face) == (1, 2)
    assert [m.frame for m in first.timeline] == list(range(1, 40, 2))
    assert [m.frame for m in second.timeline] == list(range(11, 40, 2))
    for moment in second.timeline:
        assert moment.box == pytest.approx((300 - moment.frame, 120, 340 - moment.frame, 160))
        assert moment.time_s == pytest.approx(moment.frame / 25)
    assert first.p_fake != second.p_fake
    for face in found.faces:
        logits = [np.log(m.p_fake / (1 - m.p_fake)) for m in face.timeline]
        assert face.p_fake == pytest.approx(1 / (1 + np.exp(-np.mean(logits))))
        assert face.low is not None
        assert face.low < face.p_fake < (face.high or 0)
        assert face.verdict == ("fake" if face.p_fake >= 0.5 else "real")
        sign = 1 if face.verdict == "fake" else -1
        decided = sorted(sign * m.p_fake for m in face.decided)
        assert decided == sorted(sign * m.p_fake for m in face.timeline)[-5:]


def test_one_face_can_be_asked_for(tmp_path: Path, judged: Any) -> None:
    path = film(tmp_path / "two.mp4", [(20, 300)] * 12)
    both = judged(path)
    (one,) = judged(path, face=2).faces
    assert one == both.faces[1]
    with pytest.raises(InputError, match="shows 2 faces, not face 3; expected --face 1 to 2"):
        judged(path, face=3)


def test_a_face_seen_in_too_few_frames_is_not_judged(tmp_path: Path, judged: Any) -> None:
    path = film(tmp_path / "a.mp4", [(20, 300 if i in (3, 5) else None) for i in range(24)])
    found = judged(path, looks=12)
    assert len(found.faces) == 1
    assert found.passed_over == 1
    assert "1 more face not judged" in "\n".join(lines(found))
    with pytest.raises(InputError, match=r"b\.mp4: no face is seen in 3 of 12 frames looked at"):
        judged(film(tmp_path / "b.mp4", [(20 if i == 3 else None, None) for i in range(24)]),
               looks=12)  # fmt: skip
    with pytest.raises(InputError, match=r"c\.mp4: no face found"):
        judged(film(tmp_path / "c.mp4", [(None, None)] * 8))


def test_a_long_video_is_held_a_stretch_at_a_time(
    tmp_path: Path, judged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "long.mp4", [(20 + i % 7, 200) for i in range(60)])
    whole = judged(path, looks=30)
    frame = 400 * 180 * 3
    monkeypatch.setattr(watch, "STRETCH_BYTES", 4 * frame)
    held: list[int] = []
    cut = watch._cut
    monkeypatch.setattr(watch, "_cut", lambda s: held.append(len(s.looks)) or cut(s))
    parts = judged(path, looks=30)
    assert held == [4] * 7 + [2]
    held.clear()
    monkeypatch.setattr(watch, "STRETCH_FACES", 3)  # a crowd fills it sooner: two faces a look
    judged(path, looks=6)
    assert held == [2, 2, 2]
    assert [m.frame for m in parts.faces[0].timeline] == [m.frame for m in whole.faces[0].timeline]


def test_the_number_of_looks_grows_with_the_length_up_to_a_bound(tmp_path: Path) -> None:
    short = film(tmp_path / "short.mp4", [(20, None)] * 10)
    assert len(watch.film(short, least=4).indices) == 4
    long = film(tmp_path / "slow.mp4", [(20, None)] * 20, fps=4)  # 5 s
    assert len(watch.film(long, least=4).indices) == 10
    assert watch.film(long, least=4).time_s(19) == 4.75
    assert len(watch.film(long, least=4, looks=3).indices) == 3


def test_the_square_follows_a_face_that_walks_by(tmp_path: Path) -> None:
    seen = watch.film(film(tmp_path / "a.mp4", [(22 * i, None) for i in range(16)]), least=8)
    ((size, (stretch,)),) = watch.watch_video(seen)
    assert size == (400, 180)
    assert stretch.crops_rgb_u8.shape == (8, 256, 256, 3)
    share = (stretch.crops_rgb_u8[..., 0] > 150).mean((1, 2))
    assert share.min() > 0.6  # the face, and a tenth of its side around it


def test_each_face_has_the_next_frames_behind_it_in_the_same_square(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [(100 + 2 * i, None) for i in range(16)])
    seen = watch.film(path, least=4)
    ((_, (pairs,)),) = watch.watch_video(seen, consecutive=2)
    ((_, (alone,)),) = watch.watch_video(seen)
    assert pairs.frames == alone.frames == (2, 6, 10, 14)
    assert np.array_equal(pairs.crops_rgb_u8[..., :3], alone.crops_rgb_u8)
    left = [(pairs.crops_rgb_u8[..., at] > 130).any(1).argmax(-1) for at in (0, 3)]
    assert (left[1] > left[0]).all()  # the face moves to the right in the square of its frame


def test_a_photo_of_two_is_judged_and_has_no_interval(tmp_path: Path, judged: Any) -> None:
    write_image(tmp_path / "p.png", picture(300, 20))
    found = judged(tmp_path / "p.png", cam=tmp_path / "maps")
    assert found.kind == "photo"
    assert [face.timeline[0].box[0] for face in found.faces] == [20, 300]  # from left to right
    for number, face in enumerate(found.faces, 1):
        assert (face.low, face.high) == (None, None)
        assert face.cam == str(tmp_path / "maps" / f"p-face{number}.png")
        assert Path(face.cam).is_file()


def test_maps_of_a_video_show_the_judged_frames(tmp_path: Path, judged: Any) -> None:
    path = film(tmp_path / "v.mp4", [(20 + i, None) for i in range(16)])
    (face,) = judged(path, cam=tmp_path / "maps").faces
    info = probe(Path(face.cam or ""))
    assert (info.width, info.height, info.num_frames) == (512, 256, len(face.timeline))


def test_what_is_unlike_the_validation_is_outside(tmp_path: Path, backend: Any) -> None:
    path = film(tmp_path / "v.mp4", [(20, None)] * 8)
    dims = 16
    axes, ones = np.zeros((1, dims), np.float32), np.ones(1, np.float32)

    def words(limit: float) -> tuple[str, float | None]:
        known = Familiar(np.zeros(dims, np.float32), axes, ones, 1.0, limit, 9, 9)
        (face,) = detect_file(path, chosen(known), backend=backend).faces
        return face.verdict, face.unlikeness

    word, far = words(1e-6)
    assert word == "outside"
    assert far is not None
    near = words(far * 2e-6)
    assert near[0] in ("fake", "real")
    assert near[1] == pytest.approx(0.5, rel=1e-3)


def test_a_detector_that_guessed_gives_no_verdict() -> None:
    def of(auc: float, *clips: int) -> str:
        return guessed(Validation(auc=auc, accuracy=0.5, clips=sum(clips)), clips)

    assert of(0.55, 100, 100).startswith("on its own 200 validation clips it was not above chance")
    assert "(AUC 0.600; the 95% interval begins at 0.441, and" in of(0.6, 30, 20)  # by hand
    assert of(0.45, 500, 500)
    assert of(0.94, 120, 120) == ""
    assert of(1.0, 2, 2)  # two pairs in order happen by chance
    assert of(1.0, 20, 20) == ""
    assert guessed(None, (0, 0)) == ""


def test_a_broken_file_is_named_and_the_rest_goes_on(tmp_path: Path, tiny: ChosenDetector) -> None:
    good = film(tmp_path / "good.mp4", [(20, None)] * 8)
    (tmp_path / "cut.mp4").write_bytes(good.read_bytes()[:700])
    (tmp_path / "text.mp4").write_text("no video")
    write_image(tmp_path / "empty.png", picture(None))
    files = [good, tmp_path / "cut.mp4", tmp_path / "text.mp4", tmp_path / "empty.png", good]
    found = list(detect_files(files, tiny, backend="torch"))
    assert [one.error is None for one in found] == [True, False, False, False, True]
    for one in found[1:4]:
        assert one.verdict == "none"
        assert Path(one.path).name in (one.error or "")
        assert "\n" not in (one.error or "")


def test_folders_patterns_and_standard_input(tmp_path: Path, tiny: ChosenDetector) -> None:
    (tmp_path / "in").mkdir()
    good = film(tmp_path / "in" / "a.mp4", [(20, None)] * 8)
    write_image(tmp_path / "in" / "b.png", picture(20))
    (tmp_path / "in" / "notes.txt").write_text("x")
    both = [tmp_path / "in" / "a.mp4", tmp_path / "in" / "b.png"]
    assert find_files([tmp_path / "in"]) == both
    assert find_files([tmp_path / "in" / "*.[mp][pn][4g]"]) == both
    assert find_files([Path("-"), tmp_path / "missing.mp4"]) == [
        Path("-"), tmp_path / "missing.mp4",
    ]  # fmt: skip
    (tmp_path / "none").mkdir()
    for empty in (tmp_path / "none", tmp_path / "in" / "*.avi"):
        with pytest.raises(InputError, match=r"holds no photo or video|matches no file"):
            find_files([empty])
    piped, empty_pipe = (
        next(detect_files([Path("-")], tiny, backend="torch", stdin=io.BytesIO(data)))
        for data in (good.read_bytes(), b"")
    )
    (straight,) = detect_files([good], tiny, backend="torch")
    assert piped.path == "-"
    assert piped.faces == straight.faces
    assert empty_pipe.error == "standard input: is empty; expected a photo or a video"
    (text,) = detect_files([Path("-")], tiny, backend="torch", stdin=io.BytesIO(b"no film"))
    assert (text.error or "").startswith("standard input: cannot be read as video")


def test_equal_names_have_maps_of_their_own(tmp_path: Path, tiny: ChosenDetector) -> None:
    paths = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_image(tmp_path / folder / "p.png", picture(20))
        paths.append(tmp_path / folder / "p.png")
    found = detect_files(paths, tiny, Looking(cam=tmp_path / "maps"), backend="torch")
    names = [Path(one.faces[0].cam or "").name for one in found]
    assert names == ["p-face1.png", "p-2-face1.png"]


def test_the_answer_follows_its_published_schema(
    tmp_path: Path, judged: Any, tiny: ChosenDetector
) -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    assert schema == json_schema(), "python -c 'from dfmnist.detectors.verdict import …' writes it"
    bad = FileVerdict(path="x", kind=None, verdict="none", error="x: broken")
    good = judged(film(tmp_path / "v.mp4", [(20, 300)] * 12))
    answer = json.loads(Answer(detector=tiny.facts, files=(good, bad)).model_dump_json())
    jsonschema.validate(answer, schema)
    answer["files"][0]["faces"][0]["p_fake"] = 1.5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(answer, schema)
    rows = as_csv([good, bad]).splitlines()
    assert len(rows) == 1 + 2 + 1
    assert rows[3].endswith(",x: broken")
    assert rows[1].split(",")[1:4] == ["video", "1", good.faces[0].verdict]


def test_the_verdict_on_a_file() -> None:
    assert overall(["real", "fake", "outside"]) == "fake"
    assert overall(["real", "outside"]) == "outside"
    assert overall(["real"]) == "real"
    assert overall([]) == "none"


def test_not_a_number_is_no_verdict(tmp_path: Path) -> None:
    broken = chosen()
    with torch.no_grad():
        for parameter in broken.run.network.parameters():
            parameter.fill_(float("nan"))
    (found,) = detect_files([film(tmp_path / "v.mp4", [(20, None)] * 8)], broken, backend="torch")
    assert "not a finite number, so there is no verdict" in (found.error or "")
