"""Rows that say the same in other words, and rows far from all others, among those that stay."""

import json

import numpy as np
import pyarrow as pa

from prefkit.cleaning.rows import KINDS
from prefkit.cleaning.steps.near import KEEPERS
from prefkit.cleaning.steps.table import DROPS, PREFERENCE, numbers, staying
from prefkit.cleaning.steps.take_in import Job
from prefkit.semantic.duplicates import Compared, agreeing, alike, yielding
from prefkit.semantic.outliers import NEIGHBOURS, nearness
from prefkit.semantic.search import Near
from prefkit.semantic.texts import table_of, texts_of

PAIRS = pa.schema([("left", pa.int64()), ("right", pa.int64()), ("cosine", pa.float64())])
LINKS = pa.schema([("left", pa.int64()), ("right", pa.int64()), ("link", pa.bool_())])
OUTLIER = "outlier"


def rows_of(table: pa.Table, gone: pa.Table, job: Job) -> pa.Table:
    """The rows that stay, as a table of `TEXTS` with the columns of PREFERENCE."""
    rows = staying(table, numbers(gone, "row"))
    model = KINDS[job.kind]
    made = table_of(
        texts_of(row, model.model_validate_json(record))
        for row, record in zip(rows["row"].to_pylist(), rows["record"].to_pylist(), strict=True)
    )
    for name, _ in PREFERENCE:
        if name not in made.column_names:
            made = made.append_column(name, rows[name])
    return made


def pairs(table: pa.Table, distinct: pa.Table, vectors: pa.Table, job: Job) -> pa.Table:
    """Units that are duplicates, a table of `PAIRS`; its metadata tells how they were found."""
    compared = _compared(table, distinct, vectors, job)
    found = alike(compared, _threshold(job))
    agree = agreeing(compared, found)
    kept = found.where(agree)
    notes = {
        "units": len(compared.units),
        "pairs": len(kept),
        "other_facts": int((~agree).sum()),
        "blocks": found.blocks,
        "sampled": found.sampled,
        "found": found.found,
    }
    made = pa.table([kept.left, kept.right, kept.cosine], schema=PAIRS)
    return made.replace_schema_metadata({"found": json.dumps(notes)})


def keepers(
    table: pa.Table, distinct: pa.Table, vectors: pa.Table, near: pa.Table, job: Job
) -> pa.Table:
    """Which rows go or are marked, and the row that they yield to, as `KEEPERS`."""
    compared = _compared(table, distinct, vectors, job)
    units = compared.units
    found = yielding(compared, _near(near))
    keeper, cosine = np.full(len(units), -1), np.zeros(len(units))
    keeper[found.unit], cosine[found.unit] = found.keeper, found.cosine
    rows = numbers(table, "row")
    goes = np.flatnonzero(keeper[units.unit] >= 0)
    of = units.unit[goes]
    made = pa.table([rows[goes], rows[units.first[keeper[of]]], cosine[of]], schema=KEEPERS)
    return made.sort_by("row")


def links(
    table: pa.Table, distinct: pa.Table, vectors: pa.Table, near: pa.Table, job: Job
) -> pa.Table:
    """Edges between rows that are duplicates, for the splits: a table of `LINKS`."""
    compared = _compared(table, distinct, vectors, job)
    units, found = compared.units, _near(near)
    rows = numbers(table, "row")
    first = rows[units.first]
    linked = np.zeros(len(units), np.bool_)
    linked[found.left] = linked[found.right] = True
    mine = np.flatnonzero(linked[units.unit])
    left = np.concatenate((first[found.left], rows[mine]))
    right = np.concatenate((first[found.right], first[units.unit[mine]]))
    return pa.table([left, right, np.ones(len(left), np.bool_)], schema=LINKS)


def outliers(
    table: pa.Table, distinct: pa.Table, vectors: pa.Table, gone: pa.Table, job: Job
) -> pa.Table:
    """Marks of rows far from all others, as `DROPS` without keepers.

    Duplicates are left out of the neighbours, so that it is the same whether they are dropped or
    only marked.
    """
    compared = _compared(table, distinct, vectors, job)
    units = compared.units
    rows = numbers(table, "row")
    yields = np.zeros(len(units), np.bool_)
    yields[units.unit[np.isin(rows, numbers(gone, "row"))]] = True
    stay = np.flatnonzero(~yields)
    far = nearness(compared.rows[stay])
    details: dict[int, str] = {}
    for at in far.outliers().tolist():
        details[int(stay[at])] = (
            f"mean cosine {far.mean[at]:.3f} with the {min(NEIGHBOURS, len(stay) - 1)} nearest "
            f"others, where the median is {far.median:.3f} (z {far.z[at]:.1f})"
        )
    marked = np.flatnonzero(np.isin(units.unit, list(details)))
    return pa.Table.from_pylist(
        [
            {"row": int(rows[at]), "rule": OUTLIER, "detail": details[int(units.unit[at])]}
            for at in marked.tolist()
        ],
        schema=DROPS,
    )


def _compared(table: pa.Table, distinct: pa.Table, vectors: pa.Table, job: Job) -> Compared:
    return Compared.of(table, distinct, vectors, job.config.semantic_field)


def _threshold(job: Job) -> float:
    if job.config.semantic is None:
        raise ValueError("the step runs only where a threshold is set")
    return job.config.semantic


def _near(table: pa.Table) -> Near:
    return Near(numbers(table, "left"), numbers(table, "right"), table["cosine"].to_numpy())
