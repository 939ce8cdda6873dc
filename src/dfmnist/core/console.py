"""Messages and progress on standard error: bars on a terminal, plain lines in a log file."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from dfmnist.core.text import duration_text

console = Console(stderr=True)
"""Every message and all progress goes here; results go to standard output."""
LINE_EVERY_S = 30.0
"""Seconds between the lines that are printed in place of a bar if there is no terminal."""


def set_quiet(quiet: bool) -> None:
    """Hide messages and progress from now on, or show them again. Errors are shown in any case."""
    console.quiet = quiet


def say(text: str) -> None:
    """Print one line as it is: no markup, no colours, no line breaks of our own."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


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
        TextColumn("{task.description:<28}"),
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
