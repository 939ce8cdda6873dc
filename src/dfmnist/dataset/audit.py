"""Audit of a dataset: whether its files can be read, its splits are apart, and nothing but the
forgery gives fakes away.

Four checks can fail. *Files*: every file can be read. *People*: nobody, seen or driving, is in two
splits. *Copies*: no recording is in two splits. *Protocol*: frame rate, length, size, GOP, codec
settings and container fields do not tell real from fake; an AUC of 0.6 fails. The *signal* (packet
sizes, quantiser, noise, sharpness, brightness, motion) cannot fail, since it is partly the forgery
itself: it is the baseline that every detector must beat.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from dfmnist.core.batch import failure, published
from dfmnist.core.choices import SPLITS
from dfmnist.core.config import plain
from dfmnist.core.errors import InputError
from dfmnist.core.files import read_json, write_json
from dfmnist.core.jobs import run_jobs
from dfmnist.core.records import first_problem
from dfmnist.core.text import plural
from dfmnist.dataset.classify import CrossValidation
from dfmnist.dataset.fingerprint import Hashes, fingerprint
from dfmnist.dataset.leaks import CopyCheck, PeopleCheck, check_copies, check_people
from dfmnist.dataset.manifest import Clip, Manifest, read_manifest
from dfmnist.dataset.qualities import qualities_of
from dfmnist.dataset.shortcuts import (
    LIMIT,
    Facts,
    Feature,
    audit_protocol,
    audit_signal,
    both_labels,
)
from dfmnist.dataset.summary import count_labels
from dfmnist.media.inspect import protocol_facts, signal_facts

AUDIT = "audit.json"
SCHEMA_VERSION: Literal[2] = 2
SIGNAL_CLIPS = 400
"""Number of clips decoded of each quality, enough for a narrow interval of the baseline."""
_POOL_FROM = 200
"""Number of files from which it pays to start several processes."""

Check = Literal["files", "people", "copies", "protocol"]
Counts = dict[str, dict[str, dict[str, int]]]


class AuditError(InputError):
    """Failed audit. The message says what each failed check found."""


@dataclass(frozen=True)
class BrokenFile:
    """A file of the manifest that cannot be read."""

    file_name: str
    reason: str


@dataclass(frozen=True)
class AuditReport:
    """Result of an audit."""

    passed: bool
    limit: float
    """AUC of the protocol from which the audit fails."""
    files: int
    """Number of files in the manifest."""
    protocol: CrossValidation | None
    """Worst result among all files together and each quality and method by itself; None where one
    class has no clips, so that nothing can tell them apart."""
    protocol_by_quality: dict[str, CrossValidation]
    """Result for each quality by its name, and for `all`."""
    leaks: tuple[Feature, ...]
    """Protocol features that reach the limit alone, worst first; empty if the protocol passed."""
    varying: tuple[Feature, ...]
    """Protocol features that vary within some quality or method, worst first."""
    signal: dict[str, CrossValidation]
    """Baseline for each quality."""
    signal_features: dict[str, tuple[Feature, ...]]
    """Signal features for each quality, worst first."""
    protocol_by_method: dict[str, CrossValidation] | None = None
    """Result for the fakes of each method, where there are several of many files. This field and
    the following ones are None, or empty, in a report of schema 1, which had no such checks."""
    failed: tuple[Check, ...] = ()
    """Checks that failed; empty if the audit passed."""
    broken: tuple[BrokenFile, ...] | None = None
    """Files that cannot be read; the other checks leave them out."""
    people: PeopleCheck | None = None
    copies: CopyCheck | None = None
    counts: Counts | None = None
    """Number of clips by field (`split`, `action`, `quality`, `method`), value and label; a clip
    counts once, except under `quality`, where files count. Under `split`, `people` is the number
    of people in the split."""
    schema_version: Literal[2] = SCHEMA_VERSION

    def findings(self) -> dict[Check, str]:
        """What each check found, in words; without the checks that were not made."""
        found: dict[Check, str] = {}
        if self.broken is not None:
            found["files"] = _broken_in_words(self.broken, self.files)
        if self.people is not None:
            found["people"] = _people_in_words(self.people)
        if self.copies is not None:
            found["copies"] = _copies_in_words(self.copies)
        if self.protocol is not None:
            found["protocol"] = self._protocol_in_words(self.protocol)
        return found

    def _protocol_in_words(self, protocol: CrossValidation) -> str:
        auc = f"AUC {protocol.auc.value:.2f}"
        if protocol.auc.value < self.limit:
            return f"{auc}; nothing in the files tells real from fake"
        listed = self.leaks or self.varying
        names = "; ".join(f"{f.name} (real {f.real}, fake {f.fake})" for f in listed[:5])
        chance = ", which so few clips can give by chance" if protocol.auc.low < 0.5 else ""
        return (
            f"{auc} from {names}{chance}; expected below {self.limit}, so that nothing but the "
            "forgery tells real from fake"
        )

    def require_pass(self, dataset: Path) -> None:
        """Raise `AuditError` with what the failed checks of `dataset` found, unless it passed."""
        if self.passed:
            return
        found = self.findings()
        problem = "audit failed: " + ". ".join(f"{c}: {found[c]}" for c in self.failed)
        raise AuditError.of(dataset, problem, "a dataset that passes every check")


def audit(dataset: Path | Manifest) -> AuditReport:
    """Audit a dataset folder, or a manifest that is not written yet.

    Reads the headers of every file, decodes the first two seconds of every clip and, of each
    quality, `SIGNAL_CLIPS` clips. Files that cannot be read are listed and left out of the other
    checks. A failed audit does not raise: it is a report with `passed` False (`require_pass`
    raises). Raises `InputError` for an invalid manifest, and if no file can be read.
    """
    manifest = dataset if isinstance(dataset, Manifest) else read_manifest(dataset)
    measured = _Measured(manifest)
    facts = measured.facts(protocol_facts, manifest.clips, "audit: protocol")
    clips = [clip for clip in manifest.clips if clip.file_name in facts]
    if not clips:
        raise InputError.of(
            manifest.root,
            f"none of {plural(len(manifest.clips), 'file')} can be read ({measured.first_reason})",
            "the videos that the manifest names",
        )
    protocol = None
    if both_labels(clips):
        protocol = audit_protocol(clips, [facts[clip.file_name] for clip in clips])
    signal, signal_features = _signal(measured, clips)
    people, declared = check_people(manifest.clips, manifest.info)
    copies = _copies(measured, clips, declared)
    worst = None if protocol is None else protocol.worst
    failed = _failed(bool(measured.broken), people, copies, worst)
    return AuditReport(
        passed=not failed,
        limit=LIMIT,
        files=len(manifest.clips),
        protocol=worst,
        protocol_by_quality={} if protocol is None else protocol.by_quality,
        leaks=() if protocol is None else protocol.leaks,
        varying=() if protocol is None else protocol.varying,
        signal=signal,
        signal_features=signal_features,
        protocol_by_method={} if protocol is None else protocol.by_method,
        failed=failed,
        broken=tuple(BrokenFile(name, why) for name, why in sorted(measured.broken.items())),
        people=people,
        copies=copies,
        counts=count_clips(manifest.clips),
    )


def _failed(
    broken: bool, people: PeopleCheck, copies: CopyCheck, protocol: CrossValidation | None
) -> tuple[Check, ...]:
    found: dict[Check, bool] = {
        "files": broken,
        "people": people.shared > 0,
        "copies": copies.pairs > 0,
        "protocol": protocol is not None and protocol.auc.value >= LIMIT,
    }
    return tuple(check for check, bad in found.items() if bad)


def count_clips(clips: Sequence[Clip]) -> Counts:
    """Number of clips by split, action, quality and method; see `AuditReport.counts`."""
    distinct = list({clip.clip_id: clip for clip in clips}.values())
    actions = [(clip.action_name, clip.label) for clip in distinct]
    methods = [(clip.method, clip.label) for clip in distinct]
    files = [(clip.quality, clip.label) for clip in clips]
    counts = {
        "split": count_labels([(clip.split, clip.label) for clip in distinct], SPLITS),
        "action": count_labels(actions, _stated(actions)),
        "quality": count_labels(files, qualities_of(clips)),
        "method": count_labels(methods, _stated(methods)),
    }
    for split, row in counts["split"].items():
        row["people"] = len(
            {p for clip in distinct if clip.split == split for p in clip.identities}
        )
    return counts


def _stated(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The different values of pairs (value, label), sorted, without the empty one."""
    return sorted({value for value, _ in pairs if value})


def _broken_in_words(broken: Sequence[BrokenFile], files: int) -> str:
    if not broken:
        return f"all {plural(files, 'file')} can be read"
    one = broken[0]
    return (
        f"{len(broken):,} of {plural(files, 'file')} cannot be read, such as {one.file_name} "
        f"({one.reason})"
    )


def _people_in_words(people: PeopleCheck) -> str:
    if not people.shared + people.declared:
        return f"nobody of {plural(people.people, 'person', 'people')} is in two splits"
    first = people.listed[0]
    where = ", ".join(f"{' and '.join(roles)} in {s}" for s, roles in first.roles.items())
    count = people.shared or people.declared
    said = f"{plural(count, 'person is', 'people are')} in two splits or more, such as "
    said += f"{first.person} ({where})"
    return said if people.shared else f"{said}, as dataset.json declares"


def _copies_in_words(copies: CopyCheck) -> str:
    empty = f" ({copies.empty:,} without a picture are not compared)" if copies.empty else ""
    if not copies.pairs + copies.declared:
        return f"none of {plural(copies.clips, 'clip')} is a copy of one in another split{empty}"
    first = copies.listed[0]
    (a, b), (one, other) = first.files, first.splits
    count = copies.pairs or copies.declared
    said = (
        f"{plural(count, 'pair')} of clips in different splits {'shows' if count == 1 else 'show'} "
        f"one recording, such as {a} ({one}) and {b} ({other}){empty}"
    )
    return said if copies.pairs else f"{said}; their people may be in several splits"


def write_audit(root: Path, report: AuditReport) -> Path:
    """Write `audit.json` into the dataset folder."""
    path = Path(root) / AUDIT
    write_json(path, plain(report))
    return path


def read_audit(root: Path) -> AuditReport | None:
    """Read the dataset's `audit.json`, of schema 2 or 1; None if there is none.

    Raises `InputError`.
    """
    path = Path(root) / AUDIT
    if not path.is_file():
        return None
    try:
        return TypeAdapter(AuditReport).validate_python(_upgraded(read_json(path)))
    except ValidationError as error:
        what = f"is no audit report ({first_problem(error)})"
        raise InputError.of(path, what, "one by `dfmnist dataset audit`") from None


_OLD_KEYS = {"auc": "value", "low": "low", "high": "high", "clips": "n", "identities": "groups"}
"""Keys of an AUC in version 0.1.0's `audit.json`, and the fields of `Estimate` for them."""


def _upgraded(values: Any) -> Any:
    """`values` of an `audit.json` in schema 2; schema 1 had the protocol alone to fail."""
    if not isinstance(values, dict) or "schema_version" in values:
        return values
    failed = [] if values.get("passed", True) else ["protocol"]
    return {**_with_estimates(values), "failed": failed}


def _with_estimates(value: Any) -> Any:
    """`value` of an `audit.json`; an AUC written by version 0.1.0 becomes an estimate."""
    if not isinstance(value, dict):
        return value
    if _OLD_KEYS.keys() <= value.keys():
        others = {key: inner for key, inner in value.items() if key not in _OLD_KEYS}
        return {"auc": {new: value[old] for old, new in _OLD_KEYS.items()}, **others}
    return {key: _with_estimates(inner) for key, inner in value.items()}


class _Measured:
    """Measures files, and keeps those that cannot be read with the reason."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.broken: dict[str, str] = {}

    @property
    def first_reason(self) -> str:
        return next(iter(self.broken.values()), "")

    def facts(
        self, function: Callable[[Path], Facts], clips: Sequence[Clip], describe: str
    ) -> dict[str, Facts]:
        """The result of `function` by file name, for the clips of which it gives one."""
        return self._each(function, clips, describe)

    def hashes(self, clips: Sequence[Clip]) -> dict[str, Hashes]:
        """The perceptual hash by file name, for the clips that can be decoded."""
        return self._each(fingerprint, clips, "audit: copies")

    def _each(
        self, function: Callable[[Path], Any], clips: Sequence[Clip], describe: str
    ) -> dict[str, Any]:
        clips = [clip for clip in clips if clip.file_name not in self.broken]
        paths = [self.manifest.path(clip) for clip in clips]
        job = partial(_result_or_reason, function)
        results = run_jobs(job, paths, describe=describe, pool_from=_POOL_FROM)
        found = {}
        for clip, path, result in zip(clips, paths, results, strict=True):
            if isinstance(result, str):
                self.broken[clip.file_name] = published(result, path)
            else:
                found[clip.file_name] = result
        return found


def _result_or_reason(function: Callable[[Path], Any], path: Path) -> Any:
    """The result of `function`, or why there is none; at the top level for other processes."""
    try:
        return function(path)
    except Exception as error:
        return failure(error, path)


def _signal(
    measured: _Measured, readable: Sequence[Clip]
) -> tuple[dict[str, CrossValidation], dict[str, tuple[Feature, ...]]]:
    estimates, features = {}, {}
    for quality in sorted({c.quality for c in readable}):
        clips = [c for c in readable if c.quality == quality]
        if not both_labels(clips):
            continue
        if len(clips) > SIGNAL_CLIPS:
            order = np.random.default_rng(0).permutation(len(clips))[:SIGNAL_CLIPS]
            clips = [clips[i] for i in sorted(order)]
        facts = measured.facts(signal_facts, clips, f"audit: signal {quality}")
        clips = [clip for clip in clips if clip.file_name in facts]
        if both_labels(clips):
            estimates[quality], features[quality] = audit_signal(
                clips, [facts[clip.file_name] for clip in clips]
            )
    return estimates, features


def _copies(measured: _Measured, readable: Sequence[Clip], declared: frozenset[str]) -> CopyCheck:
    """Compare one file of each clip, that of the best quality."""
    rank = {quality: index for index, quality in enumerate(qualities_of(readable))}
    best: dict[str, Clip] = {}
    for clip in sorted(readable, key=lambda c: (rank[c.quality], c.file_name)):
        best.setdefault(clip.clip_id, clip)
    hashes = measured.hashes(list(best.values()))
    clips = [clip for clip in best.values() if clip.file_name in hashes]
    return check_copies(clips, [hashes[clip.file_name] for clip in clips], declared)
