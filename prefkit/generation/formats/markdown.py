"""Markdown to blocks: the subset that carries structure, without a renderer in between."""

import re
from collections.abc import Callable, Iterator

from prefkit.generation.blocks import Block, Parsed, heading, one_line, table

FENCE = re.compile(r"^\s{0,3}(```+|~~~+)")
ATX = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
UNDERLINE = re.compile(r"^\s{0,3}(=+|-+)\s*$")
RULE = re.compile(r"^\s{0,3}([-*_])(\s*\1){2,}\s*$")
ITEM = re.compile(r"^(\s*)([-*+•]|\d{1,4}[.)])(?:\s+(\S.*)|\s*)$")
TABLE_RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$")
REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s+\S+")

# Patterns are tried on lines and paragraphs of a sane length only: nobody writes longer ones, and a
# hostile one could hold the reader up for hours.
LONGEST_LINE = 500
LONGEST_MARKED = 20_000

_MARKED = re.compile(r"[*_`\[\]<\\]")
_CODE_SPAN = re.compile(r"((?<!`)`{1,9}[^`]+`{1,9})")
_IMAGE = re.compile(r"!\[([^\[\]]*)\]\([^()]{0,500}\)")
_LINK = re.compile(r"\[([^\[\]]+)\]\([^()\s]{0,2000}(?: \"[^\"]{0,500}\")?\)")
_AUTOLINK = re.compile(r"<((?:https?|mailto):[^>\s]+)>")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.{1,500}?)(?<=\S)\1")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]{1,500}?)(?<=[^\s*])\*(?![\w*])")
_UNDERSCORED = re.compile(r"(?<!\w)_(?=\S)([^_]{1,500}?)(?<=\S)_(?!\w)")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_ASIDE = 0xE000  # an escaped mark is set aside among the private characters, then put back
_SET_ASIDE = re.compile(f"[{chr(_ASIDE + 33)}-{chr(_ASIDE + 126)}]")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def read_markdown(text: str) -> Parsed:
    """Blocks of a Markdown text; front matter gives the title and is left out."""
    title, text = _front_matter(text)
    return Parsed(list(_blocks(_without_comments(text).split("\n"))), title)


def plain(text: str) -> str:
    """Inline Markdown as the words a reader sees; code spans keep their backticks."""
    if len(text) > LONGEST_MARKED or not _MARKED.search(text):
        return one_line(text)
    parts = _CODE_SPAN.split(_BREAK.sub(" ", text))
    return one_line("".join(p if p.startswith("`") else _without_marks(p) for p in parts))


def _without_marks(text: str) -> str:
    text = _ESCAPE.sub(lambda found: chr(_ASIDE + ord(found[1])), text)
    for pattern, kept in ((_IMAGE, r"\1"), (_LINK, r"\1"), (_AUTOLINK, r"\1"), (_STRONG, r"\2")):
        text = pattern.sub(kept, text)
    text = _UNDERSCORED.sub(r"\1", _EMPHASIS.sub(r"\1", text))
    return _SET_ASIDE.sub(lambda found: chr(ord(found[0]) - _ASIDE), text)


def _without_comments(text: str) -> str:
    kept, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start)) >= 0:
        kept.append(text[at:start])
        at = end + 3
    return "".join(kept) + text[at:]


def _front_matter(text: str) -> tuple[str, str]:
    found = re.match(r"---\n(.*?)\n(?:---|\.\.\.)\n", text, re.DOTALL)
    if not found:
        return "", text
    title = re.search(r"^title:\s*[\"']?(.+?)[\"']?\s*$", found[1], re.MULTILINE)
    return (title[1] if title else ""), text[found.end() :]


def _match(pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
    return pattern.match(line) if len(line) <= LONGEST_LINE else None


def _blocks(lines: list[str]) -> Iterator[Block]:
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip() or _match(RULE, line) or _match(REFERENCE, line):
            at += 1
        elif fence := _match(FENCE, line):
            end = _closing(lines, at + 1, fence[1])
            yield Block("code", "\n".join(lines[at:end]).rstrip())
            at = end
        elif found := _match(ATX, line):
            words = plain(found[2]).rstrip("¶").strip()
            if words:
                yield heading(words, len(found[1]))
            at += 1
        elif _table_begins(lines, at):
            end = _while(lines, at + 2, lambda text: "|" in text)
            yield table(_cells(row) for row in (lines[at], *lines[at + 2 : end]))
            at = end
        elif ITEM.match(line):
            end = _list_end(lines, at)
            yield Block("list", "\n".join(list_items(lines[at:end])))
            at = end
        elif line.startswith(("    ", "\t")):
            end = _while(lines, at + 1, lambda text: text.startswith(("    ", "\t")))
            yield Block("code", "\n".join(lines[at:end]).rstrip())
            at = end
        else:
            end = _paragraph_end(lines, at)
            yield from _paragraph(lines[at:end])
            at = end


def _closing(lines: list[str], at: int, fence: str) -> int:
    for number in range(at, len(lines)):
        if lines[number].strip().startswith(fence):
            return number + 1
    return len(lines)


def _while(lines: list[str], at: int, accepts: Callable[[str], bool]) -> int:
    while at < len(lines) and lines[at].strip() and accepts(lines[at]):
        at += 1
    return at


def _table_begins(lines: list[str], at: int) -> bool:
    return "|" in lines[at] and at + 1 < len(lines) and bool(_match(TABLE_RULE, lines[at + 1]))


def _cells(row: str) -> list[str]:
    row = row.strip().removeprefix("|")
    row = row[:-1] if row.endswith("|") and not row.endswith(r"\|") else row
    return [plain(cell) for cell in re.split(r"(?<!\\)\|", row)]


def _starts_block(lines: list[str], at: int) -> bool:
    line = lines[at]
    return bool(
        not line.strip()
        or _match(FENCE, line)
        or _match(ATX, line)
        or _match(RULE, line)
        or ITEM.match(line)
        or _table_begins(lines, at)
    )


def _list_end(lines: list[str], at: int) -> int:
    """One past the last line of a list: items, their continuation lines, blank lines between."""
    at += 1
    while at < len(lines):
        blank = not lines[at].strip()
        following = at + 1 if blank else at
        if following >= len(lines) or not lines[following].strip():
            break
        item = ITEM.match(lines[following])
        if blank and not item:
            break
        if not item and _starts_block(lines, following):
            break
        at = following + 1
    return at


def list_items(lines: list[str]) -> Iterator[str]:
    """Each item of a list as one line, with its marker and nesting kept."""
    item = ""
    for line in lines:
        found = ITEM.match(line)
        if found:
            if item:
                yield item
            marker = found[2] if found[2][0].isdigit() else "-"
            indent = "  " * (len(found[1].expandtabs(4)) // 2)
            item = f"{indent}{marker} {plain(found[3] or '')}"
        elif line.strip():
            item = f"{item.rstrip()} {plain(line)}"
    if item.strip():
        yield item


def _paragraph_end(lines: list[str], at: int) -> int:
    at += 1
    while at < len(lines) and not _match(UNDERLINE, lines[at]) and not _starts_block(lines, at):
        at += 1
    return at + 1 if at < len(lines) and _match(UNDERLINE, lines[at]) else at


def _paragraph(lines: list[str]) -> Iterator[Block]:
    underline = _match(UNDERLINE, lines[-1]) if len(lines) > 1 else None
    body = lines[:-1] if underline else lines
    words = plain(" ".join(re.sub(r"^\s*>\s?", "", line) for line in body))
    if not words:
        return
    if underline:
        yield heading(words.rstrip("¶").strip(), 1 if underline[1][0] == "=" else 2)
    else:
        yield Block("paragraph", words)
