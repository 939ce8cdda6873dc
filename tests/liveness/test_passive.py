"""A photo shown again, a photo that is moved, and what tells them from a face."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from dfmnist.core.actions import Action
from dfmnist.faces.mesh import Mesh
from dfmnist.liveness.attacks import planar_warp, repeated_still
from dfmnist.liveness.passive import UniversalDetector, detail, temporal_noise
from dfmnist.liveness.planar import coherence, homography, jitter, residuals, shape_change
from dfmnist.media.noise import add_camera_noise

Image8 = npt.NDArray[np.uint8]


def _head(count: int = 468) -> npt.NDArray[np.float64]:
    """Points on the front of an egg, 80 px wide: something that is not flat."""
    rng = np.random.default_rng(5)
    xy = rng.uniform(-1, 1, (count, 2)) * (40, 55)
    depth = 40 - 40 * np.sqrt(np.clip(1 - (xy[:, 0] / 60) ** 2 - (xy[:, 1] / 80) ** 2, 0, 1))
    return np.column_stack([xy, depth])


def _meshes(points: list[npt.NDArray[np.float64]]) -> list[Mesh]:
    return [Mesh((p + np.array([128, 128, 0])).astype(np.float32), 1.0) for p in points]


def _yaw(angle_deg: float) -> npt.NDArray[np.float64]:
    a = np.deg2rad(angle_deg)
    return np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])


def test_homography_is_recovered() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 256, (40, 2))
    truth = np.array([[1.1, 0.05, 8], [-0.04, 0.95, -5], [2e-4, -1e-4, 1]])
    homogeneous = np.column_stack([points, np.ones(40)]) @ truth.T
    target = homogeneous[:, :2] / homogeneous[:, 2:]
    assert np.abs(homography(points, target) - truth).max() < 1e-6


def test_flat_movement_leaves_nothing_and_a_turning_head_does() -> None:
    head = _head()
    angles = 15 * np.sin(np.arange(30) / 5)
    turned = _meshes([head @ _yaw(a).T for a in angles])
    flat = head * (1, 1, 0)
    slid = _meshes([flat @ _yaw(a).T + (a, -a, 0) for a in angles])
    of_head, of_photo = (residuals(clip, 80.0) for clip in (turned, slid))
    assert shape_change(*of_photo) < 1e-4
    assert shape_change(*of_head) > 0.02
    assert jitter(of_photo[0]) < 1e-5


def test_jitter_measures_the_points_noise() -> None:
    rng = np.random.default_rng(2)
    head = _head()
    shaking = _meshes([head + rng.normal(0, 0.4, head.shape) for _ in range(40)])
    still = _meshes([head] * 40)
    assert jitter(residuals(shaking, 80.0)[0]) == pytest.approx(0.4 / 80 * np.sqrt(2), rel=0.1)
    assert jitter(residuals(still, 80.0)[0]) < 1e-6


def test_surroundings_that_move_with_the_face_are_noticed() -> None:
    rng = np.random.default_rng(3)
    wall = rng.integers(0, 255, (10, 10, 3)).repeat(40, 0).repeat(40, 1).astype(np.uint8)
    shifts = (12 * np.sin(np.arange(20) / 3)).astype(int)
    meshes = _meshes([_head() + np.array([s, 0, 0]) for s in shifts])
    together = np.stack([np.roll(wall, s, axis=1)[:256, 60:316] for s in shifts])
    apart = np.stack([wall[:256, 60:316]] * 20)
    assert coherence(together, meshes) > 0.7
    assert coherence(apart, meshes) < -0.7
    assert coherence(apart[:3], meshes[:3]) == 0.0


def test_temporal_noise_is_the_cameras(portrait: Image8) -> None:
    still = repeated_still(portrait, 12)
    assert temporal_noise(still) == 0
    noisy = add_camera_noise(still, 1, 2.0)
    assert temporal_noise(noisy) == pytest.approx(2.0, abs=0.7)
    assert temporal_noise(add_camera_noise(still, 1, 6.0)) > 2 * temporal_noise(noisy)


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
    frames = add_camera_noise(repeated_still(portrait, 24), 3, sigma)
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
