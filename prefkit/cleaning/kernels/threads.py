"""Several blocks at a time on threads of our own.

numba's `parallel=True` starts a thread pool that does not survive a fork; ours lives as long as a
call, so workers of a process pool or of Ray may use it.
"""

import collections
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Block = TypeVar("Block")
Made = TypeVar("Made")


def count() -> int:
    """Threads to use: `OMP_NUM_THREADS`, which joblib and Ray set for their workers, else cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(function: Callable[[Block], Made], blocks: Iterable[Block]) -> Iterator[Made]:
    """`function` of each block, in their order; few blocks are ahead of the one taken."""
    threads = count()
    if threads == 1:
        yield from map(function, blocks)
        return
    with ThreadPoolExecutor(threads) as pool:
        ahead: collections.deque[Future[Made]] = collections.deque()
        for block in blocks:
            ahead.append(pool.submit(function, block))
            if len(ahead) > 2 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
