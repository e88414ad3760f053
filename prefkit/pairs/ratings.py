"""Ratings of every kind on one scale from 0, the worst, to 1, the best.

A rating says nothing until its scale is known: a 1 is the best of 0 to 1 and the worst of 1 to 5.
UltraFeedback trained many models on pairs whose worst answer, rated 1, was read as a 10. So a
scale is never guessed from one row: it is read off all ratings of the same make, and printed.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from prefkit.errors import PrefkitError
from prefkit.records import Judgment

COMMON = ((0, 1), (-1, 1), (1, 5), (0, 5), (1, 7), (1, 10), (0, 10), (0, 100))


@dataclasses.dataclass(frozen=True)
class Scale:
    """Worst and best rating, and how that is known.

    Attributes:
        worst: Becomes 0.
        best: Becomes 1. Equal to `worst` when the ratings do not tell: all become 0.5.
        ratings: How many it was read off.
        given: Whether the user said so.
    """

    worst: float
    best: float
    ratings: int
    given: bool = False

    def place(self, rating: float) -> float:
        """The rating on 0..1."""
        if self.worst == self.best:
            return 0.5
        return (rating - self.worst) / (self.best - self.worst)


def maker(judgment: Judgment) -> str:
    """Whose ratings share a scale: all people answer one question; each judge has its own."""
    return "human" if judgment.source == "human" else judgment.annotator


def scales(judgments: Iterable[Judgment], given: tuple[float, float] | None) -> dict[str, Scale]:
    """The scale of each maker of ratings.

    Rules and judges rate on 0..1 unless a rating of theirs lies outside. For people the smallest
    common scale that holds all their ratings is taken, else the range of the ratings.

    Args:
        judgments: All that count.
        given: Worst and best human rating, when the user knows.

    Raises:
        PrefkitError: A human rating lies outside the scale given.
    """
    values: dict[str, list[float]] = defaultdict(list)
    for judgment in judgments:
        finite = finite_ratings(judgment)
        values[maker(judgment)] += finite.values()
        if given and judgment.source == "human":
            _refuse_outside(judgment, finite, given)
    return {
        name: Scale(*given, len(found), given=True)
        if given and name == "human"
        else _read_off(found, name == "human")
        for name, found in values.items()
        if found
    }


def finite_ratings(judgment: Judgment) -> dict[str, float]:
    """The ratings that are numbers."""
    return {k: v for k, v in (judgment.ratings or {}).items() if math.isfinite(v)}


def _read_off(values: list[float], human: bool) -> Scale:
    low, high = min(values), max(values)
    if human and low == high == 1:
        return Scale(1, 1, len(values))
    for worst, best in COMMON:
        if worst <= low and high <= best:
            return Scale(worst, best, len(values))
    return Scale(low, high, len(values))


def _refuse_outside(
    judgment: Judgment, ratings: Mapping[str, float], given: tuple[float, float]
) -> None:
    worst, best = given
    for candidate, rating in ratings.items():
        if not worst <= rating <= best:
            raise PrefkitError(
                f"judgment {judgment.id}: candidate {candidate} is rated {rating:g}, outside the "
                f"scale {worst:g} to {best:g}.",
                hint="Give the worst and the best rating there is, such as `--rating-scale 1 10`.",
            )
