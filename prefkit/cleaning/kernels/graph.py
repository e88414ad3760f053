"""Components of a graph, and which of its nodes stand for their neighbours."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from prefkit.cleaning.kernels.compiled import compiled
from prefkit.cleaning.kernels.texts import Indices


@dataclasses.dataclass(frozen=True)
class Stars:
    """Nodes that go, each with the neighbour that it yields to.

    Attributes:
        item: What goes, in the order given, shape (gone,).
        keeper: A neighbour that stays, shape (gone,).
        similarity: How similar both are, shape (gone,).
    """

    item: Indices
    keeper: Indices
    similarity: NDArray[np.float64]


@compiled
def _root(parent: Indices, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@compiled
def _join(parent: Indices, left: Indices, right: Indices, joins: NDArray[np.bool_]) -> None:
    """Join the ends of every edge under the smaller root; note the edges that joined something."""
    for edge in range(len(left)):
        one, other = _root(parent, left[edge]), _root(parent, right[edge])
        joins[edge] = one != other
        parent[max(one, other)] = min(one, other)
    for node in range(len(parent)):
        parent[node] = _root(parent, node)


@compiled
def _stars(
    starts: Indices,
    neighbours: Indices,
    scores: NDArray[np.float64],
    keeper: Indices,
    score: NDArray[np.float64],
) -> None:
    """For each node, in order of preference, its best kept neighbour before it, or -1."""
    for node in range(len(keeper)):
        for at in range(starts[node], starts[node + 1]):
            other = neighbours[at]
            if other < node and keeper[other] < 0:
                best = keeper[node]
                closer = scores[at] > score[node] or (scores[at] == score[node] and other < best)
                if best < 0 or closer:
                    keeper[node] = other
                    score[node] = scores[at]


def joined(left: Indices, right: Indices) -> tuple[Indices, Indices, NDArray[np.bool_]]:
    """`(nodes, the smallest node of each one's component, which edges join components)`.

    Args:
        left: One end of each edge: any number.
        right: The other.
    """
    nodes, places = np.unique(np.concatenate((left, right)), return_inverse=True)
    parent, joins = np.arange(len(nodes)), np.zeros(len(left), np.bool_)
    _join(parent, places[: len(left)], places[len(left) :], joins)
    return nodes, nodes[parent], joins


def stars(order: Indices, left: Indices, right: Indices, similarity: NDArray[np.float64]) -> Stars:
    """What to drop so that no kept item is near another.

    Items are taken in `order`; one is dropped only when it is itself near an item already kept, so
    a chain of small steps never removes its far end. It yields to the most similar of these, of
    equally similar ones to the first in order.

    Args:
        order: The items, most preferred first, each once.
        left: One item of each near pair.
        right: The other.
        similarity: Of each pair.
    """
    by_item = np.argsort(order)
    ranks = [by_item[np.searchsorted(order, side, sorter=by_item)] for side in (left, right)]
    ends = np.concatenate(ranks)
    by_end = np.argsort(ends, kind="stable")
    starts = np.searchsorted(ends[by_end], np.arange(len(order) + 1))
    neighbours = np.concatenate(ranks[::-1])[by_end]
    scores = np.concatenate((similarity, similarity))[by_end]
    keeper, score = np.full(len(order), -1), np.zeros(len(order))
    _stars(starts, neighbours, scores, keeper, score)
    gone = np.flatnonzero(keeper >= 0)
    return Stars(order[gone], order[keeper[gone]], score[gone])
