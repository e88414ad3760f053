"""Pairs of rows with equal keys."""

import dataclasses
from collections.abc import Callable

import numpy as np

from prefkit.cleaning.kernels.compiled import compiled
from prefkit.cleaning.kernels.hashing import Hashes
from prefkit.cleaning.kernels.texts import Indices

RUN = 200  # rows sharing a key up to which all pairs of them are made
NEXT = 16  # in longer runs each is paired with this many after it
_ONE = np.uint64(1)
_SIGNATURE = np.uint64(2**32 - 1)


@dataclasses.dataclass(frozen=True)
class Proposed:
    """Pairs that may be near duplicates.

    Attributes:
        left: The smaller row of each pair, shape (pairs,).
        right: The other, shape (pairs,).
        complete: Whether these are all pairs with equal keys.
    """

    left: Indices
    right: Indices
    complete: bool


@compiled
def _run_end(packed: Hashes, shift: np.uint64, begin: int) -> int:
    end = begin + 1
    while end < len(packed) and packed[end] >> shift == packed[begin] >> shift:
        end += 1
    return end


@compiled
def _long_runs(packed: Hashes, shift: np.uint64) -> tuple[int, list[tuple[int, int]]]:
    """`(pairs at most, beginnings and ends of the runs over RUN)`."""
    runs = []
    pairs = begin = 0
    while begin < len(packed):
        end = _run_end(packed, shift, begin)
        size = end - begin
        if size > RUN:
            runs.append((begin, end))
            pairs += size * NEXT
        else:
            pairs += size * (size - 1) // 2
        begin = end
    return pairs, runs


@compiled
def _pair(
    packed: Hashes, shift: np.uint64, keys: Hashes, order: Hashes, left: Indices, right: Indices
) -> int:
    """Write the pairs of places; how many.

    In a long run, rows of one signature (the lower half of `order`) are paired only under keys of
    the first band, which are odd: there they are neighbours just the same.
    """
    places = (np.uint64(1) << shift) - np.uint64(1)
    made = begin = 0
    while begin < len(packed):
        end = _run_end(packed, shift, begin)
        crowd = end - begin > RUN
        for at in range(begin, end - 1):
            one = np.int64(packed[at] & places)
            later = crowd and not keys[one] & _ONE
            for after in range(at + 1, min(end, at + 1 + NEXT) if crowd else end):
                other = np.int64(packed[after] & places)
                if later and (order[one] & _SIGNATURE) == (order[other] & _SIGNATURE):
                    continue
                left[made] = min(one, other)
                right[made] = max(one, other)
                made += 1
        begin = end
    return made


def pairs_of_equal(
    keys: Hashes, order: Callable[[], Hashes], rows: Indices | None = None
) -> tuple[Indices, Indices, bool]:
    """Places of equal keys in pairs, and whether these are all.

    Keys are told apart by their upper bits only: the lower ones make room for the place, so that
    one sort of plain numbers brings both in order. Of a million keys 44 bits are left, and the few
    pairs of unlike keys this adds are proposals like any other.

    Args:
        keys: Well-mixed hashes; the lowest bit says that a key is of a text's first band.
        order: Gives what sorts the places of a long run.
        rows: Settles the order where `order` ties; the places themselves when unset.
    """
    shift = np.uint64(max(len(keys) - 1, 1).bit_length())
    packed = keys >> shift << shift | np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    most, runs = _long_runs(packed, shift)
    ordering = order() if runs else keys
    for begin, end in runs:
        inside = (packed[begin:end] & ((_ONE << shift) - _ONE)).astype(np.int64)
        ties = inside if rows is None else rows[inside]
        packed[begin:end] = (packed[begin] >> shift << shift) | inside[
            np.lexsort((ties, ordering[inside]))
        ].astype(np.uint64)
    left, right = np.empty(most, np.int64), np.empty(most, np.int64)
    made = _pair(packed, shift, keys, ordering, left, right)
    return left[:made], right[:made], not runs


def distinct(codes: Indices) -> Indices:
    """The distinct ones, rising; in a third of the time of `numpy.unique`, which hashes first."""
    ordered = np.sort(codes)
    first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]
