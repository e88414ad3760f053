"""One page of a search: which records, in which order, with which score."""

import dataclasses

from sqlalchemy import Connection

from prefkit_argilla.engine.binding import Binder
from prefkit_argilla.engine.database import rows
from prefkit_argilla.engine.matched import ROUGH_SCORE, Matched
from prefkit_argilla.engine.sorting import Key

MANY = 5_000  # from here on it is cheaper to walk an index, and words are no longer counted

Page = list[tuple[int, float | None]]  # (doc, score)


@dataclasses.dataclass(frozen=True)
class Selection:
    """The records to choose from.

    Attributes:
        conditions: Hold for `d`, the text's aside.
        text: What full text says; None without a query.
    """

    conditions: list[str]
    text: Matched | None

    @property
    def where(self) -> str:
        """All conditions on `d` alone."""
        text = [] if self.text is None else [self.text.condition]
        return " AND ".join([*self.conditions, *text])

    def count(self, connection: Connection, binder: Binder) -> int:
        """How many records there are."""
        sql = f"SELECT count(*) AS total FROM prefkit_docs AS d WHERE {self.where}"
        if self.text is not None and self.text.ranked and connection.dialect.name == "sqlite":
            sql = f"SELECT count(*) AS total FROM {self._joined()} WHERE {self._joined_where()}"
        return rows(connection, sql, binder.values)[0].total

    def by_score(
        self, connection: Connection, binder: Binder, total: int, shuffle: str | None, page: str
    ) -> Page:
        """The best records first; `shuffle` multiplies the scores with a user's random numbers."""
        tables, where, score = "prefkit_docs AS d", self.where, "1.0"
        if self.text is not None and self.text.ranked:
            score = ROUGH_SCORE
            if total <= MANY:
                tables, where, score = self._joined(), self._joined_where(), self.text.score
        if shuffle is not None:
            score = shuffle if score == "1.0" else f"({score}) * ({shuffle})"
        order = "d.doc" if score == "1.0" else "score DESC, d.doc"
        found = rows(
            connection,
            f"SELECT d.doc, {score} AS score FROM {tables} WHERE {where} ORDER BY {order} {page}",
            binder.values,
        )
        return [(row.doc, float(row.score)) for row in found]

    def by_keys(
        self, connection: Connection, binder: Binder, total: int, keys: list[Key], window: "Window"
    ) -> Page:
        """The records in the order of sort keys, without scores."""
        first, rest = keys[0], [*(key.order for key in keys[1:]), "d.doc"]
        if total <= MANY or first.walk is None:
            found = rows(
                connection,
                f"SELECT d.doc FROM prefkit_docs AS d WHERE {self.where} "
                f"ORDER BY {', '.join([first.order, *rest])} {window.sql(binder)}",
                binder.values,
            )
            return [(row.doc, None) for row in found]
        return [(doc, None) for doc in self._walked(connection, binder, first, rest, window)]

    def _walked(
        self,
        connection: Connection,
        binder: Binder,
        first: Key,
        rest: list[str],
        window: "Window",
    ) -> list[int]:
        walk = first.walk
        assert walk is not None
        # CROSS JOIN keeps SQLite from turning the loops around.
        tables = f"{walk.values} CROSS JOIN prefkit_docs AS d"
        where = f"d.doc = w.doc AND {self.where}"
        order = ", ".join([walk.order, *rest])
        found = rows(
            connection,
            f"SELECT d.doc FROM {tables} WHERE {where} ORDER BY {order} {window.sql(binder)}",
            binder.values,
        )
        docs = [row.doc for row in found]
        if len(docs) == window.limit:
            return docs
        valued = window.offset + len(docs)
        if not docs and window.offset:
            sql = f"SELECT count(*) AS valued FROM {tables} WHERE {where}"
            valued = rows(connection, sql, binder.values)[0].valued
        left = Window(max(0, window.offset - valued), window.limit - len(docs))
        found = rows(
            connection,
            f"SELECT d.doc FROM prefkit_docs AS d WHERE {self.where} AND {walk.missing} "
            f"ORDER BY {', '.join(rest)} {left.sql(binder)}",
            binder.values,
        )
        return docs + [row.doc for row in found]

    def _joined(self) -> str:
        assert self.text is not None
        return self.text.tables

    def _joined_where(self) -> str:
        assert self.text is not None
        return " AND ".join([*self.conditions, self.text.joined_condition])


@dataclasses.dataclass(frozen=True)
class Window:
    """Which part of an order is asked for."""

    offset: int
    limit: int

    def sql(self, binder: Binder) -> str:
        """The clause that cuts it out."""
        return f"LIMIT {binder.bind(self.limit)} OFFSET {binder.bind(self.offset)}"
