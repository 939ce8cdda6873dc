"""Ranges of identity seeds never overlap, and a seed in the wrong one is refused."""

import itertools

import pytest

from dfmnist.actors.seeds import SEED_RANGES, check_range
from dfmnist.core.errors import InputError


def test_no_two_ranges_share_a_seed() -> None:
    for a, b in itertools.combinations(SEED_RANGES.values(), 2):
        assert a.stop <= b.start or b.stop <= a.start


def test_a_seed_in_its_range_passes() -> None:
    for purpose, seeds in SEED_RANGES.items():
        check_range(purpose, [seeds.start, seeds.stop - 1])


def test_a_seed_of_another_purpose_is_refused_and_both_are_named() -> None:
    with pytest.raises(InputError, match=r"100000 belongs to drivers.*for animator"):
        check_range("animator", [5, 100_000])


def test_an_unknown_purpose_is_refused() -> None:
    with pytest.raises(InputError, match="unknown purpose 'fun'"):
        check_range("fun", [1])


def test_the_range_that_was_expected_is_named() -> None:
    with pytest.raises(InputError, match="expected 0 to 99999"):
        check_range("animator", [300_000])
