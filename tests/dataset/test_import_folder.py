"""`dfmnist dataset import folder`: somebody's own folder becomes a dataset."""

import json
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from tests.dataset.trees import FRAMES, SIDE_PX, clip_file, grow
from tests.detectors.conftest import clip_frames
from tests.running import called, refused, refused_at_last

from dfmnist.core.errors import InputError
from dfmnist.dataset.headers import header_of
from dfmnist.dataset.importing import declared_root
from dfmnist.dataset.layouts.folder import first_part
from dfmnist.dataset.manifest import Manifest, read_manifest
from dfmnist.media.video import write_video

PEOPLE = ("ann", "bob", "cid", "dee")


def plain(root: Path) -> Path:
    """Four people, one real and one fake clip each."""
    return grow(root, *(f"{label}/{who}_{label}.mp4" for who in PEOPLE for label in LABELS))


LABELS = ("real", "fake")


def imported(capsys: pytest.CaptureFixture[str], root: Path, *more: object) -> Manifest:
    out = root.parent / f"{root.name}-set"
    code, _, err = called(capsys, "dataset", "import", "folder", root, "--out", out, *more)
    assert code == 0, err
    return read_manifest(out)


def test_import_train_score_report_audit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path of a user with a folder of clips, command after command."""
    files, out, runs = tmp_path / "files", tmp_path / "set", tmp_path / "runs"
    for index, who in enumerate("abcdef"):
        for label in LABELS:
            frames = clip_frames(10 * index + (label == "fake"), label == "fake")
            write_video(files / label / f"{who}_1.mp4", frames, Fraction(25), crf=23)
    code, said, err = called(capsys, "dataset", "import", "folder", files, "--out", out)
    assert code == 0, err
    assert "before its first '_', '-' or '#'" in err
    assert "validation: 1 real and 1 fake clips" in said
    assert not list(out.rglob("*.mp4"))
    small = ["--set", "size_px=64", "--set", "frames_per_clip=2", "--set", "pairing=none"]
    code, said, err = called(
        capsys, "train", out, "--network", "meso4", "--epochs", "1", "--batch-size", "8", *small,
        "--out", runs,
    )  # fmt: skip
    assert code == 0, err
    run = Path(said.split(":")[0])
    assert json.loads((run / "config.json").read_text())["quality"] == "original"
    code, said, err = called(capsys, "score", run, out)
    assert code == 0, err
    scores = pl.read_parquet(run / "scores-test.parquet")
    assert scores["action"].null_count() == len(scores) == 4
    assert "\nfake  " in said
    code, _, err = called(capsys, "report", out, "--runs", runs, "--out", tmp_path / "page")
    assert code == 0, err
    code, said, err = called(capsys, "dataset", "audit", out, "--json")
    assert code == 0, err
    assert list(json.loads(said)["signal"]) == ["original"]
    code, said, err = called(capsys, "dataset", "verify", out)
    assert code == 0, said


def test_files_stay_in_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = imported(capsys, plain(tmp_path / "files"))
    assert {c.source for c in found.clips} == set(PEOPLE)
    assert {(c.label, c.method, c.action) for c in found.clips} == {
        ("real", "", None), ("fake", "", None),
    }  # fmt: skip
    assert all(found.path(clip).samefile(clip_file()) for clip in found.clips)
    header = header_of(found, found.clips[0])
    assert (header.num_frames, header.width, header.fps) == (FRAMES, SIDE_PX, 25)
    assert found.info.root == "../files"
    split_of = {c.source: c.split for c in found.clips}
    assert all(split_of[c.source] == c.split for c in found.clips)
    assert set(split_of.values()) == {"train", "validation", "test"}


def test_the_root_is_relative_where_both_can_be_moved(tmp_path: Path) -> None:
    for place in ("a/files", "a/set/files", "a"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
    out = tmp_path / "a/set"
    assert declared_root(tmp_path / "a/files", out) == "../files"
    assert declared_root(tmp_path / "a/set/files", out) == "files"
    assert declared_root(tmp_path / "a", out) == ".."
    far = tmp_path / "b/c/set"
    assert declared_root(tmp_path / "a/files", far) == str(tmp_path / "a/files")


def test_an_absolute_root_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files, out = plain(tmp_path / "a/files"), tmp_path / "b/set"
    assert called(capsys, "dataset", "import", "folder", files, "--out", out)[0] == 0
    code, said, _ = called(capsys, "dataset", "verify", out)
    assert code == 0
    assert f"note: dataset.json: the files' folder is {files}, an absolute path" in said


@pytest.mark.parametrize("names", ["{split}/{label}/{who}.mp4", "{label}/{split}/{who}.mp4"])
def test_splits_of_folders_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: str
) -> None:
    root = tmp_path / "files"
    splits = {"ann": "train", "bob": "val", "cid": "test"}
    grow(root, *(names.format(split=s, label=x, who=w) for w, s in splits.items() for x in LABELS))
    found = imported(capsys, root)
    assert {c.source: c.split for c in found.clips} == {
        "ann": "train", "bob": "validation", "cid": "test",
    }  # fmt: skip
    assert found.info.official_splits
    grow(root, "real/dan.mp4")
    said = refused(capsys, "dataset", "import", "folder", root, "--out", tmp_path / "other")
    assert "in none; expected train, validation and test for all clips" in said


def test_who_is_who(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, who in (
        ("ann_1.mp4", "ann"), ("bob-x_2.mp4", "bob"), ("cid#3.mp4", "cid"), ("dee.mp4", "dee"),
        ("_x.mp4", "_x"), ("id10282#Kpl0xY_uVmE#000012#000345.mp4", "id10282"),
    ):  # fmt: skip
        assert first_part(name) == who
    root = grow(tmp_path / "f", *(f"{x}/{w}/clip.mp4" for w in PEOPLE for x in LABELS))
    found = imported(capsys, root, "--identity", "folder")
    assert {c.source for c in found.clips} == set(PEOPLE)
    assert len({c.clip_id for c in found.clips}) == 8  # a folder's name does not name the clip
    said = refused_at_last(capsys, "dataset", "import", "folder", root, "--out", tmp_path / "o")
    assert "1 identities that share no clip; expected at least 3" in said
    flat = plain(tmp_path / "flat")
    said = refused(
        capsys, "dataset", "import", "folder", flat, "--out", tmp_path / "p", "--identity", "folder"
    )
    assert "lies in no folder of a person; expected real/PERSON/CLIP.mp4" in said


def test_a_table_says_who(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, table = plain(tmp_path / "files"), tmp_path / "people.csv"
    rows = ["file,identity,action,method,quality,split"]
    for who, split in zip(PEOPLE, ("train", "val", "test", "test"), strict=True):
        rows += [f"real/{who}_real.mp4,{who},nod,,c23,{split}"]
        rows += [f"fake/{who}_fake.mp4,{who};donor {split},yaw,faceswap,c23,{split}"]
    table.write_text("\n".join(rows))
    found = imported(capsys, root, "--identity", table)
    swap = next(c for c in found.clips if c.file_name == "fake/bob_fake.mp4")
    assert swap.identities == ("bob", "donor val")
    assert (swap.method, swap.quality, swap.split, swap.action) == (
        "faceswap", "c23", "validation", "yaw",
    )  # fmt: skip
    for bad, said in (
        ("file,identity\nreal/x.mp4,ann", "files are missing, unreadable or unknown"),
        ("file,who\na,b", "has no column 'identity'"),
        ("file,identity,colour\na,b,c", "unknown column 'colour'"),
        ("file,identity\nreal/ann_real.mp4,", ":2: names nobody for real/ann_real.mp4"),
        ("file,identity\nreal/a.mp4", ":2: has 1 cells"),
        ("file,identity\nx/a.mp4,a", "lies in no folder real or fake"),
        ("file,identity,split\nreal/ann_real.mp4,a,dev", ":2: split 'dev'"),
        ("file,identity,action\nreal/ann_real.mp4,a,dance", ":2: unknown action 'dance'"),
    ):
        table.write_text(bad)
        line = refused_at_last(
            capsys, "dataset", "import", "folder", root, "--out", tmp_path / "bad", "--identity",
            table,
        )  # fmt: skip
        assert said in line
    no = ["dataset", "import", "folder", root, "--out", tmp_path / "bad", "--identity"]
    assert "no such file; expected name, folder or a CSV" in refused(capsys, *no, "x.csv")


def test_what_cannot_be_used_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = plain(tmp_path / "files"), tmp_path / "set"
    (root / "real/broken_1.mp4").write_bytes(clip_file().read_bytes()[:200])
    (root / "real/note.txt").write_text("hello")
    (root / "real/.hidden.mp4").write_bytes(b"x")
    grow(root, "other/eve.mp4")
    code, _, err = called(capsys, "dataset", "import", "folder", root, "--out", out)
    assert code == 2
    assert "real/broken_1.mp4" in err
    assert "other/eve.mp4: not part of a plain folder" in err
    assert "2 files are missing, unreadable or unknown, of 9 clips; expected the whole" in err
    assert len((out / "import-problems.txt").read_text().splitlines()) == 2
    assert not (out / "metadata.jsonl").exists()
    code, said, err = called(
        capsys, "dataset", "import", "folder", root, "--out", out, "--allow-missing"
    )
    assert code == 0, err
    assert "1 entry left out (hidden: real/.hidden.mp4)" in err or "hidden: real/.hidden" in err
    assert "8 files, 2 left out" in said
    assert len(read_manifest(out).clips) == 8


def test_wrong_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    way = ["--out", tmp_path / "out"]
    assert "is empty" in refused(capsys, "dataset", "import", "folder", empty, *way)
    lost = tmp_path / "lost"
    assert "no such folder" in refused(capsys, "dataset", "import", "folder", lost, *way)
    (empty / "real").mkdir()
    assert "holds no video" in refused(capsys, "dataset", "import", "folder", empty, *way)
    celeb = grow(tmp_path / "celeb", "Celeb-real/id0_0000.mp4", "Celeb-synthesis/id0_id1_0000.mp4")
    said = refused(capsys, "dataset", "import", "folder", celeb, *way)
    assert "is not a plain folder: this looks like Celeb-DF v" in said
    assert "names its people" in said or "celeb-df-v" in said


def test_a_split_that_an_edit_made_leaky(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = imported(capsys, plain(tmp_path / "files"))
    file = found.root / "metadata.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    at = next(i for i, line in enumerate(lines) if line["split"] == "train")
    lines[at]["split"] = "test"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with pytest.raises(InputError, match="expected each person in one split"):
        read_manifest(found.root)
    both = [i for i, line in enumerate(lines) if line["identities"] == lines[at]["identities"]]
    for index in both:
        lines[index]["split"] = "test"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with pytest.raises(InputError, match=r"the splits are not those that dataset\.json records"):
        read_manifest(found.root)


def test_the_same_import_gives_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = plain(tmp_path / "files")
    first = (imported(capsys, root).root / "metadata.jsonl").read_bytes()
    assert (imported(capsys, root).root / "metadata.jsonl").read_bytes() == first
    other = imported(capsys, root, "--seed", "3", "--splits", "paper")
    assert other.info.splits is not None
    assert (other.info.splits.rule, other.info.splits.seed) == ("paper", 3)
