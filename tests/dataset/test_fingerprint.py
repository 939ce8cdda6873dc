"""Copies of clips with faces are found, and clips of different people are told apart."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dfmnist.actors.film import FilmJob, film
from dfmnist.core.actions import Action
from dfmnist.dataset.fingerprint import NEAR, distance, fingerprint
from dfmnist.media.video import frames_at, read_frames, resize_frames, write_video

SIDE_PX = 128


def copies(frames: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """The hashes of a clip, of its copies by name, and of its beginning alone."""
    cut = SIDE_PX * 3 // 64
    changed = {
        "itself": (frames, 18),
        "c23": (frames, 23),
        "c40": (frames, 40),
        "smaller": (resize_frames(frames, (SIDE_PX * 3 // 4, SIDE_PX * 3 // 4)), 23),
        "cut": (frames[:, cut:-cut, cut:-cut], 23),
        "mirrored": (frames[:, :, ::-1], 23),
    }
    found = {}
    for name, (pictures, crf) in changed.items():
        path = folder / "copy.mp4"
        write_video(path, np.ascontiguousarray(pictures), Fraction(25), crf=crf)
        found[name] = fingerprint(path)
    return found


def assert_told_apart(people: dict[str, dict[str, np.ndarray]]) -> None:
    names = list(people)
    for name in names:
        own = people[name]
        for kind, copy in own.items():
            assert distance(own["itself"][None], copy[None])[0, 0] <= NEAR, (name, kind)
    every = np.stack([people[name]["itself"] for name in names])
    apart = distance(every, every)[np.triu_indices(len(names), 1)]
    assert apart.min() > 2 * NEAR, apart.min()


@pytest.mark.soak
def test_actors(tmp_path: Path) -> None:
    people = {}
    for seed in range(300_000, 300_012):
        job = FilmJob(seed, Action.TALK, 1, 8, tmp_path / f"{seed}.mp4", SIDE_PX)
        people[str(seed)] = copies(read_frames(film(job)), tmp_path)
    assert_told_apart(people)


@pytest.mark.soak
def test_real_clips(shared: Path, tmp_path: Path) -> None:
    people = {}
    for path in sorted((shared / "data/faces/video").glob("*.mp4")):
        frames = frames_at(path, range(0, 50, 2), (SIDE_PX, SIDE_PX))
        people[path.stem] = copies(frames, tmp_path)
    assert len(people) == 6
    assert_told_apart(people)
