"""Ray actors that run jobs, on one machine or many; paths must mean the same on each of them.

An actor is a process that stays for all jobs of a stage, so that its models stay loaded, also on a
GPU, where Ray gives each task a new process.
"""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Collection, Generator, Sequence
from pathlib import Path
from typing import Any

from dfmnist import __version__
from dfmnist.core.console import say
from dfmnist.core.errors import InputError, StorageError
from dfmnist.core.extras import need
from dfmnist.core.scheduling import LostJob

POLL_S = 2.0
"""Seconds between two looks at how many processes the cluster has room for."""
SEE_S = 30.0
"""Seconds that a machine has to see a file which was just written on another."""
SAY_AFTER_S = 60.0
"""Seconds without any process after which it is printed what is waited for."""
BAD_STARTS = 5
"""Number of processes in a row that may end as they start."""
PASSED_ON = ("DFMNIST_CACHE", "ONEDNN_MAX_CPU_ISA")
"""Environment variables that actors get from the command."""

_IDLE: dict[float, list[Any]] = {}
"""Actors by their share of a GPU that wait for the next stage."""


def connect(address: str | None) -> Any:
    """Connect to the cluster at `address`, and return the module `ray`.

    None is the cluster that `RAY_ADDRESS` names, else one that runs on this machine, else a new
    one on it. Raises `InputError` if Ray is not installed or no cluster answers.
    """
    need("ray", extra="ray", for_what="--engine ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report over the network
    import ray

    if ray.is_initialized():
        return ray
    named = address or os.environ.get("RAY_ADDRESS")
    _check_answers(named)
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address, log_to_driver=False, logging_level="error", include_dashboard=False
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise _no_cluster(named, said[0]) from None
    finally:
        if main:  # Ray replaces the handler by its own
            signal.signal(signal.SIGTERM, handler)
    return ray


def _check_answers(address: str | None) -> None:
    """Raise `InputError` if nothing answers at HOST:PORT, for which Ray would wait for minutes."""
    if address in (None, "auto", "local"):
        return
    host, colon, port = str(address).removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        raise _no_cluster(address, "names no port")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        said = error.strerror if isinstance(error, OSError) else None
        raise _no_cluster(address, said or str(error)) from None


def _no_cluster(address: str | None, said: str) -> InputError:
    return InputError.of(
        f"--address {address}" if address else "--engine ray",
        f"no Ray cluster can be used ({said})",
        "the HOST:PORT that `ray start --head` printed",
    )


class RayWorkers:
    """Actors for the jobs of one stage, as many as the cluster has room for."""

    alone_at_last = False

    def __init__(
        self,
        ray: Any,
        function: Callable[[Any], Any],
        most: int,
        workers: int | None,
        gpu: float,
        enter: Callable[[], None],
        seen: Sequence[Path],
    ) -> None:
        """At most `most` actors, each of one CPU and a share `gpu` of a GPU if there are any.

        `workers` None: as many as there is room for, now and later. `enter` is called in each
        actor as it starts. Each must see the files `seen`.
        """
        self._ray, self._function, self._enter, self._seen = ray, function, enter, seen
        self._most, self._workers = most, workers
        nodes = ray.nodes()
        self._gpu = gpu if any(n["Alive"] and n["Resources"].get("GPU") for n in nodes) else 0.0
        for share in list(_IDLE):
            if share != self._gpu:  # they hold CPUs that these need
                _end(ray, _IDLE.pop(share))
        self._idle: list[Any] = _IDLE.pop(self._gpu, [])
        self._starting: dict[Any, Any] = {}
        self._busy: dict[Any, Any] = {}
        self._bad_starts = 0
        self._looked_s = -POLL_S
        self._alone_since_s: float | None = time.monotonic()
        self._grow()

    def free(self) -> bool:
        """Whether an actor has no job."""
        return bool(self._idle)

    def start(self, job: Any) -> Any:
        """Start a job on an actor that has none."""
        actor = self._idle.pop()
        reference = actor.run.remote(self._function, job)
        self._busy[reference] = actor
        return reference

    def wait(self, running: Collection[Any]) -> Collection[Any]:
        """Wait until a job has ended or an actor has started; returns the jobs that ended."""
        self._grow()
        self._tell_if_alone()
        awaited = [*running, *self._starting]
        if not awaited:
            time.sleep(POLL_S)
            return []
        self._ray.wait(awaited, num_returns=1, timeout=POLL_S)
        ended, _ = self._ray.wait(awaited, num_returns=len(awaited), timeout=0)
        for reference in ended:
            if reference in self._starting:
                self._welcome(reference)
        return [reference for reference in ended if reference in self._busy]

    def result(self, handle: Any) -> Any:
        """The result of a job that ended. Raises its error, or `LostJob`.

        A job that could not write counts as lost, since another machine may be able to.
        """
        actor = self._busy.pop(handle)
        failures = self._ray.exceptions
        try:
            result = self._ray.get(handle)
        except failures.RayTaskError as error:
            self._idle.append(actor)
            cause = error.cause
            if isinstance(cause, StorageError):
                raise LostJob("it could not write", cause) from None
            raise (cause if isinstance(cause, Exception) else error) from None
        except (
            failures.RayActorError,
            failures.WorkerCrashedError,
            failures.NodeDiedError,
            failures.OutOfMemoryError,
            failures.ObjectLostError,
        ):
            _end(self._ray, [actor])
            self._looked_s = -POLL_S
            raise LostJob("its process was lost") from None
        self._idle.append(actor)
        return result

    def stop(self, *, finished: bool) -> None:
        """Keep idle actors for the next stage if all jobs are `finished`; end all others."""
        _end(self._ray, [*self._starting.values(), *self._busy.values()])
        if finished:
            _IDLE[self._gpu] = self._idle
        else:
            _end(self._ray, self._idle)

    def _grow(self) -> None:
        """Start actors up to the number that is wanted; look at the cluster now and then."""
        now = time.monotonic()
        if now < self._looked_s + POLL_S:
            return
        self._looked_s = now
        wanted = min(self._most, self._workers or max(1, self._room()))
        kind = self._ray.remote(num_cpus=1, num_gpus=self._gpu, max_restarts=0)(RayWorker)
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        for _ in range(wanted - len(self._idle) - len(self._busy) - len(self._starting)):
            actor = kind.remote(os.getcwd(), environment, self._enter)
            self._starting[actor.look.remote(self._seen)] = actor

    def _tell_if_alone(self) -> None:
        """Print once that no machine has room, where there has been none for a while."""
        if self._idle or self._busy:
            self._alone_since_s = None
        elif self._alone_since_s is None:
            self._alone_since_s = time.monotonic()
        elif time.monotonic() > self._alone_since_s + SAY_AFTER_S:
            say("  no machine of the Ray cluster has a free CPU; waiting for one")
            self._alone_since_s = float("inf")

    def _room(self) -> int:
        """Number of actors for which the cluster has CPUs and GPUs."""
        room = 0
        for node in self._ray.nodes():
            if node["Alive"]:
                cpus = node["Resources"].get("CPU", 0)
                gpus = node["Resources"].get("GPU", 0)
                room += int(min(cpus, gpus / self._gpu + 1e-6) if self._gpu else cpus)
        return room

    def _welcome(self, reference: Any) -> None:
        """Take an actor that has started; one that ended is dropped, and another will start."""
        actor = self._starting.pop(reference)
        try:
            machine, version, unseen = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._bad_starts += 1
            if self._bad_starts >= BAD_STARTS:
                said = str(error).strip().splitlines()[-1].strip()
                raise InputError(
                    f"--engine ray: {BAD_STARTS} processes in a row ended as they started "
                    f"({said}); expected dfmnist {__version__} on every machine"
                ) from None
            return
        self._bad_starts = 0
        if version != __version__:
            raise InputError(
                f"--engine ray: {machine} has dfmnist {version}; expected {__version__}, as here"
            )
        if unseen:
            raise InputError.of(
                unseen, f"is not seen by {machine}", "a file system that all machines share"
            )
        self._idle.append(actor)


@contextlib.contextmanager
def ray_workers(
    function: Callable[[Any], Any],
    most: int,
    *,
    address: str | None,
    workers: int | None,
    gpu: float,
    enter: Callable[[], None],
    seen: Sequence[Path],
) -> Generator[RayWorkers]:
    """Actors for the jobs of a `with` block, as `RayWorkers` describes them.

    After the block they wait for the next stage; after a failure within it they are ended.
    """
    found = RayWorkers(connect(address), function, most, workers, gpu, enter, seen)
    finished = False
    try:
        yield found
        finished = True
    finally:
        found.stop(finished=finished)


def release() -> None:
    """End the actors that wait for a next stage, so that others can have their CPUs and GPUs."""
    if _IDLE:
        import ray

        for share in list(_IDLE):
            _end(ray, _IDLE.pop(share))


def _end(ray: Any, actors: Sequence[Any]) -> None:
    for actor in actors:
        with contextlib.suppress(Exception):  # it has ended, or the cluster has
            ray.kill(actor)


class RayWorker:
    """One actor; its methods run in Ray's process."""

    def __init__(self, folder: str, environment: dict[str, str], enter: Callable[[], None]) -> None:
        """Start where the command was typed, with its environment variables."""
        os.environ.update(environment)
        with contextlib.suppress(OSError):
            os.chdir(folder)
        enter()

    def look(self, seen: Sequence[Path]) -> tuple[str, str, str]:
        """Name of the machine, version of the program, and the first file that is not seen."""
        deadline = time.monotonic() + SEE_S
        unseen = [path for path in seen if not path.exists()]
        while unseen and time.monotonic() < deadline:
            time.sleep(1)
            unseen = [path for path in unseen if not path.exists()]
        return socket.gethostname(), __version__, str(unseen[0]) if unseen else ""

    def run(self, function: Callable[[Any], Any], job: Any) -> Any:
        """Run one job."""
        return function(job)
