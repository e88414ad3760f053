"""What a reader finds in a file: headings, paragraphs, lists, tables, code, each with its place.

The canonical text of a document is its blocks joined by blank lines: a paragraph is one line, a
list item one line, a table a Markdown table. Chunks and quotes point into that text.
"""

import dataclasses
import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

from prefkit.records import Document

BlockKind = Literal["heading", "paragraph", "list", "table", "code"]
BETWEEN = "\n\n"

# Soft hyphens, zero-width and bidirectional controls: invisible, and a way to hide instructions.
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"[ \t\xa0\u2000-\u200a\u202f\u205f\u3000]+")


class Unreadable(Exception):
    """A file that cannot become a document: the rule it fell under, and what is wrong with it."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule
        self.detail = detail


@dataclasses.dataclass(frozen=True)
class Block:
    """A piece of a document.

    Attributes:
        kind: What it is.
        text: As it stands in the canonical text; a heading carries its `#` marks.
        level: 1 to 6 for a heading, else 0.
        page: 1-based page where it starts, None when the format has no pages.
    """

    kind: BlockKind
    text: str
    level: int = 0
    page: int | None = None


@dataclasses.dataclass(frozen=True)
class PlacedBlock:
    """A block and where it stands: `document.text[start:end] == block.text`."""

    block: Block
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class ParsedDocument:
    """A document with the structure that chunking needs."""

    document: Document
    blocks: tuple[PlacedBlock, ...]


@dataclasses.dataclass(frozen=True)
class Parsed:
    """What a reader returns.

    Attributes:
        blocks: In reading order.
        title: The file's own title, when it states one.
        notes: How the file was read, for the document's metadata.
        license: As the file states it.
        lost: Parts of the file that hold no text we can read, each with its reason.
    """

    blocks: list[Block]
    title: str = ""
    notes: dict[str, str] = dataclasses.field(default_factory=dict)
    license: str = ""
    lost: tuple[Unreadable, ...] = ()


@dataclasses.dataclass(frozen=True)
class Part:
    """One of several documents in a file, such as a row of JSON lines.

    Attributes:
        name: Its id, or `line 12`; the same in every run.
        parsed: What it holds, or why it is left out.
    """

    name: str
    parsed: Parsed | Unreadable


def heading(text: str, level: int, page: int | None = None) -> Block:
    """A heading block; the level is kept within Markdown's six."""
    level = min(max(level, 1), 6)
    return Block("heading", f"{'#' * level} {text}", level, page)


def table(rows: Iterable[Iterable[str]], page: int | None = None) -> Block:
    """A Markdown table; the first row is its header."""
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    columns = lines[0].count(" | ") + 1
    return Block("table", "\n".join([lines[0], "|" + "---|" * columns, *lines[1:]]), page=page)


def _cell(text: str) -> str:
    return one_line(text).replace(" | ", " / ")


def whole_characters(text: str) -> str:
    """`text` with lone surrogates, halves of characters that no file can hold, marked as lost."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def place(blocks: Iterable[Block]) -> tuple[str, tuple[PlacedBlock, ...]]:
    """The canonical text of some blocks, and each block's place in it."""
    placed, parts, position = [], [], 0
    for block in blocks:
        if placed:
            position += len(BETWEEN)
        placed.append(PlacedBlock(block, position, position + len(block.text)))
        parts.append(block.text)
        position += len(block.text)
    return BETWEEN.join(parts), tuple(placed)


def visible(text: str) -> str:
    """`text` composed (NFC), with plain line breaks and without invisible characters."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROL.sub("", _INVISIBLE.sub("", text.replace("\x0c", "\n")))


def one_line(text: str) -> str:
    """`text` with every run of white space made one space."""
    return " ".join(_SPACES.sub(" ", text).split())


def has_words(blocks: Iterable[Block]) -> bool:
    """Whether anything but headings and marks was found."""
    return any(re.search(r"\w", b.text) for b in blocks if b.kind != "heading")


def heading_text(block: Block) -> str:
    """A heading's words, without its marks."""
    return block.text.lstrip("#").strip()
