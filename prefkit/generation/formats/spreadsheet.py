"""XLSX to tables: a heading a sheet, values as the file stores them, hidden sheets left out."""

import datetime
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from prefkit.errors import missing_extra
from prefkit.generation.blocks import Block, Parsed, Unreadable, heading, one_line, visible
from prefkit.generation.formats.delimited import table_pieces, with_header
from prefkit.generation.formats.packages import Package

_MOST_COLUMNS = 1000
_NO_VALUE = re.compile(rb"</f>(?:<v\s*/>|<v></v>)?</c>")
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")

Row = dict[int, str]  # cells that hold something, by their column


def read_xlsx(data: bytes, *, tokens: int) -> Parsed:
    """Tables of a workbook.

    Args:
        data: The file.
        tokens: Most words and marks of a piece of a table; each piece repeats the header row.

    Raises:
        Unreadable: It is locked, broken, or unpacks to an absurd size.
        PrefkitError: openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise missing_extra("openpyxl", "docs", "Reading XLSX") from error

    package = Package(data, "xlsx")
    package.refuse_entities()
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    blocks: list[Block] = []
    hidden: list[str] = []
    try:
        for sheet in book.worksheets:
            name = one_line(visible(sheet.title))
            if sheet.sheet_state != "visible":
                hidden.append(name)
                continue
            found = [block for rows in _regions(_rows(sheet)) for block in _blocks(rows, tokens)]
            blocks += [heading(name, 1), *found] if found else []
        title = one_line(visible(book.properties.title or ""))
    finally:
        book.close()
    return Parsed(blocks, title, lost=tuple(_lost(package, hidden)))


def _lost(package: Package, hidden: Sequence[str]) -> Iterator[Unreadable]:
    if hidden:
        yield Unreadable("hidden-part", f"hidden sheets are left out: {', '.join(hidden)}")
    sheets = [name for name in package if _SHEET.fullmatch(name)]
    empty = sum(len(_NO_VALUE.findall(package.bytes_of(name))) for name in sheets)
    if empty:
        yield Unreadable(
            "no-value",
            f"{empty} formulas without a stored value; open the file in a spreadsheet and save it",
        )


def _rows(sheet: Any) -> Iterator[Row]:  # openpyxl ships no types
    sheet.reset_dimensions()  # what the file states may be wrong
    for cells in sheet.iter_rows():
        row = {cell.column: text for cell in cells if (text := _shown(cell))}
        if len(row) > _MOST_COLUMNS:
            raise Unreadable("broken-xlsx", f"sheet {sheet.title}: a row of {len(row)} cells")
        yield row


def _shown(cell: Any) -> str:
    """A cell's value in words."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ") if value.time() != datetime.time() else f"{value:%Y-%m-%d}"
    if isinstance(value, int | float):
        percent = str(cell.number_format).endswith("%")
        return f"{value * 100:.10g}%" if percent else f"{value:.15g}"
    return one_line(visible(str(value)))


def _regions(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows between blank ones."""
    for filled, group in itertools.groupby(rows, key=bool):
        if filled:
            yield list(group)


def _blocks(rows: list[Row], tokens: int) -> Iterator[Block]:
    """A region as lines and a table; rows of one cell before the table are titles and remarks."""
    alone = 0
    while alone < len(rows) and len(rows[alone]) == 1:
        alone += 1
    columns = sorted({column for row in rows[alone:] for column in row})
    if alone == len(rows) and alone > 1 and len({next(iter(row)) for row in rows}) == 1:
        alone, columns = 0, [next(iter(rows[0]))]  # a table of one column
    for row in rows[:alone]:
        yield Block("paragraph", next(iter(row.values())))
    if rows[alone:]:
        header, body = with_header([[row.get(c, "") for c in columns] for row in rows[alone:]])
        yield from table_pieces(header, body, tokens)
