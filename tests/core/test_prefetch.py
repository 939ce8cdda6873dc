"""Threads that work ahead: in order, bounded, and gone when nobody listens."""

import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from dfmnist.core.prefetch import prefetch_map


def workers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("ahead")]


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    yield
    gc.collect()
    deadline = time.monotonic() + 5
    while workers() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not workers()


def slow_square(number: int) -> int:
    time.sleep(0.03 if number % 3 == 0 else 0.001)
    return number * number


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_come_in_order(threads: int) -> None:
    got = list(prefetch_map(slow_square, range(20), threads=threads, max_pending=5))
    assert got == [n * n for n in range(20)]


def test_no_more_is_begun_than_asked() -> None:
    begun: list[int] = []
    results = prefetch_map(lambda n: begun.append(n) or n, range(100), threads=2, max_pending=4)
    assert next(results) == 0
    time.sleep(0.1)
    assert sorted(begun) == list(range(5))  # one in use, four ahead
    assert list(results) == list(range(1, 100))
    assert sorted(begun) == list(range(100))


def test_threads_work_at_once() -> None:
    together = threading.Barrier(2, timeout=5)
    got = prefetch_map(lambda _: together.wait(), range(6), threads=2, max_pending=2)
    assert len(list(got)) == 6


def test_an_error_comes_in_its_place_and_ends_the_work() -> None:
    begun: list[int] = []

    def broken_at_3(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("broken")
        return number

    results = prefetch_map(broken_at_3, range(1000), threads=2, max_pending=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(results)
    time.sleep(0.05)
    assert len(begun) < 12


def test_a_dropped_iterator_ends_its_threads() -> None:
    results = prefetch_map(slow_square, range(1000), threads=2, max_pending=50)
    assert next(results) == 0
    assert workers()
    del results  # the fixture sees them gone


def test_ctrl_c_ends_the_process(tmp_path: object) -> None:
    program = """
import time
from dfmnist.core.prefetch import prefetch_map
print("started", flush=True)
for _ in prefetch_map(lambda n: time.sleep(0.05), range(10_000), threads=2, max_pending=20):
    pass
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    try:
        _, errors = child.communicate(timeout=10)
    finally:
        child.kill()
    assert "KeyboardInterrupt" in errors
    assert child.returncode != 0
