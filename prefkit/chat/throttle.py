"""How many requests may be in flight, and when: it is the server that says how many it likes."""

import asyncio
import contextlib
import math
import random
import time
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final

from prefkit.chat.pace import Pace

START: Final = 8.0  # requests in flight at first
QUICK: Final = 0.5  # added a success at first: half as many again every round trip
NEAR: Final = 0.1  # of the usual step, within 1 of where the server last said no
SHRINK: Final = 0.8
SHRINK_EVERY: Final = 0.2  # seconds, where it is not known when the refused was sent
SPREAD: Final = 0.2  # of a pause: over so much time the requests begin again, not all at once
LONGEST_SPREAD: Final = 1.0


class Stopped(Exception):
    """No more requests are sent."""


class Throttle:
    """Slow start, then additive increase and multiplicative decrease, as TCP does.

    What decreases it is a refusal, or a server that gets slower without getting more done
    (see `pace`). Where the server last said no is come near to in small steps only. Against a
    server that takes 40 requests at a time, a fixed 256 costs 6,940 refusals and 56 s for 6,000
    requests; `benchmarks/speed/results/client.md` has what this costs.

    Attributes:
        limit: Requests in flight now allowed; never above what the user asked for.
        flying: Requests in flight.
        refusals: How often the server wanted fewer.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self.limit = min(START, self._most)
        self.flying = 0
        self.refusals = 0
        self._quick = True  # until the server first says no
        self._ceiling = math.inf  # where it last did
        self._stopped = False
        self._resume = 0.0
        self._spread = 0.0
        self._shrunk = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._pace = Pace()

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for a free place, and for the end of a pause the server asked for.

        Raises:
            Stopped: `stop` was called.
        """
        await self._enter()
        try:
            yield
        finally:
            self.flying -= 1
            self._let_in()

    def succeeded(self, seconds: float | None = None) -> None:
        """Let more through.

        Args:
            seconds: How long the reply took, when it says how busy the server is.
        """
        limit = self.limit
        full = self.flying >= int(limit) - 1
        if full:  # a limit that was not reached says nothing about a higher one
            self.limit = min(self._most, limit + self._step())
        if seconds is not None:
            advice = self._pace.landed(seconds, limit, full=full)
            if advice is not None:
                self._quick = False
                self.limit = min(self._most, max(1.0, advice))
        self._let_in()

    def refused(self, pause: float, sent: float | None = None) -> None:
        """Too many requests: let less through, and nothing for `pause` seconds.

        Args:
            pause: What the server asked for; 0 when it did not say.
            sent: When the refused request was sent; what was sent before the last decrease
                says nothing new.
        """
        now = time.monotonic()
        self.refusals += 1
        self._quick = False
        if now + pause > self._resume and pause > 0:
            self._resume = now + pause
            self._spread = min(LONGEST_SPREAD, SPREAD * pause)
        if now - SHRINK_EVERY >= self._shrunk if sent is None else sent > self._shrunk:
            self._shrunk = now
            self._ceiling = min(self.limit, self.flying + 1)
            self.limit = max(1.0, self._ceiling * SHRINK)

    def _step(self) -> float:
        """By how much a success raises the limit."""
        if self._quick:
            return QUICK
        if self.limit > self._ceiling + 1:
            self._ceiling = math.inf
        return (NEAR if self.limit > self._ceiling - 1 else 1.0) / self.limit

    def stop(self) -> None:
        """Send nothing more; what is in flight stays there."""
        self._stopped = True
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(Stopped())

    def check(self) -> None:
        """Raise Stopped if nothing more is to be sent."""
        if self._stopped:
            raise Stopped

    async def _enter(self) -> None:
        self.check()
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._let_in()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.flying -= 1
                self._let_in()
            raise
        if time.monotonic() < self._resume + self._spread:
            try:
                await asyncio.sleep(random.uniform(0, self._spread))
            except asyncio.CancelledError:
                self.flying -= 1
                self._let_in()
                raise

    def _let_in(self) -> None:
        """Give free places to those who wait longest."""
        if self._waiting and (left := self._resume - time.monotonic()) > 0:
            if self._alarm is None:
                self._alarm = asyncio.get_running_loop().call_later(left, self._ring)
            return
        while self._waiting and self.flying < max(1, int(self.limit)):
            waiter = self._waiting.popleft()
            if not waiter.done():
                self.flying += 1
                waiter.set_result(None)

    def _ring(self) -> None:
        self._alarm = None
        self._let_in()
