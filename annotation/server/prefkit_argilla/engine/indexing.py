"""Bringing what triggers cannot make up to date: tokens, packed vectors, new metadata properties.

A trigger notes every changed record in the transaction that changes it, with a mark that is never
used twice. Here the noted records are read and analysed without any lock, and stored only if their
mark is still the same: a record that changed in between is simply done again. So whatever happens
to the process, no record stays unsearchable.
"""

import json
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row

from prefkit_argilla.engine import schema, text_postgresql, text_sqlite
from prefkit_argilla.engine.database import Busy, Database, rows, run
from prefkit_argilla.engine.documents import (
    Column,
    Segments,
    declared_columns,
    indexed_columns,
    store_columns,
)

BATCH = 500
RETRIES = 5

log = logging.getLogger("argilla")

_one_at_a_time = threading.Lock()
_wake = threading.Lock()
_worker: threading.Thread | None = None


def catch_up(database: Database, wait: float) -> bool:
    """Bring everything that is noted up to date.

    Args:
        database: Where.
        wait: Seconds to wait for other writers.

    Returns:
        Whether all is done; False when another writer was in the way.
    """
    if not _anything(database):
        return True
    if not _one_at_a_time.acquire(timeout=max(wait, 0.001)):
        return False
    try:
        with database.writing(wait):
            pass  # before any work: is the lock to be had at all?
        fill_metadata(database, wait)
        done = _all(_texts, database, wait) and _all(_vectors, database, wait)
        if database.is_sqlite:
            _clear(database, wait)
        return done
    except Busy:
        return False
    finally:
        _one_at_a_time.release()


def fill_metadata(database: Database, wait: float) -> None:
    """Collect the values of metadata properties that are newer than some records.

    Raises:
        Busy: Another writer was in the way.
    """
    with database.reading() as connection:
        unfilled = _exists(connection, "prefkit_keys WHERE filled = 0")
    if unfilled:
        with database.writing(wait) as connection:
            schema.fill_metadata(connection)


def _all(
    batch: Callable[[Database, float], tuple[int, int]], database: Database, wait: float
) -> bool:
    """Do batches until nothing is noted; False when others keep hold of what is left."""
    in_vain = 0
    while in_vain < RETRIES:
        noted, done = batch(database, wait)
        if not noted:
            return True
        in_vain = 0 if done else in_vain + 1
        if in_vain:
            time.sleep(0.01)
    return False


def catch_up_soon(database: Database) -> None:
    """The same in the background: the caller's own transaction may hold the lock just now."""
    global _worker
    with _wake:
        if _worker is None or not _worker.is_alive():
            _worker = threading.Thread(
                target=_in_background, args=(database,), name="prefkit-indexing", daemon=True
            )
            _worker.start()


def _in_background(database: Database) -> None:
    try:
        while not catch_up(database, wait=10):
            pass
    except Exception:
        # The next search does it again and answers for it; a thread has nobody to tell.
        log.exception("Indexing in the background failed")


def _anything(database: Database) -> bool:
    with database.reading() as connection:
        return (
            _exists(connection, "prefkit_dirty")
            or _exists(connection, "prefkit_dirty_vectors")
            or _exists(connection, "prefkit_keys WHERE filled = 0")
            or (database.is_sqlite and _exists(connection, "prefkit_gone"))
        )


def _exists(connection: Connection, what: str) -> bool:
    return bool(rows(connection, f"SELECT 1 FROM {what} LIMIT 1"))


# Text


def _texts(database: Database, wait: float) -> tuple[int, int]:
    """Index one batch of texts; how many were noted, and how many are done."""
    with database.reading() as connection:
        noted = rows(
            connection,
            "SELECT n.doc, n.mark, d.dataset, r.fields FROM prefkit_dirty AS n "
            "JOIN prefkit_docs AS d ON d.doc = n.doc JOIN records AS r ON r.id = d.record_id "
            "ORDER BY n.doc LIMIT :batch",
            {"batch": BATCH},
        )
        declared = {
            dataset: declared_columns(connection, dataset)
            for dataset in {row.dataset for row in noted}
        }
    analysed = [(row, _segments(declared[row.dataset], row.fields)) for row in noted]
    if not analysed:
        return 0, 0
    with database.writing(wait) as connection:
        return len(analysed), _store(connection, analysed, declared)


def _segments(columns: list[Column], stored: Any) -> list[Segments]:  # JSON, parsed or not
    fields = json.loads(stored) if isinstance(stored, str) else stored
    if not isinstance(fields, dict):
        fields = {}
    return [column.segments(fields) for column in columns]


def _store(
    connection: Connection,
    analysed: list[tuple[Row, list[Segments]]],
    declared: dict[int, list[Column]],
) -> int:
    unchanged = _claimed(connection, [row for row, _ in analysed])
    by_dataset: dict[int, list[tuple[int, list[Segments]]]] = defaultdict(list)
    for row, parts in analysed:
        if row.doc in unchanged:
            by_dataset[row.dataset].append((row.doc, parts))
    for dataset, documents in by_dataset.items():
        columns = declared[dataset]
        _ensure_columns(connection, dataset, columns)
        if connection.dialect.name == "sqlite":
            text_sqlite.put(connection, dataset, columns, documents)
        else:
            text_postgresql.put(connection, dataset, columns, documents)
        _count_words(connection, dataset, documents)
        _learn(connection, dataset, columns, documents)
    return len(unchanged)


def _claimed(connection: Connection, noted: list[Row]) -> set[int]:
    """Take the notes that still say what was read; the others are for the next batch."""
    marks = {row.doc: row.mark for row in noted}
    # Argilla's own transactions lock the same rows: whatever they hold is left to a later batch.
    lock = "" if connection.dialect.name == "sqlite" else "FOR UPDATE SKIP LOCKED"
    now = rows(
        connection,
        "SELECT n.doc, n.mark FROM prefkit_dirty AS n JOIN prefkit_docs AS d ON d.doc = n.doc "
        f"WHERE n.doc BETWEEN :first AND :last ORDER BY n.doc {lock}",
        {"first": min(marks), "last": max(marks)},
    )
    claimed = {row.doc for row in now if marks.get(row.doc) == row.mark}
    _many(connection, "DELETE FROM prefkit_dirty WHERE doc = ?", [(doc,) for doc in claimed])
    return claimed


def _ensure_columns(connection: Connection, dataset: int, columns: list[Column]) -> None:
    """Start the dataset's index afresh when its fields are not those it was made for."""
    known = indexed_columns(connection, dataset)
    missing = connection.dialect.name == "sqlite" and not text_sqlite.exists(connection, dataset)
    if known == columns and not missing:
        return
    forget(connection, dataset)
    if connection.dialect.name == "sqlite":
        text_sqlite.create(connection, dataset, columns)
    store_columns(connection, dataset, columns)
    if known:
        schema.note_all(connection, dataset)


def forget(connection: Connection, dataset: int) -> None:
    """Drop what was made of the dataset's text."""
    if connection.dialect.name == "sqlite":
        text_sqlite.drop(connection, dataset)
    else:
        text_postgresql.drop(connection, dataset)
    for table in ("prefkit_vocabulary", "prefkit_columns"):
        run(connection, f"DELETE FROM {table} WHERE dataset = :d", {"d": dataset})


def _count_words(
    connection: Connection, dataset: int, documents: list[tuple[int, list[Segments]]]
) -> None:
    sql = "UPDATE prefkit_datasets SET version = version + 1 WHERE dataset = :dataset"
    run(connection, sql, {"dataset": dataset})
    counts = [
        (sum(len(segment) for part in parts for segment in part), doc) for doc, parts in documents
    ]
    _many(connection, "UPDATE prefkit_docs SET words = ? WHERE doc = ?", counts)


def _learn(
    connection: Connection,
    dataset: int,
    columns: list[Column],
    documents: list[tuple[int, list[Segments]]],
) -> None:
    """Add the records' tokens to the vocabulary, which misspelt words are compared with."""
    words: dict[bool, set[str]] = {False: set(), True: set()}
    for _, parts in documents:
        for column, part in zip(columns, parts, strict=True):
            words[column.exact].update(*part)
    _many(
        connection,
        "INSERT INTO prefkit_vocabulary (dataset, exact, length, term) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        sorted((dataset, int(exact), len(w), w) for exact, found in words.items() for w in found),
    )


def _many(connection: Connection, sql: str, values: list[tuple[Any, ...]]) -> None:
    if not values:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(sql, values)
        return
    from psycopg2.extras import execute_batch

    with connection.connection.cursor() as cursor:
        execute_batch(cursor, sql.replace("?", "%s"), values, page_size=1000)


# Vectors


def _vectors(database: Database, wait: float) -> tuple[int, int]:
    """Pack one batch of vectors; how many were noted, and how many are done."""
    with database.reading() as connection:
        noted = rows(
            connection,
            "SELECT n.doc, n.settings_id, n.mark, v.value FROM prefkit_dirty_vectors AS n "
            "JOIN prefkit_docs AS d ON d.doc = n.doc "
            "JOIN vectors AS v ON v.record_id = d.record_id "
            "AND v.vector_settings_id = n.settings_id ORDER BY n.doc LIMIT :batch",
            {"batch": BATCH},
        )
    if not noted:
        return 0, 0
    packed = [(row, _packed(row.value)) for row in noted]
    with database.writing(wait) as connection:
        return len(noted), _store_vectors(connection, packed)


def _packed(stored: Any) -> bytes | None:  # JSON, parsed or not
    """The vector at length one, in float32; None for one without a direction."""
    value = np.array(json.loads(stored) if isinstance(stored, str) else stored, dtype=np.float64)
    norm = np.linalg.norm(value)
    if not np.isfinite(norm) or norm == 0:
        return None
    return (value / norm).astype("<f4").tobytes()


def _store_vectors(connection: Connection, packed: list[tuple[Row, bytes | None]]) -> int:
    taken = _claimed_vectors(connection, [row for row, _ in packed])
    packed = [(row, value) for row, value in packed if (row.doc, row.settings_id) in taken]
    for settings_id in sorted({row.settings_id for row, _ in packed}):
        mine = [(row.doc, value) for row, value in packed if row.settings_id == settings_id]
        # The counter's row is locked until the commit, so changes appear in their numbers' order.
        change = rows(
            connection,
            "INSERT INTO prefkit_vector_sets (settings_id, change) VALUES (:id, 1) "
            "ON CONFLICT (settings_id) DO UPDATE SET change = prefkit_vector_sets.change + 1 "
            "RETURNING change",
            {"id": settings_id},
        )[0].change
        _many(
            connection,
            "DELETE FROM prefkit_vectors WHERE settings_id = ? AND doc = ?",
            [(str(settings_id), doc) for doc, value in mine if value is None],
        )
        _many(
            connection,
            "INSERT INTO prefkit_vectors (settings_id, doc, change, value) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (settings_id, doc) DO UPDATE "
            "SET change = excluded.change, value = excluded.value",
            [(str(settings_id), doc, change, value) for doc, value in mine if value is not None],
        )
    return len(taken)


def _claimed_vectors(connection: Connection, noted: list[Row]) -> set[tuple[int, Any]]:
    """Take the notes that still say what was read, as `_claimed` does."""
    marks = {(row.doc, row.settings_id): row.mark for row in noted}
    lock = "" if connection.dialect.name == "sqlite" else "FOR UPDATE SKIP LOCKED"
    docs = [row.doc for row in noted]
    now = rows(
        connection,
        "SELECT doc, settings_id, mark FROM prefkit_dirty_vectors "
        f"WHERE doc BETWEEN :first AND :last {lock}",
        {"first": min(docs), "last": max(docs)},
    )
    taken = {
        (row.doc, row.settings_id)
        for row in now
        if marks.get((row.doc, row.settings_id)) == row.mark
    }
    _many(
        connection,
        "DELETE FROM prefkit_dirty_vectors WHERE doc = ? AND settings_id = ?",
        [(doc, str(settings_id)) for doc, settings_id in taken],
    )
    return taken


# Deleted records


def _clear(database: Database, wait: float) -> None:
    """Take deleted records out of FTS5's tables, which triggers cannot name."""
    with database.reading() as connection:
        gone = rows(connection, "SELECT doc, dataset FROM prefkit_gone")
    if not gone:
        return
    by_dataset: dict[int, list[int]] = defaultdict(list)
    for row in gone:
        by_dataset[row.dataset].append(row.doc)
    for dataset, docs in by_dataset.items():
        with database.writing(wait) as connection:
            sql = "prefkit_docs WHERE dataset = " + str(dataset)
            if not _exists(connection, sql):
                forget(connection, dataset)
            elif text_sqlite.exists(connection, dataset):
                text_sqlite.remove(connection, dataset, docs)
            connection.exec_driver_sql(
                "DELETE FROM prefkit_gone WHERE doc = ?", [(doc,) for doc in docs]
            )
