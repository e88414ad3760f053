"""Argilla's rows, made without its server: datasets, records, responses, suggestions, vectors."""

import asyncio
import itertools
from datetime import datetime, timedelta
from uuid import uuid4

from argilla_server.enums import DatasetStatus, ResponseStatus, UserRole
from argilla_server.models import (
    Dataset,
    Field,
    MetadataProperty,
    Question,
    Record,
    Response,
    Suggestion,
    User,
    Vector,
    VectorSettings,
    Workspace,
)
from argilla_server.search_engine import (
    AndFilter,
    MetadataFilterScope,
    Order,
    RangeFilter,
    RecordFilterScope,
    ResponseFilterScope,
    SuggestionFilterScope,
    TermsFilter,
    TextQuery,
)
from prefkit_argilla.engine import SqlSearchEngine, schema
from prefkit_argilla.engine.database import Database
from sqlalchemy.orm import sessionmaker

EPOCH = datetime(2024, 1, 1)


class World:
    """One database with the engine on it."""

    def __init__(self, url):
        self.database = Database(url)
        schema.ensure(self.database)
        self.engine = SqlSearchEngine(self.database)
        self.session = sessionmaker(
            self.database.engine.execution_options(writes=True), expire_on_commit=False
        )
        self.numbers = itertools.count()

    def close(self):
        self.database.engine.dispose()

    def save(self, *rows):
        with self.session() as session, session.begin():
            session.add_all(rows)
        return rows[0] if len(rows) == 1 else rows

    def user(self):
        number = next(self.numbers)
        return self.save(
            User(
                first_name="A",
                username=f"annotator{number}{uuid4().hex[:6]}",
                role=UserRole.annotator,
                password_hash="x",
                api_key=uuid4().hex,
            )
        )

    def dataset(self, fields=None, questions=None, metadata=None, vectors=None):
        workspace = self.save(Workspace(name=uuid4().hex))
        dataset = self.save(
            Dataset(
                name=uuid4().hex,
                status=DatasetStatus.ready,
                workspace_id=workspace.id,
                distribution={"strategy": "overlap", "min_submitted": 1},
            )
        )
        made = Made(self, dataset)
        for name, kind in (fields or {"text": "text"}).items():
            made.fields[name] = self.save(
                Field(name=name, title=name, settings={"type": kind}, dataset_id=dataset.id)
            )
        for name, kind in (questions or {}).items():
            made.questions[name] = self.save(
                Question(name=name, title=name, settings={"type": kind}, dataset_id=dataset.id)
            )
        for name, kind in (metadata or {}).items():
            made.property(name, kind)
        for name, dimensions in (vectors or {}).items():
            made.vectors[name] = self.save(
                VectorSettings(name=name, title=name, dimensions=dimensions, dataset_id=dataset.id)
            )
        return made


class Made:
    """A dataset; its records are known by short names, kept as external ids."""

    def __init__(self, world, dataset):
        self.world = world
        self.dataset = dataset
        self.fields = {}
        self.questions = {}
        self.metadata = {}
        self.vectors = {}
        self.records = {}

    def property(self, name, kind):
        self.metadata[name] = self.world.save(
            MetadataProperty(
                name=name, title=name, settings={"type": kind}, dataset_id=self.dataset.id
            )
        )
        return self.metadata[name]

    def add(self, name, fields=None, *, metadata=None, status="pending", at=None, vectors=None):
        at = at or EPOCH + timedelta(seconds=len(self.records))
        fields = {"text": fields} if isinstance(fields, str) else fields or {}
        record = Record(
            fields=fields,
            metadata_=metadata,
            external_id=name,
            status=status,
            dataset_id=self.dataset.id,
            inserted_at=at,
            updated_at=at,
        )
        self.records[name] = self.world.save(record)
        for of, value in (vectors or {}).items():
            settings = self.vectors[of]
            self.world.save(
                Vector(value=value, record_id=record.id, vector_settings_id=settings.id)
            )
        return record

    def respond(self, name, user, status="submitted", **values):
        return self.world.save(
            Response(
                values={question: {"value": value} for question, value in values.items()} or None,
                status=ResponseStatus(status),
                record_id=self.records[name].id,
                user_id=user.id,
            )
        )

    def suggest(self, name, question, value, score=None, agent=None, type=None):
        return self.world.save(
            Suggestion(
                value=value,
                score=score,
                agent=agent,
                type=type,
                record_id=self.records[name].id,
                question_id=self.questions[question].id,
            )
        )

    def run(self, coroutine):
        return asyncio.run(coroutine)

    def responses(self, query=None, field=None, **rest):
        if query is not None and field is not None:
            query = TextQuery(q=query, field=field)
        search = self.world.engine.search
        return self.run(search(self.dataset, query=query, **rest))

    def search(self, query=None, field=None, **rest):
        """The names found, in order; the total must say the same of a whole page."""
        found = self.responses(query, field, **rest)
        names = self.names(found)
        if not rest.get("offset") and "limit" not in rest:
            assert found.total == len(names)
        return names

    def names(self, found):
        known = {record.id: name for name, record in self.records.items()}
        return [known[item.record_id] for item in found.items]

    def found(self, query=None, field=None, **rest):
        """The names found, sorted, as one word."""
        return " ".join(sorted(self.search(query, field, **rest)))

    def similar(self, of="v", **rest):
        search = self.world.engine.similarity_search
        return self.run(search(self.dataset, vector_settings=self.vectors[of], **rest))


def terms(scope, *values):
    return TermsFilter(scope=scope, values=list(values))


def between(scope, ge=None, le=None):
    return RangeFilter(scope=scope, ge=ge, le=le)


def both(*filters):
    return AndFilter(filters=list(filters))


def asc(scope):
    return Order(scope=scope, order="asc")


def desc(scope):
    return Order(scope=scope, order="desc")


def of_record(name):
    return RecordFilterScope(property=name)


def of_metadata(name):
    return MetadataFilterScope(metadata_property=name)


def of_suggestion(question, property="value"):
    return SuggestionFilterScope(question=question, property=property)


def of_response(question=None, user=None, property=None):
    return ResponseFilterScope(question=question, property=property, user=user)


def of_status(user=None):
    return ResponseFilterScope(property="status", user=user)
