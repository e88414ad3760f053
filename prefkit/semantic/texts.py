"""What is compared: the texts of rows, each distinct one once, and the units that rows are of.

A unit is what must be alike for two rows to say the same: the prompt, the completions, or both,
under equal system turns. Rows of one unit have one and the same text there.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prefkit.cleaning.rows import Cleanable, row_of
from prefkit.cleaning.standing import standing
from prefkit.cleaning.steps.table import PREFERENCE, STANDING, bucket_of, in_buckets, numbers
from prefkit.records import text_of

Field = Literal["prompt", "completion", "both"]
Indices = NDArray[np.int64]

COLUMNS: Final = {
    "prompt": ("prompt",),
    "completion": ("answer", "rejected"),
    "both": ("prompt", "answer", "rejected"),
}
KEY: Final = pa.binary(16)
TEXTS: Final = pa.schema(
    [
        ("row", pa.int64()),
        ("id", pa.string()),
        *STANDING,  # with id and tie: which of some duplicates stays
        ("tie", pa.uint64()),
        ("source", pa.string()),
        ("system", KEY),  # hash of the system turns
        ("prompt", pa.large_string()),  # the other turns
        ("answer", pa.large_string()),  # reference, chosen or completion
        ("rejected", pa.large_string()),  # null but in pairs
        ("prompt_key", KEY),  # hashes of the three texts
        ("answer_key", KEY),
        ("rejected_key", KEY),
    ]
)
DISTINCT: Final = pa.schema([("key", KEY), ("text", pa.large_string())])


def texts_of(row: int, record: Cleanable, source: str = "") -> dict[str, Any]:  # values of TEXTS
    """One record as a row of `TEXTS`."""
    seen = row_of(record)
    answers = [completion.text for completion in seen.completions]
    system = [turn for turn in seen.prompt if turn.role == "system"]
    asked = [turn for turn in seen.prompt if turn.role != "system"]
    texts = {
        "prompt": text_of(asked),
        "answer": answers[0],
        "rejected": answers[1] if len(answers) > 1 else None,
    }
    line = record.json_line()
    return {
        "row": row,
        "id": record.id,
        **standing(record),
        "tie": int.from_bytes(_digest(line)[:8], "little"),
        "source": source,
        "system": _digest(text_of(system)),
        **texts,
        **{f"{name}_key": _digest(text) for name, text in texts.items() if text is not None},
    }


def table_of(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Rows of `TEXTS` as a table."""
    return pa.Table.from_pylist(list(rows), schema=TEXTS)


def by_text(table: pa.Table, field: Field, buckets: int) -> list[pa.Table]:
    """The texts that are compared, each once, equal ones in one bucket; see `distinct`."""
    columns = [
        pa.table([table[f"{name}_key"], table[name]], schema=DISTINCT).filter(
            table[name].is_valid()
        )
        for name in COLUMNS[field]
    ]
    found = distinct(pa.concat_tables(columns))
    return in_buckets(found, bucket_of(_halves(found["key"])[:, 0], buckets), buckets)


def distinct(table: pa.Table) -> pa.Table:
    """Each text of a table of `DISTINCT` once, by rising key: the same for any order of rows."""
    halves = _halves(table["key"])
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    ordered = halves[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return table.take(pa.array(order[first]))


@dataclasses.dataclass(frozen=True)
class Units:
    """What is compared, each once; the order follows the content, not the rows.

    Attributes:
        texts: Index of each text of a unit among the distinct ones, shape (units, columns).
        system: Number of the unit's system turns, shape (units,).
        first: Place of the row that is preferred among those of the unit, shape (units,).
        rank: Which unit is preferred: 0 is the most, shape (units,).
        unit: The unit of each row, shape (rows,).
        rows: How many rows a unit has, shape (units,).
    """

    texts: Indices
    system: Indices
    first: Indices
    rank: Indices
    unit: Indices
    rows: Indices

    def __len__(self) -> int:
        """How many units."""
        return len(self.texts)


def units_of(table: pa.Table, keys: pa.ChunkedArray, field: Field) -> Units:
    """The units of some rows.

    Args:
        table: Of `TEXTS`; of the columns of PREFERENCE, those that it has say which row of a unit,
            and which unit, is preferred.
        keys: Of the distinct texts, in the order of their vectors.
        field: What is compared.
    """
    preference = [(name, order) for name, order in PREFERENCE if name in table.column_names]
    given = [name for name in COLUMNS[field] if table[name].null_count < len(table)]
    names = given or list(COLUMNS[field][:1])
    known = pc.SetLookupOptions(value_set=keys.combine_chunks())
    indices = [
        pc.call_function("index_in", [table[f"{name}_key"]], known).to_numpy().astype(np.int64)
        for name in names
    ]
    system = np.unique(_halves(table["system"]), axis=0, return_inverse=True)[1].reshape(-1)
    columns = np.stack([system, *indices], axis=1)
    found, unit = np.unique(columns, axis=0, return_inverse=True)
    unit = unit.reshape(-1)
    ordered = table.append_column("place", pa.array(np.arange(len(table)))).sort_by(preference)
    places_by_rank = numbers(ordered, "place")
    _, at = np.unique(unit[places_by_rank], return_index=True)
    return Units(
        texts=found[:, 1:],
        system=found[:, 0],
        first=places_by_rank[at],
        rank=np.argsort(np.argsort(at, kind="stable"), kind="stable"),
        unit=unit,
        rows=np.bincount(unit, minlength=len(found)),
    )


def compared_texts(table: pa.Table, field: Field, places: Sequence[int]) -> list[str]:
    """What is compared of some rows, as one text each."""
    taken = table.select(list(COLUMNS[field])).take(pa.array(places, pa.int64())).to_pylist()
    return ["\n".join(text for text in row.values() if text is not None) for row in taken]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _halves(keys: pa.ChunkedArray) -> NDArray[np.uint64]:
    """128-bit keys as two numbers each, shape (keys, 2)."""
    data = b"".join(keys.to_pylist())
    return np.frombuffer(data, np.uint64).reshape(-1, 2)
