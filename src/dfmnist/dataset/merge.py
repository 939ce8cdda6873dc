"""Merging of datasets, to train on them together (Table 2: fine-tuning with all of FF++)."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from dfmnist.core.errors import InputError
from dfmnist.core.files import claim_folder, read_json, write_json
from dfmnist.core.text import slug
from dfmnist.dataset.manifest import Clip, clip_file_name, manifest_hash, read_manifest
from dfmnist.dataset.manifest import write_manifest as write
from dfmnist.dataset.splits import assert_disjoint

PARTS = "parts.json"


def join_datasets(parts: Mapping[str, Path], root: Path) -> Path:
    """Make a dataset in `root` of all clips of `parts` (name → folder), each with its own name.

    Files are hard links where the file system allows them, else copies. A real clip that several
    parts share appears once for each, so that the classes keep their proportions. Raises
    `InputError` if a person is in the training split of one part and the test split of another.
    """
    claim_folder(root, "joined dataset")
    hashes = {name: manifest_hash(folder) for name, folder in sorted(parts.items())}
    if (root / PARTS).is_file() and read_json(root / PARTS) == hashes:
        return root
    clips: list[Clip] = []
    for name, folder in sorted(parts.items()):
        manifest = read_manifest(folder)
        for clip in manifest.clips:
            clip_id = f"{slug(name)}--{clip.clip_id}"
            file_name = clip_file_name(clip_id, clip.quality.value)
            _link(manifest.path(clip), root / file_name)
            clips.append(clip.model_copy(update={"clip_id": clip_id, "file_name": file_name}))
    assert_disjoint(clips, drivers=False)
    write(root, clips)
    write_json(root / PARTS, hashes)
    return root


def _link(source: Path, target: Path) -> None:
    if not source.is_file():
        raise InputError.of(source, "no such file", "the clip that the manifest names")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def assert_unseen(trained: Path, tested: Path) -> None:
    """Raise `InputError` if a person that `trained` trains on is in the test split of `tested`."""
    known = {c.source_id for c in read_manifest(trained).clips if c.split != "test"}
    seen = {c.source_id for c in read_manifest(tested).clips if c.split == "test"}
    if both := sorted(known & seen):
        raise InputError.of(
            trained,
            f"{both[0]} and {len(both) - 1} more of its training are tested in {tested}",
            "the same people in the same splits, or other names for other people",
        )
