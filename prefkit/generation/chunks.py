"""Documents to chunks: sections first, then paragraphs, then sentences.

Lists, tables and code stay whole when they fit. A chunk is always an exact slice of its document,
with or without the sentences that it repeats of the chunk before.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator

from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.generation.blocks import BlockKind, ParsedDocument, PlacedBlock, heading_text
from prefkit.generation.measure import (
    ALONE,
    Measure,
    Measuring,
    count_tokens,
    words_and_marks,
)
from prefkit.generation.sentences import sentence_spans
from prefkit.records import Chunk

__all__ = ["count_tokens", "cut_chunks"]

_BIG_ENOUGH = 0.4  # of the budget: a chunk this long ends at the next heading
_WORD = re.compile(rf"[{ALONE}]|[^\s{ALONE}]+")  # what a sentence beyond the budget is cut into


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
    kind: BlockKind
    whole: bool  # not a part of a block


def cut_chunks(
    parsed: ParsedDocument, tokens: int, *, overlap: int = 0, measuring: Measuring = words_and_marks
) -> list[Chunk]:
    """Cut a document into chunks of about `tokens` tokens.

    A new section starts a new chunk, unless the chunk so far is short and the section is not of a
    higher rank. A chunk exceeds the budget only when one word does. Within a section, a chunk
    begins with the last whole sentences or list items of the chunk before, as far as the overlap
    allows; a table or code is repeated whole or not at all.

    Args:
        parsed: The document and its blocks.
        tokens: Budget of a chunk, overlap included.
        overlap: Most tokens of the chunk before that a chunk repeats.
        measuring: What counts as a token; words and marks when unset.

    Raises:
        PrefkitError: The overlap is more than half of the budget.
    """
    if 2 * overlap > tokens:
        raise PrefkitError(
            f"overlap {overlap}: more than half of a chunk of {tokens} tokens.",
            hint="Make chunks longer with --chunk-tokens, or the overlap shorter.",
            exit_code=EXIT_USAGE,
        )
    text, measure, budget = parsed.document.text, measuring(parsed.document.text), tokens - overlap
    groups = list(_grouped(_pieces(parsed, measure, budget), budget))
    starts = [_start(text, groups, place, overlap, measure) for place in range(len(groups))]
    return [
        Chunk(
            document_id=parsed.document.id,
            text=text[start : group[-1].end],
            start=start,
            end=group[-1].end,
            page=group[0].page,
            headings=_common([piece.headings for piece in group if not piece.level]),
        )
        for start, group in zip(starts, groups, strict=True)
    ]


def _start(
    text: str, groups: list[list[_Piece]], place: int, overlap: int, measure: Measure
) -> int:
    """Where a chunk starts when it repeats the end of the one before, inside its section."""
    group, start = groups[place], groups[place][0].start
    if not overlap or not place or group[0].level:
        return start
    before = groups[place - 1]
    end = before[-1].end
    for piece in reversed(before):
        if piece.level or piece.headings != group[0].headings:
            break
        if piece.kind in ("table", "code") and not piece.whole:
            break
        for first, _ in reversed(list(_repeatable(text, piece))):
            if first == before[0].start or measure.count(first, end) > overlap:
                return start
            start = first
    return start


def _repeatable(text: str, piece: _Piece) -> Iterator[tuple[int, int]]:
    """The parts of a piece that an overlap may begin with."""
    if piece.kind == "paragraph":
        yield from sentence_spans(text, piece.start, piece.end)
    elif piece.kind == "list":
        yield from _line_spans(text, piece.start, piece.end)
    else:
        yield piece.start, piece.end


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


def _pieces(parsed: ParsedDocument, measure: Measure, budget: int) -> Iterator[_Piece]:
    path: list[tuple[int, str]] = []
    for placed in parsed.blocks:
        block = placed.block
        if block.kind == "heading":
            path = [entry for entry in path if entry[0] < block.level]
            path.append((block.level, heading_text(block)))
        names = tuple(name for _, name in path)
        for start, end in _cuts(parsed.document.text, placed, measure, budget):
            text = parsed.document.text[start:end]
            yield _Piece(
                start,
                end,
                measure.count(start, end),
                names,
                block.level,
                block.page,
                introduces=block.kind == "paragraph" and text.endswith((":", "：")),
                kind=block.kind,
                whole=(start, end) == (placed.start, placed.end),
            )


def _cuts(
    text: str, placed: PlacedBlock, measure: Measure, budget: int
) -> Iterator[tuple[int, int]]:
    start, end = placed.start, placed.end
    if placed.block.kind == "heading" or measure.count(start, end) <= budget:
        yield start, end
    elif placed.block.kind == "paragraph":
        yield from _packed(text, sentence_spans(text, start, end), measure, budget)
    else:
        yield from _packed(text, _line_spans(text, start, end), measure, budget)


def _line_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for found in re.finditer(r"[^\n]+", text[start:end]):
        yield start + found.start(), start + found.end()


def _packed(
    text: str, spans: Iterable[tuple[int, int]], measure: Measure, budget: int
) -> Iterator[tuple[int, int]]:
    """Neighbouring spans joined up to the budget; a span beyond it is cut between words."""
    first: int | None = None
    last = 0
    for start, end in spans:
        if first is not None and measure.count(first, end) > budget:
            yield first, last
            first = None
        if measure.count(start, end) > budget:
            *whole, (start, end) = _word_cuts(text, start, end, measure, budget)
            yield from whole
        first = start if first is None else first
        last = end
    if first is not None:
        yield first, last


def _word_cuts(
    text: str, start: int, end: int, measure: Measure, budget: int
) -> list[tuple[int, int]]:
    cuts: list[tuple[int, int]] = []
    first = last = start
    for found in _WORD.finditer(text, start, end):
        if last > first and measure.count(first, found.end()) > budget:
            cuts.append((first, last))
            first = found.start()
        last = found.end()
    return [*cuts, (first, last)]
