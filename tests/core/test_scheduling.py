"""Order, back-pressure and repeats of jobs, with workers that do as they are told."""

from collections.abc import Collection
from typing import Any

import pytest

from dfmnist.core import scheduling
from dfmnist.core.errors import InputError, StorageError
from dfmnist.core.scheduling import LostJob, in_order


class Told:
    """Two workers; jobs end in turn, the last started first. Those in `lost` are lost each time."""

    def __init__(self, lost: Collection[int] = (), *, alone: bool = True, most: int = 9) -> None:
        self.alone_at_last = alone
        self.lost, self.most = lost, most
        self.running: list[int] = []
        self.started: list[tuple[int, ...]] = []
        self.cause: InputError | None = None

    def free(self) -> bool:
        return len(self.running) < 2

    def start(self, job: int) -> int:
        self.running.append(job)
        self.started.append(tuple(self.running))
        return job

    def wait(self, running: Collection[int]) -> Collection[int]:
        assert set(running) == set(self.running)
        assert self.running
        return self.running[-1:]

    def result(self, handle: int) -> int:
        self.running.remove(handle)
        if handle in self.lost and sum(t[-1] == handle for t in self.started) <= self.most:
            raise LostJob("gone", self.cause)
        return handle * handle


def run(workers: Told, count: int, failed: Any = None) -> list[Any]:
    return list(in_order(workers, range(count), lambda: None, failed, "t"))


def test_results_come_in_order_whatever_ends_first() -> None:
    assert run(Told(), 5) == [0, 1, 4, 9, 16]


def test_few_results_are_held_while_an_earlier_job_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduling, "MOST_HELD", 3)
    workers = Told()
    results = in_order(workers, range(10**9), lambda: None, None, "t")
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert max(last for *_, last in workers.started) < 5 + 3


def test_a_lost_job_is_done_again_and_at_last_alone() -> None:
    workers = Told(lost=[1], most=2)
    assert run(workers, 4) == [0, 1, 4, 9]
    assert [t for t in workers.started if t[-1] == 1] == [(0, 1), (0, 1), (1,)]
    workers = Told(lost=[1], most=2, alone=False)
    assert run(workers, 4) == [0, 1, 4, 9]
    assert [t for t in workers.started if t[-1] == 1] == [(0, 1), (0, 1), (0, 1)]


def test_a_job_lost_three_times_is_a_result_or_the_end() -> None:
    workers = Told(lost=[0, 3])
    failed = lambda job, error: f"{job}: {error}"  # noqa: E731
    assert run(workers, 5, failed) == ["0: gone, 3 times", 1, 4, "3: gone, 3 times", 16]
    with pytest.raises(InputError, match=r"^t: job 4 of 5: gone, 3 times; expected enough memory"):
        run(Told(lost=[3]), 5)


def test_where_all_are_lost_the_jobs_are_not_to_blame() -> None:
    failed = lambda job, error: "rejected"  # noqa: E731
    assert run(Told(lost=range(4)), 4, failed) == ["rejected"] * 4
    with pytest.raises(InputError, match="expected enough memory"):
        run(Told(lost=range(9)), 9, failed)
    assert run(Told(lost=range(1, 9)), 9, failed) == [0, *["rejected"] * 8]


def test_a_job_that_cannot_write_is_tried_elsewhere_and_then_ends_the_run() -> None:
    workers = Told(lost=[2], most=1)
    workers.cause = StorageError("no room")
    assert run(workers, 4) == [0, 1, 4, 9]
    workers = Told(lost=[2])
    workers.cause = StorageError("no room")
    with pytest.raises(StorageError, match=r"^no room$"):
        run(workers, 4, lambda job, error: "rejected")
