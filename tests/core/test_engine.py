"""Jobs over processes."""

import os

import pytest

from dfmnist.core.engine import run_jobs


def square(x: int) -> int:
    if x < 0:
        raise ValueError(f"{x} is negative")
    return x * x


def where(_: int) -> int:
    return os.getpid()


def test_results_come_in_the_order_of_the_jobs() -> None:
    assert list(run_jobs(square, [3, 1, 2], workers=2, describe="t")) == [9, 1, 4]
    assert list(run_jobs(square, [3, 1, 2], workers=1, describe="t")) == [9, 1, 4]
    assert list(run_jobs(square, [], describe="t")) == []


def test_one_worker_is_this_process() -> None:
    assert list(run_jobs(where, [0], workers=1, describe="t")) == [os.getpid()]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_is_raised(workers: int) -> None:
    with pytest.raises(ValueError, match="-1 is negative"):
        list(run_jobs(square, [1, -1, 2], workers=workers, describe="t"))
