"""AUC: how often one side has more of something, and how well something tells two classes apart.

0.5 is no relation; 1 means that the winner always has more, 0 that it always has less.
"""

import dataclasses
import math

import numpy as np

from prefkit.evaluation.statistics import (
    LEVEL,
    Estimate,
    bootstrap_sums,
    normal_quantile,
    paired_counts,
    wilson,
)


def paired_auc(more: np.ndarray, less: np.ndarray, groups: np.ndarray, seed: int = 0) -> Estimate:
    """P(the winner has more) + ½ P(both have the same), over pairs.

    Where each prompt has one pair the interval is that of Bonett and Price (2012); where one has
    several, prompts are resampled, since the pairs of a prompt are not independent.

    Args:
        more: A number of each winner.
        less: The same of each loser.
        groups: The prompt of each pair.
        seed: Of the resampling.
    """
    up, down = more > less, more < less
    n = len(up)
    if not n:
        return Estimate(math.nan, 0, method="no pairs")
    places, index = np.unique(groups, return_inverse=True)
    if len(places) == n:
        change = paired_counts(int(down.sum()), int(up.sum()), n)
        return _halved(change)
    won = np.bincount(index, (up - down.astype(np.int64) + 1) / 2)
    sums = bootstrap_sums(_ratio, np.stack([won, np.bincount(index).astype(float)]), seed=seed)
    return dataclasses.replace(never_without(sums), n=n)


def two_class_auc(scores: np.ndarray, labels: np.ndarray) -> Estimate:
    """P(one that is labelled has more than one that is not) + ½ P(both have the same).

    The interval is DeLong's (1988); where it has no width, Wilson's over the smaller class.

    Args:
        scores: A number of each item.
        labels: True or False.
    """
    yes, no = np.sort(scores[labels]), np.sort(scores[~labels])
    if not len(yes) or not len(no):
        return Estimate(math.nan, len(scores), method="only one label")
    above = (np.searchsorted(no, yes, "left") + np.searchsorted(no, yes, "right")) / (2 * len(no))
    below = (np.searchsorted(yes, no, "left") + np.searchsorted(yes, no, "right")) / (2 * len(yes))
    value, n = float(above.mean()), len(scores)
    spread = math.nan
    if min(len(yes), len(no)) > 1:
        spread = math.sqrt(above.var(ddof=1) / len(yes) + below.var(ddof=1) / len(no))
    if not spread > 0:
        fewer = min(len(yes), len(no))
        narrow = wilson(value * fewer, fewer)
        return Estimate(value, n, narrow.low, narrow.high, "Wilson 95%, smaller class")
    half = normal_quantile((1 + LEVEL) / 2) * spread
    return Estimate(value, n, max(0.0, value - half), min(1.0, value + half), "DeLong 95%")


def never_without(estimate: Estimate) -> Estimate:
    """A mean of what lies in 0 to 1; where all items agree, with Wilson's interval."""
    if estimate.low is not None or not estimate.n:
        return estimate
    return wilson(estimate.value * estimate.n, estimate.n)


def _halved(change: Estimate) -> Estimate:
    """A difference of shares as the AUC that it says."""
    assert change.low is not None
    assert change.high is not None
    low, high = (1 + change.low) / 2, (1 + change.high) / 2
    return Estimate((1 + change.value) / 2, change.n, low, high, change.method)


def _ratio(won: np.ndarray, count: np.ndarray) -> np.ndarray:
    return won / count
