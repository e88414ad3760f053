"""An OpenAI-compatible endpoint: many requests at a time, retried, cached and priced."""

import asyncio
import hashlib
import json
import logging
import os
import random
import threading
import weakref
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from prefkit.chat.dialect import Dialect, looks_like_json
from prefkit.chat.failures import Failure, failure_of, redacted
from prefkit.chat.protocol import Reply, Request
from prefkit.chat.replies import ReplyCache
from prefkit.chat.throttle import Throttle
from prefkit.errors import PrefkitError

log = logging.getLogger(__name__)
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


class EndpointModel:
    """A model behind an OpenAI-compatible chat completions endpoint.

    Replies are cached by the content of the request. A request that fails for a passing reason is
    tried again with growing, jittered pauses; the server's `Retry-After` is obeyed by all requests
    together. What the server does not understand is asked for in another way (see `dialect`).

    Attributes:
        name: The model, as the endpoint calls it.
        device: The endpoint's host.
        structured: True: one structured call is worth trying; the caller validates.
    """

    structured = True

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        concurrency: int = 8,
        cache: Path | None = None,
        prices: Mapping[str, tuple[float, float]] | None = None,
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
            tries: Attempts before a request is given up.
            timeout: Seconds to wait for one reply.
            backoff: Seconds before the first retry.

        Raises:
            PrefkitError: The address is not one, or there is no key for OpenAI.
        """
        url = base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
        self.name = name
        self.device = _host(url)
        self._url = url
        self._key = os.environ.get(KEY_VARIABLE, "").strip()
        if not self._key and url == OPENAI_URL:
            raise PrefkitError(
                f"{name}: OpenAI's endpoint needs a key, and {KEY_VARIABLE} is not set.",
                hint=f"`export {KEY_VARIABLE}=…`, or give your own server with --base-url.",
            )
        self._price = (prices or {}).get(name)
        self._tries, self._timeout, self._backoff = tries, timeout, backoff
        self._concurrency = concurrency
        field = "max_completion_tokens" if url == OPENAI_URL else "max_tokens"
        self._dialect = Dialect(tokens_field=field)
        self._reached = self._worked = False
        self._cache = ReplyCache(cache) if cache is not None else None
        self._line: _Line | None = None

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply a request, in order; equal requests are asked once.

        A request that fails for good gets a reply with `error`. What no request can mend is
        raised: a refused key, an unknown model, an empty account, an address nobody answers.

        Raises:
            PrefkitError: See above.
        """
        if not requests:
            return []
        if self._line is None:
            key = self._key or NO_KEY
            self._line = _Line(key, self._url, self._timeout, self._concurrency, self._cache)
        return self._line.run(self._complete(requests, self._line))

    def close(self) -> None:
        """Hang up; the model can still be used and dials again."""
        if self._line is not None:
            self._line.close()
            self._line = None

    async def _complete(self, requests: Sequence[Request], line: "_Line") -> list[Reply]:
        tasks: dict[str, asyncio.Task[Reply]] = {}
        keys = [self._key_of(request) for request in requests]
        for number, (key, request) in enumerate(zip(keys, requests, strict=True)):
            if self._cache is None:
                key = keys[number] = f"{number}"
            if key not in tasks:
                tasks[key] = asyncio.create_task(self._reply(key, request, line))
        try:
            await asyncio.gather(*tasks.values())
        except BaseException:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
            raise
        return [tasks[key].result() for key in keys]

    def _key_of(self, request: Request) -> str:
        asked = {
            "endpoint": self._url,
            "model": self.name,
            "messages": [message.model_dump() for message in request.messages],
            "sampling": {
                "temperature": request.sampling.temperature,
                "top_p": request.sampling.top_p,
                "max_tokens": request.sampling.max_tokens,
                "seed": request.sampling.seed,
                "stop": list(request.sampling.stop),
            },
            "schema": request.schema,
        }
        canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    async def _reply(self, key: str, request: Request, line: "_Line") -> Reply:
        stored = self._cache.get(key) if self._cache else None
        if stored is not None:
            return self._understood(stored, cached=True)
        failures = 0
        while True:
            dialect = self._dialect
            payload = dialect.payload(self.name, request)
            async with line.throttle.turn():
                body, failure = await self._send(payload, line)
            if failure is None:
                failure = _unreadable(body)
            if failure is None:
                self._reached = self._worked = True
                line.throttle.succeeded()
                if self._ignored(request, dialect, body):
                    self._learn(dialect, dialect.told_in_prompt(), "answers without JSON")
                    continue
                if self._cache:
                    self._cache.put(key, self.device, self.name, body)
                return self._understood(body)
            self._reached = self._reached or failure.answered
            other = dialect.after_refusal(payload, failure.complaint)
            if other is not None:
                self._learn(dialect, other, failure.text)
                continue
            failures += 1
            pause = self._pause(failure, failures)
            if pause is None:
                return Reply("", "error", error=failure.text)
            log.info("%s: %s; again in %.1f s", self.device, failure.text, pause)
            if failure.too_many:
                line.throttle.refused(pause)
            else:
                await asyncio.sleep(pause)

    async def _send(self, payload: dict[str, Any], line: "_Line") -> tuple[str, Failure | None]:
        import openai

        try:
            raw = await line.client.chat.completions.with_raw_response.create(**payload)
        except openai.OpenAIError as error:
            return "", failure_of(error, self._key)
        return redacted(raw.text, self._key), None

    def _pause(self, failure: Failure, failures: int) -> float | None:
        """Seconds until the next try; None when it is time to give up.

        Raises:
            PrefkitError: Trying again is no use for any request.
        """
        if failure.fatal or (failure.fatal_at_first and not self._worked):
            raise PrefkitError(f"{self.name} at {self.device}: {failure.text}", hint=failure.hint)
        if not self._reached and failures >= min(FIRST_TRIES, self._tries):
            raise PrefkitError(
                f"{self.name} at {self.device}: {failure.text}",
                hint="Is the server running, and is --base-url right? It usually ends in /v1.",
            )
        if failure.wait > LONGEST_WAIT:
            raise PrefkitError(
                f"{self.name} at {self.device}: asks to wait {failure.wait:.0f} s: {failure.text}",
                hint="Go on later with `--resume last`; nothing is asked twice.",
            )
        if not failure.passing or failures >= self._tries:
            return None
        backoff = min(LONGEST_BACKOFF, self._backoff * 2 ** (failures - 1))
        return max(failure.wait, backoff * random.uniform(0.5, 1.0))

    def _learn(self, used: Dialect, better: Dialect, why: str) -> None:
        if self._dialect == used and better != used:
            self._dialect = better
            log.warning("%s at %s: %s; asking otherwise", self.name, self.device, why)

    def _ignored(self, request: Request, dialect: Dialect, body: str) -> bool:
        """Whether a schema was sent, and the server took no notice of it."""
        if request.schema is None or dialect.shape == "prompt":
            return False
        reply = self._understood(body)
        return reply.finish_reason == "stop" and not looks_like_json(reply.text)

    def _understood(self, body: str, *, cached: bool = False) -> Reply:
        value = json.loads(body)
        choice = value["choices"][0]
        message = choice["message"]
        usage = value.get("usage") or {}
        prompt, completion = (
            int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")
        )
        usd = None
        if self._price is not None and usage:
            usd = (prompt * self._price[0] + completion * self._price[1]) / 1e6
        refused = message.get("content") is None and message.get("refusal")
        text = (message.get("content") or "").encode(errors="replace").decode()  # lone surrogates
        return Reply(
            text,
            "refusal" if refused else choice.get("finish_reason") or "stop",
            prompt_tokens=prompt,
            completion_tokens=completion,
            usd=usd,
            cached=cached,
        )


def _unreadable(body: str) -> Failure | None:
    """The failure that a reply with HTTP 200 is, if it is not a chat completion."""
    try:
        value = json.loads(body)
        if isinstance(value, dict) and value.get("error"):
            return Failure(f"HTTP 200 with an error: {str(value['error'])[:300]}", passing=True)
        choice = value["choices"][0]
        content = choice["message"].get("content")
        if content is None or isinstance(content, str):
            return None
        reason = "its content is not text"
    except (ValueError, RecursionError):
        reason = "it is not JSON"
    except (KeyError, IndexError, TypeError, AttributeError):
        reason = "it holds no choice"
    return Failure(f"the reply cannot be read: {reason}.", passing=True)


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


class _Line:
    """An open line: the SDK's client on an event loop of its own thread.

    The loop outlives single calls, so connections are kept; and it works where a loop is running
    already (notebooks). Ctrl-C ends the wait at once and cancels what is in flight.
    """

    def __init__(
        self, key: str, url: str, timeout: float, concurrency: int, cache: ReplyCache | None
    ) -> None:
        import openai

        self.throttle = Throttle(concurrency)
        self.client = openai.AsyncOpenAI(api_key=key, base_url=url, timeout=timeout, max_retries=0)
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._loop.run_forever, name="prefkit-chat", daemon=True)
        thread.start()
        self._end = weakref.finalize(self, _hang_up, self._loop, thread, self.client, cache)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        self._end()


def _hang_up(
    loop: asyncio.AbstractEventLoop,
    thread: threading.Thread,
    client: Any,  # openai.AsyncOpenAI
    cache: ReplyCache | None,
) -> None:
    async def close() -> None:
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await client.close()
        loop.stop()

    asyncio.run_coroutine_threadsafe(close(), loop)
    if threading.current_thread() is thread:  # collected on the line itself: it stops by itself
        return
    thread.join(timeout=5)
    if not thread.is_alive():
        loop.close()
    if cache is not None:
        cache.close()
