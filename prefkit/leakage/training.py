"""Training records slice by slice, and what of evaluation sets stands in them."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa  # noqa: TID253 - imported by what computes, never by a command's help

from prefkit.cleaning.rows import KINDS, Cleanable, Row, kind_of, row_of
from prefkit.errors import PrefkitError
from prefkit.leakage.index import Finding, Index
from prefkit.memory import records_stay
from prefkit.reading import adopt, files_of
from prefkit.records import Contamination, content_id
from prefkit.slices import Slice, cut, read
from prefkit.storage import validated
from prefkit.tabular import TABULAR
from prefkit.workspace import Workspace, stream_files

BATCH = 2000  # records looked at together
HELD_OUT = tuple(f"/test{suffix}" for suffix in (".jsonl", *TABULAR))
SCHEMA = pa.schema(
    [
        (name, {int: pa.int64(), float: pa.float64()}.get(field.annotation or str, pa.string()))
        for name, field in Contamination.model_fields.items()
        if name != "metadata"
    ]
)


@dataclasses.dataclass(frozen=True)
class Source:
    """Where records lie.

    Attributes:
        kind: examples, pairs or unpaired.
        files: All of them.
    """

    kind: str
    files: tuple[Path, ...]


def find_records(source: str, kind: str, workspace: Workspace) -> tuple[Source, ...]:
    """The records of a SOURCE: of a run every kind that it holds, of a file what its rows are.

    Raises:
        PrefkitError: It does not exist, or holds none.
    """
    folder = workspace.run_at(source)
    if kind != "auto":
        return (Source(kind, tuple(files_of(source, kind, workspace))),)
    if folder is None:
        files = tuple(files_of(source, "examples", workspace))
        first = next((row for piece in cut(files, 1) for _, row in read(piece)), {})
        return (Source(kind_of({} if isinstance(first, PrefkitError) else first), files),)
    for run in workspace.lineage(folder):
        found = [(name, stream_files(run, name)) for name in KINDS]
        held = tuple(Source(name, tuple(files)) for name, files in found if files)
        if held:
            return held
    raise PrefkitError(
        f"{source}: neither {folder.name} nor the runs it was made from hold records to train on.",
        hint="`prefkit runs show` lists what a run holds.",
    )


def records_in(piece: Slice, kind: str) -> Iterator[tuple[str, Cleanable]]:
    """Yield `(file:line, record)` of a slice.

    Raises:
        PrefkitError: A row is no such record: names the file, line and field.
    """
    model = KINDS[kind]
    for where, row in read(piece):
        if isinstance(row, PrefkitError):
            raise row
        yield where, validated(adopt(row, model, where), model, where)


def is_training(record: Cleanable, piece: Slice) -> bool:
    """Whether a record is not held out: by its split, else by the name of its file."""
    return record.split == "train" or (record.split is None and not piece.path.endswith(HELD_OUT))


def scan(piece: Slice, kind: str, index: Index, workspace: Workspace) -> pa.Table:
    """The contaminations in a slice as a table of `SCHEMA`; its notes say how many records."""
    hits: list[Contamination] = []
    batch: list[tuple[str, Row]] = []
    rows = 0
    path = workspace.show(Path(piece.path))
    with records_stay():
        for where, record in records_in(piece, kind):
            if is_training(record, piece):
                batch.append((f"{path}:{where.rpartition(':')[2]}", row_of(record)))
                rows += 1
            if len(batch) == BATCH:
                hits += contaminations(batch, index)
                batch = []
        hits += contaminations(batch, index)
    columns = {name: [getattr(hit, name) for hit in hits] for name in SCHEMA.names}
    return pa.table(columns, schema=SCHEMA.with_metadata({"rows": str(rows)}))


def contaminations(batch: Sequence[tuple[str, Row]], index: Index) -> list[Contamination]:
    """What of the evaluation sets stands in some records, each with its `file:line`."""
    found = index.findings_of([row for _, row in batch])
    return [
        _contamination(row.record.id, where, finding)
        for (where, row), findings in zip(batch, found, strict=True)
        for finding in findings
    ]


def _contamination(record_id: str, where: str, finding: Finding) -> Contamination:
    identity = (record_id, finding.field, finding.evaluation, finding.item, finding.part)
    return Contamination(
        id=content_id(where, *identity),
        record_id=record_id,
        where=where,
        field=finding.field,
        evaluation=finding.evaluation,
        item_id=finding.item,
        part=finding.part,
        rule=finding.rule,
        coverage=finding.coverage,
        run=finding.run,
        matched=finding.matched,
    )
