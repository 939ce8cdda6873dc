"""Small classifier, cross-validated by identity, and its AUC with an interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfmnist.stats.intervals import Estimate, draw_identities, interval

FOLDS = 5
"""Number of folds, if both classes have as many groups."""
_DRAWS = 300
"""Number of bootstrap draws for an interval."""
_TREES = 40
_MAX_FIT = 6000
"""Most training rows for a fold; more would take minutes and hardly change the AUC."""


@dataclass(frozen=True)
class CrossValidation:
    """Result of a cross-validated classifier of fake against real clips."""

    auc: Estimate
    """Area under the ROC curve, 0.5 at chance, with its interval over groups of clips."""
    folds: int
    """Number of folds; 0 where no feature varies, so that no classifier was needed."""
    grouped_by: str
    """Unit kept in one fold: `identity`, or `clip` if a class has too few identities. `none` if a
    class has one clip: the AUC is then that of the best single feature on the same clips."""


def cross_validate(
    features: NDArray[np.float64],
    is_fake: NDArray[np.bool_],
    identities: Sequence[str],
    clip_ids: Sequence[str],
) -> CrossValidation:
    """Measure how well a classifier separates fakes from reals on unseen clips.

    `features` is (clips, k), `is_fake` (clips,); identities and clip ids name each clip's groups.
    Features that are all constant give exactly 0.5.
    """
    groups, grouped_by = np.asarray(identities), "identity"
    if _fewest(groups, is_fake) < 2:
        groups, grouped_by = np.asarray(clip_ids), "clip"
    clips, names = len(is_fake), len(np.unique(groups))
    if features.shape[1] == 0 or (features == features[0]).all():
        return CrossValidation(Estimate(0.5, 0.5, 0.5, clips, names), 0, grouped_by)
    folds = min(FOLDS, _fewest(groups, is_fake))
    if folds < 2:
        best = max(one_feature_auc(column.tolist(), is_fake) for column in features.T)
        return CrossValidation(Estimate(best, 0.0, 1.0, clips, names), 0, "none")
    fold_of, scores = _out_of_fold(features, is_fake, groups, folds)
    auc = _mean_auc(scores, is_fake, fold_of, np.ones(clips))
    counts, index = draw_identities(groups, _DRAWS, np.random.default_rng(0))
    drawn = np.array([_mean_auc(scores, is_fake, fold_of, times[index]) for times in counts])
    return CrossValidation(interval(auc, drawn, n=clips, groups=names), folds, grouped_by)


def _fewest(groups: NDArray[np.str_], is_fake: NDArray[np.bool_]) -> int:
    """Number of groups that hold the class with fewer of them."""
    return min(len(np.unique(groups[is_fake == kind])) for kind in (False, True))


def _out_of_fold(
    features: NDArray[np.float64],
    is_fake: NDArray[np.bool_],
    groups: NDArray[np.str_],
    folds: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Fold of each clip, and its score by the trees that were trained without its group."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    fold_of = np.zeros(len(is_fake), dtype=np.int64)
    scores = np.full(len(is_fake), 0.5)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    for fold, (seen, unseen) in enumerate(splitter.split(features, is_fake, groups)):
        fold_of[unseen] = fold
        if len(np.unique(is_fake[seen])) < 2:
            continue
        if len(seen) > _MAX_FIT:
            seen = np.random.default_rng(fold).choice(seen, _MAX_FIT, replace=False)
        trees: Any = ExtraTreesClassifier(
            _TREES, min_samples_leaf=2, class_weight="balanced", random_state=0, n_jobs=1
        )
        trees.fit(features[seen], is_fake[seen])
        scores[unseen] = trees.predict_proba(features[unseen])[:, 1]
    return fold_of, scores


def _mean_auc(
    scores: NDArray[np.float64],
    is_fake: NDArray[np.bool_],
    fold_of: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> float:
    """Mean AUC of the folds, weighted by their numbers of (real, fake) pairs."""
    won = pairs = 0.0
    for fold in np.unique(fold_of):
        at = fold_of == fold
        fold_won, fold_pairs = _pairs_won(scores[at], is_fake[at], weights[at])
        won, pairs = won + fold_won, pairs + fold_pairs
    return won / pairs if pairs else 0.5


def _pairs_won(
    scores: NDArray[np.float64], is_fake: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """Weight of the (real, fake) pairs with a higher fake score (ties half), and of all pairs."""
    values, place = np.unique(scores, return_inverse=True)
    fake = np.bincount(place, weights * is_fake, len(values))
    real = np.bincount(place, weights * ~is_fake, len(values))
    below = np.cumsum(real) - real
    return float((fake * (below + real / 2)).sum()), float(fake.sum() * real.sum())


def one_feature_auc(values: Sequence[str | float], is_fake: NDArray[np.bool_]) -> float:
    """AUC of one feature by itself, 0.5 to 1 whatever its direction.

    Categories are ordered by their share of fakes, which is the best order for them.
    """
    if all(isinstance(v, float) for v in values):
        scores = np.array(values, dtype=np.float64)
    else:
        kinds = np.array([str(v) for v in values])
        _, place = np.unique(kinds, return_inverse=True)
        share = np.bincount(place, is_fake.astype(float)) / np.bincount(place)
        scores = share[place]
    won, pairs = _pairs_won(scores, is_fake, np.ones(len(scores)))
    auc = won / pairs if pairs else 0.5
    return max(auc, 1 - auc)
