"""An OpenAI-compatible endpoint: many requests at a time, retried, cached and paid for once."""

import asyncio
import dataclasses
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from prefkit.chat.budget import Budget
from prefkit.chat.caller import Caller
from prefkit.chat.dialect import Dialect
from prefkit.chat.failures import Failure
from prefkit.chat.landing import Landing
from prefkit.chat.line import BACKOFF, GRACE, TIMEOUT, TRIES, Address, Line, Patience
from prefkit.chat.protocol import Reply, Request
from prefkit.chat.reading import Body, key_of, replies_of
from prefkit.chat.replies import ReplyCache
from prefkit.chat.throttle import Stopped

log = logging.getLogger(__name__)

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

CONCURRENCY: Final = 32


class EndpointModel:
    """A model behind an OpenAI-compatible chat completions endpoint.

    Replies are cached by the content of the request, before anything else is done with them. A
    request that fails for a passing reason is tried again with growing, jittered pauses; the
    server's `Retry-After` is obeyed by all requests together, and how many are in flight follows
    what the server can take. What the server does not understand is asked for in another way (see
    `dialect` and `probe`). Several threads may use one model.

    Attributes:
        name: The model, as the endpoint calls it.
        device: The endpoint's host.
        structured: True: one structured call is worth trying; the caller validates.
        concurrency: Most requests in flight.
        budget: What is spent, and may be.
        address: The endpoint with its key.
    """

    structured = True

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        concurrency: int = CONCURRENCY,
        cache: Path | None = None,
        prices: Mapping[str, tuple[float, float]] | None = None,
        budget: Budget | None = None,
        probes: bool = False,
        tries: int = TRIES,
        timeout: float = TIMEOUT,
        backoff: float = BACKOFF,
    ) -> None:
        """Prepare to talk; nothing is sent yet.

        Args:
            name: The model, as the endpoint calls it.
            base_url: The endpoint; `OPENAI_BASE_URL`, else OpenAI's, when not given.
            concurrency: Most requests in flight.
            cache: SQLite file of replies; None keeps nothing.
            prices: US dollars per million (prompt, completion) tokens, by model name.
            budget: What may be spent, with its own prices; shared by the models of a run.
            probes: Find out first how the server can be made to answer in JSON.
            tries: Attempts before a request is given up.
            timeout: Seconds to wait for one reply.
            backoff: Seconds before the first retry.

        Raises:
            PrefkitError: The address is not one, or there is no key for OpenAI.
        """
        self.address = Address.of(base_url, name)
        self.name = name
        self.device = self.address.host
        self.concurrency = concurrency
        self.budget = budget or Budget(prices=prices)
        self._price = self.budget.price(name)
        self._timeout = timeout
        self._cache = ReplyCache(cache) if cache is not None else None
        patience = Patience(name, self.device, tries, backoff)
        self._caller = Caller(name, self.address, patience, self.budget, self._cache, probes=probes)
        self._asking: dict[str, asyncio.Future[Reply]] = {}
        self._several = True  # until the server gives fewer choices than it was asked for
        self._line: Line | None = None
        self._dialling = threading.Lock()

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply a request, in order; equal requests are asked once.

        A request that fails for good gets a reply with `error`. What no request can mend is
        raised: a refused key, an unknown model, an empty account, an address nobody answers.

        Raises:
            PrefkitError: See above; or the budget is reached.
        """
        return _in_order(self.stream(requests))

    def stream(self, requests: Iterable[Request]) -> Iterator[tuple[int, Reply]]:
        """Replies as they come, each with the place of its request.

        Requests are taken from the iterable as there is room for them, and replies are held back
        while they are not taken, so memory stays flat however many there are.

        Raises:
            PrefkitError: As `complete` does.
        """
        return self._run(self._reply, requests)

    def samples(self, groups: Sequence[Sequence[Request]]) -> list[list[Reply]]:
        """A reply a request, where the requests of a group differ in nothing but their seeds.

        A server that can is asked for a whole group at once, with the seed of its first, so the
        prompt is paid for once; `choice` tells such replies apart. What the server leaves out, as
        many do without a word, is asked for one by one with its own seed.

        Raises:
            PrefkitError: As `complete` does.
        """
        return _in_order(self._run(self._draw, groups))

    @property
    def dialect(self) -> Dialect:
        """How requests are put, as far as is known."""
        return self._caller.dialect

    def find_out(self) -> None:
        """Probe how the server can be made to answer in JSON, if that is wanted and not known."""
        if self._caller.probes:
            line = self._dial()
            line.run(self._caller.find_out(line))

    def learn(self, request: Request, failure: Failure) -> bool:
        """Whether a refused request is worth putting in another way, which is then the way."""
        return self._caller.learn(request, failure)

    def close(self) -> None:
        """Hang up; the model can still be used and dials again."""
        with self._dialling:
            line, self._line = self._line, None
        if line is not None:
            line.close()
        if self._cache is not None:
            self._cache.close()

    def wind_down(self, seconds: float = GRACE) -> None:
        """Hang up when what is in flight has landed, or after so many seconds."""
        line = self._line
        try:
            if line is not None:
                line.wind_down(seconds)
        finally:
            self.close()

    def _dial(self) -> Line:
        with self._dialling:
            if self._line is None:
                self._line = Line(self.address, self.concurrency, self._timeout)
                self._asking = {}
            return self._line

    def _run(
        self, work: Callable[[Asked, Line], Awaitable[Answer]], requests: Iterable[Asked]
    ) -> Iterator[tuple[int, Answer]]:
        """What becomes of requests, as it comes, so many at a time."""
        if isinstance(requests, Sequence) and not requests:
            return
        line = self._dial()
        landing: Landing[tuple[int, Answer]] = Landing()
        most = min(self.concurrency, len(requests) if isinstance(requests, Sequence) else 2**20)
        feeding = line.begin(_feed(enumerate(requests), work, most, landing, line))
        feeding.add_done_callback(lambda _: landing.end(Stopped()))  # cancelled before it began
        try:
            yield from landing
            feeding.result()  # the line must not be left behind in its own hands
        except BaseException:
            self.wind_down()
            feeding.cancel()
            raise

    async def _reply(self, request: Request, line: Line) -> Reply:
        if self._cache is None:
            return await self._asked(request, line, "")
        key = key_of(self.address.url, self.name, request)
        if key in self._asking:  # an equal request is on its way
            return dataclasses.replace(await asyncio.shield(self._asking[key]), cached=True)
        stored = self._cache.get(key)
        if stored is not None:
            await asyncio.sleep(0)  # so that a long row of these stops nobody else
            return replies_of(json.loads(stored), self._price, cached=True)[0]
        asking = self._asking[key] = asyncio.get_running_loop().create_future()
        try:
            reply = await self._asked(request, line, key)
        except BaseException as error:
            asking.set_exception(error if isinstance(error, Exception) else RuntimeError())
            asking.exception()  # seen: it is raised here, whether or not another waits for it
            raise
        finally:
            self._asking.pop(key, None)
        asking.set_result(reply)
        return reply

    async def _asked(self, request: Request, line: Line, key: str) -> Reply:
        said = await self._caller.ask(request, line, key)
        if isinstance(said, str):
            return Reply("", "error", error=said)
        return replies_of(said, self._price)[0]

    async def _draw(self, group: Sequence[Request], line: Line) -> list[Reply]:
        found = await self._at_once(group[0], line, len(group)) if len(group) > 1 else []
        for request in group[len(found) :]:
            found.append(await self._reply(request, line))
        return found

    async def _at_once(self, request: Request, line: Line, count: int) -> list[Reply]:
        """As many replies as the server gives to one request for `count`."""
        key = key_of(self.address.url, self.name, request, count) if self._cache else ""
        stored = self._cache.get(key) if self._cache else None
        if stored is not None:
            return replies_of(json.loads(stored), self._price, cached=True)[:count]
        if not self._several:
            return []
        said: Body | str = await self._caller.ask(request, line, key, count)
        found = [] if isinstance(said, str) else replies_of(said, self._price)[:count]
        if found and len(found) < count and self._several:
            self._several = False
            log.warning("%s: %d of %d choices; asked singly", self.name, len(found), count)
        return found


def _in_order(numbered: Iterable[tuple[int, Answer]]) -> list[Answer]:
    return [answer for _, answer in sorted(numbered, key=lambda pair: pair[0])]


async def _feed(
    numbered: Iterator[tuple[int, Asked]],
    work: Callable[[Asked, Line], Awaitable[Answer]],
    most: int,
    landing: Landing[tuple[int, Answer]],
    line: Line,
) -> None:
    """Keep `most` requests at work; after an error, let land what is in flight."""

    async def one() -> None:
        for place, request in numbered:
            await landing.put((place, await work(request, line)))

    workers = [asyncio.create_task(one()) for _ in range(most)]
    try:
        await asyncio.gather(*workers)
        landing.end()
    except asyncio.CancelledError:
        landing.end(line.failure or Stopped())
        raise
    except Exception as error:
        line.fail(error)
        await asyncio.wait(workers, timeout=GRACE)
        landing.end(line.failure)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
