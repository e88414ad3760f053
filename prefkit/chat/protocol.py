"""What every model looks like to a stage: a request goes in, a reply comes out."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from prefkit.records import Messages


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How to draw a completion; temperature 0 is greedy."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 256
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Request:
    """One completion wanted.

    Attributes:
        messages: The conversation so far.
        sampling: How to draw the answer.
        schema: JSON schema the answer should obey; the caller validates, whatever the server says.
        logprobs: Ask how likely the completion's tokens were.
    """

    messages: Messages
    sampling: Sampling = Sampling()
    schema: Mapping[str, Any] | None = None  # a JSON schema
    logprobs: bool = False


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """How likely a model held its own completion.

    Attributes:
        total: Sum of its tokens' natural log-probabilities.
        tokens: How many tokens that is.
    """

    total: float
    tokens: int

    @property
    def mean(self) -> float:
        """Log-probability a token."""
        return self.total / self.tokens


@dataclasses.dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        text: The completion, special tokens removed.
        finish_reason: stop, length, or the server's word; `error` when the request failed for good.
        prompt_tokens: Tokens of the prompt.
        completion_tokens: Tokens of the completion.
        usd: Cost, None when the price is unknown. A cached reply keeps what it cost at first.
        error: Why it failed; empty otherwise.
        cached: Answered from the request cache: nothing was paid this time.
        counted: The tokens are known; False: the server did not say, and those here are 0.
        likelihood: How likely the completion was; None when not asked for, or not told.
        choice: Which of several completions of one request it is, drawn with one seed.
    """

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float | None = None
    error: str = ""
    cached: bool = False
    counted: bool = True
    likelihood: Likelihood | None = None
    choice: int = 0


class ChatModel(Protocol):
    """Completes conversations, many at a time."""

    name: str
    device: str
    structured: bool  # strong enough for one structured call, else stepwise

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply a request, in order. A failed request is a Reply with `error`, not a raise."""
        ...
