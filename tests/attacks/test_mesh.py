"""The two mesh attacks on pictures with a known answer; the points are given, not detected."""

from collections.abc import Sequence

import numpy as np
import pytest

from dfmnist.attacks.mesh import mesh_warp, outline, swap_faces
from dfmnist.core.arrays import Frames
from dfmnist.faces.mesh import Mesh

SIDE = 64


def points(dx: float = 0.0, dy: float = 0.0) -> Mesh:
    """A mesh of 468 points over the middle of the picture, shifted."""
    grid = np.linspace(20, 44, 22)
    xy = np.stack(np.meshgrid(grid + dx, grid + dy), -1).reshape(-1, 2)[:468]
    return Mesh(np.concatenate([xy, np.zeros((468, 1))], 1).astype(np.float32), 1.0)


def picture(seed: int = 0, contrast: float = 100) -> np.ndarray:
    """A smooth random picture (64, 64, 3)."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    rng = np.random.default_rng(seed)
    waves = [np.sin(7 * (a * x + b * y) + c) for a, b, c in rng.uniform(-2, 2, (3, 3))]
    return (127 + contrast * np.stack(waves, -1)).astype(np.uint8)


def tracks(*answers: Sequence[Mesh | None]):
    """A tracker that returns these answers, one for each call."""
    left = list(answers)

    def track(frames: Frames) -> Sequence[Mesh | None]:
        found = left.pop(0)
        assert len(found) == len(frames)
        return found

    return track


def test_a_driver_at_rest_leaves_the_picture_as_it_is() -> None:
    source = picture()
    driving = np.zeros((3, SIDE, SIDE, 3), np.uint8)
    out = mesh_warp(source, driving, tracks([points()], [points(5)] * 3))
    assert np.abs(out.astype(int) - source).max() <= 1


def test_the_face_goes_where_the_drivers_goes_and_the_border_stays() -> None:
    source = picture()
    driving = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    out = mesh_warp(source, driving, tracks([points()], [points(), points(4, -2)]))
    moved = out[1].astype(int)
    inside = moved[26:38, 30:44]
    assert np.abs(inside - source[28:40, 26:40]).max() <= 3
    assert np.abs(inside - source[26:38, 30:44]).max() > 20
    assert np.abs(moved[[0, -1]] - source[[0, -1]]).max() <= 12


def test_a_lost_face_keeps_its_last_place() -> None:
    source = picture()
    driving = np.zeros((3, SIDE, SIDE, 3), np.uint8)
    out = mesh_warp(source, driving, tracks([points()], [points(), points(4), None]))
    assert (out[2] == out[1]).all()
    still = mesh_warp(source, driving, tracks([None], [points()] * 3))
    assert (still == source).all()


def test_a_swap_changes_the_face_alone() -> None:
    target, donor = np.stack([picture(1, 30)] * 2), picture(2, 30)[None] - 60
    out = swap_faces(target, donor, tracks([points()], [points(3), None]))
    change = np.abs(out[0].astype(int) - target[0]).sum(-1)
    mask = outline(points(3).points[:, :2].astype(np.float64), SIDE)
    assert change[mask > 0.95].mean() > 15
    assert change[mask == 0].max() == 0
    assert (out[1] == target[1]).all()  # no face found
    # in the target's colours, not the donor's
    means = [(mask[..., None] * p).sum((0, 1)) / mask.sum() for p in (out[0], target[0])]
    assert np.abs(means[0] - means[1]).max() < 10


def test_no_donor_face_no_swap() -> None:
    target = np.stack([picture(1)] * 2)
    assert (swap_faces(target, picture(2)[None], tracks([None])) == target).all()


@pytest.mark.parametrize("dx", [0, 8])
def test_the_outline_covers_the_points(dx: int) -> None:
    mask = outline(points(dx).points[:, :2].astype(np.float64), SIDE)
    assert mask[32, 32 + dx] == pytest.approx(1.0, abs=0.02)
    assert mask[5].max() == 0
