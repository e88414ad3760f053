"""What is right: exact Jaccard of 3-word (short texts: 2-word) shingles by Python sets."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

THRESHOLD = 0.7
WORD = re.compile(r"[^\W_]+")
LONG = 40
NEIGHBOURS = 50  # of its group that a record is compared with


class Truth:
    """Similarities of records, worked out once a pair."""

    def __init__(self, texts: pa.ChunkedArray) -> None:
        """Read the texts of a corpus."""
        self.texts = texts.combine_chunks()
        self.known: dict[tuple[int, int], float] = {}

    def similarity(self, one: int, other: int) -> float:
        """Jaccard similarity of two records."""
        pair = (min(one, other), max(one, other))
        if pair not in self.known:
            self.known[pair] = self._similarity(*(self._words(at) for at in pair))
        return self.known[pair]

    def _words(self, at: int) -> list[str]:
        return WORD.findall(self.texts[at].as_py().casefold())

    def _similarity(self, one: list[str], other: list[str]) -> float:
        width = 2 if min(len(one), len(other)) < LONG else 3
        left, right = (
            {tuple(words[at : at + width]) for at in range(len(words) - width + 1)}
            for words in (one, other)
        )
        return len(left & right) / max(len(left | right), 1)


def groups(pairs: np.ndarray) -> dict[int, int]:
    """For each record in a pair the first record it is connected to."""
    parent: dict[int, int] = {}

    def root(item: int) -> int:
        parent.setdefault(item, item)
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for one, other in pairs.tolist():
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return {item: root(item) for item in list(parent)}


def score(truth: Truth, found: np.ndarray, true: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Precision and recall of a tool.

    Precision: of the records that go (all but the first of each group that its pairs connect), the
    share that is near to some other record of the group. Recall: of the true pairs, the share of
    which not both records stay.
    """
    group = groups(found)
    members: dict[int, list[int]] = {}
    for item, first in group.items():
        members.setdefault(first, []).append(item)
    gone = {item for item, first in group.items() if item != first}
    right = sum(_has_near(truth, item, members[group[item]]) for item in gone)
    figures = {"removed": len(gone), "precision": right / max(len(gone), 1)}
    for low, high in ((0.7, 1.01), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01)):
        wanted = [pair for pair in true if low <= truth.similarity(*pair) < high]
        caught = sum(one in gone or other in gone for one, other in wanted)
        name = "recall" if high - low > 0.3 else f"recall_{low}"
        figures[name] = caught / max(len(wanted), 1)
    return figures


def _has_near(truth: Truth, item: int, members: list[int]) -> bool:
    others = [other for other in members[: NEIGHBOURS + 1] if other != item]
    return any(truth.similarity(item, other) >= THRESHOLD for other in others)
