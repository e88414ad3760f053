"""Texts as the kernels read them: UTF-8 bytes end to end, and where each text begins."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Column = Sequence[str] | pa.Array | pa.ChunkedArray
BLOCK = 1 << 20  # bytes of text a thread takes at a time
_NOTHING = np.zeros(1, np.uint8)


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Texts in one buffer.

    Attributes:
        data: UTF-8, in which a lone surrogate is three bytes ("surrogatepass").
        offsets: Where each text begins, and the end of the last, shape (texts + 1,).
        first: Number of its first text among all texts.
    """

    data: NDArray[np.uint8]
    offsets: Indices
    first: int


@dataclasses.dataclass(frozen=True)
class Rows:
    """Some texts of one chunk.

    Attributes:
        chunk: Where they lie.
        places: Which of the chunk's texts, in rising order.
    """

    chunk: Chunk
    places: Indices

    @property
    def numbers(self) -> Indices:
        """Their numbers among all texts."""
        return self.places + self.chunk.first


@dataclasses.dataclass(frozen=True)
class Texts:
    """All texts, chunk after chunk; Arrow's own buffers wherever that can be."""

    chunks: tuple[Chunk, ...]

    def __len__(self) -> int:
        return sum(len(chunk.offsets) - 1 for chunk in self.chunks)

    def blocks(self) -> Iterator[Rows]:
        """All texts in order, BLOCK bytes or one longer text at a time."""
        for chunk in self.chunks:
            begin, rows = 0, len(chunk.offsets) - 1
            while begin < rows:
                wanted = chunk.offsets[begin] + BLOCK
                end = int(np.searchsorted(chunk.offsets, wanted, "right")) - 1
                end = min(max(end, begin + 1), rows, begin + BLOCK)
                yield Rows(chunk, np.arange(begin, end))
                begin = end

    def take(self, numbers: Indices) -> Iterator[Rows]:
        """The texts of these numbers, which rise."""
        for chunk in self.chunks:
            ends = (chunk.first, chunk.first + len(chunk.offsets) - 1)
            begin, end = np.searchsorted(numbers, ends)
            if begin < end:
                yield Rows(chunk, numbers[begin:end] - chunk.first)


def as_texts(column: Column | Texts) -> Texts:
    """Texts of a list or of an Arrow array of strings; a null is an empty text.

    Arrow's buffers are used as they are; a list is copied once.
    """
    if isinstance(column, Texts):
        return column
    if isinstance(column, pa.ChunkedArray):
        return Texts(tuple(_chunks(column.chunks)))
    if not isinstance(column, pa.Array):
        column = _encoded(column)
    return Texts(tuple(_chunks([column])))


def _encoded(texts: Sequence[str]) -> pa.Array:
    try:
        return pa.array(texts, pa.large_string())
    except UnicodeEncodeError:  # lone surrogates
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        return pa.array(encoded, pa.large_binary())


def _chunks(arrays: Iterable[pa.Array]) -> Iterator[Chunk]:
    first = 0
    for array in arrays:
        if not len(array):
            continue
        if not _is_flat(array.type):  # dictionaries, views
            array = array.cast(pa.large_string())
        if array.null_count:
            array = array.fill_null(b"" if _is_binary(array.type) else "")
        yield _chunk(array, first)
        first += len(array)


def _chunk(array: pa.Array, first: int) -> Chunk:
    _, offsets, data = array.buffers()
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    places = np.frombuffer(offsets, np.int64 if wide else np.int32)
    places = places[array.offset : array.offset + len(array) + 1].astype(np.int64, copy=False)
    known = np.frombuffer(data, np.uint8) if data is not None and data.size else _NOTHING
    return Chunk(known, places, first)


def _is_flat(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_binary(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
