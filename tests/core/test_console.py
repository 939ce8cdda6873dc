"""Progress where there is no terminal: plain lines that show life."""

import ast
import io
import logging
import re
import time
from pathlib import Path

import pytest
from rich.console import Console
from tests.sources import FILES, SRC, nodes

from dfmnist.core import console
from dfmnist.core.jobs import engine, run_jobs


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What would stand in a log file."""
    file = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=file))
    return file


def wait(seconds: float) -> None:
    time.sleep(seconds)


def test_jobs_say_how_far_they_are(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "LINE_EVERY_S", 0.1)
    with engine(workers=1):
        list(run_jobs(wait, [0.0, 0.35, 0.0], describe="film actors"))
    lines = log.getvalue().splitlines()
    assert all(re.fullmatch(r"film actors: [0-3] of 3, \d s", line) for line in lines)
    assert lines[-1].startswith("film actors: 3 of 3, ")
    assert 3 <= len(lines) <= 5  # one every tenth of a second, though nothing moves, and the last
    assert [line.split(",")[0] for line in lines].count("film actors: 1 of 3") >= 2


def test_a_short_stage_is_one_line(log: io.StringIO) -> None:
    with engine(workers=1):
        list(run_jobs(wait, [0.0] * 50, describe="film actors"))
    assert log.getvalue() == "film actors: 50 of 50, 0 s\n"


def test_each_task_of_a_bar_has_its_last_line(log: io.StringIO) -> None:
    with console.progress_bar() as bar:
        first, second = (bar.add_task(name, total=2) for name in ("find a face", "animate"))
        hidden = bar.add_task("hidden", total=1, visible=False)
        bar.advance(first, 2)
        bar.advance(hidden)
        bar.update(second, completed=2)
        bar.update(second, completed=2)
    assert log.getvalue() == "find a face: 2 of 2, 0 s\nanimate: 2 of 2, 0 s\n"


def test_a_task_of_unknown_size_says_what_is_done(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "LINE_EVERY_S", 0.1)
    with console.progress_bar() as bar:
        bar.advance(bar.add_task("file, MB", total=None), 7)
        time.sleep(0.15)
    assert log.getvalue() == "file, MB: 7, 0 s\n"


def test_a_failed_stage_has_no_last_line(log: io.StringIO) -> None:
    with pytest.raises(ValueError, match="must be non-negative"), engine(workers=1):
        list(run_jobs(wait, [0.0, -1.0], describe="film actors"))
    assert log.getvalue() == ""


def test_quiet_says_nothing(log: io.StringIO) -> None:
    console.set_quiet(True)
    with engine(workers=1):
        list(run_jobs(wait, [0.0, 0.0], describe="film actors"))
    assert log.getvalue() == ""
    console.set_quiet(False)
    list(run_jobs(wait, [0.0, 0.0], describe="film actors"))
    assert log.getvalue() != ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(
        console, "console", Console(file=file, force_terminal=True, _environ={"TERM": "xterm"})
    )
    with engine(workers=1):
        list(run_jobs(wait, [0.0, 0.0], describe="film actors"))
    assert "━" in file.getvalue()
    assert " of " not in file.getvalue()


HOSTILE = "a\nb \x1b[2J\u202ec :smile: [red]李雷[/red]"
SHOWN = r"a\nb \u001b[2J\u202ec :smile: [red]李雷[/red]"
"""A name that would forge a line, clear the screen and turn the text; emoji and colours of rich."""


def test_a_hostile_name_is_one_line_wherever_it_is_printed(
    log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    console.say(HOSTILE)
    with console.progress_bar() as bar:
        bar.advance(bar.add_task(HOSTILE, total=1))
    assert log.getvalue() == f"{SHOWN}\n{SHOWN}: 1 of 1, 0 s\n"
    console.show(HOSTILE, Path(HOSTILE))
    console.show_error(HOSTILE)
    assert capsys.readouterr() == (f"{SHOWN}\n{SHOWN}\n", f"dfmnist: {SHOWN}\n")
    record = logging.LogRecord("dfmnist", logging.DEBUG, "", 1, "%s", (HOSTILE,), None)
    assert console.LogFormatter().format(record) == SHOWN


def test_a_terminal_shows_a_hostile_name_in_its_bar_and_its_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = io.StringIO()
    terminal = Console(file=file, force_terminal=True, width=200, _environ={"TERM": "xterm"})
    monkeypatch.setattr(console, "console", terminal)
    console.say(HOSTILE)
    with console.progress_bar() as bar:
        bar.advance(bar.add_task(HOSTILE, total=1))
    assert file.getvalue().count(SHOWN) >= 2
    assert "\x1b[2J\u202e" not in file.getvalue()


def test_a_traceback_is_escaped_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        console.show_error("x", trace=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-2:] == [r"ValueError: \u001b[2J", "dfmnist: x"]


@pytest.mark.xdist_group("sources")
def test_nothing_else_prints() -> None:
    """What is printed passes this module, which escapes it."""
    others = [path for path in FILES if path != Path(console.__file__)]
    found = [
        f"{path.relative_to(SRC)}:{node.lineno}"
        for path in others
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("print", "typer.echo", "click.echo", "console.print",
                                       "sys.stdout.write", "sys.stderr.write", "Console")
    ]  # fmt: skip
    assert [line for line in found if not line.startswith("cli/reference.py")] == []
    assert len(others) > 200
