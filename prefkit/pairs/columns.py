"""Columns of words and numbers.

Arrow's functions are called by name: `pyarrow.compute` makes them when it is imported, out of sight
of type checkers.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def equals(column: "pa.ChunkedArray", other: "pa.ChunkedArray | str") -> Bools:
    """Whether each entry is the word, or the other column's."""
    import pyarrow as pa
    import pyarrow.compute as pc

    other = pa.scalar(other) if isinstance(other, str) else other
    return np.asarray(pc.call_function("equal", [column, other]), bool)


def places(column: "pa.ChunkedArray", names: Sequence[str]) -> Ints:
    """Number of each entry's name; -1 for one that is not there."""
    import pyarrow as pa
    import pyarrow.compute as pc

    options = pc.SetLookupOptions(value_set=pa.array(names, pa.string()))
    found = pc.call_function("index_in", [column], options)
    return np.asarray(found.fill_null(-1), np.int64)


def sorting(column: "pa.Array") -> Ints:
    """Rows in the order of their words; rows of one word keep theirs."""
    import pyarrow.compute as pc

    return np.asarray(pc.call_function("array_sort_indices", [column]), np.int64)


def codes(column: "pa.ChunkedArray") -> tuple[list[str], Ints]:
    """Distinct words in the order they come, and the number of each entry's."""
    coded = column.combine_chunks().dictionary_encode()
    return coded.dictionary.to_pylist(), np.asarray(coded.indices, np.int64)


def sums(group: Ints, amounts: NDArray, groups: int) -> Floats:
    """Sum of the amounts of each group."""
    return np.asarray(np.bincount(group, amounts, groups), np.float64)
