"""How long a stretch of text is: in words and marks, or in the tokens of a model."""

import bisect
import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from prefkit.cleaning.kernels.letters import SPACELESS
from prefkit.config import EMBEDDED
from prefkit.errors import EXIT_USAGE, PrefkitError

ALONE = "".join(f"{chr(low)}-{chr(high)}" for low, high in SPACELESS)
_TOKEN = re.compile(rf"[{ALONE}]|[^\W{ALONE}]+|[^\w\s]")  # no spaces there: a letter is a word
THE_MODEL = "model"  # as a tokenizer: that of the model which drafts


@dataclasses.dataclass(frozen=True)
class Measure:
    """Where the tokens of one text begin and end, in order.

    Attributes:
        starts: First character of each token.
        ends: One past its last.
    """

    starts: Sequence[int]
    ends: Sequence[int]

    def count(self, start: int, end: int) -> int:
        """Tokens that lie in `text[start:end]`, in whole or in part."""
        first = bisect.bisect_right(self.ends, start)
        return max(0, bisect.bisect_left(self.starts, end) - first)


Measuring = Callable[[str], Measure]


def count_tokens(text: str) -> int:
    """Words and marks in `text`: an estimate that needs no tokenizer, the same on any machine."""
    return sum(1 for _ in _TOKEN.finditer(text))


def words_and_marks(text: str) -> Measure:
    """Measure a text in words and marks."""
    spans = [found.span() for found in _TOKEN.finditer(text)]
    return Measure([start for start, _ in spans], [end for _, end in spans])


def measuring(tokenizer: str, model: str) -> Measuring:
    """How to measure texts.

    Args:
        tokenizer: Empty for words and marks, `model` for the tokenizer of `model`, else the name
            of a model or its folder.
        model: The model that drafts.

    Raises:
        PrefkitError: There is no such tokenizer, or an endpoint's is asked for without its name.
    """
    if not tokenizer:
        return words_and_marks
    if tokenizer == THE_MODEL and model.startswith("openai:"):
        raise PrefkitError(
            f"--tokenizer model: an endpoint does not show the tokenizer of {model}.",
            hint="Name a folder or hub id with the same tokenizer, such as `--tokenizer embedded`.",
            exit_code=EXIT_USAGE,
        )
    return of_tokenizer(_tokenizer(model if tokenizer == THE_MODEL else tokenizer))


def of_tokenizer(tokenizer: Any) -> Measuring:  # PreTrainedTokenizerBase
    """Measure in the tokens of a tokenizer, without what its chat template adds.

    A whole text is tokenized once; a stretch of it may have a token more or less by itself.
    """

    def measure(text: str) -> Measure:
        offsets = tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )["offset_mapping"]
        spans = [(start, end) for start, end in offsets if end > start]
        return Measure([start for start, _ in spans], [end for _, end in spans])

    return measure


@functools.cache
def _tokenizer(name: str) -> Any:  # PreTrainedTokenizerBase
    from prefkit.errors import missing_extra

    try:
        from transformers import AutoTokenizer
    except ModuleNotFoundError as error:
        raise missing_extra("transformers", "train", "Counting tokens") from error
    folder = name
    if name == EMBEDDED:
        from prefkit.embedded import embedded_model

        folder = str(embedded_model())
    try:
        found: Any = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        said = str(error).partition("\n")[0][:200]
        raise PrefkitError(
            f"--tokenizer: `{name}` cannot be read: {said}",
            hint=f"Name `{EMBEDDED}`, a folder with a tokenizer.json, or a hub id.",
            exit_code=EXIT_USAGE,
        ) from error
    if not found.is_fast:
        raise PrefkitError(
            f"--tokenizer: `{name}` does not say where its tokens stand in a text.",
            hint="Name a model with a tokenizer.json, or leave --tokenizer out.",
            exit_code=EXIT_USAGE,
        )
    return found
