"""Which completions of a prompt are paired."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from prefkit.config import PairsConfig
from prefkit.pairs.items import Items
from prefkit.pairs.strengths import DIGITS
from prefkit.pairs.votes import Table
from prefkit.records import content_id, text_of

Pair = tuple[int, int]  # chosen item, rejected item
CUT_OFF = "every {} completion is empty or cut off"


@dataclasses.dataclass(frozen=True)
class Refused:
    """Why a prompt has nothing to pair."""

    rule: str
    detail: str


@dataclasses.dataclass(frozen=True)
class Field:
    """The completions of one prompt that somebody judged.

    Attributes:
        judged: Items, in order.
        good: Those of them that may be chosen.
        strength: Of each item, by its number.
        draw: Orders items of equal strength, by content and seed.
    """

    judged: Sequence[int]
    good: Sequence[int]
    strength: dict[int, float]
    draw: Callable[[int], str]

    def ranked(self, items: Sequence[int]) -> list[int]:
        """Items, the strongest first; equal ones as drawn."""
        strengths = [self.strength[item] for item in items]
        if len(set(strengths)) == len(strengths):
            return sorted(items, key=lambda item: -self.strength[item])
        return sorted(items, key=lambda item: (self.strength[item], self.draw(item)), reverse=True)

    def best(self) -> int:
        """The strongest that may be chosen."""
        return self.ranked(self.good)[0]

    def apart(self, pair: Pair) -> float:
        """How much stronger the chosen side is."""
        return round(self.strength[pair[0]] - self.strength[pair[1]], DIGITS)


def best_vs_worst(field: Field) -> list[Pair]:
    """The strongest against the weakest, as open-instruct does with HelpSteer2."""
    best = field.best()
    # Of equal weakest ones the one drawn first: the chosen side is the one drawn last.
    rest = [item for item in field.judged if item != best]
    lowest = min(field.strength[item] for item in rest)
    weakest = [item for item in rest if field.strength[item] == lowest]
    return [(best, weakest[0] if len(weakest) == 1 else min(weakest, key=field.draw))]


def best_vs_rest(field: Field) -> list[Pair]:
    """The strongest against every other."""
    best = field.best()
    return [(best, other) for other in field.judged if other != best]


def adjacent(field: Field) -> list[Pair]:
    """Each against the next weaker one."""
    order = field.ranked(field.judged)
    return [pair for pair in itertools.pairwise(order) if pair[0] in field.good]


def every_two(field: Field) -> list[Pair]:
    """Each against every weaker one."""
    order = field.ranked(field.judged)
    return [
        (one, other)
        for place, one in enumerate(order)
        if one in field.good
        for other in order[place + 1 :]
    ]


def propose(
    items: Items,
    strength: NDArray[np.float64],
    judged: NDArray[np.bool_],
    table: Table,
    config: PairsConfig,
) -> Iterator[tuple[int, list[Pair] | Refused]]:
    """Yield each prompt and its pairs, the widest apart first; or why there are none."""

    def draw(item: int) -> str:
        return content_id(config.seed, items.candidates[item].id)

    drafts = _drafts(items, table) if config.strategy == "edits" else {}
    starts, strengths = items.start.tolist(), strength.tolist()
    spoken, choosable = judged.tolist(), items.choosable.tolist()
    for prompt, (first, last) in enumerate(itertools.pairwise(starts)):
        here = [item for item in range(first, last) if spoken[item]]
        if len(here) < 2:
            yield prompt, _too_few(last - first, len(here))
            continue
        good = [item for item in here if choosable[item]]
        if not good:
            yield prompt, Refused("none-choosable", CUT_OFF.format("judged"))
            continue
        field = Field(here, good, {item: strengths[item] for item in here}, draw)
        yield prompt, _of_prompt(field, drafts.get(prompt, ()), items, config)


def _of_prompt(
    field: Field, drafts: Sequence[Pair], items: Items, config: PairsConfig
) -> list[Pair] | Refused:
    if config.strategy == "edits":
        found = [pair for pair in drafts if pair[0] in field.good]
        if not found:
            return Refused("no-edit", "nobody wrote a better completion")
    elif config.strategy == "on_policy_rejected":
        found = _on_policy(field, items, config.policy)
        if not found:
            return Refused("no-policy-completion", f"no judged completion of {config.policy}")
    else:
        found = STRATEGIES[config.strategy](field)
    found.sort(key=lambda pair: -field.apart(pair))
    real = [pair for pair in found if field.apart(pair) > 0]
    if real:
        return real
    strongest = max(field.strength[item] for item in field.judged)
    if strongest > field.strength[field.best()]:
        return Refused("none-choosable", CUT_OFF.format("better"))
    return Refused("tie", f"{len(field.judged)} completions of equal strength")


STRATEGIES = {
    "best_vs_worst": best_vs_worst,
    "best_vs_rest": best_vs_rest,
    "adjacent": adjacent,
    "all": every_two,
}


def _on_policy(field: Field, items: Items, policy: str) -> list[Pair]:
    """The strongest against the weakest that the model to be trained wrote.

    A rejected side of the model's own is what it can unlearn (Tajwar et al. 2024, arXiv
    2404.14367). `policy` is the candidates' model, with or without `[context]`.
    """
    best = field.best()
    own = [
        item
        for item in field.judged
        if item != best and policy in (model := items.candidates[item].model, model.split("[")[0])
    ]
    return [(best, field.ranked(own)[-1])] if own else []


def _drafts(items: Items, table: Table) -> dict[int, list[Pair]]:
    """Each edit and its draft: of what its writer saw, the one that shares most of its words."""
    found: dict[int, dict[Pair, None]] = {}
    for edit, below in table.edits:
        if below:
            words = _words(items, edit)
            draft = max(sorted(below), key=lambda item: _alike(words, _words(items, item)))
            found.setdefault(int(items.prompt[edit]), {})[edit, draft] = None
    return {prompt: sorted(pairs) for prompt, pairs in found.items()}


def _words(items: Items, item: int) -> set[str]:
    return set(text_of(items.candidates[item].completion).casefold().split())


def _alike(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(len(one | other), 1)


def _too_few(distinct: int, judged: int) -> Refused:
    if not distinct:
        return Refused("no-candidates", "no completion to judge")
    if not judged:
        return Refused("no-judgment", f"{distinct} completions, none judged")
    return Refused("one-candidate", f"{judged} of {distinct} distinct completions judged")
