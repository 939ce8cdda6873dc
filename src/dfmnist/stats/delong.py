"""DeLong's test of two detectors on the same samples, in the fast form of Sun and Xu.

DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988); Sun and Xu, IEEE Signal Processing
Letters 21 (2014), doi:10.1109/LSP.2014.2337313. The test assumes independent samples; clips of
one person are not, so `detectors.compare` gives an interval over identities beside it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import rankdata

from dfmnist.core.arrays import Bools, Floats


@dataclass(frozen=True)
class DeLong:
    """Two areas under the ROC curve and their difference, a minus b."""

    auc_a: float
    auc_b: float
    standard_error: float
    """Standard error of the difference; NaN with fewer than two samples of a class."""
    p_value: float
    """Two-sided p-value of no difference; NaN if the standard error is NaN."""

    @property
    def difference(self) -> float:
        """AUC of a minus AUC of b."""
        return self.auc_a - self.auc_b


def delong(labels: Bools, a: Floats, b: Floats) -> DeLong:
    """Test whether two detectors have the same area under the ROC curve.

    `labels` (n,) is True for fake; `a` and `b` (n,) are the detectors' scores, higher for fake.
    All results are NaN with one class only. Without any variance (both perfect, for example) the
    p-value is 1 if the areas are equal, else 0.
    """
    fakes, reals = int(labels.sum()), int((~labels).sum())
    if not fakes or not reals:
        return DeLong(np.nan, np.nan, np.nan, np.nan)
    parts = [_components(labels, scores) for scores in (a, b)]
    auc_a, auc_b = (float(of_fakes.mean()) for of_fakes, _ in parts)
    if fakes < 2 or reals < 2:
        return DeLong(auc_a, auc_b, np.nan, np.nan)
    by_fake, by_real = (x - y for x, y in zip(*parts, strict=True))
    error = float(np.sqrt(by_fake.var(ddof=1) / fakes + by_real.var(ddof=1) / reals))
    difference = abs(auc_a - auc_b)
    if error < 1e-12:  # rounding of components that are all alike
        return DeLong(auc_a, auc_b, 0.0, float(difference < 1e-12))
    return DeLong(auc_a, auc_b, error, float(2 * ndtr(-difference / error)))


def _components(labels: Bools, scores: Floats) -> tuple[Floats, Floats]:
    """Share of the reals that each fake beats, and share of the fakes that beat each real.

    A tie counts half. Computed from midranks among all samples and among the sample's own class,
    in O(n log n).
    """
    among_all = rankdata(scores)
    of_fakes = among_all[labels] - rankdata(scores[labels])
    of_reals = among_all[~labels] - rankdata(scores[~labels])
    return of_fakes / (~labels).sum(), 1 - of_reals / labels.sum()
