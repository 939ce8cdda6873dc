"""Results computed ahead of the consumer by threads, and yielded in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int, max_pending: int
) -> Iterator[Result]:
    """Run `function` on `items` in `threads` worker threads and yield the results in order.

    At most `max_pending` results are held ahead of the consumer, so that memory is bounded. With
    0 threads each result is computed when it is asked for. An exception is raised where its
    result would have come, and no item is started after it. When the iterator ends, fails or is
    dropped, the threads finish their current items and end.
    """
    if threads < 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ahead")
    waiting: deque[Future[Result]] = deque()
    coming = iter(items)
    try:
        waiting.extend(pool.submit(function, item) for item in islice(coming, max(max_pending, 1)))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(coming, 1))
            yield result
    finally:
        # No waiting: a dropped iterator may be closed by any thread, one of these among them.
        pool.shutdown(wait=False, cancel_futures=True)
