"""Whole files or none, folders of ours or refused."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from dfmnist.core.config import config_hash
from dfmnist.core.errors import InputError, StorageError
from dfmnist.core.files import (
    MARKER,
    atomic_path,
    check_writable,
    claim_folder,
    folder_lock,
    holds_folder,
    read_json,
    sha256_file,
    write_json,
    write_text,
)


def write_half(target: Path) -> None:
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "a" / "f.txt"
    write_text(target, "old")
    with pytest.raises(RuntimeError):
        write_half(target)
    assert target.read_text() == "old"
    assert [p.name for p in target.parent.iterdir()] == ["f.txt"]


def test_json_goes_round_and_a_broken_one_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"b": 1, "a": [1, 2]})
    assert read_json(path) == {"a": [1, 2], "b": 1}
    path.write_text("{")
    with pytest.raises(InputError, match=r"x\.json: not valid JSON"):
        read_json(path)
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "none.json")


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    claim_folder(tmp_path / "new", "dataset")
    claim_folder(tmp_path / "new", "dataset")
    with pytest.raises(InputError, match="is marked as dataset"):
        claim_folder(tmp_path / "new", "report")
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        claim_folder(other, "dataset")
    assert (other / "thesis.tex").read_text() == "mine"
    with pytest.raises(InputError, match="is a file"):
        claim_folder(other / "thesis.tex", "dataset")


def test_sha256_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256_file(path).startswith("ba7816bf8f01cfea")  # FIPS 180-2, B.1


@dataclass(frozen=True)
class _Config:
    lr: float
    fps: Fraction = Fraction(25)


def test_a_hash_depends_on_every_field() -> None:
    one = config_hash(_Config(0.1))
    assert one == config_hash(_Config(0.1))
    assert len({one, config_hash(_Config(0.2)), config_hash(_Config(0.1, Fraction(24)))}) == 3
    assert config_hash(_Config(0.1), "manifest") != one


HOLD = """
import sys, time
from pathlib import Path
from dfmnist.core.files import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder `out`, in which it is writing a file."""
    paths = os.pathsep.join([str(Path(__file__).resolve().parents[2] / "src")])
    claim_folder(tmp_path / "out", "dataset")
    command = [sys.executable, "-c", HOLD, str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        (tmp_path / "out" / ".tmp-abc.mp4").write_bytes(b"half")
        yield process
        process.kill()


def test_a_folder_in_use_is_refused_and_names_who_uses_it(
    held: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    said = f"is in use by process {held.pid} on {socket.gethostname()}; expected"
    with pytest.raises(InputError, match=re.escape(said)), folder_lock(tmp_path / "out"):
        pass
    assert (tmp_path / "out" / ".tmp-abc.mp4").exists()


def test_after_a_kill_the_folder_is_free_and_leftovers_are_removed(
    held: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    held.kill()
    held.wait()
    with folder_lock(tmp_path / "out"):
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
            ".dfmnist", ".dfmnist.lock",
        ]  # fmt: skip
    assert [p.name for p in (tmp_path / "out").iterdir()] == [".dfmnist"]


def test_a_lock_leaves_nothing_in_a_folder_of_other_content(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "new"):
        pass
    assert not (tmp_path / "new").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".tmp-of-mine").write_text("x")
    with folder_lock(tmp_path / "mine"):
        pass
    assert [p.name for p in (tmp_path / "mine").iterdir()] == [".tmp-of-mine"]


def test_a_function_holds_its_folder(tmp_path: Path) -> None:
    @holds_folder("out")
    def work(name: str, out: Path) -> str:
        with pytest.raises(InputError, match="in use"), folder_lock(out):
            pass
        (out / "result").write_text(name)
        return name

    assert [work("a", tmp_path / "out"), work("b", out=tmp_path / "out")] == ["a", "b"]
    assert (tmp_path / "out" / "result").read_text() == "b"


def test_a_claimed_folder_is_left_as_it_was_if_nothing_was_written(tmp_path: Path) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine"
    mine.mkdir()
    for folder in (out, mine):
        with folder_lock(folder, "dataset"):
            assert (folder / MARKER).read_text() == "dataset\n"
    assert [p.name for p in tmp_path.rglob("*")] == ["mine"]
    with folder_lock(out, "dataset"):
        (out / "a").write_text("x")
    assert sorted(p.name for p in out.iterdir()) == [MARKER, "a"]
    with pytest.raises(RuntimeError), folder_lock(out, "dataset"):  # a resume that fails
        raise RuntimeError
    assert sorted(p.name for p in out.iterdir()) == [MARKER, "a"]
    with pytest.raises(InputError, match="out: is marked as dataset"), folder_lock(out, "report"):
        pass
    (mine / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="holds something else"), folder_lock(mine, "dataset"):
        pass
    assert [p.name for p in mine.iterdir()] == ["thesis.tex"]
    with pytest.raises(InputError, match="is a file"), folder_lock(mine / "thesis.tex", "dataset"):
        pass


def test_whether_a_file_can_be_made_is_known_without_making_it(tmp_path: Path) -> None:
    new, file = tmp_path / "a" / "b" / "c.txt", tmp_path / "f"
    file.write_text("mine")
    check_writable(new)
    check_writable(new, folder=True)
    check_writable(file)
    check_writable(tmp_path, folder=True)
    for path, folder, said in (
        (tmp_path, False, "Is a directory"),
        (file, True, "Not a directory"),
        (file / "x" / "y", False, "Not a directory"),
    ):
        with pytest.raises(StorageError, match=rf"{path}: cannot be written \({said}\)"):
            check_writable(path, folder=folder)
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_file_is_not_written_onto_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(StorageError, match=r"a: cannot be written \("):
        write_text(tmp_path / "a", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
