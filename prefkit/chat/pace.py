"""Whether a server gets slower because too much is asked of it at once."""

import statistics
import time
from typing import Final

SLOWER: Final = 2.0  # times the best latency: here a server begins to queue
MORE: Final = 1.05  # times the rate before: here more in flight still gets more done
FORGET: Final = 1.02  # a window: the best latency is not the best for ever
LEAST: Final = 16  # replies in a window
WINDOWS_BETWEEN: Final = 2  # decreases, so that each is judged by what came after it
FACTOR: Final = 0.8


class Pace:
    """Latency against the best seen, as TCP Vegas looks at it, window by window.

    Latency alone misleads: a server that batches gets slower with every request beside another,
    and gets more done all the same; and long replies take longer than short ones. So the limit
    goes down only when replies take twice the best time and no more of them come a second. When
    fewer in flight are not answered sooner, the server was not queueing: that time is then the
    new best.
    """

    def __init__(self) -> None:
        self._best = 0.0
        self._rate = 0.0
        self._before: tuple[float, float] | None = None  # latency and limit before a decrease
        self._since = 0
        self._times: list[float] = []
        self._began = time.monotonic()

    def landed(self, seconds: float, limit: float, *, full: bool) -> float | None:
        """Note a reply.

        Args:
            seconds: How long it took.
            limit: How many were allowed in flight.
            full: They were all in flight.

        Returns:
            A new limit when there is reason for one.
        """
        self._times.append(seconds)
        if len(self._times) < max(LEAST, limit):
            return None
        latency = statistics.median(self._times)
        now = time.monotonic()
        rate = len(self._times) / max(now - self._began, 1e-9)
        self._times.clear()
        self._began = now
        advice = self._judge(latency, rate, limit) if full else None
        self._rate = rate
        return advice

    def _judge(self, latency: float, rate: float, limit: float) -> float | None:
        self._since += 1
        if self._before is not None and self._since >= WINDOWS_BETWEEN:
            before, earlier = self._before
            self._before = None
            if latency > (1 + FACTOR) / 2 * before:
                self._best = latency
                return earlier
        self._best = min(self._best * FORGET, latency) if self._best else latency
        queueing = latency > SLOWER * self._best and rate < MORE * self._rate
        if not queueing or self._before is not None:
            return None
        self._before, self._since = (latency, limit), 0
        return FACTOR * limit
