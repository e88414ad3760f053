"""Words of a text as 64-bit hashes."""

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.kernels.compiled import compiled
from prefkit.cleaning.kernels.hashing import Hashes, mix, step
from prefkit.cleaning.kernels.letters import ALONE, CODE, KNOWN, LETTERS, MANY, WORD
from prefkit.cleaning.kernels.texts import Indices, Rows

_START = np.uint64(0x2545F4914F6CDD1D)
_KNOWN, _WORD, _ALONE, _MANY = (np.uint32(flag) for flag in (KNOWN, WORD, ALONE, MANY))
_CODE = np.uint32(CODE)
REPLACEMENT = 0xFFFD


@compiled
def character(data: NDArray[np.uint8], at: int, end: int) -> tuple[int | np.int64, int]:
    """`(code point, bytes)` of the character at `at`; surrogates are taken, damage is U+FFFD."""
    byte = np.int64(data[at])
    if byte < 0x80:
        return byte, 1
    size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
    if byte < 0xC0 or byte > 0xF4 or at + size > end:
        return REPLACEMENT, 1
    code = byte & (0x7F >> size)
    for place in range(at + 1, at + size):
        follows = np.int64(data[place])
        if follows & 0xC0 != 0x80:
            return REPLACEMENT, 1
        code = code << 6 | follows & 0x3F
    if code > 0x10FFFF:
        return REPLACEMENT, size
    return code, size


@compiled
def scan(
    data: NDArray[np.uint8],
    begin: int,
    end: int,
    letters: NDArray[np.uint32],
    folds: NDArray[np.uint32],
    out: Hashes,
) -> int:
    """Write the hash of each word to `out`, which holds one a byte; how many.

    A character that `letters` does not know ends it: minus one minus its code point.
    """
    count = 0
    inside = False
    hashed = _START
    at = begin
    while at < end:
        byte = data[at]
        if byte < 0x80:
            entry = letters[byte]
            at += 1
            if entry & _WORD:
                hashed = step(hashed if inside else _START, np.uint64(entry & _CODE))
                inside = True
                continue
            if entry == 0:
                return int(-1 - byte)
            if inside:
                out[count] = mix(hashed)
                count += 1
                inside = False
            continue
        code, size = character(data, at, end)
        at += size
        entry = letters[code]
        if entry == 0:
            return int(-1 - code)
        parts = folds.shape[1] if entry & _MANY else 1
        row = np.int64(entry & _CODE)
        for part in range(parts):
            if parts > 1:
                entry = folds[row, part]
                if entry == 0:
                    break
            alone = entry & _ALONE
            if inside and (alone or not entry & _WORD):
                out[count] = mix(hashed)
                count += 1
                inside = False
            if entry & _WORD:
                hashed = step(hashed if inside else _START, np.uint64(entry & _CODE))
                inside = True
                if alone:
                    out[count] = mix(hashed)
                    count += 1
                    inside = False
    if inside:
        out[count] = mix(hashed)
        count += 1
    return count


@compiled
def longest(offsets: Indices, places: Indices) -> int:
    """Bytes of the longest of some texts."""
    found = 0
    for place in places:
        found = max(found, offsets[place + 1] - offsets[place])
    return found


@compiled
def _fill(
    data: NDArray[np.uint8],
    offsets: Indices,
    places: Indices,
    letters: NDArray[np.uint32],
    folds: NDArray[np.uint32],
    counts: Indices,
    out: Hashes,
) -> int:
    """Words of texts end to end in `out`; how many in all, or a missing letter."""
    total = 0
    for number, place in enumerate(places):
        found = scan(data, offsets[place], offsets[place + 1], letters, folds, out[total:])
        if found < 0:
            return found
        counts[number] = found
        total += found
    return total


@compiled
def _count(
    data: NDArray[np.uint8],
    offsets: Indices,
    places: Indices,
    letters: NDArray[np.uint32],
    folds: NDArray[np.uint32],
    counts: Indices,
) -> int:
    """Number of words of each text; 0, or a missing letter."""
    out = np.empty(longest(offsets, places) + 1, np.uint64)
    for number, place in enumerate(places):
        found = scan(data, offsets[place], offsets[place + 1], letters, folds, out)
        if found < 0:
            return found
        counts[number] = found
    return 0


def words_of(rows: Rows) -> tuple[Hashes, Indices]:
    """Hashes of the words of some texts end to end, and how many each has."""
    chunk, places = rows.chunk, rows.places
    lengths = chunk.offsets[places + 1] - chunk.offsets[places]
    counts = np.zeros(len(places), np.int64)
    out = np.empty(int(lengths.sum()) + 1, np.uint64)
    total = LETTERS.until_known(
        lambda: _fill(
            chunk.data, chunk.offsets, places, LETTERS.letters, LETTERS.folds, counts, out
        )
    )
    return out[:total].copy(), counts


def counts_of(rows: Rows) -> Indices:
    """How many words each text has."""
    chunk, places = rows.chunk, rows.places
    counts = np.zeros(len(places), np.int64)
    LETTERS.until_known(
        lambda: _count(chunk.data, chunk.offsets, places, LETTERS.letters, LETTERS.folds, counts)
    )
    return counts
