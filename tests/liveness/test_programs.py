"""Detectors that are programs or functions: their failure is a verdict with a reason."""

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dfmnist.core.actions import Action
from dfmnist.core.errors import InputError
from dfmnist.liveness.base import Verdict
from dfmnist.liveness.clip_file import ClipFile
from dfmnist.liveness.command import ProgramDetector
from dfmnist.liveness.detector_config import CommandDetector, PythonDetector
from dfmnist.liveness.function import FunctionDetector

FRAMES = np.zeros((3, 8, 8, 3), np.uint8)


def run(tmp_path: Path, program: str, *words: str) -> Verdict:
    path = tmp_path / "clip one.mp4"
    path.write_bytes(b"x")
    config = CommandDetector(
        kind="command",
        name="mine",
        command=(sys.executable, "-c", program, *words),
    )
    return ProgramDetector(config).assess(ClipFile(path, Action.NOD))


def test_a_program_is_given_the_clip_and_the_action(tmp_path: Path) -> None:
    program = (
        "import json, sys; ok = sys.argv[1:] == ['--action=nod', sys.argv[2]] and "
        "open(sys.argv[2]).read() == 'x'; print(json.dumps({'live': ok, 'score': 0.7}))"
    )
    assert run(tmp_path, program, "--action={action}") == Verdict("mine", True, 0.7, "")
    rejected = run(tmp_path, 'print(\'{"live": false, "score": 0.1}\')')
    assert rejected == Verdict("mine", False, 0.1, "rejected by mine")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("raise SystemExit('no model')", "the program ended with exit code 1 (no model)"),
        ("pass", "the program printed nothing"),
        ("print('{\"live\": tr')", "the program printed no valid JSON"),
        ("print('{\"live\": true}')", "the answer has no 'score'"),
        ('print(\'{"live": true, "score": NaN}\')', "'score' is not a finite number"),
    ],
)
def test_a_program_that_fails(tmp_path: Path, program: str, reason: str) -> None:
    verdict = run(tmp_path, program)
    assert not verdict.assessed
    assert verdict.reason.startswith(reason)


def test_no_such_program(tmp_path: Path) -> None:
    config = CommandDetector(kind="command", name="mine", command=("no-such-program-here",))
    verdict = ProgramDetector(config).assess(ClipFile(tmp_path / "a.mp4", None))
    assert verdict == Verdict.not_assessed("mine", "there is no program 'no-such-program-here'")


MODULE = """
import numpy as np
from dfmnist.liveness.base import Verdict
def mapping(frames, fps, action):
    print("not a verdict")
    return {"live": np.bool_(fps == 25 and action == "nod"), "score": np.float32(frames.mean())}
def boolean(frames, fps, action): return action is None
def verdict(frames, fps, action): return Verdict("other", False, 0.2, "too dark")
def writes(frames, fps, action): frames[:] = 1
def raises(frames, fps, action): raise RuntimeError("two\\nlines")
def ends(frames, fps, action): raise SystemExit(0)
def nothing(frames, fps, action): return None
def nan(frames, fps, action): return {"live": True, "score": float("nan")}
def nan_verdict(frames, fps, action): return Verdict("other", True, float("nan"), "")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "users_checks.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.delitem(sys.modules, "users_checks", raising=False)
    return "users_checks"


def called(name: str, action: Action | None = Action.NOD) -> Verdict:
    config = PythonDetector(kind="python", name="mine", function=name)
    return FunctionDetector(config)(FRAMES, Fraction(25), action)


def test_a_function_of_the_working_directory(module: str, capsys: Any) -> None:
    assert called(f"{module}:mapping") == Verdict("mine", True, 0.0, "")
    assert capsys.readouterr().out == ""
    assert called(f"{module}:boolean", None) == Verdict("mine", True, 1.0, "")
    assert called(f"{module}:boolean") == Verdict("mine", False, 0.0, "rejected by mine")
    assert called(f"{module}:verdict") == Verdict("mine", False, 0.2, "too dark")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("raises", "the function raised RuntimeError: two lines"),
        ("writes", "the function raised ValueError: assignment destination is read-only"),
        ("ends", "the function ended the program"),
        ("nothing", "the function returned NoneType; expected a mapping or a bool"),
        ("nan", "'score' is not a finite number"),
        ("nan_verdict", "the verdict's score is not a finite number"),
    ],
)
def test_a_function_that_fails(module: str, function: str, reason: str) -> None:
    assert called(f"{module}:{function}") == Verdict.not_assessed("mine", reason)
    assert (FRAMES == 0).all()


def test_no_such_function(module: str) -> None:
    with pytest.raises(InputError, match=f"--detector python:{module}:gone: .* no function gone"):
        called(f"{module}:gone")
