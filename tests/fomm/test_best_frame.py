"""Search for the driving frame whose face is most like the source's."""

import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image

from dfmnist.core.errors import InputError
from dfmnist.faces.mesh import face_mesh
from dfmnist.fomm.inference.best_frame import (
    BROWS,
    EYES,
    JAW,
    LANDMARKS_68,
    LIPS,
    NOSE,
    best_frame,
    face_shape,
    landmarks_68,
)


def shape(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 40, (68, 2)).astype(np.float32)


def test_place_and_size_do_not_count_turning_does() -> None:
    face = shape(0)
    np.testing.assert_allclose(face_shape(face * 3 + [200, 10]), face_shape(face), atol=1e-4)
    angle = np.deg2rad([-20, -9, 4, 30])
    turns = [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angle]
    frames = [(face @ turn.T * (1 + i) + 50 * i).astype(np.float32) for i, turn in enumerate(turns)]
    assert best_frame(face, frames) == 2
    assert best_frame(face, frames[:2]) == 1


def test_size_is_that_of_the_hull_by_hand() -> None:
    square = np.zeros((68, 2), np.float32)
    square[:4] = [[0, 0], [6, 0], [6, 6], [0, 6]]
    square[4:] = 3
    np.testing.assert_allclose(face_shape(square)[:4], [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5],
                                                        [-0.5, 0.5]], atol=1e-6)  # fmt: skip


def test_frames_without_a_face_are_passed_over() -> None:
    none, flat = landmarks_68(None), np.zeros((68, 2), np.float32)
    assert best_frame(shape(0), [none, flat, shape(1), none]) == 2
    with pytest.raises(InputError, match="no face in any driving frame"):
        best_frame(shape(0), [none, none])


def test_the_points_are_where_the_scheme_has_them() -> None:
    assert len(LANDMARKS_68) == len(set(LANDMARKS_68)) == 68
    assert list(map(len, (JAW, BROWS, NOSE, EYES, LIPS))) == [17, 10, 9, 12, 20]
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    mesh = face_mesh()(np.asarray(Image.open(path).convert("RGB")), with_eyes=False)
    assert mesh is not None
    points = landmarks_68(mesh)
    jaw, brows, nose, eyes, lips = np.split(points, [17, 27, 36, 48])
    assert (np.diff(jaw[:, 0]) > -1).all()  # from the image's left to its right
    assert jaw[8, 1] == points[:, 1].max()  # the chin is lowest
    assert (np.diff(brows[:, 0]) > 0).all()
    assert (np.diff(nose[:4, 1]) > 0).all()
    assert (np.diff(nose[4:, 0]) > 0).all()
    assert brows[:, 1].max() < eyes[:, 1].min() < nose[4:, 1].min() < lips[:, 1].min()
    assert lips[:12, 0].argmin() == 0
    assert lips[:12, 0].argmax() == 6
    # mirrored pairs of the scheme lie at the same height of a face that is held straight
    pairs = [*zip(range(8), range(16, 8, -1), strict=True), (36, 45), (39, 42), (48, 54), (31, 35)]
    width = float(np.ptp(points[:, 0]))
    level = [(points[a] + points[b]) / 2 for a, b in pairs]
    assert np.ptp([m[0] for m in level]) < 0.12 * width
