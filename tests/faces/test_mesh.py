"""The mesh follows a face that is moved, turned and mirrored by known amounts."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from dfmnist.faces.mesh import Region, cut_region, face_mesh, region_of_points
from dfmnist.faces.pose import measure, signals

Image8 = npt.NDArray[np.uint8]


def test_points_lie_on_the_face(portrait: Image8) -> None:
    mesh = face_mesh()(portrait)
    assert mesh is not None
    assert mesh.points.shape == (468, 3)
    assert mesh.score > 0.99
    assert mesh.eyes is not None
    nose, chin, forehead = mesh.points[4], mesh.points[152], mesh.points[10]
    assert forehead[1] < nose[1] < chin[1]
    assert nose[2] < min(mesh.points[234, 2], mesh.points[454, 2])  # nearest to the camera
    for which, (first, second) in enumerate(((33, 133), (362, 263))):
        iris = mesh.eyes.irises[which, 0]
        assert mesh.points[first, 0] < iris[0] < mesh.points[second, 0]
        corners = mesh.eyes.contours[which][[0, 8], 0]
        outer, inner = (first, second) if which == 0 else (second, first)
        assert np.abs(corners - mesh.points[[outer, inner], 0]).max() < 10


def test_no_face_is_none(no_face: Image8) -> None:
    assert face_mesh()(no_face) is None
    assert face_mesh()(no_face, np.array([0, 0, 400, 300], np.float32)) is None
    track = face_mesh().track([no_face, no_face])
    assert track == [None, None]
    values = signals(track)
    assert np.isnan(values.yaw_deg).all()
    assert (values.score == 0).all()


@pytest.mark.parametrize("angle_deg", [-25, 15])
def test_roll_follows_a_turned_picture(portrait: Image8, angle_deg: float) -> None:
    upright = face_mesh()(portrait)
    # Pillow turns anticlockwise: towards the person's right shoulder, our positive roll
    turned = face_mesh()(np.asarray(Image.fromarray(portrait).rotate(angle_deg, fillcolor=90)))
    assert upright is not None
    assert turned is not None
    change = measure(turned)["roll_deg"] - measure(upright)["roll_deg"]
    assert change == pytest.approx(angle_deg, abs=2.5)


def test_mirror_swaps_the_sides(portrait: Image8) -> None:
    mesh = face_mesh()(portrait)
    mirrored = face_mesh()(np.ascontiguousarray(portrait[:, ::-1]))
    assert mesh is not None
    assert mirrored is not None
    here, there = measure(mesh), measure(mirrored)
    assert there["yaw_deg"] == pytest.approx(-here["yaw_deg"], abs=4)
    assert there["roll_deg"] == pytest.approx(-here["roll_deg"], abs=2)
    assert there["eye_right"] == pytest.approx(here["eye_left"], abs=0.06)
    assert there["gaze_side"] == pytest.approx(-here["gaze_side"], abs=0.04)


def test_measures_do_not_depend_on_size(portrait: Image8) -> None:
    large = face_mesh()(portrait)
    small = face_mesh()(np.asarray(Image.fromarray(portrait).resize((256, 300))))
    assert large is not None
    assert small is not None
    a, b = measure(large), measure(small)
    assert b["size_px"] == pytest.approx(a["size_px"] / 2, rel=0.03)
    for name in ("mouth_open", "mouth_width", "brow_raise", "eye_left"):
        assert b[name] == pytest.approx(a[name], abs=0.05), name


def test_tracking_follows_a_moving_face_and_is_smooth(portrait: Image8) -> None:
    shifts = np.arange(12) * 4
    frames = [np.roll(portrait, shift, axis=1) for shift in shifts]
    values = signals(face_mesh().track(frames))
    moved = values.centre_x_px - values.centre_x_px[0]
    assert np.abs(moved - shifts).max() < 2.0
    assert np.abs(np.diff(values.yaw_deg)).max() < 1.0
    still = signals(face_mesh().track([portrait] * 6))
    assert np.abs(np.diff(still.eye_aspect)).max() < 0.02


def test_face_lost_and_found(portrait: Image8, no_face: Image8) -> None:
    black = np.zeros_like(portrait)
    track = face_mesh().track([portrait, black, portrait])
    assert [mesh is not None for mesh in track] == [True, False, True]


def test_region_is_cut_and_mapped_back() -> None:
    rows, columns = np.mgrid[0:120, 0:160]
    image = np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8)
    region = Region(centre_xy=(80.0, 60.0), side_px=48.0, angle_rad=np.deg2rad(30))
    patch, matrix = cut_region(image, region, 64)
    ys, xs = np.mgrid[8:56, 8:56] + 0.5
    back = np.stack([xs, ys], axis=-1) @ matrix[:, :2].T + matrix[:, 2] - 0.5
    assert np.abs(patch[8:56, 8:56, :2] * 255 - back).max() < 1.5


def test_region_of_points_is_level_with_the_eyes() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 100, (468, 3)).astype(np.float32)
    points[33], points[263] = (20, 50, 0), (80, 50, 0)
    assert region_of_points(points).angle_rad == pytest.approx(0)
    turned = points[:, [1, 0, 2]] * [-1, 1, 1]  # a quarter turn clockwise
    quarter = region_of_points(turned.astype(np.float32))
    assert quarter.angle_rad == pytest.approx(np.pi / 2)
    assert quarter.side_px == pytest.approx(region_of_points(points).side_px)
