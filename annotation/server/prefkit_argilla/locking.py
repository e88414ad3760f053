"""Writers in a row, so that nobody is ever told "database is locked".

SQLite takes one writer at a time. Argilla opens transactions that read first and write later; when
another writer commits in between, SQLite refuses such a transaction at once, whatever the busy
timeout. Here a request that may write takes its turn in a queue of this process, and its
transactions claim the write lock at their beginning (`BEGIN IMMEDIATE`), where the busy timeout
does hold against other processes (the background worker). Readers never wait: the journal is a
write-ahead log.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from typing import Any

from argilla_server.database import AsyncSessionLocal, async_engine, sync_engine
from argilla_server.settings import settings
from sqlalchemy import Connection, event
from sqlalchemy.orm import Session

BUSY_SECONDS = 60
READ_ONLY_POSTS = ("/search", "/token")  # looked up by POST, nothing is stored

Message = MutableMapping[str, Any]  # ASGI's own types
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_writing: contextvars.ContextVar[bool] = contextvars.ContextVar("writing", default=False)


@contextlib.contextmanager
def writing() -> Generator[None]:
    """Transactions begun in this block, in this task, claim SQLite's write lock when they begin."""
    token = _writing.set(True)
    try:
        yield
    finally:
        _writing.reset(token)


def configure(*, always_writing: bool = False) -> None:
    """Make Argilla's SQLite connections wait for each other, and readers write nothing.

    Args:
        always_writing: Every transaction of this process may write (the background worker).
    """
    if always_writing:
        _writing.set(True)
    AsyncSessionLocal.configure(sync_session_class=_Session)
    if not settings.database_is_sqlite:
        return
    for engine in (async_engine.sync_engine, sync_engine):
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)


class _Session(Session):
    """A session that flushes nothing by itself in a request that only reads.

    Argilla 2.8 hides metadata from annotators by assigning to the record it found, which its
    session then tries to store in the middle of a search.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # SQLAlchemy's own
        super().__init__(*args, **{**kwargs, "autoflush": _writing.get()})


def _prepare(connection: Any, _: object) -> None:  # a DBAPI connection, of either driver
    connection.isolation_level = None  # the driver begins nothing by itself: `_begin` does
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # an acknowledged response survives a power cut
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if _writing.get() else "BEGIN")


class WritersInARow:
    """ASGI middleware: one request that may write at a time, first come, first served.

    A request's body is read before its turn begins and its turn ends with the first byte of the
    answer, so a slow line holds nobody up.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, in turn when it may write."""
        if not _may_write(scope):
            await self.app(scope, receive, send)
            return
        body = await _whole_body(receive)
        async with contextlib.AsyncExitStack() as turn:
            await turn.enter_async_context(self._turn)

            async def send_after_turn(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await turn.aclose()
                await send(message)

            with writing():
                await self.app(scope, _replay(body, receive), send_after_turn)


def _may_write(scope: Message) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] in ("POST", "PUT", "PATCH", "DELETE")
        and not scope["path"].endswith(READ_ONLY_POSTS)
    )


async def _whole_body(receive: Receive) -> list[Message]:
    messages = []
    while True:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request" or not message.get("more_body"):
            return messages


def _replay(messages: list[Message], receive: Receive) -> Receive:
    left = iter(messages)

    async def replay() -> Message:
        return next(left, None) or await receive()

    return replay
