"""Training of the small model on people's videos: what is used, what is kept, what is refused."""

import dataclasses
import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import cbook
from PIL import Image
from tests.fomm.test_networks import tiny
from tests.fomm.test_train_actors import NAMES, ONE, film
from tests.running import refused

from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json
from dfmnist.faces.mesh import face_mesh
from dfmnist.fomm.checkpoint import load_networks, read_provenance
from dfmnist.fomm.mesh_points import MEAN_FACE, MESH_NAMES, named_points
from dfmnist.fomm.training import people_data
from dfmnist.fomm.training.actors_data import (
    FACE_POINTS,
    Draw,
    FaceClips,
    draw_batch,
    load_actor_clips,
)
from dfmnist.fomm.training.people_data import piece_frames, prepare_people, summary
from dfmnist.fomm.training.train_actors import POINTS, Phase
from dfmnist.fomm.training.train_people import (
    PeopleTrainConfig,
    held_out_people,
    small_recipe,
    train_people,
)
from dfmnist.media.opening import FrameTimes
from dfmnist.media.video import write_video

SIZE = 32


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """A picture of one face (240, 240, 3), as a video may frame it."""
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    picture = Image.open(path).convert("RGB").crop((60, 30, 460, 430))
    return np.asarray(picture.resize((240, 240)))


def write(path: Path, picture: np.ndarray, count: int) -> None:
    """A video of `picture`, which moves by two pixels a frame."""
    frames = [np.roll(picture, 2 * (number % 4), axis=1) for number in range(count)]
    write_video(path, frames, Fraction(25), crf=10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Path:
    """Videos that can be used (ann, two people of whom the larger counts), and others."""
    videos = tmp_path_factory.mktemp("videos")
    write(videos / "ann#1.mp4", portrait, 6)
    green = np.full_like(portrait, (0, 200, 0))
    other = np.asarray(Image.fromarray(portrait).resize((144, 144)))
    green[48:192, 48:192] = other // 2 + green[48:192, 48:192] // 2
    write(videos / "two.mp4", np.concatenate([portrait, green], axis=1), 5)
    write(videos / "short.mp4", portrait, 2)
    wall = np.random.default_rng(0).integers(60, 190, portrait.shape, np.uint8)
    write(videos / "wall.mp4", wall, 4)
    (videos / "bad.mp4").write_text("no video")
    Image.fromarray(portrait).save(videos / "photo.png")
    return videos


def prepared(folder: Path, into: Path) -> tuple[FaceClips, list[people_data.PreparedVideo]]:
    return prepare_people(folder, into, POINTS, SIZE, margin=(0.0, 0.1), seed=1)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the clips of `folder` are prepared, once for several tests."""
    return tmp_path_factory.mktemp("faces")


@pytest.fixture
def footage(folder: Path, faces: Path) -> FaceClips:
    return prepared(folder, faces)[0]


def config(**changes: object) -> PeopleTrainConfig:
    values: dict[str, object] = {
        "phases": (Phase(2, Draw(SIZE, 2, 1), 1e-3, 1e-4),),
        "model": tiny(blend=True),
        "points": NAMES,
        "epoch_steps": 1,
        "sheet_epochs": 2,
    }
    return PeopleTrainConfig(**(values | changes))  # type: ignore[arg-type]


def listing(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_points_of_the_mesh_lie_where_their_names_say(portrait: np.ndarray) -> None:
    mesh = face_mesh()(portrait)
    assert mesh is not None
    at = dict(zip(MESH_NAMES, named_points(mesh), strict=True))
    assert {*POINTS, *FACE_POINTS, *MEAN_FACE} <= set(MESH_NAMES)
    eyes = float(np.linalg.norm(at["eye_left_outer"] - at["eye_right_outer"]))
    for name in ("eye", "brow", "mouth", "jaw", "ear", "cheek", "nostril", "pupil"):
        left, right = (
            next(at[n] for n in MESH_NAMES if n.startswith(f"{name}_{side}"))
            for side in ("left", "right")
        )
        assert left[0] - right[0] > 0.2 * eyes, name  # the person's left is the picture's right
        assert abs(left[1] - right[1]) < 0.2 * eyes, name
    down = ["forehead", "brow_left_mid", "eye_left_upper", "pupil_left", "eye_left_lower"]
    down += ["nose_tip", "lip_upper_outer", "lip_upper_inner", "lip_lower_outer", "chin"]
    heights = [float(at[name][1]) for name in down]
    assert heights == sorted(heights)
    with pytest.raises(ValueError, match="without eyes"):
        named_points(dataclasses.replace(mesh, eyes=None))


def test_bad_videos_are_named_and_the_rest_is_used(
    folder: Path, faces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = listing(folder)
    clips, records = prepared(folder, faces)
    said = " ".join(capsys.readouterr().err.split())
    assert "3 of 5 videos cannot be used: bad.mp4 (cannot be read as video" in said
    assert "short.mp4 (holds 2 frames); wall.mp4 (no face found); left out" in said
    assert "photos: photo.png" in said
    assert clips.identities == ("ann", "two")
    assert summary(records) | {"hash": ""} == {"people": 2, "videos": 2, "clips": 2, "hash": ""}
    assert [len(frames) for frames in clips.frames] == [6, 5]
    assert clips.frames[0][0].shape == (SIZE, SIZE, 3)
    assert clips.points[0].shape == (6, len(POINTS), 2)
    assert np.abs(clips.points[0]).max() < 1.1
    assert np.linalg.det(clips.jacobians[0]).min() > 0.3
    assert listing(folder) == before  # nothing is written among the user's files


def test_the_larger_of_two_faces_is_followed(footage: FaceClips) -> None:
    red, green, _ = footage.frames[1][0].reshape(-1, 3).mean(axis=0)
    assert green < red  # the smaller one stands before green


def test_prepared_videos_are_used_again_until_they_change(
    folder: Path, tmp_path: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    write(videos / "ann.mp4", portrait, 4)
    first, _ = prepared(videos, tmp_path / "faces")
    looked: list[str] = []
    prepare = people_data._prepare_piece

    def watched(job: people_data.VideoJob, number: int, frames: np.ndarray) -> str:
        looked.append(job.name)
        return prepare(job, number, frames)

    monkeypatch.setattr(people_data, "_prepare_piece", watched)
    again, _ = prepared(videos, tmp_path / "faces")
    assert looked == []
    np.testing.assert_array_equal(again.points[0], first.points[0])
    next((tmp_path / "faces").glob("*.frames.npy")).unlink()
    prepared(videos, tmp_path / "faces")
    write(videos / "ann.mp4", portrait, 5)
    changed, _ = prepared(videos, tmp_path / "faces")
    assert looked == ["ann.mp4", "ann.mp4"]
    assert len(changed.frames[0]) == 5


def test_a_long_video_is_cut_into_pieces_spread_over_it() -> None:
    def times(count: int) -> FrameTimes:
        return FrameTimes(tuple(range(count)), Fraction(1, 25), Fraction(25), False, True)

    (short,) = piece_frames(times(30))
    assert short.tolist() == list(range(30))
    two = piece_frames(times(400))  # 16 s
    assert [len(piece) for piece in two] == [48, 48]
    assert two[0][-1] < 200 <= two[1][0]
    many = piece_frames(times(25 * 600))
    assert len(many) == people_data.MAX_PIECES
    assert many[0][0] < 25 * 60
    assert many[-1][-1] > 25 * 540
    assert [len(piece) for piece in piece_frames(times(1))] == [1]


def test_people_have_no_cross_pairs_and_actors_their_share(
    footage: FaceClips, tmp_path: Path
) -> None:
    own = range(len(footage.frames))
    alone = draw_batch(footage, Draw(SIZE, 1, 3), own, seed=0, step=0)
    assert (len(alone.source), len(alone.driver)) == (4, 0)
    alike = draw_batch(footage, Draw(SIZE, 1, 3), own, seed=0, step=0, actors_share=0.9)
    assert torch.equal(alone.source, alike.source)  # without actors the share means nothing
    film(tmp_path)
    chosen = [POINTS.index(name) for name in NAMES]
    people = dataclasses.replace(
        footage,
        names=NAMES,
        points=[p[:, chosen] for p in footage.points],
        jacobians=[j[:, chosen] for j in footage.jacobians],
    )
    mixed = people + load_actor_clips(tmp_path, NAMES, SIZE, margin=(0.1, 0.1), seed=0)
    assert [mixed.is_person(i) for i in range(6)] == [True, True, False, False, False, False]
    crossed, total = 0, 0
    for step in range(60):
        batch = draw_batch(mixed, Draw(SIZE, 3, 1), range(6), 0, step, actors_share=0.5)
        assert len(batch.source) == 4
        assert len(batch.truth.value) == 8 + 2 * len(batch.driver)
        crossed, total = crossed + len(batch.driver), total + 4
    assert 0.05 < crossed / total < 0.22  # half of the pairs, a quarter of them: an eighth


def test_two_steps_on_a_few_videos_and_a_killed_run(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = listing(folder)
    whole = train_people(config(), folder, tmp_path / "whole", machine=ONE)
    assert "too few people to hold one out" in capsys.readouterr().err
    train_people(config(), folder, tmp_path / "part", stop_after=1, machine=ONE)
    part = train_people(config(), folder, tmp_path / "part", machine=ONE)
    one, two = load_networks(whole), load_networks(part)
    for a, b in zip(
        one.generator.state_dict().values(), two.generator.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b)
    about = read_provenance(part)
    assert (about["steps"], about["identity_seeds"]) == (2, [])
    assert about["people"]["videos"] == 2
    assert not {"ann", "ann#1.mp4"} & set(re.findall(r"[\w#.]+", json.dumps(about)))
    assert {r["name"] for r in read_json(tmp_path / "part" / "people.json")} >= {"bad.mp4"}
    assert (tmp_path / "part" / "sheets" / "000002.png").is_file()
    assert listing(folder) == before
    with pytest.raises(InputError, match=r"this run began with recipe\.seed 1, now 2"):
        train_people(config(seed=2), folder, tmp_path / "part", machine=ONE)


def test_people_held_out() -> None:
    def clips(people: int) -> FaceClips:
        return FaceClips([], [], [], (), tuple(f"p{i}" for i in range(people)), ())

    assert held_out_people(clips(4)) == ()
    assert held_out_people(clips(11)) == ("p9", "p10")
    assert len(held_out_people(clips(100))) == 8
    assert held_out_people(clips(3), 2) == ("p1", "p2")
    with pytest.raises(InputError, match="3 people of whom 3 are held out"):
        held_out_people(clips(3), 3)


def test_what_cannot_be_trained_on(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "bad.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"1 of 1 video cannot be used: bad\.mp4 \(cannot be"):
        train_people(config(), tmp_path / "videos", tmp_path / "out")
    with pytest.raises(InputError, match="lies in the folder of clips"):
        train_people(config(), folder, folder / "out")
    assert not (folder / "out").exists()
    with pytest.raises(InputError, match="--actors-share 1; expected"):
        small_recipe(actors_share=1.0)
    with pytest.raises(InputError, match="--epochs 0"):
        small_recipe(epochs=0)
    with pytest.raises(InputError, match="--batch-size 0"):
        small_recipe(batch_size=0)
    assert small_recipe(epochs=3).steps == 150


def test_a_folder_of_people_is_never_filmed_into(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = listing(folder)
    out = tmp_path / "out"
    last = refused(capsys, "animator", "train", "--out", out, "--clips", folder)
    assert "holds ann#1.mp4, which is no actor's clip; expected an empty folder" in last
    assert "--recipe small" in last
    assert listing(folder) == before
    assert not out.exists()
