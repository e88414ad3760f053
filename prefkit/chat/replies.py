"""Replies of endpoints on disk, keyed by what was asked."""

import sqlite3
import time
from pathlib import Path
from typing import Final

from prefkit.errors import PrefkitError

WAIT_SECONDS: Final = 30.0  # for another process that is writing


class ReplyCache:
    """Raw replies by key, shared by all processes of a workspace.

    A reply is written before anything is read from it, so a run that is changed, interrupted or
    mended never pays twice for what it has been told already.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None

    def get(self, key: str) -> str | None:
        """The raw reply under `key`, if there is one."""
        row = self._run("SELECT body FROM replies WHERE key = ?", key)
        return row[0] if row else None

    def put(self, key: str, endpoint: str, model: str, body: str) -> None:
        """Store a raw reply; what another process stored first stays."""
        columns = "(key, endpoint, model, asked, body)"
        self._run(
            f"INSERT OR IGNORE INTO replies {columns} VALUES (?, ?, ?, ?, ?)",
            *(key, endpoint, model, time.time(), body),
        )

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _run(self, statement: str, *values: str | float) -> tuple[str] | None:
        try:
            if self._database is None:
                self._database = self._open()
            return self._database.execute(statement, values).fetchone()
        except (sqlite3.Error, OSError) as error:
            raise PrefkitError(
                f"{self._path}: the request cache cannot be used: {error}.",
                hint="Free some space, or move the file away: it is made afresh.",
            ) from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(
            self._path,
            timeout=WAIT_SECONDS,
            isolation_level=None,  # every statement is its own transaction
            check_same_thread=False,  # closed by another thread than the one that asks
        )
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, endpoint TEXT NOT NULL,"
                " model TEXT NOT NULL, asked REAL NOT NULL, body TEXT NOT NULL) WITHOUT ROWID"
            )
        except BaseException:
            database.close()
            raise
        return database
