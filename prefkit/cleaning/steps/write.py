"""Last step: what stays as records with their splits, what goes with its reason."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prefkit.cleaning.rows import KINDS
from prefkit.cleaning.steps.table import DROPS, SHIFT, Numbers, in_buckets, numbers, take
from prefkit.cleaning.steps.take_in import Job
from prefkit.columns import table_of
from prefkit.engine import Part
from prefkit.records import Dropped

STAGE = "clean"
LINES = pa.schema([("line", pa.large_string())])


def near_drops(keepers: pa.Table, parts: Sequence[Part]) -> pa.Table:
    """`KEEPERS` of near duplicates with their reasons, as `DROPS`."""
    return _yielding(keepers, parts, "near-duplicate", "similarity {:.3f} to {}")


def semantic_drops(keepers: pa.Table, parts: Sequence[Part]) -> pa.Table:
    """`KEEPERS` of semantic duplicates with their reasons, as `DROPS`."""
    return _yielding(keepers, parts, "semantic-duplicate", "cosine {:.3f} with {}")


def _yielding(keepers: pa.Table, parts: Sequence[Part], name: str, wording: str) -> pa.Table:
    ids = take(parts, numbers(keepers, "keeper"), ["id"])["id"]
    scores = keepers["score"].to_pylist()
    details = [
        wording.format(score, keeper) for keeper, score in zip(ids.to_pylist(), scores, strict=True)
    ]
    rule = pa.array([name] * len(details), pa.string())
    columns = [keepers["row"], keepers["keeper"], ids, rule, pa.array(details, pa.string())]
    return pa.table([*columns, keepers["score"]], schema=DROPS)


def rehomed(drops: pa.Table, moved: pa.Table) -> pa.Table:
    """Drops whose keeper went in its turn yield to what that one yielded to, which stays.

    Args:
        drops: A table of `DROPS`.
        moved: All later drops, a table of `DROPS`.
    """
    keepers = drops["keeper"].fill_null(-1).to_numpy()
    lost = np.isin(keepers, numbers(moved, "row"))
    if not lost.any():
        return drops
    names, which = np.unique(keepers[lost], return_inverse=True)
    at, hops = _homes(names, moved)
    orphans, home = drops.filter(pa.array(lost)), moved.take(pa.array(at[which]))
    parts = [orphans["detail"], pa.scalar(", which yielded to "), home["keeper_id"], pa.scalar("")]
    details = pc.call_function("binary_join_element_wise", parts)
    # A copy is as similar to its new home as what it is a copy of; of another nothing is known.
    known = (orphans["score"].to_numpy() == 1) & (hops[which] == 1)
    known &= np.array(orphans["rule"].to_pylist()) == "exact-duplicate"
    scores = pa.array(home["score"].to_numpy(), mask=~known)
    columns = [orphans["row"], home["keeper"], home["keeper_id"], orphans["rule"], details, scores]
    return pa.concat_tables(
        [drops.filter(pa.array(~lost)), pa.table(columns, schema=DROPS)]
    ).combine_chunks()


def _homes(names: Numbers, moved: pa.Table) -> tuple[Numbers, Numbers]:
    """For rows that went the last drop on the way to a row that stays, and how many there are."""
    rows, keepers = numbers(moved, "row"), numbers(moved, "keeper")
    order = np.argsort(rows)
    ordered = rows[order]

    def drop_of(wanted: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
        places = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
        return order[places], ordered[places] == wanted

    at, _ = drop_of(names)
    hops = np.ones(len(names), np.int64)
    while True:
        further, found = drop_of(keepers[at])
        if not found.any():
            return at, hops
        at, hops = np.where(found, further, at), hops + found


def by_slice(drops: pa.Table, buckets: int) -> list[pa.Table]:
    """Drops, those of one slice in one bucket."""
    return in_buckets(drops, numbers(drops, "row") >> SHIFT, buckets)


def records(table: pa.Table, drops: pa.Table, splits: pa.Table, job: Job) -> list[pa.Table]:
    """The records to train on and those held out, a piece each: lines of JSON, or columns.

    The tables' metadata tells how many records each kind of normalisation changed (`changed`) and
    each rule marked (`flagged`).
    """
    marks = _marks(drops)
    pieces: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    flagged: Counter[str] = Counter()
    places = numbers(splits, "row") & ((1 << SHIFT) - 1)
    stay = table.select(["row", "record", "flags", "changed"]).take(pa.array(places))
    test = splits["test"].to_pylist()
    for row, held in zip(stay.to_pylist(), test, strict=True):
        record = json.loads(row["record"])
        flags = [*row["flags"], *marks.get(row["row"], ())]
        if flags:
            record["metadata"]["flags"] = "; ".join(flags)
            flagged.update(flag.partition(":")[0] for flag in flags)
        record["split"] = "test" if held else "train"
        pieces[held].append(record)
    changes = Counter(name for names in stay["changed"].to_pylist() for name in names.split(","))
    del changes[""]
    notes = {"changed": json.dumps(changes), "flagged": json.dumps(flagged)}
    return [_table(piece, job).replace_schema_metadata(notes) for piece in pieces]


def dropped(table: pa.Table, drops: pa.Table, job: Job) -> pa.Table:
    """What went, in the order it came, as lines of JSON.

    The table's metadata counts the drops of each rule (`rules`).
    """
    yielded = {} if job.config.flag_only else {drop["row"]: drop for drop in drops.to_pylist()}
    lines = []
    rules: Counter[str] = Counter()
    for row in table.select(["row", "came", "rule", "detail"]).to_pylist():
        drop = row if row["rule"] else yielded.get(row["row"])
        if drop is not None:
            rules[drop["rule"]] += 1
            lines.append(_reason(row["came"], drop).model_dump(mode="json"))
    notes = {"rules": json.dumps(rules)}
    return _lines(lines).replace_schema_metadata(notes)


def _reason(record_id: str, drop: dict[str, Any]) -> Dropped:  # values of SCHEMA or DROPS
    return Dropped(
        record_id=record_id,
        stage=STAGE,
        rule=drop["rule"],
        detail=drop["detail"],
        keeper=drop.get("keeper_id") or "",
        score=None if drop.get("score") is None else round(drop["score"], 4),
    )


def _marks(drops: pa.Table) -> dict[int, list[str]]:
    marks: dict[int, list[str]] = {}
    for drop in drops.to_pylist():
        marks.setdefault(drop["row"], []).append(f"{drop['rule']}: {drop['detail']}")
    return marks


def _table(records: Sequence[dict[str, Any]], job: Job) -> pa.Table:
    if job.config.format == "jsonl":
        return _lines(records)
    return table_of(records, KINDS[job.kind])


def _lines(records: Sequence[dict[str, Any]]) -> pa.Table:
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    return pa.table([pa.array(lines, pa.large_string())], schema=LINES)
