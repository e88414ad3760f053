"""What of a corpus has examples: by chunk, heading and document, in words and in quotes.

All chunks are counted, none is sampled, so the shares have no interval. A word that two chunks
share by their overlap counts once, for the earlier chunk.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prefkit.generation.examples import Passage
from prefkit.generation.measure import count_tokens

COVERED, DROPPED, NOTHING, UNTRIED = "covered", "dropped only", "nothing", "not tried"
STATES = (COVERED, DROPPED, NOTHING, UNTRIED)


@dataclasses.dataclass
class ChunkCover:
    """What came of one chunk.

    Attributes:
        passage: The chunk.
        first: Where in its document its own text begins, after what it repeats.
        examples: Examples or questions that quote it.
        dropped: Drafts of it that did not stay.
        tried: Whether it was drafted from.
        quoted: Spans of its document that are quoted.
    """

    passage: Passage
    first: int
    examples: int = 0
    dropped: int = 0
    tried: bool = False
    quoted: list[tuple[int, int]] = dataclasses.field(default_factory=list)

    @property
    def state(self) -> str:
        """Whether it has examples, only drafts that were dropped, neither, or was not reached."""
        if self.examples:
            return COVERED
        if self.dropped:
            return DROPPED
        return NOTHING if self.tried else UNTRIED

    @property
    def words(self) -> int:
        """Words and marks of its own text."""
        return self._count(self.first, self.passage.chunk.end)

    def words_quoted(self, spans: Iterable[tuple[int, int]]) -> int:
        """Words and marks of its own text that lie in some spans of its document."""
        end = self.passage.chunk.end
        inside = ((max(a, self.first), min(b, end)) for a, b in spans)
        return sum(self._count(start, stop) for start, stop in inside if start < stop)

    def _count(self, start: int, end: int) -> int:
        chunk = self.passage.chunk
        return count_tokens(chunk.text[start - chunk.start : end - chunk.start])


@dataclasses.dataclass(frozen=True)
class Share:
    """A part of a whole, both counted.

    Attributes:
        part: How many are covered.
        whole: Of how many.
    """

    part: int
    whole: int

    @property
    def value(self) -> float:
        """The share; 0 of nothing."""
        return self.part / self.whole if self.whole else 0.0

    def as_json(self) -> dict[str, float]:
        """Share, count and n."""
        return {"share": round(self.value, 4), "covered": self.part, "n": self.whole}


class Coverage:
    """Counts of a corpus.

    Attributes:
        chunks: In reading order.
        unquoted: Examples that quote nothing, as those that nothing answers.
    """

    def __init__(self, passages: Iterable[Passage]) -> None:
        """Know the corpus; nothing is covered yet.

        Args:
            passages: All chunks, in any order.
        """
        ordered = sorted(passages, key=lambda p: (p.source, p.chunk.document_id, p.chunk.start))
        self.chunks: list[ChunkCover] = []
        end = 0
        before = ""
        for passage in ordered:
            chunk = passage.chunk
            end = end if chunk.document_id == before else 0
            self.chunks.append(ChunkCover(passage, max(chunk.start, min(end, chunk.end))))
            before, end = chunk.document_id, chunk.end
        self.unquoted = 0
        self._by_id = {cover.passage.chunk.id: cover for cover in self.chunks}

    def count(self, rows: Iterable[Mapping[str, Any]]) -> None:  # Examples or Questions as JSON
        """Count some records by the chunks that they quote."""
        for row in rows:
            quotes = row["quotes"]
            for chunk_id in {quote["chunk_id"] for quote in quotes}:
                if cover := self._by_id.get(chunk_id):
                    cover.examples += 1
            for quote in quotes:
                if cover := self._by_id.get(quote["chunk_id"]):
                    start = cover.passage.chunk.start
                    cover.quoted.append((start + quote["start"], start + quote["end"]))
            self.unquoted += not quotes

    def count_drafts(self, tried: Iterable[str], dropped: Mapping[str, int]) -> None:
        """Count which chunks were drafted from, and drafts that did not stay.

        Args:
            tried: Ids of chunks.
            dropped: Drafts by id of chunk.
        """
        for chunk_id in tried:
            if cover := self._by_id.get(chunk_id):
                cover.tried = True
        for chunk_id, drafts in dropped.items():
            if cover := self._by_id.get(chunk_id):
                cover.dropped += drafts

    def documents(self) -> Iterator[tuple[str, list[ChunkCover]]]:
        """Source and chunks of each document."""
        for (source, _), group in itertools.groupby(
            self.chunks, key=lambda c: (c.passage.source, c.passage.chunk.document_id)
        ):
            yield source, list(group)

    def headings(self) -> dict[tuple[str, ...], list[ChunkCover]]:
        """Chunks under each heading, by source and path; text under none stands under its title."""
        under: dict[tuple[str, ...], list[ChunkCover]] = {}
        for cover in self.chunks:
            passage = cover.passage
            path = passage.chunk.headings or (passage.title or passage.source,)
            for depth in range(1, len(path) + 1):
                under.setdefault((passage.source, *path[:depth]), []).append(cover)
        return under

    def shares(self) -> dict[str, Share]:
        """Chunks, headings and words that have examples, and words that are quoted."""
        spans = {source: _merged(group) for source, group in self.documents()}
        headings = self.headings().values()
        words = sum(cover.words for cover in self.chunks)
        return {
            "chunks": _share(self.chunks),
            "headings": Share(sum(any(c.examples for c in g) for g in headings), len(headings)),
            "words": Share(sum(c.words for c in self.chunks if c.examples), words),
            "words quoted": Share(
                sum(c.words_quoted(spans[c.passage.source]) for c in self.chunks), words
            ),
        }

    def as_json(self) -> dict[str, Any]:  # JSON values
        """What `coverage.json` holds."""
        return {
            "method": "all chunks counted, none sampled: no interval",
            "shares": {name: share.as_json() for name, share in self.shares().items()},
            "examples_without_quotes": self.unquoted,
            "documents": [
                {"source": source} | _summed(group) for source, group in self.documents()
            ],
            "headings": [
                {"source": source, "headings": path} | _summed(group)
                for (source, *path), group in self.headings().items()
            ],
            "chunks": [_chunk(cover) for cover in self.chunks],
        }


def _share(chunks: Sequence[ChunkCover]) -> Share:
    return Share(sum(cover.examples > 0 for cover in chunks), len(chunks))


def _summed(chunks: Sequence[ChunkCover]) -> dict[str, Any]:  # JSON values
    return {
        "chunks": _share(chunks).as_json(),
        "words": sum(cover.words for cover in chunks),
        "examples": sum(cover.examples for cover in chunks),
        "dropped": sum(cover.dropped for cover in chunks),
    }


def _chunk(cover: ChunkCover) -> dict[str, Any]:  # JSON values
    chunk = cover.passage.chunk
    return {
        "id": chunk.id,
        "source": cover.passage.source,
        "start": chunk.start,
        "headings": list(chunk.headings),
        "words": cover.words,
        "examples": cover.examples,
        "dropped": cover.dropped,
        "state": cover.state,
    }


def _merged(chunks: Sequence[ChunkCover]) -> list[tuple[int, int]]:
    """Quoted spans of a document, each place once."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(span for cover in chunks for span in cover.quoted):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
