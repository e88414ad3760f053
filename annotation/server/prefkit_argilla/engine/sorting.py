"""Argilla's sort orders as SQL on `d`, a row of prefkit_docs.

As in Elasticsearch: missing values come last in both directions, of several values the smallest
counts when ascending and the largest when descending, responses count by their mean. Equal records
keep the order in which they were made.
"""

import dataclasses

from argilla_server.enums import RecordSortField, SortOrder
from argilla_server.errors.future import UnprocessableEntityError
from argilla_server.search_engine import (
    MetadataFilterScope,
    Order,
    RecordFilterScope,
    ResponseFilterScope,
    SuggestionFilterScope,
)
from sqlalchemy import Connection

from prefkit_argilla.engine.binding import Binder
from prefkit_argilla.engine.slots import Slot, Slots, annotator_number


@dataclasses.dataclass(frozen=True)
class Walk:
    """What an index tells of an order.

    Attributes:
        docs: A SELECT of the records that have a value, in its order; a record with several values
            stands there several times. When their mean decides: of (value, record).
        by_mean: Whether it does.
        descending: Which way the means are to be sorted.
    """

    docs: str
    by_mean: bool = False
    descending: bool = False


@dataclasses.dataclass(frozen=True)
class Key:
    """One thing to sort by: as an expression on `d`, and as a walk where an index allows it."""

    order: str
    walk: Walk | None = None


class Sorting:
    """Writes the sort keys of one search."""

    def __init__(self, connection: Connection, slots: Slots, binder: Binder) -> None:
        self.connection = connection
        self.slots = slots
        self.binder = binder
        self.is_sqlite = connection.dialect.name == "sqlite"

    def keys(self, orders: list[Order]) -> list[Key]:
        """The keys, the most important first."""
        return [self._key(order) for order in orders]

    def _key(self, order: Order) -> Key:
        scope = order.scope
        descending = order.order == SortOrder.desc
        if isinstance(scope, RecordFilterScope):
            return self._by_record(RecordSortField(scope.property), descending)
        if isinstance(scope, MetadataFilterScope):
            slot = self.slots.metadata(scope.metadata_property)
            return self._by_slot(slot, descending)
        if isinstance(scope, SuggestionFilterScope):
            slot = self.slots.suggestion(scope.question, scope.property)
            return self._by_slot(slot, descending)
        if isinstance(scope, ResponseFilterScope):
            return self._by_response(scope, descending)
        raise ValueError(f"Cannot sort by {scope}")

    def _by_record(self, field: RecordSortField, descending: bool) -> Key:
        column = "record_id" if field == RecordSortField.id else field.value
        nulls = " NULLS LAST" if field == RecordSortField.external_id else ""
        return Key(f"d.{column}{_direction(descending)}{nulls}")

    def _by_slot(
        self,
        slot: Slot | None,
        descending: bool,
        annotator: int | None = None,
        *,
        mean: bool = False,
    ) -> Key:
        if slot is None:
            return Key("CAST(NULL AS INTEGER)")
        direction = _direction(descending)
        number = self.binder.bind(slot.number)
        who = "" if annotator is None else f" AND v.annotator = {self.binder.bind(annotator)}"
        mine = f"v.slot = {number}{who}"
        # The plus makes SQLite look for a record's values, not for the record among all values.
        its_own = f"v.doc = d.doc AND {'+' if self.is_sqlite else ''}{mine}"
        function = "avg" if mean and slot.numeric else "max" if descending else "min"
        best = f"SELECT {function}(v.{slot.column}) FROM {slot.table} AS v WHERE {its_own}"
        order = f"({best}){direction} NULLS LAST"
        values = f"FROM {slot.table} AS v WHERE {mine}"
        if function == "avg":
            walk = Walk(f"SELECT v.number, v.doc {values}", by_mean=True, descending=descending)
            return Key(order, walk)
        by_value = f"v.{slot.column}{direction}"
        if not self.is_sqlite and not slot.numeric:
            by_value = f"left(v.term, 200){direction}, {by_value}"
        return Key(order, Walk(f"SELECT v.doc {values} ORDER BY {by_value}, v.doc"))

    def _by_response(self, scope: ResponseFilterScope, descending: bool) -> Key:
        annotator = None
        if scope.user is not None:
            annotator = annotator_number(self.connection, scope.user.id)
        if scope.question:
            slot = self.slots.response(scope.question)
            return self._by_slot(slot, descending, annotator, mean=annotator is None)
        if scope.property != "status":
            raise UnprocessableEntityError(f"Cannot sort responses by {scope.property!r}.")
        who = "" if annotator is None else f" AND r.annotator = {self.binder.bind(annotator)}"
        function = "max" if descending else "min"
        return Key(
            f"(SELECT {function}(r.status) FROM prefkit_responses AS r "
            f"WHERE r.doc = d.doc{who}){_direction(descending)} NULLS LAST"
        )


def _direction(descending: bool) -> str:
    return " DESC" if descending else " ASC"
