"""Copies of clips with faces are found, and clips of different people are told apart."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfmnist.actors.film import FilmJob, film
from dfmnist.core.actions import Action
from dfmnist.dataset import fingerprint as fingerprints
from dfmnist.dataset.fingerprint import (
    FRAMES,
    NEAR,
    distance,
    fingerprint,
    first_frames,
    hashes_in,
    hashes_of,
    text_of,
)
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


def test_the_frames_lie_in_the_middle_of_equal_parts_of_the_first_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []

    def frames(path: Path, indices: Any, size: tuple[int, int], **_: Any) -> np.ndarray:
        asked.append([int(i) for i in indices])
        return np.zeros((len(indices), size[1], size[0], 3), np.uint8)

    monkeypatch.setattr(fingerprints, "frames_at", frames)
    monkeypatch.setattr(fingerprints, "WINDOW_S", 2)
    clip = np.zeros((60, 16, 16, 3), np.uint8)
    for count, length in ((60, 50), (20, 20)):  # 2.4 s, of which 2 s count; 0.8 s
        write_video(tmp_path / "a.mp4", clip[:count], Fraction(25), crf=40)
        fingerprint(tmp_path / "a.mp4")
        part = length / FRAMES
        assert asked.pop() == [int((i + 0.5) * part) for i in range(FRAMES)]


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


def test_frames_in_memory_have_the_hash_of_their_file(tmp_path: Path) -> None:
    shade = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3), np.uint8)
    frames = shade.repeat(15, 0).repeat(16, 1).repeat(16, 2)  # 60 frames, 4 pictures
    path = tmp_path / "clip.mp4"
    write_video(path, frames, Fraction(25), crf=10)
    text = text_of(hashes_of(first_frames(frames, Fraction(25))))
    assert distance(hashes_in(text)[None], fingerprint(path)[None])[0, 0] < 0.01
    other = text_of(hashes_of(first_frames(frames[::-1], Fraction(25))))
    assert distance(hashes_in(other)[None], fingerprint(path)[None])[0, 0] > NEAR
    assert not hashes_in("").any()
    assert hashes_in("").shape == hashes_in(text).shape
