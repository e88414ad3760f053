"""`prefkit annotate pull`: what people said, back as judgments and reviewed examples.

A pull is a whole picture of the server at one moment. It can be repeated: the same answers give
the same judgments, and it says what is new, changed and gone since the pull before.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefkit import console
from prefkit.annotation.attention import Expected
from prefkit.annotation.changes import Change, compare
from prefkit.annotation.client import Client
from prefkit.annotation.connection import check, connect_to
from prefkit.annotation.push import pushed_key
from prefkit.annotation.review import Reviewed, review
from prefkit.annotation.snapshot import Snapshot, take
from prefkit.annotation.target import numbered
from prefkit.annotation.tasks import ADJUDICATE_STAGE, ADJUDICATES, PULL_STAGE, STAGE
from prefkit.config import AnnotateConfig
from prefkit.errors import PrefkitError
from prefkit.manifest import Input, read_manifest
from prefkit.records import AnnotationTask, Example, Judgment, Record
from prefkit.runs import Plan, Run, Settings
from prefkit.storage import read_records
from prefkit.workspace import Workspace, stream_files

UNIT = "snapshot"


@dataclasses.dataclass(frozen=True)
class PullPlan(Plan):
    """A planned pull.

    Attributes:
        datasets: Names in Argilla.
        tasks: What was pushed to them from this workspace, by task id.
        key: Expected answers of attention checks, by task id.
        examples: What was shown, for reviews.
        before: Judgments of the pull before, if there was one.
    """

    config: AnnotateConfig
    datasets: tuple[str, ...] = ()
    tasks: Mapping[str, AnnotationTask] = dataclasses.field(default_factory=dict)
    key: Mapping[str, Expected] = dataclasses.field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    before: tuple[Judgment, ...] = ()


def plan_pull(source: str, config: AnnotateConfig, workspace: Workspace) -> PullPlan:
    """Find what was pushed; the server is not asked yet.

    Args:
        source: A push run or @annotate-push, or the name of a dataset that was pushed to.
        config: The `[annotate]` table.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: Nothing was pushed to such a dataset from this workspace.
    """
    pushes = {folder: _tasks(folder) for folder in _pushes(workspace)}
    names = _datasets(source, pushes, workspace)
    pushes = {
        folder: mine
        for folder, tasks in pushes.items()
        if (mine := [task for task in tasks if task.dataset in names])
    }
    tasks = {task.id: task for mine in pushes.values() for task in mine}
    key = {name: found for folder in pushes for name, found in pushed_key(folder).items()}
    inputs = [
        Input.of(path, workspace) for folder in pushes for path in stream_files(folder, "tasks")
    ]
    reviewed = any(task.kind == "review" for task in tasks.values())
    examples = _examples(list(pushes), tasks, config, workspace) if reviewed else ()
    return PullPlan(
        stage=PULL_STAGE,
        config=config,
        inputs=tuple(inputs),
        counts={"tasks": len(tasks), "datasets": len(names)},
        expected={"datasets": ", ".join(names)},
        datasets=names,
        tasks=tasks,
        key=key,
        examples=examples,
        before=_before(names, workspace),
    )


def _pushes(workspace: Workspace) -> list[Path]:
    """Push runs, oldest first; what an unfinished one sent counts once it is resumed."""
    found = (*workspace.run_folders(STAGE), *workspace.run_folders(ADJUDICATE_STAGE))
    return sorted(found, key=lambda folder: read_manifest(folder).started)


def _tasks(folder: Path) -> list[AnnotationTask]:
    files = stream_files(folder, "tasks")
    return [task for file in files for task in read_records(file, AnnotationTask)]


def _datasets(
    source: str, pushes: Mapping[Path, Sequence[AnnotationTask]], workspace: Workspace
) -> tuple[str, ...]:
    """Names of the datasets that SOURCE means; `NAME` stands for `NAME-2` and the like too.

    A dataset and the one where its conflicts are settled come together: neither is whole alone.
    """
    known = {task.dataset for tasks in pushes.values() for task in tasks}
    wanted = {n for n in known if n == source or numbered(n, source)}
    if not wanted:
        if not source.startswith("@") and not _is_run(source, workspace):
            raise PrefkitError(
                f"{source}: no run of that name, and nothing was pushed to such a dataset from "
                "this workspace.",
                hint=f"Pushed to: {', '.join(sorted(known)) or 'none yet'}.",
            )
        folder = workspace.run_folder(source)
        wanted = {task.dataset for task in _tasks(folder)}
        if not wanted:
            raise PrefkitError(
                f"{source}: {folder.name} pushed nothing to Argilla.",
                hint="Name a push run, such as @annotate-push, or a dataset.",
            )
    settled = {
        (task.metadata[ADJUDICATES], task.dataset)
        for tasks in pushes.values()
        for task in tasks
        if ADJUDICATES in task.metadata
    }
    together = [set(pair) for pair in settled if wanted & set(pair)]
    return tuple(sorted(wanted.union(*together)))


def _is_run(source: str, workspace: Workspace) -> bool:
    try:
        workspace.run_folder(source)
    except PrefkitError:
        return False
    return True


def _examples(
    pushes: Sequence[Path],
    tasks: Mapping[str, AnnotationTask],
    config: AnnotateConfig,
    workspace: Workspace,
) -> tuple[Example, ...]:
    """The examples that were shown, from the runs that were pushed."""
    wanted = {task.prompt_id for task in tasks.values()}
    found: dict[str, Example] = {}
    sources = [config.examples] if config.examples else [str(folder) for folder in pushes]
    for source in sources:
        for file in workspace.stream(source, "examples"):
            found |= {e.id: e for e in read_records(file, Example) if e.id in wanted}
    return tuple(found.values())


def _before(names: Sequence[str], workspace: Workspace) -> tuple[Judgment, ...]:
    """Judgments of these datasets in the newest finished pull that has any."""
    for folder in workspace.run_folders(PULL_STAGE):
        files = [*stream_files(folder, "judgments"), *stream_files(folder, "checks")]
        found = tuple(
            judgment
            for file in files
            for judgment in read_records(file, Judgment)
            if judgment.metadata.get("dataset") in names
        )
        if found:
            return found
    return ()


def run_pull(plan: PullPlan, settings: Settings) -> Run:
    """Bring back all responses of the planned datasets.

    Raises:
        PrefkitError: The server is away or refuses the key, or a dataset is gone.
    """
    with Run.start(plan, settings) as run:
        if run.finished:
            return run
        connection = connect_to(plan.config.server, settings.workspace)
        check(connection)
        with Client(connection, plan.config.patience) as client:
            taken = take(client, plan.datasets, plan.tasks, plan.key, plan.examples, plan.config)
        change = compare(plan.before, (*taken.judgments, *taken.checks))
        reviewed = review(plan.examples, taken.judgments, taken.overlap)
        if run.pending([UNIT]):
            dropped = (*taken.dropped, *reviewed.dropped, *change.gone)
            run.record(UNIT, _streams(plan, taken, reviewed), dropped, _totals(taken, change))
        run.finish([UNIT], card=_card(plan, taken, change))
        for line in _words(plan, taken, change):
            console.say(line)
    return run


def _streams(plan: PullPlan, taken: Snapshot, reviewed: Reviewed) -> dict[str, Sequence[Record]]:
    streams: dict[str, Sequence[Record]] = {"judgments": taken.judgments}
    if plan.key:
        streams["checks"] = taken.checks
    if reviewed.candidates:
        streams["candidates"] = reviewed.candidates
    if not plan.examples:
        return streams
    if not any(example.split for example in plan.examples):
        return streams | {"examples": reviewed.examples}
    for split in ("train", "test"):
        mine = [one for one in reviewed.examples if (one.split or "train") == split]
        streams[f"examples/{split}"] = mine
    return streams


def _totals(taken: Snapshot, change: Change) -> dict[str, float]:
    statuses = Counter(judgment.status for judgment in taken.judgments)
    return {
        **{status: statuses.get(status, 0) for status in ("submitted", "discarded", "draft")},
        "new": change.new,
        "changed": change.changed,
        "unchanged": change.unchanged,
        "gone": len(change.gone),
        "half_ranked": taken.half,
        "unanswered_records": taken.unanswered,
    }


def _words(plan: PullPlan, taken: Snapshot, change: Change) -> list[str]:
    """What a person should know of this pull."""
    totals = _totals(taken, change)
    lines = [
        ", ".join(f"{totals[name]} {name}" for name in ("submitted", "discarded", "draft"))
        + f"; since the pull before {change.new} new, {change.changed} changed, "
        f"{change.unchanged} unchanged, {len(change.gone)} gone"
    ]
    if taken.half:
        lines.append(f"{taken.half} drafts rank only some answers; drafts never count.")
    lines += [f"warning: {warning}" for warning in taken.warnings]
    if change.gone:
        lines.append(
            f"warning: {len(change.gone)} answers of the pull before are no longer on the server "
            "(deleted records or users); that run still holds them, and dropped.jsonl names them."
        )
    return lines


def _card(plan: PullPlan, taken: Snapshot, change: Change) -> str:
    body = "\n".join(f"- {line}" for line in _words(plan, taken, change))
    reviewed = (
        "\n- Reviewed examples: more than half of the submitted decisions decide; without such a "
        "majority, or before all wanted decisions are there, an example is left out with a reason."
        if plan.examples
        else ""
    )
    return f"""\
Answers in {", ".join(f"`{name}`" for name in plan.datasets)}.

{body}{reviewed}
- Only submitted judgments count later on. `seconds` is the time since the same person's answer \
before, unknown after a pause of more than {plan.config.longest_pause:g} s: Argilla measures none.
"""
