"""Kendall's measures of how alike whole rankings are, both with their corrections for ties."""

import math

import numpy as np

from prefkit.annotation.agreement.tables import Table
from prefkit.evaluation.statistics import Estimate, bootstrap_sums


def kendall_w(places: Table, seed: int = 0) -> tuple[Estimate, float]:
    """Mean coefficient of concordance of the rankings of a record, and what chance gives.

    W = 12 S / (m^2 (k^3 - k) - m sum(T)), with S the spread of the rank sums, m rankings of k
    candidates, and T = sum(t^3 - t) over the ties of a ranking (Kendall and Gibbons 1990). In
    centred ranks c that is sum_i (sum_j c_ij)^2 / (m sum_ij c_ij^2). Random rankings give 1 / m.

    Args:
        places: From `tables.places`: whole rankings only.
        seed: Of the bootstrap over records.

    Returns:
        The mean over records where two or more rankings are not all ties, and the mean of 1 / m.
    """
    shared = places.shared()
    if not len(shared.unit):
        return Estimate(
            math.nan, 0, method="no record was ranked whole by two annotators"
        ), math.nan
    centred = np.array(places.values)[shared.value]
    spread = np.bincount(shared.unit, centred) ** 2
    _, record = np.unique(shared.record, return_inverse=True)
    record_of_unit = np.zeros(shared.units, np.int64)
    record_of_unit[shared.unit] = record
    m = np.zeros(record.max() + 1)
    m[record] = shared.answers[shared.unit]
    most = m * np.bincount(record, centred**2)
    strict = most > 0
    if not strict.any():
        return Estimate(math.nan, 0, method="not defined: every ranking is one tie"), math.nan
    w = np.bincount(record_of_unit, spread)[strict] / most[strict]
    found = bootstrap_sums(_mean, np.stack([w, np.ones_like(w)]), seed=seed)
    return found, float((1 / m[strict]).mean())


def tau_b(comparisons: Table, seed: int = 0) -> Estimate:
    """Mean Kendall tau-b over pairs of annotators of a record, then over records.

    tau-b = sum s_a s_b / sqrt(sum s_a^2 sum s_b^2), over the pairs of candidates that both
    compared, s being -1, 0 or 1 (Kendall 1945). Two annotators without a strict preference in
    common have none.
    """
    first, second = comparisons.meetings()
    if not len(first):
        return Estimate(math.nan, 0, method="no two annotators compared the same candidates")
    signs = np.array(comparisons.values, np.float64)[comparisons.value]
    annotators = len(comparisons.annotators)
    key = comparisons.record[first] * annotators + comparisons.annotator[first]
    key = key * annotators + comparisons.annotator[second]
    keys, meeting = np.unique(key, return_inverse=True)
    together = np.bincount(meeting, signs[first] * signs[second])
    one, other = (np.bincount(meeting, signs[rows] ** 2) for rows in (first, second))
    strict = (one > 0) & (other > 0)
    if not strict.any():
        return Estimate(math.nan, 0, method="not defined: no two strict rankings met")
    taus = together[strict] / np.sqrt(one[strict] * other[strict])
    _, record = np.unique(keys[strict] // annotators**2, return_inverse=True)
    means = np.bincount(record, taus) / np.bincount(record)
    return bootstrap_sums(_mean, np.stack([means, np.ones_like(means)]), seed=seed)


def _mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return total / count
