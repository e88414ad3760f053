"""Pairs of texts that are nearly the same: MinHash proposes, exact Jaccard decides.

Word shingles of length 3, or 2 where the shorter text has fewer than 40 words (one changed word
of a twelve-word question would leave a third of its 3-word shingles). MinHash signatures (Broder
1997) in bands (Leskovec et al., Mining of Massive Datasets, ch. 3) propose pairs; each is then
compared in full, because bands alone call two in five records duplicates that are not.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.shingles import (
    BLOCK,
    PADDING,
    Hashes,
    Indices,
    Ragged,
    mix,
    shingle_sets,
    word_hashes,
)

LONG_TEXT = 40  # words from which shingles have three words
RECALL = 0.999  # chance that a pair exactly at the threshold shares a band
RUN = 200  # texts sharing a band up to which all pairs of them are compared
NEXT = 16  # in longer runs each is compared with this many after it


@dataclasses.dataclass(frozen=True)
class NearPairs:
    """Pairs at or above a threshold, each once with `left < right`.

    Attributes:
        left: Index of one text, shape (pairs,).
        right: Index of the other, shape (pairs,).
        similarity: Their exact Jaccard similarity, shape (pairs,).
        compared: How many pairs were compared in full to find them.
        complete: False when so many texts share a band that not all pairs of them were compared.
    """

    left: Indices
    right: Indices
    similarity: NDArray[np.float64]
    compared: int = 0
    complete: bool = True

    def __iter__(self) -> Iterator[tuple[int, int, float]]:
        """`(left, right, similarity)` of each pair."""
        columns = (self.left.tolist(), self.right.tolist(), self.similarity.tolist())
        return zip(*columns, strict=True)

    def where(self, keep: NDArray[np.bool_]) -> "NearPairs":
        """Only the pairs where `keep` holds."""
        return dataclasses.replace(
            self, left=self.left[keep], right=self.right[keep], similarity=self.similarity[keep]
        )


def near_pairs(texts: Sequence[str], threshold: float) -> NearPairs:
    """All pairs of texts whose shingle sets have a Jaccard similarity of at least `threshold`.

    Every pair returned is exact. A pair at the threshold is missed with probability 0.001, a more
    similar one far less often. Whether a pair is found depends on its two texts alone, unless the
    result says that it is not `complete`.

    Args:
        texts: What to compare; a text without words is near to nothing.
        threshold: Over 0, at most 1.
    """
    words = word_hashes(texts)
    short = words.sizes < LONG_TEXT
    found = []
    for n, wanted in ((2, short), (3, ~short)):
        if not wanted.any():
            continue
        sets = shingle_sets(words, n)
        if n == 2:  # J >= t needs |A| >= t |B|: longer ones cannot match any short text
            rows = np.flatnonzero((sets.sizes > 0) & (sets.sizes * threshold <= LONG_TEXT))
        else:
            rows = np.flatnonzero(~short)
        left, right, complete = _candidates(sets.take(rows), threshold)
        left, right = rows[left], rows[right]
        ours = (short[left] | short[right]) == (n == 2)
        left, right = left[ours], right[ours]
        similarity = _jaccard(sets, left, right)
        pairs = NearPairs(left, right, similarity, len(left), complete)
        found.append(pairs.where(similarity >= threshold))
    return _joined(found)


def similarities(texts: Sequence[str], left: Indices, right: Indices) -> NDArray[np.float64]:
    """Exact Jaccard similarity of `texts[left[i]]` and `texts[right[i]]`, shape (pairs,).

    Two texts without words are alike (1.0) and unlike any other (0.0).
    """
    used, places = np.unique(np.concatenate((left, right)), return_inverse=True)
    left, right = places[: len(left)], places[len(left) :]
    words = word_hashes([texts[number] for number in used.tolist()])
    short = words.sizes < LONG_TEXT
    both_long = ~(short[left] | short[right])
    result = np.empty(len(left))
    for n, chosen in ((2, ~both_long), (3, both_long)):
        if chosen.any():
            result[chosen] = _jaccard(shingle_sets(words, n), left[chosen], right[chosen])
    return result


def clusters(count: int, links: Sequence[tuple[int, int]]) -> list[int]:
    """Connected components: for each of `count` items the smallest index it is linked to."""
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for left, right in links:
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    return [root(item) for item in range(count)]


def star(
    order: Sequence[int], pairs: Iterable[tuple[int, int, float]]
) -> dict[int, tuple[int, float]]:
    """What to drop so that no kept item is near another: item -> (keeper, similarity).

    Items are taken in `order`; one is dropped only when it is itself near an item already kept,
    so a chain of small steps never removes its far end.
    """
    neighbours: dict[int, list[tuple[int, float]]] = {}
    for left, right, similarity in pairs:
        neighbours.setdefault(left, []).append((right, similarity))
        neighbours.setdefault(right, []).append((left, similarity))
    rank = {item: place for place, item in enumerate(order)}
    dropped: dict[int, tuple[int, float]] = {}
    for item in order:
        kept = [
            (other, similarity)
            for other, similarity in neighbours.get(item, ())
            if rank[other] < rank[item] and other not in dropped
        ]
        if kept:
            dropped[item] = min(kept, key=lambda found: (-found[1], rank[found[0]]))
    return dropped


def bands_for(threshold: float) -> tuple[int, int]:
    """`(bands, rows a band)` so that a pair at `threshold` shares a band with chance RECALL."""
    rows = 4 if threshold >= 0.6 else 3 if threshold >= 0.45 else 2 if threshold >= 0.3 else 1
    chance = threshold**rows
    bands = 1 if chance >= 1 else math.ceil(math.log(1 - RECALL) / math.log(1 - chance))
    return bands, rows


def _joined(found: Sequence[NearPairs]) -> NearPairs:
    if not found:
        return NearPairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    return NearPairs(
        np.concatenate([pairs.left for pairs in found]),
        np.concatenate([pairs.right for pairs in found]),
        np.concatenate([pairs.similarity for pairs in found]),
        sum(pairs.compared for pairs in found),
        all(pairs.complete for pairs in found),
    )


def _candidates(sets: Ragged, threshold: float) -> tuple[Indices, Indices, bool]:
    """Pairs that share a band, each once, `left < right`; and whether these are all."""
    if len(sets.sizes) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64), True
    bands, rows = bands_for(threshold)
    keys = _band_keys(sets, bands, rows)
    size = len(sets.sizes)
    found = [_pairs_of_equal(keys[:, band], keys[:, band - 1]) for band in range(bands)]
    codes = np.unique(np.concatenate([low * size + high for low, high, _ in found]))
    return codes // size, codes % size, all(complete for _, _, complete in found)


def _band_keys(sets: Ragged, bands: int, rows: int) -> Hashes:
    """One key a text and band, shape (texts, bands)."""
    # The hash functions x -> a*x + b mod 2^64 are constants of the program: whether two texts
    # are compared must not depend on a run's seed.
    random = np.random.Generator(np.random.PCG64(20_261_122))
    multipliers = random.integers(0, 2**64, (bands, rows), np.uint64) | np.uint64(1)
    addends = random.integers(0, 2**64, (bands, rows), np.uint64)
    keys = np.empty((len(sets.sizes), bands), np.uint64)
    for begin, end in _blocks(sets):
        values = sets.values[sets.offsets[begin] : sets.offsets[end]]
        starts = sets.offsets[begin:end] - sets.offsets[begin]
        for band in range(bands):
            key = np.zeros(end - begin, np.uint64)
            for row in range(rows):
                hashed = values * multipliers[band, row] + addends[band, row]
                key = mix(key + np.minimum.reduceat(hashed, starts))
            keys[begin:end, band] = key
    return keys


def _blocks(sets: Ragged) -> Iterator[tuple[int, int]]:
    """Row ranges of about BLOCK shingles."""
    begin, rows = 0, len(sets.sizes)
    while begin < rows:
        wanted = sets.offsets[begin] + BLOCK
        end = max(begin + 1, int(np.searchsorted(sets.offsets, wanted, "right")) - 1)
        yield begin, min(end, rows)
        begin = end


def _pairs_of_equal(keys: Hashes, order_by: Hashes) -> tuple[Indices, Indices, bool]:
    """Pairs of rows with equal keys, the smaller row first; and whether these are all.

    In a run of more than RUN equal keys, sorted by `order_by`, each is paired with the NEXT ones.
    """
    order = np.lexsort((order_by, keys))
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    starts = np.concatenate(([0], edges))
    sizes = np.diff(np.append(starts, len(keys)))
    place = np.arange(len(keys))
    after = np.repeat(starts + sizes, sizes) - place - 1  # how many of its run follow each
    reach = np.where(np.repeat(sizes, sizes) <= RUN, after, np.minimum(after, NEXT))
    first = np.repeat(place, reach)
    step = np.arange(len(first)) - np.repeat(np.cumsum(reach) - reach, reach)
    one, other = order[first], order[first + 1 + step]
    complete = bool(sizes.max(initial=0) <= RUN)
    return np.minimum(one, other), np.maximum(one, other), complete


def _jaccard(sets: Ragged, left: Indices, right: Indices) -> NDArray[np.float64]:
    sizes = sets.sizes
    shared = _shared(sets, left, right)
    union = sizes[left] + sizes[right] - shared
    return np.where(union == 0, 1.0, shared / np.maximum(union, 1))


def _shared(sets: Ragged, left: Indices, right: Indices) -> Indices:
    """How many shingles the two sets of each pair share, shape (pairs,)."""
    shared = np.zeros(len(left), np.int64)
    width = np.maximum(sets.sizes[left], sets.sizes[right])
    by_width = np.argsort(width, kind="stable")
    begin = 0
    while begin < len(by_width):
        guess = by_width[begin : begin + BLOCK]
        ends = np.flatnonzero(width[guess] * np.arange(1, len(guess) + 1) > BLOCK)
        pairs = guess[: max(1, int(ends[0]) if len(ends) else len(guess))]
        both = [sets.take(side[pairs]).padded() for side in (left, right)]
        merged = np.sort(np.concatenate(both, axis=1), axis=1)
        twice = (merged[:, 1:] == merged[:, :-1]) & (merged[:, 1:] != PADDING)
        shared[pairs] = twice.sum(axis=1)
        begin += len(pairs)
    return shared
