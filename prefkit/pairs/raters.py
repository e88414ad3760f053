"""What each rater's word weighs: how often people, judges and rules are right."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from prefkit.annotation.agreement import tables
from prefkit.annotation.agreement.reliability import RIGHT, WRONG, one_coin
from prefkit.config import PairsConfig
from prefkit.pairs.items import Items
from prefkit.pairs.votes import Comparisons, Table

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
UNKNOWN = (RIGHT - 1) / (RIGHT + WRONG - 2)  # accuracy of someone never checked: the prior's mode
STRENGTH = RIGHT + WRONG - 2  # comparisons that the prior is worth
HEAVIEST = 4.0  # weight of a rater who is right in 99 of 100


@dataclasses.dataclass(frozen=True)
class Rater:
    """One rater's table row.

    Attributes:
        name: As in the judgments.
        kind: human, judge or rule.
        votes: Comparisons of two items that count, ties among them.
        checked: Comparisons that the accuracy rests on.
        accuracy: Estimated chance to order two items rightly; None when nothing checks it.
        weight: What a vote counts beside an unchecked person's 1.
        checked_by: `others` (one-coin Dawid-Skene), `people`, or empty.
    """

    name: str
    kind: str
    votes: int
    checked: int
    accuracy: float | None
    weight: float
    checked_by: str = ""


def weigh(table: Table, items: Items, config: PairsConfig) -> list[Rater]:
    """Estimate each rater's accuracy and give log-odds weights, in the order of `table.raters`.

    People are checked by each other: one-coin Dawid-Skene (1979) with the Beta(4, 2) prior of
    `annotate agreement`. Judges and rules are checked against what people say of the same two
    items, by the people's own accuracies, and shrunk towards `judge_weight`; without any people
    they are checked by each other. A vote weighs the log-odds of its rater's accuracy, as in the
    weighted majority that is optimal for independent voters (Nitzan and Paroush 1982), over those
    of an unchecked person; a rater no better than chance weighs 0. An adjudicator is not checked.
    """
    votes = _checked_votes(table)
    kinds = np.array([kind != "human" for _, kind in table.raters], bool)
    judged = kinds[votes.rater]
    people = votes.where(~judged)
    alone = not len(people.left)
    first = votes if alone else people
    accuracy, checked = _among_themselves(first, table, items)
    by = np.where(checked > 0, "others", "").tolist()
    if not alone:
        other, seen = _against_people(votes.where(judged), people, accuracy, config, table)
        accuracy, checked = np.where(kinds, other, accuracy), np.where(kinds, seen, checked)
        by = ["people" if k and n else b for k, n, b in zip(kinds, seen, by, strict=True)]
    weight = np.clip(_log_odds(accuracy) / _log_odds(np.array(UNKNOWN)), 0, HEAVIEST)
    if config.weights == "equal":
        weight = np.where(kinds & (not alone), config.judge_weight, 1.0)
    count = np.bincount(table.comparisons.rater, minlength=len(table.raters))
    return [
        Rater(
            name,
            kind,
            int(count[n]),
            int(checked[n]),
            round(float(accuracy[n]), 4) if checked[n] else None,
            round(float(weight[n]), 4),
            by[n],
        )
        for n, (name, kind) in enumerate(table.raters)
    ]


def one_vote_each(rows: Comparisons) -> Comparisons:
    """Without what ratings amount to where the same rater compared the same two outright."""
    order = np.lexsort((rows.way, rows.rater, rows.right, rows.left))
    rows = rows.where(order)
    keep = np.ones(len(rows.left), bool)
    keep[:-1] = (np.diff(rows.left) != 0) | (np.diff(rows.right) != 0) | (np.diff(rows.rater) != 0)
    return rows.where(keep)


def _checked_votes(table: Table) -> Comparisons:
    """One strict vote a rater and two items; adjudications and what they overrule left out."""
    rows = table.comparisons
    real = ~rows.overruled & ~table.adjudicated[rows.judgment]
    votes = one_vote_each(rows.where(real))
    return votes.where(votes.outcome != 0.5)


def _among_themselves(votes: Comparisons, table: Table, items: Items) -> tuple[Floats, Ints]:
    """Accuracy of each rater by one-coin Dawid-Skene, and the comparisons it rests on."""
    unit = _units(votes.left, votes.right)
    raters = len(table.raters)
    counts = np.bincount(unit)[unit] if len(unit) else unit
    kept, times = _patterns(unit, votes)
    asked = tables.Table(
        "nominal",
        (0.0, 1.0),
        tuple("\0".join(rater) for rater in table.raters),
        tuple(example.id for example in items.examples),
        items.prompt[votes.left[kept]] if len(unit) else unit,
        _units(votes.left[kept], votes.right[kept]),
        votes.rater[kept],
        votes.outcome[kept].astype(np.int64),
    )
    found = one_coin(asked, times)
    checked = np.bincount(votes.rater[counts >= 3], minlength=raters)
    return np.where(np.isnan(found.accuracy), UNKNOWN, found.accuracy), checked


def _patterns(unit: Ints, votes: Comparisons) -> tuple[Ints, Floats]:
    """Rows of one unit for each way that raters voted, and how many units voted so.

    A million votes of a dozen raters come in a few thousand patterns, and EM sees nothing else.
    """
    if not len(unit):
        return unit, np.empty(0)
    marks = np.random.default_rng(0).integers(0, 2**62, size=2 * (int(votes.rater.max()) + 1))
    mark = marks[2 * votes.rater + votes.outcome.astype(np.int64)].astype(np.uint64)
    order = np.argsort(unit, kind="stable")
    start = np.flatnonzero(np.diff(unit[order], prepend=-1))
    signature = np.add.reduceat(mark[order], start)  # the same for the same votes in any order
    _, first, count = np.unique(signature, return_index=True, return_counts=True)
    times = np.zeros(len(start))
    times[first] = count
    kept = np.flatnonzero(times[unit] > 0)
    return kept, times[unit[kept]]


def _against_people(
    votes: Comparisons, people: Comparisons, accuracy: Floats, config: PairsConfig, table: Table
) -> tuple[Floats, Ints]:
    """Accuracy of judges and rules where people compared the same two, and on how many."""
    raters = len(table.raters)
    unit = _units(
        np.concatenate([people.left, votes.left]), np.concatenate([people.right, votes.right])
    )
    mine, theirs = unit[len(people.left) :], unit[: len(people.left)]
    signs = 2 * people.outcome - 1
    belief = np.bincount(theirs, signs * _log_odds(accuracy)[people.rater], minlength=len(unit))
    seen = np.bincount(theirs, minlength=len(unit))[mine] > 0
    left_better = 1 / (1 + np.exp(-belief[mine]))
    agrees = np.where(votes.outcome == 1, left_better, 1 - left_better)
    right = np.bincount(votes.rater[seen], agrees[seen], minlength=raters)
    count = np.bincount(votes.rater[seen], minlength=raters)
    default = 1 / (1 + np.exp(-config.judge_weight * _log_odds(np.array(UNKNOWN))))
    return (right + STRENGTH * default) / (count + STRENGTH), count


def _units(left: Ints, right: Ints) -> Ints:
    """Number of each two items."""
    if not len(left):
        return np.empty(0, np.int64)
    return np.unique(left * (right.max() + 1) + right, return_inverse=True)[1].astype(np.int64)


def _log_odds(chance: Floats) -> Floats:
    bounded = np.clip(chance, 1e-6, 1 - 1e-6)
    return np.log(bounded) - np.log1p(-bounded)
