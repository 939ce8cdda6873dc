"""Processes of this machine that run jobs, and stay for the next jobs."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext
from typing import Any

from dfmnist.core.scheduling import LostJob

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

Key = tuple[int, int, bool]
_POOLS: dict[Key, ProcessPoolExecutor] = {}
"""Pools of one process each, by place, number of GPUs, and whether they print nothing. A process
that is killed takes no other job with it, and it is known which job it had. Processes are kept from
stage to stage, with the models that they have loaded."""
_STARTED_IN: list[str] = []
"""The working folder and the `sys.path` with which they started."""


class Processes:
    """Places for jobs, each with a process that runs one job at a time."""

    alone_at_last = True

    def __init__(
        self,
        function: Callable[[Any], Any],
        places: int,
        gpus: int,
        enter: Callable[[bool], None],
        quiet: bool,
    ) -> None:
        """`enter(quiet)` is called in each new process; it must be importable."""
        self._function, self._gpus, self._enter, self._quiet = function, gpus, enter, quiet
        self._free = list(range(places))[::-1]
        self._place_of: dict[Future[Any], int] = {}
        self._used: set[int] = set()
        if _surroundings() != _STARTED_IN:
            _end_idle()

    def free(self) -> bool:
        """Whether a place has no job."""
        return bool(self._free)

    def start(self, job: Any) -> Future[Any]:
        """Start a job at a free place."""
        place = self._free.pop()
        self._used.add(place)
        try:
            future = self._submit(place, job)
        except BrokenProcessPool:  # it was killed while it had no job
            _drop(self._key(place))
            future = self._submit(place, job)
        self._place_of[future] = place
        return future

    def _key(self, place: int) -> Key:
        return place, self._gpus, self._quiet

    def _submit(self, place: int, job: Any) -> Future[Any]:
        key = self._key(place)
        if key not in _POOLS:
            gpu = place % self._gpus if self._gpus > 1 else None
            _POOLS[key] = ProcessPoolExecutor(
                1,
                mp_context=_context(),
                initializer=_begin,
                initargs=(_environment(), gpu, self._gpus, self._enter, self._quiet),
            )
        with _one_thread_each():  # a submission may start the server of processes
            return _POOLS[key].submit(self._function, job)

    def wait(self, running: Collection[Future[Any]]) -> Collection[Future[Any]]:
        """Wait until a job has ended."""
        return wait(running, return_when=FIRST_COMPLETED).done

    def result(self, handle: Future[Any]) -> Any:
        """The result of a job that ended. Raises its error, or `LostJob`."""
        place = self._place_of.pop(handle)
        self._free.append(place)
        try:
            return handle.result()
        except BrokenProcessPool:
            _drop(self._key(place))
            raise LostJob("its process was lost") from None

    def stop(self) -> None:
        """End all processes in use: after Ctrl-C at once, else when their jobs have ended."""
        pools = [_POOLS.pop(key) for key in map(self._key, self._used) if key in _POOLS]
        if isinstance(sys.exception(), KeyboardInterrupt):
            # at once: a training would go on for minutes, and every job can be resumed
            for pool in pools:
                for process in list((pool._processes or {}).values()):
                    process.terminate()
        for pool in pools:
            pool.shutdown(wait=True, cancel_futures=True)


def _end_idle() -> None:
    """End all processes when they have no job.

    They would not find modules of a newer path, nor files by a path from another working folder.
    """
    for key in list(_POOLS):
        _drop(key)
    _STARTED_IN[:] = _surroundings()


def _surroundings() -> list[str]:
    try:
        here = os.getcwd()
    except FileNotFoundError:  # somebody removed it
        here = ""
    return [here, *sys.path]


def _drop(key: Key) -> None:
    if (pool := _POOLS.pop(key, None)) is not None:
        pool.shutdown(wait=False)


@contextlib.contextmanager
def processes(
    function: Callable[[Any], Any],
    places: int,
    gpus: int,
    enter: Callable[[bool], None],
    quiet: bool,
) -> Generator[Processes]:
    """Processes for the jobs of a `with` block; after a failure within it they are ended."""
    found = Processes(function, places, gpus, enter, quiet)
    finished = False
    try:
        yield found
        finished = True
    finally:
        if not finished:  # a failed job or Ctrl-C: no process goes on with what is left
            found.stop()


def _context() -> BaseContext:
    """How processes start: as forks of one process that has loaded torch, and has one thread.

    A process of its own takes two seconds of a core to load torch, a fork some milliseconds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "dfmnist.core.jobs"])
    return context


def _environment() -> dict[str, str]:
    """This process's environment, but one thread for numerical libraries, for a new process.

    The process that forks keeps the environment in which it started.
    """
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")}


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Set the environment so that numerical libraries of new processes start with one thread."""
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


def _begin(
    environment: dict[str, str],
    gpu: int | None,
    gpus: int,
    enter: Callable[[bool], None],
    quiet: bool,
) -> None:
    """Worker start-up: use one GPU, ignore SIGINT (the parent handles it), call `enter`.

    The process exits when its parent dies, the process that gives the jobs.
    """
    exit_with_parent()
    os.environ.clear()
    os.environ.update(environment)
    if gpu is not None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus))))
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[gpu]
    enter(quiet)


def exit_with_parent() -> None:
    """Ignore SIGINT in this process, which the parent handles, and exit when the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent, number = multiprocessing.parent_process(), os.getppid()

    def watch() -> None:
        if parent is not None:  # it gives the jobs; the process that forked this one lives on
            parent.join()
        else:
            while os.getppid() == number:
                time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
