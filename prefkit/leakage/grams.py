"""n-grams of evaluation texts in sorted arrays, and the texts of training they stand in."""

import dataclasses
from collections.abc import Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.shingles import Ragged
from prefkit.leakage.kernels import Hashes, Indices, fill_filter, gram_hashes, holds_whole, probe

FILTER = 16  # bits of the filter a key: of the n-grams in no set one in sixteen goes on
RULES: Final = ("coverage", "run", "short", "same")
COVERAGE, RUN, WHOLE, SAME = range(4)


@dataclasses.dataclass(frozen=True)
class Hits:
    """Evaluation parts in texts.

    Attributes:
        text: Number of the text, shape (hits,).
        part: Number of the part, shape (hits,).
        coverage: Share of the part's words in n-grams in common, shape (hits,).
        run: Words of the longest stretch in common, shape (hits,).
        first: First word of that stretch in the part, shape (hits,).
        rule: Index into RULES of what makes it count, shape (hits,).
    """

    text: Indices
    part: Indices
    coverage: NDArray[np.float64]
    run: Indices
    first: Indices
    rule: Indices

    def where(self, keep: NDArray[np.bool_] | Indices) -> "Hits":
        """Only these hits."""
        return Hits(*(getattr(self, field.name)[keep] for field in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class Grams:
    """Sorted n-grams with where they stand.

    Attributes:
        n: Words of an n-gram; 0 where a key is a whole text.
        keys: Sorted distinct hashes, shape (keys,).
        starts: Where each key's entries begin, and their total, shape (keys + 1,).
        parts: Part of each entry, shape (entries,).
        places: First word of each entry in its part, shape (entries,).
        marks: Bloom filter of the keys.
        bits: Binary logarithm of its size.
    """

    n: int
    keys: Hashes
    starts: Indices
    parts: Indices
    places: Indices
    marks: Hashes
    bits: int

    @classmethod
    def of(cls, n: int, hashes: Hashes, parts: Indices, places: Indices) -> Self:
        """The entries `(hash, part, place)`, sorted."""
        order = np.lexsort((places, parts, hashes))
        keys, starts = np.unique(hashes[order], return_index=True)
        bits = max(10, int(np.ceil(np.log2(max(len(keys), 1) * FILTER))))
        ends = np.append(starts, len(order)).astype(np.int64)
        return cls(n, keys, ends, parts[order], places[order], fill_filter(keys, bits), bits)

    def find(self, words: Ragged) -> tuple[Indices, Indices, Indices, Indices]:
        """All n-grams in common: text, its place, part, its place."""
        texts, places, numbers = probe(
            words.values, words.offsets, self.n, self.keys, self.marks, self.bits
        )
        entries, counts = self._entries(numbers)
        parts, there = self.parts[entries], self.places[entries]
        return np.repeat(texts, counts), np.repeat(places, counts), parts, there

    def equal(self, hashes: Hashes) -> tuple[Indices, Indices]:
        """Which hashes are keys, and their parts: index into `hashes`, part."""
        numbers = np.searchsorted(self.keys, hashes)
        inside = np.flatnonzero(numbers < len(self.keys))
        inside = inside[self.keys[numbers[inside]] == hashes[inside]]
        entries, counts = self._entries(numbers[inside])
        return np.repeat(inside, counts), self.parts[entries]

    def _entries(self, numbers: Indices) -> tuple[Indices, Indices]:
        """The entries of some keys end to end, and how many each key has."""
        begins = self.starts[numbers]
        counts = self.starts[numbers + 1] - begins
        ends = np.cumsum(counts)
        return np.arange(counts.sum()) + np.repeat(begins - ends + counts, counts), counts


def covered_parts(grams: Grams, words: Ragged, sizes: Indices) -> Hits:
    """Every part that has an n-gram in common with a text.

    Args:
        grams: Of the parts.
        words: Of the texts.
        sizes: Words of each part that lie in its n-grams, shape (parts,).
    """
    text, place, part, there = grams.find(words)
    run, first = _longest_runs(text, place, part, there, grams.n)
    order = np.lexsort((there, part, text))
    text, part, there = text[order], part[order], there[order]
    starts = np.flatnonzero(_begins(text, part))
    reach = np.full(len(there), grams.n)
    reach[:-1] = np.minimum(np.diff(there), grams.n)
    reach[starts[1:] - 1] = grams.n
    covered = np.add.reduceat(reach, starts) if len(starts) else reach
    text, part = text[starts], part[starts]
    return Hits(text, part, covered / sizes[part], run, first, np.zeros(len(text), np.int64))


def short_parts(beginnings: Grams, words: Ragged, parts: Ragged) -> Hits:
    """Every part that stands in a text from its first to its last word.

    Args:
        beginnings: First n-gram of each part.
        words: Of the texts.
        parts: Words of the parts.
    """
    text, place, part, _ = beginnings.find(words)
    whole = holds_whole(words.values, words.offsets, text, place, parts.values, parts.offsets, part)
    return _whole(text[whole], part[whole], parts, WHOLE)


def same_parts(
    whole: Grams, words: Ragged, asked: NDArray[np.bool_], most: int, parts: Ragged
) -> Hits:
    """Every part that is the same as a whole text.

    Args:
        whole: Hash of each part.
        words: Of the texts.
        asked: Which texts are looked at, shape (texts,).
        most: Words of the longest part.
        parts: Words of the parts.
    """
    sizes = words.sizes
    rows = np.flatnonzero(asked & (sizes > 0) & (sizes <= most))
    found, part = whole.equal(whole_hashes(rows_of(words, rows)))
    return _whole(rows[found], part, parts, SAME)


def rows_of(words: Ragged, rows: Indices) -> Ragged:
    """Only these rows, in this order."""
    sizes = np.diff(words.offsets)[rows]
    offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    places = np.arange(offsets[-1]) + np.repeat(words.offsets[rows] - offsets[:-1], sizes)
    return Ragged(words.values[places], offsets)


def whole_hashes(words: Ragged) -> Hashes:
    """One hash a text of at least one word, shape (texts,)."""
    hashes = np.zeros(len(words.sizes), np.uint64)
    for size in np.unique(words.sizes).tolist():
        rows = np.flatnonzero(words.sizes == size)
        same = rows_of(words, rows)
        hashes[rows] = gram_hashes(same.values, same.offsets, size)[same.offsets[:-1]]
    return hashes


def joined(found: Sequence[Hits]) -> Hits:
    """All hits, by text and part."""
    columns = [
        np.concatenate([getattr(hits, field.name) for hits in found])
        for field in dataclasses.fields(Hits)
    ]
    hits = Hits(*columns)
    return hits.where(np.lexsort((hits.rule, hits.part, hits.text)))


def _whole(text: Indices, part: Indices, parts: Ragged, rule: int) -> Hits:
    pairs = np.unique(np.stack((text, part), axis=1), axis=0)
    text, part = pairs[:, 0], pairs[:, 1]
    zeros = np.zeros(len(text), np.int64)
    return Hits(text, part, np.ones(len(text)), parts.sizes[part], zeros, zeros + rule)


def _longest_runs(
    text: Indices, place: Indices, part: Indices, there: Indices, n: int
) -> tuple[Indices, Indices]:
    """Of each text and part in common, in that order: words of the longest run, where it begins.

    n-grams that follow each other in the text and in the part make one run.
    """
    shift = place - there
    order = np.lexsort((there, shift, part, text))
    text, part, shift, there = text[order], part[order], shift[order], there[order]
    follows = np.zeros(len(there), bool)
    follows[1:] = ~_begins(text, part)[1:] & (shift[1:] == shift[:-1]) & (np.diff(there) == 1)
    starts = np.flatnonzero(~follows)
    lengths = np.diff(np.append(starts, len(there))) + n - 1
    text, part, first = text[starts], part[starts], there[starts]
    best = np.lexsort((first, -lengths, part, text))
    best = best[_begins(text[best], part[best])]
    return lengths[best], first[best]


def _begins(text: Indices, part: Indices) -> NDArray[np.bool_]:
    """Where a new text or part begins in sorted columns."""
    new = np.ones(len(text), bool)
    new[1:] = (text[1:] != text[:-1]) | (part[1:] != part[:-1])
    return new
