"""The command line run in this process, as a user's words would run it."""

import doctest
import sys
from collections.abc import Callable
from typing import Any

import pytest

from dfmnist import cli


def called(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `dfmnist ARGUMENTS`."""
    old, sys.argv = sys.argv, ["dfmnist", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as stop:
            cli.main()
    finally:
        sys.argv = old
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a command prints which refuses its input."""
    code, _, err = called(capsys, *arguments)
    assert code == 2
    lines = err.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("dfmnist: ")
    return lines[0]


def refused_at_last(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """As `refused`, where a progress bar may stand before the line."""
    code, _, err = called(capsys, *arguments)
    assert code == 2
    last = err.strip().splitlines()[-1]
    assert last.startswith("dfmnist: ")
    return last


def run_example(function: Callable[..., Any]) -> None:
    """Run the example in a function's docstring, in the working directory."""
    (test,) = (t for t in doctest.DocTestFinder().find(function, globs={}) if t.examples)
    report: list[str] = []
    result = doctest.DocTestRunner().run(test, out=report.append)
    assert result.attempted
    assert not result.failed, "".join(report)
