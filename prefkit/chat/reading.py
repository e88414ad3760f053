"""What a server sent, read with care: it may be anything."""

import dataclasses
import hashlib
import json
import math
from typing import Any, Final

from prefkit.chat.budget import Price
from prefkit.chat.failures import Failure
from prefkit.chat.protocol import Likelihood, Reply, Request

LARGEST: Final = 4 * 2**20  # bytes of a reply; a completion of 100,000 tokens has a tenth of it

Body = dict[str, Any]  # a chat completion as JSON


def key_of(url: str, model: str, request: Request, count: int = 1) -> str:
    """The key of a request: all that decides what a server says, and nothing else."""
    asked = {
        "endpoint": url,
        "model": model,
        "messages": [message.model_dump() for message in request.messages],
        "sampling": {
            "temperature": request.sampling.temperature,
            "top_p": request.sampling.top_p,
            "max_tokens": request.sampling.max_tokens,
            "seed": request.sampling.seed,
            "stop": list(request.sampling.stop),
        },
        "schema": request.schema,
    }
    if count > 1:
        asked["n"] = count
    if request.logprobs:
        asked["logprobs"] = True
    canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def parsed(body: str) -> Body | Failure:
    """A chat completion with at least one choice of text, or why it is none."""
    if len(body) > LARGEST:
        return Failure(f"the reply is too large: {len(body) / 2**20:.1f} MB.")
    try:
        value = json.loads(body)
        if isinstance(value, dict) and value.get("error"):
            return Failure(f"HTTP 200 with an error: {str(value['error'])[:300]}", passing=True)
        for choice in value["choices"]:
            content = choice["message"].get("content")
            if content is not None and not isinstance(content, str):
                return Failure("the reply cannot be read: its content is not text.", passing=True)
        value["choices"][0]
    except (ValueError, RecursionError):
        return Failure("the reply cannot be read: it is not JSON.", passing=True)
    except (KeyError, IndexError, TypeError, AttributeError):
        return Failure("the reply cannot be read: it holds no choice.", passing=True)
    return value


def usage_of(value: Any) -> tuple[int, int] | None:  # whatever JSON a server sent
    """Prompt and completion tokens, when the server says both."""
    usage = value.get("usage") if isinstance(value, dict) else None
    if not isinstance(usage, dict):
        return None
    counts = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        return None
    return counts


def replies_of(value: Body, price: Price | None, *, cached: bool = False) -> list[Reply]:
    """One reply a choice; the first carries the tokens and the cost of all."""
    usage = usage_of(value)
    prompt, completion = usage or (0, 0)
    usd = price.of(prompt, completion) if price is not None and usage else None
    choices = value["choices"]
    first = _reply_of(choices[0], prompt, completion, usd, cached, usage is not None)
    free = 0.0 if usd is not None else None
    others = (_reply_of(choice, 0, 0, free, cached, True) for choice in choices[1:])
    return [first, *(dataclasses.replace(o, choice=n) for n, o in enumerate(others, 1))]


def _reply_of(
    choice: dict[str, Any],  # JSON
    prompt_tokens: int,
    completion_tokens: int,
    usd: float | None,
    cached: bool,
    counted: bool,
) -> Reply:
    message = choice["message"]
    refused = message.get("content") is None and message.get("refusal")
    text = (message.get("content") or "").encode(errors="replace").decode()  # lone surrogates
    return Reply(
        text,
        "refusal" if refused else str(choice.get("finish_reason") or "stop"),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        usd=usd,
        cached=cached,
        counted=counted,
        likelihood=_likelihood(choice.get("logprobs")),
    )


def _likelihood(logprobs: Any) -> Likelihood | None:  # whatever JSON a server sent
    """The sum over the tokens; None unless every token has a number."""
    try:
        values = [entry["logprob"] for entry in logprobs["content"]]
        total = math.fsum(values)
    except (TypeError, KeyError, ValueError):
        return None
    return Likelihood(total, len(values)) if values and math.isfinite(total) else None
