"""Sets of records as sorted arrays of numbers.

A filter that half the records pass is answered fastest by reading the numbers off an index and
cutting the sets with each other here; joins of such size take SQLite several times as long.
"""

import dataclasses
import threading
from typing import Any

import numpy as np
from sqlalchemy import Connection

from prefkit_argilla.engine.database import rows


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


_known: dict[tuple[str, int], tuple[int, int, np.ndarray]] = {}
_lock = threading.Lock()


def all_docs(connection: Connection, dataset: int) -> np.ndarray:
    """Every record of a dataset, kept from call to call.

    Numbers only grow and are never given twice, so how many there are and which is the last tell
    whether the set is still the same.
    """
    where = "FROM prefkit_docs WHERE dataset = :dataset"
    named = {"dataset": dataset}
    key = (str(connection.engine.url), dataset)
    count, last = rows(connection, f"SELECT count(*), max(doc) {where}", named)[0]
    with _lock:
        known = _known.get(key)
        if known is None or known[:2] != (count, last):
            found = fetch(connection, f"SELECT doc {where} ORDER BY doc", named)
            known = _known[key] = (count, last, found)
    return known[2]


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
            these = np.unique(fetch(connection, condition.docs, values))
            found = these if found is None else found[np.isin(found, these)]
    if found is None:
        found = all_docs(connection, dataset)
    for condition in conditions:
        if condition.docs is not None and condition.inverted:
            these = fetch(connection, condition.docs, values)
            found = found[np.isin(found, these, invert=True)]
    return found


def fetch(connection: Connection, select: str, values: dict[str, Any]) -> np.ndarray:
    """One column of numbers in its order; joined to one text, which is faster to read than rows."""
    joined = "group_concat(doc)"
    if connection.dialect.name != "sqlite":
        joined = "string_agg(CAST(doc AS text), ',')"
    sql = f"SELECT {joined} AS docs FROM ({select}) AS chosen (doc)"
    if connection.dialect.name == "sqlite":
        sql = f"WITH chosen (doc) AS ({select}) SELECT {joined} AS docs FROM chosen"
    docs = rows(connection, sql, values)[0].docs
    return np.fromstring(docs, dtype="<i8", sep=",") if docs else np.empty(0, "<i8")
