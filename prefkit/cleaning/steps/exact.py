"""Rows that say the same word for word: one stays.

Exact: the same prompt and answers up to case, spacing, width and sentence marks. Repeated: an
example with the same prompt and another reference; one stays, because a question that stands for
two answers teaches neither. Contradicted: two preference pairs, or thumbs, that take opposite
sides on the same texts; none stays, because nothing says which is right.

The one that stays comes first in PREFERENCE (standing.py).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prefkit.cleaning.facts import same_facts
from prefkit.cleaning.near_duplicates import similarities
from prefkit.cleaning.steps.table import DROPS, PREFERENCE, bucket_of, in_buckets, take
from prefkit.cleaning.steps.take_in import Job
from prefkit.engine import Part

COLUMNS = ["row", "line", "prompt_key", "whole_key", "side", *(name for name, _ in PREFERENCE)]
Row = dict[str, Any]  # values of COLUMNS
Drop = dict[str, Any]  # values of DROPS


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
    halves = _halves(accepted[_key(job)])
    return in_buckets(accepted, bucket_of(halves[:, 0], buckets), buckets)


def repeated(table: pa.Table, job: Job, parts: Sequence[Part]) -> pa.Table:
    """What yields to a row of the same key, or contradicts one, as a table of `DROPS`."""
    key = _key(job)
    ordered = table.sort_by([(key, "ascending"), *PREFERENCE])
    drops: list[Drop] = []
    asked_again: list[tuple[Row, Row]] = []
    for group in _groups(ordered, key):
        if job.kind != "examples" and len({row["side"] for row in group}) > 1:
            drops += _contradicted(group)
            continue
        first, *rest = group
        for row in rest:
            if row["whole_key"] == first["whole_key"]:
                drops.append(_drop(row, first, "exact-duplicate", _same_as(row, first), 1.0))
            else:
                asked_again.append((row, first))
    drops += _repeated_prompts(asked_again, parts)
    return pa.Table.from_pylist(drops, schema=DROPS)


def _key(job: Job) -> str:
    one_a_prompt = job.kind == "examples" and not job.config.keep_repeated_prompts
    return "prompt_key" if one_a_prompt else "whole_key"


def _halves(keys: pa.ChunkedArray) -> NDArray[np.uint64]:
    """128-bit keys as two numbers each, shape (keys, 2)."""
    array = keys.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.chunks else pa.array([], keys.type)
    data = np.frombuffer(array.buffers()[1] or b"", np.uint64)
    return data.reshape(-1, 2)[array.offset : array.offset + len(array)]


def _groups(ordered: pa.Table, key: str) -> Iterator[list[Row]]:
    """Rows of equal key where there are several, those that stay first."""
    halves = _halves(ordered[key])
    edges = np.flatnonzero((halves[1:] != halves[:-1]).any(axis=1)) + 1
    starts = np.concatenate(([0], edges))
    sizes = np.diff(np.append(starts, len(halves)))
    for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True):
        yield ordered.slice(int(start), int(size)).to_pylist()


def _same_as(row: Row, first: Row) -> str:
    """Ids are made from content, so copies that came without one share it: the line tells."""
    line = f", line {first['line']}" if row["id"] == first["id"] else ""
    return f"same text as {first['id']}{line}"


def _contradicted(group: list[Row]) -> Iterator[Drop]:
    for row in group:
        other = next(one for one in group if one["side"] != row["side"])
        detail = f"{other['id']} takes the other side on the same texts"
        yield _drop(row, None, "contradicted", detail, None)


def _repeated_prompts(asked: Sequence[tuple[Row, Row]], parts: Sequence[Part]) -> Iterator[Drop]:
    left = np.array([row["row"] for row, _ in asked], np.int64)
    right = np.array([first["row"] for _, first in asked], np.int64)
    rows, places = np.unique(np.concatenate((left, right)), return_inverse=True)
    texts = take(parts, rows, ["answer"])["answer"].to_pylist()
    one, other = places[: len(asked)], places[len(asked) :]
    scores = similarities(texts, one, other)
    for (row, first), a, b, score in zip(asked, one, other, scores.tolist(), strict=True):
        agree = same_facts(texts[a], texts[b])
        yield _drop(
            row,
            first,
            "repeated-prompt" if agree else "conflicting-reference",
            f"same prompt as {first['id']}, {'no other facts' if agree else 'other facts'} in the "
            f"reference (similarity {score:.2f})",
            score,
        )


def _drop(row: Row, keeper: Row | None, rule: str, detail: str, score: float | None) -> Drop:
    return {
        "row": row["row"],
        "keeper": keeper["row"] if keeper else None,
        "keeper_id": keeper["id"] if keeper else None,
        "rule": rule,
        "detail": detail,
        "score": score,
    }
