"""The records of a source as texts, slice by slice, in the one spelling that `clean` gives them."""

from pathlib import Path

import pyarrow as pa

from prefkit.cleaning.normalise import normalised
from prefkit.cleaning.rows import Cleanable
from prefkit.cleaning.steps.table import SHIFT
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.leakage.training import Source, find_records, records_in
from prefkit.semantic.texts import table_of, texts_of
from prefkit.slices import Slice
from prefkit.workspace import Workspace


def find_source(source: str, kind: str, workspace: Workspace) -> Source:
    """The records of a SOURCE, which must be of one kind.

    Raises:
        PrefkitError: It does not exist, or holds records of several kinds and none is named.
    """
    found = find_records(source, kind, workspace)
    if len(found) > 1:
        raise PrefkitError(
            f"{source}: holds {' and '.join(one.kind for one in found)}.",
            hint=f"Say which to compare with `--kind {found[0].kind}`.",
            exit_code=EXIT_USAGE,
        )
    return found[0]


def take_in(piece: Slice, kind: str) -> pa.Table:
    """A slice as a table of `TEXTS`; its notes say how many records were `empty` and left out.

    Raises:
        PrefkitError: A row is no such record.
    """
    rows, empty = [], 0
    for place, (_, record) in enumerate(records_in(piece, kind)):
        plain, _ = normalised(record)
        if plain is None:
            empty += 1
        else:
            number = piece.number << SHIFT | place
            rows.append(texts_of(number, plain, _source(record, piece)) | {"id": record.id})
    return table_of(rows).replace_schema_metadata({"empty": str(empty)})


def _source(record: Cleanable, piece: Slice) -> str:
    """Where a record says that it is from, else its file."""
    said = (
        record.metadata.get("source"),
        getattr(record, "generator", ""),
        getattr(record, "source", ""),
    )
    return next((name for name in said if name), Path(piece.path).stem)
