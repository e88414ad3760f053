"""One loaded model: asked like an endpoint, and read like a probability distribution."""

import contextlib
import dataclasses
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from prefkit.chat import Reply, Request
from prefkit.config import EMBEDDED
from prefkit.embedded import NAME as EMBEDDED_NAME
from prefkit.errors import PrefkitError
from prefkit.local_model.decoding import Clock, Row, decode
from prefkit.local_model.loading import load_model
from prefkit.local_model.scoring import Scored, score, windows
from prefkit.local_model.templates import encode_pair, encode_prompt, encode_text
from prefkit.records import Messages, content_id

WINDOW_BATCHES: Final = 8  # requests are sorted by length within this many batches
LONGEST_WINDOW: Final = 1024  # tokens of plain text scored at once


class LocalModel:
    """A causal language model in this process, with or without an adapter.

    Attributes:
        name: Model and adapter, as records name them.
        device: Where it runs: `cpu` or `cuda:0`.
        structured: False: what small models write as JSON is seldom JSON.
        model: The transformers model, or the PeftModel around it.
        tokenizer: The base model's tokenizer.
    """

    structured = False

    def __init__(
        self,
        model: Any,  # PreTrainedModel or PeftModel
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        batch_size: int = 8,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self.batch_size = batch_size
        self.device = str(model.device)
        ends = model.generation_config.eos_token_id
        self._ends = {*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id}

    @classmethod
    def load(
        cls,
        name_or_folder: str | Path,
        *,
        adapter: str | Path | None = None,
        dtype: torch.dtype | None = None,
        load_in_4bit: bool = False,
        device: str | None = None,
        batch_size: int = 8,
    ) -> "LocalModel":
        """Load by name; see `load_model` for the arguments and errors."""
        model, tokenizer = load_model(
            name_or_folder, adapter=adapter, dtype=dtype, load_in_4bit=load_in_4bit, device=device
        )
        name = _spoken(str(name_or_folder)) + ("-nf4" if load_in_4bit else "")
        if adapter is not None:
            name += f"+{_spoken_adapter(Path(adapter))}"
        return cls(model, tokenizer, name=name, batch_size=batch_size)

    @property
    def context_length(self) -> int:
        """Most tokens the model can look at."""
        return int(getattr(self.model.config, "max_position_embeddings", None) or 2**20)

    @contextlib.contextmanager
    def base(self) -> Generator[None]:
        """Within this block the adapter is switched off; without an adapter nothing changes."""
        if hasattr(self.model, "disable_adapter"):
            with self.model.disable_adapter():
                yield
        else:
            yield

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply a request, in order.

        A reply depends on its conversation, its sampling and its seed. In float32 it does not
        depend on its neighbours; in bfloat16 the rounding of a batch can tip a close call, so
        batches are cut from the list as given and from nothing else. Ask for the same lists
        again, and the same replies come, whatever was resumed in between.

        A prompt that does not fit, or that the chat template refuses, gets a reply with `error`.

        Raises:
            PrefkitError: The model has no chat template, or the GPU's memory is full.
        """
        replies: list[Reply | None] = [None] * len(requests)
        rows: dict[int, Row] = {}
        for place, request in enumerate(requests):
            row = self._row(request)
            if isinstance(row, Row):
                rows[place] = row
            else:
                replies[place] = row
        for batch in self._batches(rows):
            self._decode([rows[place] for place in batch])
            for place in batch:
                replies[place] = _reply(rows[place])
        return [reply for reply in replies if reply is not None]

    def _row(self, request: Request) -> Row | Reply:
        try:
            prompt = encode_prompt(self.tokenizer, request.messages)
        except PrefkitError as error:
            if self.tokenizer.chat_template is None:
                raise
            return Reply("", "error", error=error.message)
        sampling = request.sampling
        room = self.context_length - len(prompt)
        if room < 1:
            return Reply(
                "",
                "error",
                prompt_tokens=len(prompt),
                error=f"The prompt's {len(prompt)} tokens leave no room in {self.name}'s"
                f" {self.context_length}.",
            )
        if room < sampling.max_tokens:
            sampling = dataclasses.replace(sampling, max_tokens=room)
        seed = int(content_id("sample", sampling.seed, prompt), 16)
        return Row(prompt, sampling, Clock(seed))

    def _batches(self, rows: dict[int, Row]) -> Iterator[list[int]]:
        places = list(rows)
        window = WINDOW_BATCHES * self.batch_size
        for begin in range(0, len(places), window):
            near = sorted(places[begin : begin + window], key=lambda place: len(rows[place].prompt))
            for cut in range(0, len(near), self.batch_size):
                yield near[cut : cut + self.batch_size]

    def _decode(self, rows: list[Row]) -> None:
        try:
            decode(self.model, self.tokenizer, rows, self._ends)
        except torch.OutOfMemoryError as error:
            raise PrefkitError(
                f"{self.name}: {len(rows)} prompts of up to {max(len(r.prompt) for r in rows)}"
                " tokens do not fit into the memory of the GPU.",
                hint="Lower --batch-size.",
            ) from error

    def log_probabilities(
        self, prompts: Sequence[Messages], completions: Sequence[Messages]
    ) -> list[np.ndarray]:
        """Log-probability of every token of each completion given its prompt.

        Args:
            prompts: Conversations up to the answer.
            completions: One answer a prompt; a completion of several turns is scored whole.

        Returns:
            One float32 array a completion, natural logarithms, one value a token of its text and
            one for the end-of-turn token.
        """
        pairs = zip(prompts, completions, strict=True)
        return score(self.model, [Scored(*encode_pair(self.tokenizer, *pair)) for pair in pairs])

    def text_log_probabilities(
        self, texts: Sequence[str], *, window: int = LONGEST_WINDOW
    ) -> list[np.ndarray]:
        """Log-probability of every token of plain texts, the first one included.

        Long texts are scored in windows; each token counts once (see `scoring.windows`).

        Args:
            texts: Plain texts, no template.
            window: Most tokens looked at at once.

        Returns:
            One float32 array a text, natural logarithms, one value a token.
        """
        first = self.tokenizer.bos_token_id
        first = self.tokenizer.eos_token_id if first is None else first
        length = min(window, self.context_length)
        cuts = [windows(encode_text(self.tokenizer, text), first, length) for text in texts]
        scores = iter(score(self.model, [part for parts in cuts for part in parts]))
        empty = np.empty(0, np.float32)
        return [np.concatenate([empty, *(next(scores) for _ in parts)]) for parts in cuts]


def _spoken(name: str) -> str:
    if name == EMBEDDED:
        return EMBEDDED_NAME
    return Path(name).resolve().name if Path(name).is_dir() else name


def _spoken_adapter(folder: Path) -> str:
    folder = folder.resolve()
    return folder.parent.name if folder.name == "adapter" else folder.name


def _reply(row: Row) -> Reply:
    return Reply(
        row.text,
        row.finish_reason,
        prompt_tokens=len(row.prompt),
        completion_tokens=len(row.tokens),
    )
