"""Rows off the disk, slice by slice: numbers of every one, and the text of a sample of them.

Which rows are in the sample depends on their content and the seed: neither on their order nor on
how files are cut. Copies of one row are told apart by counting them, so that a set of a million
copies is sampled like any other.
"""

import dataclasses
import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa  # noqa: TID253 - imported by what computes, never by a command's help

from prefkit.audit.audited import Audited
from prefkit.audit.measured import Job, Measured, measured_rows
from prefkit.cleaning.rows import KINDS, Row, kind_of, row_of
from prefkit.cleaning.steps.take_in import record_of
from prefkit.config import AuditConfig, CleanConfig, resolve
from prefkit.engine import Flow, Part
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.leakage.training import Source, find_records
from prefkit.manifest import run_of
from prefkit.slices import Slice, cut, read
from prefkit.workspace import Workspace

MOST_BYTES = 1 << 30  # of JSON that is held as records
SHOWN = 20  # bad rows that are quoted


@dataclasses.dataclass(frozen=True)
class Rows:
    """Where the rows of a source lie.

    Attributes:
        source: What the user typed.
        kind: examples, pairs or unpaired.
        files: All of them.
        slices: The files, cut.
        others: Kinds of records that lie there too and are not audited.
    """

    source: str
    kind: str
    files: tuple[Path, ...]
    slices: tuple[Slice, ...]
    others: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many rows."""
        return sum(piece.rows for piece in self.slices)


def find_rows(source: str, config: AuditConfig, workspace: Workspace) -> Rows:
    """Where the rows of SOURCE lie; of a run that holds several kinds, pairs come first.

    Raises:
        PrefkitError: It does not exist, or holds none.
    """
    found = find_records(source, config.kind, workspace)
    order = ("pairs", "unpaired", "examples")
    first, *others = sorted(found, key=lambda one: order.index(one.kind))
    if config.kind == "auto" and len(found) == 1:
        first = Source(_kind_of(first), first.files)
    pieces = cut(first.files, config.limit)
    if not pieces:
        raise PrefkitError(
            f"{source}: holds no {first.kind}.",
            hint="`prefkit runs show` lists what a run holds and what it dropped.",
        )
    return Rows(
        source, first.kind, first.files, tuple(pieces), tuple(other.kind for other in others)
    )


def _kind_of(found: Source) -> str:
    """Told by the first row that can be read, which need not be the first."""
    for piece in cut(found.files, SHOWN):
        for _, row in read(piece):
            if not isinstance(row, PrefkitError):
                return kind_of(row)
    return found.kind


def take_in(
    flow: Flow, rows: Rows, config: AuditConfig, workspace: Workspace, step: str = "measure"
) -> Audited:
    """Measure the rows of a source, and hold the sample.

    Args:
        flow: Where the work runs and leaves its tables.
        rows: Where the rows lie.
        config: The `[audit]` table.
        workspace: Where custom rules lie.
        step: Name of the step in the flow, one a source.

    Raises:
        PrefkitError: No row is a record, or one is not and `bad_rows` says stop.
    """
    clean = resolve(CleanConfig, file=workspace.config_file)
    job = Job(rows.kind, config, clean, workspace, rows.count)
    parts = flow.map(step, measure, rows.slices, job)
    table = pa.concat_tables([part.table() for part in parts])
    bad, shown = _bad_rows(parts)
    if not len(table):
        raise PrefkitError(
            f"{rows.source}: none of its {bad} rows is one of the {rows.kind}. The first: "
            f"{shown[0] if shown else 'it is empty'}",
            hint="`--kind examples`, `--kind pairs` or `--kind unpaired` says what the rows are.",
            exit_code=EXIT_USAGE,
        )
    runs = dict.fromkeys(run_of(file) for file in rows.files)
    lineage = dict.fromkeys(run for at in runs if at for run in workspace.lineage(at))
    kept = _sample(table, rows.kind, config.most_rows)
    table = table.drop_columns("record")
    return Audited(
        kind=rows.kind,
        records=kept,
        rows=len(table),
        config=config,
        workspace=workspace,
        source=rows.source,
        files=rows.files,
        splits=_counts(table["split"]),
        runs=tuple(lineage),
        table=Measured(table.append_column("record", pa.nulls(len(table), pa.string()))),
        bad_rows=bad,
        bad_rows_shown=shown,
        others=rows.others,
    )


def measure(piece: Slice, job: Job) -> pa.Table:
    """A slice as a table of `SCHEMA`; its notes say how many rows are no records, and which.

    Raises:
        PrefkitError: A row is no record and `bad_rows` says stop.
    """
    bad: list[str] = []
    count = 0

    def good() -> Iterator[tuple[int, Row]]:
        nonlocal count
        for where, value in read(piece):
            try:
                yield int(where.rpartition(":")[2]), row_of(record_of(where, value, job.kind))
            except PrefkitError as error:
                if job.config.bad_rows == "stop":
                    raise
                count += 1
                bad.extend([str(error)] if len(bad) < SHOWN else [])

    table = measured_rows(good(), job)
    notes = {"bad": str(count), "shown": "\x1e".join(bad).encode("utf-8", "replace").decode()}
    return table.replace_schema_metadata(notes)


def _bad_rows(parts: Sequence[Part]) -> tuple[int, tuple[str, ...]]:
    notes = [part.notes() for part in parts]
    shown = [text for note in notes for text in note.get("shown", "").split("\x1e") if text]
    return sum(int(note.get("bad", 0)) for note in notes), tuple(shown[:SHOWN])


def _sample(table: pa.Table, kind: str, most: int) -> tuple[Row, ...]:
    """The rows with the least keys, in their order, as many as fit into `MOST_BYTES`."""
    chosen = table.select(["key", "record"]).filter(table["record"].is_valid())
    keys = zip(chosen["key"].to_pylist(), range(len(chosen)), strict=True)
    least = heapq.nsmallest(most, keys)
    model, held, rows = KINDS[kind], 0, []
    for line in chosen["record"].take([place for _, place in least]):
        text = line.as_py()
        held += len(text)
        if held > MOST_BYTES and rows:
            break
        rows.append(row_of(model.model_validate_json(text)))
    return tuple(rows)


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"] or "": entry["counts"] for entry in column.value_counts().to_pylist()}
