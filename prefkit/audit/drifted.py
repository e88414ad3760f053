"""How far two sets of numbers, words or shares lie apart, and how far chance would put them."""

import math
from collections.abc import Sequence

import numpy as np

from prefkit.evaluation.statistics import LEVEL, Estimate, normal_quantile

BINS = 10
LEAST_SPREAD = 0.02  # of logarithms of counts: two per cent of a count
DRAWS = 999


def difference(new: np.ndarray, old: np.ndarray, least: float = 0.0) -> Estimate:
    """Hedges' g: difference of means in pooled standard deviations, corrected for small n.

    Normal interval with the variance of Hedges and Olkin (1985).

    Args:
        new: Values.
        old: Others.
        least: What a standard deviation counts as at least, so that sets which do not vary can be
            compared.
    """
    m, n = len(new), len(old)
    if m < 2 or n < 2:
        return Estimate(math.nan, m + n, method="too few")
    pooled = ((m - 1) * new.var(ddof=1) + (n - 1) * old.var(ddof=1)) / (m + n - 2)
    apart = float(new.mean() - old.mean())
    spread = max(math.sqrt(pooled), least)
    if spread < 1e-9 or (pooled < 1e-12 and abs(apart) < 1e-9):
        value = 0.0 if abs(apart) < 1e-9 else math.nan
        return Estimate(value, m + n, method="no interval: the values do not differ")
    value = apart / spread * (1 - 3 / (4 * (m + n) - 9))
    error = math.sqrt((m + n) / (m * n) + value**2 / (2 * (m + n)))
    half = normal_quantile((1 + LEVEL) / 2) * error
    return Estimate(value, m + n, value - half, value + half, "Hedges-Olkin 95%")


def ks(new: np.ndarray, old: np.ndarray) -> float:
    """Largest difference of the two distribution functions (Kolmogorov-Smirnov)."""
    values = np.concatenate([new, old])
    below = [np.searchsorted(np.sort(side), values, "right") / len(side) for side in (new, old)]
    return float(np.abs(below[0] - below[1]).max())


def psi(new: np.ndarray, old: np.ndarray) -> float:
    """Population stability index over deciles of the old set; half a count where there is none."""
    edges = np.unique(np.quantile(old, np.linspace(0, 1, BINS + 1)[1:-1]))
    counts = [
        np.bincount(np.searchsorted(edges, side, "left"), minlength=len(edges) + 1)
        for side in (new, old)
    ]
    return psi_of_counts(*counts)


def psi_of_counts(new: np.ndarray, old: np.ndarray) -> float:
    """Population stability index of counts of the same categories: Σ (p - q) ln(p / q)."""
    kept = (new + old) > 0
    p, q = (np.maximum(side[kept], 0.5) / side.sum() for side in (new, old))
    return float(((p - q) * np.log(p / q)).sum())


def psi_by_chance(m: int, n: int, categories: int) -> float:
    """What the index stays under in 999 of 1,000 draws from one set (Yurdakul 2018)."""
    from scipy import stats

    if categories < 2:
        return 0.0
    return float(stats.chi2.ppf(0.999, categories - 1)) * (1 / m + 1 / n)


def jsd(p: np.ndarray, q: np.ndarray) -> float:
    """Jensen-Shannon divergence of two sets of counts in bits: 0 the same, 1 nothing in common."""
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    return float(_kl(p, middle) / 2 + _kl(q, middle) / 2)


def total_variation(p: Sequence[float], q: Sequence[float]) -> float:
    """Share of one set that would have to change its category to be like the other."""
    return float(np.abs(np.asarray(p) - np.asarray(q)).sum() / 2)


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    kept = p > 0
    return float((p[kept] * np.log2(p[kept] / q[kept])).sum())
