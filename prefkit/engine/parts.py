"""Tables in Arrow files: written whole, read by memory map, one file holding several pieces.

An uncompressed Arrow file is read without copying: a worker that wants a hundred texts of a part
of a million touches the pages of these hundred.
"""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from prefkit.storage import writing

MAGIC = b"ARROW1"  # ends every Arrow file


@dataclasses.dataclass(frozen=True)
class Part:
    """A table that lies in files.

    Attributes:
        files: Arrow files, in the order in which their rows follow each other.
        piece: Which piece of each file; None for all of each.
    """

    files: tuple[str, ...]
    piece: int | None = None

    def table(self) -> pa.Table:
        """The rows, memory-mapped."""
        pieces = [read_piece(file, self.piece) for file in self.files]
        return pa.concat_tables([piece.replace_schema_metadata() for piece in pieces])

    def rows(self) -> int:
        """How many rows."""
        return sum(read_piece(file, self.piece).num_rows for file in self.files)

    def notes(self) -> dict[str, str]:
        """What the table's metadata says."""
        with pa.memory_map(self.files[0]) as source:
            found = pa.ipc.open_file(source).schema.metadata or {}
        return {key.decode(): value.decode() for key, value in found.items()}


def write_pieces(path: Path, pieces: Sequence[pa.Table]) -> None:
    """Write tables of one schema into one file, whole or not at all; piece i is `pieces[i]`."""
    schema = pieces[0].schema
    with writing(path, synced=False) as file, pa.ipc.new_file(file, schema) as writer:
        for piece in pieces:
            writer.write_batch(_one_batch(piece))


def is_whole(path: Path) -> bool:
    """Whether a file is there to its last byte (a power cut can tear one)."""
    if not path.is_file() or path.stat().st_size < len(MAGIC):
        return False
    with path.open("rb") as file:
        file.seek(-len(MAGIC), os.SEEK_END)
        return file.read() == MAGIC


def read_piece(path: str, piece: int | None) -> pa.Table:
    """One piece of a file, or all of them in order."""
    with pa.memory_map(path) as source:
        reader = pa.ipc.open_file(source)
        if piece is None:
            return reader.read_all()
        return pa.Table.from_batches([reader.get_batch(piece)])


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], table.schema)
