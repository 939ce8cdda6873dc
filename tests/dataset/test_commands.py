"""`dfmnist audit` and `dfmnist verify`, as a user meets them."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from dfmnist.cli import dataset as commands
from dfmnist.core.errors import InputError
from dfmnist.media.video import write_video


def invoke(*words: str) -> Result:
    app = typer.Typer()
    commands.register(app)
    return CliRunner().invoke(app, list(words))


def test_honest(make_dataset) -> None:
    root = make_dataset(people=4)
    audited = invoke("audit", str(root), "--save")
    assert audited.exit_code == 0, audited.output
    assert "0.500" in audited.output
    assert (root / "audit.json").is_file()
    verified = invoke("verify", str(root))
    assert verified.exit_code == 0, verified.output
    assert "8 files are as the manifest says" in verified.output


def test_leak(make_dataset) -> None:
    def faster(path: Path, frames: np.ndarray, crf: int, tag: str) -> int:
        return write_video(path, frames, Fraction(50), crf=crf, comment=tag)

    result = invoke("audit", str(make_dataset(people=4, fake_writer=faster)))
    assert isinstance(result.exception, InputError)
    assert "fps (real 25, fake 50)" in str(result.exception)


def test_damage(make_dataset) -> None:
    root = make_dataset(people=3)
    next(root.rglob("*.mp4")).write_bytes(b"other")
    result = invoke("verify", str(root))
    assert "SHA-256" in result.output
    assert isinstance(result.exception, InputError)
    assert "1 problems" in str(result.exception)


@pytest.mark.parametrize("command", ["audit", "verify"])
def test_no_dataset(tmp_path: Path, command: str) -> None:
    result = invoke(command, str(tmp_path))
    assert isinstance(result.exception, InputError)
    assert "no such file" in str(result.exception)
