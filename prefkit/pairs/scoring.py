"""The strength of every item from all that was said of it and its siblings."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prefkit.config import PairsConfig
from prefkit.pairs.columns import sums
from prefkit.pairs.items import Items
from prefkit.pairs.plackett_luce import Choices, plackett_luce
from prefkit.pairs.ratings import Rated, Scale
from prefkit.pairs.strengths import combined
from prefkit.pairs.votes import RATING, SOURCES, Table

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
PEOPLE = SOURCES[0]
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
        chances = plackett_luce(Choices.of(rows, weights), items.prompt)
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
    forth = sums((prompt * size + left) * size + right, weight * outcome, cells)
    back = sums((prompt * size + right) * size + left, weight * (1 - outcome), cells)
    return (forth + back).reshape(shape)


def _mean_ratings(
    table: Table, count: int, weights: Floats, read_as: dict[str, Scale]
) -> tuple[Floats, Floats]:
    """Weighted mean rating of each item on 0..1, nan where there is none; and the weight."""
    rows = table.ratings
    placed = np.empty(len(rows.item))
    for name, mine in _makers(table).items():
        placed[mine] = read_as[name].placed(rows.value[mine])
    weight = weights[rows.rater]
    with np.errstate(invalid="ignore"):
        total = sums(rows.item, weight, count)
        return sums(rows.item, weight * placed, count) / total, total


def rated_values(table: Table) -> Iterator[Rated]:
    """Yield the ratings of each maker: all people answer one question, so they are one."""
    for name, mine in _makers(table).items():
        rows = table.ratings.where(mine)
        ids = [table.judgment_ids[row] for row in rows.judgment.tolist()]
        yield Rated(name, name == PEOPLE, rows.value, ids)


def _makers(table: Table) -> dict[str, Ints]:
    """Rows of the ratings of each maker that made any."""
    labels = [kind if kind == PEOPLE else f"{kind} {name}" for name, kind in table.raters]
    names = sorted(set(labels))
    place = {name: number for number, name in enumerate(names)}
    number = np.array([place[label] for label in labels], np.int64)[table.ratings.rater]
    rows = np.split(np.argsort(number, kind="stable"), np.cumsum(np.bincount(number)))
    return {name: mine for name, mine in zip(names, rows, strict=False) if len(mine)}
