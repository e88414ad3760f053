"""Files cut into slices that workers read side by side, each row with its line number.

JSON lines and CSV are cut at the ends of rows about every 8 MB, Parquet at its row groups, and no
row is held before its turn. A JSON array is one slice, held whole.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prefkit.columns import parquet_rows
from prefkit.errors import PrefkitError
from prefkit.storage import parsed_line, raw_lines
from prefkit.tabular import CsvRows, json_rows

SIZE = 8 << 20  # bytes of a slice of JSON lines or CSV


@dataclasses.dataclass(frozen=True)
class Slice:
    """Rows that follow each other in a file.

    Attributes:
        number: Its place among all slices of a source.
        path: The file.
        rows: How many rows.
        begin: Where they begin: a byte of JSON lines or CSV, a row group of Parquet.
        end: Where they end.
        first: Line or row number of the first, from 1.
    """

    number: int
    path: str
    rows: int
    begin: int = 0
    end: int = 0
    first: int = 1


def cut(files: Sequence[Path], limit: int | None = None, size: int | None = None) -> list[Slice]:
    """The slices of some files, in order.

    Args:
        files: JSON lines, Parquet, CSV or JSON.
        limit: Only the first rows of them all.
        size: Bytes of a slice of JSON lines or CSV, about; SIZE when unset.

    Raises:
        PrefkitError: A file cannot be read.
    """
    slices: list[Slice] = []
    left = limit
    for path in files:
        for piece in _pieces(path, size or SIZE):
            rows = piece.rows if left is None else min(piece.rows, left)
            if rows:
                slices.append(dataclasses.replace(piece, number=len(slices), rows=rows))
            left = None if left is None else left - rows
    return slices


def read(piece: Slice) -> Iterator[tuple[str, dict[str, Any] | PrefkitError]]:
    """Yield `(file:line, JSON object)` of each row; in place of a bad row its error."""
    path = Path(piece.path)
    for number, row in itertools.islice(_rows(path, piece), piece.rows):
        yield f"{path}:{number}", row


def _pieces(path: Path, size: int) -> Iterator[Slice]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from _row_groups(path)
    elif suffix == ".json":
        yield Slice(0, str(path), sum(1 for _ in json_rows(path)))
    elif suffix == ".csv":
        yield from _row_ranges(path, size)
    else:
        yield from _line_ranges(path, size)


def _line_ranges(path: Path, size: int) -> Iterator[Slice]:
    begin = place = rows = 0
    first = number = 1
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                place += len(line)
                rows += bool(line.strip())
                if place - begin >= size:
                    yield Slice(0, str(path), rows, begin, place, first)
                    begin, rows, first = place, 0, number + 1
    except OSError as error:
        raise PrefkitError(f"{path}: cannot be read: {error.strerror}.") from error
    if place > begin:
        yield Slice(0, str(path), rows, begin, place, first)


def _row_ranges(path: Path, size: int) -> Iterator[Slice]:
    found = CsvRows(path)
    begin = count = 0
    first = 1
    for number, _ in found:
        first = first if count else number
        count += 1
        if found.place - begin >= size:
            yield Slice(0, str(path), count, begin, found.place, first)
            begin, count = found.place, 0
    if count:
        yield Slice(0, str(path), count, begin, found.place, first)


def _row_groups(path: Path) -> Iterator[Slice]:
    import pyarrow.parquet

    try:
        metadata = pyarrow.parquet.read_metadata(path)
    except (OSError, ValueError) as error:
        raise PrefkitError(f"{path}: cannot be read as parquet: {error}") from error
    first = 1
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        yield Slice(0, str(path), rows, group, group + 1, first)
        first += rows


def _rows(path: Path, piece: Slice) -> Iterator[tuple[int, dict[str, Any] | PrefkitError]]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from parquet_rows(path, range(piece.begin, piece.end), piece.first)
    elif suffix == ".json":
        yield from json_rows(path)
    elif suffix == ".csv":
        yield from CsvRows(path, piece.begin, piece.end, piece.first)
    else:
        for number, line in raw_lines(path, piece.begin, piece.end, piece.first):
            try:
                yield number, parsed_line(path, number, line)
            except PrefkitError as error:
                yield number, error
