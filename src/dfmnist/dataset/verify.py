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
from dfmnist.dataset.manifest import DRIVERS, Clip, read_manifest, read_rejected
from dfmnist.dataset.provenance import read_provenance
from dfmnist.dataset.splits import assert_disjoint
from dfmnist.media.video import is_video, probe, read_comment


def verify(root: Path, *, drivers: bool = True) -> list[str]:
    """List the problems of the dataset in `root`, one line each; empty if there are none.

    Checked are: every file exists, has its hash and holds what its record says; its provenance
    tag agrees with its label; the manifest lists every video in the folder, except for driving
    clips in `drivers`; each person is in one split (`drivers` False: drivers may be in several);
    no folder name would mislead VideoFolder.
    Raises `InputError` if there is no valid manifest.
    """
    manifest = read_manifest(root)
    read_rejected(manifest.root)
    check = partial(_check_clip, manifest.root)
    results = run_jobs(check, manifest.clips, describe="verify", pool_from=500)
    problems = [problem for found in results for problem in found]
    try:
        assert_disjoint(manifest.clips, drivers=drivers)
    except InputError as error:
        problems.append(str(error))
    listed = {os.path.realpath(manifest.path(clip)) for clip in manifest.clips}
    problems += [
        f"{path.relative_to(manifest.root)}: not in the manifest"
        for path in sorted(manifest.root.rglob("*"))
        if is_video(path)
        and not path.name.startswith(".tmp-")
        and path.relative_to(manifest.root).parts[0] != DRIVERS
        and os.path.realpath(path) not in listed
    ]
    return problems + list(_misleading(manifest.clips))


def _check_clip(root: Path, clip: Clip) -> list[str]:
    path = root / clip.file_name
    if not path.is_file():
        return [f"{clip.file_name}: missing"]
    if (found := sha256_file(path)) != clip.sha256:
        return [f"{clip.file_name}: SHA-256 is {found[:12]}…, expected {clip.sha256[:12]}…"]
    try:
        info, tag = probe(path), read_provenance(read_comment(path))
    except Exception as error:
        return [failure(error, path)]
    said = (clip.width, clip.height, clip.num_frames, clip.fps)
    seen = (info.width, info.height, info.num_frames, str(info.fps))
    problems = [] if said == seen else [f"{clip.file_name}: holds {seen}, expected {said}"]
    if tag is None or tag[0] != clip.label:
        label = "no provenance tag" if tag is None else f"a tag of a {tag[0]} clip"
        problems.append(f"{clip.file_name}: carries {label}, expected {clip.label}")
    return problems


def _misleading(clips: tuple[Clip, ...]) -> Iterator[str]:
    """Problems of folder names that `datasets` would take for splits, losing the metadata."""
    folders = {part for clip in clips for part in clip.file_name.split("/")[:-1]}
    for name in sorted(folders & {*SPLITS, "valid", "val", "dev", "eval", "training"}):
        yield f"folder '{name}': named like a split; VideoFolder would lose the metadata"
