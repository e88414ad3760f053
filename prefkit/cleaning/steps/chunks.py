"""The chunks that rows quote, as a table: they say which document a row is from."""

import dataclasses
from collections.abc import Mapping, Sequence

import pyarrow as pa

from prefkit import slices
from prefkit.errors import PrefkitError
from prefkit.records import Chunk
from prefkit.storage import validated

CHUNKS = pa.schema([("id", pa.string()), ("document_id", pa.string()), ("text", pa.large_string())])


def chunk_table(piece: slices.Slice | None) -> pa.Table:
    """A slice of a chunk file as a table of `CHUNKS`; without a slice, no rows.

    Raises:
        PrefkitError: A row is no chunk.
    """
    rows = []
    for where, value in slices.read(piece) if piece else ():
        if isinstance(value, PrefkitError):
            raise value
        chunk = validated(value, Chunk, where)
        rows.append({"id": chunk.id, "document_id": chunk.document_id, "text": chunk.text})
    return pa.Table.from_pylist(rows, schema=CHUNKS)


@dataclasses.dataclass(frozen=True)
class Passages:
    """Texts of chunks by id; they stay in the file they are mapped from.

    Attributes:
        table: Of `CHUNKS`.
        place: Row of each id.
    """

    table: pa.Table
    place: Mapping[str, int]

    def text_of(self, ids: Sequence[str]) -> str | None:
        """The texts of some chunks one after the other; None when one is not at hand."""
        if not ids or not all(chunk_id in self.place for chunk_id in ids):
            return None
        texts = self.table["text"]
        return "\n\n".join(texts[self.place[chunk_id]].as_py() for chunk_id in ids)


def passages_of(table: pa.Table) -> Passages:
    """The chunks of a table by id."""
    return Passages(table, {name: row for row, name in enumerate(table["id"].to_pylist())})
