"""Work in a thread: its updates, its result, its errors, and its end when nobody waits for it."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from dfmnist.app.work import CancelledError, Progress, Result, run
from dfmnist.core.console import progress_bar
from dfmnist.core.errors import InputError

PATIENCE_S = 10


def test_updates_and_the_result_come_in_order() -> None:
    def work(update: Callable[[int], None]) -> str:
        for number in range(3):
            update(number)
        return "done"

    found = list(run(work))
    assert [one for one in found if isinstance(one, int)] == [0, 1, 2]
    assert found[-1] == Result("done")


def test_progress_bars_within_the_work_are_handed_on() -> None:
    seen = threading.Event()

    def work(update: Callable[[Any], None]) -> None:
        with progress_bar() as bar:
            task = bar.add_task("film", total=4)
            bar.advance(task)
            seen.wait(PATIENCE_S)

    found = []
    for one in run(work):
        found.append(one)
        if one == Progress("film", 1, 4):
            seen.set()
    assert Progress("film", 1, 4) in found
    assert Progress("film", 1, 4).share == 0.25
    assert Progress("film", 1, None).share is None


def test_an_error_of_the_work_is_raised_where_it_is_waited_for() -> None:
    def work(update: Callable[[Any], None]) -> None:
        raise InputError("no face; expected one")

    with pytest.raises(InputError, match="no face"):
        list(run(work))


def test_the_work_ends_when_its_updates_are_no_longer_read() -> None:
    ended: list[type[BaseException]] = []
    gone, over = threading.Event(), threading.Event()

    def work(update: Callable[[int], None]) -> None:
        try:
            update(0)
            gone.wait(PATIENCE_S)
            update(1)
        except BaseException as error:
            ended.append(type(error))
            raise
        finally:
            over.set()

    updates = run(work)
    assert next(one for one in updates if one == 0) == 0
    updates.close()
    gone.set()
    assert over.wait(PATIENCE_S)
    assert ended == [CancelledError]
    assert list(run(lambda update: "next"))[-1] == Result("next")  # it left nothing locked


def test_two_pieces_of_work_do_not_run_at_once() -> None:
    inside, most = [0], [0]
    lock = threading.Lock()

    def work(update: Callable[[Any], None]) -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        threading.Event().wait(0.05)
        with lock:
            inside[0] -= 1

    threads = [threading.Thread(target=lambda: list(run(work))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert most == [1]
