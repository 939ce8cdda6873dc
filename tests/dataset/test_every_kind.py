"""Each public layout from import to scores: `import`, `audit`, `train` for two steps, `score`."""

import json
from pathlib import Path

import polars as pl
import pytest
from tests.dataset.test_layouts import CASES, imported, tree, uadfv
from tests.dataset.trees import differ
from tests.running import called, refused_at_last

from dfmnist.dataset.manifest import Manifest, read_manifest

QUICK = ("celeb-df-v2", "uadfv")
"""Layouts of the ordinary suite; the others take a minute together."""
ONE_CLASS = {"voxceleb1": "real", "adfes": "real", "df40": "fake"}
"""Layouts of one label, and that label."""


def kinds(*names: str) -> list[object]:
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.soak) for name in names]


def training(found: Manifest, runs: Path) -> list[object]:
    """The words of a training of two steps."""
    quality = found.clips[0].quality
    clips = len(found.select(split="train", quality=quality).clips)
    return [
        "train", found.root, "--network", "meso4", "--epochs", 1, "--batch-size", -(-clips // 2),
        "--set", "size_px=64", "--set", "frames_per_clip=1", "--set", "pairing=none",
        "--quality", quality, "--out", runs,
    ]  # fmt: skip


def trained(capsys: pytest.CaptureFixture[str], found: Manifest, runs: Path) -> Path:
    code, said, err = called(capsys, *training(found, runs))
    assert code == 0, err
    run = Path(said.split(":")[0])
    assert json.loads((run / "run.json").read_text())["steps"] == 2
    return run


@pytest.mark.parametrize("kind", kinds(*CASES))
def test_import_audit_train_score(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = differ(tree(kind, tmp_path))
    found = imported(kind, root, capsys, *CASES[kind].options)
    code, said, err = called(capsys, "dataset", "audit", found.root, "--json")
    assert code == 0, err
    audit = json.loads(said)
    assert audit["failed"] == []
    assert audit["files"] == len(found.clips) == CASES[kind].real + CASES[kind].fake
    labels = {clip.label for clip in found.clips}
    assert (audit["protocol"] is None) is (len(labels) == 1)
    assert sum(row["real"] + row["fake"] for row in audit["counts"]["quality"].values()) == len(
        found.clips
    )
    runs = tmp_path / "runs"
    if kind in ONE_CLASS:
        line = refused_at_last(capsys, *training(found, runs))
        assert f"are all {ONE_CLASS[kind]}; expected some of both classes" in line
        other = imported("uadfv", differ(grown(tmp_path / "other/files")), capsys)
        run = trained(capsys, other, runs)
    else:
        run = trained(capsys, found, runs)
    code, _, err = called(capsys, "score", run, found.root, "--quality", found.clips[0].quality)
    assert code == 0, err
    scores = pl.read_parquet(next(run.glob("scores-*.parquet")))
    tested = found.select(split="test", quality=found.clips[0].quality).clips
    assert set(scores["clip_id"]) == {clip.clip_id for clip in tested}
    assert scores["logit"].null_count() == 0


def grown(root: Path) -> Path:
    root.mkdir(parents=True)
    uadfv(root)
    return root


def test_fakes_of_one_method(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree("faceforensics", tmp_path)
    found = imported("faceforensics", root, capsys, "--method", "face2face")
    assert {clip.method for clip in found.clips} == {"", "face2face"}
    whole = CASES["faceforensics"]
    actors = 6  # their real clips belong to DeepFakeDetection
    assert sum(clip.label == "real" for clip in found.clips) == whole.real - actors
    assert not any(clip.source.startswith("actor-") for clip in found.clips)
    assert (found.root / "import-problems.txt").read_text() == ""
    code, _, err = called(
        capsys, "dataset", "import", "faceforensics", root, "--out", tmp_path / "x",
        "--method", "neuraltextures",
    )  # fmt: skip
    assert code == 2
    assert "holds no fakes of neuraltextures; expected some of deepfakedetection, deepf" in err


@pytest.mark.parametrize("kind", CASES)
def test_an_empty_folder(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    way = ["dataset", "import", kind, tmp_path / "empty", "--out", tmp_path / "x"]
    assert "empty: is empty; expected " in refused_at_last(capsys, *way)
    assert not (tmp_path / "x").exists()


def test_a_copy_that_stopped_half_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One method's folder has a few files, the last of them cut; another was not begun."""
    root = tree("faceforensics", tmp_path)
    folder = root / "manipulated_sequences/Face2Face/c40/videos"
    *gone, cut, whole = sorted(folder.glob("*.mp4"))
    for path in gone:
        path.unlink()
    half = cut.read_bytes()
    cut.unlink()  # it is a link to a file that others share
    cut.write_bytes(half[: len(half) // 2])
    out = tmp_path / "out"
    way = ["dataset", "import", "faceforensics", root, "--out", out]
    code, _, err = called(capsys, *way)
    assert code == 2
    assert f"{len(gone) + 1} files are missing, unreadable or unknown, of 60 clips" in err
    listed = (out / "import-problems.txt").read_text().splitlines()
    assert len(listed) == len(gone) + 1
    assert sum(line.endswith(": missing") for line in listed) == len(gone)
    assert any(f"c40/videos/{cut.name}" in line and ": missing" not in line for line in listed)
    assert called(capsys, *way, "--allow-missing")[0] == 0
    names = {Path(clip.file_name).name for clip in read_manifest(out).clips
             if clip.file_name.startswith("manipulated_sequences/Face2Face/c40")}  # fmt: skip
    assert names == {whole.name}
