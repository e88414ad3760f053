"""One judgment table: who compared which two, how it came out, and who rated what."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prefkit.pairs.columns import codes, sums
from prefkit.pairs.items import Items
from prefkit.pairs.sift import STAGE, Sifted
from prefkit.records import Candidate, Dropped

if TYPE_CHECKING:
    import pyarrow as pa

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
RATING, RANK, EDIT = 0, 1, 2  # ways to compare, in order of authority within a judgment


@dataclasses.dataclass(frozen=True)
class Comparisons:
    """Comparisons of two items of a prompt, as columns of one length.

    Attributes:
        left: The item of the smaller number.
        right: The other item.
        outcome: 1 when the left one was held better, 0 when worse, 0.5 for a tie.
        judgment: Row of the judgment that says so.
        rater: Who made it.
        way: RATING, RANK or EDIT.
        share: 1 / (items compared - 1): a k-way ranking is k - 1 facts, not its k(k - 1)/2 pairs.
        overruled: Whether an adjudicator settled the prompt otherwise or likewise.
    """

    left: Ints
    right: Ints
    outcome: Floats
    judgment: Ints
    rater: Ints
    way: Ints
    share: Floats
    overruled: Bools

    def where(self, keep: NDArray) -> "Comparisons":
        """Only some rows, or rows in another order."""
        return Comparisons(*(getattr(self, f.name)[keep] for f in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class Ratings:
    """Ratings that count, as columns: item, rater, judgment, value on the maker's own scale."""

    item: Ints
    rater: Ints
    judgment: Ints
    value: Floats

    def where(self, keep: NDArray) -> "Ratings":
        """Only some rows."""
        return Ratings(*(getattr(self, f.name)[keep] for f in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class Table:
    """All that was said.

    Attributes:
        raters: Name and source of each rater, in order.
        judgment_ids: Of each judgment.
        source: Source of each judgment: 0 human, 1 judge, 2 rule.
        comparisons: Of rankings and edits, and what ratings amount to; sorted by left and right.
        ratings: The ratings themselves.
        touched: Which sources speak of each item, as bits of `source`.
        edits: Item of each edit, and the items it betters.
        dropped: Judgments that their own maker revised.
    """

    raters: tuple[tuple[str, str], ...]
    judgment_ids: tuple[str, ...]
    source: Ints
    adjudicated: Bools
    comparisons: Comparisons
    ratings: Ratings
    touched: Ints
    edits: tuple[tuple[int, frozenset[int]], ...]
    dropped: tuple[Dropped, ...]


SOURCES = ("human", "judge", "rule")  # in order of authority


def tabulate(
    sifted: Sifted,
    candidates: list[Candidate],
    items: Items,
    written: Mapping[int, Candidate],
) -> Table:
    """Turn judgments into comparisons and ratings of items.

    When a rater says of the same two items (or rates the same item) again, the last word counts.

    Args:
        sifted: Judgments that count, oldest first.
        candidates: What `sifted.candidate` numbers.
        items: Of the prompts.
        written: The edit of a judgment, by its row.
    """
    said = sifted.opinions.said
    raters, rater = _raters(said)
    source = np.array([SOURCES.index(kind) for _, kind in raters], np.int64)[rater]
    entries = _entries(sifted, candidates, items)
    drafts = {items.of[c.id] for c in candidates if c.id in items.of} if written else set()
    edits = _edits(sifted, items, written, entries, drafts)
    share = _shares(len(rater), entries, edits)
    parts = [
        _compared(entries, RANK),
        _compared(entries, RATING),
        _edited(edits),
    ]
    left, right, outcome, judgment, way = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    rows = Comparisons(
        left,
        right,
        outcome,
        judgment,
        rater[judgment],
        way,
        np.where(way == RATING, 0.0, share[judgment]),
        sifted.overruled[judgment],
    )
    comparisons, revised = _last_words(rows)
    ratings, rerated = _last_ratings(entries, rater, sifted.overruled)
    touched = np.zeros(len(items), np.int64)
    counted = ~sifted.overruled[entries.judgment]
    np.bitwise_or.at(touched, entries.item[counted], 1 << source[entries.judgment[counted]])
    for row, item, below in edits:
        if not sifted.overruled[row]:
            touched[[item, *below]] |= 1 << source[row]
    ids = tuple(said["id"].to_pylist())
    return Table(
        raters,
        ids,
        source,
        said["adjudicated"].to_numpy().astype(bool),
        comparisons,
        ratings,
        touched,
        tuple((item, below) for row, item, below in edits if not sifted.overruled[row]),
        _revisions(ids, np.concatenate([revised, rerated])),
    )


@dataclasses.dataclass(frozen=True)
class _Entries:
    """Mean score of a judgment for an item; sorted by judgment, way and item."""

    judgment: Ints
    way: Ints
    item: Ints
    value: Floats


Edit = tuple[int, int, frozenset[int]]  # judgment, its item, items it betters


def _raters(said: "pa.Table") -> tuple[tuple[tuple[str, str], ...], Ints]:
    names, name = codes(said["annotator"])
    kinds, kind = codes(said["source"])
    both, number = np.unique(name * len(kinds) + kind, return_inverse=True)
    found = [(names[one // len(kinds)], kinds[one % len(kinds)]) for one in both.tolist()]
    order = sorted(range(len(found)), key=found.__getitem__)
    place = np.empty(len(found), np.int64)
    place[order] = np.arange(len(found))
    return tuple(found[one] for one in order), place[number]


def _entries(sifted: Sifted, candidates: list[Candidate], items: Items) -> _Entries:
    number = np.array([items.of.get(c.id, -1) for c in candidates] or [-1], np.int64)
    item = number[sifted.candidate] if len(sifted.candidate) else np.empty(0, np.int64)
    scores = sifted.opinions.scores
    known = item >= 0
    judgment = scores["judgment"].to_numpy()[known]
    way = np.where(scores["rated"].to_numpy().astype(bool), RATING, RANK)[known]
    item, value = item[known], scores["value"].to_numpy()[known]
    key = (2 * judgment + way) * (len(items) + 1) + item
    order = np.lexsort((value, key))
    judgment, way, item, value = (column[order] for column in (judgment, way, item, value))
    new = np.diff(key[order], prepend=-1) != 0
    group = np.cumsum(new) - 1
    count = int(new.sum())
    mean = sums(group, value, count) / np.bincount(group, minlength=count)
    return _Entries(judgment[new], way[new], item[new], mean)


def _edits(
    sifted: Sifted,
    items: Items,
    written: Mapping[int, Candidate],
    entries: _Entries,
    drafts: set[int],
) -> list[Edit]:
    """Each edit and what its writer saw: the answers shown, else those scored, else all drafts."""
    found = []
    for row, candidate in written.items():
        item = items.of[candidate.id]
        seen = sifted.opinions.said["seen"][row].as_py()
        below = {items.of[name] for name in seen or () if name in items.of}
        if not below:
            first, last = np.searchsorted(entries.judgment, [row, row + 1])
            below = set(entries.item[first:last].tolist())
        prompt = items.prompt[item]
        here = range(items.start[prompt], items.start[prompt + 1])
        below = below or drafts.intersection(here)
        found.append((row, item, frozenset(below - {item})))
    return found


def _shares(judgments: int, entries: _Entries, edits: list[Edit]) -> Floats:
    ranked = entries.way == RANK
    compared = np.bincount(entries.judgment[ranked], minlength=judgments)
    for row, item, below in edits:
        mine = slice(*np.searchsorted(entries.judgment, [row, row + 1]))
        compared[row] = len({item, *below, *entries.item[mine][ranked[mine]].tolist()})
    return 1 / np.maximum(compared - 1, 1)


Rows = tuple[Ints, Ints, Floats, Ints, Ints]  # left, right, outcome, judgment, way


def _compared(entries: _Entries, way: int) -> Rows:
    """Every two items that a judgment scores."""
    mine = entries.way == way
    judgment, item, value = entries.judgment[mine], entries.item[mine], entries.value[mine]
    starts = np.flatnonzero(np.diff(judgment, prepend=-1))
    sizes = np.diff(starts, append=len(judgment))
    parts = []
    for size in np.unique(sizes[sizes > 1]):
        at = starts[sizes == size][:, None] + np.arange(size)
        one, other = np.triu_indices(size, 1)
        a, b = at[:, one].ravel(), at[:, other].ravel()
        outcome = (1.0 + (value[a] > value[b]) - (value[a] < value[b])) / 2
        parts.append((item[a], item[b], outcome, judgment[a]))
    if not parts:
        none = np.empty(0, np.int64)
        return none, none, np.empty(0), none, none
    left, right, outcome, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
    return left, right, outcome, rows, np.full(len(left), way)


def _edited(edits: list[Edit]) -> Rows:
    rows = [
        (min(item, other), max(item, other), float(item < other), row, EDIT)
        for row, item, below in edits
        for other in sorted(below)
    ]
    left, right, outcome, judgment, way = list(zip(*rows, strict=True)) or [()] * 5
    return (
        np.array(left, np.int64),
        np.array(right, np.int64),
        np.array(outcome, np.float64),
        np.array(judgment, np.int64),
        np.array(way, np.int64),
    )


def _last_words(rows: Comparisons) -> tuple[Comparisons, Ints]:
    """Each rater's last comparison of two items, and the judgments that lost one.

    An edit outdoes the same judgment's ranks. What ratings amount to is kept apart here, since
    strengths take ratings as they are.
    """
    rated = (rows.way == RATING).astype(np.int64)
    order = np.lexsort(
        (rows.way, rows.judgment, rated + 2 * rows.overruled, rows.rater, rows.right, rows.left)
    )
    rows, rated = rows.where(order), rated[order]
    same = np.ones(max(len(rated) - 1, 0), bool)
    for column in (rows.left, rows.right, rows.rater, rated, rows.overruled.astype(np.int64)):
        same &= np.diff(column) == 0
    superseded = np.append(same, False)[: len(rated)]
    later = np.append(rows.judgment[1:], 0)[: len(rated)]
    revised = np.stack([rows.judgment, later], axis=1)[superseded & (rows.judgment != later)]
    return rows.where(~superseded), revised


def _last_ratings(entries: _Entries, rater: Ints, overruled: Bools) -> tuple[Ratings, Ints]:
    mine = (entries.way == RATING) & ~overruled[entries.judgment]
    judgment, item, value = entries.judgment[mine], entries.item[mine], entries.value[mine]
    who = rater[judgment]
    order = np.lexsort((judgment, who, item))
    rows = Ratings(item[order], who[order], judgment[order], value[order])
    same = (np.diff(rows.item) == 0) & (np.diff(rows.rater) == 0)
    superseded = np.append(same, False)[: len(rows.item)]
    later = np.append(rows.judgment[1:], 0)[: len(rows.item)]
    return rows.where(~superseded), np.stack([rows.judgment, later], axis=1)[superseded]


def _revisions(ids: tuple[str, ...], revised: Ints) -> tuple[Dropped, ...]:
    """A note for each judgment that its maker revised, in whole or in part."""
    by = {int(old): int(new) for old, new in revised}
    return tuple(
        Dropped(
            record_id=ids[old],
            stage=STAGE,
            rule="repeated-vote",
            detail=f"the same rater judged these again: the last word, {ids[new]}, counts",
            keeper=ids[new],
        )
        for old, new in sorted(by.items())
    )
