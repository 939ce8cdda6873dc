"""Rates are counts first, and nothing passed reads "0 of n"."""

import math

import pytest

from dfmnist.core.actions import Action
from dfmnist.stats.pad import Rate, apcer, bpcer, spoof_rate_table, spoof_rates


def test_apcer_counts_attacks_taken_for_live_and_bpcer_the_reverse() -> None:
    verdicts = [True, False, False, True, False]
    assert (apcer(verdicts).count, apcer(verdicts).total) == (2, 5)
    assert (bpcer(verdicts).count, bpcer(verdicts).total) == (3, 5)
    assert apcer(verdicts).share == pytest.approx(0.4)


def test_rate_reads_as_counts() -> None:
    assert str(Rate(0, 7)) == "0 of 7"
    assert str(Rate(3, 8)) == "3 of 8 (37.5%)"
    assert str(Rate(0, 0)) == "no attempts"
    assert math.isnan(Rate(0, 0).share)
    with pytest.raises(ValueError, match="5 of 4"):
        Rate(5, 4)


def test_spoof_rate_counts_all_attempts_of_each_action() -> None:
    attempts = [(Action.YAW, True), (Action.YAW, False), (Action.YAW, False), (Action.BLINK, False)]
    rates = spoof_rates(attempts)
    assert list(rates)[:2] == [Action.BLINK, Action.OPEN_MOUTH]
    assert rates[Action.YAW] == Rate(1, 3)
    assert rates[Action.BLINK] == Rate(0, 1)
    assert rates[Action.SMILE].total == 0
    table = spoof_rate_table(rates)
    assert "| blink | 0 of 1 |" in table
    assert "| yaw | 1 of 3 (33.3%) |" in table
    assert "| smile | no attempts |" in table
    assert "| all | 1 of 4 (25.0%) |" in table
