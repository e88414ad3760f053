"""Texts as sets of word shingles, in numpy: no Python string is made for a word or a shingle.

A word is a run of letters, digits and combining marks; a character of Han, hiragana or katakana
is a word by itself. Case is folded; everything else separates. Words and shingles are 64-bit
hashes, so a similarity is exact up to hash collisions (about 1e-19 a pair of shingles).
"""

import dataclasses
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]
SPACELESS = ((0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
_GOLDEN = 0x9E3779B97F4A7C15  # splitmix64's increment
BLOCK = 1 << 16  # values a block: stays in the processor's cache
PADDING = np.uint64(2**64 - 1)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclasses.dataclass(frozen=True)
class Ragged:
    """Rows of different length in one array.

    Attributes:
        values: All rows end to end, shape (total,).
        offsets: Where each row begins, and the total at the end, shape (rows + 1,).
    """

    values: Hashes
    offsets: Indices

    @property
    def sizes(self) -> Indices:
        """Length of each row, shape (rows,)."""
        return np.diff(self.offsets)

    def take(self, rows: Indices) -> "Ragged":
        """Only these rows, in this order."""
        sizes = self.sizes[rows]
        offsets = _offsets(sizes)
        positions = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], sizes)
        return Ragged(self.values[positions], offsets)

    def blocks(self) -> Iterator[tuple[Indices, NDArray[np.uint64]]]:
        """Rows of similar length as matrices padded on the right: `(row numbers, matrix)`."""
        by_size = np.argsort(self.sizes, kind="stable")
        begin = 0
        while begin < len(by_size):
            # The widest row of a block is its last, so a guess by its first only errs to large.
            guess = max(1, BLOCK // max(int(self.sizes[by_size[begin]]), 1))
            rows = by_size[begin : begin + guess]
            rows = rows[: max(1, BLOCK // max(int(self.sizes[rows[-1]]), 1))]
            yield rows, self.take(rows).padded()
            begin += len(rows)

    def padded(self) -> NDArray[np.uint64]:
        """All rows as one matrix, filled up with PADDING, shape (rows, longest)."""
        sizes = self.sizes
        matrix = np.full((len(sizes), sizes.max(initial=0)), PADDING)
        matrix[np.arange(matrix.shape[1]) < sizes[:, None]] = self.values
        return matrix


def mix(values: Hashes) -> Hashes:
    """splitmix64's finaliser (Steele et al. 2014): every input bit moves every output bit."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return values ^ (values >> np.uint64(31))


def word_hashes(texts: Sequence[str]) -> Ragged:
    """One row of word hashes a text, in reading order."""
    parts = [_word_hashes(part) for part in _batches([text.casefold() for text in texts])]
    if not parts:
        return Ragged(np.empty(0, np.uint64), np.zeros(1, np.int64))
    sizes = np.concatenate([part.sizes for part in parts])
    return Ragged(np.concatenate([part.values for part in parts]), _offsets(sizes))


def _batches(texts: list[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    length = 0
    for text in texts:
        batch.append(text)
        length += len(text)
        if length >= 4 * BLOCK:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch


def _word_hashes(folded: list[str]) -> Ragged:
    lengths = np.fromiter(map(len, folded), np.int64, len(folded))
    buffer = "".join(folded).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(buffer, dtype="<u4")
    text_of_code = np.repeat(np.arange(len(folded)), lengths)
    in_word, alone = _classes(codes)
    begins = in_word.copy()
    begins[1:] &= ~in_word[:-1] | alone[1:] | alone[:-1] | (text_of_code[1:] != text_of_code[:-1])
    word_codes = codes[in_word].astype(np.uint64)
    starts = np.flatnonzero(begins[in_word])
    per_text = np.bincount(text_of_code[begins], minlength=len(folded))
    if not len(starts):
        return Ragged(np.empty(0, np.uint64), _offsets(per_text))
    spans = np.diff(np.append(starts, len(word_codes)))
    place = np.arange(len(word_codes)) - np.repeat(starts, spans)
    hashes = np.add.reduceat(mix(word_codes + (place.astype(np.uint64) << np.uint64(32))), starts)
    return Ragged(mix(hashes), _offsets(per_text))


def shingle_sets(words: Ragged, n: int) -> Ragged:
    """One sorted row of distinct `n`-word shingles a text.

    A text of fewer than `n` words is one shingle of all its words; an empty one has none.
    """
    sizes = words.sizes
    counts = np.where(sizes >= n, sizes - n + 1, np.minimum(sizes, 1))
    values = words.values
    # Sums of mixed (word, place) for every place in the whole text buffer, then those that do not
    # cross into the next text; a short text's single shingle stops at its end.
    hashes = np.zeros(len(values), np.uint64)
    left = np.repeat(words.offsets[1:], sizes) - np.arange(len(values))  # words to the text's end
    for step in range(n):
        there = values[step:]
        place = np.uint64((step + 1) * _GOLDEN % 2**64)
        hashes[: len(there)] += np.where(left[: len(there)] > step, mix(there + place), 0)
    first = left > np.repeat(sizes - counts, sizes)
    return _distinct(Ragged(np.minimum(hashes[first], PADDING - np.uint64(1)), _offsets(counts)))


def _distinct(rows: Ragged) -> Ragged:
    """Each row sorted, without repeats."""
    numbers, counts, values = [], [], []
    for block, matrix in rows.blocks():
        matrix.sort(axis=1)
        new = matrix != PADDING
        new[:, 1:] &= matrix[:, 1:] != matrix[:, :-1]
        numbers.append(block)
        counts.append(new.sum(axis=1))
        values.append(matrix[new])
    if not numbers:
        return rows
    order = np.concatenate(numbers)
    shuffled = Ragged(np.concatenate(values), _offsets(np.concatenate(counts)))
    return shuffled.take(np.argsort(order))


def _classes(codes: NDArray[np.uint32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each code point: is it part of a word; is it a word by itself."""
    present = np.zeros(int(codes.max(initial=0)) + 1, bool)
    present[codes] = True
    in_word, alone = np.zeros_like(present), np.zeros_like(present)
    kinds = np.flatnonzero(present).tolist()
    in_word[kinds] = [_in_word(chr(code)) for code in kinds]
    for low, high in SPACELESS:
        alone[low : high + 1] = in_word[low : high + 1]
    return in_word[codes], alone[codes]


def _in_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _offsets(sizes: NDArray[np.integer]) -> Indices:
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
