"""Build of a dataset as in the paper's Figure 8: select, crop, animate, screen, compress.

At the end the dataset is audited and published; the manifest is written last.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from dfmnist import __version__
from dfmnist.core.actions import TEN, Action
from dfmnist.core.choices import SPLITS, PersonRule
from dfmnist.core.config import plain
from dfmnist.core.console import say
from dfmnist.core.errors import InputError
from dfmnist.core.files import check_writable, holds_folder, read_json, sha256_file, write_json
from dfmnist.dataset.audit import audit, write_audit
from dfmnist.dataset.card import CardText, write_card
from dfmnist.dataset.fingerprint import hashes_in, near_pairs
from dfmnist.dataset.info import DatasetInfo, write_info
from dfmnist.dataset.manifest import (
    Clip,
    Manifest,
    Rejected,
    sharing,
    write_manifest,
    write_rejected,
)
from dfmnist.dataset.splits import split_info
from dfmnist.fomm.checkpoint import check_weights, training_seeds
from dfmnist.liveness.thresholds import thresholds_id
from dfmnist.pipeline.animators import end_animators, generator_of
from dfmnist.pipeline.config import BuildConfig
from dfmnist.pipeline.film import name_of
from dfmnist.pipeline.footage import (
    Footage,
    read_drivers,
    read_people,
    renumbered,
    stretch_s,
)
from dfmnist.pipeline.jobs import (
    ClipResult,
    DriverJob,
    FakeJob,
    PersonJob,
    RealJob,
    SourceCheck,
    run_all,
    unused,
)
from dfmnist.pipeline.plan import Pair, match_reals, next_round, pairs, targets, with_splits


@holds_folder("root", "dataset")
def build(
    sources: Sequence[Footage],
    drivers: Sequence[Footage],
    reals: Sequence[Footage],
    config: BuildConfig,
    root: Path,
) -> Path:
    """Make the dataset in folder `root` and return it; a killed build goes on where it was.

    Raises `InputError` for a folder that holds something else or other settings, for footage
    that cannot be split, and for a finished dataset whose protocol gives the class away.
    """
    _check_terms((*sources, *drivers, *reals), config)
    inputs = _assign_splits(sources, drivers, reals, config)
    state = _open(root, config, inputs)
    checks = _select(state, inputs)
    usable = _crop_drivers(state, inputs)
    try:
        attempts = _animate_and_screen(state, inputs, usable, checks)
    finally:
        end_animators()
    kept, failed = _compress_reals(state, inputs, attempts, checks)
    unusable = [r for f in inputs.people if (r := unused(f, checks[f.key])) is not None]
    return _publish(state, attempts, kept, [*failed, *unusable])


def build_files(
    sources: Path,
    drivers: Path,
    config: BuildConfig,
    root: Path,
    *,
    reals: Path | None = None,
    person: PersonRule = "file",
) -> Path:
    """Make the dataset in folder `root` from footage on disk, as `build` does, and return it.

    `sources` and `reals` are folders of clips and photos or CSV tables (`footage.read_people`),
    `drivers` a folder with one subfolder per action or a CSV table (`footage.read_drivers`).
    `reals` None takes the videos among the sources. Raises `InputError`.
    """
    check_writable(root, folder=True)  # to read a large folder takes a while
    clip_s = config.num_frames / config.fps
    people = read_people(sources, clip_s, person, tell_as="sources")
    if reals:
        real = read_people(reals, clip_s, person, tell_as="reals")
    else:
        real = [f for f in people if not f.is_photo]
    moving = read_drivers(drivers, person, tell_as="drivers")
    _tell_longer(moving, clip_s)
    return build(people, moving, real, config, root)


def _tell_longer(drivers: Sequence[Footage], clip_s: Fraction) -> None:
    """Print how many driving clips are longer than a clip of the dataset, and what is used."""
    lengths = [stretch_s(driver) for driver in drivers]
    if longer := sum(length > float(clip_s) + TOLERANCE_S for length in lengths):
        say(
            f"  {longer} of {len(drivers)} driving clips are longer than {float(clip_s):g} s; the "
            f"first {float(clip_s):g} s of each are used (a table's start and end choose others)"
        )


MOST_NAMED = 10
"""Largest number of unusable driving clips that are named, each with its reason."""
GPU_SHARE = 0.25
"""Share of a GPU for each process that uses the motion model: most of its time is the CPU's."""
TOLERANCE_S = 0.25
"""Length in seconds by which a driving clip may exceed the dataset's without a word."""


@dataclass(frozen=True)
class State:
    """Folder, config and motion model of one build."""

    root: Path
    config: BuildConfig
    generator: str
    """Name of the motion model and hash of its weights, or those of another animator."""
    method: str = ""
    """Method of the fakes; empty if the generator's name states it."""
    seen: tuple[Path, ...] = ()
    """Files that all machines of a cluster must see."""


@dataclass(frozen=True)
class Attempt:
    """One animated pair and its result."""

    pair: Pair
    result: ClipResult


@dataclass(frozen=True)
class Inputs:
    """All footage of a build, each with its split. A clip may be both a source and a real clip."""

    people: tuple[Footage, ...]
    """Sources and real clips, each of them once."""
    source_keys: frozenset[str]
    real_keys: frozenset[str]
    drivers: tuple[Footage, ...]


def _check_terms(footage: Iterable[Footage], config: BuildConfig) -> None:
    """Raise `InputError` if neither the build nor the footage states a licence and a consent."""
    for one in footage:
        for name in ("licence", "consent"):
            if not getattr(one, name) and not getattr(config, name):
                raise InputError.of(
                    one.path, f"has no {name}", f"--{name}, or a column {name} in the table"
                )


def _assign_splits(
    sources: Sequence[Footage],
    drivers: Sequence[Footage],
    reals: Sequence[Footage],
    config: BuildConfig,
) -> Inputs:
    """Assign a split to everyone. Raises `InputError` if a split lacks a driver for an action."""
    reals = renumbered(reals, beside=sources)
    together = list({f.key: f for f in (*reals, *sources)}.values())
    keys = frozenset(f.key for f in sources), frozenset(f.key for f in reals)
    if config.driver_protocol == "shared":
        (people,) = with_splits([together], config.seed)
        return Inputs(tuple(people), *keys, tuple(drivers))
    people, moving = with_splits([together, drivers], config.seed)
    needed = {p.split for p in people}
    for action in sorted({d.action for d in drivers}):
        missing = needed - {d.split for d in moving if d.action is action}
        if missing:
            raise InputError(
                f"drivers: nobody performs {action.value} for {', '.join(sorted(missing))}; "
                "expected a different person for each split, or --driver-protocol shared"
            )
    return Inputs(tuple(people), *keys, tuple(moving))


def _open(root: Path, config: BuildConfig, inputs: Inputs) -> State:
    """Record the inputs. Raises `InputError` for unusable weights, and for a folder of others."""
    check_weights(config.weights)
    made_by = generator_of(config)
    generator = made_by.text
    if config.synthetic and config.animator is None:
        _refuse_trained_on(inputs, training_seeds(config.weights), generator)
    footage = (*inputs.people, *inputs.drivers)
    hashes = {path: _hash(path) for path in {f.path for f in footage}}
    recorded = {
        "people": [(f.key, f.split, f.start_s, f.end_s, hashes[f.path]) for f in inputs.people],
        "drivers": [(f.key, f.split, f.start_s, f.end_s, hashes[f.path]) for f in inputs.drivers],
        "sources": sorted(inputs.source_keys),
        "reals": sorted(inputs.real_keys),
    }
    if terms := sorted((f.key, f.licence, f.consent) for f in footage if f.licence or f.consent):
        recorded["terms"] = terms
    settings = {
        "config": plain(config),
        "generator": generator,
        "inputs": plain(recorded),
        "thresholds": thresholds_id(config.thresholds),
    }
    path = root / "build.json"
    if not path.exists():
        write_json(path, settings)
    elif (begun := _completed(read_json(path))) != json.loads(json.dumps(settings)):
        what = "other settings or inputs"
        if isinstance(begun, dict) and begun.get("generator") != generator:
            what = f"the animator {begun.get('generator')}, now it is {generator}"
        raise InputError.of(root, f"was begun with {what}", "a new folder")
    samples = (path, config.weights, inputs.people[0].path, inputs.drivers[0].path)
    seen = tuple(p for p in samples if p and p.exists())
    return State(root, config, generator, made_by.method, seen)


def _completed(settings: Any) -> Any:
    """Settings of a build that an older version began: later ones have their defaults."""
    if not isinstance(settings, dict) or not isinstance(settings.get("config"), dict):
        return settings
    return {**settings, "config": {**plain(BuildConfig()), **settings["config"]}}


def _hash(path: Path) -> str:
    """SHA-256 of a file, or nothing for one that cannot be read, which the build then rejects."""
    try:
        return sha256_file(path)
    except OSError:
        return ""


def _refuse_trained_on(inputs: Inputs, seeds: frozenset[int], generator: str) -> None:
    """Raise `InputError` if the motion model was trained on a synthetic actor of this dataset."""
    names = {name_of(seed) for seed in seeds}
    known = sorted({f.identity for f in (*inputs.people, *inputs.drivers)} & names)
    if known:
        raise InputError(
            f"actor {known[0]}: {generator} was trained on {len(known)} of these people; "
            "expected actors that it never saw"
        )


def _select(state: State, inputs: Inputs) -> dict[str, SourceCheck]:
    people = inputs.people
    jobs = [PersonJob(state.root, state.config, f) for f in people]
    found = run_all(jobs, "select and crop", seen=state.seen)
    checks = {f.key: s for f, s in zip(people, found, strict=True) if isinstance(s, SourceCheck)}
    rejected = [unused(f, checks[f.key]) for f in people]
    _tell("clips and photos", [r.reason if r else "" for r in rejected])
    _refuse_copies(people, checks)
    if not any(_animatable(checks[key]) for key in inputs.source_keys):
        first = checks[min(inputs.source_keys)]
        reason = first.choice.reason or first.real_reason
        raise InputError(f"sources: no frame to animate ({reason}); expected frontal faces")
    return checks


def _refuse_copies(people: Sequence[Footage], checks: Mapping[str, SourceCheck]) -> None:
    """Raise `InputError` if people of two splits show one recording: they are one person.

    The audit of the finished dataset would find it too, and more, but hours later.
    """
    clips = [f for f in people if checks[f.key].picture]
    hashes = {f.key: hashes_in(checks[f.key].picture) for f in clips}
    parts = [[f for f in clips if f.split == split and hashes[f.key].any()] for split in SPLITS]
    for one, other in combinations([part for part in parts if part], 2):
        tables = (np.stack([hashes[f.key] for f in part]) for part in (one, other))
        for first, second, _ in near_pairs(*tables):
            for i, j in zip(first, second, strict=True):
                a, b = one[i], other[j]
                what = f"shows the same recording as {b.path}, whose person has another name"
                expected = f"one name for both ({a.identity} or {b.identity}), or one file of them"
                raise InputError.of(a.path, what, expected)


def _animatable(check: SourceCheck) -> bool:
    """True if a source has a suitable frame and is, if a video, itself usable as a real clip."""
    return check.choice.source_frame is not None and check.real_reason in ("", "a photo")


def _crop_drivers(state: State, inputs: Inputs) -> list[Footage]:
    drivers = inputs.drivers
    jobs = [DriverJob(state.root, state.config, f) for f in drivers]
    reasons = list(run_all(jobs, "crop drivers", gpu=GPU_SHARE, seen=state.seen))
    _tell("driving clips", [str(r) for r in reasons])
    bad = [(d, reason) for d, reason in zip(drivers, reasons, strict=True) if reason]
    for driver, reason in bad[:MOST_NAMED]:
        say(f"    {driver.identity}, {driver.action.value}, take {driver.take}: {reason}")
    if len(bad) > MOST_NAMED:
        say(f"    and {len(bad) - MOST_NAMED} more")
    usable = [d for d, reason in zip(drivers, reasons, strict=True) if not reason]
    if not usable:
        raise InputError(f"drivers: none can be used ({reasons[0]}); expected clips of one face")
    if state.config.driver_protocol == "disjoint":
        splits = [split for split in SPLITS if split in {f.split for f in inputs.people}]
        wanted = [(d.action, split) for d in drivers for split in splits]
        there = {(d.action, d.split) for d in usable}
        lost = dict.fromkeys(f"{a.value} for {s}" for a, s in wanted if (a, s) not in there)
    else:
        left = {d.action for d in usable}
        lost = dict.fromkeys(d.action.value for d in drivers if d.action not in left)
    if lost:
        say(f"  nobody is left who performs: {', '.join(lost)}; there will be no such fakes")
    return usable


def _animate_and_screen(
    state: State, inputs: Inputs, drivers: Sequence[Footage], checks: dict[str, SourceCheck]
) -> list[Attempt]:
    """Animate in rounds, until every action and split has its clips or reaches its cap."""
    config = state.config
    people = [f for f in inputs.people if f.key in inputs.source_keys]
    sources = [f for f in people if _animatable(checks[f.key])]
    wanted = targets(config.per_action, sorted({s.split for s in sources}))
    tables = {
        (action, split): pairs(
            sources, _serving(drivers, split, config), action, split, config.seed
        )
        for action in TEN
        for split in SPLITS
    }
    attempts: list[Attempt] = []
    results: dict[tuple[Action, str], dict[Pair, bool]] = {place: {} for place in tables}
    while True:
        batch = [
            pair
            for (action, split), table in tables.items()
            for pair in next_round(
                table,
                results[action, split],
                wanted[split],
                wanted[split] * config.attempts_per_clip,
            )
        ]
        if not batch:
            return attempts
        jobs = [
            FakeJob(
                state.root, config, pair, checks[pair.source.key].choice,
                state.generator, state.method,
            )
            for pair in batch
        ]  # fmt: skip
        failed: list[Rejected | None] = []
        done = run_all(jobs, "animate and screen", gpu=GPU_SHARE, seen=state.seen)
        for pair, result in zip(batch, _clip_results(done), strict=True):
            attempts.append(Attempt(pair, result))
            results[pair.action, pair.split][pair] = result.rejected is None
            failed.append(result.rejected)
        _tell("animations", [r.reason if r and r.action is None else "" for r in failed])


def _clip_results(results: Iterable[object]) -> Iterator[ClipResult]:
    """The results of jobs that make clips; equal parts of their records are in memory once."""
    share = sharing()
    for result in results:
        assert isinstance(result, ClipResult)
        for clip in result.clips:
            share(clip)
        yield result


def _serving(drivers: Sequence[Footage], split: str, config: BuildConfig) -> list[Footage]:
    if config.driver_protocol == "shared":
        return list(drivers)
    return [d for d in drivers if d.split == split]


def _compress_reals(
    state: State, inputs: Inputs, attempts: Sequence[Attempt], checks: dict[str, SourceCheck]
) -> tuple[list[Clip], list[Rejected]]:
    """Compress as many real clips as there are fakes, of the same people where possible.

    Returns the clips, and a rejection for each that could not be compressed.
    """
    people = [f for f in inputs.people if f.key in inputs.real_keys]
    reals = [f for f in people if not checks[f.key].real_reason]
    fakes = [a.pair for a in attempts if a.result.rejected is None]
    chosen = match_reals(fakes, reals)
    if len(chosen) < len(fakes):
        say(f"  only {len(chosen)} real clips for {len(fakes)} fakes: too little footage")
    jobs = [RealJob(state.root, state.config, f, checks[f.key]) for f in chosen]
    results = run_all(jobs, "compress real clips", seen=state.seen)
    done = list(_clip_results(results))
    failed = [o.rejected for o in done if o.rejected is not None]
    _tell("real clips", [*(r.reason for r in failed), *("" for o in done if o.clips)])
    return [c for o in done for c in o.clips], failed


def _publish(
    state: State, attempts: Sequence[Attempt], reals: Sequence[Clip], unusable: Sequence[Rejected]
) -> Path:
    """Audit the clips, then write the rejected attempts, the card and, last, the manifest."""
    fakes = [clip for a in attempts for clip in a.result.clips]
    failed = [a.result.rejected for a in attempts if a.result.rejected is not None]
    rejected = [*failed, *unusable]
    clips = [*fakes, *reals]
    drivers = state.config.driver_protocol == "disjoint"
    splits = split_info(clips, "identity", state.config.seed, drivers=drivers)
    write_rejected(state.root, rejected)
    _summarise(attempts)
    if not fakes:
        raise InputError(
            f"{state.root}: 0 of {len(attempts)} animations passed the screening, so there is no "
            "dataset; expected at least one (rejected.jsonl names the reasons)"
        )
    info = DatasetInfo(
        kind="built",
        made_by=f"dfmnist {__version__}",
        splits=splits,
        synthetic_actors=state.config.synthetic,
    )
    manifest = Manifest(state.root, tuple(clips), info)
    report = audit(manifest)
    write_audit(state.root, report)
    report.require_pass(state.root)
    write_card(manifest, tuple(rejected), report, _card_text(state.config))
    write_info(state.root, info)
    write_manifest(state.root, clips)
    return state.root


def _card_text(config: BuildConfig) -> CardText:
    kind = "synthetic actors" if config.synthetic else "people who agreed to it"
    shared = " One set of drivers serves all splits." * (config.driver_protocol == "shared")
    return CardText(
        pretty_name=f"Facial-animation deepfakes of {kind}",
        synthetic_actors=config.synthetic,
        how_made=(
            f"Every clip has {config.num_frames} frames at {config.fps} a second, cropped with "
            f"MTCNN to {config.size_px} pixels; camera noise of {config.noise_sigma} levels is "
            f"added to both classes.{shared}"
        ),
    )


def _summarise(attempts: Sequence[Attempt]) -> None:
    made = Counter(a.pair.action for a in attempts)
    kept = Counter(a.pair.action for a in attempts if a.result.rejected is None)
    shown = ", ".join(f"{a.value} {kept[a]} of {made[a]}" for a in TEN if made[a])
    say(f"  passed the screening: {shown}")


def _tell(what: str, reasons: Sequence[str]) -> None:
    """Print how many of `what` cannot be used, with the most common reason."""
    bad = [r for r in reasons if r]
    if bad:
        reason, count = Counter(bad).most_common(1)[0]
        say(f"  {len(bad)} of {len(reasons)} {what} not used; {count} for: {reason}")
