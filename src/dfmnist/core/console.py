"""What is printed: results on standard output; messages and progress on standard error.

Progress is bars on a terminal and plain lines in a log file. All text passes `core.text.visible`
here, so that nothing that a file or a person is called can change what a terminal shows.
"""

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TimeRemainingColumn,
)
from rich.text import Text

from dfmnist.core.text import duration_text, visible

console = Console(stderr=True)
"""Every message and all progress goes here; results go to standard output."""
LINE_EVERY_S = 30.0
"""Seconds between the lines that are printed in place of a bar if there is no terminal."""


def set_quiet(quiet: bool) -> None:
    """Hide messages and progress from now on, or show them again. Errors are shown in any case."""
    console.quiet = quiet


def say(text: str, style: str | None = None) -> None:
    """Print one line of a message as it is: no markup, no line breaks of our own."""
    line = visible(text)
    console.print(line, style=style, highlight=False, markup=False, emoji=False, soft_wrap=True)


def show(*lines: object) -> None:
    """Print lines of a result on standard output."""
    for line in lines:
        print(visible(str(line)))


def show_error(message: str, *, trace: bool = False) -> None:
    """Print the one line with which a command ends that cannot go on.

    `trace`: the traceback of the exception that is being handled is printed before it.
    """
    if trace:
        for line in traceback.format_exc().rstrip().split("\n"):
            print(visible(line), file=sys.stderr)
    print(visible(f"dfmnist: {message}"), file=sys.stderr)


class LogFormatter(logging.Formatter):
    """Formats a record of the log as one line."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


ProgressWatcher = Callable[[str, float, float | None], None]
"""A function that is told what is being done, how much of it is done, and the total if known."""
_WATCHER: ContextVar[ProgressWatcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched_progress(watcher: ProgressWatcher) -> Iterator[None]:
    """Hand the progress of all stages within this block to `watcher`, and show none of it.

    An exception that `watcher` raises ends the stage: this is how a page cancels its work. It holds
    for the thread that enters the block.
    """
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def progress_bar() -> Progress:
    """Progress of long stages, for a `with` block: bars, or plain lines without a terminal."""
    if (watcher := _WATCHER.get()) is not None:
        return _WatchedProgress(watcher)
    if not console.is_terminal or console.is_dumb_terminal:
        return _ProgressLines()
    return Progress(
        _Description(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


class _WatchedProgress(Progress):
    """Progress that is handed to a function, and not shown."""

    def __init__(self, watcher: ProgressWatcher) -> None:
        super().__init__(console=console, disable=True)
        self._watcher = watcher

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        self._tell(task_id)

    def update(self, task_id: TaskID, *args: Any, **more: Any) -> None:
        super().update(task_id, *args, **more)
        self._tell(task_id)

    def _tell(self, task_id: TaskID) -> None:
        task = next(task for task in self.tasks if task.id == task_id)
        self._watcher(task.description, task.completed, task.total)


class _Description(ProgressColumn):
    """What is being done, beside its bar."""

    def render(self, task: Task) -> Text:
        return Text(f"{visible(task.description):<28}")


class _ProgressLines(Progress):
    """Progress as lines such as `film actors: 41 of 160, 3 min 10 s`.

    Every `LINE_EVERY_S` a line shows the newest unfinished task, even if it has not advanced. One
    more line is printed when a task is finished.
    """

    def __init__(self) -> None:
        super().__init__(console=console, disable=True)  # draws nothing by itself
        self._ended = threading.Event()
        self._reported: set[int] = set()

    def start(self) -> None:
        threading.Thread(target=self._report_now_and_then, daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def advance(self, *args: Any, **more: Any) -> None:
        super().advance(*args, **more)
        self._report_finished()

    def update(self, *args: Any, **more: Any) -> None:
        super().update(*args, **more)
        self._report_finished()

    def _report_now_and_then(self) -> None:
        while not self._ended.wait(LINE_EVERY_S):
            tasks = [task for task in self.tasks if task.visible and not task.finished]
            if tasks:
                _print_line(tasks[-1])

    def _report_finished(self) -> None:
        for task in self.tasks:
            if task.visible and task.finished and task.id not in self._reported:
                self._reported.add(task.id)
                _print_line(task)


def _print_line(task: Task) -> None:
    elapsed_s = task.finished_time if task.finished else task.elapsed
    text = f"{task.description}: {task.completed:.0f}"
    text += f" of {task.total:.0f}" if task.total is not None else ""
    say(f"{text}, {duration_text(elapsed_s or 0)}")
