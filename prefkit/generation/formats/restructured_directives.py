"""The directives of reStructuredText: those that hold text give it, the others are left out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from prefkit.generation.blocks import Block, table
from prefkit.generation.formats.restructured_lines import (
    FIELD,
    as_paragraph,
    code,
    dedented,
    indent,
    match,
)
from prefkit.generation.formats.restructured_tables import csv_rows

_CODE = frozenset("code code-block sourcecode parsed-literal productionlist math highlight".split())
_TOLD = frozenset(
    "attention caution danger error hint important note tip warning seealso todo".split()
)
_SILENT = frozenset(
    "contents default-role include index literalinclude meta raw role sectnum section-numbering "
    "tabularcolumns target-notes toctree title highlight currentmodule module graphviz digraph "
    "automodule autoclass autofunction bibliography".split()
)
_VERSIONS = {
    "versionadded": "New in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
}
_PICTURES = frozenset(("image", "figure"))
_TABLES = frozenset(("table", "list-table", "csv-table"))
_HOLDERS = frozenset(  # whose argument is no text
    "compound container epigraph highlights pull-quote only class rst-class hlist glossary tab-set "
    "details".split()
)
_VERBATIM = frozenset(("math", "parsed-literal"))


class Nested(Protocol):
    """Reads what a directive holds."""

    def plain(self, text: str) -> str:
        """Inline marks go and words stay."""
        ...

    def within(self, lines: Sequence[str]) -> Iterator[Block]:
        """The blocks of an indented stretch."""
        ...


def directive(reader: Nested, name: str, argument: str, lines: Sequence[str]) -> Iterator[Block]:
    """The blocks of a directive.

    Args:
        reader: Reads its content.
        name: What stands before the two colons.
        argument: What stands after them.
        lines: The indented lines below.
    """
    body = dedented(lines)
    options: dict[str, str] = {}
    while body and name not in ("glossary",) and (said := match(FIELD, body[0])):
        options[said[1]] = said[2] or ""
        del body[0]
    if name in _SILENT:
        return
    if name in _CODE:
        yield from code([argument, *body]) if name in _VERBATIM else code(body, argument)
    elif name in _PICTURES:
        yield from as_paragraph(reader.plain(options.get("alt", "")))
        yield from reader.within(body)
    elif name in _TABLES:
        yield from _table_directive(reader, name, argument, options, body)
    elif name in _VERSIONS:
        yield from _told(reader, f"{_VERSIONS[name]} ", [argument.rstrip(":") + ": ", *body])
    elif name in _TOLD:
        yield from _told(
            reader, f"{name.replace('seealso', 'see also').capitalize()}: ", [argument, *body]
        )
    elif name in _HOLDERS:
        yield from reader.within(body)
    else:  # a description (`py:function::`) or one we do not know: its words are kept
        yield from as_paragraph(reader.plain(argument))
        yield from reader.within(body)


def _told(reader: Nested, label: str, lines: Sequence[str]) -> Iterator[Block]:
    found = list(reader.within(lines))
    if found and found[0].kind == "paragraph":
        found[0] = Block("paragraph", label + found[0].text)
    yield from found


def _table_directive(
    reader: Nested, name: str, argument: str, options: Mapping[str, str], body: Sequence[str]
) -> Iterator[Block]:
    yield from as_paragraph(reader.plain(argument))
    if name == "table":
        yield from reader.within(body)
        return
    rows = csv_rows(options, body) if name == "csv-table" else list(_listed(body))
    width = max((len(row) for row in rows), default=0)
    shown = [[reader.plain(cell) for cell in row] + [""] * (width - len(row)) for row in rows]
    if any(cell for row in shown for cell in row):
        yield table(shown)


def _listed(body: Sequence[str]) -> Iterator[list[str]]:
    """Rows of a `list-table`: `* - cell`, then `  - cell` lines."""
    rows: list[list[str]] = []
    for line in body:
        inner = line[2:] if line.startswith("* ") else line.strip()
        if line.startswith("* "):
            rows.append([])
        if not rows or not inner.strip():
            continue
        if (inner.startswith("- ") or inner.strip() == "-") and indent(line) <= 2:
            rows[-1].append(inner.strip()[1:].strip())
        elif rows[-1]:
            rows[-1][-1] += f" {inner.strip()}"
    yield from rows
