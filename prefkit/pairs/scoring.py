"""The strength of every item from all that was said of it and its siblings."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prefkit.config import PairsConfig
from prefkit.pairs.items import Items
from prefkit.pairs.plackett_luce import Choices, plackett_luce
from prefkit.pairs.ratings import Rated, Scale
from prefkit.pairs.strengths import combined
from prefkit.pairs.votes import RATING, SOURCES, Table

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
CELLS = 4_000_000  # of the arrays that hold the wins of many prompts


class Group(NamedTuple):
    """Prompts with as many items as each other: `items[p, k]`."""

    prompts: Ints
    items: Ints


def score(
    table: Table,
    items: Items,
    weights: Floats,
    read_as: dict[str, Scale],
    config: PairsConfig,
) -> Floats:
    """Strength of each item on 0..1, all prompts at once; see `strengths.combined`.

    Args:
        table: What was said.
        items: Of the prompts.
        weights: Of each rater.
        read_as: The scale of each maker of ratings.
        config: Which model turns comparisons into strengths.
    """
    rows = table.comparisons
    rows = rows.where(~rows.overruled & (rows.way != RATING) & (weights[rows.rater] > 0))
    weight = rows.share * weights[rows.rater]
    ratings, heard = _mean_ratings(table, len(items), weights, read_as)
    chances = None
    if config.strength == "plackett-luce":
        chances = plackett_luce(Choices.of(rows, weights), len(items))
    strength = np.full(len(items), 0.5)
    local = np.arange(len(items)) - items.start[items.prompt]
    prompt = items.prompt[rows.left] if len(rows.left) else rows.left
    for group in _groups(items):
        size = group.items.shape[1]
        place = np.full(len(items.examples), -1)
        place[group.prompts] = np.arange(len(group.prompts))
        mine = place[prompt] >= 0
        wins = _wins(
            place[prompt[mine]],
            local[rows.left[mine]],
            local[rows.right[mine]],
            rows.outcome[mine],
            weight[mine],
            (len(group.prompts), size, size),
        )
        given = None if chances is None else chances[group.items]
        strength[group.items] = combined(wins, ratings[group.items], given, heard[group.items])
    return strength


def _groups(items: Items) -> Iterator[Group]:
    sizes = np.diff(items.start)
    for size in np.unique(sizes[sizes > 0]):
        prompts = np.flatnonzero(sizes == size)
        for some in np.array_split(prompts, -(-len(prompts) * size * size // CELLS)):
            yield Group(some, items.start[some][:, None] + np.arange(size))


def _wins(
    prompt: Ints,
    left: Ints,
    right: Ints,
    outcome: Floats,
    weight: Floats,
    shape: tuple[int, int, int],
) -> Floats:
    """`wins[p, i, j]`: weight of the comparisons that i won against j; a tie is half for each."""
    _, size, _ = shape
    cells = int(np.prod(shape))
    forth = np.bincount((prompt * size + left) * size + right, weight * outcome, cells)
    back = np.bincount((prompt * size + right) * size + left, weight * (1 - outcome), cells)
    return (forth + back).reshape(shape)


def _mean_ratings(
    table: Table, count: int, weights: Floats, read_as: dict[str, Scale]
) -> tuple[Floats, Floats]:
    """Weighted mean rating of each item on 0..1, nan where there is none; and the weight."""
    rows = table.ratings
    placed = np.empty(len(rows.item))
    for number, (name, source) in enumerate(table.raters):
        mine = rows.rater == number
        if mine.any():
            scale = read_as["human" if source == "human" else name]
            placed[mine] = scale.placed(rows.value[mine])
    weight = weights[rows.rater]
    with np.errstate(invalid="ignore"):
        total = np.bincount(rows.item, weight, minlength=count)
        return np.bincount(rows.item, weight * placed, minlength=count) / total, total


def rated_values(table: Table) -> Iterator[Rated]:
    """Yield the ratings of each maker: all people answer one question, so they are one."""
    ratings = table.ratings
    names: dict[tuple[str, bool], list[int]] = {}
    for number, (name, source) in enumerate(table.raters):
        human = source == SOURCES[0]
        names.setdefault(("human" if human else name, human), []).append(number)
    for (name, human), raters in names.items():
        mine = ratings.where(np.isin(ratings.rater, raters))
        if len(mine.item):
            yield Rated(name, human, mine.value, [table.judgment_ids[j] for j in mine.judgment])
