"""Conversations to token ids, by the model's own chat template."""

import logging
import re
from collections.abc import Sequence

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from prefkit.errors import PrefkitError
from prefkit.records import Message

log = logging.getLogger(__name__)


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message]) -> list[int]:
    """Token ids up to where the model's answer begins.

    A conversation that ends with an assistant's turn is continued inside that turn.

    Raises:
        PrefkitError: The model has no chat template, or its template refuses the conversation.
    """
    begun = prompt[-1].role == "assistant"
    return _ids(tokenizer, _render(tokenizer, prompt, open_turn=not begun, continued=begun))


def encode_pair(
    tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message], completion: Sequence[Message]
) -> tuple[list[int], int]:
    """Token ids of a prompt and its completion, and where the completion begins.

    The completion's ids are what the model would write after the prompt: its text and the
    end-of-turn token, without the line break some templates put after that token. The text is
    what the template makes of the whole conversation, minus the prompt. A template that renders
    the prompt otherwise once it is answered (some reasoning models) gets the bare text instead.
    """
    before = _render(tokenizer, prompt, open_turn=True)
    whole = _render(tokenizer, [*prompt, *completion], open_turn=False)
    end = str(tokenizer.eos_token or "")
    if whole.startswith(before):
        rest = whole[len(before) :]
        if end and rest.rstrip().endswith(end):
            rest = rest.rstrip()
    else:
        log.warning("the chat template changes an answered prompt; scoring the bare completion")
        rest = "".join(message.content for message in defused(tokenizer, completion)) + end
    start = _ids(tokenizer, before)
    return start + _ids(tokenizer, rest), len(start)


def encode_text(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of plain text; text that spells a special token does not become one."""
    return _ids(tokenizer, _defuse(tokenizer, text))


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]


def _render(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Message],
    *,
    open_turn: bool,
    continued: bool = False,
) -> str:
    if tokenizer.chat_template is None:
        raise PrefkitError(
            f"{tokenizer.name_or_path}: this model has no chat template, so it cannot be asked.",
            hint="Use the -Instruct or -Chat variant of the model.",
        )
    turns = [message.model_dump() for message in defused(tokenizer, messages)]
    try:
        text = tokenizer.apply_chat_template(
            turns,
            tokenize=False,
            add_generation_prompt=open_turn,
            continue_final_message=continued,
        )
    except TemplateError as error:
        raise PrefkitError(
            f"The model's chat template refuses this conversation: {error}.",
            hint="Roles must suit the model; some allow no system turn.",
        ) from error
    return str(text)


def defused(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> list[Message]:
    """Messages whose text cannot be mistaken for the template's own special tokens."""
    return [
        message.model_copy(update={"content": _defuse(tokenizer, message.content)})
        for message in messages
    ]


def _defuse(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """Break up special tokens spelt in `text`: `<|im_end|>` in a document must not end a turn."""
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    if not any(token in text for token in special):
        return text
    pattern = "|".join(re.escape(token) for token in sorted(special, key=len, reverse=True))
    return re.sub(pattern, lambda found: f"{found[0][0]} {found[0][1:]}", text)
