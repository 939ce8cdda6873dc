"""Both detectors on a performance that was filmed as every clip of a dataset is."""

from fractions import Fraction
from pathlib import Path

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
from dfmnist.liveness.thresholds import shipped_thresholds
from dfmnist.liveness.tracking import track
from dfmnist.liveness.universal import MEASURES, UniversalDetector, measure
from dfmnist.media.noise import add_camera_noise
from dfmnist.media.video import read_frames, write_video

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


def test_measures_and_verdicts_are_the_same_after_encoding(clean: Image8, tmp_path: Path) -> None:
    """This encoder writes B frames, whose detail is less than that of the others."""
    frames = add_camera_noise(clean[:32], 1, 2.0)
    before = measure(frames, track(frames))
    limits = {bound.measure: bound.limit for bound in shipped_thresholds().universal}
    for crf in (23, 40):
        path = tmp_path / f"{crf}.mp4"
        write_video(path, frames, FPS, crf=crf)
        coded = read_frames(path)
        after = measure(coded, track(coded))
        for name in MEASURES:
            near = 0.25 * max(limits[name], before[name])
            assert after[name] == pytest.approx(before[name], abs=near), (name, crf)
        assert UniversalDetector()(coded, FPS, Action.YAW).reason == ""


def test_pictures_of_the_same_actor_are_not(clean: Image8) -> None:
    held = still(clean[0], 25)
    moved = planar_warp(clean[0], 25, np.random.default_rng(7), float(FPS))
    for attack in (held, moved):
        verdict = UniversalDetector()(add_camera_noise(attack, 2, 2.0), FPS, Action.YAW)
        assert not verdict.live
        assert "flat picture" in verdict.reason
