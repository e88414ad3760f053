"""What people said in Argilla, as Judgments. Knows nothing of servers and files."""

import dataclasses
import datetime
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from prefkit.annotation.layouts import Layout
from prefkit.annotation.questions import PER_ANSWER, Asked, Choice, Preference, Ranking
from prefkit.annotation.screen import answer_name, question_name
from prefkit.annotation.tasks import ADJUDICATES
from prefkit.annotation.wire import Response
from prefkit.pairs.check import text_key
from prefkit.records import AnnotationTask, Judgment


@dataclasses.dataclass(frozen=True)
class Said:
    """One response with what it belongs to.

    Attributes:
        task: What was shown.
        response: What was said.
        annotator: User name.
        seconds: Time since the same person's answer before, when they were working.
        original: The reviewed answer, to tell an edit from a box left as it was.
        guideline_sha256: Of the guideline as it was then.
    """

    task: AnnotationTask
    response: Response
    annotator: str
    seconds: float | None = None
    original: str = ""
    guideline_sha256: str = ""


def judgment(said: Said, layout: Layout) -> Judgment:
    """A response as a Judgment of the same status.

    A text in the box for the edit counts only with the decision `edit` and when it differs from
    the answer by more than case and spaces; otherwise it is kept as a note.
    """
    values, task = said.response.values, said.task
    metadata = {"record": task.id, "dataset": task.dataset, "kind": task.kind}
    if ADJUDICATES in task.metadata:
        metadata["adjudicated"] = "true"
    decision = _text(values, layout.first("decision"))
    written = _text(values, layout.first("edit")) or _text(values, layout.first("rewrite"))
    edit = written.strip() or None
    if layout.kind == "review" and edit is not None:
        untouched = text_key(edit) == text_key(said.original)
        if untouched or decision != "edit":
            if not untouched:
                metadata["unused_edit"] = edit
            edit = None
    ranks, option = _ranks(values, layout, task)
    if option:
        metadata["said"] = option
    reasons = layout.first("reasons")
    return Judgment(
        prompt_id=task.prompt_id,
        ranks=ranks,
        aspects=_aspects(values, layout, task) or None,
        decision=decision if decision in ("accept", "edit", "reject") else None,
        reasons=tuple(values.get(reasons.name) or ()) if reasons else (),
        edit=edit,
        comment=_text(values, layout.first("comment")),
        annotator=said.annotator,
        source="human",
        status=said.response.status,
        shown_order=task.shown_order,
        guideline_sha256=said.guideline_sha256 or task.guideline_sha256,
        answered_at=said.response.updated_at,
        seconds=said.seconds,
        metadata=metadata,
    )


def _text(values: Mapping[str, Any], question: Asked | None) -> str:
    value = values.get(question.name) if question else None
    return value if isinstance(value, str) else ""


def _ranks(
    values: Mapping[str, Any], layout: Layout, task: AnnotationTask
) -> tuple[dict[str, int] | None, str]:
    """Ranks by candidate id, of a draft those there are; and the words of a preference."""
    for question in layout.questions:
        value = values.get(question.name)
        if isinstance(question, Ranking) and isinstance(value, list):
            by_option = {item["value"]: item["rank"] for item in value if item.get("rank")}
            ranks = {
                name: by_option[answer_name(place)]
                for place, name in enumerate(task.shown_order)
                if answer_name(place) in by_option
            }
            return ranks or None, ""
        if isinstance(question, Preference) and isinstance(value, str):
            option = next((o for o in question.options if o.name == value), None)
            if option is not None:
                a, b = task.shown_order
                return {a: 1 + (option.a < 0.5), b: 1 + (option.a > 0.5)}, option.text
    return None, ""


def _aspects(
    values: Mapping[str, Any], layout: Layout, task: AnnotationTask
) -> dict[str, dict[str, float]]:
    """Scores by question and candidate id."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for question in layout.questions:
        if not isinstance(question, PER_ANSWER):
            continue
        for place, name in enumerate(task.shown_order):
            value = values.get(question_name(question, place))
            if isinstance(question, Choice):
                value = next((o.score for o in question.options if o.name == value), None)
            if isinstance(value, int | float):
                found[question.name][name] = float(value)
    return dict(found)


def working_seconds(
    responses: Iterable[Response], longest_pause: float
) -> dict[tuple[str, str], float]:
    """Seconds each answer took, by user and time of answer.

    Argilla measures no time. What we take is the time since the same user's answer before, of any
    status and in any dataset given; it is unknown for the first one and after a pause. Who goes
    back and changes an answer moves it: its time is that of the last change.

    Args:
        responses: Of all datasets.
        longest_pause: Seconds beyond which nobody was working on one record.
    """
    by_user: dict[str, list[str]] = defaultdict(list)
    for response in responses:
        by_user[response.user_id].append(response.updated_at)
    found = {}
    for user, moments in by_user.items():
        for before, after in itertools.pairwise(sorted(moments, key=_moment)):
            passed = (_moment(after) - _moment(before)).total_seconds()
            if 0 < passed <= longest_pause:
                found[user, after] = round(passed, 3)
    return found


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)
