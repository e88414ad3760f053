"""All responses of some datasets at one moment, as judgments, with what cannot be used and why."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from prefkit.annotation.agreement.checks import passes
from prefkit.annotation.answers import Said, judgment, working_seconds
from prefkit.annotation.attention import Expected
from prefkit.annotation.client import Client
from prefkit.annotation.layouts import guideline_sha256
from prefkit.annotation.target import Notes, read_notes
from prefkit.annotation.tasks import ADJUDICATES, PULL_STAGE
from prefkit.annotation.wire import Dataset, Response, ServerRecord
from prefkit.config import AnnotateConfig
from prefkit.errors import PrefkitError
from prefkit.records import AnnotationTask, Dropped, Example, Judgment

USED_FIRST = ("submitted", "discarded", "draft")


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """What the server holds of the datasets.

    Attributes:
        judgments: One a response; of responses with the same content the submitted one.
        checks: Those of attention checks; the prompt's id is that of the task.
        dropped: Records and responses that cannot be used, with reasons.
        overlap: Decisions that each prompt waits for.
        half: Drafts that rank some of the answers, but not all.
        unanswered: Records nobody has touched.
        warnings: What a person should know.
    """

    judgments: tuple[Judgment, ...]
    checks: tuple[Judgment, ...]
    dropped: tuple[Dropped, ...]
    overlap: Mapping[str, int]
    half: int
    unanswered: int
    warnings: tuple[str, ...]


def take(
    client: Client,
    names: Sequence[str],
    tasks: Mapping[str, AnnotationTask],
    key: Mapping[str, Expected],
    examples: Sequence[Example],
    config: AnnotateConfig,
) -> Snapshot:
    """Read the datasets called `names` and turn every response into a judgment.

    Raises:
        PrefkitError: A dataset is gone, or is not one that we made.
    """
    datasets = [_find(client, name, config.argilla_workspace) for name in names]
    listed = {dataset.name: client.records(dataset.id) for dataset in datasets}
    people = _people(client)
    seconds = working_seconds(
        (said for records in listed.values() for record in records for said in record.responses),
        config.longest_pause,
    )
    originals = {example.id: example.reference for example in examples}
    found = []
    for dataset in datasets:
        notes = read_notes(dataset)
        assert notes is not None  # _find refuses others
        for record in listed[dataset.name]:
            if record.external_id not in tasks:
                continue  # dropped below
            task = tasks[record.external_id]
            for response in record.responses:
                said = Said(
                    task=task,
                    response=response,
                    annotator=people.get(response.user_id, f"user-{response.user_id[:8]}"),
                    seconds=seconds.get((response.user_id, response.updated_at)),
                    original=originals.get(task.prompt_id, ""),
                    guideline_sha256=_read_then(dataset, notes, response),
                )
                found.append(judgment(said, notes.layout))
    every = [record for records in listed.values() for record in records]
    there = {record.external_id for record in every}
    dropped = [_unknown(record) for record in every if record.external_id not in tasks]
    dropped += [_deleted(task) for name, task in tasks.items() if name not in there]
    overlap = {dataset.name: dataset.overlap for dataset in datasets}
    real, checks = _apart(found, key)
    return Snapshot(
        judgments=_distinct(real),
        checks=_distinct(checks),
        dropped=tuple(dropped),
        overlap={
            task.prompt_id: overlap[task.dataset]
            for task in sorted(tasks.values(), key=lambda task: ADJUDICATES not in task.metadata)
        },
        half=sum(_half_ranked(one) for one in real),
        unanswered=sum(not record.responses for record in every),
        warnings=tuple(filter(None, map(_edited_guideline, datasets))),
    )


def _find(client: Client, name: str, workspace: str) -> Dataset:
    """The dataset of that name: in the workspace meant, or the only one there is."""
    ids = client.workspaces()
    found = [one for one in client.datasets(ids.get(workspace)) if one.name == name]
    found = found or [one for one in client.datasets() if one.name == name]
    if len(found) != 1 or read_notes(found[0]) is None:
        why = f"{len(found)} datasets have this name" if len(found) > 1 else "it was deleted"
        why = why if len(found) != 1 else "prefkit did not make it"
        raise PrefkitError(
            f"{client.where}: dataset `{name}` cannot be read: {why}.",
            hint="Name the Argilla workspace with `--argilla-workspace`, or push again.",
        )
    return found[0]


def _people(client: Client) -> dict[str, str]:
    """User names by id, as far as this key may know them."""
    users = {}
    for workspace_id in client.workspaces().values():
        users |= client.members(workspace_id)
    users |= client.all_users_if_allowed()
    return {user.id: name for name, user in users.items()}


def _edited_guideline(dataset: Dataset) -> str:
    """A warning when the guideline is not the one we pushed, else nothing."""
    notes = read_notes(dataset)
    if notes is None or guideline_sha256(dataset.guideline) == notes.guideline_sha256:
        return ""
    return (
        f"the guideline of `{dataset.name}` was edited on the server; answers given after "
        f"{dataset.updated_at[:19]} carry the hash of the new text."
    )


def _read_then(dataset: Dataset, notes: Notes, response: Response) -> str:
    """Hash of the guideline as it was when somebody answered.

    A dataset keeps no history: what was answered after its last change is held to the text there
    is now, what was answered before to the text it was made with.
    """
    if response.updated_at >= dataset.updated_at:
        return guideline_sha256(dataset.guideline)
    return notes.guideline_sha256


def _apart(
    found: Iterable[Judgment], key: Mapping[str, Expected]
) -> tuple[list[Judgment], list[Judgment]]:
    """Judgments of real records, and those of attention checks with whether they passed."""
    real, checks = [], []
    for one in found:
        name = one.metadata["record"]
        if name not in key:
            real.append(one)
            continue
        result = {}
        if one.status == "submitted":
            result = {"attention": "passed" if passes(one, key[name]) else "failed"}
        changed = {"id": "", "prompt_id": name, "metadata": one.metadata | result}
        checks.append(Judgment.model_validate(one.model_dump() | changed))
    return real, checks


def _distinct(found: Sequence[Judgment]) -> tuple[Judgment, ...]:
    """Each content once, the submitted one if there is one; then by record and annotator."""
    best: dict[str, Judgment] = {}
    for one in sorted(found, key=lambda j: USED_FIRST.index(j.status)):
        best.setdefault(one.id, one)
    return tuple(
        sorted(best.values(), key=lambda j: (j.prompt_id, j.annotator, j.metadata["record"]))
    )


def _half_ranked(one: Judgment) -> bool:
    return one.status == "draft" and 0 < len(one.ranks or ()) < len(one.shown_order)


def _unknown(record: ServerRecord) -> Dropped:
    name = record.external_id or record.id
    detail = f"{len(record.responses)} responses; not pushed from this workspace"
    return Dropped(record_id=name, stage=PULL_STAGE, rule="unknown-record", detail=detail)


def _deleted(task: AnnotationTask) -> Dropped:
    detail = f"prompt {task.prompt_id}, pushed to `{task.dataset}`"
    return Dropped(record_id=task.id, stage=PULL_STAGE, rule="deleted-on-server", detail=detail)
