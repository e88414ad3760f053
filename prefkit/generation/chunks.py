"""Documents to chunks: sections first, then paragraphs, then sentences.

Lists, tables and code stay whole when they fit. A chunk is always an exact slice of its document.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator

from prefkit.generation.blocks import ParsedDocument, PlacedBlock, heading_text
from prefkit.generation.sentences import sentence_spans
from prefkit.records import Chunk

_TOKEN = re.compile(r"\w+|[^\w\s]")
_BIG_ENOUGH = 0.4  # of the budget: a chunk this long ends at the next heading


def count_tokens(text: str) -> int:
    """Words and marks in `text`: an estimate that needs no tokenizer, the same on any machine."""
    return sum(1 for _ in _TOKEN.finditer(text))


@dataclasses.dataclass(frozen=True)
class _Piece:
    """A stretch of a document that is not cut further."""

    start: int
    end: int
    tokens: int
    headings: tuple[str, ...]
    level: int  # of a heading, 0 for text
    page: int | None
    introduces: bool  # ends with a colon: belongs to what follows


def cut_chunks(parsed: ParsedDocument, tokens: int) -> list[Chunk]:
    """Cut a document into chunks of about `tokens` words and marks.

    A new section starts a new chunk, unless the chunk so far is short and the section is not of a
    higher rank. A chunk exceeds the budget only when one word does.

    Args:
        parsed: The document and its blocks.
        tokens: Budget of a chunk, in words and marks.
    """
    text = parsed.document.text
    return [
        Chunk(
            document_id=parsed.document.id,
            text=text[group[0].start : group[-1].end],
            start=group[0].start,
            end=group[-1].end,
            page=group[0].page,
            headings=_common([piece.headings for piece in group if not piece.level]),
        )
        for group in _grouped(_pieces(parsed, tokens), tokens)
    ]


def _common(paths: list[tuple[str, ...]]) -> tuple[str, ...]:
    shared: list[str] = []
    for names in zip(*paths, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return tuple(shared)


def _grouped(pieces: Iterable[_Piece], budget: int) -> Iterator[list[_Piece]]:
    group: list[_Piece] = []
    for piece in pieces:
        size = sum(p.tokens for p in group)
        if piece.level and _ends_at_heading(group, piece, size, budget):
            yield group
            group = []
        elif not piece.level and size + piece.tokens > budget:
            kept, carried = _without_tail(group)
            if kept:
                yield kept
                fits = sum(p.tokens for p in carried) + piece.tokens <= budget
                group = carried if fits or all(p.level for p in carried) else []
                if carried and not group:
                    yield carried
            elif any(not p.level for p in group):
                yield group
                group = []
        group.append(piece)
    if any(not piece.level for piece in group):
        yield group


def _ends_at_heading(group: list[_Piece], piece: _Piece, size: int, budget: int) -> bool:
    if all(p.level for p in group):
        return False
    top = min((p.level for p in group if p.level), default=7)
    return size >= _BIG_ENOUGH * budget or piece.level < top


def _without_tail(group: list[_Piece]) -> tuple[list[_Piece], list[_Piece]]:
    """A group parted before trailing headings and a line that introduces what follows."""
    cut = len(group)
    while cut and (group[cut - 1].level or group[cut - 1].introduces):
        cut -= 1
    kept, carried = group[:cut], group[cut:]
    return (kept, carried) if any(not p.level for p in kept) else ([], group)


def _pieces(parsed: ParsedDocument, budget: int) -> Iterator[_Piece]:
    path: list[tuple[int, str]] = []
    for placed in parsed.blocks:
        block = placed.block
        if block.kind == "heading":
            path = [entry for entry in path if entry[0] < block.level]
            path.append((block.level, heading_text(block)))
        names = tuple(name for _, name in path)
        for start, end in _cuts(parsed.document.text, placed, budget):
            text = parsed.document.text[start:end]
            yield _Piece(
                start,
                end,
                count_tokens(text),
                names,
                block.level,
                block.page,
                introduces=block.kind == "paragraph" and text.endswith(":"),
            )


def _cuts(text: str, placed: PlacedBlock, budget: int) -> Iterator[tuple[int, int]]:
    start, end = placed.start, placed.end
    if placed.block.kind == "heading" or count_tokens(text[start:end]) <= budget:
        yield start, end
    elif placed.block.kind == "paragraph":
        yield from _packed(text, sentence_spans(text, start, end), budget)
    else:
        yield from _packed(text, _line_spans(text, start, end), budget)


def _line_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for found in re.finditer(r"[^\n]+", text[start:end]):
        yield start + found.start(), start + found.end()


def _packed(text: str, spans: Iterable[tuple[int, int]], budget: int) -> Iterator[tuple[int, int]]:
    """Neighbouring spans joined up to the budget; a span beyond it is cut between words."""
    first: int | None = None
    last = 0
    for start, end in spans:
        if first is not None and count_tokens(text[first:end]) > budget:
            yield first, last
            first = None
        if count_tokens(text[start:end]) > budget:
            *whole, (start, end) = _word_cuts(text, start, end, budget)
            yield from whole
        first = start if first is None else first
        last = end
    if first is not None:
        yield first, last


def _word_cuts(text: str, start: int, end: int, budget: int) -> list[tuple[int, int]]:
    cuts: list[tuple[int, int]] = []
    first, last, size = start, start, 0
    for found in re.finditer(r"\S+", text[start:end]):
        tokens = count_tokens(found[0])
        if size and size + tokens > budget:
            cuts.append((first, last))
            first, size = start + found.start(), 0
        last, size = start + found.end(), size + tokens
    return [*cuts, (first, last)]
