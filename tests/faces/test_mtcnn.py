"""MTCNN on a real portrait, on nothing, and at several sizes."""

import hashlib

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from dfmnist.actors.identity import sample_identity
from dfmnist.actors.performance import Performance
from dfmnist.actors.render import Renderer
from dfmnist.core.errors import InputError
from dfmnist.faces import mtcnn as module
from dfmnist.faces.mtcnn import WEIGHTS, Mtcnn, mtcnn

Image8 = npt.NDArray[np.uint8]
FACE = np.array([185, 115, 345, 325])
"""Roughly, in the portrait: (left, top, right, bottom)."""


def test_finds_the_one_face_with_points_in_place(portrait: Image8) -> None:
    found = mtcnn().detect(portrait)
    assert len(found) == 1
    assert found.scores[0] > 0.99
    assert np.abs(found.boxes_xyxy[0] - FACE).max() < 30
    right_eye, left_eye, nose, mouth_right, mouth_left = found.points[0]
    assert right_eye[0] < nose[0] < left_eye[0]
    assert mouth_right[0] < nose[0] < mouth_left[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(mouth_right[1], mouth_left[1])


def test_box_follows_shift_and_scale(portrait: Image8) -> None:
    box = mtcnn().detect(portrait).boxes_xyxy[0]
    shifted = np.pad(portrait, ((60, 0), (80, 0), (0, 0)), mode="edge")
    moved = mtcnn().detect(shifted)
    assert np.abs(moved.boxes_xyxy[moved.largest()] - box - [80, 60, 80, 60]).max() < 12
    small = np.asarray(Image.fromarray(portrait).resize((256, 300)))
    assert np.abs(mtcnn().detect(small).boxes_xyxy[0] * 2 - box).max() < 14


def test_nothing_where_there_is_no_face(no_face: Image8) -> None:
    found = mtcnn().detect(no_face)
    assert len(found) == 0
    assert found.boxes_xyxy.shape == (0, 4)
    assert found.points.shape == (0, 5, 2)
    assert found.largest() is None
    assert len(mtcnn().detect(np.zeros((8, 9, 3), np.uint8))) == 0


def test_two_faces_and_the_larger_one(portrait: Image8) -> None:
    small = np.asarray(Image.fromarray(portrait).resize((340, 400)))
    pair = np.concatenate([np.pad(small, ((0, 200), (0, 0), (0, 0))), portrait], axis=1)
    found = mtcnn().detect(pair)
    assert len(found) == 2
    largest = found.largest()
    assert largest is not None
    assert found.boxes_xyxy[largest, 0] > 340


def test_min_face_size_leaves_small_faces_out(portrait: Image8) -> None:
    tiny = np.asarray(Image.fromarray(portrait).resize((100, 117)))  # a face of about 40 px
    assert len(Mtcnn(min_face_px=24).detect(tiny)) == 1
    assert len(Mtcnn(min_face_px=110).detect(tiny)) == 0
    with pytest.raises(InputError, match="min_face_px"):
        Mtcnn(min_face_px=3)


def test_same_image_same_bytes(portrait: Image8) -> None:
    first, second = (Mtcnn().detect(portrait) for _ in range(2))
    assert first.boxes_xyxy.tobytes() == second.boxes_xyxy.tobytes()


def test_the_weights_are_the_published_ones() -> None:
    """Their notice lies beside them, as their licence asks."""
    digest = "24dc7be98b7235edf9a4817325cee361c17aaee665345898c54153f185b5ed35"
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == digest
    notice = WEIGHTS.with_suffix(".LICENSE").read_text(encoding="utf-8")
    for line in ("(c) 2016 Kaipeng Zhang", "(c) 2019-2024 Iván de Paz", "this permission notice"):
        assert line in notice


def test_a_photo_and_an_actor_are_found_where_the_package_mtcnn_found_them(
    portrait: Image8,
) -> None:
    """The numbers are those that the same networks gave with the package's own weight files."""
    still = np.zeros(1)
    performance = Performance(
        yaw_deg=still,
        pitch_deg=still,
        roll_deg=still,
        facial={},
        gaze_deg=np.zeros((1, 2)),
        sway_m=np.zeros((1, 3)),
        action="test",
        seed=0,
    )
    actor = next(iter(Renderer(384).render(sample_identity(200_001), performance, range(1))))
    for image, score, box, points in (
        (
            portrait,
            0.99682,
            [178.511, 116.575, 348.874, 328.282],
            [[221.183, 193.441], [307.525, 188.885], [268.936, 239.067], [233.132, 277.596],
             [303.966, 273.338]],
        ),
        (
            np.asarray(actor),
            0.94052,
            [160.312, 132.299, 263.275, 279.764],
            [[188.906, 190.867], [236.131, 191.929], [211.307, 222.676], [191.022, 244.798],
             [231.734, 245.416]],
        ),
    ):  # fmt: skip
        found = mtcnn().detect(image)
        assert len(found) == 1
        assert found.scores[0] == pytest.approx(score, abs=1e-3)
        np.testing.assert_allclose(found.boxes_xyxy[0], box, atol=0.05)
        np.testing.assert_allclose(found.points[0], points, atol=0.05)


def test_a_large_picture_is_searched_at_a_fraction_of_its_size(
    portrait: Image8, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = mtcnn().detect(portrait)
    monkeypatch.setattr(module, "MAX_SIDE_PX", max(portrait.shape) - 1)
    reduced = mtcnn().detect(portrait)
    assert len(reduced) == len(whole) == 1
    assert np.abs(reduced.boxes_xyxy - whole.boxes_xyxy).max() < 0.05 * max(portrait.shape)
    assert np.abs(reduced.points - whole.points).max() < 0.05 * max(portrait.shape)
