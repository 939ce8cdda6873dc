"""The recorded truth agrees with the geometry and with the picture."""

import numpy as np
import pytest

from dfmnist.actors.deform import Body, Moment, Posed, rotation
from dfmnist.actors.head import load_head
from dfmnist.actors.identity import sample_identity
from dfmnist.actors.landmarks import find_landmarks
from dfmnist.actors.truth import CameraView, locate, point_names

SIZE = 96


@pytest.fixture(scope="module", params=[300_001, 300_012])
def body(request: pytest.FixtureRequest) -> Body:
    return Body(sample_identity(request.param))


def posed(body: Body, pose: tuple[float, float, float] = (0, 0, 0), **facial: float) -> Posed:
    values = np.zeros(len(body.model.facial_names), np.float32)
    for name, value in facial.items():
        values[body.model.facial_names.index(name)] = value
    return body.pose(Moment(pose, values, (0.0, 0.0)))


def points(body: Body, moment: Posed) -> dict[str, np.ndarray]:
    view = CameraView.of(body.identity, body, body.neutral, SIZE)
    return dict(zip(point_names(), locate(view, body, moment)[0], strict=True))


def test_neutral_is_the_shape_itself(body: Body) -> None:
    still = ~body.model.tongue
    assert np.abs(posed(body).vertices - body.neutral)[still].max() < 1e-3


def test_points_lie_as_on_a_face(body: Body) -> None:
    p = points(body, posed(body))
    assert p["eye_right_outer"][0] < p["eye_right_inner"][0] < p["eye_left_inner"][0]
    assert p["eye_left_inner"][0] < p["eye_left_outer"][0]
    column = ["head_top", "forehead", "nose_bridge", "nose_tip", "lip_upper_outer",
              "lip_upper_inner", "lip_lower_outer", "chin", "neck_base"]  # fmt: skip
    heights = [p[name][1] for name in column]
    assert heights == sorted(heights)
    assert p["mouth_right"][0] < p["lip_upper_outer"][0] < p["mouth_left"][0]
    for side in ("left", "right"):
        upper, lower = p[f"eye_{side}_upper"], p[f"eye_{side}_lower"]
        assert upper[1] < p[f"pupil_{side}"][1] < lower[1]


def test_positive_yaw_moves_the_nose_to_the_right_of_the_image(body: Body) -> None:
    def nose_between_ears(yaw: float) -> float:
        p = points(body, posed(body, (yaw, 0, 0)))
        return float(p["nose_tip"][0] - (p["ear_left"][0] + p["ear_right"][0]) / 2)

    assert nose_between_ears(25) > nose_between_ears(0) + 5 > nose_between_ears(-25) + 10


def test_positive_pitch_lifts_the_nose_against_the_ears(body: Body) -> None:
    def nose_below_ears(pitch: float) -> float:
        p = points(body, posed(body, (0, pitch, 0)))
        return float(p["nose_tip"][1] - (p["ear_left"][1] + p["ear_right"][1]) / 2)

    assert nose_below_ears(20) < nose_below_ears(0) - 3 < nose_below_ears(-20) - 6


def test_positive_roll_tilts_the_head_to_the_left_of_the_image(body: Body) -> None:
    p = points(body, posed(body, (0, 0, 20)))
    top = p["forehead"] - p["chin"]
    angle = np.degrees(np.arctan2(-top[0], -top[1]))
    neutral = points(body, posed(body))
    upright = neutral["forehead"] - neutral["chin"]
    assert angle - np.degrees(np.arctan2(-upright[0], -upright[1])) == pytest.approx(20, abs=3)


def test_the_head_is_turned_by_just_the_angles_asked_for(body: Body) -> None:
    head = posed(body, (20, -10, 5)).head[:3, :3]
    assert np.allclose(head, rotation(20, -10, 5))


def test_a_blink_closes_both_eyes_and_half_a_blink_keeps_the_lid_outside(body: Body) -> None:
    def opening(**facial: float) -> float:
        p = points(body, posed(body, **facial))
        return float(p["eye_left_lower"][1] - p["eye_left_upper"][1])

    assert opening(eyeBlinkLeft=1.0) < 0.25 * opening()
    half = posed(body, eyeBlinkLeft=0.5, eyeBlinkRight=0.5)
    rim = find_landmarks().upper_lids[0]
    distance = np.linalg.norm(half.vertices[rim] - half.eye_centres[0], axis=1)
    assert (distance > body.eye_radius - 1e-4).all()


def test_an_open_jaw_takes_lip_chin_and_teeth_along(body: Body) -> None:
    closed, opened = posed(body), posed(body, jawOpen=1.0)
    a, b = points(body, closed), points(body, opened)
    assert b["lip_lower_inner"][1] > a["lip_lower_inner"][1] + 4
    assert b["chin"][1] > a["chin"][1] + 3
    assert abs(b["nose_tip"][1] - a["nose_tip"][1]) < 1
    assert not np.allclose(closed.jaw, opened.jaw)


def test_jacobians_predict_how_nearby_points_lie(body: Body) -> None:
    """A Jacobian predicts the pixels of a vertex near its point on the mean head."""
    head, marks = load_head(), find_landmarks()
    view = CameraView.of(body.identity, body, body.neutral, 384)
    moment = posed(body, (15, 5, -8))
    found, jacobians, _, _ = locate(view, body, moment)
    name = "forehead"
    i = marks.names.index(name)
    ring = marks.ring[i]
    pixels = view.project(moment.vertices[ring])
    offsets = head.mean[ring] - head.mean[ring].mean(0)
    level = np.array([1.0, 0, 0])
    flat = np.stack([offsets @ level, offsets[:, 2]], 1) * 100  # nearly upright: x and z
    predicted = flat @ jacobians[i].T
    actual = pixels - pixels.mean(0)
    assert np.abs(predicted - actual).max() < 0.35 * np.abs(actual).max()
    assert np.isfinite(found).all()
    assert np.isfinite(jacobians).all()


def test_frontal_jacobians_are_upright_with_rows_going_down(body: Body) -> None:
    view = CameraView.of(body.identity, body, body.neutral, 384)
    _, jacobians, _, _ = locate(view, body, posed(body))
    for name in ("nose_bridge", "chin", "forehead", "pupil_left"):
        j = jacobians[point_names().index(name)]
        assert j[0, 0] > 0, name  # level runs to the image's right
        assert j[1, 1] < 0, name  # up runs to smaller rows
