"""Pairs of near-duplicate prompts whose winners are swapped."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.facts import same_facts
from prefkit.cleaning.rows import Row
from prefkit.records import text_of

Ints = NDArray[np.int64]
ALIKE = 0.8  # similarity from which two prompts, or two answers, count as one
MOST_CROSSED = 2_000_000  # rows of near prompts that are held against each other
MOST_OF_PROMPT = 50  # rows of one prompt that are held against those of a near one


@dataclasses.dataclass(frozen=True)
class Swapped:
    """What was found.

    Attributes:
        rows: Places of the two rows of each swap.
        near: How many pairs of prompts are near duplicates.
        complete: Whether all their rows were held against each other.
    """

    rows: tuple[tuple[int, int], ...]
    near: int
    complete: bool


def swapped(rows: Sequence[Row], prompt: Ints, first_of_prompt: Ints) -> Swapped:
    """Find pairs of near-duplicate prompts that choose what the other rejects.

    No number, name or turning word may stand in only one of the prompts, or of the answers.

    Args:
        rows: Pairs.
        prompt: Number of each row's prompt.
        first_of_prompt: A row of each prompt.
    """
    from prefkit.cleaning.near_duplicates import near_pairs, similarities

    prompts = [text_of(rows[row].prompt) for row in first_of_prompt.tolist()]
    near = near_pairs(prompts, ALIKE)
    one, other, whole = _crossed(near.left, near.right, prompt)
    texts = [completion.text for row in rows for completion in row.completions]

    def alike(side: int, beside: int) -> NDArray[np.float64]:
        return similarities(texts, 2 * one + side, 2 * other + beside)

    crossed = [alike(0, 1), alike(1, 0)]
    straight = [alike(0, 0), alike(1, 1)]
    turned = (np.minimum(*crossed) >= ALIKE) & (sum(crossed) > sum(straight))
    found = []
    for a, b in zip(one[turned].tolist(), other[turned].tolist(), strict=True):
        says = (text_of(rows[a].prompt), text_of(rows[b].prompt))
        sides = [(texts[2 * a], texts[2 * b + 1]), (texts[2 * a + 1], texts[2 * b])]
        if all(same_facts(*two) for two in (says, *sides)):
            found.append((min(a, b), max(a, b)))
    return Swapped(tuple(sorted(found)), len(near.left), near.complete and whole)


def _crossed(left: Ints, right: Ints, prompt: Ints) -> tuple[Ints, Ints, bool]:
    """Rows of each two near prompts, each with each; and whether these are all."""
    order = np.argsort(prompt, kind="stable")
    counts = np.bincount(prompt)
    start = np.concatenate(([0], np.cumsum(counts)))
    few = np.minimum(counts, MOST_OF_PROMPT)
    sizes = few[left] * few[right]
    kept = int(np.searchsorted(np.cumsum(sizes), MOST_CROSSED, "right"))
    complete = kept == len(sizes) and bool((few == counts)[np.append(left, right)].all())
    left, right, sizes = left[:kept], right[:kept], sizes[:kept]
    pair = np.repeat(np.arange(kept), sizes)
    step = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    one = order[start[left[pair]] + step // few[right[pair]]]
    other = order[start[right[pair]] + step % few[right[pair]]]
    return one, other, complete
