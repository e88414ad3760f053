"""Several short endings of one long prompt, such as a judge's labels: the prompt is read once."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

import torch

LONG: Final = 64  # tokens of a prompt from which a pass of its own pays
SHORT: Final = 16  # tokens of an ending up to which the rest is small beside it


class Ending(Protocol):
    """Token ids of which those from `start` on are the ending."""

    @property
    def ids(self) -> Sequence[int]:
        """Prompt and ending."""
        ...

    @property
    def start(self) -> int:
        """Length of the prompt."""
        ...


def with_one_prompt(sequences: Sequence[Ending]) -> list[list[int]]:
    """Places of the sequences that share a long prompt and end shortly after it, by prompt."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, sequence in enumerate(sequences):
        if sequence.start >= LONG and 0 < len(sequence.ids) - sequence.start <= SHORT:
            groups.setdefault(tuple(sequence.ids[: sequence.start]), []).append(place)
    return [places for places in groups.values() if len(places) > 1]


def hidden_states(body: Any, members: Sequence[Ending], device: torch.device) -> torch.Tensor:
    """The hidden states that predict each token of the endings, one ending after another.

    Args:
        body: The model without its vocabulary head; every layer must see all tokens.
        members: Endings of one prompt.
        device: Where the model is.

    Returns:
        (tokens of all endings, width of the model).
    """
    start = members[0].start
    prompt = torch.tensor([list(members[0].ids[: start - 1])], device=device)
    cache = body(input_ids=prompt, use_cache=True).past_key_values
    cache.batch_repeat_interleave(len(members))
    rows = [list(member.ids[start - 1 : -1]) for member in members]
    width = max(map(len, rows))
    padded = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=device)
    hidden = body(input_ids=padded, past_key_values=cache, use_cache=True).last_hidden_state
    wanted = torch.tensor([[i < len(row) for i in range(width)] for row in rows], device=device)
    return hidden[wanted]
