"""reStructuredText to blocks: the structure that docutils and Sphinx files carry.

Directives that hold text give their text, code stays code, and those that only arrange pages
(`toctree`, `index`, `include`, …) are left out: nothing is fetched or run.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

from prefkit.generation.blocks import Block, Parsed, heading, one_line, table
from prefkit.generation.formats.restructured_directives import directive
from prefkit.generation.formats.restructured_lines import (
    FIELD,
    as_paragraph,
    code,
    dedented,
    indent,
    indented,
    is_sane,
    match,
)
from prefkit.generation.formats.restructured_tables import GRID, SIMPLE, grid_rows, simple_rows
from prefkit.generation.formats.restructured_text import plain

_UNDERLINE = re.compile(r"^([!-/:-@\[-`{-~])\1+\s*$")
_BULLET = re.compile(r"^([-*+•‣⁃])(?:\s+|$)")
_NUMBERED = re.compile(r"^\(?(\d{1,4}|#|[a-zA-Z]|[ivxlcIVXLC]{1,6})[.)](?:\s+|$)")
_EXPLICIT = re.compile(r"^\.\.(?:\s+|$)")
_DIRECTIVE = re.compile(
    r"^\.\.\s+(?:\|([^|]{1,200})\|\s+)?([a-zA-Z][\w:+.-]{0,80}?)\s?::(?:\s+(.*)|$)"
)
_FOOTNOTE = re.compile(r"^\.\.\s+\[([^\]]{1,80})\](?:\s+(.*)|$)")
_OPTION = re.compile(
    r"^((?:--?|/)[\w?][^\s]{0,60}(?:[ =][^\s]{1,40})?(?:, .{1,60}?)?)\s{2,}(\S.*)$"
)
_DEEPEST = 30


def read_restructured(text: str) -> Parsed:
    """Blocks of a reStructuredText file. A title's level is the rank of its first like."""
    lines = [line.expandtabs(8).rstrip() for line in text.split("\n")]
    return Parsed(list(_Reader(_substitutions(lines)).blocks(lines)))


def _substitutions(lines: Sequence[str]) -> dict[str, str]:
    found = {}
    for line in lines:
        said = _DIRECTIVE.match(line) if line.startswith(".. |") and is_sane(line) else None
        if said and said[2] == "replace":
            found[said[1]] = said[3] or ""
    return found


@dataclasses.dataclass
class _Reader:
    """Reads lines from the left margin; what is indented is read by itself, one level deeper."""

    replaced: Mapping[str, str]
    styles: list[str] = dataclasses.field(default_factory=list)
    depth: int = 0

    def blocks(self, lines: Sequence[str]) -> Iterator[Block]:
        """The blocks of some lines."""
        at = 0
        while at < len(lines):
            if not lines[at]:
                at += 1
                continue
            end, found = self._next(lines, at)
            yield from found
            at = max(end, at + 1)

    def plain(self, text: str) -> str:
        """Inline marks go and words stay."""
        return plain(text, self.replaced)

    def _next(self, lines: Sequence[str], at: int) -> tuple[int, Iterator[Block]]:
        line = lines[at]
        if line[0] == " ":
            end = indented(lines, at)
            return end, self.within(lines[at:end])
        if (title := self._title(lines, at)) is not None:
            return title
        if match(_EXPLICIT, line):
            end = indented(lines, at + 1)
            return end, self._explicit(lines[at:end])
        if match(GRID, line) or match(SIMPLE, line):
            return self._table(lines, at)
        if line.startswith(">>> "):
            end = _paragraph_end(lines, at)
            return end, code(lines[at:end])
        if _is_item(line):
            return self._list(lines, at)
        if match(FIELD, line) or match(_OPTION, line):
            return self._fields(lines, at)
        if match(_UNDERLINE, line) and len(line) >= 4:
            return at + 1, iter(())  # a transition
        return self._paragraph(lines, at)

    def within(self, lines: Sequence[str]) -> Iterator[Block]:
        """The blocks of an indented stretch."""
        if self.depth >= _DEEPEST:
            yield from as_paragraph(self.plain(" ".join(lines)))
            return
        self.depth += 1
        yield from self.blocks(dedented(lines))
        self.depth -= 1

    def _title(self, lines: Sequence[str], at: int) -> tuple[int, Iterator[Block]] | None:
        line = lines[at]
        following = lines[at + 1] if at + 1 < len(lines) else ""
        if match(_UNDERLINE, line) and following and lines[at + 2 : at + 3] == [line]:
            return at + 3, self._heading(following, f"{line[0]}{line[0]}")
        under = match(_UNDERLINE, following)
        if not under or match(_UNDERLINE, line) or len(following) < min(len(line), 4):
            return None
        if len(following) < len(line) / 2 or match(GRID, following):
            return None
        return at + 2, self._heading(line, under[1])

    def _heading(self, words: str, style: str) -> Iterator[Block]:
        if style not in self.styles:
            self.styles.append(style)
        if words := self.plain(words):
            yield heading(words, self.styles.index(style) + 1)

    def _paragraph(self, lines: Sequence[str], at: int) -> tuple[int, Iterator[Block]]:
        end = _paragraph_end(lines, at)
        if end == at + 1 and end < len(lines) and lines[end] and lines[end][0] == " ":
            after = indented(lines, end)
            return after, self._definition(lines[at], lines[end:after])
        words = [
            line.removeprefix("| ") if line.startswith("|") else line for line in lines[at:end]
        ]
        text = " ".join(words)
        if not text.endswith("::"):
            return end, as_paragraph(self.plain(text))
        begin = end
        while begin < len(lines) and not lines[begin]:
            begin += 1
        after = indented(lines, begin)
        literal = list(code(lines[begin:after]))
        text = text[:-2].rstrip() if text.endswith(" ::") or text == "::" else text[:-1]
        return max(after, end), iter([*as_paragraph(self.plain(text)), *literal])

    def _definition(self, term: str, body: Sequence[str]) -> Iterator[Block]:
        literal = term.endswith("::")
        found = list(code(body) if literal else self.within(body))
        term = self.plain(term.removesuffix("::") + (":" if literal else ""))
        if found and found[0].kind == "paragraph" and term:
            found[0] = Block("paragraph", f"{term}: {found[0].text}")
        elif term:
            yield Block("paragraph", term if term.endswith(":") else f"{term}:")
        yield from found

    def _list(self, lines: Sequence[str], at: int) -> tuple[int, Iterator[Block]]:
        found: list[Block] = []
        items: list[str] = []
        number = 0
        while at < len(lines) and (mark := _mark(lines[at])):
            end = indented(lines, at + 1)
            first = lines[at][len(mark[0]) :]
            rest = lines[at + 1 : end]
            margin = min((indent(line) for line in rest if line), default=0)
            if first and not (rest and rest[0]):  # what stands deeper after a blank line is quoted
                margin = min(margin, len(mark[0]))
            number = int(mark[1]) if mark[1].isdecimal() else number + 1
            name = "-" if _BULLET.match(lines[at]) else f"{number if mark[1] == '#' else mark[1]}."
            body = [first, *(line[margin:] for line in rest)]
            self._item(name, body, items, found)
            at = end
            while at < len(lines) and not lines[at]:
                at += 1
        if items:
            found.append(Block("list", "\n".join(items)))
        return at, iter(found)

    def _item(self, name: str, body: list[str], items: list[str], found: list[Block]) -> None:
        """Add an item to `items`; what no list can hold ends the list and goes to `found`."""
        blocks = list(self.within(body)) if any(body) else []
        words: list[str] = []
        begun = False
        for block in blocks:
            if block.kind in ("paragraph", "heading"):
                if begun and not words:
                    found.append(block)
                    continue
                words.append(block.text.lstrip("# ") if block.kind == "heading" else block.text)
                continue
            items += [f"{name} {' '.join(words)}"] if words or not begun else []
            begun, words = True, []
            if block.kind == "list":
                items += [f"  {line}" for line in block.text.split("\n")]
                continue
            found += [Block("list", "\n".join(items))] if items else []
            items.clear()
            found.append(block)
        if words:
            items.append(f"{name} {' '.join(words)}")

    def _fields(self, lines: Sequence[str], at: int) -> tuple[int, Iterator[Block]]:
        items: list[str] = []
        while at < len(lines):
            said = match(FIELD, lines[at]) or match(_OPTION, lines[at])
            if not said:
                break
            end = indented(lines, at + 1)
            body = one_line(" ".join([said[2] or "", *lines[at + 1 : end]]))
            items.append(f"- {self.plain(said[1])}: {self.plain(body)}".rstrip(": "))
            at = end
            while at < len(lines) and not lines[at] and at + 1 < len(lines) and lines[at + 1]:
                at += 1
        return at, iter([Block("list", "\n".join(items))])

    def _table(self, lines: Sequence[str], at: int) -> tuple[int, Iterator[Block]]:
        if match(GRID, lines[at]):
            end = at
            while end < len(lines) and lines[end][:1] in ("+", "|") and lines[end]:
                end += 1
            rows = grid_rows(lines[at:end])
        else:
            end, rows = simple_rows(lines, at)
        shown = [[self.plain(cell) for cell in row] for row in rows]
        if not any(cell for row in shown for cell in row):
            return end, iter(())
        return end, iter([table(shown)])

    def _explicit(self, lines: Sequence[str]) -> Iterator[Block]:
        """What follows two dots: a directive, a footnote; targets and comments are left out."""
        if said := match(_FOOTNOTE, lines[0]):
            words = self.plain(" ".join([said[2] or "", *lines[1:]]))
            name = said[1].lstrip("#*")
            yield from as_paragraph(f"[{name}] {words}" if name and words else words)
        elif (said := match(_DIRECTIVE, lines[0])) and not said[1]:
            yield from directive(self, said[2].lower(), said[3] or "", lines[1:])


def _is_item(line: str) -> bool:
    return _mark(line) is not None


def _mark(line: str) -> tuple[str, str] | None:
    """A list item's mark with the space after it, and its number; None for other lines."""
    if found := match(_BULLET, line):
        return found[0], ""
    if found := match(_NUMBERED, line):
        return found[0], found[1]
    return None


def _paragraph_end(lines: Sequence[str], at: int) -> int:
    at += 1
    while at < len(lines) and lines[at] and lines[at][0] != " ":
        at += 1
    return at
