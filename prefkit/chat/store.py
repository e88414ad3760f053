"""The SQLite file of a workspace that holds what endpoints have said and what they cost."""

import contextlib
import sqlite3
import threading
import zlib
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from prefkit.errors import PrefkitError

WAIT_SECONDS: Final = 30.0  # for another process that is writing
VERSION: Final = 1  # of the tables below; 0 had replies as plain text, WITHOUT ROWID
LEVEL: Final = 1  # of zlib: a chat completion shrinks to half in 20 µs

# Measured with values of 1.5 kB: WITHOUT ROWID stores 7,400 a second in three times their size,
# rows beside a unique index 14,000 in 1.4 times.
TABLES: Final = (
    "CREATE TABLE replies (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, endpoint TEXT NOT"
    " NULL, model TEXT NOT NULL, asked REAL NOT NULL, body BLOB NOT NULL)",
    "CREATE TABLE spent (run TEXT, endpoint TEXT, model TEXT, calls INTEGER NOT NULL, prompt"
    " INTEGER NOT NULL, completion INTEGER NOT NULL, PRIMARY KEY (run, endpoint, model))",
    "CREATE TABLE probes (endpoint TEXT, model TEXT, shape TEXT NOT NULL, found TEXT NOT NULL,"
    " day TEXT NOT NULL, PRIMARY KEY (endpoint, model))",
    "CREATE TABLE batches (mark TEXT PRIMARY KEY, endpoint TEXT NOT NULL, model TEXT NOT NULL,"
    " id TEXT NOT NULL, keys TEXT NOT NULL, open INTEGER NOT NULL)",
)
MOVE: Final = (
    "INSERT OR IGNORE INTO replies (key, endpoint, model, asked, body)"
    " SELECT unhex_key(key), endpoint, model, asked, pack(body) FROM plain_replies"
)


def pack(text: str) -> bytes:
    """A text, small."""
    return zlib.compress(text.encode(errors="surrogatepass"), LEVEL)


def unpack(value: bytes) -> str:
    """The text that was packed."""
    return zlib.decompress(value).decode(errors="surrogatepass")


class Store:
    """The file, opened when first used; several threads and processes may use it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._lock = threading.RLock()

    def ask(self, statement: str, *values: Any) -> list[Any]:  # SQLite values and rows
        """The rows a statement finds."""
        with self._words(), self._lock:
            return self._open().execute(statement, values).fetchall()

    def change(self, statements: Iterable[tuple[str, Sequence[Any]]]) -> None:  # SQLite values
        """Do all of these or none."""
        with self._words(), self._lock, _whole(self._open()) as database:
            for statement, values in statements:
                database.execute(statement, values)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    @contextlib.contextmanager
    def _words(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, zlib.error) as error:
            raise PrefkitError(
                f"{self._path}: the request cache cannot be used: {error}.",
                hint="Free some space, or move the file away: it is made afresh.",
            ) from error

    def _open(self) -> sqlite3.Connection:
        if self._database is not None:
            return self._database
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(
            self._path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            if _version(database) < VERSION:
                _prepare(database)
        except BaseException:
            database.close()
            raise
        self._database = database
        return database


@contextlib.contextmanager
def _whole(database: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back by itself
            database.execute("ROLLBACK")
        raise


def _version(database: sqlite3.Connection) -> int:
    return database.execute("PRAGMA user_version").fetchone()[0]


def _prepare(database: sqlite3.Connection) -> None:
    """Make the tables; replies of version 0 move into them, all or none."""
    database.create_function("unhex_key", 1, bytes.fromhex)
    database.create_function("pack", 1, pack)
    with _whole(database):
        if _version(database) >= VERSION:  # another process was faster
            return
        old = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'replies'").fetchone()
        if old:
            database.execute("ALTER TABLE replies RENAME TO plain_replies")
        for table in TABLES:
            database.execute(table)
        if old:
            database.execute(MOVE)
            database.execute("DROP TABLE plain_replies")
        database.execute(f"PRAGMA user_version = {VERSION}")
