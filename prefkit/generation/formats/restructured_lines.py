"""What the readers of reStructuredText share: lines, their indents, code and paragraphs."""

import re
from collections.abc import Iterator, Sequence

from prefkit.generation.blocks import Block

FIELD = re.compile(r"^:((?:[^:\\]|\\.){1,200}):(?:\s+(.*)|$)")
_LONGEST_LINE = 2000


def is_sane(line: str) -> bool:
    """Whether patterns may be tried on a line: nobody writes longer ones, and they take long."""
    return len(line) <= _LONGEST_LINE


def match(pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
    """Where a pattern matches the start of a line of sane length."""
    return pattern.match(line) if is_sane(line) else None


def indent(line: str) -> int:
    """How many spaces a line begins with."""
    return len(line) - len(line.lstrip())


def indented(lines: Sequence[str], at: int, least: int = 1) -> int:
    """One past the last line of an indented stretch; blank lines at its end do not count."""
    end = at
    while at < len(lines) and (not lines[at] or indent(lines[at]) >= least):
        at += 1
        end = at if lines[at - 1] else end
    return end


def dedented(lines: Sequence[str]) -> list[str]:
    """Lines without the indent they share, and without blank ones before them."""
    margin = min((indent(line) for line in lines if line), default=0)
    kept = [line[margin:] for line in lines]
    while kept and not kept[0]:
        del kept[0]
    return kept


def code(lines: Sequence[str], language: str = "") -> Iterator[Block]:
    """A block of code, as Markdown fences it; nothing for blank lines."""
    body = "\n".join(dedented(lines)).rstrip()
    if body.strip():
        yield Block("code", f"```{language}\n{body}\n```")


def as_paragraph(words: str) -> Iterator[Block]:
    """A paragraph; nothing for no words."""
    if words:
        yield Block("paragraph", words)
