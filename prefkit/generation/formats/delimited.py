"""CSV and TSV to tables, cut so that each piece repeats the header row."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from prefkit.generation.blocks import Block, Parsed, Unreadable, one_line, table
from prefkit.generation.chunks import count_tokens

_DELIMITERS = ",;\t|"
_LOOKED_AT = 50  # lines that tell the delimiter
_NUMBER = re.compile(r"[-+]?[\d.,\s]*\d[\d.,\s]*%?")
_MOST_COLUMNS = 1000


def delimited_reader(tokens: int, delimiter: str | None = None) -> Callable[[str], Parsed]:
    """A reader of tables in text.

    Args:
        tokens: Most words and marks of a piece of the table.
        delimiter: Between cells; told by the lines when unset.
    """

    def read(text: str) -> Parsed:
        parting = delimiter or _delimiter(text)
        first, width = _looked_over(text, parting)
        rows = _rows(text, parting)
        header = first if is_header(first) and next(rows) else numbered(width)
        notes = {} if header is first else {"header": "none found; columns are numbered"}
        blocks = list(table_pieces(header, rows, tokens))
        return Parsed(blocks or [table([first])], notes=notes)

    return read


def _delimiter(text: str) -> str:
    """The delimiter that cuts most of the first lines into the same number of cells."""
    head = text[:200_000].split("\n")[:_LOOKED_AT]

    def agreement(delimiter: str) -> tuple[float, int]:
        try:
            rows = csv.reader(io.StringIO("\n".join(head)), delimiter=delimiter)
            widths = Counter(len(row) for row in rows if row)
        except csv.Error:
            return 0.0, 0
        width, often = max(widths.items(), key=lambda item: (item[0] > 1, item[1]), default=(0, 0))
        return (often / widths.total() if width > 1 else 0.0), width

    return max(_DELIMITERS, key=agreement)


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if any(cells := [one_line(cell) for cell in row]):
                yield cells
    except csv.Error as error:
        raise Unreadable("broken-csv", f"line {reader.line_num}: {error}") from error


def _looked_over(text: str, delimiter: str) -> tuple[list[str], int]:
    """The first row, and the width of the widest; rows are never all held at once."""
    first, width = None, 0
    for row in _rows(text, delimiter):
        first, width = first or row, max(width, len(row))
        if width > _MOST_COLUMNS:
            raise Unreadable(
                "broken-csv", f"{width} columns; more than {_MOST_COLUMNS} is no table"
            )
    if first is None:
        raise Unreadable("no-text", "no row holds anything")
    return first, width


def is_header(row: Sequence[str]) -> bool:
    """Whether a first row names columns: none of its cells is a number."""
    return not any(_NUMBER.fullmatch(cell) for cell in row)


def numbered(width: int) -> list[str]:
    """Names for columns that have none."""
    return [f"column {number}" for number in range(1, width + 1)]


def with_header(rows: Sequence[list[str]]) -> tuple[list[str], Sequence[list[str]]]:
    """The header row and the rest; numbered columns where the first row holds numbers."""
    if len(rows) > 1 and is_header(rows[0]):
        return rows[0], rows[1:]
    return numbered(max(len(row) for row in rows)), rows


def table_pieces(
    header: Sequence[str], rows: Iterable[Sequence[str]], tokens: int, page: int | None = None
) -> Iterator[Block]:
    """A table in pieces of about `tokens` words and marks, each under the header.

    A piece holds at least one row, so a long row makes a long piece.
    """
    begun: list[Sequence[str]] = []
    head = _size(header) + 5 * len(header) + 1  # with the rule of dashes under it
    size = head
    for row in rows:
        more = _size(row)
        if begun and size + more > tokens:
            yield _piece(header, begun, page)
            begun, size = [], head
        begun.append(row)
        size += more
    if begun:
        yield _piece(header, begun, page)


def _size(row: Sequence[str]) -> int:
    return sum(count_tokens(cell) for cell in row) + len(row) + 1


def _piece(header: Sequence[str], rows: Sequence[Sequence[str]], page: int | None) -> Block:
    width = max(len(header), *(len(row) for row in rows))
    return table(([*row, *[""] * (width - len(row))] for row in (header, *rows)), page)
