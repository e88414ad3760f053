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
def _run_end(keys: Hashes, places: Indices, begin: int) -> int:
    end = begin + 1
    while end < len(places) and keys[places[end]] == keys[places[begin]]:
        end += 1
    return end


@compiled
def _long_runs(keys: Hashes, places: Indices) -> tuple[int, list[tuple[int, int]]]:
    """`(pairs at most, beginnings and ends of the runs over RUN)`."""
    runs = []
    pairs = begin = 0
    while begin < len(places):
        end = _run_end(keys, places, begin)
        size = end - begin
        if size > RUN:
            runs.append((begin, end))
            pairs += size * NEXT
        else:
            pairs += size * (size - 1) // 2
        begin = end
    return pairs, runs


@compiled
def _pair(keys: Hashes, places: Indices, order: Hashes, left: Indices, right: Indices) -> int:
    """Write the pairs of places; how many.

    In a long run, rows of one signature (the lower half of `order`) are paired only under keys of
    the first band, which are odd: there they are neighbours just the same.
    """
    made = begin = 0
    while begin < len(places):
        end = _run_end(keys, places, begin)
        crowd = end - begin > RUN
        later = not keys[places[begin]] & _ONE
        for at in range(begin, end):
            one = places[at]
            for other in places[at + 1 : min(end, at + 1 + NEXT) if crowd else end]:
                if crowd and later and (order[one] & _SIGNATURE) == (order[other] & _SIGNATURE):
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

    Args:
        keys: The lowest bit says that a key is of a text's first band.
        order: Gives what sorts the places of a long run.
        rows: Settles the order where `order` ties; the places themselves when unset.
    """
    places = np.argsort(keys)
    most, runs = _long_runs(keys, places)
    ordering = order() if runs else keys
    for begin, end in runs:
        inside = np.sort(places[begin:end])
        ties = inside if rows is None else rows[inside]
        places[begin:end] = inside[np.lexsort((ties, ordering[inside]))]
    left, right = np.empty(most, np.int64), np.empty(most, np.int64)
    made = _pair(keys, places, ordering, left, right)
    return left[:made], right[:made], not runs
