"""reStructuredText to blocks: the structure that docutils and Sphinx files carry.

Directives that hold text give their text, code stays code, and those that only arrange pages
(`toctree`, `index`, `include`, …) are left out: nothing is fetched or run.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

from prefkit.generation.blocks import Block, Parsed, heading, one_line, table
from prefkit.generation.formats.restructured_tables import (
    GRID,
    SIMPLE,
    csv_rows,
    grid_rows,
    simple_rows,
)
from prefkit.generation.formats.restructured_text import plain

_UNDERLINE = re.compile(r"^([!-/:-@\[-`{-~])\1+\s*$")
_BULLET = re.compile(r"^([-*+•‣⁃])(?:\s+|$)")
_NUMBERED = re.compile(r"^\(?(\d{1,4}|#|[a-zA-Z]|[ivxlcIVXLC]{1,6})[.)](?:\s+|$)")
_EXPLICIT = re.compile(r"^\.\.(?:\s+|$)")
_DIRECTIVE = re.compile(
    r"^\.\.\s+(?:\|([^|]{1,200})\|\s+)?([a-zA-Z][\w:+.-]{0,80}?)\s?::(?:\s+(.*)|$)"
)
_FOOTNOTE = re.compile(r"^\.\.\s+\[([^\]]{1,80})\](?:\s+(.*)|$)")
_FIELD = re.compile(r"^:((?:[^:\\]|\\.){1,200}):(?:\s+(.*)|$)")
_OPTION = re.compile(
    r"^((?:--?|/)[\w?][^\s]{0,60}(?:[ =][^\s]{1,40})?(?:, .{1,60}?)?)\s{2,}(\S.*)$"
)
_LONGEST_LINE = 2000
_DEEPEST = 30

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
_HOLDERS = frozenset(
    "compound container topic sidebar epigraph highlights pull-quote only class rst-class "
    "centered hlist glossary tab-set tab details dropdown".split()
)
_TITLED = frozenset("topic sidebar admonition rubric centered tab dropdown".split())


def read_restructured(text: str) -> Parsed:
    """Blocks of a reStructuredText file. A title's level is the rank of its first like."""
    lines = [line.expandtabs(8).rstrip() for line in text.split("\n")]
    return Parsed(list(_Reader(_substitutions(lines)).blocks(lines)))


def _substitutions(lines: Sequence[str]) -> dict[str, str]:
    found = {}
    for line in lines:
        said = _DIRECTIVE.match(line) if line.startswith(".. |") and _is_sane(line) else None
        if said and said[2] == "replace":
            found[said[1]] = said[3] or ""
    return found


def _is_sane(line: str) -> bool:
    return len(line) <= _LONGEST_LINE


def _match(pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
    return pattern.match(line) if _is_sane(line) else None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _indented(lines: Sequence[str], at: int, least: int = 1) -> int:
    """One past the last line of an indented stretch; blank lines at its end do not count."""
    end = at
    while at < len(lines) and (not lines[at] or _indent(lines[at]) >= least):
        at += 1
        end = at if lines[at - 1] else end
    return end


def _dedented(lines: Sequence[str]) -> list[str]:
    margin = min((_indent(line) for line in lines if line), default=0)
    kept = [line[margin:] for line in lines]
    while kept and not kept[0]:
        del kept[0]
    return kept


def _code(lines: Sequence[str], language: str = "") -> Iterator[Block]:
    body = "\n".join(_dedented(lines)).rstrip()
    if body.strip():
        yield Block("code", f"```{language}\n{body}\n```")


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
        return plain(text, self.replaced)

    def _next(self, lines: Sequence[str], at: int) -> tuple[int, Iterator[Block]]:
        line = lines[at]
        if line[0] == " ":
            end = _indented(lines, at)
            return end, self._within(lines[at:end])
        if (title := self._title(lines, at)) is not None:
            return title
        if _match(_EXPLICIT, line):
            end = _indented(lines, at + 1)
            return end, self._explicit(lines[at:end])
        if _match(GRID, line) or _match(SIMPLE, line):
            return self._table(lines, at)
        if line.startswith(">>> "):
            end = _paragraph_end(lines, at)
            return end, _code(lines[at:end])
        if _is_item(line):
            return self._list(lines, at)
        if _match(_FIELD, line) or _match(_OPTION, line):
            return self._fields(lines, at)
        if _match(_UNDERLINE, line) and len(line) >= 4:
            return at + 1, iter(())  # a transition
        return self._paragraph(lines, at)

    def _within(self, lines: Sequence[str]) -> Iterator[Block]:
        """The blocks of an indented stretch."""
        if self.depth >= _DEEPEST:
            yield from _as_paragraph(self.plain(" ".join(lines)))
            return
        self.depth += 1
        yield from self.blocks(_dedented(lines))
        self.depth -= 1

    def _title(self, lines: Sequence[str], at: int) -> tuple[int, Iterator[Block]] | None:
        line = lines[at]
        following = lines[at + 1] if at + 1 < len(lines) else ""
        if _match(_UNDERLINE, line) and following and lines[at + 2 : at + 3] == [line]:
            return at + 3, self._heading(following, f"{line[0]}{line[0]}")
        under = _match(_UNDERLINE, following)
        if not under or _match(_UNDERLINE, line) or len(following) < min(len(line), 4):
            return None
        if len(following) < len(line) / 2 or _match(GRID, following):
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
            after = _indented(lines, end)
            return after, self._definition(lines[at], lines[end:after])
        words = [
            line.removeprefix("| ") if line.startswith("|") else line for line in lines[at:end]
        ]
        text = " ".join(words)
        if not text.endswith("::"):
            return end, _as_paragraph(self.plain(text))
        begin = end
        while begin < len(lines) and not lines[begin]:
            begin += 1
        after = _indented(lines, begin)
        code = list(_code(lines[begin:after]))
        text = text[:-2].rstrip() if text.endswith(" ::") or text == "::" else text[:-1]
        return max(after, end), iter([*_as_paragraph(self.plain(text)), *code])

    def _definition(self, term: str, body: Sequence[str]) -> Iterator[Block]:
        literal = term.endswith("::")
        found = list(_code(body) if literal else self._within(body))
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
            end = _indented(lines, at + 1)
            first = lines[at][len(mark[0]) :]
            rest = lines[at + 1 : end]
            margin = min((_indent(line) for line in rest if line), default=0)
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
        blocks = list(self._within(body)) if any(body) else []
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
            said = _match(_FIELD, lines[at]) or _match(_OPTION, lines[at])
            if not said:
                break
            end = _indented(lines, at + 1)
            body = one_line(" ".join([said[2] or "", *lines[at + 1 : end]]))
            items.append(f"- {self.plain(said[1])}: {self.plain(body)}".rstrip(": "))
            at = end
            while at < len(lines) and not lines[at] and at + 1 < len(lines) and lines[at + 1]:
                at += 1
        return at, iter([Block("list", "\n".join(items))])

    def _table(self, lines: Sequence[str], at: int) -> tuple[int, Iterator[Block]]:
        if _match(GRID, lines[at]):
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
        if said := _match(_FOOTNOTE, lines[0]):
            words = self.plain(" ".join([said[2] or "", *lines[1:]]))
            name = said[1].lstrip("#*")
            yield from _as_paragraph(f"[{name}] {words}" if name and words else words)
        elif (said := _match(_DIRECTIVE, lines[0])) and not said[1]:
            yield from self._directive(said[2].lower(), said[3] or "", lines[1:])

    def _directive(self, name: str, argument: str, lines: Sequence[str]) -> Iterator[Block]:
        body = _dedented(lines)
        options: dict[str, str] = {}
        while body and name not in ("glossary",) and (said := _match(_FIELD, body[0])):
            options[said[1]] = said[2] or ""
            del body[0]
        if name in _SILENT:
            return
        if name in _CODE:
            yield from _code(
                [argument, *body] if name in ("math", "parsed-literal") else body,
                argument if name not in ("math", "parsed-literal", "productionlist") else "",
            )
        elif name in _PICTURES:
            yield from _as_paragraph(self.plain(options.get("alt", "")))
            yield from self._within(body)
        elif name in _TABLES:
            yield from self._table_directive(name, argument, options, body)
        elif name in _VERSIONS:
            yield from self._told(f"{_VERSIONS[name]} ", [argument.rstrip(":") + ": ", *body])
        elif name in _TOLD:
            yield from self._told(
                f"{name.replace('seealso', 'see also').capitalize()}: ", [argument, *body]
            )
        elif name in _TITLED:
            yield from _as_paragraph(self.plain(argument))
            yield from self._within(body)
        elif name in _HOLDERS:
            yield from self._within(body)
        else:  # a description (`py:function::`) or one we do not know: its words are kept
            yield from _as_paragraph(self.plain(argument))
            yield from self._within(body)

    def _told(self, label: str, lines: Sequence[str]) -> Iterator[Block]:
        found = list(self._within(lines))
        if found and found[0].kind == "paragraph":
            found[0] = Block("paragraph", label + found[0].text)
        yield from found

    def _table_directive(
        self, name: str, argument: str, options: Mapping[str, str], body: Sequence[str]
    ) -> Iterator[Block]:
        yield from _as_paragraph(self.plain(argument))
        if name == "table":
            yield from self._within(body)
            return
        rows = csv_rows(options, body) if name == "csv-table" else list(self._listed(body))
        width = max((len(row) for row in rows), default=0)
        shown = [[self.plain(cell) for cell in row] + [""] * (width - len(row)) for row in rows]
        if any(cell for row in shown for cell in row):
            yield table(shown)

    def _listed(self, body: Sequence[str]) -> Iterator[list[str]]:
        """Rows of a `list-table`: `* - cell`, then `  - cell` lines."""
        rows: list[list[str]] = []
        for line in body:
            inner = line[2:] if line.startswith("* ") else line.strip()
            if line.startswith("* "):
                rows.append([])
            if not rows or not inner.strip():
                continue
            if (inner.startswith("- ") or inner.strip() == "-") and _indent(line) <= 2:
                rows[-1].append(inner.strip()[1:].strip())
            elif rows[-1]:
                rows[-1][-1] += f" {inner.strip()}"
        yield from rows


def _is_item(line: str) -> bool:
    return _mark(line) is not None


def _mark(line: str) -> tuple[str, str] | None:
    """A list item's mark with the space after it, and its number; None for other lines."""
    if found := _match(_BULLET, line):
        return found[0], ""
    if found := _match(_NUMBERED, line):
        return found[0], found[1]
    return None


def _as_paragraph(words: str) -> Iterator[Block]:
    if words:
        yield Block("paragraph", words)


def _paragraph_end(lines: Sequence[str], at: int) -> int:
    at += 1
    while at < len(lines) and lines[at] and lines[at][0] != " ":
        at += 1
    return at
