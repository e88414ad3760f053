"""Rows that say the same word for word: one stays.

Exact: the same prompt and answers up to case, spacing, width and sentence marks. Repeated: an
example with the same prompt and another reference; one stays, because a question that stands for
two answers teaches neither. Contradicted: two preference pairs, or thumbs, that take opposite
sides on the same texts; none stays, because nothing says which is right.

The one that stays comes first in PREFERENCE (standing.py).
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prefkit.cleaning.facts import same_facts
from prefkit.cleaning.near_duplicates import similarities
from prefkit.cleaning.steps.table import (
    DROPS,
    PREFERENCE,
    Numbers,
    bucket_of,
    halves_of,
    in_buckets,
    numbers,
    take,
)
from prefkit.cleaning.steps.take_in import Job
from prefkit.engine import Part

COLUMNS = ["row", "line", "prompt_key", "whole_key", "side", *(name for name, _ in PREFERENCE)]


def by_id(table: pa.Table, buckets: int) -> list[pa.Table]:
    """Ids as they came, equal ones in one bucket."""
    read = table.filter(table["text"].is_valid()).select(
        ["came", "came_name", "text", "row", "line"]
    )
    return in_buckets(read, bucket_of(read["came_name"].to_numpy(), buckets), buckets)


def clashes(table: pa.Table) -> pa.Table:
    """Two rows of unlike text that came with one id; empty when there are none."""
    ordered = table.sort_by([("came_name", "ascending"), ("row", "ascending")])
    name, text = ordered["came_name"].to_numpy(), ordered["text"].to_numpy()
    unlike = np.flatnonzero((name[1:] == name[:-1]) & (text[1:] != text[:-1]))
    return ordered.take(pa.array([unlike[0], unlike[0] + 1] if len(unlike) else [], pa.int64()))


def by_key(table: pa.Table, job: Job, buckets: int) -> list[pa.Table]:
    """Keys of the rows that the rules accept, equal ones in one bucket."""
    accepted = table.filter(table["rule"].is_null()).select(COLUMNS)
    halves = halves_of(accepted[_key(job)])
    return in_buckets(accepted, bucket_of(halves[:, 0], buckets), buckets)


def repeated(table: pa.Table, job: Job, parts: Sequence[Part]) -> pa.Table:
    """What yields to a row of the same key, or contradicts one, as a table of `DROPS`."""
    key = _key(job)
    ordered = table.sort_by([(key, "ascending"), *PREFERENCE])
    group, first = _groups(halves_of(ordered[key]))
    opposite = _opposite(ordered, group, job)
    whole = halves_of(ordered["whole_key"])
    later = (np.arange(len(ordered)) != first) & (opposite < 0)
    same = (whole == whole[first]).all(axis=1)
    asked = np.flatnonzero(later & ~same)
    found = [
        _contradicted(ordered, np.flatnonzero(opposite >= 0), opposite),
        _copies(ordered, np.flatnonzero(later & same), first),
        _repeated_prompts(ordered, asked, first[asked], parts),
    ]
    return pa.concat_tables(found).combine_chunks()


def _key(job: Job) -> str:
    one_a_prompt = job.kind == "examples" and not job.config.keep_repeated_prompts
    return "prompt_key" if one_a_prompt else "whole_key"


def _groups(halves: NDArray[np.uint64]) -> tuple[Numbers, Numbers]:
    """Of ordered keys: the group that each lies in, and the place of that group's first."""
    new = np.ones(len(halves), np.bool_)
    new[1:] = (halves[1:] != halves[:-1]).any(axis=1)
    group = np.cumsum(new) - 1
    return group, np.flatnonzero(new)[group]


def _opposite(ordered: pa.Table, group: Numbers, job: Job) -> Numbers:
    """Of each row the first of its group that takes the other side; -1 where none does."""
    if job.kind == "examples" or not len(group):
        return np.full(len(group), -1)
    side = ordered["side"].to_numpy()
    firsts = np.full((group[-1] + 1, 2), -1)
    for of_side in (0, 1):
        places = np.flatnonzero(side == of_side)[::-1]
        firsts[group[places], of_side] = places
    return firsts[group, 1 - side.astype(np.int64)]


def _contradicted(ordered: pa.Table, places: Numbers, opposite: Numbers) -> pa.Table:
    others = ordered["id"].take(pa.array(opposite[places]))
    details = _joined(others, " takes the other side on the same texts")
    return _drops(ordered, places, None, "contradicted", details, None)


def _copies(ordered: pa.Table, places: Numbers, first: Numbers) -> pa.Table:
    """Copies of a group's first row.

    Ids are made from content, so copies that came without one share it: then the line tells.
    """
    keeper = first[places]
    ids, keepers = (ordered["id"].take(pa.array(rows)) for rows in (places, keeper))
    lines = _joined(", line ", ordered["line"].take(pa.array(keeper)).cast(pa.string()))
    one_id = pc.call_function("equal", [ids, keepers])
    told = pc.call_function("if_else", [one_id, lines, pa.scalar("")])
    details = _joined("same text as ", keepers, told)
    return _drops(ordered, places, keeper, "exact-duplicate", details, np.ones(len(places)))


def _repeated_prompts(
    ordered: pa.Table, places: Numbers, keeper: Numbers, parts: Sequence[Part]
) -> pa.Table:
    row = numbers(ordered, "row")
    rows, where = np.unique(np.concatenate((row[places], row[keeper])), return_inverse=True)
    texts = take(parts, rows, ["answer"])["answer"].to_pylist()
    one, other = where[: len(places)], where[len(places) :]
    scores = similarities(texts, one, other)
    ids = ordered["id"].take(pa.array(keeper)).to_pylist()
    rules, details = [], []
    for a, b, score, name in zip(one, other, scores.tolist(), ids, strict=True):
        agree = same_facts(texts[a], texts[b])
        rules.append("repeated-prompt" if agree else "conflicting-reference")
        details.append(
            f"same prompt as {name}, {'no other facts' if agree else 'other facts'} in the "
            f"reference (similarity {score:.2f})"
        )
    return _drops(ordered, places, keeper, rules, pa.array(details, pa.string()), scores)


def _drops(
    ordered: pa.Table,
    places: Numbers,
    keeper: Numbers | None,
    rule: str | list[str],
    details: pa.Array | pa.ChunkedArray,
    scores: NDArray[np.float64] | None,
) -> pa.Table:
    """A table of `DROPS` of the rows at some places."""
    count = len(places)
    keepers = (
        ordered.select(["row", "id"]).take(pa.array(keeper))
        if keeper is not None
        else pa.table([pa.nulls(count, pa.int64()), pa.nulls(count, pa.string())], ["row", "id"])
    )
    rules = pa.array([rule] * count if isinstance(rule, str) else rule, pa.string())
    score = pa.nulls(count, pa.float64()) if scores is None else pa.array(scores, pa.float64())
    row = ordered["row"].take(pa.array(places))
    columns = [row, keepers["row"], keepers["id"], rules, details, score]
    return pa.table(columns, schema=DROPS)


def _joined(*texts: str | pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    parts = [pa.scalar(text) if isinstance(text, str) else text for text in texts]
    return pc.call_function("binary_join_element_wise", [*parts, pa.scalar("")])
