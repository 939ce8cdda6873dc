"""Work done ahead of need by threads, handed out in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int, most: int
) -> Iterator[Result]:
    """Yield `function(item)` for each item, in the order of `items`.

    `threads` work at once; at most `most` results lie finished or in the making beside the one
    in use, so that memory is bounded. 0 threads: each result is made when it is asked for. An
    exception is raised where its result would have come, and nothing is begun after it. When
    the iterator ends, fails or is dropped, threads end with the item that they are at.
    """
    if threads < 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ahead")
    waiting: deque[Future[Result]] = deque()
    coming = iter(items)
    try:
        waiting.extend(pool.submit(function, item) for item in islice(coming, max(most, 1)))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(coming, 1))
            yield result
    finally:
        # No waiting: a dropped iterator may be closed by any thread, one of these among them.
        pool.shutdown(wait=False, cancel_futures=True)
