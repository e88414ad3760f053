"""Where a record's filterable values stand: a number for every name and facet of a dataset."""

import dataclasses
from uuid import UUID

from sqlalchemy import Connection

from prefkit_argilla.engine.database import rows

METADATA, SUGGESTED, SCORE, AGENT, KIND, RESPONSE = range(6)
FACETS = 8
_FACET_OF_PROPERTY = {"value": SUGGESTED, "score": SCORE, "agent": AGENT, "type": KIND}
_NUMERIC = ("integer", "float", "rating")
_TERMS = ("terms", "label_selection", "multi_label_selection")


@dataclasses.dataclass(frozen=True)
class Slot:
    """One value of every record: its number, and whether it is a figure or a term."""

    number: int
    numeric: bool

    @property
    def table(self) -> str:
        """Where the values are."""
        return "prefkit_numbers" if self.numeric else "prefkit_terms"

    @property
    def column(self) -> str:
        """What they are called there."""
        return "number" if self.numeric else "term"


class Slots:
    """The slots of one dataset; a name that cannot be searched has none."""

    def __init__(self, connection: Connection, dataset: int) -> None:
        found = rows(
            connection,
            "SELECT source, name, key, type FROM prefkit_keys WHERE dataset = :dataset",
            {"dataset": dataset},
        )
        self._keys = {(source, name): (key, kind) for source, name, key, kind in found}

    def metadata(self, name: str) -> Slot | None:
        """A metadata property's values."""
        return self._slot("metadata", name, METADATA)

    def suggestion(self, question: str, of: str) -> Slot | None:
        """A suggestion's value, score, agent or type."""
        return self._slot("question", question, _FACET_OF_PROPERTY.get(of))

    def response(self, question: str) -> Slot | None:
        """What annotators answered."""
        return self._slot("question", question, RESPONSE)

    def _slot(self, source: str, name: str, facet: int | None) -> Slot | None:
        key, kind = self._keys.get((source, name), (None, None))
        if key is None or facet is None:
            return None
        if facet == SCORE:
            return Slot(FACETS * key + facet, numeric=True)
        if facet in (AGENT, KIND):
            return Slot(FACETS * key + facet, numeric=False)
        if kind not in _NUMERIC and kind not in _TERMS:
            return None  # text, ranking and span answers are not searchable
        return Slot(FACETS * key + facet, numeric=kind in _NUMERIC)


def metadata_slot(connection: Connection, property_id: UUID, *, numeric: bool) -> Slot | None:
    """The slot of a metadata property known by its id."""
    found = rows(
        connection,
        "SELECT key FROM prefkit_keys WHERE source_id = :id",
        {"id": identifier(connection, property_id)},
    )
    return Slot(FACETS * found[0].key + METADATA, numeric) if found else None


def dataset_number(connection: Connection, dataset_id: UUID) -> int | None:
    """Our number of a dataset; None when nothing of it was ever stored."""
    found = rows(
        connection,
        "SELECT dataset FROM prefkit_datasets WHERE dataset_id = :id",
        {"id": identifier(connection, dataset_id)},
    )
    return found[0].dataset if found else None


def annotator_number(connection: Connection, user_id: UUID) -> int:
    """Our number of a user; 0 for one who never answered."""
    found = rows(
        connection,
        "SELECT annotator FROM prefkit_annotators WHERE user_id = :id",
        {"id": identifier(connection, user_id)},
    )
    return found[0].annotator if found else 0


def identifier(connection: Connection, value: UUID) -> str:
    """An id as this database keeps it."""
    return value.hex if connection.dialect.name == "sqlite" else str(value)
