"""An OpenAI-compatible endpoint: many requests at a time, retried, cached and priced."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefkit.chat.dialect import Dialect, looks_like_json
from prefkit.chat.failures import Failure, failure_of, redacted
from prefkit.chat.line import BACKOFF, OPENAI_URL, TIMEOUT, TRIES, Address, Line, Patience
from prefkit.chat.protocol import Reply, Request
from prefkit.chat.replies import ReplyCache

log = logging.getLogger(__name__)


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
        self._address = Address.of(base_url, name)
        self.name = name
        self.device = self._address.host
        self._price = (prices or {}).get(name)
        self._timeout, self._concurrency = timeout, concurrency
        official = self._address.url == OPENAI_URL
        field = "max_completion_tokens" if official else "max_tokens"
        self._dialect = Dialect(tokens_field=field)
        self._patience = Patience(name, self.device, tries, backoff)
        self._cache = ReplyCache(cache) if cache is not None else None
        self._line: Line | None = None

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
            cache = self._cache.close if self._cache is not None else None
            self._line = Line(self._address, self._concurrency, self._timeout, cache)
        return self._line.run(self._complete(requests, self._line))

    def close(self) -> None:
        """Hang up; the model can still be used and dials again."""
        if self._line is not None:
            self._line.close()
            self._line = None

    async def _complete(self, requests: Sequence[Request], line: Line) -> list[Reply]:
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
            "endpoint": self._address.url,
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

    async def _reply(self, key: str, request: Request, line: Line) -> Reply:
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
                self._patience.reached = self._patience.worked = True
                line.throttle.succeeded()
                if self._ignored(request, dialect, body):
                    self._learn(dialect, dialect.told_in_prompt(), "answers without JSON")
                    continue
                if self._cache:
                    self._cache.put(key, self.device, self.name, body)
                return self._understood(body)
            self._patience.reached |= failure.answered
            other = dialect.after_refusal(payload, failure.complaint)
            if other is not None:
                self._learn(dialect, other, failure.text)
                continue
            failures += 1
            pause = self._patience.pause(failure, failures)
            if pause is None:
                return Reply("", "error", error=failure.text)
            log.info("%s: %s; again in %.1f s", self.device, failure.text, pause)
            if failure.too_many:
                line.throttle.refused(pause)
            else:
                await asyncio.sleep(pause)

    async def _send(self, payload: dict[str, Any], line: Line) -> tuple[str, Failure | None]:
        import openai

        try:
            raw = await line.client.chat.completions.with_raw_response.create(**payload)
        except openai.OpenAIError as error:
            return "", failure_of(error, self._address.key)
        return redacted(raw.text, self._address.key), None

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
