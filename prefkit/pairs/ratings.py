"""Ratings of every kind on one scale from 0, the worst, to 1, the best.

A rating says nothing until its scale is known: a 1 is the best of 0 to 1 and the worst of 1 to 5.
UltraFeedback trained many models on pairs whose worst answer, rated 1, was read as a 10. So a
scale is never guessed from one row: it is read off all ratings of the same make, and printed.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prefkit.errors import PrefkitError

Floats = NDArray[np.float64]
MARKER = -1.0
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

    def placed(self, ratings: Floats) -> Floats:
        """Ratings on 0..1."""
        if self.worst == self.best:
            return np.full(len(ratings), 0.5)
        half = self.best / 2 - self.worst / 2  # the whole may be more than a float holds
        return (ratings / 2 - self.worst / 2) / half


class Rated(NamedTuple):
    """All ratings of one maker.

    Attributes:
        name: The maker.
        human: Whether it is people.
        values: Numbers, on its own scale.
        judgments: Id of the judgment of each.
    """

    name: str
    human: bool
    values: Floats
    judgments: Sequence[str]


def scales(found: Iterable[Rated], given: tuple[float, float] | None) -> dict[str, Scale]:
    """The scale of each maker of ratings.

    Rules and judges rate on 0..1 unless a rating of theirs lies outside. For people, who all
    answer one question, the smallest common scale that holds all their ratings is taken, else the
    range of the ratings.

    Args:
        found: Each maker's ratings.
        given: Worst and best human rating, when the user knows.

    Raises:
        PrefkitError: A human rating lies outside the scale given, or a -1 marks what was no rating.
    """
    found = list(found)
    for rated in found:
        if not (given and rated.human):
            _refuse_marker(rated)
    return {
        rated.name: _given(rated, given)
        if given and rated.human
        else _read_off(rated.values, rated.human)
        for rated in found
        if len(rated.values)
    }


def _refuse_marker(rated: Rated) -> None:
    """Tulu 3 wrote -1 for a reply that could not be read, and took the mean with it."""
    values = rated.values
    marked = np.flatnonzero(values == MARKER)
    if len(marked) and values.max() > 1 and (values[values != MARKER] >= 0).all():
        raise PrefkitError(
            f"judgment {rated.judgments[int(marked[0])]}: {rated.name} rates -1, but nothing else "
            f"below 0 and up to {values.max():g} ({len(marked)} of {len(values)} ratings).",
            hint="Where -1 stands for no rating, leave it out or set `status` to unscored.",
        )


def _given(rated: Rated, given: tuple[float, float]) -> Scale:
    worst, best = given
    values = rated.values
    outside = np.flatnonzero((values < worst) | (values > best))
    if len(outside):
        first = int(outside[0])
        raise PrefkitError(
            f"judgment {rated.judgments[first]}: a candidate is rated {values[first]:g}, outside "
            f"the scale {worst:g} to {best:g} ({len(outside)} of {len(values)} ratings are).",
            hint="Give the worst and the best rating there is, such as `--rating-scale 1 10`.",
        )
    return Scale(worst, best, len(values), given=True)


def _read_off(values: Floats, human: bool) -> Scale:
    low, high = float(values.min()), float(values.max())
    if human and low == high == 1:
        return Scale(1, 1, len(values))
    for worst, best in COMMON:
        if worst <= low and high <= best:
            return Scale(worst, best, len(values))
    return Scale(low, high, len(values))
