"""MTCNN on a real portrait, on nothing, and at several sizes."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from dfmnist.core.errors import InputError
from dfmnist.faces.mtcnn import Mtcnn, mtcnn

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
