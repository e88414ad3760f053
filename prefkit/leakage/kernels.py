"""Compiled loops over word hashes: n-gram hashes, and where texts hold an n-gram of an index."""

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.kernels.compiled import compiled

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no word's bits are lost in the product
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _6, _63 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(6), np.uint64(63)
_ONE = np.uint64(1)


@compiled
def _mix(value: np.uint64) -> np.uint64:  # splitmix64's finaliser, Steele et al. 2014
    value = (value ^ (value >> _30)) * _MIX_1
    value = (value ^ (value >> _27)) * _MIX_2
    return value ^ (value >> _31)


@compiled
def _power(n: int) -> np.uint64:
    product = _ONE
    for _ in range(n):
        product *= _BASE
    return product


@compiled
def gram_hashes(words: Hashes, offsets: Indices, n: int) -> Hashes:
    """Hash of the `n` words from each place on; 0 where fewer than `n` follow in the text.

    Args:
        words: Word hashes of all texts end to end, shape (words,).
        offsets: Where each text begins, and the total, shape (texts + 1,).
        n: Words of an n-gram.

    Returns:
        shape (words,). The hash is Rabin and Karp's polynomial, so a place costs the same for
        every `n`.
    """
    found = np.zeros(len(words), np.uint64)
    oldest = _power(n)
    for text in range(len(offsets) - 1):
        rolling = np.uint64(0)
        for place in range(offsets[text], offsets[text + 1]):
            rolling = rolling * _BASE + words[place]
            begin = place - n + 1
            if begin > offsets[text]:
                rolling -= oldest * words[begin - 1]
            if begin >= offsets[text]:
                found[begin] = _mix(rolling)
    return found


@compiled
def fill_filter(keys: Hashes, bits: int) -> Hashes:
    """A Bloom filter of one hash: bit `key >> (64 - bits)` of each key, shape (2**bits / 64,)."""
    marks = np.zeros(1 << (bits - 6), np.uint64)
    shift = np.uint64(64 - bits)
    for key in keys:
        bit = key >> shift
        marks[bit >> _6] |= _ONE << (bit & _63)
    return marks


@compiled
def probe(
    words: Hashes, offsets: Indices, n: int, keys: Hashes, marks: Hashes, bits: int
) -> tuple[Indices, Indices, Indices]:
    """Where texts hold an n-gram of a sorted index.

    Args:
        words: Word hashes of all texts end to end, shape (words,).
        offsets: Where each text begins, and the total, shape (texts + 1,).
        n: Words of an n-gram.
        keys: Sorted n-gram hashes, shape (keys,).
        marks: `fill_filter` of the keys.
        bits: Binary logarithm of the filter's size.

    Returns:
        Three arrays of one length: text, first word in the text, number of the key.
    """
    texts, places, numbers = np.empty(64, np.int64), np.empty(64, np.int64), np.empty(64, np.int64)
    count = 0
    oldest = _power(n)
    shift = np.uint64(64 - bits)
    for text in range(len(offsets) - 1):
        rolling = np.uint64(0)
        for place in range(offsets[text], offsets[text + 1]):
            rolling = rolling * _BASE + words[place]
            begin = place - n + 1
            if begin < offsets[text]:
                continue
            if begin > offsets[text]:
                rolling -= oldest * words[begin - 1]
            gram = _mix(rolling)
            bit = gram >> shift
            if not (marks[bit >> _6] >> (bit & _63)) & _ONE:
                continue
            number = _search(keys, gram)
            if number < 0:
                continue
            if count == len(texts):
                texts, places, numbers = _grown(texts), _grown(places), _grown(numbers)
            texts[count], places[count], numbers[count] = text, begin - offsets[text], number
            count += 1
    return texts[:count], places[:count], numbers[:count]


@compiled
def _search(keys: Hashes, wanted: np.uint64) -> int:
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < len(keys) and keys[low] == wanted else -1


@compiled
def _grown(values: Indices) -> Indices:
    larger = np.empty(2 * len(values), np.int64)
    larger[: len(values)] = values
    return larger


@compiled
def holds_whole(
    words: Hashes,
    offsets: Indices,
    texts: Indices,
    places: Indices,
    part_words: Hashes,
    part_offsets: Indices,
    parts: Indices,
) -> NDArray[np.bool_]:
    """For each hit: do all words of the part stand in the text from that place on, shape (hits,).

    Args:
        words: Word hashes of the texts, shape (words,).
        offsets: Where each text begins, and the total.
        texts: Text of each hit, shape (hits,).
        places: First word of each hit in its text, shape (hits,).
        part_words: Word hashes of the parts.
        part_offsets: Where each part begins, and the total.
        parts: Part of each hit, shape (hits,).
    """
    same = np.zeros(len(texts), np.bool_)
    for hit in range(len(texts)):
        begin = offsets[texts[hit]] + places[hit]
        first, last = part_offsets[parts[hit]], part_offsets[parts[hit] + 1]
        if begin + (last - first) > offsets[texts[hit] + 1]:
            continue
        same[hit] = True
        for step in range(last - first):
            if words[begin + step] != part_words[first + step]:
                same[hit] = False
                break
    return same
