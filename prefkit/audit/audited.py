"""What is audited, as every part of an audit takes it.

A part is a module with `section(audited)` that gives a `Section`, or None when the data give it
nothing to say; `counterfactual.section(audited, run)` keeps what the judge said in the run.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from prefkit.audit.measured import Job, Measured, hash64, measured_rows
from prefkit.cleaning.rows import KINDS, Cleanable, Row, row_of
from prefkit.config import AuditConfig, CleanConfig, resolve
from prefkit.pairs.loading import read_files
from prefkit.records import Candidate, Chunk, Judgment, Record, content_id
from prefkit.storage import count_rows
from prefkit.workspace import Workspace, stream_files

AnyRecord = TypeVar("AnyRecord", bound=Record)
MOST_JUDGMENTS = 500_000  # held at once; of more, those of some prompts


@dataclasses.dataclass(frozen=True)
class Audited:
    """Records and where they come from.

    Attributes:
        kind: examples, pairs or unpaired.
        records: All of them, or of more than `config.most_rows` a seeded sample; their order does
            not depend on the order of the rows.
        rows: How many there are in all.
        config: The `[audit]` table.
        workspace: Where runs and judges lie.
        source: What the user typed.
        files: Where the records were read from.
        splits: Rows a split: `train`, `test` or `` for none.
        runs: The run that the files lie in and those it was made from, nearest first; empty for a
            file outside runs.
        reference: What drift is measured against, if anything.
        table: Numbers of every row, where they were worked out already; see `measured`.
        bad_rows: Rows that are no records; they count nowhere else.
        bad_rows_shown: What is wrong with some of them, each with file and line.
        others: Kinds of records that lie there too and are not audited.
    """

    kind: str
    records: tuple[Row, ...]
    rows: int
    config: AuditConfig
    workspace: Workspace
    source: str = ""
    files: tuple[Path, ...] = ()
    splits: Mapping[str, int] = dataclasses.field(default_factory=dict)
    runs: tuple[Path, ...] = ()
    reference: "Audited | None" = None
    table: Measured | None = None
    bad_rows: int = 0
    bad_rows_shown: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether `records` are all of them."""
        return len(self.records) == self.rows

    @property
    def sampled(self) -> str:
        """What `records` are of all, for a figure's method: `all rows` or which sample."""
        if self.whole:
            return "all rows"
        return f"a sample of {len(self.records):,} of {self.rows:,} rows, seed {self.config.seed}"

    @property
    def sample(self) -> tuple[Row, ...]:
        """At most `config.sample` of `records`, for what looks into every text."""
        return self.records[: self.config.sample]

    @functools.cached_property
    def measured(self) -> Measured:
        """Numbers of every row, held or not."""
        if self.table is not None:
            return self.table
        clean = resolve(CleanConfig, file=self.workspace.config_file)
        job = Job(self.kind, self.config, clean, self.workspace, self.rows)
        return Measured(measured_rows(enumerate(self.records, start=1), job))

    @functools.cached_property
    def judgments(self) -> tuple[Judgment, ...]:
        """All judgments upstream; of more than half a million, those of a sample of prompts."""
        files = self.files_of("judgments")
        rows = sum(count_rows(file) or 0 for file in files)
        share = min(1.0, MOST_JUDGMENTS / max(rows, 1))
        return tuple(j for j in read_files(files, Judgment) if share == 1 or self._in(j, share))

    @functools.cached_property
    def candidates(self) -> Mapping[str, Candidate]:
        """What was judged, by id."""
        found = read_files(self.files_of("candidates"), Candidate)
        return {candidate.id: candidate for candidate in found}

    @functools.cached_property
    def chunks(self) -> Mapping[str, Chunk]:
        """The passages that examples quote, by id."""
        return {chunk.id: chunk for chunk in read_files(self.files_of("chunks"), Chunk)}

    def stream(self, name: str, model: type[AnyRecord]) -> Iterator[AnyRecord]:
        """Yield the records of one kind from the nearest run upstream that holds any."""
        yield from read_files(self.files_of(name), model)

    def files_of(self, stream: str) -> list[Path]:
        """The files of one kind of records: what `config` says, else the nearest run's."""
        said = getattr(self.config, stream, None)
        if said:
            return self.workspace.stream(said, stream)
        found = (stream_files(run, stream) for run in self.runs)
        return next((files for files in found if files), [])

    def _in(self, judgment: Judgment, share: float) -> bool:
        return int(content_id(self.config.seed, judgment.prompt_id), 16) < share * 2**64


def audited_of(
    records: Iterable[Cleanable],
    config: AuditConfig | None = None,
    workspace: Workspace | None = None,
    reference: Iterable[Cleanable] | None = None,
) -> Audited:
    """Records in memory as what an audit takes; they are of one kind."""
    config, workspace = config or AuditConfig(), workspace or Workspace.find()
    rows = sorted(map(row_of, records), key=lambda row: place(row, config.seed))
    kinds = {name for name, model in KINDS.items() if any(type(r.record) is model for r in rows)}
    if len(kinds) > 1:
        raise TypeError(f"records of one kind are audited at a time, not {' and '.join(kinds)}")
    splits: dict[str, int] = {}
    for row in rows:
        splits[row.record.split or ""] = splits.get(row.record.split or "", 0) + 1
    return Audited(
        kind=kinds.pop() if kinds else "examples",
        records=tuple(rows),
        rows=len(rows),
        config=config,
        workspace=workspace,
        splits=splits,
        reference=None if reference is None else audited_of(reference, config, workspace),
    )


def place(row: Row, seed: int) -> int:
    """Where a row stands among the others, whatever the order of the rows."""
    return hash64(str(seed), str(hash64(row.record.json_line())), "0")
