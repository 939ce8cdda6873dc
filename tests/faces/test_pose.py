"""Pose from a mesh whose turn is known, because the test turned it."""

import numpy as np
import numpy.typing as npt
import pytest

from dfmnist.faces.mesh import Mesh, face_mesh
from dfmnist.faces.pose import align, eye_aspect_ratio, frontal, gaze, measure, signals

Float = npt.NDArray[np.float64]


def _turn(yaw_deg: float, pitch_deg: float, roll_deg: float) -> Float:
    """Roll, then pitch, then yaw, in image axes (x right, y down, z away)."""
    yaw, pitch, roll = np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    about_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
    )
    about_z = np.array(
        [[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    )
    return about_y @ about_x @ about_z


@pytest.fixture(scope="module")
def front(portrait: npt.NDArray[np.uint8]) -> Mesh:
    """The portrait's mesh, turned to face the camera, 100 px between the eye corners."""
    mesh = face_mesh()(portrait)
    assert mesh is not None
    return Mesh((frontal(mesh) * 100 + 300).astype(np.float32), 1.0)


def _turned(mesh: Mesh, yaw_deg: float, pitch_deg: float, roll_deg: float) -> Mesh:
    points = mesh.points @ _turn(yaw_deg, pitch_deg, roll_deg).T
    return Mesh(points.astype(np.float32), 1.0)


@pytest.mark.parametrize(
    "angles",
    [(0, 0, 0), (25, 0, 0), (-30, 0, 0), (0, 18, 0), (0, -22, 0), (0, 0, 20), (20, 10, -15)],
)
def test_pose_of_a_turned_mesh(front: Mesh, angles: tuple[float, float, float]) -> None:
    found = measure(_turned(front, *angles))
    pose = (found["yaw_deg"], found["pitch_deg"], found["roll_deg"])
    assert pose == pytest.approx(angles, abs=0.05)


def test_signs_are_those_of_the_person(front: Mesh) -> None:
    nose, bridge = 4, 168
    ahead = front.points[nose] - front.points[bridge]
    left = _turned(front, 20, 0, 0).points
    assert (left[nose] - left[bridge])[0] > ahead[0] + 5  # to the person's left: image right
    up = _turned(front, 0, 20, 0).points
    assert (up[nose] - up[bridge])[1] < ahead[1] - 5
    tilted = _turned(front, 0, 0, 20).points
    assert tilted[10, 0] < tilted[152, 0]  # forehead towards the image's left


def test_measures_do_not_change_with_pose(front: Mesh) -> None:
    turned = _turned(front, 20, -15, 10)
    before, after = measure(front), measure(turned)
    for name in ("mouth_open", "mouth_width", "mouth_corner_lift", "brow_raise"):
        assert after[name] == pytest.approx(before[name], abs=1e-4), name
    assert eye_aspect_ratio(turned) == pytest.approx(eye_aspect_ratio(front), abs=1e-4)
    assert all(np.isnan(gaze(front)))
    assert align(turned)[1] == pytest.approx(100, rel=1e-3)


def test_measures_answer_to_the_movement_they_name(front: Mesh) -> None:
    def moved(points: dict[tuple[int, ...], tuple[float, float]]) -> Mesh:
        changed = front.points.copy()
        for indices, (x, y) in points.items():
            changed[list(indices), :2] += (x, y)
        return Mesh(changed, 1.0)

    rest = measure(front)
    opened = measure(moved({(178, 14, 402): (0, 20)}))
    assert opened["mouth_open"] > rest["mouth_open"] + 0.2
    wide = measure(moved({(61,): (-5, 0), (291,): (5, 0)}))
    assert wide["mouth_width"] == pytest.approx(rest["mouth_width"] + 0.07, abs=0.02)
    smile = measure(moved({(61, 291): (0, -6)}))
    lift = rest["mouth_corner_lift"] + 0.06
    assert smile["mouth_corner_lift"] == pytest.approx(lift, abs=1e-3)
    brows = measure(moved({(70, 63, 105, 66, 107, 300, 293, 334, 296, 336): (0, -8)}))
    assert brows["brow_raise"] == pytest.approx(rest["brow_raise"] + 0.08, abs=1e-3)
    shut = moved({(160, 158): (0, 6), (385, 387): (0, 6)})
    assert eye_aspect_ratio(shut)[0] < eye_aspect_ratio(front)[0] - 0.1


def test_signals_mark_missing_frames(front: Mesh) -> None:
    values = signals([front, None, front])
    assert len(values) == 3
    assert np.isnan(values.mouth_open).tolist() == [False, True, False]
    assert values.score.tolist() == [1.0, 0.0, 1.0]
