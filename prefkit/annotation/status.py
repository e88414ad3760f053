"""How far people are: answers by annotator, records by overlap, pace and what is left."""

import dataclasses
import datetime
import statistics
from collections import Counter
from collections.abc import Sequence

from prefkit.annotation.answers import working_seconds
from prefkit.annotation.client import Client
from prefkit.annotation.connection import check, connect_to
from prefkit.annotation.target import numbered, read_notes
from prefkit.annotation.wire import Dataset, Response, ServerRecord
from prefkit.config import AnnotateConfig
from prefkit.errors import PrefkitError
from prefkit.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Annotator:
    """One person's answers in one dataset.

    Attributes:
        name: User name.
        submitted: Answers that count.
        discarded: Records skipped.
        draft: Answers begun.
        pending: Open records this person has not answered.
        median_seconds: Between answers without a pause; None when unknown.
        last: Time of the last answer, ISO 8601 in UTC; empty when there is none.
    """

    name: str
    submitted: int
    discarded: int
    draft: int
    pending: int
    median_seconds: float | None
    last: str


@dataclasses.dataclass(frozen=True)
class Progress:
    """One dataset.

    Attributes:
        dataset: Its name.
        records: How many.
        completed: Records with as many submitted answers as wanted.
        overlap: Submitted answers that each record wants.
        answers_left: Submitted answers still wanted.
        by_submitted: How many records have 0, 1, 2 … submitted answers.
        hours_left: Working hours of one person that is, at the median pace; None when unknown.
        annotators: Members of the workspace and all who answered, by name.
    """

    dataset: str
    records: int
    completed: int
    overlap: int
    answers_left: int
    by_submitted: dict[int, int]
    hours_left: float | None
    annotators: tuple[Annotator, ...]


def progress(name: str | None, config: AnnotateConfig, workspace: Workspace) -> list[Progress]:
    """Ask the server about one dataset, or about all that prefkit made in the Argilla workspace.

    Raises:
        PrefkitError: The server is away or refuses the key, or there is no such dataset.
    """
    connection = connect_to(config.server, workspace)
    check(connection)
    with Client(connection, config.patience) as client:
        ids = client.workspaces()
        if config.argilla_workspace not in ids:
            raise PrefkitError(
                f"{client.where} has no workspace `{config.argilla_workspace}`.",
                hint=f"Say `--argilla-workspace NAME`; there are: {', '.join(ids) or 'none'}.",
            )
        place = ids[config.argilla_workspace]
        ours = [one for one in client.datasets(place) if read_notes(one)]
        found = [one for one in ours if name in (None, one.name) or numbered(one.name, name or "")]
        if not found:
            known = ", ".join(one.name for one in ours) or "none that prefkit made"
            raise PrefkitError(
                f"{client.where} has no dataset `{name}`."
                if name
                else f"{client.where}: no dataset yet.",
                hint=f"There are: {known}. `prefkit annotate push @candidates` makes one.",
            )
        members = {
            user.id: user.name
            for user in client.members(place).values()
            if user.role == "annotator"
        }
        names = {user.id: user.name for user in client.all_users_if_allowed().values()} | members
        return [
            measure(one, client.records(one.id), members, names, config.longest_pause)
            for one in found
        ]


def measure(
    dataset: Dataset,
    records: Sequence[ServerRecord],
    members: dict[str, str],
    names: dict[str, str],
    longest_pause: float,
) -> Progress:
    """Count one dataset.

    Args:
        dataset: Which.
        records: All of it.
        members: User names by id of those who may annotate, whether they have begun or not.
        names: User names by id of all who are known.
        longest_pause: Seconds between two answers beyond which nobody was working.
    """
    responses = [response for record in records for response in record.responses]
    seconds = working_seconds(responses, longest_pause)
    submitted = [sum(r.status == "submitted" for r in record.responses) for record in records]
    left = sum(max(0, dataset.overlap - count) for count in submitted)
    pace = statistics.median(seconds.values()) if seconds else None
    who = dict(members) | {r.user_id: names.get(r.user_id, "") for r in responses}
    people = [_annotator(user, label, records, seconds) for user, label in who.items()]
    return Progress(
        dataset=dataset.name,
        records=len(records),
        completed=sum(count >= dataset.overlap for count in submitted),
        overlap=dataset.overlap,
        answers_left=left,
        by_submitted=dict(sorted(Counter(submitted).items())),
        hours_left=round(left * pace / 3600, 2) if pace is not None else None,
        annotators=tuple(sorted(people, key=lambda one: one.name)),
    )


def _annotator(
    user: str, name: str, records: Sequence[ServerRecord], seconds: dict[tuple[str, str], float]
) -> Annotator:
    mine: list[Response] = [r for record in records for r in record.responses if r.user_id == user]
    counts = Counter(response.status for response in mine)
    untouched = sum(
        not record.completed and all(r.user_id != user for r in record.responses)
        for record in records
    )
    own = [passed for (who, _), passed in seconds.items() if who == user]
    moments = [response.updated_at for response in mine]
    return Annotator(
        name=name or f"user-{user[:8]}",
        submitted=counts["submitted"],
        discarded=counts["discarded"],
        draft=counts["draft"],
        pending=untouched,
        median_seconds=round(statistics.median(own), 1) if own else None,
        last=max(moments, key=datetime.datetime.fromisoformat) if moments else "",
    )


def table(found: Progress) -> tuple[list[str], list[list[str]]]:
    """Headers and rows for a person."""
    headers = ["annotator", "submitted", "discarded", "draft", "pending", "s each", "last answer"]
    rows = [
        [
            one.name,
            *map(str, (one.submitted, one.discarded, one.draft, one.pending)),
            "?" if one.median_seconds is None else f"{one.median_seconds:.0f}",
            one.last[:16].replace("T", " ") or "never",
        ]
        for one in found.annotators
    ]
    return headers, rows


def summary(found: Progress) -> str:
    """One line: what is done and what is left."""
    reached = ", ".join(f"{rows} with {count}" for count, rows in found.by_submitted.items())
    left = "nothing left"
    if found.answers_left:
        left = f"{found.answers_left} answers left, {_time(found.hours_left)}"
    return (
        f"{found.dataset}: {found.completed} of {found.records} records complete "
        f"(overlap {found.overlap}; answers: {reached or 'no records'}); {left}"
    )


def _time(hours: float | None) -> str:
    if hours is None:
        return "pace not known yet"
    return f"about {hours:.1f} hours of work" if hours >= 1 else f"about {hours * 60:.0f} minutes"
