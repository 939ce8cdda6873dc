"""Other attacks from the same clips: splits, counts, resume; and datasets joined."""

import json
import shutil
from pathlib import Path

import pytest

from dfmnist.core.errors import InputError
from dfmnist.dataset.info import DatasetInfo, write_info
from dfmnist.dataset.manifest import Manifest, read_manifest, write_manifest
from dfmnist.dataset.merge import assert_unseen, join_datasets
from dfmnist.dataset.provenance import read_provenance
from dfmnist.dataset.splits import assert_disjoint, split_info
from dfmnist.experiments.plan import FACE_SWAP, MESH_WARP, SURROGATES, count_clips
from dfmnist.experiments.surrogates import (
    build_surrogate,
    planned,
    unavailable,
)
from dfmnist.media.video import read_comment, read_frames


@pytest.fixture(scope="module")
def made(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("surrogates")
    return {name: build_surrogate(name, drawn, root / name) for name in SURROGATES}


@pytest.mark.parametrize("name", SURROGATES)
def test_splits_are_the_datasets(drawn: Path, made: dict[str, Path], name: str) -> None:
    main, own = read_manifest(drawn), read_manifest(made[name])
    split_of = {c.source: c.split for c in main.clips}
    assert all(split_of[c.source] == c.split for c in own.clips)
    assert_disjoint([*main.clips, *own.clips])
    assert {c.split for c in own.clips if c.label == "fake"} == {"train", "validation", "test"}
    assert {c.quality for c in own.clips} == {c.quality for c in main.clips}


@pytest.mark.parametrize("name", SURROGATES)
def test_it_holds_what_was_planned(drawn: Path, made: dict[str, Path], name: str) -> None:
    assert planned(name, read_manifest(drawn)) == count_clips(name, read_manifest(made[name]))


@pytest.mark.parametrize("name", SURROGATES)
def test_every_file_says_what_it_is_in_a_tag_of_one_length(
    made: dict[str, Path], name: str
) -> None:
    manifest = read_manifest(made[name])
    assert all(manifest.path(c).is_file() for c in manifest.clips)
    fakes = [c for c in manifest.clips if c.label == "fake"]
    for clip in fakes:
        said = read_provenance(read_comment(manifest.path(clip)))
        assert said is not None
        assert said[0] == "fake"
        assert name in said[1]
        assert len(read_frames(manifest.path(clip))) == clip.num_frames
    assert {c.generator for c in fakes} == {name.replace(" ", "_") + "@1"}


def test_a_swap_takes_another_person_of_the_same_split(made: dict[str, Path]) -> None:
    clips = read_manifest(made[FACE_SWAP]).clips
    fakes = [c for c in clips if c.label == "fake"]
    assert all(c.driver != c.source for c in fakes)
    # a real clip for each, coded again as the fake was
    reals = {(c.source, c.action, c.quality) for c in clips if c.label == "real"}
    assert reals == {(c.source, c.action, c.quality) for c in fakes}


def test_a_built_clip_is_not_built_again(drawn: Path, made: dict[str, Path]) -> None:
    root = made[FACE_SWAP]
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*.mp4")}
    text = (root / "metadata.jsonl").read_text()
    (root / "metadata.jsonl").unlink()  # as if killed before the end
    build_surrogate(FACE_SWAP, drawn, root)
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*.mp4")} == before
    assert (root / "metadata.jsonl").read_text() == text


def test_what_cannot_be_made_says_why(drawn: Path, tmp_path: Path) -> None:
    main = read_manifest(drawn)
    elsewhere = Manifest(tmp_path, main.clips)
    assert "sources/" in unavailable(MESH_WARP, elsewhere)
    alone = Manifest(drawn, tuple(c for c in main.clips if c.source in ("a1", "a3", "a5")))
    assert unavailable(FACE_SWAP, alone) == "nobody to swap with in test, train, validation"
    write_manifest(tmp_path, main.clips)
    with pytest.raises(InputError, match="no mesh warp can be made"):
        build_surrogate(MESH_WARP, tmp_path, tmp_path / "out")


def test_joined_datasets_hold_every_clip_once(made: dict[str, Path], tmp_path: Path) -> None:
    # names without a letter that a path keeps, one dataset joined with itself
    named = {"李": made[MESH_WARP], "王": made[MESH_WARP]}
    root = join_datasets(named, tmp_path / "named")
    ids = {c.file_name for c in read_manifest(root).clips}
    assert len(ids) == 2 * len(read_manifest(made[MESH_WARP]).clips)
    root = join_datasets(made, tmp_path / "joined")
    clips = read_manifest(root).clips
    assert len(clips) == sum(len(read_manifest(p).clips) for p in made.values())
    assert all((root / c.file_name).is_file() for c in clips)
    stamp = (root / "metadata.jsonl").stat().st_mtime_ns
    assert join_datasets(made, root) == root
    assert (root / "metadata.jsonl").stat().st_mtime_ns == stamp


def test_a_driver_of_all_splits_and_the_rule_of_the_parts(drawn: Path, tmp_path: Path) -> None:
    """As in the paper: one volunteer drives every fake, and the splits are disjoint in sources."""
    shutil.copytree(drawn, tmp_path / "a")
    clips = [
        clip.model_copy(update={"driver": "volunteer", "identities": (clip.source, "volunteer")})
        if clip.label == "fake"
        else clip
        for clip in read_manifest(drawn).clips
    ]
    write_manifest(tmp_path / "a", clips)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    write_info(tmp_path / "b", DatasetInfo(splits=split_info(clips, "paper", 5)))
    parts = {name: tmp_path / name for name in ("a", "b")}
    joined = read_manifest(join_datasets(parts, tmp_path / "joined"))
    assert joined.info.splits == split_info(joined.clips, "paper", 0)  # no draw made them


def test_a_person_trained_on_here_and_tested_there_is_refused(drawn: Path, tmp_path: Path) -> None:
    assert_unseen(drawn, drawn)
    lines = (drawn / "metadata.jsonl").read_text().splitlines()
    swap = {"train": "test", "test": "train"}
    turned = [json.loads(line) for line in lines]
    for record in turned:
        record["split"] = swap.get(record["split"], record["split"])
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(r) + "\n" for r in turned))
    with pytest.raises(InputError, match="a5 and 2 more of its training are tested"):
        assert_unseen(tmp_path, drawn)
