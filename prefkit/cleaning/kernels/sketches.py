"""MinHash band keys of texts: two texts that share one are worth comparing.

MinHash by Broder (1997), bands by Leskovec et al., Mining of Massive Datasets, ch. 3. All minima
of a text are kept in one vector of 32-bit numbers that the compiler turns into SIMD, which makes
`bands * rows` independent functions as cheap as one-permutation hashing with its empty bins.

Texts of fewer than LONG words are compared by 2-word shingles, longer ones by 3-word shingles, a
long with a short one by 2-word shingles too. A Jaccard similarity of t needs |A| >= t |B|, so only
long texts of few distinct 2-word shingles can be near to a short one; the others have no such keys.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.kernels.compiled import compiled
from prefkit.cleaning.kernels.hashing import Hashes, mix, shingle, step
from prefkit.cleaning.kernels.letters import LETTERS
from prefkit.cleaning.kernels.texts import Indices, Rows
from prefkit.cleaning.kernels.words import longest, scan

LONG = 40  # words from which shingles have three words
_HIGH = np.uint32(2**32 - 1)
_32 = np.uint64(32)
_SCATTER = np.uint64(0x9E3779B97F4A7C15)


@dataclasses.dataclass(frozen=True)
class Functions:
    """The hash functions x -> a x + b mod 2^32 of a number of bands.

    They are constants of the program: whether two texts are compared must not depend on a run.
    """

    multipliers: NDArray[np.uint32]
    addends: NDArray[np.uint32]
    bands: int

    @classmethod
    def of(cls, bands: int, rows: int) -> "Functions":
        """Functions for `bands` of so many rows."""
        random = np.random.Generator(np.random.PCG64(20_261_122))
        multipliers = random.integers(0, 2**32, bands * rows, np.uint32) | np.uint32(1)
        return cls(multipliers, random.integers(0, 2**32, bands * rows, np.uint32), bands)


@dataclasses.dataclass(frozen=True)
class Sketches:
    """Band keys of texts by shingles of one width.

    Attributes:
        rows: Numbers of the texts, rising, shape (texts,).
        keys: One a band and text, shape (bands, texts).
        whole: A hash of all keys of a text, shape (texts,).
    """

    rows: Indices
    keys: NDArray[np.uint64]
    whole: Hashes


@compiled
def _few(words: Hashes, count: int, limit: int, seen: Hashes, stamps: Indices, stamp: int) -> bool:
    """Whether the words have at most `limit` distinct 2-word shingles."""
    size = len(seen)
    found = 0
    for at in range(max(count - 1, 1)):
        value = shingle(words, at, min(2, count))
        place = np.int64(value >> _32) % size
        while stamps[place] == stamp and seen[place] != value:
            place = (place + 1) % size
        if stamps[place] != stamp:
            stamps[place] = stamp
            seen[place] = value
            found += 1
            if found > limit:
                return False
    return True


@compiled
def _sketch(
    words: Hashes,
    count: int,
    width: int,
    multipliers: NDArray[np.uint32],
    addends: NDArray[np.uint32],
    hashes: NDArray[np.uint32],
    minima: NDArray[np.uint32],
    keys: Hashes,
) -> np.uint64:
    """Write a key for each band; a hash of them all."""
    for at in range(len(minima)):
        minima[at] = _HIGH
    taken = min(width, count)
    shingles = count - taken + 1
    for at in range(shingles):
        hashes[at] = np.uint32(shingle(words, at, taken) >> _32)
    for value in hashes[:shingles]:
        for function in range(len(minima)):
            hashed = np.uint32(value * multipliers[function] + addends[function])
            minima[function] = min(minima[function], hashed)
    rows = len(minima) // len(keys)
    whole = np.uint64(width)
    for band in range(len(keys)):
        key = np.uint64(width * 1000 + band)
        for at in range(band * rows, band * rows + rows):
            key = step(key, np.uint64(minima[at]))
            key ^= key >> _32
        key = mix(key)
        keys[band] = key
        whole = step(whole, key)
        whole ^= whole >> _32
    return whole


@compiled
def _sketches(
    data: NDArray[np.uint8],
    offsets: Indices,
    places: Indices,
    letters: NDArray[np.uint32],
    folds: NDArray[np.uint32],
    multipliers: NDArray[np.uint32],
    addends: NDArray[np.uint32],
    limit: int,
    counts: Indices,
    narrow: NDArray[np.uint64],
    narrow_whole: Hashes,
    wide: NDArray[np.uint64],
    wide_whole: Hashes,
    found: NDArray[np.uint8],
) -> int:
    """Sketches of texts by 2-word (`narrow`) and 3-word (`wide`) shingles; 0 or a missing letter.

    Bit 0 of `found` says that a text has the first, bit 1 the second.
    """
    words = np.empty(longest(offsets, places) + 1, np.uint64)
    hashes = np.empty(len(words), np.uint32)
    minima = np.empty(len(multipliers), np.uint32)
    seen = np.empty(4 * limit + 64, np.uint64)
    stamps = np.full(len(seen), -1)
    for number, place in enumerate(places):
        count = scan(data, offsets[place], offsets[place + 1], letters, folds, words)
        if count < 0:
            return count
        counts[number] = count
        found[number] = 0
        if count == 0:
            continue
        if count < LONG or _few(words, count, limit, seen, stamps, number):
            keys = narrow[number]
            narrow_whole[number] = _sketch(
                words, count, 2, multipliers, addends, hashes, minima, keys
            )
            found[number] |= 1
        if count >= LONG:
            keys = wide[number]
            wide_whole[number] = _sketch(
                words, count, 3, multipliers, addends, hashes, minima, keys
            )
            found[number] |= 2
    return 0


def sketches(rows: Rows, functions: Functions, limit: int) -> tuple[Indices, list[Sketches]]:
    """Number of words of each text, and their sketches by 2-word and by 3-word shingles.

    Args:
        rows: Some texts.
        functions: As many as the sketches have minima.
        limit: Distinct 2-word shingles up to which a long text may be near to a short one.
    """
    chunk, places = rows.chunk, rows.places
    size = len(places)
    counts, found = np.zeros(size, np.int64), np.zeros(size, np.uint8)
    keys = [np.empty((size, functions.bands), np.uint64) for _ in range(2)]
    whole = [np.empty(size, np.uint64) for _ in range(2)]
    LETTERS.until_known(
        lambda: _sketches(
            chunk.data,
            chunk.offsets,
            places,
            LETTERS.letters,
            LETTERS.folds,
            functions.multipliers,
            functions.addends,
            limit,
            counts,
            keys[0],
            whole[0],
            keys[1],
            whole[1],
            found,
        )
    )
    made = []
    for side in range(2):
        has = np.flatnonzero(found & (1 << side))
        compact = np.ascontiguousarray(keys[side][has].T)
        made.append(Sketches(rows.numbers[has], compact, whole[side][has]))
    return counts, made
