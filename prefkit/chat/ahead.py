"""Units of work side by side at an endpoint, and their results in the planned order."""

import contextlib
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

Unit = TypeVar("Unit")
Result = TypeVar("Result")

MOST: Final = 512  # units at work
BEFOREHAND: Final = 2.0  # times what keeps the endpoint busy, so that a slow reply does not idle it


@contextlib.contextmanager
def ahead(
    model: Any,  # a ChatModel; an endpoint's has `concurrency` and `wind_down`
    units: Iterable[Unit],
    work: Callable[[Unit], Result],
    *,
    calls: float,
    wanted: Callable[[], float] = lambda: math.inf,
) -> Generator[Iterator[tuple[Unit, Result]]]:
    """Work on units; for an endpoint, on so many at a time that it is kept busy.

    Results come in the order of the units, whichever is ready first, so what is recorded does not
    depend on the server's speed. A model in this process works on one unit after the other. When
    the block is left early, by Ctrl-C, an error or a break, nothing more is asked, and replies that
    are on their way are waited for and kept.

    Args:
        model: Who works.
        units: What is to be done, in order.
        work: Does it; called from several threads.
        calls: Requests that a unit puts to the model at a time, about.
        wanted: How many more units are needed, at most; asked before a unit is begun.

    Yields:
        Each unit with its result.
    """
    concurrency = getattr(model, "concurrency", None)
    if concurrency is None:
        yield ((unit, work(unit)) for unit in units)
        return
    most = min(MOST, 1 + math.ceil(BEFOREHAND * concurrency / max(calls, 1.0)))
    pool = ThreadPoolExecutor(most, thread_name_prefix="prefkit-unit")
    begun: deque[tuple[Unit, Future[Result]]] = deque()
    try:
        yield _results(pool, most, iter(units), work, wanted, begun)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if not all(future.done() for _, future in begun):
            model.wind_down()
        pool.shutdown()


def _results(
    pool: ThreadPoolExecutor,
    most: int,
    units: Iterator[Unit],
    work: Callable[[Unit], Result],
    wanted: Callable[[], float],
    begun: deque[tuple[Unit, Future[Result]]],
) -> Iterator[tuple[Unit, Result]]:
    while True:
        while len(begun) < min(most, max(1, wanted())) and not any(map(_failed, begun)):
            unit = next(units, None)
            if unit is None:
                break
            begun.append((unit, pool.submit(work, unit)))
        if not begun:
            return
        unit, future = begun[0]
        result = future.result()
        begun.popleft()
        yield unit, result


def _failed(one: tuple[Unit, Future[Result]]) -> bool:
    return one[1].done() and one[1].exception() is not None
