"""Strengths from whole rankings, all prompts at once."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from prefkit.pairs.columns import sums
from prefkit.pairs.strengths import PRIOR
from prefkit.pairs.votes import RANK, Comparisons

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
TOLERANCE = 1e-9
ROUNDS = 5000
STRIDE = 25  # rounds after which settled prompts leave


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

    def of_prompts(self, home: Ints, prompts: Bools, number: Ints) -> "Choices":
        """Only choices of some prompts, their items under other numbers.

        Args:
            home: Prompt of each item.
            prompts: Which stay.
            number: Of each item there.
        """
        kept = prompts[home[self.winner]]
        place = np.cumsum(kept) - 1
        members = kept[self.choice]
        return Choices(
            number[self.winner[kept]],
            self.weight[kept],
            place[self.choice[members]],
            number[self.member[members]],
        )


def plackett_luce(choices: Choices, home: Ints) -> Floats:
    """Chance of each item to be chosen over an average sibling; shape (items,).

    Maximum likelihood by minorisation-maximisation (Hunter 2004, section 5), with the symmetric
    prior of `strengths.bradley_terry`, to which it comes down where all sets hold two. A prompt
    leaves when it has settled.

    Args:
        choices: Each from items of one prompt.
        home: Prompt of each item, shape (items,), ascending.
    """
    strength = np.ones(len(home))
    left = np.arange(len(home))  # items that still move
    for _ in range(ROUNDS // STRIDE):
        new, moved = _rounds(choices, strength[left])
        strength[left] = new
        here = home[left]
        moving = np.zeros(int(home.max(initial=-1)) + 1, bool)
        moving[here[moved > TOLERANCE]] = True
        stays = moving[here]
        if not stays.any():
            break
        choices = choices.of_prompts(here, moving, np.cumsum(stays) - 1)
        left = left[stays]
    return strength / (1 + strength)


def _rounds(choices: Choices, strength: Floats) -> tuple[Floats, Floats]:
    """Strengths some rounds later, and how far the last round moved each."""
    items = len(strength)
    won = sums(choices.winner, choices.weight, items) + PRIOR
    moved = np.zeros(items)
    for _ in range(STRIDE):
        total = sums(choices.choice, strength[choices.member], len(choices.winner))
        shared = (choices.weight / np.maximum(total, 1e-300))[choices.choice]
        new = won / (sums(choices.member, shared, items) + 2 * PRIOR / (strength + 1))
        moved = np.abs(np.log(new / strength))
        strength = new
    return strength, moved


def _joined(parts: list[Choices]) -> Choices:
    counts = np.cumsum([0, *(len(part.winner) for part in parts)])
    return Choices(
        np.concatenate([part.winner for part in parts]),
        np.concatenate([part.weight for part in parts]),
        np.concatenate([p.choice + n for p, n in zip(parts, counts, strict=False)]),
        np.concatenate([part.member for part in parts]),
    )
