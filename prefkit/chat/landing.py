"""Results on their way from an event loop to a thread that waits for them."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

ROOM: Final = 256  # results that may wait to be taken; above it their makers wait


class Landing(Generic[Item]):
    """A queue that is bounded, so that memory stays flat however slowly it is emptied."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._ended = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._space: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def put(self, item: Item) -> None:
        """Hand over a result; waits while too many lie there."""
        if self._space is None:
            self._loop, self._space = asyncio.get_running_loop(), asyncio.Event()
        with self._changed:
            self._items.append(item)
            full = len(self._items) >= ROOM
            if full:
                self._space.clear()
            if len(self._items) == 1:
                self._changed.notify()
        if full:
            await self._space.wait()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes, for the reason given if there is one; what was said first counts."""
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
            self._changed.notify()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                while not self._items and not self._ended:
                    self._changed.wait()
                items, self._items = self._items, []
            if len(items) >= ROOM and self._loop is not None and self._space is not None:
                self._loop.call_soon_threadsafe(self._space.set)
            yield from items
            if not items:
                if self._error is not None:
                    raise self._error
                return
