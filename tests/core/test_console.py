"""Progress where there is no terminal: plain lines that show life."""

import io
import re
import time

import pytest
from rich.console import Console

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
