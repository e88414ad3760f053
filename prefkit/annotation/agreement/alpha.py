"""Krippendorff's alpha and percent agreement, exact with missing data, with their intervals."""

import math

import numpy as np

from prefkit.annotation.agreement.tables import Floats, Table
from prefkit.evaluation.statistics import Estimate, bootstrap_sums

ACCEPTABLE, GOOD = 0.667, 0.8  # Krippendorff 2004, Content Analysis, 2nd ed., section 11.4.2


def krippendorff(table: Table, seed: int = 0) -> Estimate:
    """Krippendorff's alpha: 1 is perfect agreement, 0 what chance gives.

    alpha = 1 - D_observed / D_expected over the values of units that two or more annotators
    valued (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability). The ordinal distance of
    two values is the squared difference of their mid-ranks, which is his formula.

    Returns:
        The estimate over records; its value is nan when nothing was valued twice, or all values
        are the same. The interval is a bootstrap over records (Zapf et al. 2016, BMC Medical
        Research Methodology 16:93) that keeps the mid-ranks of the whole sample.
    """
    shared = table.shared()
    records = len(np.unique(shared.record))
    if not records:
        return Estimate(math.nan, 0, method="no unit was valued by two annotators")
    if len(np.unique(shared.value)) == 1:
        return Estimate(math.nan, records, method="not defined: every answer is the same")
    nominal = table.level == "nominal"
    columns, statistic = (
        (_nominal(shared), _one_less_nominal)
        if nominal
        else (_metric(shared, _scores(shared)), _one_less_metric)
    )
    found = bootstrap_sums(statistic, _by_record(shared, columns), seed=seed)
    return Estimate(found.value, found.n, found.low, found.high, f"{table.level}; {found.method}")


def percent(table: Table, seed: int = 0) -> Estimate:
    """Share of pairs of annotators who gave a unit the same value."""
    shared = table.shared()
    if not len(shared.unit):
        return Estimate(math.nan, 0, method="no unit was valued by two annotators")
    others = shared.answers[shared.unit] - 1.0
    columns = np.stack([shared.same_answers().astype(float), others])
    return bootstrap_sums(lambda same, all_: same / all_, _by_record(shared, columns), seed=seed)


def percent_by_chance(table: Table) -> float:
    """The percent agreement that two values drawn from all values would have."""
    shared = table.shared()
    counts = np.bincount(shared.value).astype(float)
    n = counts.sum()
    return float((counts * (counts - 1)).sum() / (n * (n - 1))) if n > 1 else math.nan


def meaning(alpha: Estimate) -> str:
    """What Krippendorff says of an alpha, judged by the lower end of its interval."""
    if math.isnan(alpha.value):
        return f"alpha is {alpha.method}" if alpha.n else alpha.method
    sure = alpha.low if alpha.low is not None else alpha.value
    if sure >= GOOD:
        return "reliable: even the lower end of the interval is at least .800"
    if alpha.value >= GOOD:
        return "reliable as it stands (at least .800), but the interval reaches lower"
    if sure >= ACCEPTABLE:
        return "good for tentative conclusions (.667 to .800)"
    if alpha.value >= ACCEPTABLE:
        return "tentative at best (.667 to .800), and the interval reaches lower"
    if alpha.value <= 0:
        return "no better than chance: look at the guideline before anything else"
    return "too low to rely on (under .667): the guideline, the task or an annotator needs a look"


def _scores(table: Table) -> Floats:
    """Each row's value as a number whose squared differences are the distances."""
    if table.level == "interval":
        return np.array(table.values, np.float64)[table.value]
    counts = np.bincount(table.value, minlength=len(table.values))
    return (np.cumsum(counts) - counts / 2)[table.value]


def _metric(table: Table, scores: Floats) -> Floats:
    """Rows of disagreement, values, their sum and sum of squares; shape (4, rows)."""
    scores = (scores - scores.mean()) / (scores.std() or 1)
    m = table.answers[table.unit].astype(float)
    mean = np.bincount(table.unit, scores)[table.unit] / m
    return np.stack([2 * m * (scores - mean) ** 2 / (m - 1), np.ones_like(m), scores, scores**2])


def _one_less_metric(apart: Floats, n: Floats, total: Floats, squares: Floats) -> Floats:
    return 1 - (n - 1) * apart / (2 * (n * squares - total**2))


def _nominal(table: Table) -> Floats:
    """Rows of disagreement, values, and one column a value; shape (2 + values, rows)."""
    m = table.answers[table.unit].astype(float)
    unlike = (m - 1 - table.same_answers()) / (m - 1)
    return np.stack([unlike, np.ones_like(m), *np.eye(len(table.values))[:, table.value]])


def _one_less_nominal(unlike: Floats, n: Floats, *counts: Floats) -> Floats:
    return 1 - (n - 1) * unlike / (n**2 - sum(count**2 for count in counts))


def _by_record(table: Table, columns: Floats) -> Floats:
    """Sums of `columns` over the rows of each record; shape (columns, records)."""
    _, record = np.unique(table.record, return_inverse=True)
    return np.stack([np.bincount(record, column).astype(float) for column in columns])
