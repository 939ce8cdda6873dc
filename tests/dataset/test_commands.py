"""`dfmnist dataset audit` and `dfmnist dataset verify`, as a user meets them."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.running import called, refused

from dfmnist.media.video import write_video


def test_honest(make_dataset, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_dataset(people=4)
    code, audited, _ = called(capsys, "dataset", "audit", root, "--save")
    assert code == 0
    assert "0.500" in audited
    assert (root / "audit.json").is_file()
    code, verified, _ = called(capsys, "dataset", "verify", root / "metadata.jsonl")
    assert code == 0
    assert "8 files are as the manifest says" in verified


def test_as_json(make_dataset, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_dataset(people=4)
    code, out, _ = called(capsys, "dataset", "audit", root, "--save", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["passed"]
    assert found["protocol"]["auc"]["value"] == 0.5
    assert found == json.loads((root / "audit.json").read_text())
    code, out, _ = called(capsys, "dataset", "verify", root, "--json")
    assert code == 0
    assert {**json.loads(out), "manifest_sha256": ""} == {
        "files": 8, "manifest_sha256": "", "problems": [], "notes": [],
    }  # fmt: skip


def test_leak(make_dataset, capsys: pytest.CaptureFixture[str]) -> None:
    def faster(path: Path, frames: np.ndarray, crf: int, tag: str) -> int:
        return write_video(path, frames, Fraction(50), crf=crf, comment=tag)

    root = make_dataset(people=4, fake_writer=faster)
    code, out, err = called(capsys, "dataset", "audit", root, "--json")
    assert code == 2
    assert "fps (real 25, fake 50)" in err
    assert not json.loads(out)["passed"]


def test_damage(make_dataset, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_dataset(people=3)
    next(root.rglob("*.mp4")).write_bytes(b"other")
    code, out, err = called(capsys, "dataset", "verify", root)
    assert code == 2
    assert "SHA-256" in out
    assert "1 problems" in err


@pytest.mark.parametrize("command", ["audit", "verify"])
def test_no_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert "no such file" in refused(capsys, "dataset", command, tmp_path)
