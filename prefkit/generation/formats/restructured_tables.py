"""The tables of reStructuredText: grids, simple ones and `csv-table`."""

import csv
import re
from collections.abc import Mapping, Sequence

from prefkit.generation.blocks import one_line

GRID = re.compile(r"^\+(?:[-=]+\+)+$")
SIMPLE = re.compile(r"^=+(?:\s+=+)+$")
_SPAN = re.compile(r"^[-=]+(?:\s+-+)*$")


def grid_rows(lines: Sequence[str]) -> list[list[str]]:
    """Rows of a table drawn with `+---+` borders; a cell over several columns is in its first."""
    edges = sorted(
        {at for line in lines if GRID.match(line) for at, c in enumerate(line) if c == "+"}
    )
    rows: list[list[list[str]]] = []
    begun = False
    for line in lines:
        if line.startswith("+") and set(line) <= set("+-="):
            begun = True
            continue
        if begun:
            rows.append([[] for _ in edges[1:]])
            begun = False
        if rows:
            _add_line(rows[-1], line, edges)
    return [[one_line(" ".join(cell)) for cell in row] for row in rows]


def _add_line(row: list[list[str]], line: str, edges: Sequence[int]) -> None:
    first = 0
    for number in range(1, len(edges)):
        end = edges[number]
        if number == len(edges) - 1 or line[end : end + 1] in ("|", "+"):
            text = line[edges[first] + 1 : end].strip()
            if text.strip("-=+ |"):
                row[first].append(text)
            first = number


def simple_rows(lines: Sequence[str], at: int) -> tuple[int, list[list[str]]]:
    """Rows of a table under `=== ===` rules from line `at`, and one past its last line."""
    starts = [found.start() for found in re.finditer(r"=+", lines[at])]
    end, rules = at + 1, 1
    while end < len(lines) and rules < 3:
        if SIMPLE.match(lines[end]):
            rules += 1
            following = lines[end + 1] if end + 1 < len(lines) else ""
            if rules == 2 and not following:
                rules = 3  # a table without a header
        end += 1
    rows: list[list[str]] = []
    blank = True
    for line in lines[at + 1 : end]:
        if not line or SIMPLE.match(line) or _SPAN.fullmatch(line):
            blank = True
            continue
        cells = _sliced(line, starts)
        if cells[0] or blank or not rows:
            rows.append(cells)
        else:
            rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells, strict=True)]
        blank = False
    return end, rows


def _sliced(line: str, starts: Sequence[int]) -> list[str]:
    ends = [*starts[1:], max(len(line), starts[-1])]
    return [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def csv_rows(options: Mapping[str, str], body: Sequence[str]) -> list[list[str]]:
    """Rows of a `csv-table`, its `:header:` first; lines that are not CSV are taken as they are."""
    delimiter = {"tab": "\t", "space": " "}.get(
        options.get("delim", ","), options.get("delim", ",")
    )
    lines = [options["header"], *body] if options.get("header") else list(body)
    lines = [line for line in lines if line.strip()]
    try:
        read = csv.reader(lines, delimiter=delimiter[:1] or ",", skipinitialspace=True)
        return [[one_line(cell) for cell in row] for row in read]
    except (csv.Error, TypeError, ValueError):  # the delimiter, or the lines
        return [[one_line(line)] for line in lines]
