"""The error rates of ISO/IEC 30107-3 on counts worked out by hand."""

import math

import numpy as np
import pytest

from dfmnist.stats.intervals import Rate, wilson
from dfmnist.stats.pad import PadScores, acer, apcer, bpcer, det_curve, pad_rates


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


def presented(rows: list[tuple[str, str, bool | None, float]]) -> PadScores:
    """Scores from (species, person, live or None for a non-response, score)."""
    species, people, live, scores = zip(*rows, strict=True)
    return PadScores(
        np.array(species),
        np.array(people),
        np.array([answer is not None for answer in live]),
        np.array([bool(answer) for answer in live]),
        np.array(scores, np.float64),
    )


MIXED = presented(
    [("", f"p{i % 5}", i != 0, 0.5 + i / 100) for i in range(20)]
    + [("", "p0", None, 0.0)]
    + [("print", f"p{i % 5}", i < 3, i / 20) for i in range(10)]
    + [("replay", f"p{i % 5}", i < 6, 0.6) for i in range(8)]
    + [("replay", "p1", None, 0.0)] * 2
    + [("mask", "p2", None, 0.0)]
)


def test_rates_are_those_of_the_standard() -> None:
    rates = pad_rates(MIXED, draws=200)
    found = {name: rate and (rate.value, rate.n, rate.groups) for name, rate in rates.apcer.items()}
    assert found == {"mask": None, "print": (0.3, 10, 5), "replay": (0.75, 8, 5)}
    assert rates.max_apcer is not None
    assert rates.max_apcer.value == 0.75
    assert rates.bpcer is not None
    assert (rates.bpcer.value, rates.bpcer.n) == (0.05, 20)  # a non-response is no rejection
    assert rates.acer is not None
    assert rates.acer.value == pytest.approx(0.4)
    assert {k: v and (v.value, v.n) for k, v in rates.apnrr.items()} == {
        "mask": (1.0, 1), "print": (0.0, 10), "replay": (0.2, 10),
    }  # fmt: skip
    assert rates.bpnrr is not None
    assert rates.bpnrr.value == pytest.approx(1 / 21)


def test_apcer_is_read_off_where_few_bona_fide_are_rejected() -> None:
    rates = pad_rates(MIXED, draws=200)
    strict, loose = (rates.apcer_at_bpcer[limit] for limit in (0.01, 0.05))
    assert strict is not None
    assert loose is not None
    assert strict.value == 1.0  # no bona fide below 0.5: every replay has 0.6
    assert loose.value == 1.0
    higher = presented(
        [("", f"p{i}", True, 0.5 + i / 100) for i in range(20)]
        + [("print", f"p{i}", False, 0.495 + i / 100) for i in range(10)]
    )
    at = pad_rates(higher, draws=200).apcer_at_bpcer
    assert at[0.01] is not None
    assert at[0.01].value == pytest.approx(0.9)  # from 0.50 on: 0 of 20 rejected
    assert at[0.05] is not None
    assert at[0.05].value == pytest.approx(0.8)  # from 0.51 on: 1 of 20 rejected


def test_intervals_are_over_people_and_hold_the_value() -> None:
    one_wrong = presented(
        [("", f"p{i % 4}", i % 4 != 0, 0.0) for i in range(400)] + [("print", "p0", False, 0.0)]
    )
    rates = pad_rates(one_wrong)
    assert rates.bpcer is not None
    assert (rates.bpcer.value, rates.bpcer.groups) == (0.25, 4)
    assert rates.bpcer.low == 0  # one of four people: 400 clips are not 400 trials
    assert rates.bpcer.high >= 0.7
    assert rates.max_apcer is not None
    assert rates.max_apcer.value == 0
    assert rates.max_apcer.high == pytest.approx(wilson(0, 1).high)  # type: ignore[union-attr]
    for rate in (rates.acer, rates.bpcer, rates.apcer_at_bpcer[0.05]):
        assert rate is not None
        assert rate.low <= rate.value <= rate.high


def test_acer_of_rates_that_never_vary_has_the_width_of_both() -> None:
    rates = pad_rates(
        presented(
            [("", f"p{i % 4}", True, 1.0) for i in range(40)]
            + [("print", f"p{i % 4}", True, 1.0) for i in range(40)]
        )
    )
    assert rates.acer is not None
    assert rates.acer.value == 0.5
    none = wilson(0, 4)
    assert none is not None
    assert rates.acer.high == pytest.approx((1 + none.high) / 2)
    assert rates.acer.low == pytest.approx((1 - none.high) / 2)


def test_without_one_class_there_is_no_rate_and_no_curve() -> None:
    genuine = presented([("", "p", True, 1.0)])
    assert pad_rates(genuine).acer is None
    assert pad_rates(genuine).max_apcer is None
    assert pad_rates(genuine).apcer_at_bpcer == {0.01: None, 0.05: None}
    assert det_curve(genuine) is None
    assert det_curve(presented([("print", "p", True, 1.0)])) is None


def test_the_det_curve_goes_from_all_accepted_to_all_rejected() -> None:
    curve = det_curve(MIXED)
    assert curve is not None
    assert (curve.bpcer[0], curve.max_apcer[0]) == (0, 1)
    assert (curve.bpcer[-1], curve.max_apcer[-1]) == (1, 0)
    assert (np.diff(curve.bpcer) >= 0).all()
    assert (np.diff(curve.max_apcer) <= 0).all()
    at = int(np.searchsorted(curve.thresholds, 0.55))
    assert curve.bpcer[at] == pytest.approx(0.25)
    assert curve.apcer["print"][at] == 0
    assert curve.apcer["replay"][at] == 1
