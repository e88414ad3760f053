"""Argilla's filters as conditions on `d`, a row of prefkit_docs."""

import math
from datetime import datetime
from uuid import UUID

from argilla_server.enums import RecordSortField, ResponseStatusFilter
from argilla_server.errors.future import UnprocessableEntityError
from argilla_server.search_engine import (
    AndFilter,
    Filter,
    MetadataFilterScope,
    RangeFilter,
    RecordFilterScope,
    ResponseFilterScope,
    SuggestionFilterScope,
    TermsFilter,
)
from sqlalchemy import Connection

from prefkit_argilla.engine.binding import Binder
from prefkit_argilla.engine.dates import moment
from prefkit_argilla.engine.docsets import Condition
from prefkit_argilla.engine.slots import Slot, Slots, annotator_number, identifier

NOTHING = "1 = 0"
_DATES = (RecordSortField.inserted_at, RecordSortField.updated_at)
_INDEXED_LENGTH = 200  # of terms in PostgreSQL, whose indexes refuse long ones


class Filters:
    """Writes the conditions of one search."""

    def __init__(self, connection: Connection, dataset: int, slots: Slots, binder: Binder) -> None:
        self.connection = connection
        self.dataset = dataset
        self.slots = slots
        self.binder = binder
        self.is_sqlite = connection.dialect.name == "sqlite"

    def conditions(self, filter: Filter) -> list[Condition]:
        """What all must hold.

        Raises:
            UnprocessableEntityError: A bound is no date or figure where one is needed.
        """
        if isinstance(filter, AndFilter):
            return [condition for inner in filter.filters for condition in self.conditions(inner)]
        return [self._condition(filter)]

    def _condition(self, filter: TermsFilter | RangeFilter) -> Condition:
        scope = filter.scope
        if isinstance(scope, RecordFilterScope):
            return Condition(self._on_record(filter, RecordSortField(scope.property)))
        if isinstance(scope, MetadataFilterScope):
            return self._on_slot(filter, self.slots.metadata(scope.metadata_property))
        if isinstance(scope, SuggestionFilterScope):
            return self._on_slot(filter, self.slots.suggestion(scope.question, scope.property))
        if isinstance(scope, ResponseFilterScope):
            return self._on_response(filter, scope)
        raise ValueError(f"Cannot filter by {scope}")

    # Records

    def _on_record(self, filter: TermsFilter | RangeFilter, field: RecordSortField) -> str:
        if field in _DATES:
            return self._on_date(filter, field)
        column = "d.record_id" if field == RecordSortField.id else f"d.{field.value}"
        if isinstance(filter, TermsFilter):
            values = [str(value) for value in filter.values]
            if field == RecordSortField.id:
                values = [identifier(self.connection, id) for id in _ids(values)]
            return f"{column} IN {self.binder.bind_all(values)}" if values else NOTHING
        if field == RecordSortField.id:
            # Hexadecimal digits sort alike with and without the dashes of a written id.
            column = (
                "(substr(d.record_id, 1, 8) || '-' || substr(d.record_id, 9, 4) || '-' || "
                "substr(d.record_id, 13, 4) || '-' || substr(d.record_id, 17, 4) || '-' || "
                "substr(d.record_id, 21))"
                if self.is_sqlite
                else 'd.record_id::text COLLATE "C"'
            )
        return self._between(column, filter, str)

    def _on_date(self, filter: TermsFilter | RangeFilter, field: RecordSortField) -> str:
        column = f"d.{field.value}"
        if isinstance(filter, RangeFilter):
            return self._dates(column, filter.ge, filter.le)
        each = [f"({self._dates(column, value, value)})" for value in filter.values]
        return f"({' OR '.join(each)})" if each else NOTHING

    def _dates(self, column: str, ge: float | str | None, le: float | str | None) -> str:
        parts = []
        try:
            if ge is not None:
                parts.append(f"{column} >= {self._date(moment(ge, last=False))}")
            if le is not None:
                parts.append(f"{column} <= {self._date(moment(le, last=True))}")
        except ValueError as error:
            raise UnprocessableEntityError(f"Cannot filter by date: {error}.") from error
        return " AND ".join(parts) or f"{column} IS NOT NULL"

    def _date(self, value: datetime) -> str:
        if self.is_sqlite:
            return self.binder.bind(value.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0"))
        return self.binder.bind(value)

    # Values in slots

    def _on_slot(
        self, filter: TermsFilter | RangeFilter, slot: Slot | None, annotator: int | None = None
    ) -> Condition:
        values = NOTHING if slot is None else self._values(filter, slot)
        if slot is None or values == NOTHING:
            return Condition(NOTHING)
        by_whom = "" if annotator is None else f" AND v.annotator = {self.binder.bind(annotator)}"
        docs = (
            f"SELECT v.doc FROM {slot.table} AS v "
            f"WHERE v.slot = {self.binder.bind(slot.number)}{by_whom} AND {values}"
        )
        return Condition(f"d.doc IN ({docs})", docs)

    def _values(self, filter: TermsFilter | RangeFilter, slot: Slot) -> str:
        column = f"v.{slot.column}"
        if isinstance(filter, RangeFilter):
            return self._between(column, filter, _bound if slot.numeric else str)
        values = _figures(filter.values) if slot.numeric else [str(v) for v in filter.values]
        if not values:
            return NOTHING
        condition = f"{column} IN {self.binder.bind_all(values)}"
        if slot.numeric or self.is_sqlite:
            return condition
        cut = self.binder.bind_all({value[:_INDEXED_LENGTH] for value in values})
        return f"left({column}, {_INDEXED_LENGTH}) IN {cut} AND {condition}"

    def _between(self, column: str, filter: RangeFilter, read: type[str] | object) -> str:
        parts = []
        if filter.ge is not None:
            parts.append(f"{column} >= {self.binder.bind(read(filter.ge))}")
        if filter.le is not None:
            parts.append(f"{column} <= {self.binder.bind(read(filter.le))}")
        return " AND ".join(parts) or f"{column} IS NOT NULL"

    # Responses

    def _on_response(
        self, filter: TermsFilter | RangeFilter, scope: ResponseFilterScope
    ) -> Condition:
        annotator = None
        if scope.user is not None:
            annotator = annotator_number(self.connection, scope.user.id)
        if scope.question:
            return self._on_slot(filter, self.slots.response(scope.question), annotator)
        if scope.property == "status" and isinstance(filter, TermsFilter):
            return self._on_status(filter.values, annotator)
        raise UnprocessableEntityError(f"Cannot filter responses by {scope.property!r}.")

    def _on_status(self, values: list[str], annotator: int | None) -> Condition:
        """Responses of a status; `pending` is the lack of any response, of the user's if given."""
        given = [str(value) for value in values if value != ResponseStatusFilter.pending]
        docs = (
            "SELECT r.doc FROM prefkit_responses AS r "
            f"WHERE r.dataset = {self.binder.bind(self.dataset)}"
        )
        if annotator is not None:
            docs += f" AND r.annotator = {self.binder.bind(annotator)}"
        if len(given) == len(values):
            docs += f" AND r.status IN {self.binder.bind_all(given)}" if given else " AND 1 = 0"
            return Condition(f"d.doc IN ({docs})", docs)
        if not given:
            return Condition(f"d.doc NOT IN ({docs})", docs, inverted=True)
        status = f"r.status IN {self.binder.bind_all(given)}"
        if annotator is None:
            return Condition(f"(d.doc NOT IN ({docs}) OR d.doc IN ({docs} AND {status}))")
        docs += f" AND NOT {status}"  # a user has one response to a record
        return Condition(f"d.doc NOT IN ({docs})", docs, inverted=True)


def _ids(values: list[str]) -> list[UUID]:
    """The ids among the values; anything else names no record."""
    found = []
    for value in values:
        try:
            read = UUID(value)
        except ValueError:
            continue
        if str(read) == value:
            found.append(read)
    return found


def _figures(values: list[str]) -> list[float]:
    """The figures among the values; anything else equals none."""
    found = []
    for value in values:
        try:
            figure = float(value)
        except ValueError:
            continue
        if math.isfinite(figure):
            found.append(figure)
    return found


def _bound(value: float | str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise UnprocessableEntityError(f"Cannot filter by {value!r}: not a number.") from error
