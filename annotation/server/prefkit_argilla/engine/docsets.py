"""Sets of records as sorted arrays of numbers.

A filter that half the records pass is answered fastest by reading the numbers off an index and
cutting the sets with each other here; joins of such size take SQLite several times as long.
"""

import dataclasses
import threading
from typing import Any

import numpy as np
from sqlalchemy import Connection

from prefkit_argilla.engine.database import by_index, rows


@dataclasses.dataclass(frozen=True)
class Condition:
    """What must hold for a record.

    Attributes:
        sql: Said of `d`, a row of prefkit_docs.
        docs: A SELECT of the records for which it holds, where an index has them.
        inverted: `docs` selects those for which it does not hold.
    """

    sql: str
    docs: str | None = None
    inverted: bool = False


@dataclasses.dataclass(frozen=True)
class Everything:
    """All records of a dataset, ascending, and how many words each has; shapes (n,)."""

    docs: np.ndarray
    words: np.ndarray


_known: dict[tuple[str, int], tuple[tuple[int, ...], Everything]] = {}
_lock = threading.Lock()


def everything(connection: Connection, dataset: int) -> Everything:
    """Every record of a dataset, kept from call to call.

    Numbers only grow and are never given twice, so how many there are and which is the last tell
    whether the set is still the same; a version counts changes of the words.
    """
    where = "FROM prefkit_docs WHERE dataset = :dataset"
    named = {"dataset": dataset}
    key = (str(connection.engine.url), dataset)
    state = tuple(
        rows(
            connection,
            "SELECT count(*), max(doc), (SELECT version FROM prefkit_datasets "
            f"WHERE dataset = :dataset) {where}",
            named,
        )[0]
    )
    with _lock:
        known = _known.get(key)
        if known is None or known[0] != state:
            ordered = f"{where} ORDER BY doc"
            docs = fetch(connection, f"SELECT doc {ordered}", named)
            words = fetch(connection, f"SELECT words {ordered}", named)
            known = _known[key] = (state, Everything(docs, words))
    return known[1]


def selected(
    connection: Connection, dataset: int, conditions: list[Condition], values: dict[str, Any]
) -> np.ndarray:
    """The records of a dataset for which all conditions hold, ascending."""
    found: np.ndarray | None = None
    unread = [condition.sql for condition in conditions if condition.docs is None]
    if unread:
        where = " AND ".join([f"d.dataset = {dataset}", *unread])
        found = np.sort(
            fetch(connection, f"SELECT d.doc FROM prefkit_docs AS d WHERE {where}", values)
        )
    for condition in conditions:
        if condition.docs is not None and not condition.inverted:
            with by_index(connection):
                these = np.unique(fetch(connection, condition.docs, values))
            found = these if found is None else found[np.isin(found, these)]
    if found is None:
        found = everything(connection, dataset).docs
    for condition in conditions:
        if condition.docs is not None and condition.inverted:
            with by_index(connection):
                these = fetch(connection, condition.docs, values)
            found = found[np.isin(found, these, invert=True)]
    return found


def fetch(
    connection: Connection, select: str, values: dict[str, Any], dtype: str = "<i8"
) -> np.ndarray:
    """One column of numbers in its order; joined to one text, which is faster to read than rows."""
    if connection.dialect.name == "sqlite":
        sql = f"WITH chosen (n) AS ({select}) SELECT group_concat(n) AS joined FROM chosen"
    else:
        sql = f"SELECT string_agg(CAST(n AS text), ',') AS joined FROM ({select}) AS chosen (n)"
    joined = rows(connection, sql, values)[0].joined
    return np.fromstring(joined, dtype=dtype, sep=",") if joined else np.empty(0, dtype)


def fetch_groups(
    connection: Connection, select: str, values: dict[str, Any]
) -> list[tuple[float, np.ndarray]]:
    """The records for each of a few figures, from a SELECT of (figure, record)."""
    joined = "group_concat(doc)"
    if connection.dialect.name != "sqlite":
        joined = "string_agg(CAST(doc AS text), ',')"
    found = rows(
        connection,
        f"WITH chosen (figure, doc) AS ({select}) "
        f"SELECT figure, {joined} AS docs FROM chosen GROUP BY figure",
        values,
    )
    return [(row.figure, np.fromstring(row.docs, dtype="<i8", sep=",")) for row in found]
