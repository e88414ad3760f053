"""Is it always the same annotator? Exact tests that need no model of how people answer.

Were the annotators of a record interchangeable, each would be equally likely to be the one who
stands out: of m annotators, a share s / m when s stand out together. Summed over records that is
a Poisson-binomial count, whose tail is exact for any number of records.
"""

import dataclasses

import numpy as np

from prefkit.annotation.agreement.tables import Floats, Ints
from prefkit.evaluation.statistics import poisson_binomial_tail


@dataclasses.dataclass(frozen=True)
class Extreme:
    """How often an annotator stood out.

    Attributes:
        hits: Records where nobody scored higher.
        n: Records where the scores differ.
        expected: Share of hits if annotators were interchangeable; nan without records.
        p_value: Chance of at least `hits` then; 1 without records.
    """

    hits: int
    n: int
    expected: float
    p_value: float

    @property
    def share(self) -> float:
        """Share of records where the annotator stood out."""
        return self.hits / self.n if self.n else float("nan")


def counted(hits: int, chances: Floats) -> Extreme:
    """Hits against the chance that each record gave."""
    n = len(chances)
    if not n:
        return Extreme(0, 0, float("nan"), 1.0)
    return Extreme(hits, n, float(chances.mean()), poisson_binomial_tail(hits, chances.tolist()))


def stand_outs(record: Ints, annotator: Ints, score: Floats, annotators: int) -> list[Extreme]:
    """How often each annotator has the highest score of those who share a record.

    Args:
        record: One entry a record and annotator.
        annotator: Who.
        score: Higher stands out more.
        annotators: How many there are; one result each.
    """
    if not len(record):
        return [counted(0, np.empty(0))] * annotators
    _, place = np.unique(record, return_inverse=True)
    highest = np.full(place.max() + 1, -np.inf)
    np.maximum.at(highest, place, score)
    top = score >= highest[place] - 1e-9
    chance = (np.bincount(place, top) / np.bincount(place))[place]
    told = chance < 1  # somebody scored lower
    found = []
    for who in range(annotators):
        mine = told & (annotator == who)
        found.append(counted(int(top[mine].sum()), chance[mine]))
    return found
