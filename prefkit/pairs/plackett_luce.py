"""Strengths from whole rankings, all prompts at once."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from prefkit.pairs.strengths import PRIOR
from prefkit.pairs.votes import RANK, Comparisons

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
TOLERANCE = 1e-9
ROUNDS = 5000


@dataclasses.dataclass(frozen=True)
class Choices:
    """Choices of one item from a set.

    Attributes:
        winner: What was chosen.
        weight: What the choice counts; as long as `winner`.
        choice: Number of the choice that a member belongs to.
        member: An item of that choice's set, the winner among them; as long as `choice`.
    """

    winner: Ints
    weight: Floats
    choice: Ints
    member: Ints

    @classmethod
    def of(cls, rows: Comparisons, weights: Floats) -> "Choices":
        """A strict ranking as choices of the best of what was left, anything else by twos.

        A ranking of k is k - 1 choices (Plackett 1975). A tie is half a choice each way; a
        ranking with ties and an edit count as comparisons, each with its share.

        Args:
            rows: Comparisons that are not made of ratings.
            weights: Of each rater.
        """
        broken = (rows.outcome == 0.5) | (rows.way != RANK)
        judgments = int(rows.judgment.max(initial=-1)) + 1
        strict = np.bincount(rows.judgment, broken, minlength=judgments)[rows.judgment] == 0
        won = np.where(rows.outcome == 1, rows.left, rows.right)
        lost = np.where(rows.outcome == 1, rows.right, rows.left)
        span = int(max(rows.left.max(initial=0), rows.right.max(initial=0))) + 1
        key = rows.judgment[strict] * span + won[strict]
        _, first, stage = np.unique(key, return_index=True, return_inverse=True)
        by_twos = rows.where(~strict)
        weight = by_twos.share * weights[by_twos.rater]
        pairs = np.arange(len(by_twos.left))
        parts = [
            cls(
                won[strict][first],
                weights[rows.rater[strict][first]],
                np.concatenate([np.arange(len(first)), stage]).astype(np.int64),
                np.concatenate([won[strict][first], lost[strict]]),
            ),
            *(
                cls(
                    winner,
                    weight * share,
                    np.concatenate([pairs, pairs]),
                    np.concatenate([by_twos.left, by_twos.right]),
                )
                for winner, share in (
                    (by_twos.left, by_twos.outcome),
                    (by_twos.right, 1 - by_twos.outcome),
                )
            ),
        ]
        return _joined(parts)


def plackett_luce(choices: Choices, items: int) -> Floats:
    """Chance of each item to be chosen over an average sibling; shape (items,).

    Maximum likelihood by minorisation-maximisation (Hunter 2004, section 5), with the symmetric
    prior of `strengths.bradley_terry`, to which it comes down where all sets hold two.
    """
    won = np.bincount(choices.winner, choices.weight, minlength=items) + PRIOR
    strength = np.ones(items)
    for _ in range(ROUNDS):
        total = np.bincount(choices.choice, strength[choices.member], len(choices.winner))
        shared = (choices.weight / np.maximum(total, 1e-300))[choices.choice]
        met = np.bincount(choices.member, shared, minlength=items)
        new = won / (met + 2 * PRIOR / (strength + 1))
        moved = np.abs(np.log(new / strength)).max(initial=0)
        strength = new
        if moved < TOLERANCE:
            break
    return strength / (1 + strength)


def _joined(parts: list[Choices]) -> Choices:
    counts = np.cumsum([0, *(len(part.winner) for part in parts)])
    return Choices(
        np.concatenate([part.winner for part in parts]),
        np.concatenate([part.weight for part in parts]),
        np.concatenate([p.choice + n for p, n in zip(parts, counts, strict=False)]),
        np.concatenate([part.member for part in parts]),
    )
