"""Temperature and threshold of a detector, fitted on the validation split and kept with it.

The temperature (Guo et al., arXiv:1706.04599) divides all logits and minimises the validation
loss, so that P(fake) is close to the share of fakes. It does not change the order of scores.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit

from dfmnist.core.arrays import Floats

_LOG_RANGE = (-3.0, 3.0)
"""Range of the natural logarithm of the temperature: temperatures from 0.05 to 20."""


@dataclass(frozen=True)
class Calibration:
    """The step from raw logits to P(fake) and a verdict; the default changes nothing."""

    temperature: float = 1.0
    """The divisor of raw logits."""
    threshold: float = 0.5
    """The calibrated P(fake) from which on a frame or clip is called fake."""

    def logits(self, raw: Floats) -> Floats:
        """Calibrated logits (n,); P(fake) is their sigmoid."""
        result: Floats = np.asarray(raw, np.float64) / self.temperature
        return result

    @property
    def threshold_logit(self) -> float:
        """The threshold as a calibrated logit."""
        return float(np.log(self.threshold) - np.log1p(-self.threshold))


def fit_calibration(fake: NDArray[np.bool_], raw_logits: Floats) -> Calibration:
    """The temperature of the smallest log loss and the threshold of the best balanced accuracy.

    `fake` (n,) and the finite `raw_logits` (n,) belong to validation frames of both classes. A
    threshold lies halfway between two scores; of equally good ones the nearest to P(fake) = 0.5
    is taken. A model that no threshold makes better than chance keeps 0.5. Raises `ValueError`
    for one class only or a logit that is not finite.
    """
    if fake.all() or not fake.any() or not np.isfinite(raw_logits).all():
        raise ValueError("calibration needs finite logits of both classes")
    sign = np.where(fake, 1.0, -1.0)

    def loss(log_temperature: float) -> float:
        margins = sign * raw_logits * np.exp(-log_temperature)
        return float(np.logaddexp(0.0, -margins).mean())

    found = minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded")
    temperature = float(np.exp(found.x))
    return Calibration(temperature, _threshold(fake, raw_logits / temperature))


def _threshold(fake: NDArray[np.bool_], logits: Floats) -> float:
    order = np.argsort(logits, kind="stable")
    ordered, truth = logits[order], fake[order]
    starts = np.flatnonzero(np.diff(ordered) > 0) + 1  # all scores from here on are called fake
    hits = 1 - np.cumsum(truth)[starts - 1] / truth.sum()
    passes = np.cumsum(~truth)[starts - 1] / (~truth).sum()
    balanced = (hits + passes) / 2
    if not len(starts) or balanced.max() <= 0.5:
        return 0.5
    middles = (ordered[starts - 1] + ordered[starts]) / 2
    best = middles[balanced >= balanced.max() - 1e-12]
    p = expit(best[np.abs(best).argmin()])
    return float(np.clip(p, 1e-6, 1 - 1e-6))
