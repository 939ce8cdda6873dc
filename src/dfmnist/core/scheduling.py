"""Order, back-pressure and repeats of jobs that run in other processes, whatever runs these."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from dfmnist.core.errors import InputError

Job = TypeVar("Job")
Result = TypeVar("Result")

TRIES = 3
"""Number of times that a job is started whose process or machine was lost each time."""
MOST_HELD = 1000
"""Number of results that are held while an earlier job has none; no more jobs start then."""
MOST_LOST = 5
"""Number of jobs lost for good, before any other had a result, that ends a run of jobs."""


class LostJob(InputError):
    """A job whose process or machine was lost. `cause` is the job's own error, if it had one."""

    def __init__(self, message: str, cause: InputError | None = None) -> None:
        super().__init__(message)
        self.cause = cause


class Workers(Protocol):
    """Processes that each run one job at a time."""

    alone_at_last: bool
    """Whether a job's last try runs while no other does, so that it has all memory."""

    def free(self) -> bool:
        """Whether another job can be started now."""

    def start(self, job: Any) -> Any:
        """Start a job; returns a handle of it, which can be a key of a dict."""

    def wait(self, running: Collection[Any]) -> Collection[Any]:
        """Wait until a job has ended or another can be started; returns the handles that ended."""

    def result(self, handle: Any) -> Any:
        """The result of a job that ended. Raises its error, or `LostJob`."""


def in_order(
    workers: Workers,
    jobs: Sequence[Job],
    advance: Callable[[], None],
    failed: Callable[[Job, LostJob], Result] | None,
    describe: str,
) -> Iterator[Result]:
    """Yield the results of `jobs` in their order; `advance` is called as each has its result.

    A job whose process was lost is started again, `TRIES` times in all. Then its result is
    `failed(job, error)`, or without `failed` the run ends with an `InputError`; so it does where
    the first `MOST_LOST` jobs were all lost. A job's own error is raised at once. At most
    `MOST_HELD` results, and one job for each process, are in memory.
    """
    running: dict[Any, int] = {}
    held: dict[int, Result] = {}
    lost: dict[int, int] = {}
    queue = _Queue(len(jobs))
    nxt = done = gone = 0
    while nxt < len(jobs):
        while (
            workers.free() and (index := queue.pop(nxt + MOST_HELD, idle=not running)) is not None
        ):
            running[workers.start(jobs[index])] = index
        for handle in sorted(workers.wait(running), key=running.__getitem__):
            index = running.pop(handle)
            try:
                held[index] = workers.result(handle)
                done += 1
            except LostJob as error:
                lost[index] = lost.get(index, 0) + 1
                if lost[index] < TRIES:
                    queue.put_back(index, alone=workers.alone_at_last and lost[index] == TRIES - 1)
                    continue
                gone += 1
                if error.cause is not None:
                    raise error.cause from None
                if failed is None or (gone >= MOST_LOST and not done):
                    raise _ended(describe, index, len(jobs), error) from None
                held[index] = failed(jobs[index], LostJob(f"{error}, {TRIES} times"))
            advance()
        while nxt in held:
            yield held.pop(nxt)
            nxt += 1


class _Queue:
    """Indices of jobs to start: those to start again first, those to run alone last."""

    def __init__(self, count: int) -> None:
        self._fresh = iter(range(count))
        self._next = next(self._fresh, None)
        self._again: deque[int] = deque()
        self._alone: deque[int] = deque()

    def put_back(self, index: int, *, alone: bool) -> None:
        (self._alone if alone else self._again).append(index)

    def pop(self, end: int, *, idle: bool) -> int | None:
        """The next job before `end`; one to run alone only if `idle`, and nothing else is left."""
        if self._again:
            return self._again.popleft()
        if self._next is not None and self._next < end:
            index, self._next = self._next, next(self._fresh, None)
            return index
        return self._alone.popleft() if self._alone and idle else None


def _ended(describe: str, index: int, count: int, error: LostJob) -> InputError:
    return InputError(
        f"{describe}: job {index + 1} of {count}: {error}, {TRIES} times; expected enough memory "
        "for it (fewer --workers need less)"
    )
