"""One page of a search: which records, in which order, with which score."""

import dataclasses

import numpy as np
from sqlalchemy import Connection

from prefkit_argilla.engine import docsets, shuffling
from prefkit_argilla.engine.binding import Binder
from prefkit_argilla.engine.database import rows
from prefkit_argilla.engine.docsets import Condition
from prefkit_argilla.engine.matched import ROUGH_SCORE, Matched
from prefkit_argilla.engine.sorting import Key

MANY = 5_000  # from here on words are no longer counted, and sorting walks along an index

Page = list[tuple[int, float | None]]  # (doc, score)


@dataclasses.dataclass(frozen=True)
class Window:
    """Which part of an order is asked for."""

    offset: int
    limit: int

    @property
    def part(self) -> slice:
        """The same of an array."""
        return slice(self.offset, self.offset + self.limit)

    def sql(self, binder: Binder) -> str:
        """The clause that cuts it out."""
        return f"LIMIT {binder.bind(self.limit)} OFFSET {binder.bind(self.offset)}"


@dataclasses.dataclass(frozen=True)
class Selection:
    """The records to choose from.

    Attributes:
        connection: The snapshot that all statements see.
        dataset: Where the records are.
        binder: The values in the conditions.
        conditions: Hold for every record, the text's aside.
        text: What full text says; None without a query.
    """

    connection: Connection
    dataset: int
    binder: Binder
    conditions: list[Condition]
    text: Matched | None

    def docs(self) -> np.ndarray:
        """All the records, ascending."""
        text = [] if self.text is None else [Condition(self.text.condition)]
        return docsets.selected(
            self.connection, self.dataset, [*self.conditions, *text], self.binder.values
        )

    def by_score(self, window: Window, user: str | None) -> tuple[Page, int]:
        """The best records first, and how many there are.

        Args:
            window: Which page.
            user: Multiply the scores with this user's random numbers.
        """
        if self.text is not None and self.text.ranked:
            return self._ranked(self.text, window, user)
        docs = self.docs()
        if user is None:
            return [(int(doc), 1.0) for doc in docs[window.part]], len(docs)
        scores = shuffling.random_scores(user, docs)
        order = _best(scores, window)
        page = [(int(docs[at]), float(scores[at])) for at in order]
        return page, len(docs)

    def _ranked(self, text: Matched, window: Window, user: str | None) -> tuple[Page, int]:
        conditions = [condition.sql for condition in self.conditions]
        where = " AND ".join([f"d.dataset = {self.dataset}", *conditions, text.joined_condition])
        sql = f"SELECT count(*) AS total FROM {text.tables} WHERE {where}"
        total = rows(self.connection, sql, self.binder.values)[0].total
        if not window.limit or window.offset >= total:
            return [], total
        score = text.score if total <= MANY else ROUGH_SCORE
        if user is not None:
            score = f"({score}) * ({shuffling.random_score(user)})"
        found = rows(
            self.connection,
            f"SELECT d.doc, {score} AS score FROM {text.tables} WHERE {where} "
            f"ORDER BY score DESC, d.doc {window.sql(self.binder)}",
            self.binder.values,
        )
        return [(row.doc, float(row.score)) for row in found], total

    def by_keys(self, keys: list[Key], window: Window) -> tuple[Page, int]:
        """The records in the order of sort keys, without scores, and how many there are."""
        docs = self.docs()
        if not window.limit or window.offset >= len(docs):
            return [], len(docs)
        if len(keys) == 1 and len(docs) > MANY and keys[0].walk is not None:
            order = self._walked(docs, keys[0].walk)[window.part]
        else:
            order = self._sorted(docs, keys, window)
        return [(int(doc), None) for doc in order], len(docs)

    def _walked(self, docs: np.ndarray, walk: str) -> np.ndarray:
        """Along an index: first what has a value, each record once, then the rest."""
        valued = docsets.fetch(self.connection, walk, self.binder.values)
        valued = valued[np.isin(valued, docs)]
        _, first = np.unique(valued, return_index=True)
        if len(first) < len(valued):
            valued = valued[np.sort(first)]
        missing = docs[np.isin(docs, valued, invert=True)]
        return np.concatenate([valued, missing])

    def _sorted(self, docs: np.ndarray, keys: list[Key], window: Window) -> list[int]:
        conditions = [condition.sql for condition in self.conditions]
        if self.text is not None:
            conditions.append(self.text.condition)
        where = " AND ".join([f"d.dataset = {self.dataset}", *conditions])
        if len(docs) <= MANY:
            values = ", ".join(f"({doc})" for doc in docs.tolist())
            where = f"d.doc IN (VALUES {values})"
        order = ", ".join([*(key.order for key in keys), "d.doc"])
        found = rows(
            self.connection,
            f"SELECT d.doc FROM prefkit_docs AS d WHERE {where} "
            f"ORDER BY {order} {window.sql(self.binder)}",
            self.binder.values,
        )
        return [row.doc for row in found]


def _best(scores: np.ndarray, window: Window) -> np.ndarray:
    """Places of the highest scores, those of the window; equal ones in their order."""
    until = window.offset + window.limit
    if window.limit <= 0 or window.offset >= len(scores):
        return np.empty(0, dtype=int)
    if until * 4 >= len(scores):
        return np.argsort(-scores, kind="stable")[window.part]
    least = np.partition(scores, len(scores) - until)[len(scores) - until]
    best = np.flatnonzero(scores >= least)
    return best[np.argsort(-scores[best], kind="stable")][window.part]
