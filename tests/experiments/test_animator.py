"""The animator's figures, worked out by hand on small arrays."""

from types import SimpleNamespace

import numpy as np
import pytest

from dfmnist.actors.seeds import SEED_RANGES
from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.experiments.animator import (
    ClipScore,
    evaluate_animator,
    eye_fall,
    follow,
    markdown,
    moving_psnr,
    summarise,
)
from dfmnist.experiments.animator_data import (
    CLIP_FRAMES,
    film_training,
    join,
    mixed_performance,
    pick,
)


def test_psnr_counts_only_pixels_that_truly_move() -> None:
    source = np.zeros((2, 2, 3), np.uint8)
    true = np.zeros((1, 2, 2, 3), np.uint8)
    true[0, 0, 0] = 100
    made = true.copy()
    made[0, 0, 0] = 90  # 10 off where it moves
    made[0, 1, 1] = 255  # far off where nothing moves
    assert moving_psnr(made, true, source) == pytest.approx(20 * np.log10(255 / 10))
    assert np.isnan(moving_psnr(made, np.zeros_like(true), source))


def test_follow_is_correlation_and_slope() -> None:
    driver = np.array([0.0, 1, 2, 3, np.nan])
    correlation, gain = follow(0.5 * driver + 7, driver)
    assert correlation == pytest.approx(1)
    assert gain == pytest.approx(0.5)
    correlation, gain = follow(np.array([1.0, 0, 0, 1]), np.array([0.0, 1, 2, 3]))
    assert correlation == pytest.approx(0)
    assert gain == pytest.approx(0)
    assert all(np.isnan(v) for v in follow(driver, np.zeros(5)))


def test_eye_fall_is_relative_to_the_start() -> None:
    found = SimpleNamespace(eye_aspect=np.array([0.3, 0.3, 0.3, 0.3, 0.3, 0.12, np.nan]))
    assert eye_fall(found) == pytest.approx(0.6)  # type: ignore[arg-type]


def score(action: Action, **changes: float) -> ClipScore:
    values = {"psnr": 20.0, "psnr_still": 15.0, "psnr_driver": 10.0, "correlation": np.nan,
              "gain": np.nan, "eye_fall": 0.0, "driver_eye_fall": 0.0,
              "mesh_eye_fall": 0.0, "driver_mesh_eye_fall": 0.0} | changes  # fmt: skip
    return ClipScore(action, 1, 2, **values)


def test_summary_and_table() -> None:
    table = summarise(
        [
            score(Action.YAW, correlation=0.9, gain=0.7),
            score(Action.YAW, correlation=0.9, gain=0.5, psnr=22),
            score(Action.BLINK, eye_fall=0.5, driver_eye_fall=0.7, driver_mesh_eye_fall=0.4),
            score(Action.BLINK, eye_fall=0.1, driver_eye_fall=0.7),
            score(Action.BLINK, eye_fall=0.1, driver_eye_fall=0.1),  # its driver did not blink
        ]
    )
    by = {row["action"]: row for row in table}
    assert by["yaw"]["follows"] == 0.5
    assert by["yaw"]["psnr"] == 21
    assert by["blink"]["blinks"] == 0.5
    assert by["blink"]["blinks_mesh"] == 0
    text = markdown(table)
    assert "| yaw | 2 | 21.00 | 15.00 | 10.00 | 0.90 | 0.60 | 50% | – | – |" in text


def test_only_evaluation_actors(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="belongs to animator"):
        evaluate_animator(None, [5, 6], 1, tmp_path)
    with pytest.raises(InputError, match="at least two"):
        evaluate_animator(None, [SEED_RANGES["evaluation"].start], 1, tmp_path)
    with pytest.raises(InputError, match="belongs to drivers"):
        film_training(tmp_path, 2, first=SEED_RANGES["drivers"].start)


def test_training_performance_holds_rest_actions_and_free_movement() -> None:
    one = mixed_performance(3)
    assert len(one) == CLIP_FRAMES
    again = mixed_performance(3)
    np.testing.assert_array_equal(one.yaw_deg, again.yaw_deg)
    assert np.abs(one.yaw_deg[:2]).max() < 6  # at rest
    assert np.abs(one.yaw_deg).max() > 10
    assert (one.facial["eyeBlinkLeft"] > 0.5).sum() >= 3  # lids close more than once
    assert all(len(track) == len(one) for track in one.facial.values())
    twice = join([pick(one, [5]), pick(one, [0, 1])], 9)
    assert twice.yaw_deg.tolist() == one.yaw_deg[[5, 0, 1]].tolist()
    assert twice.gaze_deg.shape == (3, 2)
