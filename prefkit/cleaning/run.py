"""`prefkit clean`: plan and run."""

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefkit.cleaning.card import card, totals, warn
from prefkit.cleaning.deliver import write_lines, write_records
from prefkit.cleaning.meaning import spec_of
from prefkit.cleaning.pipeline import Figures, Output, clean_slices
from prefkit.cleaning.rows import KINDS, kind_of
from prefkit.cleaning.rules import load_rules
from prefkit.cleaning.steps.take_in import Job, record_of
from prefkit.config import CleanConfig, LeakageConfig
from prefkit.engine import Flow, open_engine
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.leakage.build import build_index
from prefkit.leakage.evaluation_sets import load_evaluation_set
from prefkit.leakage.index import Index
from prefkit.manifest import Input, run_of
from prefkit.reading import files_of
from prefkit.runs import Plan, Run, Settings
from prefkit.semantic.store import opened
from prefkit.slices import Slice, cut, read
from prefkit.workspace import Workspace, stream_files

FEW = 20_000  # rows for which starting processes costs more than it saves


@dataclasses.dataclass(frozen=True)
class CleanPlan(Plan):
    """A plan that knows where its rows lie.

    Attributes:
        kind: examples, pairs or unpaired.
        slices: Where the rows lie.
        chunk_slices: Where the chunks lie that rows may quote; none when they are not at hand.
        index: Of the evaluation sets that nothing may be trained on.
        rule_files: SHA-256 of the file of each rule of the user.
        stamps: Size and time of change of each file of rows and chunks, before it was read.
        embedder: Digest of what makes embeddings; empty when nothing does.
    """

    config: CleanConfig
    kind: str = "examples"
    slices: tuple[Slice, ...] = ()
    chunk_slices: tuple[Slice, ...] = ()
    index: Index | None = None
    rule_files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    stamps: Mapping[Path, tuple[int, int]] = dataclasses.field(default_factory=dict)
    embedder: str = ""

    def digest_fields(self) -> dict[str, Any]:  # JSON values
        """All that decides the records: the code of the user's rules and the embedder too."""
        more = {"rules": self.rule_files, "embedder": self.embedder}
        return super().digest_fields() | {name: value for name, value in more.items() if value}


def plan_clean(source: str, config: CleanConfig, workspace: Workspace) -> CleanPlan:
    """Find the rows of SOURCE and the chunks they may quote; the first slice is read to check it.

    Raises:
        PrefkitError: There are no rows, one of the first is malformed, or a rule does not exist.
    """
    rules = load_rules(config, workspace)
    kind, files = _kind_and_files(source, config, workspace)
    chunk_files = _chunk_files(files, workspace) if kind == "examples" else []
    stamps = {file: _stamp(file) for file in (*files, *chunk_files)}
    pieces = cut(files, config.limit)
    if not pieces:
        raise PrefkitError(
            f"{source}: holds no {kind}.",
            hint="`prefkit runs show` lists what a run holds and what it dropped.",
        )
    if config.bad_rows == "stop":
        for where, value in read(pieces[0]):
            record_of(where, value, kind)
    sets = [load_evaluation_set(source, workspace) for source in config.against]
    return CleanPlan(
        stage="clean",
        config=config,
        inputs=(
            *(Input.of(file, workspace) for file in (*files, *chunk_files)),
            *(entry for one in sets for entry in one.inputs),
        ),
        counts={kind: sum(piece.rows for piece in pieces)},
        kind=kind,
        slices=tuple(pieces),
        chunk_slices=tuple(cut(chunk_files)),
        index=build_index(sets, LeakageConfig()) if sets else None,
        rule_files=rules.files,
        stamps=stamps,
        embedder=opened(spec_of(config, workspace)).digest if config.semantic else "",
    )


def run_clean(plan: CleanPlan, settings: Settings) -> Run:
    """Clean the planned rows into a run folder.

    Raises:
        PrefkitError: A row is malformed, nothing is left, or nothing can be held out.
    """
    with Run.start(plan, settings) as run:
        work = run.path / "work"
        if not run.finished:
            for name, sha256 in plan.rule_files.items():
                run.add_plugin("rule", name, plan.config.rules.get(name, name), sha256)
            if plan.embedder:
                run.add_plugin("embedder", plan.config.embedder, "", plan.embedder)
            made = _cleaned(plan, settings, work)
            _refuse_changed(plan, work)
            if not made.figures.kept:
                raise _nothing_left(run, plan.kind, made)
            warn(made.figures, plan.config)
            _deliver(run, plan, made)
            run.finish(card=card(made.figures, plan.config, plan.kind))
        shutil.rmtree(work, ignore_errors=True)
    return run


def _kind_and_files(
    source: str, config: CleanConfig, workspace: Workspace
) -> tuple[str, list[Path]]:
    if config.kind != "auto":
        return config.kind, files_of(source, config.kind, workspace)
    folder = workspace.run_at(source)
    if folder is None:
        files = files_of(source, "examples", workspace)
        first = next((value for piece in cut(files, 1) for _, value in read(piece)), {})
        return kind_of({} if isinstance(first, PrefkitError) else first), files
    held = [kind for kind in KINDS if stream_files(folder, kind)]
    if len(held) > 1:
        raise PrefkitError(
            f"{source}: {folder.name} holds {' and '.join(held)}.",
            hint=f"Say which to clean with `--kind {held[0]}`.",
            exit_code=EXIT_USAGE,
        )
    kind = held[0] if held else "examples"
    return kind, files_of(source, kind, workspace)


def _chunk_files(files: Sequence[Path], workspace: Workspace) -> list[Path]:
    """The chunks of the runs that the files lie in, or came from."""
    for folder in dict.fromkeys(run_of(file) for file in files):
        for run in workspace.lineage(folder) if folder else ():
            found = stream_files(run, "chunks")
            if found:
                return found
    return []


def _cleaned(plan: CleanPlan, settings: Settings, work: Path) -> Output:
    small = sum(piece.rows for piece in plan.slices) < FEW
    engine = open_engine(settings.engine, settings.workers or (1 if small else None))
    job = Job(plan.kind, plan.config, settings.workspace)
    flow = Flow(engine, work)
    try:
        return clean_slices(flow, plan.slices, plan.chunk_slices, job, plan.index)
    finally:
        engine.close()


def _deliver(run: Run, plan: CleanPlan, made: Output) -> None:
    figures = made.figures
    streams = {f"{plan.kind}/train": made.train, f"{plan.kind}/test": made.test}
    for name, parts in streams.items():
        write_records(run.path / "data" / f"{name}.{plan.config.format}", parts)
    if figures.dropped:
        write_lines(run.path / "dropped.jsonl", made.dropped)
    outputs = {f"{plan.kind}/train": figures.train, f"{plan.kind}/test": figures.test}
    run.deliver(outputs, figures.dropped, totals(figures))


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of change: what tells that a file is not what it was."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _refuse_changed(plan: CleanPlan, work: Path) -> None:
    """Refuse to finish a run whose manifest would name files that are not what was read."""
    for path, stamp in plan.stamps.items():
        if not path.is_file() or _stamp(path) != stamp:
            shutil.rmtree(work, ignore_errors=True)  # tables of two states of the file
            raise PrefkitError(
                f"{path}: changed while it was read.",
                hint="Let what writes it end, then start a new run.",
            )


def _nothing_left(run: Run, kind: str, made: Output) -> PrefkitError:
    path = run.path / "dropped.jsonl"
    write_lines(path, made.dropped)
    figures: Figures = made.figures
    why = ", ".join(f"{count} {rule}" for rule, count in figures.dropped.items())
    one = {"examples": "example", "pairs": "pair", "unpaired": "completion"}[kind]
    return PrefkitError(
        f"No {one} is left after cleaning {figures.rows}: {why}.",
        hint=f"Each reason is in {path}. Loosen a limit (`--min-reference-words`), or leave a "
        "rule out with `--skip-rule NAME`.",
    )
