"""Shortcuts of a dataset: what tells fakes from reals without the forgery, by two classifiers.

*Protocol*: frame rate, length, size, GOP, codec settings and container fields, which whoever made
the files decided. *Signal*: packet sizes, quantiser, noise, sharpness, brightness, motion.

Both are cross-validated with the clips of one identity always in one fold. The AUC is computed
within folds and averaged over their pairs of clips, so that features that never vary give
exactly 0.5. The AUC of a single feature that is text is measured on unseen clips too: a text that
is different in each file would else separate any two classes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfmnist.dataset.classify import CrossValidation, Fold, cross_validate, feature_auc, make_folds
from dfmnist.dataset.clip import Clip
from dfmnist.dataset.people import groups_of
from dfmnist.dataset.qualities import qualities_of

Facts = Mapping[str, str | float]

LIMIT = 0.6
"""AUC of the protocol from which the audit fails."""
METHOD_FILES = 100
"""Number of a method's files from which its fakes are also compared with reals by themselves."""
TEXTS = 20
"""Number of the commonest texts of a feature that the classifier sees."""
_TOLD_FIRST = (
    "fps", "num_frames", "width", "height", "codec", "encoder_settings", "key_frames",
    "frame_types", "pixel_format", "quality", "metadata", "comment_bytes", "duration",
)  # fmt: skip
"""Features named first among those that separate the classes equally well: the plainest ones."""


@dataclass(frozen=True)
class Feature:
    """One audited feature, and how well it alone separates real from fake."""

    name: str
    auc: float
    """AUC on all audited files, 0.5 to 1 whatever the direction."""
    real: str
    """Commonest value, or mean, in real clips."""
    fake: str
    """Commonest value, or mean, in fake clips."""


@dataclass(frozen=True)
class Protocol:
    """Result of the classifier that sees what the maker of the files decided."""

    worst: CrossValidation
    """Worst result among all files together, each quality and each method by itself."""
    by_quality: dict[str, CrossValidation]
    """Result for each quality by its name, and for `all`."""
    by_method: dict[str, CrossValidation]
    """Result for the fakes of each method of `METHOD_FILES` or more, where there are several."""
    varying: tuple[Feature, ...]
    """Features that vary within some quality or method, worst first."""

    @property
    def leaks(self) -> tuple[Feature, ...]:
        """Features that reach the limit alone, worst first; none where the classes are alike."""
        if self.worst.auc.value < LIMIT:
            return ()
        return tuple(feature for feature in self.varying if feature.auc >= LIMIT)


def both_labels(clips: Sequence[Clip]) -> bool:
    """Whether there are real and fake clips among `clips`."""
    return len({clip.label for clip in clips}) == 2


def audit_protocol(clips: Sequence[Clip], facts: Sequence[Facts]) -> Protocol:
    """Audit the protocol `facts` of `clips`, which have both labels."""
    by_quality = {"all": _estimate(clips, facts)}
    features: dict[str, Feature] = {}

    def measure(chosen: Sequence[int]) -> CrossValidation | None:
        part, some = [clips[i] for i in chosen], [facts[i] for i in chosen]
        if not both_labels(part):
            return None
        for feature in features_of(part, some):
            if feature.name not in features or feature.auc > features[feature.name].auc:
                features[feature.name] = feature
        return _estimate(part, some)

    for quality in sorted({clip.quality for clip in clips}):
        found = measure([i for i, clip in enumerate(clips) if clip.quality == quality])
        if found is not None:
            by_quality[quality] = found
    by_method = {}
    for method, chosen in _methods(clips):
        found = measure(chosen)
        if found is not None:
            by_method[method] = found
    features |= _missing_qualities(clips)
    every = [*by_quality.values(), *by_method.values()]
    return Protocol(
        max(every, key=lambda found: found.auc.value),
        by_quality,
        by_method,
        tuple(sorted(features.values(), key=_told_in_order)),
    )


def _methods(clips: Sequence[Clip]) -> list[tuple[str, list[int]]]:
    """Each larger method with its fakes and the reals of the same qualities, where several are."""
    files = Counter(clip.method for clip in clips if clip.label == "fake")
    if len(files) < 2:
        return []
    found = []
    for method in sorted(name for name, count in files.items() if name and count >= METHOD_FILES):
        made = {clip.quality for clip in clips if clip.method == method}
        found.append(
            (
                method,
                [
                    i
                    for i, clip in enumerate(clips)
                    if clip.method == method or (clip.label == "real" and clip.quality in made)
                ],
            )
        )
    return found


def _told_in_order(feature: Feature) -> tuple[float, int, str]:
    name = feature.name
    rank = _TOLD_FIRST.index(name) if name in _TOLD_FIRST else len(_TOLD_FIRST)
    return (-round(feature.auc, 2), rank, name)


def audit_signal(
    clips: Sequence[Clip], facts: Sequence[Facts]
) -> tuple[CrossValidation, tuple[Feature, ...]]:
    """The baseline of `clips`, which have both labels, and its features, worst first."""
    values = np.array([[float(v) for v in one.values()] for one in facts])
    estimate = cross_validate(values, is_fake(clips), groups_of(clips), [c.clip_id for c in clips])
    ranked = sorted(features_of(clips, facts), key=lambda f: (-f.auc, f.name))
    return estimate, tuple(ranked)


def _estimate(clips: Sequence[Clip], facts: Sequence[Facts]) -> CrossValidation:
    """Cross-validated AUC of `facts`, with the quality as one more fact."""
    table = [{**f, "quality": c.quality} for f, c in zip(facts, clips, strict=True)]
    return cross_validate(
        _encode(table), is_fake(clips), groups_of(clips), [c.clip_id for c in clips]
    )


def is_fake(clips: Sequence[Clip]) -> NDArray[np.bool_]:
    """Whether each clip is fake: (clips,)."""
    return np.array([clip.label == "fake" for clip in clips], dtype=np.bool_)


def _encode(table: Sequence[Facts]) -> NDArray[np.float64]:
    """Features (clips, columns): quantities as they are, the commonest texts one-hot."""
    columns = []
    for name in sorted({key for facts in table for key in facts}):
        values = [facts.get(name, "") for facts in table]
        if len(set(values)) < 2:
            continue  # a constant
        if all(isinstance(v, float) for v in values):
            columns.append(np.array(values, dtype=np.float64))
            continue
        texts = np.array([str(v) for v in values])
        counts = Counter(texts.tolist())
        common = sorted(counts, key=lambda text: (-counts[text], text))[:TEXTS]
        columns.extend((texts == text).astype(np.float64) for text in common)
    return np.stack(columns, 1) if columns else np.zeros((len(table), 0))


def features_of(clips: Sequence[Clip], table: Sequence[Facts]) -> list[Feature]:
    """Every feature that varies, with its own AUC."""
    fake, folds = is_fake(clips), _folds(clips)
    found = []
    for name in sorted({key for facts in table for key in facts}):
        values = [facts.get(name, "") for facts in table]
        if len(set(values)) > 1:
            found.append(_feature(name, values, fake, folds))
    return found


def _folds(clips: Sequence[Clip]) -> list[Fold]:
    return make_folds(is_fake(clips), groups_of(clips), [clip.clip_id for clip in clips])


def _feature(
    name: str, values: Sequence[str | float], fake: NDArray[np.bool_], folds: Sequence[Fold]
) -> Feature:
    real, made = ([v for v, f in zip(values, fake, strict=True) if f == k] for k in (0, 1))
    auc = feature_auc(values, fake, folds)
    return Feature(name, auc, _typical(real, made), _typical(made, real))


def _typical(values: Sequence[str | float], others: Sequence[str | float]) -> str:
    """Typical value of one class: a mean, or the commonest text, cut to where classes differ."""
    if all(isinstance(v, float) for v in values):
        return f"{np.mean(np.array(values, dtype=np.float64)):.6g}"
    ours, theirs = _commonest(values), _commonest(others)
    if len(ours) <= 40:
        return ours or "none"
    start = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), 0)
    start = max(0, ours.rfind(" ", 0, start) + 1)
    return f"…{ours[start : start + 32]}…"


def _commonest(values: Sequence[str | float]) -> str:
    counts = Counter(map(str, values))
    return max(sorted(counts), key=counts.__getitem__)


def _missing_qualities(clips: Sequence[Clip]) -> dict[str, Feature]:
    """Leak that no single quality shows: one class has more files of a quality than the other."""
    if len(qualities_of(clips)) < 2:
        return {}
    feature = _feature("quality", [c.quality for c in clips], is_fake(clips), _folds(clips))
    return {"quality": feature} if feature.auc >= LIMIT else {}
