"""Check of a dataset folder against its manifest."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dfmnist.core.batch import failure
from dfmnist.core.choices import SPLITS
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file
from dfmnist.core.jobs import run_jobs
from dfmnist.core.text import plural
from dfmnist.dataset.export.checksums import check_sums
from dfmnist.dataset.manifest import (
    DRIVERS,
    Clip,
    Manifest,
    read_manifest,
    read_rejected,
    split_files,
)
from dfmnist.dataset.provenance import read_provenance
from dfmnist.dataset.splits import assert_disjoint, shared_people
from dfmnist.media.video import is_video, probe, read_comment

EVALUATION = "liveness"
"""Folder that `dfmnist liveness evaluate` may have written into the dataset's folder."""


def verify(dataset: Path | Manifest, *, drivers: bool = True) -> list[str]:
    """List the problems of a dataset, its folder or its manifest, one line each; empty if none.

    Checked are: every file exists, has its hash and holds what its record says; its provenance
    tag agrees with its label; the manifest lists every video in the folder, except for driving
    clips in `drivers` and attacks in `liveness`; each person is in one split (`drivers` False:
    drivers may be in several); no folder name would mislead VideoFolder; the files of a published
    dataset are those of its `SHA256SUMS`. For imported clips, only what their records state is
    checked, and their splits may share people where `dataset.json` says that they are official
    or made by clip.
    Raises `InputError` if there is no valid manifest.
    """
    manifest = dataset if isinstance(dataset, Manifest) else read_manifest(dataset)
    read_rejected(manifest.root)
    check = partial(_check_clip, manifest)
    results = run_jobs(check, manifest.clips, describe="verify", pool_from=500)
    problems = [problem for found in results for problem in found]
    recorded = manifest.info.splits
    if recorded is None or recorded.rule == "identity":
        try:
            assert_disjoint(manifest.clips, drivers=drivers)
        except InputError as error:
            problems.append(str(error))
    splits = split_files(manifest.root)
    hashes = {clip.file_name: clip.sha256 for clip in manifest.clips if clip.sha256}
    problems += check_sums(manifest.root, hashes, splits)
    if any(clip.origin == "imported" for clip in manifest.clips):
        return problems
    listed = {os.path.realpath(manifest.path(clip)) for clip in manifest.clips}
    problems += [
        f"{path.relative_to(manifest.root)}: not in the manifest"
        for path in sorted(manifest.root.rglob("*"))
        if is_video(path)
        and not path.name.startswith(".tmp-")
        and path.relative_to(manifest.root).parts[0] not in (DRIVERS, EVALUATION)
        and os.path.realpath(path) not in listed
    ]
    below = [clip.file_name.split("/")[bool(splits) : -1] for clip in manifest.clips]
    return problems + list(_misleading({part for parts in below for part in parts}))


def notes(manifest: Manifest) -> list[str]:
    """What is no problem here, but hinders publishing: an absolute folder, shared people."""
    found = []
    if manifest.info.is_absolute:
        found.append(
            f"dataset.json: the files' folder is {manifest.info.root}, an absolute path, which "
            "must not be published"
        )
    shared = shared_people(manifest.clips) if manifest.info.splits else []
    if shared:
        people = plural(len(shared), "person is", "people are")
        found.append(f"{people} in two splits or more, such as {shared[0]}")
    return found


def _check_clip(manifest: Manifest, clip: Clip) -> list[str]:
    path = manifest.path(clip)
    if not path.is_file():
        return [f"{clip.file_name}: missing"]
    if clip.sha256 and (found := sha256_file(path)) != clip.sha256:
        return [f"{clip.file_name}: SHA-256 is {found[:12]}…, expected {clip.sha256[:12]}…"]
    try:
        info, tag = probe(path), read_provenance(read_comment(path))
    except Exception as error:
        return [failure(error, path)]
    stated = (clip.width, clip.height, clip.num_frames, clip.fps)
    seen = (info.width, info.height, info.num_frames, str(info.fps))
    said = tuple(b if a is None else a for a, b in zip(stated, seen, strict=True))
    problems = [] if said == seen else [f"{clip.file_name}: holds {seen}, expected {said}"]
    if clip.origin == "imported":
        return problems
    if tag is None or tag[0] != clip.label:
        label = "no provenance tag" if tag is None else f"a tag of a {tag[0]} clip"
        problems.append(f"{clip.file_name}: carries {label}, expected {clip.label}")
    return problems


def _misleading(folders: set[str]) -> Iterator[str]:
    """Problems of folder names that `datasets` would take for splits, losing the metadata."""
    for name in sorted(folders & {*SPLITS, "valid", "val", "dev", "eval", "training"}):
        yield f"folder '{name}': named like a split; VideoFolder would lose the metadata"
