"""Whole files or none, folders of ours or refused."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from dfmnist.core.config import config_hash
from dfmnist.core.errors import InputError
from dfmnist.core.files import (
    atomic_path,
    claim_folder,
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
    with pytest.raises(InputError, match="holds a dataset"):
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
