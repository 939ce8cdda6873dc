"""Audit of a dataset: two classifiers test whether anything but the forgery gives fakes away.

*Protocol*: frame rate, length, size, GOP, codec settings and container fields, which whoever made
the files decided. It must stay at chance: an AUC of 0.6 fails the dataset. *Signal*: packet
sizes, quantiser, noise, sharpness, brightness, motion. It cannot fail, since it is partly the
forgery itself; it is the baseline that every detector must beat.

Both are cross-validated with the clips of one identity always in one fold. The AUC is computed
within folds and averaged over their pairs of clips, so that features that never vary give
exactly 0.5.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from dfmnist.core.config import plain
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.core.jobs import run_jobs
from dfmnist.core.records import first_problem
from dfmnist.dataset.classify import CrossValidation, cross_validate, one_feature_auc
from dfmnist.dataset.manifest import Clip, Manifest, read_manifest
from dfmnist.dataset.people import groups_of
from dfmnist.media.inspect import protocol_facts, signal_facts

Facts = Mapping[str, str | float]

AUDIT = "audit.json"
LIMIT = 0.6
"""AUC of the protocol from which the audit fails."""
SIGNAL_CLIPS = 400
"""Number of clips decoded of each quality, enough for a narrow interval of the baseline."""
_POOL_FROM = 200
"""Number of files from which it pays to start several processes."""


class AuditError(InputError):
    """Failed audit: the protocol separates real from fake. The message lists the leaks."""


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
class AuditReport:
    """Result of an audit."""

    passed: bool
    limit: float
    files: int
    protocol: CrossValidation
    """Worst result among all files together and each quality by itself."""
    protocol_by_quality: dict[str, CrossValidation]
    """Result for each quality by its name, and for `all`."""
    leaks: tuple[Feature, ...]
    """Protocol features that reach the limit alone, worst first; empty if the audit passed."""
    varying: tuple[Feature, ...]
    """Protocol features that vary within some quality, worst first."""
    signal: dict[str, CrossValidation]
    """Baseline for each quality."""
    signal_features: dict[str, tuple[Feature, ...]]
    """Signal features for each quality, worst first."""

    def require_pass(self) -> None:
        """Raise `AuditError` naming the leaking features unless the audit passed."""
        if self.passed:
            return
        listed = self.leaks or self.varying
        names = "; ".join(f"{f.name} (real {f.real}, fake {f.fake})" for f in listed[:5])
        raise AuditError(
            f"protocol audit failed: AUC {self.protocol.auc.value:.2f} from {names}; expected "
            f"below {self.limit}, so that nothing but the forgery tells real from fake"
        )


def audit(dataset: Path | Manifest) -> AuditReport:
    """Audit a dataset folder, or a manifest that is not written yet.

    Reads the headers of every file and decodes `SIGNAL_CLIPS` clips of each quality. Raises
    `InputError` for an unreadable file or a label without clips. A failed audit does not raise:
    it is a report with `passed` False (`require_pass` raises).
    """
    manifest = dataset if isinstance(dataset, Manifest) else read_manifest(dataset)
    clips = manifest.clips
    for label in ("real", "fake"):
        if not any(clip.label == label for clip in clips):
            raise InputError.of(manifest.root, f"holds 0 {label} clips", "both labels to audit")
    facts = _measure(protocol_facts, manifest, clips, "audit: protocol")
    by_quality = {"all": _estimate(clips, facts)}
    features: dict[str, Feature] = {}
    for quality in sorted({c.quality for c in clips}):
        chosen = [i for i, c in enumerate(clips) if c.quality == quality]
        part, some = [clips[i] for i in chosen], [facts[i] for i in chosen]
        if not _both_labels(part):
            continue
        by_quality[quality] = _estimate(part, some)
        for feature in _features(part, some):
            if feature.name not in features or feature.auc > features[feature.name].auc:
                features[feature.name] = feature
    features |= _missing_qualities(clips)
    varying = tuple(sorted(features.values(), key=lambda f: (-f.auc, f.name)))
    worst = max(by_quality.values(), key=lambda found: found.auc.value)
    signal, signal_features = _signal(manifest)
    passed = worst.auc.value < LIMIT
    return AuditReport(
        passed=passed,
        limit=LIMIT,
        files=len(clips),
        protocol=worst,
        protocol_by_quality=by_quality,
        leaks=() if passed else tuple(f for f in varying if f.auc >= LIMIT),
        varying=varying,
        signal=signal,
        signal_features=signal_features,
    )


def write_audit(root: Path, report: AuditReport) -> Path:
    """Write `audit.json` into the dataset folder."""
    path = Path(root) / AUDIT
    write_json(path, plain(report))
    return path


def read_audit(root: Path) -> AuditReport | None:
    """Read the dataset's `audit.json`; None if there is none. Raises `InputError`."""
    path = Path(root) / AUDIT
    if not path.is_file():
        return None
    try:
        return TypeAdapter(AuditReport).validate_python(_with_estimates(read_json(path)))
    except ValidationError as error:
        what = f"is no audit report ({first_problem(error)})"
        raise InputError.of(path, what, "one by `dfmnist dataset audit`") from None


_OLD_KEYS = {"auc": "value", "low": "low", "high": "high", "clips": "n", "identities": "groups"}
"""Keys of an AUC in version 0.1.0's `audit.json`, and the fields of `Estimate` for them."""


def _with_estimates(value: Any) -> Any:
    """`value` of an `audit.json`; an AUC written by version 0.1.0 becomes an estimate."""
    if not isinstance(value, dict):
        return value
    if _OLD_KEYS.keys() <= value.keys():
        others = {key: inner for key, inner in value.items() if key not in _OLD_KEYS}
        return {"auc": {new: value[old] for old, new in _OLD_KEYS.items()}, **others}
    return {key: _with_estimates(inner) for key, inner in value.items()}


def _read_facts(function: Callable[[Path], Facts], path: Path) -> Facts:
    return function(path)


def _measure(
    function: Callable[[Path], Facts],
    manifest: Manifest,
    clips: Sequence[Clip],
    describe: str,
) -> list[Facts]:
    paths = [manifest.path(clip) for clip in clips]
    jobs = run_jobs(partial(_read_facts, function), paths, describe=describe, pool_from=_POOL_FROM)
    return list(jobs)


def _both_labels(clips: Sequence[Clip]) -> bool:
    return len({clip.label for clip in clips}) == 2


def _estimate(clips: Sequence[Clip], facts: Sequence[Facts]) -> CrossValidation:
    """Cross-validated AUC of `facts`, with the quality as one more fact."""
    table = [{**f, "quality": c.quality} for f, c in zip(facts, clips, strict=True)]
    return cross_validate(
        _encode(table), _is_fake(clips), groups_of(clips), [c.clip_id for c in clips]
    )


def _is_fake(clips: Sequence[Clip]) -> NDArray[np.bool_]:
    return np.array([clip.label == "fake" for clip in clips])


def _encode(table: Sequence[Facts]) -> NDArray[np.float64]:
    """Features (clips, columns): quantities as they are, the 20 commonest categories one-hot."""
    columns = []
    for name in sorted({key for facts in table for key in facts}):
        values = [facts.get(name, "") for facts in table]
        if len(set(values)) < 2:
            continue  # a constant
        if all(isinstance(v, float) for v in values):
            columns.append(np.array(values, dtype=np.float64))
            continue
        kinds = [str(v) for v in values]
        common = sorted(set(kinds), key=lambda k: (-kinds.count(k), k))[:20]
        columns.extend(np.array([k == kind for k in kinds], dtype=np.float64) for kind in common)
    return np.stack(columns, 1) if columns else np.zeros((len(table), 0))


def _features(clips: Sequence[Clip], table: Sequence[Facts]) -> list[Feature]:
    """Every feature that varies, with its own AUC."""
    fake = _is_fake(clips)
    found = []
    for name in sorted({key for facts in table for key in facts}):
        values = [facts.get(name, "") for facts in table]
        if len(set(values)) > 1:
            real, made = ([v for v, f in zip(values, fake, strict=True) if f == k] for k in (0, 1))
            auc = one_feature_auc(values, fake)
            found.append(Feature(name, auc, _typical(real, made), _typical(made, real)))
    return found


def _typical(values: Sequence[str | float], others: Sequence[str | float]) -> str:
    """Typical value of one class: a mean, or the commonest text, cut to where classes differ."""
    if all(isinstance(v, float) for v in values):
        return f"{np.mean(np.array(values, dtype=np.float64)):.6g}"
    ours, theirs = _commonest(values), _commonest(others)
    if len(ours) <= 40:
        return ours
    start = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), 0)
    start = max(0, ours.rfind(" ", 0, start) + 1)
    return f"…{ours[start : start + 32]}…"


def _commonest(values: Sequence[str | float]) -> str:
    texts = [str(v) for v in values]
    return max(sorted(set(texts)), key=texts.count)


def _missing_qualities(clips: Sequence[Clip]) -> dict[str, Feature]:
    """Leak that no single quality shows: one class has more files of a quality than the other."""
    qualities: list[str | float] = [clip.quality for clip in clips]
    fake = _is_fake(clips)
    auc = one_feature_auc(qualities, fake)
    if auc < LIMIT:
        return {}
    real, made = ([v for v, f in zip(qualities, fake, strict=True) if f == k] for k in (0, 1))
    return {"quality": Feature("quality", auc, _commonest(real), _commonest(made))}


def _signal(
    manifest: Manifest,
) -> tuple[dict[str, CrossValidation], dict[str, tuple[Feature, ...]]]:
    estimates, features = {}, {}
    for quality in sorted({c.quality for c in manifest.clips}):
        clips = [c for c in manifest.clips if c.quality == quality]
        if not _both_labels(clips):
            continue
        if len(clips) > SIGNAL_CLIPS:
            order = np.random.default_rng(0).permutation(len(clips))[:SIGNAL_CLIPS]
            clips = [clips[i] for i in sorted(order)]
        table = _measure(signal_facts, manifest, clips, f"audit: signal {quality}")
        values = np.array([[float(v) for v in facts.values()] for facts in table])
        estimates[quality] = cross_validate(
            values, _is_fake(clips), groups_of(clips), [c.clip_id for c in clips]
        )
        ranked = sorted(_features(clips, table), key=lambda f: (-f.auc, f.name))
        features[quality] = tuple(ranked)
    return estimates, features
