"""One page of a search: which records, in which order, with which score."""

import dataclasses

import numpy as np
from sqlalchemy import Connection

from prefkit_argilla.engine import docsets, shuffling
from prefkit_argilla.engine.binding import Binder
from prefkit_argilla.engine.database import by_index, rows
from prefkit_argilla.engine.docsets import Condition
from prefkit_argilla.engine.matched import Matched, rough_scores
from prefkit_argilla.engine.sorting import Key, Walk

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
        conditions = self.conditions
        if self.text is not None:
            conditions = [*conditions, Condition(self.text.condition, self.text.docs)]
        return docsets.selected(self.connection, self.dataset, conditions, self.binder.values)

    def by_score(self, window: Window, user: str | None) -> tuple[Page, int]:
        """The best records first, and how many there are.

        Args:
            window: Which page.
            user: Multiply the scores with this user's random numbers.
        """
        docs = self.docs()
        if not window.limit or window.offset >= len(docs):
            return [], len(docs)
        if self.text is not None and self.text.ranked:
            scores = self._scores(self.text, docs)
        elif user is None:
            return [(int(doc), 1.0) for doc in docs[window.part]], len(docs)
        else:
            scores = np.ones(len(docs))
        if user is not None:
            scores = scores * shuffling.random_scores(user, docs)
        order = _best(scores, window)
        return [(int(docs[at]), float(scores[at])) for at in order], len(docs)

    def _scores(self, text: Matched, docs: np.ndarray) -> np.ndarray:
        """How well each of the records is matched, shape (n,)."""
        if len(docs) > MANY:
            every = docsets.everything(self.connection, self.dataset)
            return rough_scores(every.words[np.searchsorted(every.docs, docs)])
        where = text.joined_condition
        if self.conditions:
            where += f" AND {_among(docs)}"
        with by_index(self.connection):
            found = rows(
                self.connection,
                f"SELECT d.doc, {text.score} AS score FROM {text.tables} WHERE {where}",
                self.binder.values,
            )
        score = {row.doc: float(row.score) for row in found}
        return np.array([score.get(doc, 0.0) for doc in docs.tolist()])

    def by_keys(self, keys: list[Key], window: Window) -> tuple[Page, int]:
        """The records in the order of sort keys, without scores, and how many there are."""
        docs = self.docs()
        if not window.limit or window.offset >= len(docs):
            return [], len(docs)
        if len(keys) == 1 and len(docs) > MANY and keys[0].walk is not None:
            order = self._walked(docs, keys[0].walk, window)
        else:
            order = self._sorted(docs, keys, window)
        return [(int(doc), None) for doc in order], len(docs)

    def _walked(self, docs: np.ndarray, walk: Walk, window: Window) -> np.ndarray:
        """Along an index: first what has a value, each record once, then the rest."""
        until = window.offset + window.limit
        most = 4 * until + 1000  # the first pages seldom need more
        valued = self._valued(walk, most)
        found = self._among_selected(valued, docs)
        if len(found) < until and len(valued) >= most:
            found = self._among_selected(self._valued(walk, None), docs)
        if len(found) < until:
            found = np.concatenate([found, docs[np.isin(docs, found, invert=True)]])
        return found[window.part]

    def _valued(self, walk: Walk, most: int | None) -> np.ndarray:
        """Records in the order of their values."""
        values = self.binder.values
        if not walk.by_mean:
            limit = "" if most is None else f" LIMIT {most}"
            return docsets.fetch(self.connection, walk.docs + limit, values)
        groups = docsets.fetch_groups(self.connection, walk.docs, values)
        docs = np.concatenate([found for _, found in groups] or [np.empty(0, "<i8")])
        numbers = np.concatenate([np.full(len(found), number) for number, found in groups] or [[]])
        each, place = np.unique(docs, return_inverse=True)
        means = np.bincount(place, numbers) / np.bincount(place)
        return each[np.argsort(-means if walk.descending else means, kind="stable")]

    def _among_selected(self, valued: np.ndarray, docs: np.ndarray) -> np.ndarray:
        if self.conditions or self.text is not None:
            valued = valued[np.isin(valued, docs)]
        return _once(valued)

    def _sorted(self, docs: np.ndarray, keys: list[Key], window: Window) -> list[int]:
        conditions = [condition.sql for condition in self.conditions]
        if self.text is not None:
            conditions.append(self.text.condition)
        where = " AND ".join([f"d.dataset = {self.dataset}", *conditions])
        if len(docs) <= MANY:
            where = _among(docs)
        order = ", ".join([*(key.order for key in keys), "d.doc"])
        found = rows(
            self.connection,
            f"SELECT d.doc FROM prefkit_docs AS d WHERE {where} "
            f"ORDER BY {order} {window.sql(self.binder)}",
            self.binder.values,
        )
        return [row.doc for row in found]


def _among(docs: np.ndarray) -> str:
    values = ", ".join(f"({doc})" for doc in docs.tolist())
    return f"d.doc IN (VALUES {values})"


def _once(docs: np.ndarray) -> np.ndarray:
    """Each record where it stands first."""
    _, first = np.unique(docs, return_index=True)
    return docs if len(first) == len(docs) else docs[np.sort(first)]


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
