"""The questions that a plan asks for: one structured call a task, checked to be of their kinds."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from prefkit.chat import ChatModel, Reply, Request, Sampling
from prefkit.config import DIFFICULTIES, KINDS, GenerateConfig
from prefkit.generation.checks import refuse_answer
from prefkit.generation.difficulty import estimated
from prefkit.generation.drafts import ANSWER_CHECKS, QUESTION_CHECKS, Draft, first_refusal
from prefkit.generation.examples import Drafted, Passage, notes_of
from prefkit.generation.grid import Cell, Task
from prefkit.generation.kinds import FOLLOW_UP
from prefkit.generation.languages import language_name
from prefkit.generation.personas import Persona
from prefkit.generation.prompting import Prompt, fenced, lines_of, neutral
from prefkit.generation.retrieval import Index
from prefkit.generation.structured import TOKENS_AN_ITEM, TOKENS_AROUND, parse
from prefkit.records import Example, Messages, Question, assistant, content_id, user
from prefkit.storage import explain

DESCRIBED = (*KINDS, *DIFFICULTIES)  # what `kinds.txt` says of each


@dataclasses.dataclass(frozen=True)
class Corpus:
    """What all tasks of a run share.

    Attributes:
        personas: By name.
        index: Of all chunks; None when no kind of the plan needs it.
    """

    personas: Mapping[str, Persona] = dataclasses.field(default_factory=dict)
    index: Index | None = None


class Item(BaseModel):
    """One question as the model wrote it."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    number: int | None = None
    question: str
    answer: str = ""
    quotes: tuple[str, ...] = ()
    earlier_question: str = ""
    earlier_answer: str = ""

    @field_validator("quotes", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:  # pydantic validates what this lets through
        found = [value] if isinstance(value, str) else value
        return [said for said in found if said] if isinstance(found, list) else found

    @field_validator("answer", "earlier_question", "earlier_answer", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:  # pydantic validates what this lets through
        return "" if value is None else value

    @property
    def earlier(self) -> Messages:
        """The turns before the question."""
        if not self.earlier_question or not self.earlier_answer:
            return ()
        return user(self.earlier_question) + assistant(self.earlier_answer)


def schema(*, answers: bool) -> dict[str, Any]:  # a JSON schema
    """What a reply should be; strict servers want every key required."""
    text = {"type": "string"}
    item: dict[str, Any] = {"number": {"type": "integer"}, "question": text}
    item |= {"answer": text} if answers else {}
    item |= {"quotes": {"type": "array", "items": text}}
    item |= {"earlier_question": text, "earlier_answer": text}
    return items_schema(item)


def items_schema(properties: Mapping[str, Any]) -> dict[str, Any]:  # a JSON schema
    """A list of objects that have all these properties and no others."""
    one = {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": dict(properties),
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["items"],
        "properties": {"items": {"type": "array", "items": one}},
    }


def draft_planned(
    tasks: Sequence[Task],
    model: ChatModel,
    prompts: Mapping[str, Prompt],
    config: GenerateConfig,
    corpus: Corpus,
    drafted: Drafted,
) -> None:
    """Draft what each task asks for with one call, adding to `drafted`."""
    requests = [_request(task, prompts, config, corpus) for task in tasks]
    for task, reply in zip(tasks, drafted.ask(model, requests), strict=True):
        items = read_items(task, reply, drafted)
        for cell, value in _by_cell(task, items, drafted):
            if value is None:
                drafted.drop(task.passages[0], "left-out", f"no {cell.kind} question came")
            else:
                _keep(task, cell, value, reply, model, config, corpus, drafted)


def _request(
    task: Task, prompts: Mapping[str, Prompt], config: GenerateConfig, corpus: Corpus
) -> Request:
    prompt = prompts["planned_questions" if config.questions_only else "planned"]
    asks = lines_of(prompts["kinds"], DESCRIBED)
    cells = "\n".join(
        f"{number}. {_wording(cell, asks, corpus.personas)}"
        for number, cell in enumerate(task.cells, start=1)
    )
    messages = prompt.messages(
        passage=shown(task.passages),
        where=where(task.passages),
        cells=cells,
        language=language_name(task.passages[0].language),
    )
    items = len(task.cells) + sum(cell.kind == FOLLOW_UP for cell in task.cells)
    return Request(
        messages,
        Sampling(
            temperature=config.temperature,
            max_tokens=TOKENS_AN_ITEM * items + TOKENS_AROUND,
            seed=int(content_id(config.seed, [cell.name for cell in task.cells])[:8], 16),
        ),
        schema(answers=not config.questions_only),
    )


def shown(passages: Sequence[Passage]) -> str:
    """The text that a model sees: each chunk between its own marks."""
    return "\n\n".join(fenced(passage.chunk.text) for passage in passages)


def where(passages: Sequence[Passage]) -> str:
    """What the text is called."""
    return neutral("; and ".join(passage.where for passage in passages))


def _wording(cell: Cell, asks: Mapping[str, str], personas: Mapping[str, Persona]) -> str:
    parts = [f"{cell.kind}: {asks[cell.kind]}"]
    if cell.difficulty:
        parts.append(f"{cell.difficulty}: {asks[cell.difficulty]}")
    if persona := personas.get(cell.persona):
        style = f" ({persona.style})" if persona.style else ""
        parts.append(f"asked by {persona.name}: {persona.who}{style}")
    return neutral(" | ".join(parts))


def read_items(
    task: Task, reply: Reply, drafted: Drafted, key: str = "question"
) -> list[dict[str, Any]]:
    """The items of a reply; what cannot be read is counted and dropped."""
    passage = task.passages[0]
    if reply.error:
        drafted.drop(passage, "model-error", reply.error)
        return []
    items, outcome = parse(reply.text, key)
    drafted.count(**{outcome: 1})
    if outcome == "rejected":
        refused = refuse_answer(reply.text, reply.finish_reason)
        rule = refused.rule if refused else "malformed"
        drafted.drop(passage, rule, "no usable JSON", reply.text)
    return items


def _by_cell(
    task: Task, items: Sequence[dict[str, Any]], drafted: Drafted
) -> Iterator[tuple[Cell, dict[str, Any] | None]]:
    """Each cell with the item that answers it, by its number, else by its place."""
    if not items:
        return
    places = range(1, len(task.cells) + 1)
    numbered = {item.get("number") for item in items} <= set(places)
    taken: dict[int, dict[str, Any]] = {}
    for place, item in enumerate(items, start=1):
        number = item["number"] if numbered else place
        if number in places and number not in taken:
            taken[number] = item
        else:
            text = str(item.get("question", ""))
            drafted.drop(task.passages[0], "not-asked-for", "more questions than asked for", text)
    for place, cell in zip(places, task.cells, strict=True):
        yield cell, taken.get(place)


def _keep(
    task: Task,
    cell: Cell,
    value: dict[str, Any],
    reply: Reply,
    model: ChatModel,
    config: GenerateConfig,
    corpus: Corpus,
    drafted: Drafted,
) -> None:
    """Add an item to the examples or questions, or to what was dropped."""
    passage = task.passages[0]
    try:
        item = Item.model_validate(value)
    except ValidationError as error:
        drafted.drop(passage, "malformed", explain(error, Item), json.dumps(value)[:200])
        return
    draft = Draft(
        task.passages,
        item.question,
        None if config.questions_only else item.answer,
        item.quotes,
        cell.kind,
        item.earlier if cell.kind == FOLLOW_UP else (),
        "stop",
        corpus.index,
    )
    draft, removed = draft.freed()
    checks = QUESTION_CHECKS if config.questions_only else (*QUESTION_CHECKS, *ANSWER_CHECKS)
    problem = first_refusal(draft, checks)
    if problem:
        drafted.drop(passage, problem.rule, problem.detail, draft.question)
        return
    notes = cell_notes(task.passages, cell) | {"difficulty_estimate": estimated(draft)} | removed
    prompt = draft.earlier + user(draft.question)
    generator = f"{model.name}/planned"
    if config.questions_only:
        drafted.questions.append(
            Question(
                prompt=prompt,
                chunk_ids=tuple(p.chunk.id for p in task.passages),
                quotes=draft.quotes,
                kind=cell.kind,
                generator=generator,
                metadata=notes,
            )
        )
        return
    drafted.examples.append(
        Example(
            prompt=prompt,
            reference=draft.answer or "",
            quotes=draft.quotes,
            kind=cell.kind,
            generator=generator,
            metadata=notes,
        )
    )


def cell_notes(passages: Sequence[Passage], cell: Cell) -> dict[str, str]:
    """What an example says of where it comes from and what was asked for."""
    notes = notes_of(passages[0]) | {"cell": cell.name, "chunk": passages[0].chunk.id}
    others = [passage.source for passage in passages[1:] if passage.source != passages[0].source]
    asked = {"persona": cell.persona, "difficulty": cell.difficulty, "source_2": "".join(others)}
    return notes | {name: value for name, value in asked.items() if value}
