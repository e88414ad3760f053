"""Similarity search: exact, over packed vectors that the process keeps in memory."""

import dataclasses
import threading
from uuid import UUID

import numpy as np
from sqlalchemy import Connection, text

from prefkit_argilla.engine.database import rows
from prefkit_argilla.engine.slots import identifier


@dataclasses.dataclass(frozen=True)
class VectorSet:
    """All vectors of one kind.

    Attributes:
        docs: Their records, ascending, shape (n,).
        matrix: The vectors at length one, shape (n, dimensions).
        change: The last change it holds.
        deletions: How many deletions it knows of.
    """

    docs: np.ndarray
    matrix: np.ndarray
    change: int
    deletions: int


_kept: dict[tuple[str, str], VectorSet] = {}
_loading = threading.Lock()


def load(connection: Connection, settings_id: UUID, dimensions: int) -> VectorSet:
    """The vectors as they are now; only what changed since the last call is read."""
    key = (str(connection.engine.url), str(settings_id))
    named = {"id": identifier(connection, settings_id)}
    with _loading:
        empty = VectorSet(np.empty(0, "<i8"), np.empty((0, dimensions), "<f4"), 0, 0)
        known = _kept.get(key, empty)
        state = rows(
            connection,
            "SELECT change, deletions FROM prefkit_vector_sets WHERE settings_id = :id",
            named,
        )
        change, deletions = tuple(state[0]) if state else (0, 0)
        if (change, deletions) != (known.change, known.deletions):
            known = _renewed(connection, named, known, change, deletions)
            _kept[key] = known
        return known


def _renewed(
    connection: Connection, named: dict, known: VectorSet, change: int, deletions: int
) -> VectorSet:
    if change < known.change or deletions < known.deletions:  # the tables were made again
        known = VectorSet(known.docs[:0], known.matrix[:0], 0, 0)
    found = connection.execute(
        text("SELECT doc, value FROM prefkit_vectors WHERE settings_id = :id AND change > :change"),
        {**named, "change": known.change},
    )
    width = known.matrix.shape[1]
    numbers: list[int] = []
    parts = [known.matrix[:0]]
    for part in found.partitions(1000):
        numbers += [row[0] for row in part]
        packed = b"".join(bytes(row[1]) for row in part)
        parts.append(np.frombuffer(packed, "<f4").reshape(-1, width))
    new_docs, new = np.array(numbers, dtype="<i8"), np.concatenate(parts)
    keep = ~np.isin(known.docs, new_docs)
    if deletions != known.deletions:
        sql = "SELECT doc FROM prefkit_vectors WHERE settings_id = :id"
        keep &= np.isin(known.docs, [row[0] for row in connection.execute(text(sql), named)])
    docs = np.concatenate([known.docs[keep], new_docs])
    matrix = np.concatenate([known.matrix[keep], new])
    order = np.argsort(docs)
    if not np.array_equal(order, np.arange(len(docs))):
        docs, matrix = docs[order], matrix[order]
    return VectorSet(docs, matrix, change, deletions)


def nearest(
    vectors: VectorSet,
    value: np.ndarray,
    most: int,
    among: np.ndarray | None,
    without: int | None,
) -> tuple[list[tuple[int, float]], int]:
    """The records most like a vector, the best first, with their scores.

    A score is (1 + cosine) / 2, as Elasticsearch gives it.

    Args:
        vectors: Where to search.
        value: The vector, of any length but zero, shape (dimensions,).
        most: How many at most.
        among: Only these records.
        without: Not this record.

    Returns:
        (record, score) pairs, and how many were found (at most `most`).
    """
    allowed = np.ones(len(vectors.docs), dtype=bool)
    if among is not None:
        allowed = np.isin(vectors.docs, among)
    if without is not None:
        allowed &= vectors.docs != without
    value = (value / np.linalg.norm(value)).astype("<f4")
    cosines = np.clip(vectors.matrix @ value, -1, 1)
    cosines[~allowed] = -np.inf
    count = min(most, int(allowed.sum()))
    if count == 0:
        return [], 0
    chosen = np.flatnonzero(cosines >= np.partition(cosines, -count)[-count])
    chosen = chosen[np.lexsort((vectors.docs[chosen], -cosines[chosen]))][:count]
    found = [(int(vectors.docs[at]), (1 + float(cosines[at])) / 2) for at in chosen]
    return found, count
