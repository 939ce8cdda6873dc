"""APCER, BPCER and ACER on counts worked out by hand."""

import math

import pytest

from dfmnist.stats.intervals import Rate
from dfmnist.stats.pad import acer, apcer, bpcer


def test_apcer_counts_attacks_classified_as_bona_fide() -> None:
    """Five attacks, two of them accepted: 2/5."""
    assert apcer([True, False, False, True, False]) == Rate(2, 5)
    assert apcer([False] * 7) == Rate(0, 7)


def test_bpcer_counts_bona_fide_classified_as_attacks() -> None:
    """Five bona fide presentations, two of them accepted, so three rejected: 3/5."""
    assert bpcer([True, False, False, True, False]) == Rate(3, 5)
    assert bpcer([True] * 7) == Rate(0, 7)


def test_acer_takes_the_worst_species() -> None:
    """Photos accepted in 1 of 10, masks in 3 of 5; 1 of 4 bona fide rejected: (0.6 + 0.25) / 2."""
    photos, masks = Rate(1, 10), Rate(3, 5)
    assert acer([photos, masks], bpcer=Rate(1, 4)) == pytest.approx(0.425)
    assert acer([photos], bpcer=Rate(0, 4)) == pytest.approx(0.05)


def test_acer_is_not_defined_where_something_is_missing() -> None:
    assert math.isnan(acer([], bpcer=Rate(0, 4)))
    assert math.isnan(acer([Rate(1, 10), Rate(0, 0)], bpcer=Rate(0, 4)))
    assert math.isnan(acer([Rate(1, 10)], bpcer=Rate(0, 0)))
