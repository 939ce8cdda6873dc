"""Metrics of the evaluation against direct computation and answers known by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib import cbook
from PIL import Image
from torchmetrics.functional.image import peak_signal_noise_ratio
from torchmetrics.functional.image import structural_similarity_index_measure as peer_ssim

from dfmnist.actors.film import truth_paths
from dfmnist.animator_eval.mesh_accuracy import measure_mesh
from dfmnist.animator_eval.metrics import (
    COMPARED,
    TrackedClip,
    compare,
    eye_fall,
    eye_reopening,
    follow,
    keypoint_distance,
    l1,
    moving_psnr,
    psnr,
    signal_errors,
    ssim,
)
from dfmnist.attacks.affine import affine_warp, fit_affine, warp
from dfmnist.attacks.photo import still
from dfmnist.faces.mesh import Mesh
from dfmnist.faces.pose import Signals, signals


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def mesh(points: np.ndarray) -> Mesh:
    return Mesh(points.astype(np.float32), 1.0)


def cloud(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(5, 35, (468, 3))


def direct_ssim(made: np.ndarray, true: np.ndarray) -> float:
    """SSIM window by window, as Wang et al. (2004) define it: variances as centred sums."""
    at = np.arange(11) - 5
    window = np.exp(-(at[:, None] ** 2 + at**2) / (2 * 1.5**2))
    window /= window.sum()
    found = []
    for channel in range(3):
        x, y = made[..., channel] / 255, true[..., channel] / 255
        for top in range(x.shape[0] - 10):
            for left in range(x.shape[1] - 10):
                a, b = (v[top : top + 11, left : left + 11] for v in (x, y))
                ma, mb = (window * a).sum(), (window * b).sum()
                va, vb = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum()
                cov = (window * (a - ma) * (b - mb)).sum()
                c1, c2 = 0.01**2, 0.03**2
                light = (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
                found.append(light * (2 * cov + c2) / (va + vb + c2))
    return float(np.mean(found))


def test_ssim_is_that_of_the_paper() -> None:
    true = noise(2, 17, 14, 3)
    made = (0.6 * true + 0.4 * noise(2, 17, 14, 3, seed=1)).astype(np.uint8)
    expected = np.mean([direct_ssim(a, b) for a, b in zip(made, true, strict=True)])
    assert 0.2 < expected < 0.95
    assert ssim(made, true) == pytest.approx(expected, abs=1e-10)


def test_ssim_and_psnr_are_those_of_torchmetrics() -> None:
    """SSIM and PSNR equal torchmetrics', after its SSIM is cropped by the reflected border."""
    rng = np.random.default_rng(2)
    true = rng.integers(0, 256, (3, 4, 4, 3), np.uint8).repeat(12, axis=1).repeat(10, axis=2)
    made = (0.6 * true + 0.4 * noise(*true.shape, seed=1)).astype(np.uint8)
    pixels = [torch.from_numpy(clip).permute(0, 3, 1, 2).double() / 255 for clip in (made, true)]
    _, full = peer_ssim(*pixels, data_range=1.0, return_full_image=True)  # type: ignore[misc]
    found = ssim(made, true)
    assert 0.3 < found < 0.9
    assert found == pytest.approx(full[..., 5:-5, 5:-5].mean().item(), abs=1e-9)
    peer = peak_signal_noise_ratio(*pixels, data_range=1.0).item()
    assert psnr(made, true) == pytest.approx(peer, abs=1e-5)


def test_ssim_of_what_is_known() -> None:
    true = noise(1, 20, 20, 3)
    assert ssim(true, true) == pytest.approx(1, abs=1e-12)
    assert ssim(255 - true, true) < -0.5  # contrast inverted
    other = noise(1, 20, 20, 3, seed=1)
    assert ssim(other, true) == pytest.approx(ssim(true, other))
    dark, light = np.full((1, 16, 16, 3), 51, np.uint8), np.full((1, 16, 16, 3), 102, np.uint8)
    light_term = (2 * 0.2 * 0.4 + 1e-4) / (0.2**2 + 0.4**2 + 1e-4)
    assert ssim(dark, light) == pytest.approx(light_term)
    with pytest.raises(ValueError, match="11 pixels"):
        ssim(noise(1, 10, 30, 3), noise(1, 10, 30, 3))


def test_l1_and_psnr() -> None:
    true = np.full((2, 4, 4, 3), 200, np.uint8)
    made = true.copy()
    made[0] -= 51  # a fifth of the range in half of the pixels, where uint8 would wrap
    assert l1(made, true) == pytest.approx(0.1)
    assert l1(true, made) == pytest.approx(0.1)
    assert psnr(made, true) == pytest.approx(10 * np.log10(1 / (0.04 / 2)))
    assert psnr(true, true) > 130


def test_psnr_counts_only_pixels_that_truly_move() -> None:
    source = np.zeros((2, 2, 3), np.uint8)
    true = np.zeros((1, 2, 2, 3), np.uint8)
    true[0, 0, 0] = 100
    made = true.copy()
    made[0, 0, 0] = 90  # 10 off where it moves
    made[0, 1, 1] = 255  # far off where nothing moves
    assert moving_psnr(made, true, source) == pytest.approx(20 * np.log10(255 / 10))
    assert np.isnan(moving_psnr(made, np.zeros_like(true), source))


def test_keypoint_distance_in_pixels_at_256() -> None:
    points = cloud()
    true = [mesh(points), mesh(points), mesh(points), None]
    moved = mesh(points + np.array([3, 4, 50]))  # depth does not count
    assert keypoint_distance([moved, moved, None, moved], true, 128) == pytest.approx((10, 1 / 3))
    assert keypoint_distance(true, true, 128) == (0, 0)
    lost = keypoint_distance([None] * 4, true, 128)
    assert np.isnan(lost[0])
    assert lost[1] == 1
    assert all(np.isnan(v) for v in keypoint_distance(true[:1], [None], 128))


def make_signals(**tracks: list[float]) -> Signals:
    zero = dict.fromkeys(Signals.__dataclass_fields__, np.zeros(3))
    return Signals(**zero | {name: np.array(track) for name, track in tracks.items()})


def test_signal_errors_over_frames_that_have_both() -> None:
    true = make_signals(yaw_deg=[0.0, 10, 20], eye_right=[0.3, 0.3, 0.3])
    made = make_signals(yaw_deg=[2.0, np.nan, 16], eye_right=[0.3, 0.3, 0.0])
    found = signal_errors(made, true)
    assert set(found) == set(COMPARED)
    assert found["yaw_deg"] == pytest.approx(3)
    assert found["eye_aspect"] == pytest.approx(0.05)  # half of 0.3 in one frame of three
    assert found["mouth_open"] == 0
    gone = signal_errors(make_signals(roll_deg=[np.nan] * 3), true)
    assert np.isnan(gone["roll_deg"])


def test_a_clip_held_against_itself_has_no_error() -> None:
    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    picture = Image.open(path).convert("RGB").crop((60, 30, 460, 430)).resize((128, 128))
    frames = np.stack([np.roll(np.asarray(picture), shift, axis=1) for shift in (0, 4, 8)])
    clip = TrackedClip.of(frames)
    assert clip.unseen == 0
    fit = compare(clip, clip)
    for name in ("l1", "akd_px", "lost", *COMPARED):
        assert getattr(fit, name) == 0, name
    assert fit.ssim == pytest.approx(1)
    motionless = compare(TrackedClip.of(still(frames[0], 3)), clip)
    assert motionless.akd_px == pytest.approx(8, abs=1)  # 0, 8 and 16 pixels at 256
    assert motionless.yaw_deg < 3
    assert motionless.psnr_moving < 25


def test_follow_is_correlation_and_slope() -> None:
    driver = np.array([0.0, 1, 2, 3, np.nan])
    correlation, gain = follow(0.5 * driver + 7, driver)
    assert correlation == pytest.approx(1)
    assert gain == pytest.approx(0.5)
    correlation, gain = follow(np.array([1.0, 0, 0, 1]), np.array([0.0, 1, 2, 3]))
    assert correlation == pytest.approx(0)
    assert gain == pytest.approx(0)
    assert all(np.isnan(v) for v in follow(driver, np.zeros(5)))


def test_eyes_fall_and_return_relative_to_the_start() -> None:
    aspect = np.array([0.3, 0.3, 0.3, 0.3, 0.3, 0.12, np.nan, 0.24, 0.2])
    found: Signals = SimpleNamespace(eye_aspect=aspect)  # type: ignore[assignment]
    assert eye_fall(found) == pytest.approx(0.6)
    assert eye_reopening(found) == pytest.approx(0.8)
    shut: Signals = SimpleNamespace(eye_aspect=aspect[:6])  # type: ignore[assignment]
    assert eye_reopening(shut) == pytest.approx(0.4)
    unseen: Signals = SimpleNamespace(eye_aspect=np.full(6, np.nan))  # type: ignore[assignment]
    assert np.isnan(eye_fall(unseen))
    assert np.isnan(eye_reopening(unseen))


def similarity(angle_deg: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    a = np.radians(angle_deg)
    turn = scale * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return np.concatenate([turn, np.array(shift)[:, None]], axis=1)


def test_affine_fit_recovers_a_similarity() -> None:
    points, known = cloud()[:, :2], similarity(12, 1.1, (3, -2))
    moved = points @ known[:, :2].T + known[:, 2]
    np.testing.assert_allclose(fit_affine(points, moved), known, atol=1e-9)


def test_affine_warp_moves_a_picture_exactly() -> None:
    """Bilinear sampling of a picture linear in x and y is exact, so the answer is a formula."""
    x, y = np.meshgrid(np.arange(40) + 0.5, np.arange(40) + 0.5)
    source = np.stack([2 * x + y, 3 * y, 200 - 2 * x], axis=-1).round().astype(np.uint8)
    start = cloud()
    known = similarity(7, 1.05, (1.5, 2))
    # the driver is another face that moves as the source's mesh does under the map
    driver = cloud(1)
    step = start[:, :2] @ known[:, :2].T + known[:, 2] - start[:, :2]
    moved = driver + np.concatenate([step, np.zeros((468, 1))], axis=1)
    made = affine_warp(source, [mesh(start)], [mesh(driver), mesh(moved), None])
    np.testing.assert_array_equal(made[0], source)
    came = (np.stack([x, y], -1) - known[:, 2]) @ np.linalg.inv(known[:, :2]).T
    inside = ((came > 1) & (came < 39)).all(axis=-1)
    assert inside.mean() > 0.7
    u, v = came[inside].T
    expected = np.stack([2 * u + v, 3 * v, 200 - 2 * u], axis=-1)
    assert np.abs(made[1][inside] - expected).max() <= 1.01  # two roundings
    np.testing.assert_array_equal(made[2], made[1])  # where the driver is lost, the map stays


def test_affine_warp_repeats_the_border_and_stays_without_a_mesh() -> None:
    source = noise(8, 8, 3)
    shifted = warp(source, similarity(0, 1, (3, 0)))
    np.testing.assert_array_equal(shifted[:, 3:], source[:, :-3])
    np.testing.assert_array_equal(shifted[:, :3], np.repeat(source[:, :1], 3, axis=1))
    some = mesh(cloud())
    for start, driving in (([None], [some, some]), ([some], [None, some])):
        np.testing.assert_array_equal(affine_warp(source, start, driving), still(source, 2))
    flat = mesh(np.zeros((468, 3)))
    made = affine_warp(source, [some], [some, flat])
    np.testing.assert_array_equal(made, still(source, 2))  # a map to one point cannot be undone


def test_the_mesh_is_measured_against_the_truth_beside_a_clip(tmp_path) -> None:  # type: ignore[no-untyped-def]
    clip = tmp_path / "clip.mp4"
    names = ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen", "mouthSmileLeft", "mouthSmileRight",
             "browInnerUp", "browOuterUpLeft", "browOuterUpRight")  # fmt: skip
    facial = np.zeros((3, len(names)))
    facial[:, names.index("eyeBlinkLeft")] = facial[:, names.index("eyeBlinkRight")] = (0, 1, 0)
    pose, gaze = np.zeros((3, 3)), np.zeros((3, 2))
    pose[:, 0], gaze[:, 1] = (1, 11, 21), (0, -20, 0)
    np.savez(
        truth_paths(clip)[1],
        pose_deg=pose, facial=facial, facial_names=np.array(names), gaze_deg=gaze,
    )  # fmt: skip
    found = make_signals(
        yaw_deg=[5.0, 13, 25], eye_right=[0.3, 0.1, 0.3], eye_left=[0.3, 0.1, 0.3],
        gaze_down=[0.1, 0.0, 0.1],
    )  # fmt: skip
    accuracy = measure_mesh(clip, found)
    assert set(accuracy) == set(COMPARED)
    assert accuracy["yaw_deg"].error_deg == pytest.approx(2 / 3)  # 0, 8 and 20 for 0, 10 and 20
    assert accuracy["yaw_deg"].correlation > 0.98
    assert accuracy["eye_aspect"].correlation == pytest.approx(1)
    assert accuracy["gaze_down"].correlation == pytest.approx(-1)
    assert np.isnan(accuracy["mouth_open"].correlation)  # the truth does not move
    assert accuracy["pitch_deg"].error_deg == 0
    assert np.isnan(accuracy["eye_aspect"].error_deg)


def test_no_face_leaves_signals_out() -> None:
    lost = TrackedClip(noise(2, 16, 16, 3), [None, None], signals([None, None]))
    fit = compare(lost, lost)
    assert np.isnan(fit.akd_px)
    assert np.isnan(fit.yaw_deg)
    assert fit.ssim == pytest.approx(1)
    assert fit.model_dump(mode="json")["akd_px"] is None
