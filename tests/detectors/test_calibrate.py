"""Temperature and threshold on small validation sets with known answers."""

import numpy as np
import pytest
from scipy.special import expit

from dfmnist.detectors.calibrate import Calibration, fit_calibration


def test_the_temperature_that_made_the_labels_is_found() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(0, 2, 20_000)
    fake = rng.random(20_000) < expit(true)
    found = fit_calibration(fake, 3 * true)
    assert found.temperature == pytest.approx(3, rel=0.05)
    assert found.threshold == pytest.approx(0.5, abs=0.05)


def test_a_shifted_detector_gets_a_shifted_threshold() -> None:
    logits = np.array([-1.0, 1.0, 2.0, 3.0, 5.0, 6.0])
    fake = np.array([False, False, False, False, True, True])
    found = fit_calibration(fake, logits)
    assert found.threshold_logit == pytest.approx(4 / found.temperature)
    called = found.logits(logits) >= found.threshold_logit
    np.testing.assert_array_equal(called, fake)


def test_ties_take_the_threshold_nearest_to_one_half() -> None:
    logits = np.array([-4.0, -2.0, 3.0, 4.0])
    fake = np.array([True, False, True, False])  # from -2 up or from 3 up: neither is better
    found = fit_calibration(fake, logits)
    assert found.threshold == 0.5


def test_a_detector_that_says_nothing_keeps_one_half() -> None:
    fake = np.array([True, False, True, False])
    assert fit_calibration(fake, np.zeros(4)).threshold == 0.5
    assert fit_calibration(fake, np.array([-2.0, 2.0, -1.0, 1.0])).threshold == 0.5


def test_one_class_or_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="both classes"):
        fit_calibration(np.array([True, True]), np.zeros(2))
    with pytest.raises(ValueError, match="finite"):
        fit_calibration(np.array([True, False]), np.array([0.0, np.nan]))


def test_the_default_changes_nothing() -> None:
    np.testing.assert_array_equal(Calibration().logits(np.array([-3.0, 4.0])), [-3.0, 4.0])
    assert Calibration().threshold_logit == 0
