"""Both detectors on a performance that was filmed as every clip of a dataset is."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from dfmnist.actors.identity import sample_identity
from dfmnist.actors.performance import perform
from dfmnist.actors.render import Renderer
from dfmnist.attacks.photo import planar_warp, still
from dfmnist.core.actions import Action
from dfmnist.faces.crop import crop_clip
from dfmnist.faces.mtcnn import mtcnn
from dfmnist.liveness.action import ActionDetector
from dfmnist.liveness.universal import UniversalDetector
from dfmnist.media.noise import add_camera_noise

Image8 = npt.NDArray[np.uint8]
FPS = Fraction(25)


@pytest.fixture(scope="module")
def clean() -> Image8:
    """An evaluation actor who turns the head both ways, cropped."""
    performance = perform(Action.YAW, 400_000)
    wide = Renderer(384).render(sample_identity(400_000), performance)
    faces, info = crop_clip(wide, mtcnn())
    assert faces is not None, info.reason
    return faces


def test_performance_is_live_and_what_was_asked(clean: Image8) -> None:
    frames = add_camera_noise(clean, 1, 2.0)
    assert UniversalDetector()(frames, FPS, Action.YAW).reason == ""
    asked = ActionDetector()(frames, FPS, Action.YAW)
    assert asked.live, asked.reason
    for wrong in (Action.NOD, Action.BLINK, Action.OPEN_MOUTH, Action.LOOK_UP):
        assert not ActionDetector()(frames, FPS, wrong).live


def test_pictures_of_the_same_actor_are_not(clean: Image8) -> None:
    held = still(clean[0], 25)
    moved = planar_warp(clean[0], 25, np.random.default_rng(7), float(FPS))
    for attack in (held, moved):
        verdict = UniversalDetector()(add_camera_noise(attack, 2, 2.0), FPS, Action.YAW)
        assert not verdict.live
        assert "flat picture" in verdict.reason
