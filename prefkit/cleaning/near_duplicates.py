"""Pairs of texts that are nearly the same: MinHash proposes, exact Jaccard decides.

Word shingles of length 3, or 2 where the shorter text has fewer than 40 words (one changed word
of a twelve-word question would leave a third of its 3-word shingles). MinHash signatures (Broder
1997) in bands (Leskovec et al., Mining of Massive Datasets, ch. 3) propose pairs; each is then
compared in full, because bands alone call two in five records duplicates that are not.

`near_pairs` does it all on one machine. `band_keys`, `propose`, `similarities`, `forest` and
`components` are its steps for rows that lie on several.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.kernels import graph, sets
from prefkit.cleaning.kernels.pairs import NEXT, RUN, Proposed, distinct, pairs_of_equal
from prefkit.cleaning.kernels.sketches import LONG, Functions, Sketches, sketches
from prefkit.cleaning.kernels.texts import Texts, as_texts
from prefkit.cleaning.kernels.threads import in_threads
from prefkit.cleaning.kernels.words import counts_of
from prefkit.cleaning.shingles import Column, Hashes, Indices, Ragged, word_hashes

__all__ = [
    "LONG_TEXT",
    "NEXT",
    "RUN",
    "BandKeys",
    "NearPairs",
    "Proposed",
    "Ragged",
    "band_keys",
    "bands_for",
    "clusters",
    "components",
    "forest",
    "near_pairs",
    "propose",
    "similarities",
    "star",
    "word_hashes",
]

LONG_TEXT = LONG
RECALL = 0.999  # chance that a pair exactly at the threshold shares a band
COMPARED = 1 << 21  # shingles that a thread holds while it compares
GATHERED = 1 << 22  # proposals held until the repeated ones go
_HIGH, _32, _ONE = np.uint64(2**64 - 2**32), np.uint64(32), np.uint64(1)


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


@dataclasses.dataclass(frozen=True)
class BandKeys:
    """What texts may share: an entry for each text and band, those of a text without words none.

    Attributes:
        key: Equal keys make texts worth comparing; odd in a text's first band, shape (entries,).
        row: Index of the text, shape (entries,).
        order: Sorts the rows of a key that too many share, likely near ones next to each other;
            equal contents have equal orders, shape (entries,).
    """

    key: Hashes
    row: Indices
    order: Hashes


def near_pairs(texts: Column, threshold: float) -> NearPairs:
    """All pairs of texts whose shingle sets have a Jaccard similarity of at least `threshold`.

    Every pair returned is exact. A pair at the threshold is missed with probability 0.001, a more
    similar one far less often. Whether a pair is found depends on its two texts alone, unless the
    result says that it is not `complete`.

    Args:
        texts: A list, or an Arrow array of strings, which is read in place. A text without words
            is near to nothing.
        threshold: Over 0, at most 1.
    """
    known = as_texts(texts)
    counts, sketched = _sketched(known, threshold)
    short = counts < LONG_TEXT
    found = []
    for width in (2, 3):
        left, right, complete = _candidates(sketched.pop(0), len(known))
        ours = (short[left] | short[right]) == (width == 2)
        left, right = left[ours], right[ours]
        similarity = _compared(known, counts, width, left, right)
        near = NearPairs(left, right, similarity, len(left), complete)
        found.append(near.where(similarity >= threshold))
    return _joined(found)


def band_keys(texts: Column, threshold: float) -> BandKeys:
    """The keys of each text; two texts that share none need not be compared.

    Args:
        texts: A list, or an Arrow array of strings, which is read in place.
        threshold: Over 0, at most 1.
    """
    _, sketched = _sketched(as_texts(texts), threshold)
    blocks = [block for side in sketched for block in side]
    if not blocks:
        return BandKeys(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.uint64))
    return BandKeys(
        np.concatenate([_marked(block).ravel() for block in blocks]),
        np.concatenate([np.tile(block.rows, len(block.keys)) for block in blocks]),
        np.concatenate([_orders(block).ravel() for block in blocks]),
    )


def propose(key: Hashes, row: Indices, order: Hashes) -> Proposed:
    """All pairs of rows with equal keys, each once, in order.

    Where more than RUN rows share a key, each is paired with the NEXT ones only; those with equal
    texts only under the key of their first band.

    Args:
        key: See `BandKeys`.
        row: Any number that names a text, shape (entries,).
        order: See `BandKeys`.
    """
    rows, places = np.unique(row, return_inverse=True)
    left, right, complete = pairs_of_equal(key, lambda: order, row)
    one, other = places[left], places[right]
    different = one != other
    codes = np.minimum(one, other)[different] * len(rows) + np.maximum(one, other)[different]
    codes = distinct(codes)
    return Proposed(rows[codes // len(rows)], rows[codes % len(rows)], complete)


def similarities(texts: Column, left: Indices, right: Indices) -> NDArray[np.float64]:
    """Exact Jaccard similarity of `texts[left[i]]` and `texts[right[i]]`, shape (pairs,).

    Two texts without words are alike (1.0) and unlike any other (0.0).
    """
    known = as_texts(texts)
    used = np.unique(np.concatenate((left, right)))
    counts = np.zeros(len(known), np.int64)
    for rows in known.take(used):
        counts[rows.numbers] = counts_of(rows)
    both_long = (counts[left] >= LONG_TEXT) & (counts[right] >= LONG_TEXT)
    result = np.empty(len(left))
    for width, chosen in ((2, ~both_long), (3, both_long)):
        result[chosen] = _compared(known, counts, width, left[chosen], right[chosen])
    return result


def forest(left: Indices, right: Indices) -> tuple[Indices, Indices]:
    """Edges that connect what all edges connect, and no more; the same for any order of edges.

    Args:
        left: One end of each edge: any number.
        right: The other.
    """
    low, high = np.minimum(left, right), np.maximum(left, right)
    order = np.lexsort((high, low))
    low, high = low[order], high[order]
    _, _, joins = graph.joined(low, high)
    return low[joins], high[joins]


def components(left: Indices, right: Indices) -> tuple[Indices, Indices]:
    """`(nodes, the smallest node of each one's component)`, nodes rising."""
    nodes, labels, _ = graph.joined(left, right)
    return nodes, labels


def clusters(count: int, links: Sequence[tuple[int, int]]) -> list[int]:
    """Connected components: for each of `count` items the smallest index it is linked to."""
    left, right = np.array(links, np.int64).reshape(-1, 2).T
    nodes, labels = components(left, right)
    result = np.arange(count)
    result[nodes] = labels
    return result.tolist()


def star(
    order: Sequence[int], pairs: Iterable[tuple[int, int, float]]
) -> dict[int, tuple[int, float]]:
    """What to drop so that no kept item is near another: item -> (keeper, similarity).

    See `kernels.graph.stars`, which does the same over arrays.
    """
    if isinstance(pairs, NearPairs):
        left, right, similarity = pairs.left, pairs.right, pairs.similarity
    else:
        listed = list(pairs)
        left, right = np.array([pair[:2] for pair in listed], np.int64).reshape(-1, 2).T
        similarity = np.array([pair[2] for pair in listed], np.float64)
    found = graph.stars(np.array(order, np.int64), left, right, similarity)
    values = zip(found.keeper.tolist(), found.similarity.tolist(), strict=True)
    return dict(zip(found.item.tolist(), values, strict=True))


def bands_for(threshold: float) -> tuple[int, int]:
    """`(bands, rows a band)` so that a pair at `threshold` shares a band with chance RECALL."""
    rows = 4 if threshold >= 0.6 else 3 if threshold >= 0.45 else 2 if threshold >= 0.3 else 1
    chance = threshold**rows
    bands = 1 if chance >= 1 else math.ceil(math.log(1 - RECALL) / math.log(1 - chance))
    return bands, rows


def _sketched(texts: Texts, threshold: float) -> tuple[Indices, list[list[Sketches]]]:
    """Words a text; sketches by 2-word and by 3-word shingles, block after block."""
    functions = Functions.of(*bands_for(threshold))
    limit = int(LONG_TEXT / threshold)
    made = list(in_threads(lambda rows: sketches(rows, functions, limit), texts.blocks()))
    counts = np.concatenate([count for count, _ in made]) if made else np.empty(0, np.int64)
    return counts, [[sides[side] for _, sides in made] for side in range(2)]


def _marked(block: Sketches) -> NDArray[np.uint64]:
    """Keys that are odd in the first band and even in the others."""
    keys = block.keys & ~_ONE
    keys[0] |= _ONE
    return keys


def _orders(block: Sketches) -> NDArray[np.uint64]:
    """Half the key of the band before, so that what shares two bands is near; half the whole."""
    before = np.roll(block.keys, 1, axis=0)
    return (before & _HIGH) | (block.whole >> _32)


def _candidates(blocks: Sequence[Sketches], size: int) -> tuple[Indices, Indices, bool]:
    """Pairs that share a band, each once, `left < right`, in order; and whether these are all."""
    if not blocks:
        return np.empty(0, np.int64), np.empty(0, np.int64), True
    rows = np.concatenate([block.rows for block in blocks])
    bands = range(len(blocks[0].keys))
    complete = True
    gathered: list[Indices] = [np.empty(0, np.int64)]
    held = 0
    for left, right, whole in in_threads(lambda band: _pairs_of_band(blocks, band), bands):
        complete &= whole
        gathered.append(rows[left] * size + rows[right])
        held += len(left)
        if held > GATHERED:
            gathered, held = [distinct(np.concatenate(gathered))], 0
    codes = distinct(np.concatenate(gathered))
    return codes // size, codes % size, complete


def _pairs_of_band(blocks: Sequence[Sketches], band: int) -> tuple[Indices, Indices, bool]:
    keys = np.concatenate([block.keys[band] for block in blocks]) & ~_ONE
    if band == 0:
        keys |= _ONE

    def order() -> Hashes:
        before = np.concatenate([block.keys[band - 1] for block in blocks])
        whole = np.concatenate([block.whole for block in blocks])
        return (before & _HIGH) | (whole >> _32)

    return pairs_of_equal(keys, order)


def _compared(
    texts: Texts, counts: Indices, width: int, left: Indices, right: Indices
) -> NDArray[np.float64]:
    """Similarities of pairs, as many at a time as have COMPARED shingles."""
    parts = in_threads(
        lambda part: sets.jaccard(texts, counts, width, left[part], right[part]),
        _parts(counts[left] + counts[right]),
    )
    return np.concatenate([np.empty(0), *parts])


def _parts(sizes: Indices) -> Iterator[slice]:
    """Cut so that each part, or its one pair, has a size of COMPARED."""
    ends = np.cumsum(sizes)
    begin = 0
    while begin < len(sizes):
        wanted = ends[begin] - sizes[begin] + COMPARED
        end = max(begin + 1, int(np.searchsorted(ends, wanted, "right")))
        yield slice(begin, min(end, begin + COMPARED))
        begin = end


def _joined(found: Sequence[NearPairs]) -> NearPairs:
    return NearPairs(
        np.concatenate([pairs.left for pairs in found]),
        np.concatenate([pairs.right for pairs in found]),
        np.concatenate([pairs.similarity for pairs in found]),
        sum(pairs.compared for pairs in found),
        all(pairs.complete for pairs in found),
    )
