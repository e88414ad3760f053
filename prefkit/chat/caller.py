"""One model at one endpoint: how it is asked, tried again, paid, and what it was found to do."""

import asyncio
import logging
import time
from typing import Any, Final

from prefkit.chat.budget import Budget, most_tokens
from prefkit.chat.dialect import Dialect, Shape, looks_like_json
from prefkit.chat.failures import Failure, failure_of, redacted
from prefkit.chat.line import OPENAI_URL, Address, Line, Patience
from prefkit.chat.probe import Finding, probe, recall, remember
from prefkit.chat.protocol import Reply, Request
from prefkit.chat.reading import Body, parsed, replies_of, usage_of
from prefkit.chat.replies import Paid, ReplyCache

log = logging.getLogger(__name__)

PATH: Final = "/chat/completions"


class Caller:
    """Puts single requests to a model, and learns from its refusals.

    Attributes:
        name: The model, as the endpoint calls it.
        address: The endpoint.
        budget: What is spent, and may be.
        cache: Where replies go before anything else happens; None keeps nothing.
        dialect: How requests are put.
        probes: Whether it is found out first how the server can be made to answer in JSON.
    """

    def __init__(
        self,
        name: str,
        address: Address,
        patience: Patience,
        budget: Budget,
        cache: ReplyCache | None,
        *,
        probes: bool,
    ) -> None:
        """Prepare to talk.

        Args:
            name: The model, as the endpoint calls it.
            address: The endpoint.
            patience: When to give up.
            budget: What is spent, and may be.
            cache: Where replies are kept.
            probes: Find out first how the server can be made to answer in JSON.
        """
        self.name, self.address, self.budget, self.cache = name, address, budget, cache
        field = "max_completion_tokens" if address.url == OPENAI_URL else "max_tokens"
        self.dialect = Dialect(tokens_field=field)
        self._patience = patience
        self._finding: Finding | None = None
        self.probes = probes
        self._uncounted = False

    async def ask(self, request: Request, line: Line, key: str = "", count: int = 1) -> Body | str:
        """The completion of a request, or why there is none.

        Args:
            request: What is wanted.
            line: An open line.
            key: Under which it is kept; empty keeps nothing.
            count: Completions wanted.

        Raises:
            PrefkitError: No request can work before the user has acted, or the budget is reached.
            Stopped: Nothing more is sent.
        """
        if request.schema is not None and self.probes and self._finding is None:
            await self.find_out(line)
        return await self._tries(request, line, key, count)

    async def find_out(self, line: Line) -> None:
        """Probe how the server can be made to answer in JSON, unless that is known."""
        async with line.probing:
            if self._finding is not None:
                return
            store = self.cache.store if self.cache else None
            finding = recall(store, self.address.url, self.name) if store else None
            if finding is None:
                finding = await probe(lambda request, shape: self._probe(request, line, shape))
                if store is not None:
                    remember(store, self.address.url, self.name, finding)
            self._finding = finding
            self.dialect = self.dialect.shaped(finding.shape)
            log.info("%s at %s %s", self.name, self.address.host, finding.words())

    def learn(self, request: Request, failure: Failure) -> bool:
        """Whether a refused request is worth putting in another way, which is then the way."""
        used = self.dialect
        other = used.after_refusal(used.payload(self.name, request), failure.complaint)
        if other is not None:
            self._learn(used, other, failure.text)
        return other is not None

    async def _probe(self, request: Request, line: Line, shape: Shape) -> Reply:
        said = await self._tries(request, line, shape=shape)
        if isinstance(said, str):
            return Reply("", "error", error=said)
        return replies_of(said, None)[0]

    async def _tries(
        self,
        request: Request,
        line: Line,
        key: str = "",
        count: int = 1,
        shape: Shape | None = None,
    ) -> Body | str:
        """Ask until there is an answer, or it is time to give up."""
        failures = 0
        while True:
            used = self.dialect if shape is None else self.dialect.shaped(shape)
            payload = used.payload(self.name, request, count)
            if shape is not None:  # the words must not give away what only the schema says
                payload["messages"] = [message.model_dump() for message in request.messages]
            most = request.sampling.max_tokens * count
            said, ignored = await self._attempt(payload, request, line, key, most)
            if not isinstance(said, Failure):
                self._patience.reached = self._patience.worked = True
                if shape is None and ignored and used.shape != "prompt":
                    self._learn(used, used.told_in_prompt(), "answers without JSON")
                    continue
                return said
            self._patience.reached |= said.answered
            other = used.after_refusal(payload, said.complaint)
            if shape is not None and (said.complaint and (other is None or other.shape != shape)):
                return said.text
            if other is not None:
                self._learn(used, other, said.text)
                continue
            failures += 1
            pause = self._patience.pause(said, failures)
            if pause is None:
                return said.text
            log.info("%s: %s; again in %.1f s", self.address.host, said.text, pause)
            if not said.wait:  # else all wait together, before the next turn
                await asyncio.sleep(pause)

    async def _attempt(
        self, payload: dict[str, Any], request: Request, line: Line, key: str, most: int
    ) -> tuple[Body | Failure, bool]:
        """Send a request once; what comes is kept and counted before anything else happens.

        Returns:
            The completion or the failure, and whether a schema was sent and disregarded.
        """
        async with line.throttle.turn():
            hold = await self.budget.reserve(self.name, payload, most)
            sent = time.monotonic()
            try:
                line.throttle.check()
                text, failure = await self._send(payload, line)
                said = failure or parsed(text)
                if isinstance(said, Failure):
                    if said.too_many or said.wait:
                        line.throttle.refused(said.wait, sent)
                    if failure is None or said.billed:
                        await self._pay(payload, most)
                    return said, False
                line.throttle.succeeded(time.monotonic() - sent)
                ignored = "response_format" in payload and self._disregards(said)
                await self._pay(payload, most, said, "" if ignored else key, text)
                return said, ignored
            finally:
                self.budget.release(hold)

    async def _send(self, payload: dict[str, Any], line: Line) -> tuple[str, Failure | None]:
        import httpx2
        import openai

        key = self.address.key
        try:  # not `chat.completions.create`, which spends a quarter of the time on types
            raw = await line.client.post(PATH, body=payload, cast_to=httpx2.Response)
        except openai.OpenAIError as error:
            return "", failure_of(error, key)
        try:
            return redacted(raw.content.decode(), key), None
        except UnicodeDecodeError:
            return "", Failure("the reply cannot be read: it is not UTF-8.", passing=True)

    async def _pay(
        self,
        payload: dict[str, Any],  # JSON values
        most: int,
        said: Body | None = None,
        key: str = "",
        text: str = "",
    ) -> None:
        usage = usage_of(said)
        if usage is None and said is not None and not self._uncounted:
            self._uncounted = True
            log.warning("%s at %s: says no token counts", self.name, self.address.host)
        if usage is None:  # within limits the worst is assumed, else nothing is
            usage = (most_tokens(payload), most) if self.budget.limited else (0, 0)
        self.budget.pay(self.name, *usage)
        if self.cache is not None:
            paid = Paid(self.address.host, self.name, key, text, self.budget.run, *usage)
            await self.cache.keep(paid)

    def _disregards(self, said: Body) -> bool:
        """Whether a reply to a request with a schema shows that nobody looked at the schema."""
        if self._finding is not None and self._finding.enforced:
            return False
        reply = replies_of(said, None)[0]
        return reply.finish_reason == "stop" and not looks_like_json(reply.text)

    def _learn(self, used: Dialect, better: Dialect, why: str) -> None:
        current = self.dialect
        if better.shape == used.shape:  # a parameter; while probing the shape is not ours
            better = better.shaped(current.shape)
            used = used.shaped(current.shape)
        if used == current and better != current:
            self.dialect = better
            log.warning("%s at %s: %s; asking otherwise", self.name, self.address.host, why)
