"""A photo shown again, a photo that is moved, and what tells them from a face."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from dfmnist.attacks.photo import planar_warp, still
from dfmnist.core.actions import Action
from dfmnist.faces.mesh import Mesh
from dfmnist.liveness.planar import homography, landmark_jitter, planar_misfit
from dfmnist.liveness.universal import UniversalDetector, detail
from dfmnist.media.noise import add_camera_noise

Image8 = npt.NDArray[np.uint8]


def _face_points(centre_x: float, centre_y: float) -> npt.NDArray[np.float64]:
    """468 points over a face 120 px wide."""
    rng = np.random.default_rng(5)
    return rng.uniform(-1, 1, (468, 2)) * (60, 75) + (centre_x, centre_y)


def _mesh(xy: npt.NDArray[np.float64]) -> Mesh:
    return Mesh(np.column_stack([xy, np.zeros(len(xy))]).astype(np.float32), 1.0)


def test_homography_is_recovered() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 256, (40, 2))
    truth = np.array([[1.1, 0.05, 8], [-0.04, 0.95, -5], [2e-4, -1e-4, 1]])
    homogeneous = np.column_stack([points, np.ones(40)]) @ truth.T
    target = homogeneous[:, :2] / homogeneous[:, 2:]
    assert np.abs(homography(points, target) - truth).max() < 1e-6


def test_flat_picture_is_explained_wherever_it_goes(portrait: Image8) -> None:
    """The alignment repairs points that are several pixels off."""
    frames = planar_warp(portrait, 16, np.random.default_rng(6))
    meshes = [_mesh(_face_points(128, 120))] * 16
    assert planar_misfit(frames, meshes) < 0.3
    assert planar_misfit(still(portrait, 16), meshes) < 0.01


def test_a_part_that_moves_by_itself_is_not(portrait: Image8) -> None:
    frames = still(portrait, 16).copy()
    frames[8:, 100:124, 90:130] = frames[8:, 140:164, 90:130]  # an eye covered by cheek
    mesh = [_mesh(_face_points(128, 120))] * 16
    assert planar_misfit(frames, mesh) > 0.6


@pytest.mark.parametrize(("left", "seen"), [(70, True), (30, False)], ids=["cheek", "background"])
def test_the_whole_face_is_looked_at_and_nothing_else(
    portrait: Image8, left: int, seen: bool
) -> None:
    """The face lies from 68 to 188; a part near its edge counts, one beside it does not."""
    frames = still(portrait, 16).copy()
    part = frames[8:, 95:145, left : left + 16]
    part[:] = 255 - part
    misfit = planar_misfit(frames, [_mesh(_face_points(128, 120))] * 16)
    assert misfit > 0.6 if seen else misfit < 0.01


def test_brightness_alone_is_no_life(portrait: Image8) -> None:
    gain = 1 + 0.25 * np.sin(np.arange(16) / 2)
    frames = np.clip(portrait[None] * gain[:, None, None, None], 0, 255).astype(np.uint8)
    assert planar_misfit(frames, [_mesh(_face_points(128, 120))] * 16) < 0.15


def test_too_little_to_judge_is_no_evidence(portrait: Image8) -> None:
    few = still(portrait, 3)
    assert planar_misfit(few, [_mesh(_face_points(128, 120))] * 3) == 0.0
    assert planar_misfit(few, [None] * 3) == 0.0


def test_jitter_measures_the_points_noise_and_not_flat_movement() -> None:
    rng = np.random.default_rng(2)
    face = _face_points(0, 0)
    slid = [_mesh(face * (1 + k / 100) + (k, -k)) for k in range(30)]
    shaking = [_mesh(face + rng.normal(0, 0.4, face.shape)) for _ in range(40)]
    assert landmark_jitter(slid, 80.0) < 1e-5
    expected = 0.4 / 80 * np.sqrt(2)
    assert landmark_jitter(shaking, 80.0) == pytest.approx(expected, rel=0.1)


def test_detail_that_fades_and_flickers_is_measured(portrait: Image8) -> None:
    from PIL import Image, ImageFilter

    soft = np.asarray(Image.fromarray(portrait).filter(ImageFilter.GaussianBlur(2)))
    points = np.array([[70, 60, 0], [190, 200, 0]], np.float32).repeat(234, 0)
    meshes = [Mesh(points, 1.0)] * 20
    assert detail(np.stack([portrait] * 20), meshes) == pytest.approx((1.0, 0.0))
    kept, _ = detail(np.stack([portrait] * 8 + [soft] * 12), meshes)
    assert kept < 0.5
    _, flicker = detail(np.stack([portrait, soft] * 10), meshes)
    assert flicker > 0.5


@pytest.mark.parametrize("sigma", [0.0, 2.0])
def test_repeated_still_is_rejected(portrait: Image8, sigma: float) -> None:
    frames = add_camera_noise(still(portrait, 24), 3, sigma)
    verdict = UniversalDetector()(frames, Fraction(25), Action.SMILE)
    assert not verdict.live
    assert verdict.score < 0.5
    assert verdict.reason


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_moved_photo_is_rejected(portrait: Image8, seed: int) -> None:
    moved = planar_warp(portrait, 30, np.random.default_rng(seed))
    verdict = UniversalDetector()(add_camera_noise(moved, seed, 2.0), Fraction(25), Action.YAW)
    assert not verdict.live
    assert verdict.reason


def test_moved_photo_starts_as_the_picture_and_is_the_same_for_a_seed(portrait: Image8) -> None:
    first = planar_warp(portrait, 10, np.random.default_rng(4))
    again = planar_warp(portrait, 10, np.random.default_rng(4))
    assert (first == again).all()
    assert np.abs(first[0].astype(int) - portrait).mean() < 1.0
    assert np.abs(first[-1].astype(int) - portrait).mean() > 3.0


def test_no_face_is_a_verdict_with_a_reason() -> None:
    blank = np.full((5, 256, 256, 3), 120, np.uint8)
    verdict = UniversalDetector()(blank, Fraction(25), Action.BLINK)
    assert not verdict.live
    assert verdict.reason == "face found in 0 of 5 frames"
