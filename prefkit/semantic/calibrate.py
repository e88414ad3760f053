"""Which cosine means the same, in these texts and to this embedder: shown, not assumed.

A fixed threshold means nothing: with one embedder random texts of a corpus have a cosine of 0.1,
with another 0.7. So random pairs are measured, then pairs that repeat each other in nearly the
same words, and a threshold is suggested with its reason. Pairs on both sides of it are shown to a
person, who decides.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.facts import PRONOUN, same_facts
from prefkit.cleaning.near_duplicates import near_pairs
from prefkit.evaluation.statistics import LEVEL, Estimate
from prefkit.semantic.search import DIGITS, Near, Rows, cosines

RANDOM: Final = 200_000  # pairs drawn
LEXICAL: Final = 0.7  # Jaccard of near duplicates
LOOKED_AT: Final = 100_000  # texts among which near duplicates are looked for
ENOUGH: Final = 20  # near duplicates that say something
MANY: Final = 10_000  # texts from which duplicates are too rare to show among random pairs
TAIL: Final = 3.719 / 1.645  # of a normal distribution: its 99.99 % quantile over its 95 %
WAY: Final = 2 / 3  # from where random pairs end to 1
STEP: Final = 0.005  # a suggestion is a multiple of this
BANDS: Final = (-0.1, -0.05, -0.02, 0.0, 0.02, 0.05, 1.0)  # around the threshold
LOWEST: Final = 0.05
HIGHEST: Final = 0.99  # over it only copies would be left to read


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """A threshold to begin with.

    Attributes:
        threshold: The cosine.
        reason: How it came about, in a sentence.
    """

    threshold: float
    reason: str


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What cosines mean here.

    Attributes:
        random: Cosines of random pairs, rising.
        median: Of the random pairs.
        high: Their 99.9 % quantile.
        highest: Their 99.99 % quantile.
        floor: Where random pairs end, had the texts no duplicates among them.
        lexical: Cosines of pairs in nearly the same words, rising.
        lexical_low: Their 5 % quantile; without a value when there are too few.
        suggestion: The threshold to begin with.
    """

    random: NDArray[np.float64]
    median: Estimate
    high: Estimate
    highest: Estimate
    floor: float
    lexical: NDArray[np.float64]
    lexical_low: Estimate
    suggestion: Suggestion


@dataclasses.dataclass(frozen=True)
class Band:
    """Sampled pairs of one range of cosines.

    Attributes:
        low: Least cosine.
        high: The cosine that is not reached; over 1 in the last.
        count: How many pairs lie there.
        pairs: Places in `Near` of those that are shown.
    """

    low: float
    high: float
    count: int
    pairs: tuple[int, ...]


def calibrate(rows: Rows, texts: Sequence[str], parts: int = 1, seed: int = 0) -> Calibration:
    """Measure random and nearly equal pairs, and suggest a threshold.

    Args:
        rows: Vectors; see `search.near`.
        texts: What is compared, one a row.
        parts: Parts of a row.
        seed: Of the draws.
    """
    left, right = _random_pairs(len(rows), seed)
    random = np.sort(cosines(rows, left, right, parts))
    lexical = np.sort(_lexical(rows, texts, parts))
    highest, median = quantile(random, 0.9999), quantile(random, 0.5)
    floor = _floor(len(rows), highest.value, median.value, quantile(random, 0.95).value)
    low = quantile(lexical if len(lexical) >= ENOUGH else lexical[:0], 0.05)
    return Calibration(
        random=random,
        median=median,
        high=quantile(random, 0.999),
        highest=highest,
        floor=floor,
        lexical=lexical,
        lexical_low=low,
        suggestion=suggested(floor, len(random), low),
    )


def suggested(floor: float, drawn: int, lexical_low: Estimate) -> Suggestion:
    """A threshold from what random and nearly equal pairs show.

    Args:
        floor: Where random pairs end; nan without any.
        drawn: How many random pairs.
        lexical_low: 5 % quantile of pairs in nearly the same words; without enough, no value.
    """
    if math.isnan(floor):
        return Suggestion(0.9, "There is nothing to compare; 0.9 is a guess.")
    said = f"random pairs (n = {drawn:,}) end at about {floor:.3f}"
    if not math.isnan(lexical_low.value) and lexical_low.value > floor:
        threshold, reason = (
            lexical_low.value,
            f"95 % of the {lexical_low.n} pairs in nearly the same words (Jaccard {LEXICAL:g}, the "
            f"same facts) are at least this near, and {said}.",
        )
    else:
        threshold, reason = (
            floor + (1 - floor) * WAY,
            f"Two thirds of the way from where {said}, to 1, because fewer than {ENOUGH} pairs in "
            "nearly the same words show what a duplicate looks like here.",
        )
    steps = math.ceil(round(threshold / STEP, 6))
    return Suggestion(round(min(HIGHEST, max(LOWEST, steps * STEP)), 3), reason)


def bands(pairs: Near, threshold: float, ids: Sequence[str], sample: int, seed: int) -> list[Band]:
    """Pairs around a threshold, drawn from bands of cosines; which ones depends on their ids."""
    edges = [round(threshold + step, DIGITS) for step in BANDS[:-1]] + [1.01]
    share = max(1, math.ceil(sample / (len(edges) - 1)))
    found = []
    for low, high in itertools.pairwise(edges):
        if low >= 1:
            continue
        inside = np.flatnonzero((pairs.cosine >= low) & (pairs.cosine < high))
        shown = sorted(inside.tolist(), key=lambda at: _lot(pairs, at, ids, seed))[:share]
        shown.sort(key=lambda at: (-pairs.cosine[at], ids[pairs.left[at]], ids[pairs.right[at]]))
        found.append(Band(low, min(high, 1.0), len(inside), tuple(shown)))
    return found[::-1]


def quantile(ordered: NDArray[np.float64], share: float) -> Estimate:
    """A quantile of rising values with the interval of order statistics (Conover 1999, 3.2)."""
    from scipy.stats import binom

    method = f"order statistics {LEVEL:.0%}"
    count = len(ordered)
    if not count:
        return Estimate(math.nan, 0, method=method)
    at = min(count - 1, max(0, math.ceil(share * count) - 1))
    low = int(binom.ppf((1 - LEVEL) / 2, count, share)) - 1
    high = int(binom.ppf((1 + LEVEL) / 2, count, share))
    ends = (
        float(ordered[low]) if low >= 0 else None,
        float(ordered[high]) if high < count else None,
    )
    return Estimate(float(ordered[at]), count, *ends, method)


def _floor(texts: int, highest: float, median: float, most: float) -> float:
    """Where random pairs end: their 99.99 % quantile, or what a normal tail makes of it.

    Among few texts, each with a duplicate, one of `texts` random pairs is a duplicate itself, and
    the 99.99 % quantile is theirs. The tail over the 95 % quantile (`most`) tells without them.
    """
    if texts >= MANY or math.isnan(highest):
        return highest if math.isnan(highest) else max(0.0, highest)
    return max(0.0, min(highest, median + (most - median) * TAIL))


def _random_pairs(size: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct pairs; all of them where there are few."""
    total = size * (size - 1) // 2
    if total <= RANDOM:
        left, right = np.triu_indices(size, 1)
        return left.astype(np.int64), right.astype(np.int64)
    draws = np.random.default_rng(seed)
    left = draws.integers(size, size=RANDOM)
    right = (left + draws.integers(1, size, size=RANDOM)) % size
    return left, right


def _lexical(rows: Rows, texts: Sequence[str], parts: int) -> NDArray[np.float64]:
    """Cosines of the pairs that near-duplicate search finds, with the same facts."""
    looked_at = list(texts[:LOOKED_AT])
    pairs = near_pairs(looked_at, LEXICAL)
    same = np.array(
        [same_facts(looked_at[one], looked_at[other], PRONOUN) for one, other, _ in pairs], np.bool_
    )
    return cosines(rows, pairs.left[same], pairs.right[same], parts)


def _lot(pairs: Near, at: int, ids: Sequence[str], seed: int) -> str:
    from prefkit.records import content_id

    return content_id(seed, *sorted((ids[pairs.left[at]], ids[pairs.right[at]])))
