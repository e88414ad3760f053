"""Replies of endpoints on disk, keyed by what was asked, with what each run paid for them."""

import asyncio
import dataclasses
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prefkit.chat.store import Store, pack, unpack

PUT = "INSERT OR IGNORE INTO replies (key, endpoint, model, asked, body) VALUES (?, ?, ?, ?, ?)"
PAY = (
    "INSERT INTO spent (run, endpoint, model, calls, prompt, completion) VALUES (?, ?, ?, 1, ?, ?)"
    " ON CONFLICT (run, endpoint, model) DO UPDATE SET calls = calls + 1,"
    " prompt = prompt + excluded.prompt, completion = completion + excluded.completion"
)


@dataclasses.dataclass(frozen=True)
class Paid:
    """A call that an endpoint has done and will want money for.

    Attributes:
        endpoint: Its host.
        model: Who answered.
        key: What was asked; empty when nothing came that is worth keeping.
        body: The raw reply.
        run: Who pays; empty when nobody counts.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
    """

    endpoint: str
    model: str
    key: str = ""
    body: str = ""
    run: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def statements(self) -> Iterator[tuple[str, tuple[Any, ...]]]:  # SQLite values
        """What stores it."""
        if self.key:
            key = bytes.fromhex(self.key)
            yield PUT, (key, self.endpoint, self.model, time.time(), pack(self.body))
        if self.run:
            tokens = (self.prompt_tokens, self.completion_tokens)
            yield PAY, (self.run, self.endpoint, self.model, *tokens)


class ReplyCache:
    """Raw replies by key, shared by all processes of a workspace.

    A reply is written before anything is read from it, so a run that is changed, interrupted or
    mended never pays twice for what it has been told already. What another process stored first
    stays.

    Attributes:
        store: The file, which also keeps what was learnt of endpoints.
    """

    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        self._landed: list[tuple[Paid, asyncio.Future[None]]] = []

    def get(self, key: str) -> str | None:
        """The raw reply under `key`, if there is one."""
        rows = self.store.ask("SELECT body FROM replies WHERE key = ?", bytes.fromhex(key))
        return unpack(rows[0][0]) if rows else None

    def put(self, paid: Iterable[Paid]) -> None:
        """Store calls, all of them or none."""
        self.store.change(statement for one in paid for statement in one.statements())

    async def keep(self, paid: Paid) -> None:
        """Store a call together with all that end at the same moment; returns when it is stored."""
        loop = asyncio.get_running_loop()
        stored = loop.create_future()
        self._landed.append((paid, stored))
        if len(self._landed) == 1:
            loop.call_soon(self._store_landed)
        await asyncio.shield(stored)

    def _store_landed(self) -> None:
        landed, self._landed = self._landed, []
        failure: Exception | None = None
        try:
            self.put(paid for paid, _ in landed)
        except Exception as error:  # raised where each of them is waited for
            failure = error
        for _, stored in landed:
            if stored.cancelled():
                continue
            if failure is None:
                stored.set_result(None)
            else:
                stored.set_exception(failure)

    def spent(self, run: str) -> list[tuple[str, int, int, int]]:
        """What a run has paid for so far: model, calls, prompt and completion tokens."""
        columns = "model, SUM(calls), SUM(prompt), SUM(completion)"
        return self.store.ask(f"SELECT {columns} FROM spent WHERE run = ? GROUP BY model", run)

    def close(self) -> None:
        """Let go of the file."""
        self.store.close()
