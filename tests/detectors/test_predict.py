"""Which frames of a video are scored: those that show the face, where it is."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dfmnist.core.errors import InputError
from dfmnist.detectors import predict
from dfmnist.faces.mtcnn import Detections
from dfmnist.media.video import write_video

SIDE = 40


class Bright:
    """A detector that takes a bright square for a face."""

    def detect(self, image_rgb_u8: np.ndarray) -> Detections:
        columns = np.flatnonzero(image_rgb_u8[..., 0].max(0) > 150)
        boxes = [[columns[0], 10, columns[-1] + 1, 10 + SIDE]] if len(columns) else []
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.ones(len(boxes), np.float32),
            np.zeros((len(boxes), 5, 2), np.float32),
        )


@pytest.fixture(autouse=True)
def bright(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "mtcnn", Bright)


def film(path: Path, lefts: list[int | None]) -> Path:
    """A bright square at these places; None: nobody."""
    frames = np.full((len(lefts), 64, 400, 3), 60, np.uint8)
    for frame, left in zip(frames, lefts, strict=True):
        if left is not None:
            frame[10 : 10 + SIDE, left : left + SIDE] = np.linspace(200, 250, SIDE)[:, None]
    write_video(path, frames, Fraction(25), crf=18)
    return path


def test_frames_are_sampled_where_the_face_is(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [100 if 40 <= i < 52 else None for i in range(64)])
    indices, faces = predict._faces(path, 4, None, 1)
    assert len(indices) == 3  # every fourth frame is searched
    assert all(40 <= i < 52 for i in indices)
    assert faces.shape == (3, 256, 256, 3)
    assert faces[:, 128, 128, 0].min() > 190


def test_a_video_with_a_face_throughout_is_sampled_once_and_evenly(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [100] * 16)
    indices, faces = predict._faces(path, 4, None, 1)
    assert indices.tolist() == [2, 6, 10, 14]
    assert faces[:, 128, 128, 0].min() > 190


def test_the_square_follows_a_face_that_walks_by(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [22 * i for i in range(16)])
    _, faces = predict._faces(path, 8, None, 1)
    assert len(faces) == 8
    share = (faces[..., 0] > 150).mean((1, 2))
    assert share.min() > 0.6  # the face, and a tenth of its side around it


def test_no_face_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.mp4: no face found"):
        predict._faces(film(tmp_path / "a.mp4", [None] * 8), 4, None, 1)


def test_each_face_has_the_next_frames_behind_it_in_the_same_square(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [100 + 2 * i for i in range(16)])
    indices, pairs = predict._faces(path, 4, None, 2)
    assert pairs.shape == (4, 256, 256, 6)
    alone = predict._faces(path, 4, None, 1)[1]
    assert np.array_equal(pairs[..., :3], alone)
    left = [(pairs[..., at] > 130).any(1).argmax(-1) for at in (0, 3)]
    assert len(indices) == 4
    assert (left[1] > left[0]).all()  # the face moves to the right in the square of its frame
