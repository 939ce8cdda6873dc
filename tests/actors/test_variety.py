"""Actors to train on look more varied; the actors of all other purposes stay as they were."""

import dataclasses

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from dfmnist.actors.deform import Body, Moment
from dfmnist.actors.glasses import make_glasses, pose_glasses
from dfmnist.actors.identity import Identity, sample_identity
from dfmnist.actors.performance import Performance, perform_random
from dfmnist.actors.render import Renderer
from dfmnist.actors.teeth_lashes import grow_teeth
from dfmnist.actors.truth import locate, point_names
from dfmnist.actors.variety import PLAIN_SRGB, training_identity
from dfmnist.core.arrays import Floats

SIZE = 128
OPEN = {"jawOpen": 0.6, "mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3}


def held(facial: dict[str, float]) -> Performance:
    """One frame of a face that looks ahead."""
    still = np.zeros(1)
    tracks = {name: np.array([value]) for name, value in facial.items()}
    return Performance(still, still, still, tracks, np.zeros((1, 2)), np.zeros((1, 3)), "random", 0)


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(SIZE)


def mouth(renderer: Renderer, who: Identity) -> Floats:
    """Pixels (n, 3) between the inner lips of an open mouth, near its middle."""
    (frame,) = renderer.frames(who, held(OPEN))
    stage = renderer.stage(who)
    found = dict(zip(point_names(), locate(stage.view, stage.body, frame.posed)[0], strict=True))
    (x, top), (_, bottom) = found["lip_upper_inner"], found["lip_lower_inner"]
    rows = slice(round(float(top)), round(float(bottom)))
    return frame.image[rows, round(float(x)) - 3 : round(float(x)) + 4].reshape(-1, 3).astype(float)


def test_a_training_actor_is_the_same_person_with_another_mouth_and_light() -> None:
    plain, varied = sample_identity(7), training_identity(7)
    assert plain.mouth is None
    assert varied == training_identity(7)
    assert (varied.shape, varied.hair, varied.eyes) == (plain.shape, plain.hair, plain.eyes)
    mouths = [training_identity(seed).mouth for seed in range(40)]
    assert len({m.enamel for m in mouths if m is not None}) == 40
    kinds = {training_identity(seed).backdrop.kind for seed in range(40)}
    assert {"plain", "sharp", "room"} <= kinds
    assert max(abs(training_identity(seed).light.key_deg[0]) for seed in range(40)) > 75
    assert len(PLAIN_SRGB) == 10


def test_teeth_are_seen_in_the_mouth_of_a_training_actor_alone(renderer: Renderer) -> None:
    """A plain actor's picture stays as it was, which the shipped results depend on."""
    who = sample_identity(300_003)
    before = mouth(renderer, who)
    bright = training_identity(12).mouth
    assert bright is not None
    look = dataclasses.replace(bright, enamel=(0.8, 0.8, 0.78), upper_m=0.005, gap=0.3)
    teeth = mouth(renderer, dataclasses.replace(who, mouth=look))
    upper = len(teeth) // 3
    assert teeth[:upper].mean() > before[:upper].mean() + 30
    assert np.array_equal(mouth(renderer, who), before)
    assert before.mean(axis=0) == pytest.approx(PLAIN_MOUTH, abs=1.0)


PLAIN_MOUTH = (124.4, 92.8, 87.7)
"""Mean colour of the plain mouth above, before there were others."""


def test_the_teeth_are_where_the_mouth_has_them() -> None:
    body = Body(sample_identity(7))
    look = training_identity(7).mouth
    assert look is not None
    high = grow_teeth(body, dataclasses.replace(look, upper_m=0.001, uneven_m=0.0))
    low = grow_teeth(body, dataclasses.replace(look, upper_m=0.005, uneven_m=0.0))
    upper = slice(None, high.upper)
    shift = high.vertices[upper, 2] - low.vertices[upper, 2]
    assert np.allclose(shift, 0.004, atol=1e-6)
    assert np.array_equal(high.vertices[high.upper :], low.vertices[high.upper :])
    # each row has whole teeth: the numbers rise along the arc, and are whole between two teeth
    numbers = high.rest[: high.upper : 1, 0].reshape(5, -1)[0]
    assert (np.diff(numbers) > 0).all()
    assert numbers.max() > 5
    assert numbers.min() == pytest.approx(-numbers.max())


def test_far_movement_reaches_further_and_the_rest_stays() -> None:
    near = [perform_random(seed, 60) for seed in range(20)]
    far = [perform_random(seed, 60, far=True) for seed in range(20)]
    assert 30 < max(np.abs(p.yaw_deg).max() for p in near) < 39
    assert 39 < max(np.abs(p.yaw_deg).max() for p in far) < 49
    for one, other in zip(near, far, strict=True):
        assert np.array_equal(one.facial["jawOpen"], other.facial["jawOpen"])


def test_glasses_are_before_the_eyes_and_follow_the_head(renderer: Renderer) -> None:
    who = sample_identity(300_003)
    look = next(g for g in (training_identity(s).glasses for s in range(40)) if g is not None)
    worn = dataclasses.replace(who, glasses=dataclasses.replace(look, colour=(0.9, 0.0, 0.0)))
    bare = renderer.render(who, held({}))[0].astype(int)
    (frame,) = renderer.frames(worn, held({}))
    stage = renderer.stage(worn)
    red = (frame.image.astype(int) - bare)[..., 0] - (frame.image.astype(int) - bare)[..., 1] > 40
    found = dict(zip(point_names(), locate(stage.view, stage.body, frame.posed)[0], strict=True))
    rows, columns = np.nonzero(red)
    assert len(rows) > 30
    assert abs(rows.mean() - found["pupil_left"][1]) < 5
    assert columns.min() < found["pupil_right"][0] < found["pupil_left"][0] < columns.max()
    turned = stage.body.pose(Moment((30.0, 0.0, 0.0), np.zeros(52, np.float32), (0.0, 0.0)))
    still = stage.glasses.vertices
    moved = pose_glasses(stage.glasses, turned)
    assert np.abs(moved - still).max() > 0.02
    assert np.allclose(pdist(moved[:20]), pdist(still[:20]), atol=1e-5)  # it is stiff
    assert len(make_glasses(stage.body, None).vertices) == 0
