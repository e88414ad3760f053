"""Rows of a source as a table: their texts, keys and what decides which of them stays.

A row's number is its slice in the upper 32 bits and its place in the slice's table in the lower,
so any worker that sees the tables finds a row by its number alone.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prefkit.engine import Part

Numbers = NDArray[np.int64]
SHIFT = 32
KEY = pa.binary(16)

STANDING = [  # says which of some duplicates stays, see standing.py
    ("held", pa.bool_()),
    ("hand", pa.int8()),
    ("margin", pa.float64()),
    ("votes", pa.int64()),
    ("quotes", pa.int64()),
    ("provenance", pa.int64()),
]
SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("line", pa.int64()),  # in its file
        ("came", pa.string()),  # the id it came with; of what could not be read, file:line
        ("came_name", pa.uint64()),  # hash of that id
        ("rule", pa.string()),  # why it goes; null when every rule accepts it
        ("detail", pa.string()),
        ("flags", pa.list_(pa.string())),  # findings that only mark, as rule: detail
        ("id", pa.string()),
        ("record", pa.large_string()),  # JSON, normalised
        ("prompt", pa.large_string()),
        ("answer", pa.large_string()),  # reference, chosen or completion
        ("rejected", pa.large_string()),
        ("telling", pa.bool_()),  # whether a like answer is no chance
        ("text", pa.uint64()),  # hash of the texts as they came
        ("name", pa.uint64()),  # hash of the id
        ("tie", pa.uint64()),  # hash of the record
        ("prompt_key", KEY),
        ("whole_key", KEY),
        ("side", pa.bool_()),  # of two opposite views of the same texts, which this one takes
        *STANDING,
        ("split", pa.string()),
        ("quoted", pa.list_(pa.string())),  # chunk ids
        ("document", pa.string()),  # noted by the source
        ("changed", pa.string()),  # kinds of normalisation, joined by commas
    ]
)

DROPS = pa.schema(
    [
        ("row", pa.int64()),
        ("keeper", pa.int64()),  # the row that it yielded to
        ("keeper_id", pa.string()),
        ("rule", pa.string()),
        ("detail", pa.string()),
        ("score", pa.float64()),  # similarity, where one was measured
    ]
)

PREFERENCE = [  # nulls come last; `tie` settles what shares an id
    *((name, "descending") for name, _ in STANDING),
    ("id", "ascending"),
    ("tie", "ascending"),
]


def numbers(table: pa.Table, column: str) -> Numbers:
    """A column of whole numbers."""
    return table[column].to_numpy().astype(np.int64, copy=False)


def take(parts: Sequence[Part], rows: Numbers, columns: Sequence[str]) -> pa.Table:
    """Some columns of the given rows, in their order; `parts` are the tables of all slices."""
    wanted, places = np.unique(rows, return_inverse=True)
    slices = wanted >> SHIFT
    found = []
    for number in np.unique(slices).tolist():
        inside = wanted[slices == number] & ((1 << SHIFT) - 1)
        found.append(parts[number].table().select(columns).take(pa.array(inside)))
    if not found:
        return SCHEMA.empty_table().select(columns)
    return pa.concat_tables(found).take(pa.array(places))


def halves_of(keys: pa.ChunkedArray) -> NDArray[np.uint64]:
    """128-bit keys as two numbers each, shape (keys, 2)."""
    array = keys.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.chunks else pa.array([], keys.type)
    data = np.frombuffer(array.buffers()[1] or b"", np.uint64)
    return data.reshape(-1, 2)[array.offset : array.offset + len(array)]


def staying(table: pa.Table, gone: Numbers) -> pa.Table:
    """The rows that no rule refused and that are not among `gone`."""
    return table.filter(stays(table, gone))


def stays(table: pa.Table, gone: Numbers) -> pa.Array:
    """For each row whether no rule refused it and it is not among `gone`, which is sorted."""
    rows = numbers(table, "row")
    places = np.minimum(np.searchsorted(gone, rows), max(len(gone) - 1, 0))
    lost = gone[places] == rows if len(gone) else np.zeros(len(rows), np.bool_)
    refused = table["rule"].is_valid().to_numpy()
    return pa.array(~(lost | refused))


def in_buckets(table: pa.Table, bucket: NDArray[np.integer], buckets: int) -> list[pa.Table]:
    """The table cut by each row's bucket, in row order within each."""
    if buckets == 1:
        return [table]
    order = np.argsort(bucket, kind="stable")
    ends = np.searchsorted(bucket[order], np.arange(buckets + 1))
    ordered = table.take(pa.array(order))
    return [ordered.slice(ends[at], ends[at + 1] - ends[at]) for at in range(buckets)]


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A well-mixed hash of each value (splitmix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def bucket_of(values: NDArray[np.integer], buckets: int) -> NDArray[np.int64]:
    """A bucket for each value, the same for equal ones."""
    return (mixed(values.astype(np.uint64)) % np.uint64(buckets)).astype(np.int64)
