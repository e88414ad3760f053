"""Each annotator against the others of the same records."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from prefkit.annotation.agreement.extremes import Extreme, stand_outs
from prefkit.annotation.agreement.tables import Floats, Ints, Table
from prefkit.evaluation.statistics import Estimate, wilson

# Whichever of these was asked first says who agrees with whom.
MAIN = ("ranks", "decision", "ratings")


@dataclasses.dataclass(frozen=True)
class Peers:
    """Agreement of annotators, one entry each.

    Attributes:
        agreement: Share of the others' answers that are the same; over records (Wilson).
        others: The same share among the others themselves, on the units that three or more
            answered.
        differs: How often the annotator agrees least with the others of a record.
    """

    agreement: list[Estimate]
    others: list[float]
    differs: list[Extreme]


def main_question(tables: Mapping[str, Table]) -> str:
    """The question annotators are compared on; empty when nothing was answered."""
    return next((name for name in (*MAIN, *tables) if name in tables), "")


def peers(table: Table) -> Peers:
    """Leave each annotator out in turn and compare them with the rest."""
    shared = table.shared()
    count = len(table.annotators)
    m = shared.answers[shared.unit].astype(float)
    same = shared.same_answers().astype(float)
    alike = np.bincount(shared.unit, same, shared.units)[shared.unit] - 2 * same
    key = shared.record * count + shared.annotator
    keys, place = np.unique(key, return_inverse=True)
    agreed = np.bincount(place, same) / np.bincount(place, m - 1)
    differs = stand_outs(keys // count, keys % count, 1 - agreed, count)
    records = np.bincount(keys % count, minlength=count)
    value = _ratio(same, m - 1, shared.annotator, count)
    others = _ratio(alike, (m - 1) * (m - 2), shared.annotator, count)
    agreement = [
        wilson(share * n if n else 0.0, int(n)) for share, n in zip(value, records, strict=True)
    ]
    return Peers(agreement, others.tolist(), differs)


def _ratio(top: Floats, bottom: Floats, annotator: Ints, count: int) -> Floats:
    """Sum over sum of each annotator's rows; nan where there is nothing below."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.bincount(annotator, top, count) / np.bincount(annotator, bottom, count)


def matrix(table: Table) -> tuple[Floats, Ints]:
    """Percent agreement of each two annotators, and how many answers both gave.

    Returns:
        Two arrays of shape (annotators, annotators); nan and 0 where two never met.
    """
    count = len(table.annotators)
    first, second = table.meetings()
    cell = table.annotator[first] * count + table.annotator[second]
    met = np.bincount(cell, minlength=count**2).reshape(count, count)
    same = (table.value[first] == table.value[second]).astype(float)
    agreed = np.bincount(cell, same, count**2).reshape(count, count)
    met, agreed = met + met.T, agreed + agreed.T
    with np.errstate(invalid="ignore"):
        return agreed / met, met


def strict(table: Table) -> Table:
    """Comparisons without their ties; any other table as it is."""
    if table.values != (-1, 0, 1):
        return table
    return table.where(table.value != 1)


def tie_share(table: Table) -> list[Estimate]:
    """How often each annotator calls two candidates equal; over records (Wilson)."""
    count = len(table.annotators)
    ties = np.bincount(table.annotator, (table.value == 1).astype(float), count)
    all_ = np.bincount(table.annotator, minlength=count)
    seen = np.unique(table.annotator * (len(table.records) + 1) + table.record)
    records = np.bincount(seen // (len(table.records) + 1), minlength=count)
    return [
        wilson(t / a * n if a else 0.0, int(n)) for t, a, n in zip(ties, all_, records, strict=True)
    ]
