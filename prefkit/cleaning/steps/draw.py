"""Train and test without a leak: each group lands in one split.

The draw is a function of the groups' content and the seed alone.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prefkit.cleaning.steps.table import SHIFT, Numbers, mixed, numbers, staying
from prefkit.cleaning.steps.take_in import Job
from prefkit.engine import Part
from prefkit.errors import PrefkitError

DRAWS = 64  # with few documents of unlike size, one draw can miss the share by far
AT_A_TIME = 1 << 16  # groups that are Python numbers at a time
CLOSE = 0.01  # of all rows: near enough to stop drawing
UNDECIDED, TRAIN, TEST = np.int8(0), np.int8(1), np.int8(2)
SPLITS = pa.schema([("row", pa.int64()), ("test", pa.bool_())])


def drawn(labels: pa.Table, gone: pa.Table, parts: Sequence[Part], job: Job) -> list[pa.Table]:
    """The split of every row that stays, a piece for each slice.

    The tables' metadata tells of the draw: `groups`, `largest` (rows of the largest group),
    `drawn` (rows decided here; the others came with theirs) and `leaks` (train rows whose group
    has test rows too; only where the input came with splits, which are never re-drawn).

    Raises:
        PrefkitError: All rows belong to one group, so that nothing can be held out.
    """
    rows, names, given = _rows(parts, gone)
    group = _groups(rows, labels)
    sizes = np.bincount(group)
    decided = given.copy()
    undecided = np.bincount(group[given != UNDECIDED], minlength=len(sizes)) == 0
    tested = np.bincount(group[given == TEST], minlength=len(sizes)) > 0
    follow = np.where(tested, TEST, np.where(undecided, UNDECIDED, TRAIN))
    decided = np.where(given == UNDECIDED, follow[group], given)
    smallest = np.full(len(sizes), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, group, names)
    chosen = _draw(sizes, undecided, smallest, decided, job)
    follow = np.where(undecided, np.where(chosen, TEST, TRAIN), follow)
    decided = np.where(decided == UNDECIDED, follow[group], decided)
    _refuse_one_sided(decided, len(sizes), job)
    test = decided == TEST
    notes = {
        "groups": len(sizes),
        "largest": int(sizes.max(initial=0)),
        "drawn": int(sizes[undecided].sum()),
        "leaks": _leaks(group, test, len(sizes)),
    }
    table = pa.table([pa.array(rows), pa.array(test)], schema=SPLITS)
    table = table.replace_schema_metadata({name: str(value) for name, value in notes.items()})
    ends = np.searchsorted(rows >> SHIFT, np.arange(len(parts) + 1))
    return [table.slice(ends[at], ends[at + 1] - ends[at]) for at in range(len(parts))]


def _rows(
    parts: Sequence[Part], gone: pa.Table
) -> tuple[Numbers, NDArray[np.uint64], NDArray[np.int8]]:
    """Rows that stay, in order; hashes of their ids; and the splits they came with."""
    lost = numbers(gone, "row")
    found = []
    for part in parts:
        stay = staying(part.table().select(["row", "rule", "name", "split"]), lost)
        split = stay["split"].fill_null("").to_numpy(zero_copy_only=False)
        given = np.where(split == "test", TEST, np.where(split == "train", TRAIN, UNDECIDED))
        found.append((numbers(stay, "row"), stay["name"].to_numpy(), given.astype(np.int8)))
    rows, names, given = (np.concatenate(column) for column in zip(*found, strict=True))
    return rows, names.astype(np.uint64), given


def _groups(rows: Numbers, labels: pa.Table) -> Numbers:
    """A group number for each row, from 0; a row without a label is a group of its own."""
    nodes = numbers(labels, "node")
    places = np.minimum(np.searchsorted(nodes, rows), max(len(nodes) - 1, 0))
    if not len(nodes):
        return np.arange(len(rows))
    known = nodes[places] == rows
    alone = int(np.count_nonzero(~known))
    group = np.empty(len(rows), np.int64)
    group[~known] = np.arange(alone)
    linked = numbers(labels, "label")[places[known]]
    group[known] = np.unique(linked, return_inverse=True)[1] + alone
    return group


def _draw(
    sizes: Numbers,
    undecided: NDArray[np.bool_],
    names: NDArray[np.uint64],
    decided: NDArray[np.int8],
    job: Job,
) -> NDArray[np.bool_]:
    """Which undecided groups are held out so that test nears its share: the best of some draws."""
    open_groups = np.flatnonzero(undecided)
    chosen = np.zeros(len(sizes), np.bool_)
    wanted = job.config.test_share * len(decided) - float(np.count_nonzero(decided == TEST))
    off = np.inf
    for draw in range(DRAWS if wanted > 0 else 0):
        salt = mixed(np.array([job.config.seed * DRAWS + draw], np.uint64))
        order = open_groups[np.lexsort((names[open_groups], mixed(names[open_groups] ^ salt)))]
        held = _held_out(order, sizes, wanted)
        missed = abs(sizes[held].sum() - wanted)
        if missed < off:
            off = missed
            chosen[:] = False
            chosen[held] = True
        if off <= CLOSE * len(decided):
            break
    if job.config.test_share > 0 and len(open_groups):
        _leave_no_side_empty(chosen, open_groups, sizes, names, decided)
    return chosen


def _held_out(order: Numbers, sizes: Numbers, wanted: float) -> Numbers:
    """Groups in order, each taken when it brings the total nearer to what is wanted."""
    held: list[Numbers] = []
    total = 0
    for begin in range(0, len(order), AT_A_TIME):
        part = order[begin : begin + AT_A_TIME]
        taken = np.zeros(len(part), np.bool_)
        for place, size in enumerate(sizes[part].tolist()):
            if total + size / 2 < wanted:
                taken[place] = True
                total += size
            elif total + 0.5 >= wanted:
                break
        held.append(part[taken])
        if total + 0.5 >= wanted:
            break
    return np.concatenate([np.empty(0, np.int64), *held])


def _leave_no_side_empty(
    chosen: NDArray[np.bool_],
    open_groups: Numbers,
    sizes: Numbers,
    names: NDArray[np.uint64],
    decided: NDArray[np.int8],
) -> None:
    smallest = open_groups[np.lexsort((names[open_groups], sizes[open_groups]))[0]]
    held = np.count_nonzero(chosen[open_groups])
    if not held and not np.any(decided == TEST):
        chosen[smallest] = True
    elif held == len(open_groups) and not np.any(decided == TRAIN):
        chosen[smallest] = False


def _leaks(group: Numbers, test: NDArray[np.bool_], groups: int) -> int:
    tested = np.bincount(group[test], minlength=groups) > 0
    return int(np.count_nonzero(tested[group] & ~test))


def _refuse_one_sided(decided: NDArray[np.int8], groups: int, job: Job) -> None:
    rows = len(decided)
    one_sided = len(np.unique(decided)) < 2
    if job.config.test_share == 0 or not rows or not one_sided or groups > 1:
        return  # with several groups the input came with splits, all the same
    why = {
        "document": "they come from one document, or from documents that say the same",
        "chunk": "they come from one passage, or from passages that say the same",
        "example": "they are near duplicates of each other",
    }[job.config.split_by]
    finer = {"document": "chunk", "chunk": "example"}.get(job.config.split_by)
    raise PrefkitError(
        f"Nothing can be held out: all {rows} {job.kind} belong together ({why}).",
        hint="Add documents, "
        + (f"split more finely with `--split-by {finer}` (some leakage), " if finer else "")
        + "or keep everything for training with `--test-share 0`.",
    )
