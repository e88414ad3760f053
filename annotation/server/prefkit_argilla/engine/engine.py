"""The search engine that Argilla talks to."""

import asyncio
import dataclasses
import logging
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import numpy as np
from argilla_server.enums import SimilarityOrder
from argilla_server.errors.future import UnprocessableEntityError
from argilla_server.models import (
    Dataset,
    MetadataProperty,
    Record,
    Response,
    Suggestion,
    User,
    VectorSettings,
)
from argilla_server.search_engine import (
    Filter,
    FloatMetadataMetrics,
    IntegerMetadataMetrics,
    MetadataMetrics,
    Order,
    SearchEngine,
    SearchResponseItem,
    SearchResponses,
    TermsMetrics,
    TextQuery,
)
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from prefkit_argilla.engine import (
    fuzzy,
    indexing,
    schema,
    text_postgresql,
    text_sqlite,
    vectors,
)
from prefkit_argilla.engine.binding import Binder
from prefkit_argilla.engine.database import Busy, Database, open_database, rows
from prefkit_argilla.engine.docsets import Condition
from prefkit_argilla.engine.documents import GAP, indexed_columns
from prefkit_argilla.engine.filters import Filters
from prefkit_argilla.engine.matched import Matched
from prefkit_argilla.engine.matching import Resolver, stands_near
from prefkit_argilla.engine.paging import Page, Selection, Window
from prefkit_argilla.engine.slots import Slots, annotator_number, dataset_number, metadata_slot
from prefkit_argilla.engine.sorting import Sorting

MOST_TERMS = 2**14  # Argilla's max_terms_size
_AT_ONCE = 0.05  # seconds that a write of Argilla's waits for us
_PATIENCE = 5  # seconds that a search waits for other writers before it answers without the newest

log = logging.getLogger("argilla")

_ready: set[str] = set()


@SearchEngine.register(engine_name="sql")
@dataclasses.dataclass
class SqlSearchEngine(SearchEngine):
    """Argilla's SearchEngine over Argilla's own SQLite or PostgreSQL database.

    Triggers keep filterable values in step with Argilla's tables, so most of Argilla's notices need
    no work here; text and vectors are indexed when a notice comes, and before a search at the
    latest.
    """

    database: Database = dataclasses.field(default_factory=open_database)

    @classmethod
    async def new_instance(cls) -> "SqlSearchEngine":
        """The engine of this process; our tables are made when they are missing."""
        engine = cls()
        url = str(engine.database.engine.url)
        if url not in _ready:
            await asyncio.to_thread(schema.ensure, engine.database)
            _ready.add(url)
        return engine

    async def close(self) -> None:
        """Nothing to close: connections are kept for the next request."""

    async def ping(self) -> bool:
        """Whether the database answers."""
        try:
            await asyncio.to_thread(self._version)
        except OperationalError:
            return False
        return True

    async def info(self) -> dict:
        """What Argilla shows on its status page."""
        return {"name": "sql", "dialect": self._dialect(), "version": self._version()}

    def _dialect(self) -> str:
        return self.database.engine.dialect.name

    def _version(self) -> str:
        with self.database.reading() as connection:
            return ".".join(map(str, connection.dialect.server_version_info or ()))

    # Keeping up

    async def create_index(self, dataset: Dataset) -> None:
        """Begin with a dataset, or begin again: all its text is indexed from scratch."""
        await asyncio.to_thread(self._reindex, dataset.id)

    async def delete_index(self, dataset: Dataset) -> None:
        """Forget what was made of a dataset's text; its records may be there still."""
        await asyncio.to_thread(self._reindex, dataset.id)

    def _reindex(self, dataset_id: UUID) -> None:
        with self.database.reading() as connection:
            dataset = dataset_number(connection, dataset_id)
            known = dataset is not None and indexed_columns(connection, dataset)
        if not known:
            return
        try:
            with self.database.writing(_AT_ONCE) as connection:
                schema.note_all(connection, dataset)
                indexing.forget(connection, dataset)
        except Busy:
            log.warning("The search index of dataset %s is in use and was kept", dataset_id)

    async def configure_metadata_property(
        self, dataset: Dataset, metadata_property: MetadataProperty
    ) -> None:
        """Collect the values that records already have."""
        await self._keep_up()

    async def configure_index_vectors(self, vector_settings: VectorSettings) -> None:
        """Nothing to prepare: vectors are packed when they come."""

    async def index_records(self, dataset: Dataset, records: Iterable[Record]) -> None:
        """Index what changed."""
        await self._keep_up()

    async def partial_record_update(self, record: Record, **update: Any) -> None:
        """Nothing to do: triggers saw it."""

    async def delete_records(self, dataset: Dataset, records: Iterable[Record]) -> None:
        """Clear up after deleted records."""
        await self._keep_up()

    async def update_record_response(self, response: Response) -> None:
        """Nothing to do: triggers saw it."""

    async def delete_record_response(self, response: Response) -> None:
        """Nothing to do: triggers saw it."""

    async def update_record_suggestion(self, suggestion: Suggestion) -> None:
        """Nothing to do: triggers saw it."""

    async def delete_record_suggestion(self, suggestion: Suggestion) -> None:
        """Nothing to do: triggers saw it."""

    async def _keep_up(self) -> None:
        if not await asyncio.to_thread(indexing.catch_up, self.database, _AT_ONCE):
            indexing.catch_up_soon(self.database)

    # Progress and metrics

    async def get_dataset_progress(self, dataset: Dataset) -> dict:
        """Records by status, and in total."""
        if dataset.is_draft:
            return {}
        return await asyncio.to_thread(self._progress, dataset.id)

    def _progress(self, dataset_id: UUID) -> dict:
        with self.database.reading() as connection:
            found = rows(
                connection,
                "SELECT status, count(*) AS many FROM prefkit_docs WHERE dataset = :dataset "
                "GROUP BY status",
                {"dataset": dataset_number(connection, dataset_id)},
            )
        return _progress(found)

    async def get_dataset_user_progress(self, dataset: Dataset, user: User) -> dict:
        """The user's responses by status, and in total.

        Argilla's Elasticsearch engine counts other annotators' statuses of the same records too;
        this one counts what the page shows it as, the user's own.
        """
        if dataset.is_draft:
            return {}
        return await asyncio.to_thread(self._user_progress, dataset.id, user.id)

    def _user_progress(self, dataset_id: UUID, user_id: UUID) -> dict:
        with self.database.reading() as connection:
            found = rows(
                connection,
                "SELECT status, count(*) AS many FROM prefkit_responses "
                "WHERE dataset = :dataset AND annotator = :annotator GROUP BY status",
                {
                    "dataset": dataset_number(connection, dataset_id),
                    "annotator": annotator_number(connection, user_id),
                },
            )
        return _progress(found)

    async def compute_metrics_for(self, metadata_property: MetadataProperty) -> MetadataMetrics:
        """How often each term stands, or the smallest and largest figure."""
        compute = self._terms if metadata_property.is_terms else self._extremes
        if not await asyncio.to_thread(indexing.catch_up, self.database, _PATIENCE):
            log.warning("Metrics were computed while the newest records still waited")
        return await asyncio.to_thread(compute, metadata_property)

    def _terms(self, metadata_property: MetadataProperty) -> TermsMetrics:
        with self.database.reading() as connection:
            slot = metadata_slot(connection, metadata_property.id, numeric=False)
            if slot is None:
                return TermsMetrics(total=0)
            named = {"slot": slot.number, "most": MOST_TERMS}
            total = rows(
                connection,
                "SELECT count(*) AS many FROM prefkit_terms WHERE slot = :slot",
                named,
            )
            found = rows(
                connection,
                "SELECT term, count(*) AS many FROM prefkit_terms WHERE slot = :slot "
                "GROUP BY term ORDER BY many DESC, term LIMIT :most",
                named,
            )
        counts = [TermsMetrics.TermCount(term=row.term, count=row.many) for row in found]
        return TermsMetrics(total=total[0].many, values=counts)

    def _extremes(
        self, metadata_property: MetadataProperty
    ) -> IntegerMetadataMetrics | FloatMetadataMetrics:
        whole = metadata_property.is_integer
        metrics = IntegerMetadataMetrics if whole else FloatMetadataMetrics
        with self.database.reading() as connection:
            slot = metadata_slot(connection, metadata_property.id, numeric=True)
            if slot is None:
                return metrics()
            least, most = rows(
                connection,
                "SELECT (SELECT min(number) FROM prefkit_numbers WHERE slot = :slot), "
                "(SELECT max(number) FROM prefkit_numbers WHERE slot = :slot)",
                {"slot": slot.number},
            )[0]
        if least is None:
            return metrics()
        return metrics(min=int(least), max=int(most)) if whole else metrics(min=least, max=most)

    # Searching

    async def search(
        self,
        dataset: Dataset,
        query: TextQuery | str | None = None,
        filter: Filter | None = None,
        sort: list[Order] | None = None,
        offset: int = 0,
        limit: int = 100,
        user_id: str | None = None,
    ) -> SearchResponses:
        """One page of the records that a query and filters find, and how many there are.

        Args:
            dataset: Where to search.
            query: In Elasticsearch's simple query language, on one field or all.
            filter: What must hold as well.
            sort: The order; without it the best come first.
            offset: Where the page begins.
            limit: How long it is.
            user_id: Shuffle for this user, always alike.
        """
        await self._up_to_date(text=query is not None)
        window = Window(offset, limit)
        return await asyncio.to_thread(
            self._search, dataset.id, _text_query(query), filter, sort, window, user_id
        )

    async def _up_to_date(self, *, text: bool = True) -> None:
        """Filters and orders are always up to date, but for new metadata properties."""
        try:
            if not text:
                await asyncio.to_thread(indexing.fill_metadata, self.database, _PATIENCE)
            elif not await asyncio.to_thread(indexing.catch_up, self.database, _PATIENCE):
                raise Busy
        except Busy:
            log.warning("A search was answered while the newest records still waited")

    def _search(
        self,
        dataset_id: UUID,
        query: TextQuery | None,
        filter: Filter | None,
        sort: list[Order] | None,
        window: Window,
        user_id: str | None,
    ) -> SearchResponses:
        with self.database.reading() as connection:
            dataset = dataset_number(connection, dataset_id)
            if dataset is None:
                return SearchResponses(items=[], total=0)
            slots = Slots(connection, dataset)
            selection = self._selection(connection, dataset, slots, query, filter)
            if sort:
                keys = Sorting(connection, slots, selection.binder).keys(sort)
                page, total = selection.by_keys(keys, window)
            else:
                page, total = selection.by_score(window, str(user_id) if user_id else None)
            return SearchResponses(items=_items(connection, page), total=total)

    async def similarity_search(
        self,
        dataset: Dataset,
        vector_settings: VectorSettings,
        value: list[float] | None = None,
        record: Record | None = None,
        query: TextQuery | str | None = None,
        filter: Filter | None = None,
        max_results: int = 100,
        order: SimilarityOrder = SimilarityOrder.most_similar,
        threshold: float | None = None,
    ) -> SearchResponses:
        """The records whose vectors are most, or least, like a vector or a record's own.

        The record itself is not among them. The total counts what was found before `threshold`
        cut it, as with Elasticsearch.

        Raises:
            ValueError: Not exactly one of `value` and `record` is given, or the record has no such
                vector.
            UnprocessableEntityError: The vector has other dimensions, or no direction.
        """
        if bool(value) == bool(record):
            raise ValueError(
                "Must provide either vector value or record to compute the similarity search"
            )
        wanted = value or record.vector_value_by_vector_settings(vector_settings)
        if not wanted:
            raise ValueError("Cannot find a vector value to apply with provided info")
        vector = _direction(wanted, vector_settings.dimensions)
        if order == SimilarityOrder.least_similar:
            vector = -vector
        await self._up_to_date()
        return await asyncio.to_thread(
            self._similar,
            dataset.id,
            vector_settings,
            vector,
            record.id if record else None,
            _text_query(query),
            filter,
            max_results,
            threshold,
        )

    def _similar(
        self,
        dataset_id: UUID,
        settings: VectorSettings,
        vector: np.ndarray,
        without: UUID | None,
        query: TextQuery | None,
        filter: Filter | None,
        most: int,
        threshold: float | None,
    ) -> SearchResponses:
        with self.database.reading() as connection:
            dataset = dataset_number(connection, dataset_id)
            if dataset is None:
                return SearchResponses(items=[], total=0)
            among = None
            if query is not None or filter is not None:
                slots = Slots(connection, dataset)
                among = self._selection(connection, dataset, slots, query, filter).docs()
            known = vectors.load(connection, settings.id, settings.dimensions)
            excluded = None if without is None else _doc(connection, without)
            page, total = vectors.nearest(known, vector, most, among, excluded)
            if threshold is not None:
                page = [(doc, score) for doc, score in page if score >= threshold]
            return SearchResponses(items=_items(connection, page), total=total)

    def _selection(
        self,
        connection: Connection,
        dataset: int,
        slots: Slots,
        query: TextQuery | None,
        filter: Filter | None,
    ) -> Selection:
        binder = Binder()
        text = None if query is None else self._match(connection, dataset, query, binder)
        conditions: list[Condition] = []
        if filter is not None:
            conditions = Filters(connection, dataset, slots, binder).conditions(filter)
        return Selection(connection, dataset, binder, conditions, text)

    def _match(
        self, connection: Connection, dataset: int, query: TextQuery, binder: Binder
    ) -> Matched:
        columns = [
            column
            for column in indexed_columns(connection, dataset)
            if not query.field or column.field == query.field
        ]
        text = text_sqlite if self.database.is_sqlite else text_postgresql

        def expand(token: str, edits: int, exact: bool) -> list[str]:
            return fuzzy.near(connection, dataset, token, edits, exact)

        def near(tokens: tuple[str, ...], slop: int, places: tuple[int, ...]) -> list[int]:
            found = text.candidates(connection, dataset, tokens, places)
            return sorted({doc for doc, _, parts in found if stands_near(tokens, slop, parts, GAP)})

        node = Resolver(columns, expand, near).resolve(query.q)
        return text.match(connection, dataset, node, binder)


def _text_query(query: TextQuery | str | None) -> TextQuery | None:
    return TextQuery(q=query) if isinstance(query, str) else query


def _progress(found: list) -> dict:
    counts = {row.status: row.many for row in found}
    return {"total": sum(counts.values()), **counts}


def _items(connection: Connection, page: Page) -> list[SearchResponseItem]:
    """A page with Argilla's ids for ours."""
    if not page:
        return []
    binder = Binder()
    found = rows(
        connection,
        "SELECT doc, record_id FROM prefkit_docs "
        f"WHERE doc IN {binder.bind_all(doc for doc, _ in page)}",
        binder.values,
    )
    ids = {row.doc: row.record_id for row in found}
    return [
        SearchResponseItem(record_id=UUID(str(ids[doc])), score=score)
        for doc, score in page
        if doc in ids
    ]


def _doc(connection: Connection, record_id: UUID) -> int | None:
    named = {"id": record_id.hex if connection.dialect.name == "sqlite" else str(record_id)}
    found = rows(connection, "SELECT doc FROM prefkit_docs WHERE record_id = :id", named)
    return found[0].doc if found else None


def _direction(value: list[float], dimensions: int) -> np.ndarray:
    vector = np.array(value, dtype=np.float64)
    if vector.shape != (dimensions,):
        raise UnprocessableEntityError(
            f"The vector has {vector.size} dimensions, its settings say {dimensions}."
        )
    if not np.isfinite(vector).all() or not vector.any():
        raise UnprocessableEntityError("The vector has no direction: it is zero or not finite.")
    return vector
