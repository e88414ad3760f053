"""Embeddings of an OpenAI-compatible endpoint: batches side by side, tried again when refused."""

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from prefkit.chat.failures import Failure, failure_of, redacted
from prefkit.chat.line import BACKOFF, TRIES, Address, Line, Patience
from prefkit.errors import PrefkitError
from prefkit.records import content_id
from prefkit.semantic.embedders import unit_rows

log = logging.getLogger(__name__)

BATCH: Final = 64  # texts a request
CONCURRENCY: Final = 8


class EndpointEmbedder:
    """See `embedders.Embedder`; the key comes from OPENAI_API_KEY.

    Attributes:
        name: The model, as the endpoint calls it.
        digest: Of the endpoint's host and that name: what lies behind them may change unseen.
        whole: False.
        limit: 0: unknown.
    """

    whole = False
    limit = 0

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        tries: int = TRIES,
        backoff: float = BACKOFF,
    ) -> None:
        """Prepare to talk; nothing is sent yet.

        Args:
            name: The model, as the endpoint calls it.
            base_url: The endpoint; `OPENAI_BASE_URL`, else OpenAI's, when not given.
            tries: Attempts before a request is given up.
            backoff: Seconds before the first retry.

        Raises:
            PrefkitError: The address is not one, or there is no key for OpenAI.
        """
        self._address = Address.of(base_url, name)
        self.name = name
        self.digest = content_id(self._address.host, name)
        self._patience = Patience(name, self._address.host, tries, backoff)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.encode`."""
        if not texts:
            return np.zeros((0, 1), np.float32)
        line = Line(self._address, CONCURRENCY)
        try:
            rows = line.run(self._all(texts, line))
        finally:
            line.close()
        return unit_rows(rows, self.name, len(texts))

    async def _all(self, texts: Sequence[str], line: Line) -> list[list[float]]:
        batches = [list(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
        tasks = [asyncio.create_task(self._rows(batch, line)) for batch in batches]
        try:
            found = await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        return [row for rows in found for row in rows]

    async def _rows(self, texts: list[str], line: Line) -> list[list[float]]:
        failures = 0
        asked = [text or " " for text in texts]  # an empty input is refused
        while True:
            async with line.throttle.turn():
                body, failure = await self._send(asked, line)
            rows = [] if failure else _rows_of(body, len(texts))
            if rows:
                self._patience.reached = self._patience.worked = True
                line.throttle.succeeded()
                return rows
            failure = failure or Failure("the reply cannot be read as embeddings.", passing=True)
            self._patience.reached |= failure.answered
            failures += 1
            pause = self._patience.pause(failure, failures)
            if pause is None:
                raise PrefkitError(
                    f"{self.name} at {self._address.host}: {failure.text}",
                    hint="Is it a model for embeddings, and are the texts short enough for it?",
                )
            log.info("%s: %s; again in %.1f s", self._address.host, failure.text, pause)
            if failure.too_many:
                line.throttle.refused(pause)
            else:
                await asyncio.sleep(pause)

    async def _send(self, texts: list[str], line: Line) -> tuple[str, Failure | None]:
        import openai

        asked: dict[str, Any] = {"model": self.name, "input": texts, "encoding_format": "float"}
        try:
            raw = await line.client.embeddings.with_raw_response.create(**asked)
        except openai.OpenAIError as error:
            return "", failure_of(error, self._address.key)
        return redacted(raw.text, self._address.key), None


def _rows_of(body: str, count: int) -> list[list[float]]:
    """The vectors of a reply in the order asked; empty when it holds no such."""
    try:
        entries = json.loads(body)["data"]
        rows = {int(entry["index"]): entry["embedding"] for entry in entries}
        found = [[float(value) for value in rows[number]] for number in range(count)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    return found if len({len(row) for row in found}) == 1 and found[0] else []
