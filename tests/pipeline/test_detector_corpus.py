"""Plan of the detector's corpus: who is filmed, in which split, doing what, faked how."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dfmnist.actors.seeds import SEED_RANGES
from dfmnist.core.actions import TEN, Action
from dfmnist.core.errors import InputError
from dfmnist.dataset.provenance import read_provenance
from dfmnist.media.video import read_comment, read_frames
from dfmnist.pipeline import detector_corpus
from dfmnist.pipeline.config import CorpusConfig
from dfmnist.pipeline.detector_corpus import PERFORMANCE_FRAMES, GroupJob, make_fake, plan_groups


def test_every_actor_is_in_one_group_of_one_split() -> None:
    jobs = plan_groups(CorpusConfig(people=(12, 4, 8)), Path("corpus"))
    assert Counter(job.split for job in jobs) == {"train": 3, "validation": 1, "test": 2}
    people = [person for job in jobs for person in job.people]
    assert len(people) == len(set(people)) == 24
    assert set(people) <= set(SEED_RANGES["detector"])
    assert len({job.record for job in jobs}) == len(jobs)


def test_actions_and_talking_take_turns() -> None:
    jobs = plan_groups(CorpusConfig(people=(44, 4, 4), takes=3), Path("corpus"))
    shown = Counter(action for job in jobs[:11] for action in job.actions)
    assert shown == dict.fromkeys((*TEN, Action.TALK), 3)


def test_makers_are_drawn_by_their_shares() -> None:
    config = CorpusConfig(people=(400, 4, 4), makers=("fomm=0.7", "mesh-warp=0.3"))
    jobs = plan_groups(config, Path("corpus"))
    drawn = Counter(
        job._maker(person, action)
        for job in jobs
        for person in job.people
        for action in job.actions
    )
    assert drawn["fomm"] / drawn.total() == pytest.approx(0.7, abs=0.04)


def test_people_who_fill_no_groups_and_seeds_of_another_purpose_are_refused() -> None:
    with pytest.raises(InputError, match="multiples"):
        CorpusConfig(people=(10, 4, 4))
    with pytest.raises(InputError, match="makers: 'fomm'; expected NAME=SHARE"):
        CorpusConfig(makers=("fomm",))
    with pytest.raises(InputError, match="belongs to dataset"):
        plan_groups(CorpusConfig(people=(4, 4, 4), first_person=300_000), Path("corpus"))
    with pytest.raises(InputError, match=r"makers: 'fomm=1\.5'; expected NAME=SHARE"):
        CorpusConfig(makers=("fomm=1.5",))
    with pytest.raises(InputError, match="multiples of 2 or more"):
        CorpusConfig(people=(4, 4, 4), group=1)
    assert len(plan_groups(CorpusConfig(people=(4, 4, 4), group=2), Path("corpus"))) == 6


SIDE_PX = 64


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[int]]]:
    """Actors are grey pictures; the person and the frames of each rendering. 3 has no face."""
    rendered: list[tuple[int, list[int]]] = []

    def render(person: int, performance: Any, indices: list[int]) -> np.ndarray:
        rendered.append((person, indices))
        levels = [40 + 20 * (person % 10) + (i > 0) for i in indices]
        return np.full((len(indices), SIDE_PX, SIDE_PX, 3), 0, np.uint8) + np.uint8(
            np.array(levels)[:, None, None, None]
        )

    def crop(frames: np.ndarray, _: Any) -> tuple[np.ndarray | None, str]:
        return (None, "no face") if frames[0, 0, 0, 0] == 40 + 20 * 3 else (frames, "")

    def fake(maker: str, source: np.ndarray, driving: np.ndarray) -> tuple[np.ndarray, str]:
        assert source.shape == (SIDE_PX, SIDE_PX, 3)
        assert len(driving) == 1 + 10
        return np.stack([source + np.uint8(driving[0, 0, 0, 0] // 10)] * len(driving)), f"{maker}@0"

    monkeypatch.setattr(detector_corpus, "_renderer", lambda: SimpleNamespace(render=render))
    monkeypatch.setattr(detector_corpus, "sample_identity", lambda seed: seed)
    monkeypatch.setattr(detector_corpus, "mtcnn", lambda: None)
    monkeypatch.setattr(detector_corpus, "crop_clip", crop)
    monkeypatch.setattr(detector_corpus, "make_fake", fake)
    return rendered


def test_a_group_drives_one_another_and_is_made_once(
    stage: list[tuple[int, list[int]]], tmp_path: Path
) -> None:
    config = CorpusConfig(people=(4, 0, 0), makers=("mesh-warp=1",), noise_sigma=0.0, takes=1)
    people = (500_000, 500_001, 500_002, 500_003)
    job = GroupJob(tmp_path, config, people, (Action.NOD,), "train")
    clips = job.run()
    assert [person for person, _ in stage] == list(people)
    for _, indices in stage:
        assert indices[0] == 0  # the fake's source; the clip is a window of the performance
        assert indices[1] >= 1
        assert indices[1:] == list(range(indices[1], indices[1] + 10))
        assert indices[-1] < PERFORMANCE_FRAMES
    assert len({indices[1] for _, indices in stage}) > 1
    raw = [clip for clip in clips if clip.quality == "raw"]
    names = [(c.label, c.source, c.driver, c.generator, c.identities) for c in raw]
    # 500003 shows no face: neither that clip nor the one it drives is there
    assert names == [
        ("real", "a500000", "", "", ("a500000",)),
        ("fake", "a500000", "a500001", "mesh-warp@0", ("a500000", "a500001")),
        ("real", "a500001", "", "", ("a500001",)),
        ("fake", "a500001", "a500002", "mesh-warp@0", ("a500001", "a500002")),
    ]
    assert {clip.quality for clip in clips} == {"raw", "c23", "c40"}
    for clip in raw:
        frames = read_frames(tmp_path / clip.file_name)
        level = 41 if clip.source == "a500000" else 61  # the first frame is in no clip
        level += -1 + (6 if clip.source == "a500000" else 8) if clip.label == "fake" else 0
        assert len(frames) == clip.num_frames == 10
        assert abs(float(frames.mean()) - level) < 2
        found = read_provenance(read_comment(tmp_path / clip.file_name))
        assert found is not None
        assert found[0] == clip.label
        assert clip.source in found[1]
    stage.clear()
    assert job.run() == clips
    assert stage == []


def test_each_way_to_make_a_fake_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    source, driving = np.zeros((8, 8, 3), np.uint8), np.ones((2, 8, 8, 3), np.uint8)
    model = SimpleNamespace(
        encode=lambda picture: ("encoded", picture.shape),
        keypoints=lambda frames: ("keypoints", frames.shape),
        animate=lambda *given: given,
    )
    monkeypatch.setattr(detector_corpus, "mesh_warp", lambda a, b: (a.shape, b.shape))
    monkeypatch.setattr(detector_corpus, "track_face", len)
    monkeypatch.setattr(detector_corpus, "affine_warp", lambda a, one, many: (a.shape, one, many))
    monkeypatch.setattr(detector_corpus, "animator", lambda weights: model)
    monkeypatch.setattr(detector_corpus, "weights_id", lambda weights: f"fomm {weights}")
    assert make_fake("mesh-warp", source, driving) == (((8, 8, 3), (2, 8, 8, 3)), "mesh-warp")
    assert make_fake("affine-warp", source, driving) == (((8, 8, 3), 1, 2), "affine-warp")
    moved = (("encoded", (8, 8, 3)), ("keypoints", (2, 8, 8, 3)))
    assert make_fake("fomm", source, driving) == (moved, "fomm None")
    assert make_fake("own.pth", source, driving) == (moved, "fomm own.pth")
