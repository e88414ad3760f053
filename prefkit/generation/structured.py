"""One call a chunk, answered as JSON: for models strong enough to write good drafts unaided.

Servers accept a JSON schema and ignore it more often than they refuse it, so every reply is
validated here, whatever was asked for, and counted as valid, repaired or rejected.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from prefkit.chat import ChatModel, Request, Sampling
from prefkit.config import GenerateConfig
from prefkit.generation.checks import refuse_answer
from prefkit.generation.drafts import ANSWER_CHECKS, QUESTION_CHECKS, Draft, first_refusal
from prefkit.generation.examples import Drafted, Passage, notes_of, quota
from prefkit.generation.languages import language_name
from prefkit.generation.prompting import Prompt, fenced
from prefkit.records import Example, content_id, user
from prefkit.storage import explain

Kind = Literal["factual", "definition", "procedure", "condition", "reason", "comparison"]
TOKENS_AN_ITEM = 220  # room for one question, answer and quote
TOKENS_AROUND = 100  # room for the JSON around them


class Item(BaseModel):
    """One drafted question as the model wrote it."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    question: str
    answer: str
    quote: str
    kind: Kind = "factual"

    @field_validator("kind", mode="before")
    @classmethod
    def _known_kind(cls, value: Any) -> Any:  # pydantic validates what this lets through
        return value if value in get_args(Kind) else "factual"


SCHEMA: dict[str, Any] = {  # JSON schema; strict servers want every key required
    "type": "object",
    "additionalProperties": False,
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["question", "answer", "quote", "kind"],
                "properties": {
                    "question": {"type": "string"},
                    "answer": {"type": "string"},
                    "quote": {"type": "string"},
                    "kind": {"type": "string", "enum": list(get_args(Kind))},
                },
            },
        }
    },
}


def draft_structured(
    passages: Sequence[Passage],
    model: ChatModel,
    prompts: Mapping[str, Prompt],
    config: GenerateConfig,
    drafted: Drafted,
) -> None:
    """Draft from each passage with one call, adding to `drafted`."""
    requests = [_request(passage, prompts["structured"], config) for passage in passages]
    for passage, reply in zip(passages, drafted.ask(model, requests), strict=True):
        if reply.error:
            drafted.drop(passage, "model-error", reply.error)
            continue
        items, outcome = parse(reply.text)
        drafted.count(**{outcome: 1})
        if outcome == "rejected":
            refused = refuse_answer(reply.text, reply.finish_reason)
            rule = refused.rule if refused else "malformed"
            drafted.drop(passage, rule, "no usable JSON", reply.text)
        seen: set[str] = set()
        for item in items[: quota(passage.chunk, config.per_chunk)]:
            _keep(item, passage, f"{model.name}/structured", seen, drafted)


def _request(passage: Passage, prompt: Prompt, config: GenerateConfig) -> Request:
    count = quota(passage.chunk, config.per_chunk)
    messages = prompt.messages(
        passage=fenced(passage.chunk.text),
        where=passage.where,
        count=str(count),
        kinds=", ".join(get_args(Kind)),
        language=language_name(passage.language),
    )
    sampling = Sampling(
        temperature=config.temperature,
        max_tokens=TOKENS_AN_ITEM * count + TOKENS_AROUND,
        seed=int(content_id(config.seed, passage.chunk.id)[:8], 16),
    )
    return Request(messages, sampling, SCHEMA)


def parse(text: str, key: str = "question") -> tuple[list[dict[str, Any]], str]:
    """Items of a reply as JSON objects, and whether it was `valid`, `repaired` or `rejected`.

    Repaired are a fenced block, talk around the JSON, a bare list, a trailing comma, and a reply
    that was cut off after some whole items.

    Args:
        text: The reply.
        key: What every item has.
    """
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        value = None
    if isinstance(value, dict) and isinstance(value.get("items"), list):
        return _objects(value["items"]), "valid"
    items = _objects(value) if isinstance(value, list) else whole_objects(text, key)
    return items, "repaired" if items else "rejected"


def _objects(values: list[Any]) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)]


def whole_objects(text: str, key: str, listed: str = "items") -> list[dict[str, Any]]:
    """Every object in the text that parses and has a key, alone or in a list of that name."""
    found, decoder, at = [], json.JSONDecoder(), 0
    text = re.sub(r",\s*([}\]])", r"\1", text)
    while (at := text.find("{", at)) >= 0:
        try:
            value, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            at += 1
            continue
        if isinstance(value.get(listed), list):
            found += _objects(value[listed])
        elif key in value:
            found.append(value)
    return found


def _keep(
    value: dict[str, Any], passage: Passage, generator: str, seen: set[str], drafted: Drafted
) -> None:
    """Add a drafted item to the examples, or to what was dropped."""
    try:
        item = Item.model_validate(value)
    except ValidationError as error:
        drafted.drop(passage, "malformed", explain(error, Item), json.dumps(value)[:200])
        return
    draft = Draft((passage,), item.question, item.answer, (item.quote,))
    draft, removed = draft.freed()
    problem = first_refusal(draft, (*QUESTION_CHECKS, *ANSWER_CHECKS))
    if problem:
        drafted.drop(passage, problem.rule, problem.detail, draft.question)
    elif draft.question.lower() in seen:
        drafted.drop(passage, "duplicate-question", "asked before of this chunk", draft.question)
    else:
        seen.add(draft.question.lower())
        drafted.examples.append(
            Example(
                prompt=user(draft.question),
                reference=draft.answer or "",
                quotes=draft.quotes,
                kind=item.kind,
                generator=generator,
                metadata=notes_of(passage) | removed,
            )
        )
