"""Small classifier, cross-validated by identity, and its AUC with an interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfmnist.stats.intervals import Estimate, draw_identities, interval

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Indices of the clips that are seen, and of those that are not."""
FOLDS = 5
"""Number of folds, if both classes have as many groups."""
_DRAWS = 300
"""Number of bootstrap draws for an interval."""
_TREES = 40
_FEW_NUMBERS = 20
"""Number of different values up to which numbers are also taken as texts."""
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
    groups, grouped_by = _groups(is_fake, identities, clip_ids)
    clips, names = len(is_fake), len(np.unique(groups))
    if features.shape[1] == 0 or (features == features[0]).all():
        return CrossValidation(Estimate(0.5, 0.5, 0.5, clips, names), 0, grouped_by)
    folds = make_folds(is_fake, identities, clip_ids)
    if not folds:
        best = max(one_feature_auc(column.tolist(), is_fake) for column in features.T)
        return CrossValidation(Estimate(best, 0.0, 1.0, clips, names), 0, "none")
    fold_of, scores = _out_of_fold(features, is_fake, folds)
    auc = _mean_auc(scores, is_fake, fold_of, np.ones(clips))
    counts, index = draw_identities(groups, _DRAWS, np.random.default_rng(0))
    drawn = np.array([_mean_auc(scores, is_fake, fold_of, times[index]) for times in counts])
    return CrossValidation(interval(auc, drawn, n=clips, groups=names), len(folds), grouped_by)


def make_folds(
    is_fake: NDArray[np.bool_], identities: Sequence[str], clip_ids: Sequence[str]
) -> list[Fold]:
    """Folds of clips, an identity in one of them, or a clip where a class has one identity.

    There are none where a class has one clip.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups, _ = _groups(is_fake, identities, clip_ids)
    count = min(FOLDS, _fewest(groups, is_fake))
    if count < 2:
        return []
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=0)
    return list(splitter.split(np.zeros((len(is_fake), 1)), is_fake, groups))


def _groups(
    is_fake: NDArray[np.bool_], identities: Sequence[str], clip_ids: Sequence[str]
) -> tuple[NDArray[np.str_], str]:
    """The name of each clip's group, and what a group is."""
    groups = np.asarray(identities)
    if _fewest(groups, is_fake) < 2:
        return np.asarray(clip_ids), "clip"
    return groups, "identity"


def _fewest(groups: NDArray[np.str_], is_fake: NDArray[np.bool_]) -> int:
    """Number of groups that hold the class with fewer of them."""
    return min(len(np.unique(groups[is_fake == kind])) for kind in (False, True))


def _out_of_fold(
    features: NDArray[np.float64], is_fake: NDArray[np.bool_], folds: Sequence[Fold]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Fold of each clip, and its score by the trees that were trained without its group."""
    from sklearn.ensemble import ExtraTreesClassifier

    fold_of = np.zeros(len(is_fake), dtype=np.int64)
    scores = np.full(len(is_fake), 0.5)
    for fold, (seen, unseen) in enumerate(folds):
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

    Texts are ordered by their share of fakes, which is the best order for them: texts that are
    different in each clip give 1. `feature_auc` measures them on unseen clips.
    """
    if all(isinstance(v, float) for v in values):
        scores = np.array(values, dtype=np.float64)
    else:
        _, place = np.unique([str(v) for v in values], return_inverse=True)
        share = np.bincount(place, is_fake.astype(float)) / np.bincount(place)
        scores = share[place]
    won, pairs = _pairs_won(scores, is_fake, np.ones(len(scores)))
    auc = won / pairs if pairs else 0.5
    return max(auc, 1 - auc)


def feature_auc(
    values: Sequence[str | float], is_fake: NDArray[np.bool_], folds: Sequence[Fold]
) -> float:
    """AUC of one feature by itself, 0.5 to 1, on clips that were not seen.

    Numbers are taken in either direction, and, where there are few different ones, also as texts:
    real clips of 48 and 52 frames among fakes of 50 are known by their length. Texts are ordered by
    their share of fakes in the other folds. Without folds the AUC is that of `one_feature_auc`.
    """
    numbers = all(isinstance(v, float) for v in values)
    if numbers or not folds:
        straight = one_feature_auc(values, is_fake)
    else:
        straight = 0.5
    kinds, place = np.unique([str(v) for v in values], return_inverse=True)
    if not folds or (numbers and len(kinds) > _FEW_NUMBERS):
        return straight
    fold_of, scores = np.zeros(len(is_fake), dtype=np.int64), np.full(len(is_fake), 0.5)
    for fold, (seen, unseen) in enumerate(folds):
        fold_of[unseen] = fold
        total = np.bincount(place[seen], minlength=len(kinds))
        fakes = np.bincount(place[seen], is_fake[seen].astype(float), len(kinds))
        scores[unseen] = ((fakes + is_fake[seen].mean()) / (total + 1))[place[unseen]]
    return max(straight, _mean_auc(scores, is_fake, fold_of, np.ones(len(is_fake))))
