"""Texts far from all others, and sources far from the rest."""

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prefkit.evaluation.statistics import Estimate, bootstrap
from prefkit.semantic.search import Blocks, Rows, nearest

NEIGHBOURS: Final = 10
FAR: Final = -3.5  # robust z from which a text is an outlier (Iglewicz and Hoaglin 1993)
SCALE: Final = 0.6745  # MAD of a normal distribution, in standard deviations
MEAN_SCALE: Final = 1.253314  # a standard deviation, in mean absolute deviations
FEWEST: Final = 30  # texts below which "far" means nothing
LOOKED_AT: Final = 5_000  # texts of a source


@dataclasses.dataclass(frozen=True)
class Nearness:
    """How near each text is to others.

    Attributes:
        nearest: Cosine with the nearest other; nan where there is none, shape (texts,).
        mean: Mean cosine with the nearest few; nan where there are none, shape (texts,).
        z: Robust z of that mean: (mean - median) * 0.6745 / MAD; where MAD is 0, over 1.2533 times
            the mean absolute deviation, shape (texts,).
        median: Of the means.
        spread: Their median absolute deviation.
    """

    nearest: NDArray[np.float64]
    mean: NDArray[np.float64]
    z: NDArray[np.float64]
    median: float
    spread: float

    def outliers(self) -> NDArray[np.int64]:
        """The texts with a z of at most `FAR`, farthest first; none among few texts."""
        known = np.flatnonzero(self.z <= FAR)
        if np.count_nonzero(np.isfinite(self.mean)) < FEWEST:
            return known[:0]
        return known[np.argsort(self.z[known], kind="stable")]


@dataclasses.dataclass(frozen=True)
class SourceNearness:
    """How near the texts of one source are to those of the others.

    Attributes:
        source: Its name.
        texts: How many.
        nearness: Mean over its texts of the cosine with their nearest text of another source.
    """

    source: str
    texts: int
    nearness: Estimate


def nearness(rows: Rows, count: int = NEIGHBOURS, blocks: Blocks | None = None) -> Nearness:
    """Mean cosine of each text with its nearest others, and how unusual that is."""
    found = nearest(rows, count, blocks)
    known = np.isfinite(found)
    many = known.sum(axis=1)
    total = np.where(known, found, 0.0).sum(axis=1)
    mean = np.where(many > 0, total / np.maximum(many, 1), np.nan)
    finite = mean[np.isfinite(mean)]
    median = float(np.median(finite)) if len(finite) else float("nan")
    spread = float(np.median(np.abs(finite - median))) if len(finite) else float("nan")
    unit = spread / SCALE
    if not unit > 0 and len(finite):
        unit = float(np.mean(np.abs(finite - median))) * MEAN_SCALE
    z = (mean - median) / unit if unit > 0 else np.zeros(len(mean))
    return Nearness(found[:, 0], mean, z, median, spread)


def by_source(rows: Rows, sources: Sequence[str], seed: int = 0) -> list[SourceNearness]:
    """How near each source is to the others, farthest first; nothing when there is one source.

    Args:
        rows: Vectors, one a text.
        sources: Where each is from.
        seed: Of the bootstrap, and of the sample of a source with more than `LOOKED_AT` texts.
    """
    names = np.array(sources, dtype=object)
    known = sorted(set(sources))
    if len(known) < 2:
        return []
    found = []
    for name in known:
        mine, others = rows[names == name], rows[names != name]
        best = _nearest_other(_sampled(mine, seed), _sampled(others, seed))
        estimate = bootstrap(best.tolist(), seed=seed)
        found.append(SourceNearness(name, len(mine), estimate))
    return sorted(found, key=lambda one: (one.nearness.value, one.source))


def _sampled(rows: Rows, seed: int) -> Rows:
    if len(rows) <= LOOKED_AT:
        return rows
    return rows[np.sort(np.random.default_rng(seed).permutation(len(rows))[:LOOKED_AT])]


def _nearest_other(mine: Rows, others: Rows) -> NDArray[np.float64]:
    step = max(1, (1 << 24) // len(others))
    parts = [(mine[at : at + step] @ others.T).max(axis=1) for at in range(0, len(mine), step)]
    return np.concatenate(parts).astype(np.float64)
