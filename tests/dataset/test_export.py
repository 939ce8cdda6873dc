"""`dfmnist dataset export`: what is published can be loaded, checked and trusted by others."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from tests.dataset.conftest import frames_of, record, rejection, write_dataset
from tests.dataset.trees import clip_file, grow
from tests.running import called, refused, refused_at_last

from dfmnist.core import files as core_files
from dfmnist.core.errors import InputError
from dfmnist.core.files import sha256_file
from dfmnist.dataset.export import files as export_files
from dfmnist.dataset.export.config import ExportConfig
from dfmnist.dataset.export.exporting import export_dataset
from dfmnist.dataset.export.terms import Terms, licence_text
from dfmnist.dataset.info import DatasetInfo, read_info, write_info
from dfmnist.dataset.manifest import (
    Clip,
    manifest_hash,
    read_manifest,
    read_rejected,
    write_manifest,
    write_rejected,
)
from dfmnist.dataset.splits import split_info
from dfmnist.dataset.verify import verify
from dfmnist.media.video import read_comment, write_video

SETTINGS = ExportConfig(
    name="Tiny",
    url="https://example.org/tiny",
    creator="The testers",
    citation="@misc{tiny}",
    published="2026-01-31",
    webdataset=True,
)
COUNTS = {"train": 16, "validation": 8, "test": 8}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built dataset of eight people in two qualities, with attempts that were rejected."""
    root = write_dataset(tmp_path_factory.mktemp("tiny") / "dataset", qualities=("raw", "c23"))
    splits = split_info(read_manifest(root).clips, "identity", 0)
    made = {"kind": "built", "made_by": "dfmnist 0.1.0", "synthetic_actors": True}
    write_info(root, DatasetInfo(splits=splits, **made))
    reason = f"{root}/kept/x.mp4: no face found"
    write_rejected(root, [rejection(action="blink", reason=reason)])
    return root


@pytest.fixture(scope="module")
def exported(tiny: Path) -> Path:
    """The dataset as it is published, with shards."""
    return export_dataset(tiny, tiny.parent / "published", SETTINGS).folder


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Imported clips whose further columns are empty, or of other types, in some splits.

    The test split holds real clips alone, and two clips differ in a folder's name only.
    """
    root = tmp_path_factory.mktemp("mixed") / "dataset"
    folder = str(root.parent)
    extras: tuple[dict[str, Any], ...] = (
        {"age": 31, "day": "2020-01-31", "camera": "a", "video": "x", "source_file_name": "y"},
        {"age": None, "day": "2021-02-01", "camera": None, "notes": {"a": 1}, "rate": 2},
        {"camera": "b", "tags": ["p", "q"], "rate": 2.5, "path": f"{folder}/films/x.mp4"},
        {"day": "in June", "mixed": 3, "rate": 1},
        {"day": "2022-03-01", "mixed": "three", "rate": 1},
    )
    clips = []
    for number, (split, label) in enumerate(
        [("train", "real"), ("train", "fake"), ("validation", "real"), ("validation", "fake"),
         ("test", "real")]
    ):  # fmt: skip
        name = f"{split}/{label}/a.b{number}.mp4"
        grow(root, name)
        clips.append(
            Clip(
                file_name=name,
                label=label,
                split=split,
                identities=(f"p{number}",),
                method="faceswap" if label == "fake" else "",
                source_frame=4 if label == "fake" else None,
                licence="Terms of the makers",
                consent="agreed in writing",
                extra=extras[number],
            )
        )
    again = clips[0].model_copy(
        update={"file_name": "train_real/a.b0.mp4", "clip_id": "train--real/a.b0"}
    )
    grow(root, again.file_name)
    write_manifest(root, [*clips, again])
    return root


def test_load_dataset_gives_three_splits(
    exported: Path, mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is decoded to load; odd columns have one type in all splits."""
    datasets = pytest.importorskip("datasets", reason="`datasets` is not installed")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    cache = str(tmp_path / "cache")
    found = datasets.load_dataset(str(exported), cache_dir=cache)
    assert {split: len(part) for split, part in found.items()} == COUNTS
    test = found["test"].cast_column("video", datasets.Video(decode=False))
    assert Counter(test["label"]) == {"real": 4, "fake": 4}
    assert set(test["split"]) == {"test"}
    assert test.features["source_frame"] == datasets.Value("int64")
    columns = set(Clip.model_fields) - {"file_name", "extra", "dataset"} | {"video"}
    assert set(test.column_names) == columns
    for row in test:
        assert sha256_file(Path(row["video"]["path"])) == row["sha256"]

    out = export_dataset(mixed, tmp_path / "mixed").folder
    found = datasets.load_dataset(str(out), cache_dir=cache)
    assert {split: len(part) for split, part in found.items()} == {
        "train": 3, "validation": 2, "test": 1,
    }  # fmt: skip
    types = found["train"].features
    text = {str(types[n]) for n in ("age", "day", "mixed", "tags", "notes", "source_frame")}
    assert text == {str(datasets.Value("string"))}
    assert types["rate"] == datasets.Value("float64")


def test_odd_columns_come_back(mixed: Path, tmp_path: Path) -> None:
    out = export_dataset(mixed, tmp_path / "out").folder
    before = {c.clip_id: c for c in read_manifest(mixed).clips}
    after = {c.clip_id: c for c in read_manifest(out).clips}
    assert before.keys() == after.keys()
    assert len({c.file_name.lower() for c in after.values()}) == len(after)
    for name, clip in after.items():
        same = ("label", "split", "identities", "method", "source_frame", "screening", "action")
        assert [getattr(clip, f) for f in same] == [getattr(before[name], f) for f in same]
        assert (out / clip.file_name).read_bytes() == clip_file().read_bytes()
    extra = {name.rpartition(".")[2]: clip.extra for name, clip in after.items()}
    assert extra["b1"]["day"] == "2021-02-01"
    assert extra["b0"]["video_"] == "x"
    assert extra["b2"]["path"] == "x.mp4"
    assert extra["b1"]["notes"] == '{"a": 1}'
    assert "camera" not in extra["b3"]
    assert verify(out) == []


def test_records_are_the_same_but_for_their_paths(tiny: Path, exported: Path) -> None:
    changed = {"file_name": ""}
    before = {
        (c.clip_id, c.quality): c.model_copy(update=changed) for c in read_manifest(tiny).clips
    }
    after = {
        (c.clip_id, c.quality): c.model_copy(update=changed) for c in read_manifest(exported).clips
    }
    assert before == after
    assert read_info(exported).splits == read_info(tiny).splits
    assert read_rejected(exported)[0].reason == "x.mp4: no face found"


def test_provenance_survives(exported: Path) -> None:
    for clip in read_manifest(exported).clips:
        tag = read_comment(exported / clip.file_name)
        assert tag.startswith(f"dfmnist {clip.label}: ")


def test_croissant_is_valid_and_can_be_read(exported: Path) -> None:
    mlc = pytest.importorskip("mlcroissant", reason="`mlcroissant` is not installed")
    found = mlc.Dataset(jsonld=exported / "croissant.json")
    assert not found.metadata.issues.errors
    assert not found.metadata.issues.warnings
    assert "http://mlcommons.org/croissant/1.1" in found.metadata.conforms_to
    assert found.metadata.license == ["https://spdx.org/licenses/Apache-2.0.html"]
    assert str(found.metadata.date_published.date()) == "2026-01-31"
    rows = list(found.records("clips"))
    assert Counter(row["clips/split"].decode() for row in rows) == COUNTS
    assert {row["clips/num_frames"] for row in rows} == {10}
    for name in ("data_collection", "data_use_cases", "data_limitations", "data_biases",
                 "data_social_impact", "personal_sensitive_information", "data_annotation_protocol",
                 "data_preprocessing_protocol", "data_release_maintenance_plan"):  # fmt: skip
        assert getattr(found.metadata, name), name


def test_the_card_can_be_read(exported: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="`huggingface_hub` is not installed")
    card = hub.DatasetCard.load(exported / "README.md")
    assert card.data.license == "apache-2.0"
    assert card.data.pretty_name == "Tiny"
    (config,) = card.data.to_dict()["configs"]
    assert {one["split"]: one["path"] for one in config["data_files"]} == {
        split: [f"{split}/**"] for split in COUNTS
    }
    for text in ("This dataset holds fakes", "synthetic actor", "## Licence and consent",
                 "- Consent: no person is shown", "## Intended use", "## Not for", "CRF 18",
                 "4:2:0", "Blink | 1 of 1 | 1 of 2"):  # fmt: skip
        assert text in card.text, text


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (("CC0-1.0 (synthetic actors)",), "cc0-1.0"),
        (("MIT", "Apache-2.0; CC-BY-4.0"), ["apache-2.0", "cc-by-4.0", "mit"]),
        (("GPL-3.0-or-later",), "gpl-3.0"),
        (("Research only: ask us", "MIT"), "other"),
    ],
)
def test_licences_have_slugs(licences: tuple[str, ...], expected: object) -> None:
    yaml = pytest.importorskip("yaml")
    from dfmnist.dataset.export.terms import licence_lines, terms_of

    terms = terms_of([record(licence=licence) for licence in licences])
    found = yaml.safe_load("\n".join(licence_lines(terms, link=True)))
    slugs = found["license"]
    assert (sorted(slugs) if isinstance(slugs, list) else slugs) == expected
    assert ("license_link" in found) == (expected == "other")


def test_a_statement_is_one_line_of_the_licence_text() -> None:
    text = licence_text(Terms(("CC0-1.0\n# Forged \x1b[2J",), ("agreed\n- forged",)))
    assert "\n- CC0-1.0 # Forged \\u001b[2J\n" in text
    assert "\n- agreed - forged\n" in text


def test_the_sums_are_those_of_coreutils(exported: Path, tmp_path: Path) -> None:
    listed = {line[66:] for line in (exported / "SHA256SUMS").read_text().splitlines()}
    there = {p.relative_to(exported).as_posix() for p in exported.rglob("*") if p.is_file()}
    assert there - listed == {"SHA256SUMS", ".dfmnist"}
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    command = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(command, cwd=copy, check=False).returncode == 0
    (copy / "README.md").write_text("other")
    assert subprocess.run(command, cwd=copy, check=False, capture_output=True).returncode == 1
    assert verify(copy)[0].startswith("README.md: SHA-256 is ")
    (copy / "train/raw/real/new.mp4").write_bytes(b"")
    assert "train/raw/real/new.mp4: not in SHA256SUMS" in verify(copy)


def test_names_that_coreutils_escape(tmp_path: Path) -> None:
    from dfmnist.dataset.export.checksums import check_sums, read_sums, write_sums

    (tmp_path / "a\nb").write_text("x")
    (tmp_path / "a\\nb").write_text("y")
    write_sums(tmp_path, {})
    assert set(read_sums(tmp_path) or ()) == {"a\nb", "a\\nb"}
    assert check_sums(tmp_path, {}, []) == []
    if shutil.which("sha256sum"):
        command = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
        assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0


def texts_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below `folder` as bytes, members of tar files too."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield path.name, path.read_bytes()


def test_no_file_names_a_folder_of_this_machine(
    tiny: Path, exported: Path, mixed: Path, tmp_path: Path
) -> None:
    """All bytes are searched, and so the containers' fields and the shards."""
    out = export_dataset(
        mixed, tmp_path / "out", replace(SETTINGS, name="", webdataset=True)
    ).folder
    secret = (tiny, mixed, tmp_path, Path.home(), Path.cwd(), Path(sys.prefix))
    for folder in (exported, out):
        for name, data in texts_of(folder):
            for path in secret:
                assert os.fsencode(f"{path}/") not in data, (name, path)


def test_a_clip_that_names_a_folder_is_refused(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "dataset"
    shutil.copytree(tiny, root)
    clips = list(read_manifest(root).clips)
    path = root / clips[0].file_name
    write_video(path, frames_of(0, "fake", 10), Fraction(25), crf=23, comment=f"from {root}/a.avi")
    clips[0] = clips[0].model_copy(update={"sha256": sha256_file(path)})
    write_manifest(root, clips)
    line = refused_at_last(capsys, "dataset", "export", root, "--out", tmp_path / "out")
    assert f"the first: {clips[0].file_name}: holds the path {root}/… of this machine" in line


def test_a_path_is_found_wherever_it_stands_and_no_part_of_another(tmp_path: Path) -> None:
    file = tmp_path / "file"
    edge = b"x" * (export_files._CHUNK - 4)
    for data, found in (
        (b"from /videos/a.mp4", "/videos/"),
        (edge + b"'/videos/a.mp4", "/videos/"),
        (b"fake/videos/a.mp4", ""),
        (edge + b"fake/videos/a.mp4", ""),
    ):
        file.write_bytes(data)
        digest, size, named = export_files.hash_and_search(file, (b"/videos/",))
        assert (digest, size, named) == (sha256_file(file), len(data), found)
    assert export_files.secrets_of(Path("/d")) == export_files.secrets_of()


def test_text_that_names_a_folder_is_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"README\.md: holds the path"):
        export_dataset(tiny, tmp_path / "out", ExportConfig(description=f"Made in {tiny}/."))


def test_an_absolute_root_is_not_published(mixed: Path, tmp_path: Path) -> None:
    root = tmp_path / "elsewhere"
    root.mkdir()
    shutil.copyfile(mixed / "metadata.jsonl", root / "metadata.jsonl")
    write_info(root, DatasetInfo(root=str(mixed)))
    out = export_dataset(root, tmp_path / "out").folder
    assert read_info(out).root == "."
    assert verify(out) == []


def test_without_terms_nothing_is_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{label}/{who}_1.mp4" for label in ("real", "fake") for who in "abc"]
    files, root, out = grow(tmp_path / "files", *names), tmp_path / "set", tmp_path / "out"
    assert called(capsys, "dataset", "import", "folder", files, "--out", root)[0] == 0
    line = refused(capsys, "dataset", "export", root, "--out", out)
    assert "6 clips state no licence, such as fake/a_1.mp4; expected one for every clip" in line
    line = refused(capsys, "dataset", "export", root, "--out", out, "--licence", "MIT")
    assert "6 clips state no consent" in line
    assert not out.exists()
    code, said, err = called(
        capsys, "dataset", "export", root, "--out", out, "--licence", "Ask us", "--consent",
        "given", "--set", "url=https://example.org",
    )  # fmt: skip
    assert code == 0, err
    assert said == f"{out}: 6 files (train 2, validation 2, test 2)\n"
    assert "'Ask us' is no SPDX identifier" in err
    assert "Croissant also asks for creator: --set creator=…" in err
    assert {(c.licence, c.consent) for c in read_manifest(out).clips} == {("Ask us", "given")}
    assert "- Ask us" in (out / "LICENSE.md").read_text()
    assert verify(out) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quality", "c40"], "has no clips in c40; expected raw or c23"),
        (["--set", "version=one"], "version=one; expected MAJOR.MINOR.PATCH"),
        (["--set", "url=here"], "url=here; expected an address"),
        (["--set", "published=today"], "published=today; expected a day such as 2026-01-31"),
        (["--set", "shard_mb=0"], "shard_mb=0; expected 1 or more"),
    ],
)
def test_bad_settings_are_one_line(
    tiny: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert message in refused(
        capsys, "dataset", "export", tiny, "--out", tmp_path / "o", *arguments
    )


def test_folders_of_something_else_are_refused(tiny: Path, exported: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        export_dataset(tiny, foreign)
    assert (foreign / "letter.txt").read_text() == "mine"
    for inside in (tiny / "out", tiny.parent):
        with pytest.raises(InputError, match="overlaps with"):
            export_dataset(tiny, inside)
    with pytest.raises(InputError, match="holds an export of another dataset or settings"):
        export_dataset(tiny, exported, replace(SETTINGS, qualities=("raw",)))


def test_a_chosen_quality(tiny: Path, tmp_path: Path) -> None:
    config = ExportConfig(name="Tiny\n# Forged \x1b[2J", qualities=("c23",))
    made = export_dataset(tiny, tmp_path / "out", config)
    assert made.counts == {"train": 8, "validation": 4, "test": 4}
    assert "\n# Tiny # Forged \\u001b[2J\n" in (made.folder / "README.md").read_text()
    assert {clip.quality for clip in read_manifest(made.folder).clips} == {"c23"}
    assert verify(made.folder) == []


def test_a_stopped_export_goes_on(
    tiny: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, placed = tmp_path / "out", []

    def place(source: Path, target: Path, most: int) -> None:
        if len(placed) == most:
            raise KeyboardInterrupt
        placed.append(target)
        core_files.place_file(source, target)

    monkeypatch.setattr(export_files, "place_file", lambda a, b: place(a, b, 20))
    with pytest.raises(KeyboardInterrupt):
        export_dataset(tiny, out, SETTINGS)
    assert not (out / "SHA256SUMS").exists()
    monkeypatch.setattr(export_files, "place_file", lambda a, b: place(a, b, 99))
    export_dataset(tiny, out, SETTINGS)
    assert len(placed) == len(set(placed)) == 32
    assert dict(sums(out)) == dict(sums(exported))
    assert manifest_hash(out) == manifest_hash(exported)


def sums(folder: Path) -> Iterator[tuple[str, str]]:
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        yield line[66:], line[:64]


def test_files_are_links_where_that_can_be(
    tiny: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = read_manifest(exported).clips[0]
    source = tiny / "clips" / clip.quality / f"{clip.clip_id}.mp4"
    assert (exported / clip.file_name).samefile(source)

    def no_link(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", no_link)
    out = export_dataset(tiny, tmp_path / "out", SETTINGS).folder
    assert not (out / clip.file_name).samefile(source)
    assert dict(sums(out)) == dict(sums(exported))
    assert not list(out.rglob(".tmp-*"))


def test_a_file_that_is_not_the_manifest_s_is_refused(tiny: Path, tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    shutil.copytree(tiny, root)
    first, second = (root / c.file_name for c in read_manifest(root).clips[:2])
    first.write_bytes(first.read_bytes() + b"x")
    second.unlink()
    with pytest.raises(InputError, match=r"2 files cannot be published, the first: .*SHA-256 is"):
        export_dataset(root, tmp_path / "out")


def test_shards_are_mixed_sized_and_always_the_same(
    tiny: Path, exported: Path, tmp_path: Path
) -> None:
    again = export_dataset(tiny, tmp_path / "again", SETTINGS).folder
    for path in sorted((exported / "webdataset").iterdir()):
        assert path.read_bytes() == (again / "webdataset" / path.name).read_bytes()
    with tarfile.open(exported / "webdataset/train-000000.tar") as tar:
        members = tar.getmembers()
        names = [member.name for member in members]
        assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in members} == {(0, 0, 0, "", 0o644)}
    assert len(names) == 2 * COUNTS["train"]
    assert [n.removesuffix(".mp4") for n in names[::2]] == [
        n.removesuffix(".json") for n in names[1::2]
    ]
    assert {"real", "fake"} == {name.split("/")[1] for name in names[:8]}

    from dfmnist.dataset.export.shards import write_shards

    rows = {
        "test": [
            json.loads(line) for line in (exported / "test/metadata.jsonl").read_text().splitlines()
        ]
    }
    sizes = [(exported / "test" / row["file_name"]).stat().st_size for row in rows["test"]]
    shutil.copytree(exported / "test", tmp_path / "small/test")
    most = 2 * max(sizes) + 8_000
    small = write_shards(tmp_path / "small", rows, most)
    assert len(small) > 2
    assert all(path.stat().st_size <= most + 10_240 for path in small)  # tar fills its last record


def test_shards_can_be_read(exported: Path) -> None:
    wds = pytest.importorskip("webdataset", reason="`webdataset` is not installed")
    url = str(exported / "webdataset/test-000000.tar")
    samples = list(wds.WebDataset(url, shardshuffle=False).decode())
    assert len(samples) == COUNTS["test"]
    for sample in samples:
        assert sample["json"]["split"] == "test"
        assert sample["mp4"] == (exported / "test" / sample["json"]["file_name"]).read_bytes()


def test_any_dataset_has_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert ExportConfig().day == "1970-01-02"
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", ExportConfig().day)


def test_a_split_of_another_folder_is_refused(exported: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    file = copy / "test/metadata.jsonl"
    file.write_text(file.read_text().replace('"split": "test"', '"split": "train"', 1))
    with pytest.raises(
        InputError, match=r"test/metadata\.jsonl:1: states split train; expected test"
    ):
        read_manifest(copy)


def test_a_semicolon_within_brackets_parts_no_licences() -> None:
    assert Terms(("CC0-1.0 (a; b)",), ()).spdx == ("CC0-1.0",)
    assert Terms(("MIT; CC0-1.0 (a; b)",), ()).spdx == ("MIT", "CC0-1.0")
    assert Terms(("MIT; as told",), ()).spdx == ()
