"""The prompts and their distinct completions, numbered."""

import dataclasses
import operator
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from prefkit.pairs.check import text_key
from prefkit.records import Candidate, Example, text_of

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
FAILED = ("error", "content_filter")  # the model wrote nothing of its own


@dataclasses.dataclass(frozen=True)
class Items:
    """Distinct texts among the completions of each prompt; those of one prompt follow each other.

    Attributes:
        examples: The prompts.
        candidates: The one that stands for all with its text: whole before cut off, the wanted
            model's before others', then by id.
        of: Item of each candidate, by its id; failed generations are no items.
        prompt: Number of each item's prompt.
        start: First item of each prompt, and one past the last; shape (prompts + 1,).
        choosable: Whether it may be held up as good: not empty, and not cut off.
    """

    examples: Sequence[Example]
    candidates: Sequence[Candidate]
    of: dict[str, int]
    prompt: Ints
    start: Ints
    choosable: Bools

    def __len__(self) -> int:
        """How many items."""
        return len(self.candidates)


def itemise(
    examples: Sequence[Example], answers: Sequence[Iterable[Candidate]], policy: str = ""
) -> Items:
    """Number the distinct texts of each prompt, by the smallest id of their candidates.

    Args:
        examples: The prompts.
        answers: Candidates of each prompt.
        policy: The model whose candidate should stand for others of the same text.
    """
    kept: list[Candidate] = []
    of: dict[str, int] = {}
    sizes, choosable = [], []
    for candidates in answers:
        texts: dict[str, list[Candidate]] = {}
        for candidate in sorted(candidates, key=operator.attrgetter("id")):
            if candidate.finish_reason not in FAILED:
                key = text_key(text_of(candidate.completion))
                texts.setdefault(key, []).append(candidate)
        for key, alike in texts.items():
            first = alike[0] if len(alike) == 1 else _standing(alike, policy)
            for candidate in alike:
                of[candidate.id] = len(kept)
            kept.append(first)
            choosable.append(bool(key) and first.finish_reason != "length")
        sizes.append(len(texts))
    return Items(
        examples,
        kept,
        of,
        np.repeat(np.arange(len(sizes)), sizes),
        np.cumsum([0, *sizes]),
        np.array(choosable, bool),
    )


def _standing(alike: Sequence[Candidate], policy: str) -> Candidate:
    return min(alike, key=lambda c: (c.finish_reason == "length", c.model != policy, c.id))
