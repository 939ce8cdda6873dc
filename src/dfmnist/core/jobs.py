"""Independent jobs, with progress, on the engine in use: processes of this machine, or Ray.

    with engine("local", workers=4):
        results = list(run_jobs(function, jobs, describe="film actors"))

A killed job leaves no half file: jobs write their results by rename.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar, get_args

from dfmnist.core.choices import EngineName
from dfmnist.core.console import console, progress_bar, set_quiet
from dfmnist.core.errors import InputError
from dfmnist.core.extras import need

log = logging.getLogger(__name__)
Job = TypeVar("Job")
Result = TypeVar("Result")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Engine:
    """Engine for independent jobs: where they run, and how many at a time."""

    name: EngineName = "local"
    workers: int | None = None
    """Number of jobs at a time. None: one per core, or per GPU for jobs that use one, and all at
    once on Ray, which queues them. 1 on the local engine: in this process."""

    def __post_init__(self) -> None:
        """Check what the user typed."""
        if self.name not in get_args(EngineName):
            raise InputError(f"--engine {self.name}; expected {' or '.join(get_args(EngineName))}")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"--workers {self.workers}; expected 1 or more")


_DEFAULT = Engine()
_ENGINE: ContextVar[Engine] = ContextVar("engine", default=_DEFAULT)


def current_engine() -> Engine:
    """Engine that `run_jobs` uses in this context."""
    return _ENGINE.get()


@contextlib.contextmanager
def engine(name: EngineName = "local", workers: int | None = None) -> Iterator[Engine]:
    """Use this engine for every `run_jobs` within the `with` block.

    Raises `InputError` for another name or fewer than one worker.
    """
    chosen = Engine(name, workers)
    token = _ENGINE.set(chosen)
    try:
        yield chosen
    finally:
        _ENGINE.reset(token)


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
    gpu: bool = False,
    pool_from: int = 2,
) -> Iterator[Result]:
    """Yield `function(job)` for each job, in the order of `jobs`, with progress.

    The engine is the one in use at the call. `function` must be importable (a module's top level),
    and each job has one thread. `gpu`: each job has a GPU to itself, where there are any. Fewer
    jobs than `pool_from` run in this process, unless a number of workers was chosen. The first
    failure stops the rest and is raised as the job raised it. Raises `InputError` where Ray is
    asked for and not installed.
    """
    chosen = current_engine()
    gpus = gpu_count() if gpu and jobs else 0
    if chosen.name == "ray":
        log.debug("%s: %d jobs on Ray", describe, len(jobs))
        return _run_on_ray(function, jobs, chosen.workers or len(jobs), min(gpus, 1), describe)
    workers = chosen.workers or gpus or cpu_count()
    if chosen.workers is None and len(jobs) < pool_from:
        workers = 1
    log.debug("%s: %d jobs, %d at a time", describe, len(jobs), workers)
    return _run_locally(function, jobs, min(workers, gpus) if gpus else workers, gpus, describe)


def _run_locally(
    function: Callable[[Job], Result], jobs: Sequence[Job], workers: int, gpus: int, describe: str
) -> Iterator[Result]:
    if not jobs:
        return
    with progress_bar() as bar:
        task = bar.add_task(describe, total=len(jobs))
        if workers == 1 or len(jobs) == 1:
            for job in jobs:
                yield function(job)
                bar.advance(task)
            return
        yield from _run_pool(function, jobs, (workers, gpus), describe, lambda: bar.advance(task))


_POOLS: dict[tuple[int, int], ProcessPoolExecutor] = {}
"""Pools of processes by their number and the number of GPUs that they share. They are kept from
stage to stage, since each process takes seconds to start."""


def _run_pool(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    key: tuple[int, int],
    describe: str,
    advance: Callable[[], None],
) -> Iterator[Result]:
    """The results in order. Jobs of a process that was killed are run again.

    After a second kill they run one by one, so that the job that ends its process is known.
    """
    results: dict[int, Result] = {}
    left, nxt = list(range(len(jobs))), 0
    for pool_key in (key, key, (1, key[1])):
        with contextlib.closing(_completed(function, jobs, left, pool_key)) as completed:
            try:
                for index, result in completed:
                    results[index] = result
                    left.remove(index)
                    advance()
                    while nxt in results:
                        yield results.pop(nxt)
                        nxt += 1
                return
            except BrokenProcessPool:
                log.debug("%s: a process was killed; %d jobs are left", describe, len(left))
    raise InputError(
        f"{describe}: job {left[0] + 1} of {len(jobs)} ended its process three times; expected "
        "enough memory for it (fewer --workers need less)"
    )


def _completed(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    chosen: Sequence[int],
    key: tuple[int, int],
) -> Generator[tuple[int, Result]]:
    """Index and result of each chosen job, as they are done. The first failure is raised."""
    pool = _pool(*key)
    finished = False
    try:
        with _one_thread_each():  # a submission may start a process, which inherits this
            index_of = {pool.submit(function, jobs[i]): i for i in chosen}
        waiting: set[Future[Any]] = set(index_of)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=index_of.__getitem__):
                yield index_of[future], future.result()
        finished = True
    finally:
        if not finished:  # a failed job or Ctrl-C: no process goes on with what is left
            _POOLS.pop(key, None)
            if isinstance(sys.exception(), KeyboardInterrupt):
                # at once: a training would go on for minutes, and every job can be resumed
                for process in list(pool._processes.values()):
                    process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)


def _pool(workers: int, gpus: int) -> ProcessPoolExecutor:
    """Pool of processes for this number of workers and GPUs; they start as jobs arrive."""
    if (workers, gpus) not in _POOLS:
        context = multiprocessing.get_context("spawn")
        started = context.Value("i", 0)
        _POOLS[workers, gpus] = ProcessPoolExecutor(
            workers,
            mp_context=context,
            initializer=_start_worker,
            initargs=(started, gpus, console.quiet),
        )
    return _POOLS[workers, gpus]


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


def _start_worker(started: Any, gpus: int, quiet: bool) -> None:
    """Worker start-up: use one thread and one GPU, ignore SIGINT (the parent handles it).

    The process exits when its parent dies. Jobs that a job starts run in the job's own process.
    """
    exit_with_parent()
    _ENGINE.set(Engine("local", 1))
    set_quiet(quiet)
    with started.get_lock():
        number = started.value
        started.value += 1
    if gpus > 1:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus))))
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[number % gpus]
    settle_numerics()


def exit_with_parent() -> None:
    """Ignore SIGINT in this process, which the parent handles, and exit when the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def settle_numerics() -> None:
    """Set one thread and no denormals, so that jobs give the same in every process."""
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def _run_on_ray(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    workers: int,
    gpus_each: int,
    describe: str,
) -> Iterator[Result]:
    """Results of jobs run as tasks of one CPU. Paths must mean the same on every machine."""
    if not jobs:
        return
    need("ray", extra="ray", for_what="--engine ray")
    import ray

    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="error")
    task = ray.remote(num_cpus=1, num_gpus=gpus_each, max_retries=0)(_run_ray_task)
    coming = (task.remote(function, job, os.getcwd(), console.quiet) for job in jobs)
    tasks = list(islice(coming, workers))
    running, finished = list(tasks), set()
    try:
        with progress_bar() as bar:
            shown = bar.add_task(describe, total=len(jobs))
            nxt = 0
            while nxt < len(jobs):
                done, running = ray.wait(running, num_returns=1)
                ray.get(done)  # a failure is raised at once, not in order
                finished.update(done)
                bar.advance(shown)
                for new in islice(coming, 1):
                    tasks.append(new)
                    running.append(new)
                while nxt < len(tasks) and tasks[nxt] in finished:
                    yield ray.get(tasks[nxt])
                    nxt += 1
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    finally:
        for left in running:
            ray.cancel(left, force=True)


def _run_ray_task(function: Callable[[Job], Result], job: Job, folder: str, quiet: bool) -> Result:
    with contextlib.suppress(OSError):
        os.chdir(folder)  # relative paths start where the command was typed
    _ENGINE.set(Engine("local", 1))
    set_quiet(quiet)
    settle_numerics()
    return function(job)
