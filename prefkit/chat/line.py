"""What every talk with an OpenAI-compatible endpoint shares: address, key, line and patience."""

import asyncio
import concurrent.futures
import dataclasses
import itertools
import math
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from prefkit import console
from prefkit.chat.failures import Failure
from prefkit.chat.throttle import Stopped, Throttle
from prefkit.errors import PrefkitError

Result = TypeVar("Result")

OPENAI_URL: Final = "https://api.openai.com/v1"
KEY_VARIABLE: Final = "OPENAI_API_KEY"
NO_KEY: Final = "none"  # what servers without keys are sent; the SDK wants something
TRIES: Final = 6  # at 30 % random refusals, 2 retries lose 3 % of requests and 5 lose none
FIRST_TRIES: Final = 3  # while nothing was ever reached: the address may be wrong
TIMEOUT: Final = 300.0  # seconds for one reply
BACKOFF: Final = 0.5  # seconds before the first retry; doubled each time
LONGEST_BACKOFF: Final = 30.0
LONGEST_WAIT: Final = 600.0  # seconds a server may ask us to wait; above it the user decides
CONNECTIONS: Final = 16  # of one client; with 256 a request costs 2.5 ms there, with 16 it is 1.3
GRACE: Final = 10.0  # seconds that what is in flight may still take after Ctrl-C
LOOK: Final = 0.02  # seconds between looks at whether it has landed


@dataclasses.dataclass(frozen=True)
class Address:
    """An endpoint and the key for it.

    Attributes:
        url: Where requests go.
        host: Its host and port, to be shown.
        key: The secret; empty for servers that want none.
    """

    url: str
    host: str
    key: str = dataclasses.field(repr=False)

    @classmethod
    def of(cls, base_url: str | None, model: str) -> Self:
        """The endpoint given, else that of `OPENAI_BASE_URL`, else OpenAI's.

        Raises:
            PrefkitError: The address is not one, or there is no key for OpenAI.
        """
        url = base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
        host = _host(url)
        key = os.environ.get(KEY_VARIABLE, "").strip()
        if not key and url == OPENAI_URL:
            raise PrefkitError(
                f"{model}: OpenAI's endpoint needs a key, and {KEY_VARIABLE} is not set.",
                hint=f"`export {KEY_VARIABLE}=…`, or give your own server with --base-url.",
            )
        return cls(url, host, key)


class Patience:
    """How often and how long to wait for a model before giving up.

    Attributes:
        reached: Something was there to answer.
        worked: A request has been answered well.
    """

    def __init__(self, name: str, host: str, tries: int = TRIES, backoff: float = BACKOFF) -> None:
        self._who = f"{name} at {host}"
        self._tries, self._backoff = tries, backoff
        self.reached = self.worked = False

    def pause(self, failure: Failure, failures: int) -> float | None:
        """Seconds until the next try; None when it is time to give up.

        Args:
            failure: What went wrong.
            failures: How often this request has failed.

        Raises:
            PrefkitError: Trying again is no use for any request.
        """
        if failure.fatal or (failure.fatal_at_first and not self.worked):
            raise PrefkitError(f"{self._who}: {failure.text}", hint=failure.hint)
        if not self.reached and failures >= min(FIRST_TRIES, self._tries):
            raise PrefkitError(
                f"{self._who}: {failure.text}",
                hint="Is the server running, and is --base-url right? It usually ends in /v1.",
            )
        if failure.wait > LONGEST_WAIT:
            raise PrefkitError(
                f"{self._who}: asks to wait {failure.wait:.0f} s: {failure.text}",
                hint="Go on later with `--resume last`; nothing is asked twice.",
            )
        if not failure.passing or failures >= self._tries:
            return None
        backoff = min(LONGEST_BACKOFF, self._backoff * 2 ** (failures - 1))
        return max(failure.wait, backoff * random.uniform(0.5, 1.0))


class Line:
    """An open line: the SDK's client on an event loop of its own thread.

    The loop outlives single calls, so connections are kept; and it works where a loop is running
    already (notebooks). After Ctrl-C nothing more is sent, and what is in flight, which is being
    paid for, has ten seconds to land; after a second Ctrl-C it has none.

    Attributes:
        throttle: How many requests may be in flight.
        probing: Held by who finds out what the server can do.
        failure: Why nothing more is sent, if that is so.
    """

    @property
    def client(self) -> Any:  # openai.AsyncOpenAI
        """One of some clients, in turn: each looks at all its connections for every request."""
        return next(self._clients)

    def __init__(
        self,
        address: Address,
        concurrency: int,
        timeout: float = TIMEOUT,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        """Start the loop; nothing is sent yet.

        Args:
            address: Where to.
            concurrency: Most requests in flight.
            timeout: Seconds to wait for one reply.
            on_close: Called when the line is closed.
        """
        self.throttle = Throttle(concurrency)
        self.probing = asyncio.Lock()
        self.failure: Exception | None = None
        clients = _clients(address, timeout, math.ceil(concurrency / CONNECTIONS))
        self._clients = itertools.cycle(clients)
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._loop.run_forever, name="prefkit-chat", daemon=True)
        thread.start()
        self._gate = _Gate()
        self._end = weakref.finalize(
            self, _hang_up, self._gate, self._loop, thread, clients, on_close
        )

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for some work on the loop."""
        future = self.begin(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            self.wind_down()
            raise
        except BaseException:
            future.cancel()
            raise

    def begin(self, work: Coroutine[Any, Any, Result]) -> concurrent.futures.Future[Result]:
        """Start some work on the loop.

        Raises:
            Stopped: The line was closed.
        """
        with self._gate.lock:  # what is begun before the end is cancelled by it, and not forgotten
            if self._gate.shut:
                work.close()
                raise Stopped
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def fail(self, error: Exception) -> None:
        """Send nothing more: `error` is why, unless there was a reason before."""
        if self.failure is None:  # who was merely stopped by another's failure says that failure
            self.failure = error
        self.throttle.stop()

    def wind_down(self, seconds: float = GRACE) -> None:
        """Send nothing more, and wait a little for what is in flight. The line is of no more use.

        Args:
            seconds: The longest wait.
        """
        try:
            self.begin(self._stop()).result(timeout=5)
        except (Stopped, TimeoutError, concurrent.futures.CancelledError):  # closed meanwhile
            return
        flying = self.throttle.flying
        if flying:
            console.say(
                f"Waiting up to {seconds:.0f} s for {flying} replies that are on their way; "
                "Ctrl-C leaves at once."
            )
        deadline = time.monotonic() + seconds
        while self.throttle.flying and time.monotonic() < deadline:
            time.sleep(LOOK)

    async def _stop(self) -> None:
        self.throttle.stop()

    def close(self) -> None:
        """Cancel what is in flight and end the loop."""
        self._end()


def _clients(address: Address, timeout: float, count: int) -> list[Any]:  # openai.AsyncOpenAI
    """Clients that try once, and do not follow a redirect with the key in hand."""
    import httpx2
    import openai

    trusted = httpx2.create_ssl_context()  # takes 20 ms: all share it
    return [
        openai.AsyncOpenAI(
            api_key=address.key or NO_KEY,
            base_url=address.url,
            timeout=timeout,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False, verify=trusted),
        )
        for _ in range(count)
    ]


def _host(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PrefkitError(
            f"{parts.scheme}://{parts.hostname or ''}: not the address of an endpoint.",
            hint="An address looks like http://127.0.0.1:8000/v1.",
        )
    if parts.username or parts.password:
        raise PrefkitError(
            f"{parts.hostname}: the address holds a user or a password.",
            hint=f"Put the key in {KEY_VARIABLE} instead.",
        )
    return parts.hostname + (f":{parts.port}" if parts.port else "")


class _Gate:
    """Says whether a line still takes work."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.shut = False


def _hang_up(
    gate: _Gate,
    loop: asyncio.AbstractEventLoop,
    thread: threading.Thread,
    clients: Sequence[Any],  # openai.AsyncOpenAI
    on_close: Callable[[], None] | None,
) -> None:
    async def close() -> None:
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for client in clients:
            await client.close()
        loop.stop()

    with gate.lock:
        gate.shut = True
        asyncio.run_coroutine_threadsafe(close(), loop)
    if threading.current_thread() is thread:  # collected on the line itself: it stops by itself
        return
    thread.join(timeout=5)
    if not thread.is_alive():
        loop.close()
    if on_close is not None:
        on_close()
