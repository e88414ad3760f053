"""Plain text to blocks: blank lines part paragraphs, underlined lines are headings."""

import re
from collections.abc import Iterator

from prefkit.generation.blocks import Block, Parsed, heading, one_line, table
from prefkit.generation.formats.markdown import ITEM, list_items

_UNDERLINE = re.compile(r"^\s*([=\-~^\"'*#+.])\1{2,}\s*$")
_COLUMN = re.compile(r"\s{2,}|\t+")
_COLUMN_RULE = re.compile(r"^\s*[-=]{3,}(?:\s{2,}[-=]{3,})+\s*$")
_LONGEST_HEADING = 80


def read_plain(text: str) -> Parsed:
    """Blocks of a plain text. An underline's level is its rank of first appearance."""
    marks: list[str] = []
    return Parsed([block for lines in _groups(text) for block in _group(lines, marks)])


def _groups(text: str) -> Iterator[list[str]]:
    lines: list[str] = []
    for line in text.split("\n"):
        if line.strip():
            lines.append(line)
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def _group(lines: list[str], marks: list[str]) -> Iterator[Block]:
    if len(lines) > 2 and _UNDERLINE.match(lines[0]) and _UNDERLINE.match(lines[2]):
        lines = lines[1:]  # an overlined title
    if len(lines) > 1 and _underlined(lines):
        mark = lines[1].strip()[0]
        if mark not in marks:
            marks.append(mark)
        yield heading(one_line(lines[0]), marks.index(mark) + 1)
        lines = lines[2:]
    if not lines or (len(lines) == 1 and _UNDERLINE.match(lines[0])):
        return
    if _is_shouted(lines):
        yield heading(one_line(lines[0]), 1)
    elif _is_table(lines):
        rows = [_COLUMN.split(line.strip()) for line in lines if not _COLUMN_RULE.match(line)]
        yield table(rows)
    elif any(ITEM.match(line) for line in lines):
        yield from _with_list(lines)
    else:
        yield Block("paragraph", one_line(" ".join(lines)))


def _underlined(lines: list[str]) -> bool:
    words, line = lines[0].strip(), lines[1].strip()
    return (
        bool(_UNDERLINE.match(line))
        and not _UNDERLINE.match(words)
        and len(words) <= _LONGEST_HEADING
        and 2 * len(line) >= len(words)
    )


def _is_shouted(lines: list[str]) -> bool:
    words = lines[0].strip()
    return (
        len(lines) == 1
        and len(words) <= _LONGEST_HEADING
        and words.isupper()
        and words[-1] not in ".!?;"
        and len(words.split()) > 1
    )


def _is_table(lines: list[str]) -> bool:
    """Lines in columns: a rule of dashes, or the same number of cells in each of three lines."""
    if any(_COLUMN_RULE.match(line) for line in lines):
        return True
    cells = {len(_COLUMN.split(line.strip())) for line in lines}
    return len(lines) >= 3 and len(cells) == 1 and cells.pop() > 1


def _with_list(lines: list[str]) -> Iterator[Block]:
    first = next(number for number, line in enumerate(lines) if ITEM.match(line))
    if first:
        yield Block("paragraph", one_line(" ".join(lines[:first])))
    yield Block("list", "\n".join(list_items(lines[first:])))
