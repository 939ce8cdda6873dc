"""The mesh's pose and signals against the truth of a synthetic actor, signs included."""

import numpy as np
import pytest

from dfmnist.actors.identity import sample_identity
from dfmnist.actors.performance import Performance
from dfmnist.actors.render import Renderer
from dfmnist.faces.mesh import face_mesh
from dfmnist.faces.pose import Signals, signals

N = 9
REST, LEFT, RIGHT, UP, DOWN, ROLL_RIGHT, BLINK, OPEN, ASIDE = range(N)


@pytest.fixture(scope="module")
def seen() -> Signals:
    """One actor in nine poses, each frame looked at by itself."""

    def track(**values: float) -> np.ndarray:
        out = np.zeros(N)
        for frame, value in values.items():
            out[globals()[frame]] = value
        return out

    facial = {
        "eyeBlinkLeft": track(BLINK=1.0),
        "eyeBlinkRight": track(BLINK=1.0),
        "jawOpen": track(OPEN=0.8),
    }
    gaze = np.zeros((N, 2))
    gaze[ASIDE, 0] = 22  # to the person's left: the image's right
    performance = Performance(
        yaw_deg=track(LEFT=25.0, RIGHT=-25.0),
        pitch_deg=track(UP=18.0, DOWN=-18.0),
        roll_deg=track(ROLL_RIGHT=20.0),
        facial=facial,
        gaze_deg=gaze,
        sway_m=np.zeros((N, 3)),
        action="test",
        seed=0,
    )
    frames = Renderer(384).render(sample_identity(200_001), performance, range(N))
    meshes = [face_mesh()(frame) for frame in frames]
    assert all(mesh is not None for mesh in meshes)
    return signals(meshes)


def test_pose_follows_the_head_with_its_sign(seen: Signals) -> None:
    yaw, pitch, roll = (
        track - track[REST] for track in (seen.yaw_deg, seen.pitch_deg, seen.roll_deg)
    )
    assert yaw[LEFT] == pytest.approx(25, abs=7)
    assert yaw[RIGHT] == pytest.approx(-25, abs=7)
    assert pitch[UP] == pytest.approx(18, abs=7)
    assert pitch[DOWN] == pytest.approx(-18, abs=7)
    assert roll[ROLL_RIGHT] == pytest.approx(20, abs=4)
    assert np.abs(yaw[[BLINK, OPEN, ASIDE]]).max() < 4
    assert np.abs(roll[[BLINK, OPEN, ASIDE]]).max() < 3


def test_eyes_mouth_and_gaze_follow_the_face(seen: Signals) -> None:
    assert seen.eye_aspect[BLINK] < 0.5 * seen.eye_aspect[REST]
    assert seen.eye_aspect[OPEN] > 0.7 * seen.eye_aspect[REST]
    assert seen.mouth_open[OPEN] > seen.mouth_open[REST] + 0.25
    assert seen.mouth_open[BLINK] < seen.mouth_open[REST] + 0.08
    assert seen.gaze_side[ASIDE] > seen.gaze_side[REST] + 0.05
