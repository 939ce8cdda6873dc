"""Plan of the detector's corpus: who is filmed, in which split, doing what, faked how."""

from collections import Counter
from pathlib import Path

import pytest

from dfmnist.actors.seeds import SEED_RANGES
from dfmnist.core.actions import TEN, Action
from dfmnist.core.errors import InputError
from dfmnist.pipeline.config import CorpusConfig
from dfmnist.pipeline.detector_corpus import plan_groups


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
