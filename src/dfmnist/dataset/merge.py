"""Merging of datasets, to train on them together (Table 2: fine-tuning with all of FF++)."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from dfmnist.core.choices import SplitRule
from dfmnist.core.errors import InputError
from dfmnist.core.files import claim_folder, place_file, read_json, write_json
from dfmnist.core.text import key_of
from dfmnist.dataset.info import DatasetInfo, write_info
from dfmnist.dataset.manifest import (
    Clip,
    Manifest,
    clip_file_name,
    manifest_hash,
    read_manifest,
)
from dfmnist.dataset.manifest import write_manifest as write
from dfmnist.dataset.people import people_of
from dfmnist.dataset.splits import assert_disjoint, split_info

PARTS = "parts.json"


def join_datasets(parts: Mapping[str, Path], root: Path) -> Path:
    """Make a dataset in `root` of all clips of `parts` (name → folder), each with its own name.

    Files are hard links where the file system allows them, else copies. A real clip that several
    parts share appears once for each, so that the classes keep their proportions. Raises
    `InputError` if a person is in two splits; parts whose own splits share people, which their
    `dataset.json` declares, may go on doing so, but not across parts.
    """
    claim_folder(root, "joined dataset")
    hashes = {name: manifest_hash(folder) for name, folder in sorted(parts.items())}
    if (root / PARTS).is_file() and read_json(root / PARTS) == hashes:
        return root
    clips: list[Clip] = []
    manifests = {name: read_manifest(folder) for name, folder in sorted(parts.items())}
    _assert_disjoint(list(manifests.values()))
    for name, manifest in manifests.items():
        for clip in manifest.clips:
            clip_id = f"{key_of(name)}--{clip.clip_id}"
            file_name = _file_name(clip, clip_id)
            place_file(manifest.path(clip), root / file_name)
            new = {"clip_id": clip_id, "file_name": file_name}
            clips.append(clip.model_copy(update={**new, "dataset": clip.dataset or name}))
    write(root, clips)
    synthetic = all(m.info.synthetic_actors for m in manifests.values())
    info = DatasetInfo(kind="joined", synthetic_actors=synthetic)
    rules = {m.info.splits.rule for m in manifests.values() if m.info.splits} - {"identity"}
    if rules:
        rule: SplitRule = "paper" if "paper" in rules else "official"
        info = info.model_copy(update={"splits": split_info(clips, rule, 0)})
    write_info(root, info)
    write_json(root / PARTS, hashes)
    return root


def _assert_disjoint(parts: Sequence[Manifest]) -> None:
    """Raise `InputError` if a person is in two splits, within a part that does not declare it."""
    own = [m for m in parts if m.info.splits is None or m.info.splits.rule == "identity"]
    assert_disjoint([clip for m in own for clip in m.clips], drivers=False)
    for trained in parts:
        for tested in parts:
            if trained is not tested:
                _assert_unseen(trained, tested)


def _file_name(clip: Clip, clip_id: str) -> str:
    """Path of a clip's file in the joined dataset, with the suffix that it has."""
    suffix = PurePosixPath(clip.file_name).suffix or ".mp4"
    return clip_file_name(clip_id, clip.quality).removesuffix(".mp4") + suffix


def assert_unseen(trained: Path, tested: Path) -> None:
    """Raise `InputError` if a person that `trained` trains on is in the test split of `tested`."""
    _assert_unseen(read_manifest(trained), read_manifest(tested))


def _assert_unseen(trained: Manifest, tested: Manifest) -> None:
    known = {p for c in trained.clips if c.split != "test" for p in _people(c)}
    seen = {p for c in tested.clips if c.split == "test" for p in _people(c)}
    if both := sorted(known & seen):
        raise InputError.of(
            trained.root,
            f"{both[0]} and {len(both) - 1} more of its training are tested in {tested.root}",
            "the same people in the same splits, or other names for other people",
        )


def _people(clip: Clip) -> tuple[str, ...]:
    """People of a clip; built datasets may share drivers, as the surrogates of one do."""
    return people_of(clip, drivers=clip.origin != "built")
