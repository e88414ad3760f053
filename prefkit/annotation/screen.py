"""A layout and its tasks in Argilla's words: fields, questions, records.

Argilla 2.8's page writes text fields and chat bubbles into the page as HTML: its plain text field
sets `innerHTML`, and with Markdown it lets `<object>` and `<embed>` through. So markup that a model
wrote would run in the annotator's session. What we send therefore has `&`, `<` and `>` written as
entities and Markdown switched off: the page shows the very characters and runs none of them.
"""

import html
import re
from collections.abc import Sequence
from typing import Any

from prefkit.annotation.layouts import LETTERS, Layout
from prefkit.annotation.questions import (
    PER_ANSWER,
    Asked,
    Choice,
    Decision,
    Edit,
    Preference,
    Ranking,
    Rating,
    Reasons,
)
from prefkit.annotation.tasks import Shown
from prefkit.records import Message, Messages

Json = dict[str, Any]  # one JSON object of Argilla's API
LONGEST_TURN = 20_000  # characters of a chat turn that Argilla 2.8 accepts
MOST_TURNS = 500
EMPTY = "[no text]"
PLACE = "place"  # metadata that gives the suggested order
_SURROGATE = re.compile("[\ud800-\udfff]")
_PLAIN = {"type": "text", "use_markdown": False}


def inert(text: str) -> str:
    """A text that Argilla's page shows as it is and never runs.

    Lone surrogates cannot be sent at all, and PostgreSQL stores no NUL: these show as a mark.
    """
    shown = _SURROGATE.sub("\ufffd", text).replace("\0", "\u2400")
    return html.escape(shown, quote=False) if shown.strip() else EMPTY


def answer_name(place: int) -> str:
    """Field and option name of an answer: `answer_a` for place 0."""
    return f"answer_{LETTERS[place].lower()}"


def fields(layout: Layout, answers: int) -> list[Json]:
    """The dataset's fields, in the order shown."""
    words = layout.words
    found = [_field("prompt", words.prompt)]
    found.append(_field("conversation", words.conversation, {"type": "chat"}))
    if layout.show.passage:
        found.append(_field("passage", words.passage))
    if layout.show.reference:
        found.append(_field("reference", words.reference))
    if layout.kind == "review":
        return [*found, _field("answer", words.answer, required=True)]
    return found + [
        _field(answer_name(place), _lettered(words.answer, place), required=True)
        for place in range(answers)
    ]


def _field(name: str, title: str, settings: Json | None = None, *, required: bool = False) -> Json:
    kind = (settings or {"type": "text"}) | {"use_markdown": False}
    return {"name": name, "title": title, "required": required, "settings": kind}


def questions(layout: Layout, answers: int) -> list[Json]:
    """The dataset's questions, in the order asked; one an answer where the layout says so."""
    found = []
    for question in layout.questions:
        if isinstance(question, PER_ANSWER):
            found += [_question(question, layout, answers, place) for place in range(answers)]
        else:
            found.append(_question(question, layout, answers))
    return found


def question_name(question: Asked, place: int | None = None) -> str:
    """Name of a question in Argilla: one that is asked an answer ends in its letter."""
    return question.name if place is None else f"{question.name}_{LETTERS[place].lower()}"


def _question(question: Asked, layout: Layout, answers: int, place: int | None = None) -> Json:
    title = question.title if place is None else _lettered(question.title, place)
    return {
        "name": question_name(question, place),
        "title": title,
        "description": question.description or None,
        "required": question.required,
        "settings": _settings(question, layout, answers),
    }


def _settings(question: Asked, layout: Layout, answers: int) -> Json:
    if isinstance(question, Ranking):
        texts = {answer_name(p): _lettered(layout.words.answer, p) for p in range(answers)}
        return {"type": "ranking", "options": _options(texts)}
    if isinstance(question, Decision):
        texts = {name: getattr(question, name) for name in ("accept", "edit", "reject")}
        return {"type": "label_selection", "options": _options(texts)}
    if isinstance(question, Preference | Choice | Reasons):
        kind = "multi_label_selection" if isinstance(question, Reasons) else "label_selection"
        texts = {option.name: option.text for option in question.options}
        return {"type": kind, "options": _options(texts)}
    if isinstance(question, Rating):
        values = range(question.lowest, question.highest + 1)
        return {"type": "rating", "options": [{"value": value} for value in values]}
    return dict(_PLAIN)


def _options(texts: dict[str, str]) -> list[Json]:
    return [{"value": value, "text": text} for value, text in texts.items()]


def _lettered(text: str, place: int) -> str:
    return text.replace("{answer}", LETTERS[place])


def metadata_properties() -> list[Json]:
    """What annotators may sort by: the suggested order."""
    settings = {"type": "integer"}
    title = "Suggested order"
    return [
        {"name": PLACE, "title": title, "settings": settings, "visible_for_annotators": True},
    ]


def record(shown: Shown, layout: Layout) -> Json:
    """A task as a record for Argilla, without suggestions."""
    texts: Json = _prompt(shown.prompt)
    if shown.passage:
        texts["passage"] = inert(shown.passage)
    if shown.reference:
        texts["reference"] = inert(shown.reference)
    for place, answer in enumerate(shown.answers):
        name = "answer" if layout.kind == "review" else answer_name(place)
        texts[name] = inert(answer)
    task = shown.task
    return {
        "external_id": task.id,
        "fields": texts,
        "metadata": {
            PLACE: task.place,
            "prompt_id": task.prompt_id,
            "shown_order": ",".join(task.shown_order),
            "guideline_sha256": task.guideline_sha256,
        },
    }


def prefill(shown: Shown, layout: Layout) -> dict[str, Any]:  # a text by question name
    """What stands in the boxes from the start: of a review the answer, ready to be changed."""
    edit = layout.first("edit")
    if isinstance(edit, Edit) and edit.prefill and shown.answers[0].strip():
        return {edit.name: _SURROGATE.sub("\ufffd", shown.answers[0]).replace("\0", "\u2400")}
    return {}


def _prompt(prompt: Messages) -> Json:
    """One user turn as text, several turns as chat; a turn too long for chat makes all one text."""
    if len(prompt) == 1 and prompt[0].role == "user":
        return {"prompt": inert(prompt[0].content)}
    turns = [{"role": turn.role, "content": inert(turn.content)} for turn in prompt]
    if len(turns) <= MOST_TURNS and all(len(t["content"]) <= LONGEST_TURN for t in turns):
        return {"conversation": turns}
    return {"prompt": inert(_transcript(prompt))}


def _transcript(prompt: Sequence[Message]) -> str:
    return "\n\n".join(f"{turn.role.upper()}: {turn.content}" for turn in prompt)
