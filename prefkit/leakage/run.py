"""`prefkit leakage`: plan and run."""

import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prefkit.cleaning.rows import Row, row_of
from prefkit.config import LeakageConfig
from prefkit.engine import Engine, Flow, Part, open_engine
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.leakage.build import build_index
from prefkit.leakage.card import card, headline, longest
from prefkit.leakage.evaluation_sets import EvaluationSet, items_of, load_evaluation_set
from prefkit.leakage.index import Index
from prefkit.leakage.splits import between_splits
from prefkit.leakage.training import find_records, is_training, records_in, scan
from prefkit.leakage.verdicts import SetVerdict, overall, split_counts, verdicts
from prefkit.manifest import Input, run_of
from prefkit.records import Chunk, Contamination, SplitLeak
from prefkit.runs import Plan, Run, Settings
from prefkit.slices import Slice, cut
from prefkit.storage import read_records, write_json, write_jsonl, write_text
from prefkit.workspace import Workspace, stream_files

SMALL = 20_000  # rows that one process is through with before a second has started
OWN = "test split"
RESULTS = "leakage.json"
CONTAMINATED = "contaminated.txt"


@dataclasses.dataclass(frozen=True)
class LeakagePlan(Plan):
    """A plan that knows where the training rows lie and what they are compared with.

    Attributes:
        slices: Where the rows lie, held-out ones included, each with its kind of record.
        sets: The evaluation sets; none when the source's own splits are compared.
    """

    config: LeakageConfig
    slices: tuple[tuple[Slice, str], ...] = ()
    sets: tuple[EvaluationSet, ...] = ()


def plan_leakage(source: str, config: LeakageConfig, workspace: Workspace) -> LeakagePlan:
    """Find the training rows and read the evaluation sets.

    Args:
        source: What is trained on: a run, @stage, a file or a dataset of the hub.
        config: The `[leakage]` table; without `against`, train and test of the source are compared.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: A source does not exist or holds no rows, or two sets have one name.
    """
    found = find_records(source, config.kind, workspace)
    pieces = [(piece, one.kind) for one in found for piece in cut(one.files, config.limit)]
    if not pieces:
        raise PrefkitError(
            f"{source}: holds no {' and no '.join(one.kind for one in found)}.",
            hint="`prefkit runs show` lists what a run holds and what it dropped.",
        )
    sets = tuple(load_evaluation_set(path, workspace, config.field) for path in config.against)
    names = [evaluation.name for evaluation in sets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PrefkitError(
            f"Two evaluation sets are called `{twice}`.",
            hint="Name them: `--against first=PATH --against second=PATH`.",
            exit_code=EXIT_USAGE,
        )
    inputs = [Input.of(file, workspace) for one in found for file in one.files]
    inputs += [entry for evaluation in sets for entry in evaluation.inputs]
    return LeakagePlan(
        stage="leakage",
        config=config,
        inputs=tuple(inputs),
        counts={
            one.kind: sum(piece.rows for piece, kind in pieces if kind == one.kind) for one in found
        }
        | {evaluation.name: len(evaluation.items) for evaluation in sets},
        slices=tuple(pieces),
        sets=sets,
    )


def run_leakage(plan: LeakagePlan, settings: Settings) -> Run:
    """Look for the evaluation sets in the planned rows; write the hits, the verdicts and a card.

    Raises:
        PrefkitError: A row is malformed, or there are no splits to compare.
    """
    with Run.start(plan, settings) as run:
        work = run.path / "work"
        if not run.finished:
            sets, leaks = plan.sets, None
            if not sets:
                train, test = _own_splits(plan)
                chunks = _chunks(plan, settings.workspace)
                leaks = between_splits(train, test, chunks, plan.config.near_duplicates)
                sets = (EvaluationSet(OWN, items_of(test)),)
            index = build_index(sets, plan.config)
            parts = _scanned(plan, index, settings, Flow(_engine(plan, settings), work))
            _deliver(run, plan, index, parts, leaks)
        shutil.rmtree(work, ignore_errors=True)
    return run


def _own_splits(plan: LeakagePlan) -> tuple[list[Row], list[Row]]:
    splits: tuple[list[Row], list[Row]] = ([], [])
    for piece, kind in plan.slices:
        for _, record in records_in(piece, kind):
            splits[0 if is_training(record, piece) else 1].append(row_of(record))
    if not all(splits):
        has = "training" if splits[0] else "held-out"
        raise PrefkitError(
            f"Nothing to compare: all {sum(map(len, splits))} records are {has} ones.",
            hint="Name an evaluation set with `--against FILE`, or split with `prefkit clean`.",
            exit_code=EXIT_USAGE,
        )
    return splits


def _chunks(plan: LeakagePlan, workspace: Workspace) -> dict[str, Chunk]:
    """The chunks that the records may quote, from the run they lie in or its lineage."""
    for folder in dict.fromkeys(run_of(Path(piece.path)) for piece, _ in plan.slices):
        for run in workspace.lineage(folder) if folder else ():
            for file in stream_files(run, "chunks"):
                return {chunk.id: chunk for chunk in read_records(file, Chunk)}
    return {}


def _engine(plan: LeakagePlan, settings: Settings) -> Engine:
    rows = sum(piece.rows for piece, _ in plan.slices)
    small = settings.engine == "local" and rows <= SMALL
    return open_engine(settings.engine, settings.workers or (1 if small else None))


def _scanned(plan: LeakagePlan, index: Index, settings: Settings, flow: Flow) -> list[Part]:
    try:
        return flow.map("scan", scan, plan.slices, index, settings.workspace)
    finally:
        flow.engine.close()


def _hits(parts: Sequence[Part]) -> Iterator[Contamination]:
    for part in parts:
        for row in part.table().to_pylist():
            yield Contamination.model_validate(row)


def _deliver(
    run: Run,
    plan: LeakagePlan,
    index: Index,
    parts: Sequence[Part],
    leaks: Sequence[SplitLeak] | None,
) -> None:
    rows = sum(int(part.notes()["rows"]) for part in parts)
    found = verdicts(index, _hits(parts))
    splits = None if leaks is None else split_counts(leaks)
    outputs = {"hits": write_jsonl(run.path / "data" / "hits.jsonl", _hits(parts))}
    if leaks is not None:
        outputs["split_leaks"] = write_jsonl(run.path / "data" / "split_leaks.jsonl", leaks)
    bad = dict.fromkeys(hit.record_id for hit in _hits(parts))
    write_text(run.path / CONTAMINATED, "".join(f"{name}\n" for name in bad))
    write_json(run.path / RESULTS, results(found, splits, rows, len(bad)))
    totals = {"training_rows": rows, "contaminated_rows": len(bad)}
    totals |= {f"contaminated items of {v.name}": v.contaminated for v in found}
    totals |= {f"held-out records, {kind}": n for kind, n in (splits or {}).items()}
    run.deliver(outputs, {}, totals)
    run.finish(card=card(found, splits, rows, longest(_hits(parts)), plan.config, plan.sets))


def results(
    found: Sequence[SetVerdict], splits: dict[str, int] | None, rows: int, bad: int
) -> dict[str, Any]:  # JSON values
    """What `leakage.json` holds."""
    return {
        "verdict": overall(found, splits),
        "headline": headline(found, splits, rows),
        "training_rows": rows,
        "contaminated_rows": bad,
        "sets": [dataclasses.asdict(v) | {"share": round(v.share, 6)} for v in found],
        "splits": splits,
    }
