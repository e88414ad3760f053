"""The two sides of every comparison: one set of weights, the adapter on or off."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prefkit.chat import Reply, Request, open_model
from prefkit.records import Messages

if TYPE_CHECKING:
    from prefkit.local_model import LocalModel


LONGEST_TEXT = 512  # tokens whose full distributions are held at once: 100 MB at 49,152 words


class Arm:
    """A model under test, and only that: the adapter is set before every call.

    Attributes:
        name: As records name it.
        tokenizer: Of the base model, for judges that neutralise its special tokens.
    """

    structured = False

    def __init__(self, local: "LocalModel", name: str, *, adapted: bool) -> None:
        self._local = local
        self._adapted = adapted
        self.name = name
        self.device = local.device
        self.tokenizer = local.tokenizer

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply a request, in order."""
        return self._call(self._local.complete, requests)

    def log_probabilities(
        self, prompts: Sequence[Messages], completions: Sequence[Messages]
    ) -> list[np.ndarray]:
        """Natural log-probabilities of each completion's tokens, end of turn included."""
        return self._call(self._local.log_probabilities, prompts, completions)

    def continuations(self, contexts: Sequence[str], choices: Sequence[str]) -> list[float]:
        """Log-probability of each plain-text choice after its context, as lm-eval defines it.

        Context and choice are encoded together and split after the context's own tokens; spaces
        at the end of a context belong to the choice.
        """
        from prefkit.local_model.scoring import score

        scored = [self._pair(*pair) for pair in zip(contexts, choices, strict=True)]
        return [float(part.sum()) for part in self._call(score, self._local.model, scored)]

    def _pair(self, context: str, choice: str) -> Any:  # Scored, from a heavy module
        from prefkit.local_model.scoring import Scored
        from prefkit.local_model.templates import encode_text

        spaces = len(context) - len(context.rstrip())
        if spaces:
            context, choice = context[:-spaces], context[-spaces:] + choice
        start = len(encode_text(self.tokenizer, context))
        return Scored(encode_text(self.tokenizer, context + choice), start)

    def render(self, text: str) -> str:
        """A user turn as the chat template shows it, up to where the answer begins."""
        turns = [{"role": "user", "content": text}]
        return str(
            self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        )

    def distributions(self, text: str) -> tuple[Any, Any]:  # tensors, from a heavy module
        """Log-probabilities over the vocabulary at every token of a text, and the tokens' ids.

        Returns:
            float32 (tokens, vocabulary) and int64 (tokens,); of a long text its first 512 tokens.
        """
        import torch

        from prefkit.local_model.templates import encode_text

        first = self.tokenizer.bos_token_id
        first = self.tokenizer.eos_token_id if first is None else first
        tokens = encode_text(self.tokenizer, text)[:LONGEST_TEXT]
        ids = torch.tensor([[first, *tokens]], device=self.device)
        with torch.inference_mode():
            logits = self._call(self._local.model, input_ids=ids, use_cache=False).logits
            return logits[0, :-1].float().log_softmax(-1), ids[0, 1:]

    def _call(self, function: Any, *values: Any, **named: Any) -> Any:  # passes through
        if self._adapted:
            return function(*values, **named)
        with self._local.base():
            return function(*values, **named)


@dataclasses.dataclass(frozen=True)
class Arms:
    """Base and tuned model over one set of weights.

    Attributes:
        base: The adapter switched off.
        tuned: The adapter switched on.
        local: The loaded model.
    """

    base: Arm
    tuned: Arm
    local: "LocalModel"

    @classmethod
    def load(
        cls, model: str, adapter: Path, *, batch_size: int = 8, load_in_4bit: bool = False
    ) -> "Arms":
        """Load the weights once.

        Raises:
            PrefkitError: The model or adapter does not exist, or they do not fit each other.
        """
        local: Any = open_model(  # a LocalModel, for it has an adapter
            model, adapter=adapter, batch_size=batch_size, load_in_4bit=load_in_4bit
        )
        base_name = local.name.rpartition("+")[0] or local.name
        return cls(
            Arm(local, base_name, adapted=False), Arm(local, local.name, adapted=True), local
        )

    def weights(self) -> "AdapterWeights":
        """What the adapter adds to the model."""
        import torch

        count, total, largest_b = 0, 0.0, 0.0
        tensors = 0
        with torch.inference_mode():
            for name, value in self.local.model.named_parameters():
                if "lora_" not in name and "modules_to_save" not in name:
                    continue
                norm = float(value.float().norm())
                tensors, count, total = tensors + 1, count + value.numel(), total + norm**2
                if "lora_B" in name or "lora_embedding_B" in name:
                    largest_b = max(largest_b, norm)
        return AdapterWeights(tensors, count, total**0.5, largest_b)


@dataclasses.dataclass(frozen=True)
class AdapterWeights:
    """Size of an adapter: tensors, numbers, Euclidean norm, largest norm of a B matrix."""

    tensors: int
    numbers: int
    norm: float
    largest_b: float


def adapter_settings(folder: Path) -> dict[str, Any]:  # peft's adapter_config.json
    """`adapter_config.json` of an adapter."""
    return json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))


def tokenizer_difference(local_tokenizer: Any, folder: Path) -> str | None:  # a tokenizer
    """How the tokenizer saved with an adapter differs from the base's.

    Returns:
        Empty when they are the same, None when the adapter carries none.
    """
    if not (folder / "tokenizer_config.json").is_file():
        return None
    from transformers import AutoTokenizer

    saved: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if saved.get_vocab() != local_tokenizer.get_vocab():
        return "the vocabulary differs"
    if (saved.chat_template or "") != (local_tokenizer.chat_template or ""):
        return "the chat template differs"
    probe = "Two words, 12 digits.\n\tÄpfel 漢字"
    if saved(probe)["input_ids"] != local_tokenizer(probe)["input_ids"]:
        return "the same text becomes other tokens"
    return ""
