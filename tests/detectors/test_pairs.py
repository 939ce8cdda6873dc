"""Fakes are paired with real clips of the same person and action."""

from pathlib import Path

import pytest

from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.data import Sample
from dfmnist.detectors.pairs import counterparts, training_units


def sample(name: str, fake: bool, action: str, identity: str) -> Sample:
    return Sample(name, fake, (Path(f"{name}.mp4"),), 2, action, identity)


ANN = [
    sample("f0", True, "blink", "ann"),
    sample("f1", True, "yaw", "ann"),
    sample("f2", True, "yaw", "ann"),
    sample("r0", False, "blink", "ann"),
    sample("r1", False, "yaw", "ann"),
    sample("r2", False, "yaw", "ann"),
    sample("r3", False, "yaw", "bob"),
]


def test_the_counterpart_is_the_same_person_doing_the_same_in_turn() -> None:
    assert counterparts(ANN) == [(0, 3), (1, 4), (2, 5)]


def test_talking_serves_where_the_action_is_missing_and_nobody_else_does() -> None:
    samples = [
        sample("f0", True, "nod", "ann"),
        sample("f1", True, "nod", "bob"),
        sample("f2", True, "nod", "eve"),
        sample("r0", False, "yaw", "ann"),
        sample("r1", False, "talk", "ann"),
        sample("r2", False, "yaw", "bob"),
    ]
    assert counterparts(samples) == [(0, 4), (1, 5)]


def test_auto_pairs_where_nearly_all_fakes_have_a_counterpart() -> None:
    assert training_units(ANN, TrainConfig()) == [(0, 3), (1, 4), (2, 5)]
    nine = [sample(f"{fake}{i}", fake, "yaw", f"p{i}") for i in range(9) for fake in (True, False)]
    assert len(training_units([*nine, sample("f9", True, "nod", "eve")], TrainConfig())) == 9
    alone = [*ANN[:6], sample("f9", True, "nod", "eve")]
    assert training_units(alone, TrainConfig()) == [(i,) for i in range(7)]


@pytest.mark.parametrize(
    "changes", [{"pairing": "none"}, {"fakes": 0.5}, {"reals": 0.1}, {"balance": "loss"}]
)
def test_single_clips_where_pairs_would_change_the_proportions(changes: dict[str, object]) -> None:
    config = TrainConfig(**changes)  # type: ignore[arg-type]
    assert training_units(ANN, config) == [(i,) for i in range(len(ANN))]
