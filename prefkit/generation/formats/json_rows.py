"""JSON to documents: one a row, with the row's own id, title and source."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prefkit.generation.blocks import Parsed, Part, Unreadable, one_line, visible, whole_characters
from prefkit.generation.formats.markdown import read_markdown
from prefkit.generation.formats.plain import read_plain

TEXT = ("text", "content", "contents", "body", "page_content", "document", "markdown", "passage")
TITLE = ("title", "headline", "name")
NAME = ("id", "_id", "doc_id", "document_id", "key", "uuid")
NOTED = ("source", "url", "author", "date", "language")
_LONGEST_NAME = 200
_MARKED_UP = re.compile(r"^(?:#{1,6} \S|```|\|.*\|\s*$)", re.MULTILINE)

Row = Any  # a JSON value


def read_json_lines(text: str, *, text_field: str | None = None) -> list[Part]:
    """One document a line; a line that is none is left out by itself.

    Args:
        text: The file.
        text_field: The field that holds a row's text; told by its name when unset.
    """
    lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    return _named((f"line {number}", _parsed(line, text_field)) for number, line in lines)


def read_json(text: str, *, text_field: str | None = None) -> Parsed | list[Part]:
    """An array of rows, an object that holds one, or one document.

    Raises:
        Unreadable: It is not JSON, or holds no such thing.
    """
    value = _value(text)
    if isinstance(value, dict):
        if _field(value, (text_field,) if text_field else TEXT) is not None:
            return _document(value, text_field)[1]
        tables = [v for v in value.values() if isinstance(v, list) and v and _all_rows(v)]
        if len(tables) != 1:
            raise _without_text(value, text_field)
        value = tables[0]
    if not isinstance(value, list):
        raise Unreadable("no-text", f"a JSON {type(value).__name__}, not rows")
    return _named((f"row {number}", _row(row, text_field)) for number, row in enumerate(value, 1))


def _all_rows(values: Sequence[Row]) -> bool:
    return all(isinstance(value, dict) for value in values)


def _value(text: str) -> Row:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise Unreadable("broken-json", "nested too deeply") from error
    except ValueError as error:
        reason = str(getattr(error, "msg", "a number too long"))
        where = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise Unreadable("broken-json", f"not valid JSON: {reason}{where}") from error


Found = tuple[str, Parsed | Unreadable]


def _parsed(line: str, text_field: str | None) -> Found:
    try:
        return _row(_value(line), text_field)
    except Unreadable as reason:
        return "", reason


def _row(row: Row, text_field: str | None) -> Found:
    if isinstance(row, str) and row.strip() and text_field is None:
        return "", _text(row)
    if not isinstance(row, dict):
        return "", Unreadable("broken-json", f"a {type(row).__name__} where a row should be")
    try:
        return _document(row, text_field)
    except Unreadable as reason:
        return "", reason


def _named(rows: Iterator[tuple[str, Found]]) -> list[Part]:
    """Rows under their own ids, or under their place where they have none or share one."""
    taken: set[str] = set()
    parts = []
    for place, (own, parsed) in rows:
        name = own if own and own not in taken else place
        taken.add(name)
        parts.append(Part(name, parsed))
    return parts


def _field(row: Mapping[str, Row], names: Sequence[str]) -> str | None:
    return next((name for name in names if _is_text(row.get(name))), None)


def _is_text(value: Row) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _document(row: Mapping[str, Row], text_field: str | None) -> tuple[str, Parsed]:
    field = _field(row, (text_field,) if text_field else TEXT)
    if field is None:
        raise _without_text(row, text_field)
    parsed = _text(row[field])
    title = _field(row, TITLE)
    own = next((row[name] for name in NAME if isinstance(row.get(name), str | int)), "")
    return _line(own)[:_LONGEST_NAME], Parsed(
        parsed.blocks,
        _line(row[title]) if title else parsed.title,
        {name: _line(row[name])[:2000] for name in NOTED if _is_text(row.get(name))},
        license=_line(row["license"])[:200] if _is_text(row.get("license")) else "",
    )


def _line(value: Row) -> str:
    return one_line(visible(whole_characters(str(value))))


def _text(text: str) -> Parsed:
    text = visible(whole_characters(text))
    return read_markdown(text) if _MARKED_UP.search(text) else read_plain(text)


def _without_text(row: Mapping[str, Row], text_field: str | None) -> Unreadable:
    wanted = f"`{text_field}`" if text_field else "a text field"
    fields = ", ".join(_line(name)[:40] for name in list(row)[:12]) or "none"
    return Unreadable(
        "no-text-field", f"without {wanted}; its fields: {fields}. Name one with --text-field"
    )
