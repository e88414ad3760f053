"""Lengths as training sees them: the model's own tokens, in its chat template.

TRL cuts what is longer than `max_length` without a word (trl 1.16, `DPOConfig.max_length`). Where
chosen and rejected only differ behind the cut, training sees two equal texts.
"""

import functools
from typing import Any

from prefkit.cleaning.rows import Cleanable
from prefkit.cleaning.rules.contract import View
from prefkit.config import EMBEDDED, CleanConfig
from prefkit.errors import EXIT_USAGE, PrefkitError, missing_extra
from prefkit.records import Example, Messages, PreferencePair, assistant, text_of, user


class Tokens:
    """Counts the tokens of conversations.

    Attributes:
        name: The model or folder that the tokenizer is of.
    """

    def __init__(self, name: str, tokenizer: Any) -> None:  # PreTrainedTokenizerBase
        self.name = name
        self._tokenizer = tokenizer

    def ids(self, messages: Messages) -> list[int]:
        """Tokens of a conversation in the chat template; of its plain text where there is none."""
        if not self._tokenizer.chat_template:
            return list(self._tokenizer(text_of(messages), verbose=False)["input_ids"])
        turns = [{"role": turn.role, "content": turn.content} for turn in messages]
        text = self._tokenizer.apply_chat_template(turns, tokenize=False)
        encoded = self._tokenizer(text, add_special_tokens=False, verbose=False)
        return list(encoded["input_ids"])

    @functools.cached_property
    def frame(self) -> int:
        """Tokens that the template alone makes of two turns."""
        return len(self.ids(user("") + assistant("")))

    def length(self, record: Cleanable) -> int:
        """Tokens of the longest conversation that training makes of a record."""
        return max(len(self.ids(conversation)) for conversation in conversations(record))

    def first_difference(self, pair: PreferencePair) -> int:
        """Tokens that both conversations of a pair begin with."""
        chosen, rejected = (self.ids(conversation) for conversation in conversations(pair))
        together = zip(chosen, rejected, strict=False)
        alike = (place for place, (one, other) in enumerate(together) if one != other)
        return next(alike, min(len(chosen), len(rejected)))


def conversations(record: Cleanable) -> tuple[Messages, ...]:
    """Prompt and completion together: what training makes of a record, chosen first."""
    if isinstance(record, Example):
        return (record.prompt + assistant(record.reference),)
    if isinstance(record, PreferencePair):
        return record.prompt + record.chosen, record.prompt + record.rejected
    return (record.prompt + record.completion,)


@functools.cache
def open_tokens(name: str) -> Tokens:
    """The tokenizer of a model to train.

    Args:
        name: `embedded`, a folder, or a hub id.

    Raises:
        PrefkitError: transformers is not installed, or the tokenizer cannot be read.
    """
    try:
        from transformers import AutoTokenizer
    except ModuleNotFoundError as error:
        raise missing_extra("transformers", "train", "Counting tokens") from error
    if name == EMBEDDED:
        from prefkit.embedded import embedded_model

        return Tokens(name, AutoTokenizer.from_pretrained(embedded_model()))
    try:
        return Tokens(name, AutoTokenizer.from_pretrained(name))
    except (OSError, ValueError) as error:
        said = str(error).partition("\n")[0][:200]
        raise PrefkitError(
            f"[clean] tokenizer: `{name}` cannot be read: {said}",
            hint=f"Name `{EMBEDDED}`, a folder with a tokenizer.json, or a hub id.",
            exit_code=EXIT_USAGE,
        ) from error


def difference_cut_off(view: View, config: CleanConfig) -> str | None:
    """Chosen and rejected are equal in the first `max_length` tokens, all that training sees."""
    record, most = view.row.record, config.max_length or 0
    tokens = open_tokens(config.tokenizer)
    if not isinstance(record, PreferencePair) or _surely_short(view, tokens, most):
        return None
    place = tokens.first_difference(record)
    return f"they differ from token {place + 1}, training sees {most}" if place >= most else None


def over_length(view: View, config: CleanConfig) -> str | None:
    """Prompt and completion have more than `max_length` tokens in the model's chat template."""
    most = config.max_length or 0
    tokens = open_tokens(config.tokenizer)
    if _surely_short(view, tokens, most):
        return None
    length = tokens.length(view.row.record)
    return f"{length} tokens, at most {most} wanted" if length > most else None


def _surely_short(view: View, tokens: Tokens, most: int) -> bool:
    """Whether a row is short by its size alone: a character is at most 4 bytes, a token one."""
    spare = most - tokens.frame * len(view.texts)
    return 4 * len(view.whole) <= spare or len(view.whole.encode(errors="replace")) <= spare
