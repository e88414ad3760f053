"""Who beats whom by weight of votes, and where majorities go round in a circle."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from prefkit.pairs.columns import sums
from prefkit.pairs.items import Items
from prefkit.pairs.raters import one_vote_each
from prefkit.pairs.rounds import rounds, shortest
from prefkit.pairs.votes import Comparisons, Table
from prefkit.records import Conflict

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
EVEN = 1e-9  # weights have four digits; their sums in another order differ in the last bits


@dataclasses.dataclass(frozen=True)
class Majorities:
    """The votes by the two items they compare.

    Attributes:
        votes: One a rater and two items, sorted by left and right; overruled ones among them.
        weight: Of each vote; 0 where an adjudicator settled the prompt.
        start: First vote of each two items, and one past the last.
        left: Of each two items.
        right: Of each two items.
        for_left: Weight of the votes for the left one; a tie is half for each.
        total: Weight of the votes.
    """

    votes: Comparisons
    weight: Floats
    start: Ints
    left: Ints
    right: Ints
    for_left: Floats
    total: Floats

    def of(self, one: Ints, other: Ints) -> Ints:
        """Number of each two items; -1 where nobody compared them."""
        span = int(max(self.right.max(initial=0), one.max(initial=0), other.max(initial=0))) + 1
        known = self.left * span + self.right
        wanted = np.minimum(one, other) * span + np.maximum(one, other)
        place = np.searchsorted(known, wanted)
        found = place < len(known)
        found[found] = known[place[found]] == wanted[found]
        return np.where(found, place, -1)


def majorities(table: Table, weights: Floats) -> Majorities:
    """Sum the votes on each two items.

    Args:
        table: What was said.
        weights: Of each rater.
    """
    counted = table.comparisons.where(~table.comparisons.overruled)
    settled = table.comparisons.where(table.comparisons.overruled)
    parts = one_vote_each(counted), one_vote_each(settled)
    votes = Comparisons(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(Comparisons)
        )
    )
    votes = votes.where(np.lexsort((votes.rater, votes.overruled, votes.right, votes.left)))
    new = np.ones(len(votes.left), bool)
    new[1:] = (np.diff(votes.left) != 0) | (np.diff(votes.right) != 0)
    start, edge = np.flatnonzero(new), np.cumsum(new) - 1
    weight = np.where(votes.overruled, 0.0, weights[votes.rater])
    return Majorities(
        votes,
        weight,
        np.append(start, len(new)),
        votes.left[start],
        votes.right[start],
        sums(edge, weight * votes.outcome, len(start)),
        sums(edge, weight, len(start)),
    )


@dataclasses.dataclass(frozen=True)
class Circles:
    """Items that beat each other all round.

    Attributes:
        of: Number of the circle of each item; -1 outside any. Shape (items,).
        conflicts: One a circle, for re-review, the greatest first.
        prompts: In how many prompts.
    """

    of: Ints
    conflicts: tuple[Conflict, ...]
    prompts: int


def circles(found: Majorities, table: Table, items: Items, strength: Floats) -> Circles:
    """Find the circles of each prompt: strongly connected sets of more than one item.

    Majorities of three voters often go round (a over b over c over a); a model that orders the
    items all the same only hides it.

    Args:
        found: The votes.
        table: Names of raters.
        items: Of the prompts.
        strength: Of each item: what the circle's votes are held against.
    """
    ahead = 2 * found.for_left - found.total
    decided = np.abs(ahead) > EVEN
    won = np.where(ahead > 0, found.left, found.right)[decided]
    lost = np.where(ahead > 0, found.right, found.left)[decided]
    around = rounds(won, lost, len(items))
    of, members = around.of, around.members
    amounts, raters = _against_the_order(found, of, strength, len(members))
    conflicts = [
        _conflict(group, around.beats, items, table, amounts[number], raters.get(number, set()))
        for number, group in members.items()
    ]
    conflicts.sort(key=lambda one: (-one.amount, one.prompt_id, one.detail))
    return Circles(of, tuple(conflicts), len(np.unique(items.prompt[of >= 0])))


def _against_the_order(
    found: Majorities, of: Ints, strength: Floats, count: int
) -> tuple[list[float], dict[int, set[int]]]:
    """Share of each circle's votes that the order of strength contradicts; and who voted."""
    mine = (of[found.left] >= 0) & (of[found.left] == of[found.right])
    number = of[found.left]
    behind = np.where(
        strength[found.left] >= strength[found.right], found.total - found.for_left, found.for_left
    )
    against = np.bincount(number[mine], behind[mine], minlength=count)
    total = np.bincount(number[mine], found.total[mine], minlength=count)
    rows = np.repeat(mine, np.diff(found.start))
    votes = found.votes.where(rows)
    raters: dict[int, set[int]] = {}
    for circle, rater in zip(of[votes.left].tolist(), votes.rater.tolist(), strict=True):
        raters.setdefault(circle, set()).add(rater)
    return np.round(against / total, 6).tolist(), raters


def _conflict(
    group: list[int],
    beats: dict[int, list[int]],
    items: Items,
    table: Table,
    amount: float,
    raters: set[int],
) -> Conflict:
    around = shortest(group, beats)
    names = [items.candidates[item].id for item in (*around, around[0])]
    size = len(group)
    return Conflict(
        prompt_id=items.examples[items.prompt[group[0]]].id,
        question="circle",
        amount=amount,
        detail=f"{' beats '.join(names)} ({size} completions go round)",
        annotators=tuple(sorted({table.raters[rater][0] for rater in raters})),
    )
