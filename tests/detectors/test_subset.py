"""Parts of the training split: sizes, equal actions, nesting."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from dfmnist.core.errors import InputError
from dfmnist.detectors.config import TrainConfig
from dfmnist.detectors.data import Sample
from dfmnist.detectors.subset import training_part

ACTIONS = ("blink", "nod", "smile", "yaw")
PLAIN = TrainConfig()


def samples(per_action: int = 25) -> list[Sample]:
    """100 fakes and 100 reals, named apart from their order."""
    made = []
    for fake in (False, True):
        for action in ACTIONS:
            for i in range(per_action):
                clip_id = f"{action}-{i}-{'fake' if fake else 'real'}"
                made.append(Sample(clip_id, fake, (Path(clip_id),), 4, action, "ann"))
    return made


def test_everything_is_kept_by_default() -> None:
    assert training_part(samples(), PLAIN) == sorted(samples(), key=lambda s: s.clip_id)


@pytest.mark.parametrize("share", [0.5, 0.3, 0.1, 0.04])
def test_a_share_is_equal_in_classes_and_actions(share: float) -> None:
    kept = training_part(samples(), replace(PLAIN, corpus=share))
    assert len(kept) == round(200 * share)
    counts = Counter((s.fake, s.action) for s in kept)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert sum(s.fake for s in kept) == len(kept) // 2


def test_smaller_parts_lie_within_larger_ones_and_another_seed_draws_others() -> None:
    parts = [
        {s.clip_id for s in training_part(samples(), replace(PLAIN, corpus=c))}
        for c in (1.0, 0.5, 0.3, 0.1, 0.05)
    ]
    assert all(small < large for large, small in pairwise(parts))
    other = training_part(samples(), replace(PLAIN, corpus=0.1, seed=1))
    assert {s.clip_id for s in other} != parts[3]
    for fake in (False, True):
        assert {s.clip_id for s in other if s.fake is fake} - parts[3]


def test_proportions_reduce_one_class_alone() -> None:
    kept = training_part(samples(), replace(PLAIN, fakes=0.1))
    assert Counter(s.fake for s in kept) == {False: 100, True: 10}
    kept = training_part(samples(), replace(PLAIN, reals=0.25, corpus=0.4))
    assert Counter(s.fake for s in kept) == {False: 10, True: 40}


def test_one_action_comes_with_as_many_reals_of_all() -> None:
    kept = training_part(samples(), replace(PLAIN, actions=("smile",)))
    assert Counter(s.action for s in kept if s.fake) == {"smile": 25}
    reals = Counter(s.action for s in kept if not s.fake)
    assert sum(reals.values()) == 25
    assert set(reals) == set(ACTIONS)


def test_what_leaves_nothing_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"^actions surprise: no fake training clip; expected one of"
    ):
        training_part(samples(), replace(PLAIN, actions=("surprise",)))
    with pytest.raises(InputError, match=r"reals 0\.001: no real clip of 100 is left"):
        training_part(samples(), replace(PLAIN, reals=0.001))
