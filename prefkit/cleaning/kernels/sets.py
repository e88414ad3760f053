"""Exact Jaccard similarity of texts by their shingles."""

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.kernels.compiled import compiled
from prefkit.cleaning.kernels.hashing import Hashes, shingle
from prefkit.cleaning.kernels.letters import LETTERS
from prefkit.cleaning.kernels.texts import Indices, Texts
from prefkit.cleaning.kernels.words import longest, scan

SPREAD = 4096  # values up to which a row is sorted by its hashes' spread


@compiled
def _sort(values: Hashes, scratch: Hashes, ends: Indices) -> None:
    """Sort hashes in place: into as many buckets by their upper bits, then by insertion.

    Hashes spread evenly, so this takes linear time: a third of quicksort's. A long row may hold two
    values of one bucket very often, for which insertion would take too long.
    """
    size = len(values)
    if size > SPREAD:
        values.sort()
        return
    bits = 1
    while 1 << bits < size:
        bits += 1
    shift = np.uint64(64 - bits)
    ends[: 1 << bits] = 0
    for at in range(size):
        ends[np.int64(values[at] >> shift)] += 1
    for bucket in range(1, 1 << bits):
        ends[bucket] += ends[bucket - 1]
    for at in range(size):
        scratch[at] = values[at]
    for at in range(size):
        bucket = np.int64(scratch[at] >> shift)
        ends[bucket] -= 1
        values[ends[bucket]] = scratch[at]
    for at in range(1, size):
        value = values[at]
        place = at
        while place > 0 and values[place - 1] > value:
            values[place] = values[place - 1]
            place -= 1
        values[place] = value


@compiled
def _distinct(values: Hashes) -> int:
    """Bring the distinct ones of sorted values to the front; how many."""
    kept = 0
    for at in range(len(values)):
        if kept == 0 or values[at] != values[kept - 1]:
            values[kept] = values[at]
            kept += 1
    return kept


@compiled
def _sets(
    data: NDArray[np.uint8],
    offsets: Indices,
    places: Indices,
    letters: NDArray[np.uint32],
    folds: NDArray[np.uint32],
    width: int,
    starts: Indices,
    values: Hashes,
    sizes: Indices,
) -> int:
    """Shingle sets of texts, each sorted from its start; 0, or a missing letter."""
    words = np.empty(longest(offsets, places) + 1, np.uint64)
    scratch, ends = np.empty(SPREAD, np.uint64), np.empty(SPREAD, np.int64)
    for number, place in enumerate(places):
        count = scan(data, offsets[place], offsets[place + 1], letters, folds, words)
        if count < 0:
            return count
        taken = min(width, count)
        shingles = count - taken + 1 if count else 0
        begin = starts[number]
        for at in range(shingles):
            values[begin + at] = shingle(words, at, taken)
        row = values[begin : begin + shingles]
        _sort(row, scratch, ends)
        sizes[number] = _distinct(row)
    return 0


@compiled
def _jaccard(
    values: Hashes,
    starts: Indices,
    sizes: Indices,
    left: Indices,
    right: Indices,
    out: NDArray[np.float64],
) -> None:
    """Similarity of each pair of sets; 1 for two empty ones."""
    for pair in range(len(left)):
        one, other = starts[left[pair]], starts[right[pair]]
        one_end, other_end = one + sizes[left[pair]], other + sizes[right[pair]]
        total = one_end - one + other_end - other
        shared = 0
        while one < one_end and other < other_end:
            if values[one] == values[other]:
                shared += 1
                one += 1
                other += 1
            elif values[one] < values[other]:
                one += 1
            else:
                other += 1
        out[pair] = shared / (total - shared) if total else 1.0


def shingle_sets(
    texts: Texts, numbers: Indices, counts: Indices, width: int
) -> tuple[Hashes, Indices, Indices]:
    """Sets of distinct shingles: `(values, where each set begins, its size)`.

    A text of fewer than `width` words is one shingle of all its words; an empty one has none.

    Args:
        texts: All of them.
        numbers: Which of them, rising.
        counts: How many words these have.
        width: Words of a shingle.
    """
    room = np.where(counts >= width, counts - width + 1, np.minimum(counts, 1))
    starts = np.concatenate(([0], np.cumsum(room)))
    values = np.empty(starts[-1], np.uint64)
    sizes = np.zeros(len(numbers), np.int64)
    begin = 0
    for rows in texts.take(numbers):
        chunk, end = rows.chunk, begin + len(rows.places)
        _filled(
            chunk.data, chunk.offsets, rows.places, width, starts[begin:], values, sizes[begin:]
        )
        begin = end
    return values, starts[:-1], sizes


def _filled(
    data: NDArray[np.uint8],
    offsets: Indices,
    places: Indices,
    width: int,
    starts: Indices,
    values: Hashes,
    sizes: Indices,
) -> None:
    known = LETTERS
    LETTERS.until_known(
        lambda: _sets(
            data, offsets, places, known.letters, known.folds, width, starts, values, sizes
        )
    )


def jaccard(
    texts: Texts, counts: Indices, width: int, left: Indices, right: Indices
) -> NDArray[np.float64]:
    """Similarity of the texts of each pair.

    Args:
        texts: All of them.
        counts: How many words each has.
        width: Words of a shingle.
        left: One text of each pair.
        right: The other.
    """
    numbers, places = np.unique(np.concatenate((left, right)), return_inverse=True)
    values, starts, sizes = shingle_sets(texts, numbers, counts[numbers], width)
    result = np.empty(len(left))
    _jaccard(values, starts, sizes, places[: len(left)], places[len(left) :], result)
    return result
