"""What of a record is searched as text: columns, and the tokens in each.

A text or custom field is one column. A chat field is two: what was said, in tokens, and by whom,
where a role is one token as it stands. Images are not searched.
"""

import dataclasses
import json
from typing import Any

from argilla_server.enums import FieldType
from sqlalchemy import Connection

from prefkit_argilla.engine import analysis
from prefkit_argilla.engine.database import rows, run

GAP = 100  # positions between the messages of a chat: Elasticsearch's position_increment_gap

TEXT, CUSTOM, CONTENT, ROLE = "text", "custom", "content", "role"
_PARTS = {
    FieldType.text: (TEXT,),
    FieldType.custom: (CUSTOM,),
    FieldType.chat: (CONTENT, ROLE),
    FieldType.image: (),
}

Segments = list[list[str]]  # tokens of each message; a text is one message


@dataclasses.dataclass(frozen=True)
class Column:
    """A searched part of a field."""

    position: int
    field: str
    part: str

    @property
    def exact(self) -> bool:
        """Whether a whole value is one token."""
        return self.part == ROLE

    def segments(self, fields: dict[str, Any]) -> Segments:  # JSON
        """The tokens of a record's field."""
        value = fields.get(self.field)
        if value is None:
            return []
        if self.part == CUSTOM:
            return [analysis.tokens(str(value))]
        if self.part == TEXT:
            return [analysis.tokens(_as_text(value))]
        messages = [item for item in value if isinstance(item, dict)] if _many(value) else []
        said = [item[self.part] for item in messages if item.get(self.part) is not None]
        if self.exact:
            return [[_as_text(role)] for role in said]
        return [analysis.tokens(_as_text(text)) for text in said]


def _many(value: Any) -> bool:  # JSON
    return isinstance(value, list)


def _as_text(value: Any) -> str:  # JSON
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def declared_columns(connection: Connection, dataset: int) -> list[Column]:
    """The columns that the dataset's fields ask for, in the order of their making."""
    found = rows(
        connection,
        "SELECT f.name, f.settings FROM fields AS f "
        "JOIN prefkit_datasets AS s ON s.dataset_id = f.dataset_id "
        "WHERE s.dataset = :dataset ORDER BY f.inserted_at, f.id",
        {"dataset": dataset},
    )
    columns: list[Column] = []
    for name, stored in found:
        settings = json.loads(stored) if isinstance(stored, str) else stored
        for part in _PARTS.get(settings.get("type"), (CUSTOM,)):
            columns.append(Column(len(columns), name, part))
    return columns


def indexed_columns(connection: Connection, dataset: int) -> list[Column]:
    """The columns that the dataset's text was indexed with."""
    found = rows(
        connection,
        "SELECT position, field, part FROM prefkit_columns "
        "WHERE dataset = :dataset ORDER BY position",
        {"dataset": dataset},
    )
    return [Column(*row) for row in found]


def store_columns(connection: Connection, dataset: int, columns: list[Column]) -> None:
    """Note what the dataset's text is indexed with from now on."""
    run(connection, "DELETE FROM prefkit_columns WHERE dataset = :d", {"d": dataset})
    for column in columns:
        run(
            connection,
            "INSERT INTO prefkit_columns (dataset, position, field, part) "
            "VALUES (:dataset, :position, :field, :part)",
            {"dataset": dataset, **dataclasses.asdict(column)},
        )
