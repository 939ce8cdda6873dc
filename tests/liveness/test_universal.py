"""A photo shown again, a photo that is moved, and what tells them from a face."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFilter

from dfmnist.attacks.display import replayed
from dfmnist.attacks.lids import painted_lids
from dfmnist.attacks.photo import planar_warp, still
from dfmnist.core.actions import Action
from dfmnist.faces.mesh import Mesh
from dfmnist.liveness.pattern import pattern_peak
from dfmnist.liveness.planar import (
    EYE_CORNERS,
    EYE_REACH,
    FlatFit,
    _beside_eyes,
    flat_fit,
    homography,
    landmark_jitter,
)
from dfmnist.liveness.universal import RESOLVED_PX, UniversalDetector, detail
from dfmnist.media.noise import add_camera_noise
from dfmnist.media.video import read_frames, write_video

Image8 = npt.NDArray[np.uint8]


def _face_points(centre_x: float, centre_y: float) -> npt.NDArray[np.float64]:
    """468 points over a face 120 px wide, with the corners of its eyes."""
    points = np.random.default_rng(5).uniform(-1, 1, (468, 2)) * (60, 75)
    points[[33, 133, 362, 263]] = [(-36, -8), (-12, -8), (12, -8), (36, -8)]
    return np.add(points, (centre_x, centre_y))


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
    assert flat_fit(frames, meshes).misfit < 0.3
    assert flat_fit(still(portrait, 16), meshes).misfit < 0.01


def test_a_part_that_moves_by_itself_is_not(portrait: Image8) -> None:
    frames = still(portrait, 16).copy()
    frames[8:, 100:124, 90:130] = frames[8:, 140:164, 90:130]  # an eye covered by cheek
    mesh = [_mesh(_face_points(128, 120))] * 16
    assert flat_fit(frames, mesh).misfit > 0.6


@pytest.mark.parametrize("crf", [None, 23])
def test_a_part_that_moves_by_a_third_of_a_pixel_is_seen_beside_the_eyes_alone(
    portrait: Image8, tmp_path: Path, crf: int | None
) -> None:
    meshes = [_mesh(_face_points(128, 120))] * 24
    painted = still(portrait, 24).copy()
    for left in (92, 140):  # both eyes
        painted[10:14, 104:120, left : left + 24] = painted[10:14, 140:156, left : left + 24]
    moved = painted.copy()
    for index in range(24):
        shift = 1 + np.sin(index / 4)  # of the mouth, in half pixels of the frame
        mouth = painted[index, 130:176, 90:166].astype(float)
        beside = painted[index, 130:176, 91:167]
        moved[index, 130:176, 90:166] = np.round(mouth + shift * (beside - mouth) / 2)

    def relief(frames: Image8) -> float:
        noisy = add_camera_noise(frames, 4, 2.0)
        if crf is not None:
            write_video(tmp_path / "a.mp4", noisy, Fraction(25), crf=crf)
            noisy = read_frames(tmp_path / "a.mp4")
        return flat_fit(noisy, meshes).relief

    assert relief(painted) < RESOLVED_PX
    assert relief(moved) > RESOLVED_PX


@pytest.mark.parametrize("width", [0.2, 0.3])
def test_what_is_beside_the_eyes_grows_with_them(width: float) -> None:
    mesh = np.zeros((478, 2))
    for (outer, inner), side in zip(EYE_CORNERS, (-0.4, 0.4), strict=True):
        mesh[outer], mesh[inner] = (side - width / 2, 0), (side + width / 2, 0)
    beside = _beside_eyes(mesh)
    grid = (np.arange(len(beside)) + 0.5) / len(beside) * 2 - 1

    def is_beside(x: float, y: float) -> bool:
        return bool(beside[np.abs(grid - y).argmin(), np.abs(grid - x).argmin()])

    pixel = 2 / len(beside)
    for side in (-0.4, 0.4):
        for x, y in ((EYE_REACH[0], 0.0), (-EYE_REACH[0], 0.0), (0.0, EYE_REACH[1])):
            away = np.hypot(x, y) * width
            for further, expected in ((-pixel, False), (pixel, True)):
                share = (away + further) / away
                assert is_beside(side + x * width * share, y * width * share) is expected
    assert not is_beside(0.9, 0.9)  # beside the face


def test_a_display_and_no_face_has_a_regular_pattern(portrait: Image8, tmp_path: Path) -> None:
    meshes = [_mesh(_face_points(128, 120))] * 12
    live = add_camera_noise(still(portrait, 12), 1, 2.0)
    filmed = replayed(still(portrait, 12), np.random.default_rng(3))
    for number, (frames, found) in enumerate(((live, False), (filmed, True))):
        write_video(tmp_path / f"{number}.mp4", frames, Fraction(25), crf=23)
        for shown in (frames, read_frames(tmp_path / f"{number}.mp4")):
            assert (pattern_peak(shown, meshes) > 3) is found
    assert pattern_peak(live[:, :80, :80], meshes) == 0.0  # too small to measure
    assert pattern_peak(live, [None] * 12) == 0.0


@pytest.mark.parametrize(
    ("left", "seen"), [(70, True), (168, True), (30, False), (202, False)]
)  # both cheeks, and the background on both sides
def test_the_whole_face_is_looked_at_and_nothing_else(
    portrait: Image8, left: int, seen: bool
) -> None:
    """The face lies from 68 to 188; a part near its edge counts, one beside it does not."""
    frames = still(portrait, 16).copy()
    part = frames[8:, 95:145, left : left + 16]
    part[:] = 255 - part
    misfit = flat_fit(frames, [_mesh(_face_points(128, 120))] * 16).misfit
    assert misfit > 0.6 if seen else misfit < 0.01


def test_brightness_alone_is_no_life(portrait: Image8) -> None:
    gain = 1 + 0.25 * np.sin(np.arange(16) / 2)
    frames = np.clip(portrait[None] * gain[:, None, None, None], 0, 255).astype(np.uint8)
    assert flat_fit(frames, [_mesh(_face_points(128, 120))] * 16).misfit < 0.15


def test_too_little_to_judge_is_no_evidence(portrait: Image8) -> None:
    few = still(portrait, 3)
    assert flat_fit(few, [_mesh(_face_points(128, 120))] * 3) == FlatFit(0, 0)
    assert flat_fit(few, [None] * 3) == FlatFit(0, 0)


def test_jitter_measures_the_points_noise_and_not_flat_movement() -> None:
    rng = np.random.default_rng(2)
    face = _face_points(0, 0)
    slid = [_mesh(face * (1 + k / 100) + (k, -k)) for k in range(30)]
    shaking = [_mesh(face + rng.normal(0, 0.4, face.shape)) for _ in range(40)]
    assert landmark_jitter(slid, 80.0) < 1e-5
    expected = 0.4 / 80 * np.sqrt(2)
    assert landmark_jitter(shaking, 80.0) == pytest.approx(expected, rel=0.1)


def test_detail_that_fades_and_flickers_is_measured(portrait: Image8) -> None:
    soft = np.asarray(Image.fromarray(portrait).filter(ImageFilter.GaussianBlur(2)))
    points = np.array([[70, 60, 0], [190, 200, 0]], np.float32).repeat(234, 0)
    meshes = [Mesh(points, 1.0)] * 20
    assert detail(np.stack([portrait] * 20), meshes) == pytest.approx((1.0, 0.0))
    kept, _ = detail(np.stack([portrait] * 8 + [soft] * 12), meshes)
    assert kept < 0.5
    _, flicker = detail(np.stack(([portrait] * 5 + [soft] * 5) * 2), meshes)
    assert flicker > 0.1


@pytest.mark.parametrize("period", ["sb", "sbb"])
def test_frame_types_of_an_encoder_are_no_flicker(portrait: Image8, period: str) -> None:
    """P frames are sharp and B frames softer, over and over, as in IBP and IBBP."""
    soft = np.asarray(Image.fromarray(portrait).filter(ImageFilter.GaussianBlur(0.6)))
    order = (period * 24)[:24]
    meshes = [_mesh(_face_points(128, 120))] * 24
    kept, flicker = detail(np.stack([portrait if k == "s" else soft for k in order]), meshes)
    assert flicker < 0.001
    assert kept == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize("shut", [2, 3, 4])
def test_a_natural_blink_is_no_flat_picture_wherever_the_clip_begins(
    portrait: Image8, shut: int
) -> None:
    frames = add_camera_noise(still(portrait, 24), 1, 2.0).copy()
    frames[9 : 9 + shut, 100:124, 90:130] = frames[9 : 9 + shut, 140:164, 90:130]
    meshes = [_mesh(_face_points(128, 120))] * 24
    for begin in (0, 1, 2):
        assert flat_fit(frames[begin:], meshes[begin:]).misfit > 0.6
    assert flat_fit(frames[9 + shut :], meshes[9 + shut :]).misfit < 0.3


def test_one_frame_is_no_blink(portrait: Image8) -> None:
    """A frame whose alignment fails is no life; a blink lasts longer."""
    frames = add_camera_noise(still(portrait, 20), 1, 2.0).copy()
    frames[9] = np.roll(frames[9], 40, 1)
    assert flat_fit(frames, [_mesh(_face_points(128, 120))] * 20).misfit < 0.3


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


def test_a_still_with_painted_lids_is_rejected(portrait: Image8) -> None:
    frames = add_camera_noise(painted_lids(portrait, 30, np.random.default_rng(1)), 5, 2.0)
    verdict = UniversalDetector()(frames, Fraction(25), Action.BLINK)
    assert not verdict.live
    assert "beside the eyes" in verdict.reason


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
