"""Who beats whom all round: the circles of a graph of wins."""

import dataclasses
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Rounds:
    """Strongly connected sets of more than one node.

    Attributes:
        of: Number of the set of each node; -1 outside any. Shape (nodes,).
        beats: Whom each node of a set beats in it.
        members: The nodes of each set, rising.
    """

    of: Ints
    beats: dict[int, list[int]]
    members: dict[int, list[int]]


def rounds(won: Ints, lost: Ints, nodes: int) -> Rounds:
    """Find the circles.

    Args:
        won: Winner of each win.
        lost: Loser of each win.
        nodes: How many nodes there are.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    of = np.full(nodes, -1)
    if not len(won):
        return Rounds(of, {}, {})
    graph = coo_array((np.ones(len(won), bool), (won, lost)), shape=(nodes, nodes))
    _, label = connected_components(graph.tocsr(), connection="strong")
    inside = np.bincount(label)[label] > 1
    of[inside] = np.unique(label[inside], return_inverse=True)[1]
    mine = (of[won] >= 0) & (of[won] == of[lost])
    beats: dict[int, list[int]] = {}
    for winner, loser in zip(won[mine].tolist(), lost[mine].tolist(), strict=True):
        beats.setdefault(winner, []).append(loser)
    members: dict[int, list[int]] = {}
    for node in np.flatnonzero(inside).tolist():
        members.setdefault(int(of[node]), []).append(node)
    return Rounds(of, beats, members)


def shortest(group: Sequence[int], beats: dict[int, list[int]]) -> list[int]:
    """A shortest circle of a set: the first found, beginning with its smallest node."""
    for one in group:
        for other in beats[one]:
            for third in beats[other]:
                if one in beats[third]:
                    return [one, other, third]
    best: list[int] = []
    for first in group:
        came: dict[int, int] = {}
        queue = deque([first])
        while queue and first not in came:
            node = queue.popleft()
            for loser in beats.get(node, ()):
                if loser not in came:
                    came[loser] = node
                    queue.append(loser)
        path = [came[first]]
        while path[-1] != first:
            path.append(came[path[-1]])
        if not best or len(path) < len(best):
            best = path[::-1]
    return best
