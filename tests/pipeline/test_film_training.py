"""What the motion model is trained on: moments of all actions, and pairs who perform alike."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfmnist.actors.performance import perform
from dfmnist.actors.variety import VARIETY_VERSION
from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.fomm.training.actors_data import REST_FRAMES
from dfmnist.pipeline import film_training
from dfmnist.pipeline.film_training import (
    CLIP_FRAMES,
    FREE_FRAMES,
    TAKES,
    mixed_performance,
    pick,
    strength,
    training_performance,
)


def test_a_mixed_performance_shows_rest_then_every_action_then_free_movement() -> None:
    mixed = mixed_performance(3)
    assert len(mixed) == CLIP_FRAMES == len(mixed.yaw_deg)
    rest = frames_of(pick(mixed, list(range(REST_FRAMES))))
    starts = [frames_of(perform(action, 3))[0] for action in list(TAKES)[:REST_FRAMES]]
    assert np.allclose(rest, starts)
    place = REST_FRAMES
    for action, count in TAKES.items():
        shown, whole = pick(mixed, list(range(place, place + count))), perform(action, 3)
        every = frames_of(whole)
        places = [np.abs(every - frame).sum(axis=1).argmin() for frame in frames_of(shown)]
        assert np.allclose(every[places], frames_of(shown)), action
        assert len(set(places)) == count
        if count > 1:
            assert places[0] == strength(whole).argmax(), action
        place += count
    assert CLIP_FRAMES - place == FREE_FRAMES
    free = frames_of(pick(mixed, list(range(place, CLIP_FRAMES))))
    assert len(np.unique(free, axis=0)) == FREE_FRAMES


def frames_of(performance: Any) -> np.ndarray:
    """Angles, gaze and sway of each frame (n, values), and the sum of its facial actions."""
    p = performance
    face = sum(p.facial.values(), np.zeros(len(p)))
    return np.column_stack([p.yaw_deg, p.pitch_deg, p.roll_deg, p.gaze_deg, p.sway_m, face])


def test_actions_are_shown_more_often_the_further_they_are_from_rest() -> None:
    """Of an action with one frame, the frames that were drawn lie far from rest on the whole."""
    far, usual = [], []
    assert TAKES[Action.NOD] == 1
    place = REST_FRAMES + sum(list(TAKES.values())[: list(TAKES).index(Action.NOD)])
    for seed in range(40):
        whole = perform(Action.NOD, seed)
        (drawn,) = frames_of(pick(mixed_performance(seed), [place]))
        at = np.abs(frames_of(whole) - drawn).sum(axis=1).argmin()
        far.append(strength(whole)[at])
        usual.append(strength(whole).mean())
    assert np.mean(far) > 1.15 * np.mean(usual)


def test_two_people_share_each_performance_and_reserved_seeds_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filmed: list[Any] = []
    monkeypatch.setattr(film_training, "run_jobs", lambda _, jobs, **__: filmed.extend(jobs) or [])
    film_training.film_training(tmp_path, 4, first=6, clips=2)
    assert [[job.identity_seed for job in jobs] for jobs in filmed] == [
        [6, 6], [7, 7], [8, 8], [9, 9],
    ]  # fmt: skip
    performances = [[job.performance_seed for job in jobs] for jobs in filmed]
    assert performances[0] == performances[1] != performances[2] == performances[3]
    assert len({seed for jobs in performances for seed in jobs}) == 4
    assert {job.version for jobs in filmed for job in jobs} == {VARIETY_VERSION}
    assert [job.path.name for jobs in filmed[:2] for job in jobs] == [
        "00006-0.mp4", "00006-1.mp4", "00007-0.mp4", "00007-1.mp4",
    ]  # fmt: skip
    with pytest.raises(InputError, match="belongs to dataset"):
        film_training.film_training(tmp_path, 2, first=300_000)


def test_the_second_of_two_people_smiles_throughout_some_takes() -> None:
    """Driven by the first with relative motion, what the second does is known."""
    plain, smiling = training_performance(6, 3), training_performance(7, 3)
    assert plain.facial["jawOpen"].tolist() == mixed_performance(3).facial["jawOpen"].tolist()
    more = smiling.facial["mouthSmileLeft"] - plain.facial["mouthSmileLeft"]
    assert more[:REST_FRAMES] == pytest.approx(more[0])
    assert more[0] >= 0.3
    assert max(track.max() for track in smiling.facial.values()) <= 1
    assert np.array_equal(smiling.yaw_deg, plain.yaw_deg)
    even = training_performance(7, 4)
    assert np.array_equal(even.facial["jawOpen"], mixed_performance(4).facial["jawOpen"])


def test_only_missing_clips_of_a_person_are_filmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, int, int]] = []
    monkeypatch.setattr(film_training, "is_complete", lambda job: job.performance_seed == 1)
    monkeypatch.setattr(film_training, "training_identity", lambda seed: seed)
    monkeypatch.setattr(
        film_training,
        "film_clip",
        lambda who, what, path, size, version: made.append((who, what.seed, version)),
    )
    jobs = [
        film_training.Job(7, None, take, CLIP_FRAMES, tmp_path / f"{take}", version=VARIETY_VERSION)
        for take in (1, 2)
    ]
    assert film_training.film_person(jobs) == [tmp_path / "1", tmp_path / "2"]
    assert made == [(7, 2, VARIETY_VERSION)]
