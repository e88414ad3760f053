"""Rows that are nearly the same: bands propose, exact Jaccard decides, each keeps one neighbour.

A pair is a duplicate when the texts that `compare` names are each at least `near_duplicates`
similar and neither row states a fact that the other lacks (facts.py). Rows with near-duplicate
prompts, or near-duplicate answers of eight words or more, are linked even where both stay: a
split must not tear them apart.

Duplicates of duplicates are no duplicates: what goes has a keeper that stays and that it is near
to. Within a cluster the preferred row stays first and its neighbours go (greedy dominating set).
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prefkit.cleaning.facts import same_facts
from prefkit.cleaning.near_duplicates import (
    band_keys,
    components,
    forest,
    propose,
    similarities,
    star,
)
from prefkit.cleaning.steps.table import (
    PREFERENCE,
    Numbers,
    bucket_of,
    in_buckets,
    numbers,
    staying,
    take,
)
from prefkit.cleaning.steps.take_in import Job
from prefkit.engine import Part

BLOCK = 100_000  # pairs whose texts are held at a time
KEEPERS = pa.schema([("row", pa.int64()), ("keeper", pa.int64()), ("score", pa.float64())])
COMPARED = {
    "prompts": ("prompt",),
    "completions": ("answer", "rejected"),
    "both": ("prompt", "answer", "rejected"),
}


def keys(table: pa.Table, gone: pa.Table, column: str, job: Job, buckets: int) -> list[pa.Table]:
    """Band keys of one text of each row that stays, equal keys in one bucket."""
    rows = staying(table, numbers(gone, "row"))
    if column == "answer" and "answer" not in COMPARED[job.config.compare][:1]:
        rows = rows.filter(rows["telling"])
    texts = rows[column].combine_chunks()
    found = band_keys(texts, job.config.near_duplicates)
    keyed = pa.table(
        {
            "key": found.key,
            "row": numbers(rows, "row")[found.row],
            "order": found.order,
        }
    )
    return in_buckets(keyed, bucket_of(found.key, buckets), buckets)


def pairs(table: pa.Table, decisive: bool, buckets: int) -> list[pa.Table]:
    """Pairs of rows that share a band, the same pair always in the same bucket.

    Args:
        table: Made by `keys`.
        decisive: Whether a duplicate may be missed where not all pairs are proposed.
        buckets: How many.
    """
    found = propose(table["key"].to_numpy(), numbers(table, "row"), table["order"].to_numpy())
    crowded = np.full(len(found.left), decisive and not found.complete)
    proposed = pa.table({"left": found.left, "right": found.right, "crowded": crowded})
    return in_buckets(proposed, bucket_of(found.left * 31 + found.right, buckets), buckets)


def verified(table: pa.Table, job: Job, parts: Sequence[Part]) -> pa.Table:
    """Those of the proposed pairs that hold: duplicates, links, or both.

    The table's metadata says how many were `compared`, and whether a crowd of texts shared a band
    so that not all pairs of them were proposed (`crowded`).
    """
    left, right = _distinct(numbers(table, "left"), numbers(table, "right"))
    found = [
        _verified(left[at : at + BLOCK], right[at : at + BLOCK], job, parts)
        for at in range(0, max(len(left), 1), BLOCK)
    ]
    crowded = bool(table["crowded"].to_numpy().any())
    notes = {"compared": str(len(left)), "crowded": str(int(crowded))}
    return pa.concat_tables(found).replace_schema_metadata(notes)


def _distinct(left: Numbers, right: Numbers) -> tuple[Numbers, Numbers]:
    order = np.lexsort((right, left))
    left, right = left[order], right[order]
    new = np.ones(len(left), np.bool_)
    new[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    return left[new], right[new]


def _verified(left: Numbers, right: Numbers, job: Job, parts: Sequence[Part]) -> pa.Table:
    rows, places = np.unique(np.concatenate((left, right)), return_inverse=True)
    one, other = places[: len(left)], places[len(left) :]
    names = ["prompt", "answer", "rejected"] if job.kind == "pairs" else ["prompt", "answer"]
    texts = take(parts, rows, [*names, "telling"])
    columns = {name: texts[name].to_pylist() for name in names}
    alike = {name: similarities(columns[name], one, other) for name in names}
    compared = [name for name in names if name in COMPARED[job.config.compare]]
    score = np.minimum.reduce([alike[name] for name in compared])
    telling = texts["telling"].to_numpy()
    threshold = job.config.near_duplicates
    duplicate = _agreeing(score >= threshold, [columns[name] for name in compared], one, other)
    asked = _agreeing(alike["prompt"] >= threshold, [columns["prompt"]], one, other)
    said = (alike["answer"] >= threshold) & telling[one] & telling[other]
    said = _agreeing(said, [columns["answer"]], one, other)
    found = {"left": left, "right": right, "score": score}
    held = duplicate | asked | said
    return pa.table(found | {"duplicate": duplicate, "link": asked | said}).filter(held)


def _agreeing(
    wanted: NDArray[np.bool_], texts: Sequence[list[str]], one: Numbers, other: Numbers
) -> NDArray[np.bool_]:
    """Which of the wanted pairs state the same facts in these texts taken together."""
    agree = np.zeros(len(wanted), np.bool_)
    for at in np.flatnonzero(wanted).tolist():
        left, right = ("\n".join(column[side[at]] for column in texts) for side in (one, other))
        agree[at] = left == right or same_facts(left, right)
    return agree


def duplicates(table: pa.Table) -> pa.Table:
    """Spanning forest of the verified duplicates."""
    return _forest(table.filter(table["duplicate"]))


def merged(table: pa.Table) -> pa.Table:
    """Spanning forest of the edges of several forests."""
    return _forest(table)


def _forest(edges: pa.Table) -> pa.Table:
    left, right = forest(numbers(edges, "left"), numbers(edges, "right"))
    return pa.table({"left": left, "right": right})


def labelled(table: pa.Table) -> pa.Table:
    """The smallest node of each node's component, nodes in order."""
    node, label = components(numbers(table, "left"), numbers(table, "right"))
    order = np.argsort(node)
    return pa.table({"node": node[order], "label": label[order]})


def by_cluster(table: pa.Table, labels: pa.Table, buckets: int) -> list[pa.Table]:
    """Verified duplicates, those of one cluster in one bucket."""
    edges = table.filter(table["duplicate"]).select(["left", "right", "score"])
    places = np.searchsorted(numbers(labels, "node"), numbers(edges, "left"))
    cluster = numbers(labels, "label")[places]
    return in_buckets(edges.replace_schema_metadata(), bucket_of(cluster, buckets), buckets)


def kept_apart(table: pa.Table, parts: Sequence[Part]) -> pa.Table:
    """Which rows of some clusters go, and to which neighbour that stays, as `KEEPERS`."""
    left, right = numbers(table, "left"), numbers(table, "right")
    nodes = np.unique(np.concatenate((left, right)))
    ranks = take(parts, nodes, [name for name, _ in PREFERENCE])
    ordered = ranks.append_column("node", pa.array(nodes)).sort_by(PREFERENCE)["node"]
    edges = zip(left.tolist(), right.tolist(), table["score"].to_pylist(), strict=True)
    found = star(ordered.to_pylist(), edges)
    rows = [(row, keeper, score) for row, (keeper, score) in sorted(found.items())]
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(list(columns), schema=KEEPERS)


def no_keepers(_: None) -> pa.Table:
    """Nothing has gone yet."""
    return KEEPERS.empty_table()


def rows_of(table: pa.Table) -> pa.Table:
    """Rows of drops, in order."""
    return pa.table({"row": np.unique(numbers(table, "row"))})


def no_rows(_: None) -> pa.Table:
    """Nothing has gone, and nothing will."""
    return pa.table({"row": np.array([], np.int64)})


def lost(gone: pa.Table, keepers: pa.Table) -> pa.Table:
    """All rows that went, in order."""
    rows = np.union1d(numbers(gone, "row"), numbers(keepers, "row"))
    return pa.table({"row": rows})


def orphans(earlier: pa.Table, fresh: pa.Table) -> pa.Table:
    """Rows whose keeper has gone since, as proposed pairs with the keeper's own keeper."""
    keeper_of = dict(zip(fresh["row"].to_pylist(), fresh["keeper"].to_pylist(), strict=True))
    pairs = []
    for row, keeper in zip(earlier["row"].to_pylist(), earlier["keeper"].to_pylist(), strict=True):
        if keeper in keeper_of:
            pairs.append((row, keeper_of[keeper]))
    left, right = np.array(pairs, np.int64).reshape(-1, 2).T
    return pa.table({"left": left, "right": right, "crowded": np.zeros(len(left), np.bool_)})


def joined(earlier: pa.Table, fresh: pa.Table, rehomed: pa.Table) -> pa.Table:
    """Earlier and fresh finds; an orphan stays gone only where it is near its new keeper."""
    again = rehomed.filter(rehomed["duplicate"])
    homes = pa.table([again[name] for name in ("left", "right", "score")], schema=KEEPERS)
    orphaned = np.isin(numbers(earlier, "keeper"), numbers(fresh, "row"))
    safe = earlier.filter(pa.array(~orphaned))
    return pa.concat_tables([safe, fresh, homes]).sort_by("row")
