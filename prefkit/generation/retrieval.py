"""Which chunks share rare words: partners for a question over two, and whether one answers it.

Word counts and their rarity (the idf of BM25, Robertson and Zaragoza 2009), no model: the same
corpus has the same pairs on any machine.
"""

import dataclasses
import functools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from prefkit.generation.grounding import content_words
from prefkit.generation.measure import ALONE
from prefkit.records import Chunk

_RUN = re.compile(f"[{ALONE}]+")
LEAST_SHARED: Final = 2  # rare words of a pair
_TOO_ALIKE: Final = 0.6  # Jaccard of two chunks that say the same
_RARE: Final = 20  # chunks that may hold a rare word
ANSWERED: Final = 0.9  # of a question's words by weight: a chunk with so many may answer it


def terms(text: str) -> frozenset[str]:
    """Stems of the words that carry meaning; where no spaces part words, pairs of characters."""
    pairs = {
        run[0][at : at + 2] for run in _RUN.finditer(text) for at in range(max(len(run[0]) - 1, 1))
    }
    return content_words(_RUN.sub(" ", text)) | pairs


@dataclasses.dataclass(frozen=True)
class Nearest:
    """The chunk that holds most of a question's words.

    Attributes:
        chunk_id: That chunk; empty when none holds any.
        share: Of the words' weight.
        missing: Words it does not hold.
    """

    chunk_id: str
    share: float
    missing: frozenset[str]


class Index:
    """The words of every chunk of a corpus."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        """Look at every chunk once.

        Args:
            chunks: In reading order.
        """
        self._chunks = chunks
        self._terms = [terms(chunk.text) for chunk in chunks]
        self._holding: dict[str, list[int]] = defaultdict(list)
        for place, held in enumerate(self._terms):
            for term in held:
                self._holding[term].append(place)

    def weight(self, term: str) -> float:
        """How much a word tells: more, the fewer chunks hold it."""
        holding = len(self._holding.get(term, ()))
        return math.log(1 + (len(self._chunks) - holding + 0.5) / (holding + 0.5))

    def nearest(self, question: str) -> Nearest:
        """The chunk that holds most of a question, by weight."""
        asked = sorted(terms(question))
        held: defaultdict[int, float] = defaultdict(float)
        weights = {term: self.weight(term) for term in asked}
        for term in asked:
            for place in self._holding.get(term, ()):
                held[place] += weights[term]
        whole = sum(weights.values())
        if not held or not whole:
            return Nearest("", 0.0, frozenset(asked))
        place = min(held, key=lambda p: (-round(held[p], 9), p))
        return Nearest(
            self._chunks[place].id,
            held[place] / whole,
            frozenset(asked) - self._terms[place],
        )

    @functools.cached_property
    def partners(self) -> dict[str, tuple[str, ...]]:
        """For each chunk those it shares most with, best first; only chunks that have any."""
        return {
            chunk.id: found
            for place, chunk in enumerate(self._chunks)
            if (found := tuple(self._partners(place)))
        }

    def _partners(self, place: int, most: int = 3) -> Iterator[str]:
        scores: defaultdict[int, float] = defaultdict(float)
        shared: Counter[int] = Counter()
        for term in sorted(self._terms[place]):
            holding = self._holding[term]
            if not 2 <= len(holding) <= _RARE:
                continue
            for other in holding:
                scores[other] += self.weight(term)
                shared[other] += 1
        able = [p for p in scores if shared[p] >= LEAST_SHARED and self._apart(place, p)]
        for other in sorted(able, key=lambda p: (-round(scores[p], 9), p))[:most]:
            yield self._chunks[other].id

    def _apart(self, one: int, other: int) -> bool:
        """Whether two chunks are two texts, neither overlapping nor copies."""
        if one == other:
            return False
        a, b = self._chunks[one], self._chunks[other]
        if a.document_id == b.document_id and a.start < b.end and b.start < a.end:
            return False
        both, either = self._terms[one] & self._terms[other], self._terms[one] | self._terms[other]
        return len(both) < _TOO_ALIKE * len(either)
