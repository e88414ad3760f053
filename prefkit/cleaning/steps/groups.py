"""Which rows belong together, as a graph over rows, documents and prompts.

Rows that quote the same document (or quote documents whose quoted passages are near duplicates),
ask the same, or are near duplicates of each other form one group, which lands in one split. A
row-wise split would put two questions on one passage on both sides, the standard leak of
generated Q&A.

Rows are nodes by their number; documents are negative nodes by a hash of their name. Rows that ask
the same are found by a shuffle: a node for every prompt would make the graph as large as the set.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from prefkit.cleaning.near_duplicates import near_pairs
from prefkit.cleaning.steps.table import (
    Numbers,
    bucket_of,
    halves_of,
    in_buckets,
    numbers,
    staying,
)
from prefkit.cleaning.steps.take_in import Job

EDGES = pa.schema([("left", pa.int64()), ("right", pa.int64())])


def quoted(table: pa.Table, gone: pa.Table) -> pa.Table:
    """Ids of the chunks that the rows that stay quote, each once."""
    rows = staying(table, numbers(gone, "row"))
    ids = rows["quoted"].combine_chunks().flatten().unique()
    return pa.table({"id": ids.cast(pa.string())})


def alike_places(table: pa.Table, wanted: pa.Table, job: Job) -> pa.Table:
    """Edges between the documents (or chunks) whose quoted passages are near duplicates.

    Args:
        table: All chunks at hand, a table of `CHUNKS`.
        wanted: Ids of the quoted ones.
        job: Says what a split must not tear apart.
    """
    chunks = wanted.join(table, "id", join_type="inner").sort_by("id")
    pairs = near_pairs(chunks["text"].to_pylist(), job.config.near_duplicates)
    by_document = job.config.split_by == "document"
    names = chunks["document_id" if by_document else "id"].to_pylist()
    nodes = np.array([_node(name) for name in names], np.int64)
    return _edges(nodes[pairs.left], nodes[pairs.right])


def places(table: pa.Table, gone: pa.Table, chunks: pa.Table, job: Job) -> pa.Table:
    """Edges from each row that stays to what it is from.

    The table's metadata says how many rows quote a chunk that is not at hand (`unplaced`).
    """
    rows = staying(table, numbers(gone, "row"))
    known = dict(zip(chunks["id"].to_pylist(), chunks["document_id"].to_pylist(), strict=True))
    pairs: list[tuple[int, int]] = []
    unplaced = 0
    if job.config.split_by != "example":
        columns = [rows[name].to_pylist() for name in ("row", "quoted", "document")]
        for row, ids, noted in zip(*columns, strict=True):
            unplaced += any(chunk_id not in known for chunk_id in ids)
            pairs += ((row, _node(name)) for name in _names(ids, noted, known, job))
    left, right = np.array(pairs, np.int64).reshape(-1, 2).T
    return _edges(left, right).replace_schema_metadata({"unplaced": str(unplaced)})


def by_prompt(table: pa.Table, gone: pa.Table, buckets: int) -> list[pa.Table]:
    """Rows that stay with the halves of their prompt's key, those of one prompt in one bucket."""
    rows = staying(table.select(["row", "rule", "prompt_key"]), numbers(gone, "row"))
    halves = halves_of(rows["prompt_key"])
    columns = {"row": numbers(rows, "row"), "key": halves[:, 0], "more": halves[:, 1]}
    return in_buckets(pa.table(columns), bucket_of(halves[:, 0], buckets), buckets)


def asked_again(table: pa.Table) -> pa.Table:
    """Edges from each row to the next one with the same prompt."""
    row, key, more = (table[name].to_numpy() for name in ("row", "key", "more"))
    order = np.lexsort((row, more, key))
    row, key, more = row[order], key[order], more[order]
    same = (key[1:] == key[:-1]) & (more[1:] == more[:-1])
    return _edges(row[:-1][same], row[1:][same])


def links(table: pa.Table, gone: pa.Table) -> pa.Table:
    """Edges between near rows that both stay; of `verified` pairs."""
    pairs = table.filter(table["link"])
    left, right, lost = numbers(pairs, "left"), numbers(pairs, "right"), numbers(gone, "row")
    stay = ~(np.isin(left, lost) | np.isin(right, lost))
    return _edges(left[stay], right[stay])


def to_keepers(drops: pa.Table) -> pa.Table:
    """Edges from what only got a mark to the rows it would have yielded to."""
    marked = drops.filter(drops["keeper"].is_valid())
    return _edges(numbers(marked, "row"), numbers(marked, "keeper"))


def _names(
    ids: Sequence[str], noted: str | None, known: Mapping[str, str], job: Job
) -> Sequence[str]:
    """The documents (or chunks) a row is from; a chunk not at hand stands for its document."""
    if job.config.split_by == "chunk":
        return ids
    if ids:
        return [known.get(chunk_id, chunk_id) for chunk_id in ids]
    return [noted] if noted else []


def _node(name: str) -> int:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return -1 - (int.from_bytes(digest, "little") >> 1)


def _edges(left: Numbers, right: Numbers) -> pa.Table:
    return pa.table([pa.array(left), pa.array(right)], schema=EDGES)
