"""Independent jobs, with progress, on the engine in use: processes of this machine, or Ray.

    with engine("local", workers=4):
        results = list(run_jobs(function, jobs, describe="film actors"))

A killed job leaves no half file: jobs write their results by rename.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar, get_args

from dfmnist.core.choices import EngineName
from dfmnist.core.console import console, progress_bar, set_quiet
from dfmnist.core.errors import InputError
from dfmnist.core.processes import processes
from dfmnist.core.ray_workers import ray_workers, release
from dfmnist.core.scheduling import LostJob, Workers, in_order

log = logging.getLogger(__name__)
Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Engine:
    """Engine for independent jobs: where they run, and how many at a time."""

    name: EngineName = "local"
    workers: int | None = None
    """Number of jobs at a time. None: one per core, or as many as the GPUs can take of jobs that
    use one, of this machine or of the cluster. 1 on the local engine: in this process."""
    address: str | None = None
    """Ray's cluster as HOST:PORT. None: the one that `RAY_ADDRESS` names, else one that runs on
    this machine, else a new one on it."""

    def __post_init__(self) -> None:
        """Check what the user typed."""
        if self.name not in get_args(EngineName):
            raise InputError(f"--engine {self.name}; expected {' or '.join(get_args(EngineName))}")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--workers {self.workers}; expected 1 or more")
        if self.address is not None and self.name != "ray":
            raise InputError(f"--address {self.address} without --engine ray; expected both")


_DEFAULT = Engine()
_ENGINE: ContextVar[Engine] = ContextVar("engine", default=_DEFAULT)


def current_engine() -> Engine:
    """Engine that `run_jobs` uses in this context."""
    return _ENGINE.get()


@contextlib.contextmanager
def engine(
    name: EngineName = "local", workers: int | None = None, address: str | None = None
) -> Iterator[Engine]:
    """Use this engine for every `run_jobs` within the `with` block.

    Raises `InputError` for another name, fewer than one worker, or an address without Ray.
    """
    chosen = Engine(name, workers, address)
    token = _ENGINE.set(chosen)
    try:
        yield chosen
    finally:
        _ENGINE.reset(token)
        if chosen.name == "ray":
            release()


def cpu_count() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu_count() -> int:
    """Number of GPUs that this process may use."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    describe: str,
    gpu: float = 0,
    pool_from: int = 2,
    failed: Callable[[Job, LostJob], Result] | None = None,
    seen: Sequence[Path] = (),
) -> Iterator[Result]:
    """Yield `function(job)` for each job, in the order of `jobs`, with progress.

    The engine is the one in use at the call. `function` must be importable (a module's top level),
    and each job has one thread. `gpu` is the share of a GPU that each job needs, where there are
    any. Fewer jobs than `pool_from` run in this process, unless a number of workers was chosen.
    The first failure stops the rest and is raised as the job raised it. A job whose process or
    machine was lost is done again; after the third time its result is `failed(job, error)`, and
    without `failed` an `InputError` is raised. On Ray every machine must see the files `seen`.
    Raises `InputError` where Ray is asked for and not installed. Memory does not grow with the
    number of jobs, beyond the jobs themselves.
    """
    chosen = current_engine()
    count = len(jobs)
    if chosen.name == "ray":
        log.debug("%s: %d jobs on Ray", describe, count)
        workers = partial(
            ray_workers, function, count, address=chosen.address, workers=chosen.workers,
            gpu=float(gpu), enter=partial(_enter_worker, console.quiet), seen=seen,
        )  # fmt: skip
        return _run(workers, jobs, describe, failed)
    gpus = gpu_count() if gpu and jobs else 0
    places = chosen.workers or (cpu_count() if gpu < 1 or not gpus else gpus)
    if gpus:
        places = min(places, int(gpus / gpu + 1e-6))
    if chosen.workers is None and count < pool_from:
        places = 1
    log.debug("%s: %d jobs, %d at a time", describe, count, places)
    if places == 1 or count == 1:
        return _run_here(function, jobs, describe)
    local = partial(processes, function, places, gpus, _enter_worker, console.quiet)
    return _run(local, jobs, describe, failed)


def _run(
    workers: Callable[[], contextlib.AbstractContextManager[Workers]],
    jobs: Sequence[Job],
    describe: str,
    failed: Callable[[Job, LostJob], Result] | None,
) -> Iterator[Result]:
    if not jobs:
        return
    with workers() as chosen, progress_bar() as bar:
        task = bar.add_task(describe, total=len(jobs))
        yield from in_order(chosen, jobs, lambda: bar.advance(task), failed, describe)


def _run_here(
    function: Callable[[Job], Result], jobs: Sequence[Job], describe: str
) -> Iterator[Result]:
    if not jobs:
        return
    with progress_bar() as bar:
        task = bar.add_task(describe, total=len(jobs))
        for job in jobs:
            yield function(job)
            bar.advance(task)


def _enter_worker(quiet: bool) -> None:
    """Prepare a process for jobs. Jobs that a job starts run in the job's own process."""
    _ENGINE.set(Engine("local", 1))
    set_quiet(quiet)
    settle_numerics()


def settle_numerics() -> None:
    """Set one thread and no denormals, so that jobs give the same in every process."""
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
