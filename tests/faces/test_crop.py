"""One square for the whole clip; a reason when there is none."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from dfmnist.faces.crop import crop_clip, face_box_union, square_crop, squared
from dfmnist.faces.mtcnn import mtcnn

Image8 = npt.NDArray[np.uint8]
MEDIA = Path(__file__).resolve().parents[3] / "shared" / "data" / "faces"


def test_union_margin_and_square() -> None:
    box = squared(np.array([10, 20, 50, 100], np.float32), margin=0.1)
    assert box.tolist() == pytest.approx([-18, 12, 78, 108])


def test_crop_follows_the_face_over_the_clip(portrait: Image8) -> None:
    frames = np.stack([np.roll(portrait, 6 * k, axis=1) for k in range(11)])
    still, _ = face_box_union(frames[:1], mtcnn())
    union, reason = face_box_union(frames, mtcnn())
    assert reason == ""
    assert still is not None
    assert union is not None
    assert union[0] == pytest.approx(still[0], abs=4)
    assert union[2] == pytest.approx(still[2] + 60, abs=8)
    faces, info = crop_clip(frames, mtcnn(), size=128)
    assert faces is not None
    assert faces.shape == (11, 128, 128, 3)
    assert info.box_xyxy is not None
    width, height = info.box_xyxy[2:] - info.box_xyxy[:2]
    assert width == pytest.approx(height)
    assert width == pytest.approx((union[2:] - union[:2]).max() * 1.2, rel=1e-4)


def test_beyond_the_edge_the_last_pixels_repeat() -> None:
    frame = np.zeros((1, 40, 40, 3), np.uint8)
    frame[0, :, :20] = (200, 10, 10)
    frame[0, :, 20:] = (10, 10, 200)
    out = square_crop(frame, (-40, -20, 40, 60), size=80)
    assert out.shape == (1, 80, 80, 3)
    assert (out[0, :, :55] == (200, 10, 10)).all()
    assert (out[0, :, 65:] == (10, 10, 200)).all()
    same = square_crop(frame, (0, 0, 40, 40), size=40)
    assert (same == frame).all()


def test_no_face_is_a_reason(no_face: Image8, portrait: Image8) -> None:
    faces, info = crop_clip(np.stack([no_face] * 3), mtcnn())
    assert faces is None
    assert info.box_xyxy is None
    assert info.reason == "no face found"
    assert crop_clip(np.zeros((0, 64, 64, 3), np.uint8), mtcnn())[1].reason == "no frames"
    mostly_gone = np.stack([portrait] + [np.zeros_like(portrait)] * 15)
    assert "only 1 of 4" in crop_clip(mostly_gone, mtcnn())[1].reason


@pytest.mark.skipif(not MEDIA.exists(), reason="needs the test media in ../shared/data/faces")
def test_real_footage() -> None:
    from dfmnist.media.video import read_frames

    people = read_frames(MEDIA / "video" / "lp_d9.mp4", 0, 12)
    faces, info = crop_clip(people, mtcnn())
    assert faces is not None
    assert info.reason == ""
    cartoon = read_frames(MEDIA / "negative" / "no_face.mp4", 0, 12)
    assert crop_clip(cartoon, mtcnn())[0] is None
