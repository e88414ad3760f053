"""What an endpoint understands, learnt from what it refuses.

"OpenAI-compatible" means little: llama-cpp-python answers `json_schema` with HTTP 500, newer OpenAI
models refuse `max_tokens` and `temperature`, others refuse `seed`, and `transformers serve` ignores
`response_format` without a word.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from prefkit.chat.protocol import Request

Shape = Literal["json_schema", "json_object_schema", "json_object", "prompt"]
SHAPES: Final[tuple[Shape, ...]] = ("json_schema", "json_object", "prompt")
SHAPE_WORDS: Final = ("response_format", "json_schema", "json_object", "json schema", "grammar")
OPTIONAL: Final = ("seed", "top_p", "stop", "temperature", "logprobs", "n")
REFUSING: Final = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not (?:permitted|allowed)|extra"
)
INSTRUCTION: Final = Path(__file__).with_name("json_reply.txt")


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How requests are put to one model at one endpoint.

    Attributes:
        shape: How a JSON schema is asked for.
        tokens_field: What the limit of new tokens is called.
        refused: Sampling parameters the endpoint does not take.
        swapped: `tokens_field` was changed already.
    """

    shape: Shape = "json_schema"
    tokens_field: str = "max_tokens"
    refused: frozenset[str] = frozenset()
    swapped: bool = False

    def payload(
        self, model: str, request: Request, count: int = 1
    ) -> dict[str, Any]:  # JSON values
        """The body of a chat completion request for so many completions."""
        sampling = request.sampling
        messages = [message.model_dump() for message in request.messages]
        payload: dict[str, Any] = {
            "model": model,
            "messages": messages,
            self.tokens_field: sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
        }
        if sampling.top_p < 1:
            payload["top_p"] = sampling.top_p
        if sampling.stop:
            payload["stop"] = list(sampling.stop)
        if count > 1:
            payload["n"] = count
        if request.logprobs:
            payload["logprobs"] = True
        if request.schema is not None:
            payload |= self._shaped(messages, strict(request.schema))
        return {name: value for name, value in payload.items() if name not in self.refused}

    def _shaped(
        self, messages: list[dict[str, Any]], schema: Mapping[str, Any]
    ) -> dict[str, Any]:  # JSON values
        if self.shape == "json_schema":
            wanted = {"name": "reply", "strict": True, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": wanted}}
        instruction = INSTRUCTION.read_text(encoding="utf-8") + json.dumps(schema)
        content = f"{messages[-1]['content']}\n\n{instruction}"
        told = {"messages": [*messages[:-1], messages[-1] | {"content": content}]}
        if self.shape == "json_object_schema":  # llama.cpp's own way
            return told | {"response_format": {"type": "json_object", "schema": schema}}
        if self.shape == "json_object":
            return told | {"response_format": {"type": "json_object"}}
        return told

    def after_refusal(self, payload: Mapping[str, Any], complaint: str) -> "Dialect | None":
        """What to try next when `payload` was refused with `complaint`; None if nothing helps."""
        said = complaint.lower()
        if not self.swapped and "max_completion_tokens" in said:
            other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
            return dataclasses.replace(self, tokens_field=other[self.tokens_field], swapped=True)
        if "response_format" in payload and any(word in said for word in SHAPE_WORDS):
            return self.weaker()
        for name in OPTIONAL:
            if name in payload and re.search(rf"\b{name}\b", said) and REFUSING.search(said):
                return dataclasses.replace(self, refused=self.refused | {name})
        return None

    def weaker(self) -> "Dialect":
        """Ask for JSON in the next weaker way; a schema within json_object is only probed for."""
        place = SHAPES.index(self.shape) + 1 if self.shape in SHAPES else 1
        return self.shaped(SHAPES[min(place, len(SHAPES) - 1)])

    def shaped(self, shape: Shape) -> "Dialect":
        """Ask for JSON in this way."""
        return dataclasses.replace(self, shape=shape)

    def told_in_prompt(self) -> "Dialect":
        """Ask for JSON in words only."""
        return self.shaped("prompt")


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:  # JSON schema
    """The schema as OpenAI's strict mode wants it: objects are closed, every key is required."""
    closed: dict[str, Any] = {}
    for key, value in schema.items():
        if isinstance(value, Mapping):
            closed[key] = strict(value)
        elif isinstance(value, list | tuple):
            closed[key] = [strict(v) if isinstance(v, Mapping) else v for v in value]
        else:
            closed[key] = value
    if closed.get("type") == "object" and isinstance(closed.get("properties"), dict):
        closed["additionalProperties"] = False
        closed["required"] = list(closed["properties"])
    return closed


def looks_like_json(text: str) -> bool:
    """Whether a reply is a JSON object, fenced or not."""
    fenced = re.fullmatch(r"\s*```(?:json)?\s*(.*?)```\s*", text, re.DOTALL)
    try:
        return isinstance(json.loads(fenced[1] if fenced else text), dict)
    except (ValueError, RecursionError):
        return False
