"""All pairs of vectors whose cosine reaches a threshold, and what is nearest to each.

Up to `EXACT` vectors every pair is computed. Above, vectors lie in k-means blocks and each is
compared with the blocks of its 2 nearest centroids (SemDeDup compares within one: Abbas et al.
2023, arXiv 2303.09540); which share of the pairs that finds is measured on a sample.

Whether a pair counts is decided by its own cosine, computed alone in double precision and rounded
to 6 digits: neither the order of the vectors nor how the work is cut can be seen in the result.
"""

import dataclasses
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prefkit.errors import PrefkitError

Indices = NDArray[np.int64]
Rows = NDArray[np.float32]

EXACT: Final = 50_000  # vectors up to which every pair is computed
PER_BLOCK: Final = 1_000  # vectors a k-means block, about
PROBES: Final = 2  # nearest centroids whose blocks a vector is compared with
TRAINED: Final = 50_000  # vectors that the centroids are fitted to
SAMPLED: Final = 500  # vectors compared with all others to measure what blocks miss
CELLS: Final = 1 << 24  # cosines held at a time
GROUP: Final = 32  # columns of which only the largest is looked at first
MOST: Final = 5_000_000  # pairs held
SPARE: Final = 4  # more neighbours than wanted: which are nearest is decided in double precision
SLACK: Final = 1e-4  # float32 products are this near to the cosine
DIGITS: Final = 6


@dataclasses.dataclass(frozen=True)
class Near:
    """Pairs at or above a threshold, each once with `left < right`, in order.

    Attributes:
        left: One vector, shape (pairs,).
        right: The other, shape (pairs,).
        cosine: The smallest cosine of their parts, shape (pairs,).
        blocks: K-means blocks; 0 when every pair was computed.
        sampled: Pairs that a sample of vectors has with all others; 0 when all were computed.
        found: How many of these the blocks found.
    """

    left: Indices
    right: Indices
    cosine: NDArray[np.float64]
    blocks: int = 0
    sampled: int = 0
    found: int = 0

    def where(self, keep: NDArray[np.bool_]) -> "Near":
        """Only the pairs where `keep` holds."""
        return dataclasses.replace(
            self, left=self.left[keep], right=self.right[keep], cosine=self.cosine[keep]
        )

    def __len__(self) -> int:
        """How many pairs."""
        return len(self.left)


class TooManyPairs(PrefkitError):
    """The threshold is so low that more pairs reach it than can be held."""


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Which vectors are compared with which.

    Attributes:
        probed: The nearest centroids of each vector, nearest first, shape (vectors, PROBES).
        count: How many centroids; 0: every pair is computed.
    """

    probed: Indices
    count: int

    @classmethod
    def of(cls, rows: Rows, seed: int = 0, exact: int = EXACT) -> "Blocks":
        """Blocks for more than `exact` vectors, one for all up to that."""
        if len(rows) <= exact:
            return cls(np.zeros((len(rows), 1), np.int64), 0)
        count = max(2, len(rows) // PER_BLOCK)
        return cls(_probed(rows, _centroids(rows, count, seed)), count)

    def tiles(self, rows: Rows, *, once: bool = False) -> Iterator[tuple[Indices, Indices, Rows]]:
        """Yield `(some vectors, those that they are compared with, products)`.

        Each vector comes once on the left side; with `once`, where every pair is computed, each
        pair comes once too, but for those within a tile.
        """
        for block in range(max(1, self.count)):
            if self.count:
                mine = np.flatnonzero(self.probed[:, 0] == block)
                others = np.flatnonzero((self.probed == block).any(axis=1))
                table = rows[others]
            else:
                mine = others = np.arange(len(rows))
                table = rows
            step = max(1, CELLS // max(1, len(others)))
            for at in range(0, len(mine), step):
                part = mine[at : at + step]
                begin = at if once and not self.count else 0
                yield part, others[begin:], rows[part] @ table[begin:].T


def near(rows: Rows, threshold: float, parts: int = 1, blocks: Blocks | None = None) -> Near:
    """All pairs of vectors of which each part has at least this cosine.

    Args:
        rows: Vectors of length 1, shape (vectors, dimensions); of several parts, these follow each
            other in a row, each of length 1, and the row is divided by the root of their number.
        threshold: Over 0, at most 1.
        parts: How many parts a row has.
        blocks: What is compared with what; made for these rows when not given.

    Raises:
        TooManyPairs: More than `MOST` pairs reach the threshold.
    """
    blocks = blocks or Blocks.of(rows)
    codes, held = [np.empty(0, np.int64)], 0
    for mine, others, products in blocks.tiles(rows, once=True):
        fresh = _codes(products, mine, others, threshold, len(rows))
        codes.append(fresh)
        held += len(fresh)
        if held > MOST:
            codes = [np.unique(np.concatenate(codes))]
            held = len(codes[0])
            _refuse_crowd(held, threshold)
    found = np.unique(np.concatenate(codes))
    _refuse_crowd(len(found), threshold)
    size = max(1, len(rows))
    left, right = found // size, found % size
    cosine = cosines(rows, left, right, parts)
    result = Near(left, right, cosine, blocks.count).where(cosine >= round(threshold, DIGITS))
    return _with_recall(result, rows, threshold, parts) if blocks.count else result


def cosines(rows: Rows, left: Indices, right: Indices, parts: int = 1) -> NDArray[np.float64]:
    """The smallest cosine of the parts of each pair, rounded to 6 digits, shape (pairs,)."""
    found = np.empty(len(left))
    step = max(1, CELLS // max(1, rows.shape[1]))
    for at in range(0, len(left), step):
        one, other = (
            rows[side[at : at + step]].astype(np.float64).reshape(-1, parts, rows.shape[1] // parts)
            for side in (left, right)
        )
        found[at : at + step] = np.einsum("ipd,ipd->ip", one, other).min(axis=1) * parts
    return np.round(found, DIGITS)


def nearest(rows: Rows, count: int, blocks: Blocks | None = None) -> NDArray[np.float64]:
    """Cosines with the nearest others of each vector, falling, shape (vectors, count).

    Where a vector is compared with fewer others, nan stands for those that are missing.
    """
    blocks = blocks or Blocks.of(rows)
    found = np.full((len(rows), count), np.nan)
    for mine, others, products in blocks.tiles(rows):
        itself = np.searchsorted(others, mine)
        products[np.arange(len(mine)), itself] = -np.inf
        take = min(count, len(others) - 1)
        if take > 0:
            best = others[_largest(products, min(take + SPARE, len(others) - 1))]
            cosine = cosines(rows, np.repeat(mine, best.shape[1]), best.ravel())
            cosine = np.sort(cosine.reshape(best.shape), axis=1)[:, ::-1]
            found[mine, :take] = cosine[:, :take]
    return found


def _largest(values: Rows, count: int) -> Indices:
    """Columns of the largest values of each row, in any order.

    They lie in the groups of columns with the largest maxima, so few columns need be looked at.
    """
    groups = values.shape[1] // GROUP
    columns = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    if groups > 2 * count:
        whole = groups * GROUP
        grouped = values[:, :whole].reshape(len(values), groups, GROUP).max(axis=2)
        chosen = np.argpartition(grouped, groups - count, axis=1)[:, -count:]
        inside = (chosen[:, :, None] * GROUP + np.arange(GROUP)).reshape(len(values), -1)
        columns = np.concatenate((inside, columns[:, whole:]), axis=1)
        values = np.take_along_axis(values, columns, axis=1)
    best = np.argpartition(values, values.shape[1] - count, axis=1)[:, -count:]
    return np.take_along_axis(columns, best, axis=1)


def _codes(products: Rows, mine: Indices, others: Indices, threshold: float, size: int) -> Indices:
    """Pairs whose row product reaches the threshold, as `smaller * vectors + larger`.

    The product of two rows is the mean cosine of their parts, which the smallest cannot exceed.
    """
    at, to = np.nonzero(products >= threshold - SLACK)
    left, right = mine[at], others[to]
    apart = left != right
    low = np.minimum(left[apart], right[apart])
    high = np.maximum(left[apart], right[apart])
    return np.unique(low * size + high)


def _refuse_crowd(count: int, threshold: float) -> None:
    if count > MOST:
        raise TooManyPairs(
            f"More than {MOST:,} pairs of texts have a cosine of at least {threshold:g}.",
            hint="Raise the threshold; `prefkit similar SOURCE` suggests one.",
        )


def _centroids(rows: Rows, count: int, seed: int) -> Rows:
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    chosen = np.random.default_rng(seed).permutation(len(rows))[: max(TRAINED, 10 * count)]
    model = MiniBatchKMeans(
        count, init="random", n_init=1, batch_size=4096, max_iter=10, random_state=seed
    )
    with threadpool_limits(1):  # sums in one order give the same centroids on any machine size
        model.fit(rows[np.sort(chosen)])
    return model.cluster_centers_.astype(np.float32)


def _probed(rows: Rows, centroids: Rows) -> Indices:
    half = (centroids * centroids).sum(axis=1) / 2
    found = np.empty((len(rows), PROBES), np.int64)
    step = max(1, CELLS // len(centroids))
    for at in range(0, len(rows), step):
        nearness = rows[at : at + step] @ centroids.T - half
        best = np.argpartition(-nearness, PROBES - 1, axis=1)[:, :PROBES]
        order = np.argsort(-np.take_along_axis(nearness, best, axis=1), axis=1, kind="stable")
        found[at : at + step] = np.take_along_axis(best, order, axis=1)
    return found


def _with_recall(result: Near, rows: Rows, threshold: float, parts: int) -> Near:
    """The result with what a seeded sample of vectors, compared with all others, says of it."""
    chosen = np.sort(np.random.default_rng(1).permutation(len(rows))[:SAMPLED])
    everything = np.arange(len(rows))
    codes = [
        _codes(rows[part] @ rows.T, part, everything, threshold, len(rows))
        for part in np.array_split(chosen, max(1, len(chosen) * len(rows) // CELLS))
    ]
    exact = np.unique(np.concatenate(codes))
    cosine = cosines(rows, exact // len(rows), exact % len(rows), parts)
    exact = exact[cosine >= round(threshold, DIGITS)]
    known = result.left * len(rows) + result.right
    found = int(np.isin(exact, known).sum())
    return dataclasses.replace(result, sampled=len(exact), found=found)
