"""Work for a page: in a thread, one piece at a time, with updates, and ended when asked.

A page shows updates while the work goes on. The work ends early, at its next update, when the
generator of the updates is closed: the user cancelled, or left the page.
"""

import contextvars
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from dfmnist.core.console import watched_progress

U = TypeVar("U")
R = TypeVar("R")

_ONE_AT_A_TIME = threading.Lock()
"""Held while a piece of work runs: the networks use all cores, and share their memory."""


class CancelledError(Exception):
    """The work was cancelled; raised within it, at an update."""


@dataclass(frozen=True)
class Progress:
    """How far the work is."""

    stage: str
    """What is being done, in a few words."""
    done: float
    total: float | None

    @property
    def share(self) -> float | None:
        """The share that is done, 0 to 1; None if the total is not known."""
        return min(self.done / self.total, 1.0) if self.total else None


@dataclass(frozen=True)
class Result(Generic[R]):
    """What the work returned."""

    value: R


def run(work: Callable[[Callable[[U], None]], R]) -> Iterator[U | Progress | Result[R]]:
    """Run `work(update)` in a thread; yield its updates and progress, and its result last.

    What `work` hands to `update` is yielded, and so is a `Progress` for each step of the progress
    bars inside. Of `Progress` only the newest is kept for a slow reader. An exception of the work
    is raised here. Closing the generator ends the work at its next update.
    """
    updates: queue.SimpleQueue[U] = queue.SimpleQueue()
    newest: list[Progress] = [Progress("waiting for other work to end", 0, None)]
    cancelled, changed = threading.Event(), threading.Event()
    ended: list[Result[R] | BaseException] = []

    def check() -> None:
        if cancelled.is_set():
            raise CancelledError

    def update(item: U) -> None:
        check()
        updates.put(item)
        changed.set()

    def progress(stage: str, done: float, total: float | None) -> None:
        check()
        newest[:] = [Progress(stage, done, total)]
        changed.set()

    def target() -> None:
        try:
            with _ONE_AT_A_TIME, watched_progress(progress):
                progress("starting", 0, None)
                ended.append(Result(work(update)))
        except BaseException as error:
            ended.append(error)
        changed.set()

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(target,), daemon=True).start()
    shown: Progress | None = None
    try:
        while True:
            finished = bool(ended)
            while not updates.empty():
                yield updates.get()
            if newest[0] is not shown:
                shown = newest[0]
                yield shown
            if finished:
                break
            changed.wait()
            changed.clear()
    finally:
        cancelled.set()
    if isinstance(ended[0], BaseException):
        raise ended[0]
    yield ended[0]
