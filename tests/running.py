"""The command line run in this process, as a user's words would run it."""

import sys

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
