"""Independent jobs over local processes, with progress; a killed job leaves no half file."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Job = TypeVar("Job")
Result = TypeVar("Result")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
console = Console(stderr=True)


def progress_bar() -> Progress:
    """The bar that every long stage shows, on standard error."""
    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def cpu_count() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    describe: str,
) -> Iterator[Result]:
    """Yield `function(job)` for each job, in the order of `jobs`, with a progress bar.

    `function` must be importable (a module's top level). `workers` processes, one thread each;
    None is one per core, 1 runs in this process. The first failure stops the rest and is raised.
    """
    if not jobs:
        return
    workers = workers or cpu_count()
    with progress_bar() as bar:
        task = bar.add_task(describe, total=len(jobs))
        if workers == 1 or len(jobs) == 1:
            for job in jobs:
                yield function(job)
                bar.advance(task)
            return
        yield from _run_pool(function, jobs, workers, lambda: bar.advance(task))


_POOLS: dict[int, ProcessPoolExecutor] = {}
"""Processes by their number, kept from stage to stage: each would take seconds to start anew."""


def _run_pool(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    workers: int,
    advance: Callable[[], None],
) -> Iterator[Result]:
    pool = _pool(workers)
    finished = False
    try:
        with _one_thread_each():  # a submission may start a process, which inherits this
            futures = [pool.submit(function, job) for job in jobs]
        waiting: set[Future[Any]] = set(futures)
        nxt = 0
        while nxt < len(futures):
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()  # raise at once, not in order
                advance()
            while nxt < len(futures) and futures[nxt].done():
                yield futures[nxt].result()
                nxt += 1
        finished = True
    finally:
        if not finished:  # a failed job or Ctrl-C: no process goes on with what is left
            _POOLS.pop(workers, None)
            if isinstance(sys.exception(), KeyboardInterrupt):
                # at once: a training would go on for minutes, and every job can be taken up again
                for process in list(pool._processes.values()):
                    process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    """The processes kept for `workers`; they start as jobs come in."""
    if workers not in _POOLS:
        context = multiprocessing.get_context("spawn")
        _POOLS[workers] = ProcessPoolExecutor(
            workers, mp_context=context, initializer=_start_worker
        )
    return _POOLS[workers]


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Environment in which numerical libraries of new processes start with one thread."""
    kept: dict[str, str | None] = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _start_worker() -> None:
    """One thread; Ctrl-C is the parent's business; and no life after the parent's death."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    settle_numerics()


def settle_numerics() -> None:
    """One thread and no denormals: the same for every job, whichever came before in a process."""
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
