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
from prefkit.generation.checks import refuse_answer, refuse_leak, refuse_question
from prefkit.generation.examples import Drafted, Passage, line_around, quota
from prefkit.generation.grounding import find_quote, long_enough, share_supported, unsupported
from prefkit.generation.prompting import Prompt, fenced
from prefkit.records import Example, Quote, content_id, user
from prefkit.storage import explain

Kind = Literal["factual", "definition", "procedure", "condition", "reason", "comparison"]
TOKENS_AN_ITEM = 220  # room for one question, answer and quote
_LEAST_SUPPORT = 0.5  # of an answer's content words: a paraphrase passes, an invention does not


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
    )
    sampling = Sampling(
        temperature=config.temperature,
        max_tokens=TOKENS_AN_ITEM * count + 100,
        seed=int(content_id(config.seed, passage.chunk.id)[:8], 16),
    )
    return Request(messages, sampling, SCHEMA)


def parse(text: str) -> tuple[list[dict[str, Any]], str]:
    """Items of a reply as JSON objects, and whether it was `valid`, `repaired` or `rejected`.

    Repaired are a fenced block, talk around the JSON, a bare list, a trailing comma, and a reply
    that was cut off after some whole items.
    """
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        value = None
    if isinstance(value, dict) and isinstance(value.get("items"), list):
        return _objects(value["items"]), "valid"
    items = _objects(value) if isinstance(value, list) else _whole_objects(text)
    return items, "repaired" if items else "rejected"


def _objects(values: list[Any]) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)]


def _whole_objects(text: str) -> list[dict[str, Any]]:
    """Every object in the text that parses and has a question."""
    found, decoder, at = [], json.JSONDecoder(), 0
    text = re.sub(r",\s*([}\]])", r"\1", text)
    while (at := text.find("{", at)) >= 0:
        try:
            value, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            at += 1
            continue
        if isinstance(value.get("items"), list):
            found += _objects(value["items"])
        elif "question" in value:
            found.append(value)
    return found


def _keep(
    value: dict[str, Any], passage: Passage, generator: str, seen: set[str], drafted: Drafted
) -> None:
    """Add a drafted item to the examples, or to what was dropped."""
    chunk = passage.chunk
    try:
        item = Item.model_validate(value)
    except ValidationError as error:
        drafted.drop(passage, "malformed", explain(error, Item), json.dumps(value)[:200])
        return
    span = find_quote(chunk.text, item.quote)
    if span is None or not long_enough(item.quote):
        drafted.drop(passage, "ungrounded-quote", f"`{item.quote[:120]}`", item.question)
        return
    problem = (
        refuse_question(item.question)
        or refuse_answer(item.answer)
        or refuse_leak(item.question, "", line_around(chunk.text, *span))
        or unsupported(item.answer, f"{passage.known}\n{item.question}")
    )
    if problem:
        drafted.drop(passage, problem.rule, problem.detail, item.question)
    elif share_supported(item.answer, f"{passage.known}\n{item.question}") < _LEAST_SUPPORT:
        drafted.drop(passage, "ungrounded-words", item.answer[:120], item.question)
    elif item.question.lower() in seen:
        drafted.drop(passage, "duplicate-question", "asked before of this chunk", item.question)
    else:
        seen.add(item.question.lower())
        drafted.examples.append(
            Example(
                prompt=user(item.question),
                reference=item.answer,
                quotes=(Quote(chunk_id=chunk.id, start=span[0], end=span[1]),),
                kind=item.kind,
                generator=generator,
                metadata={"source": passage.source, "page": str(chunk.page)}
                if chunk.page
                else {"source": passage.source},
            )
        )
