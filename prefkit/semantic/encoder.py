"""Encoders of transformers, pooled as their maker says, in this process."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from prefkit.errors import PrefkitError
from prefkit.local_model.loading import without_bars
from prefkit.semantic.embedders import unit_rows

BATCH_TOKENS: Final = 4096  # a batch is as many texts of like length as hold so many tokens
LONGEST: Final = 512  # tokens, where neither model nor tokenizer says how many it can read
MODULES: Final = ("Transformer", "Pooling", "Normalize")


class Encoder:
    """A sentence-transformers or transformers encoder; see `embedders.Embedder`.

    Texts are padded to the longest of their batch, and batches are made of texts of like length,
    so that little is computed for nothing. Everything is computed in fp32.

    Attributes:
        name: What the user calls it.
        digest: SHA-256 of its files.
        whole: False: a text's vector does not depend on the others of the call.
        limit: Tokens of a text that it reads.
        cut: Texts so far that were longer.
    """

    whole = False

    def __init__(self, name: str, folder: Path, digest: str) -> None:
        """Load it; `folder` holds config, weights and tokenizer.

        Raises:
            PrefkitError: It is no encoder, or its maker asks for modules that are not known here.
        """
        self.name = name
        self.digest = digest
        self.cut = 0
        _refuse_modules(folder, name)
        self._first_token = _pools_first_token(folder, name)
        inner = folder if (folder / "config.json").is_file() else folder / "0_Transformer"
        try:
            with without_bars():
                self._tokenizer: Any = AutoTokenizer.from_pretrained(inner, local_files_only=True)
                self._model: Any = AutoModel.from_pretrained(
                    inner, local_files_only=True, dtype=torch.float32
                )
        except (OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:300]
            raise PrefkitError(
                f"{name}: {folder} holds no encoder that transformers can load: {reason}",
                hint="Give a folder with config.json, weights as safetensors, and a tokenizer.",
            ) from error
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model.eval().to(self._device)
        self.limit = _limit(folder, self._model.config, self._tokenizer)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.encode`."""
        whole = self._tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
        self.cut += sum(len(ids) > self.limit for ids in whole)
        lengths = np.array([min(len(ids), self.limit) for ids in whole], np.int64)
        order = np.argsort(lengths, kind="stable")
        rows = np.empty((len(texts), self._model.config.hidden_size), np.float32)
        begin = 0
        while begin < len(order):
            size = max(1, BATCH_TOKENS // max(1, int(lengths[order[begin]])))
            batch = order[begin : begin + size]
            rows[batch] = self._pooled([texts[at] for at in batch.tolist()])
            begin += size
        return unit_rows(rows, self.name, len(texts))

    def _pooled(self, texts: list[str]) -> NDArray[np.float32]:
        asked = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self.limit, return_tensors="pt"
        ).to(self._device)
        with torch.inference_mode():
            hidden = self._model(**asked).last_hidden_state
            if self._first_token:
                pooled = hidden[:, 0]
            else:
                mask = asked["attention_mask"].unsqueeze(-1).to(hidden.dtype)
                pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return pooled.float().cpu().numpy()


def _refuse_modules(folder: Path, name: str) -> None:
    """Some models end in layers of sentence-transformers' own; without them vectors are wrong."""
    for module in _json(folder / "modules.json", []):
        kind = str(module.get("type", "")).rpartition(".")[2]
        if kind not in MODULES:
            raise PrefkitError(
                f"{name}: it has a module `{kind}`, which only sentence-transformers runs.",
                hint="Wrap it in a function of yours, and name it python:MODULE:FUNCTION.",
            )
    prompts = _json(folder / "config_sentence_transformers.json", {})
    if prompts.get("default_prompt_name"):
        raise PrefkitError(
            f"{name}: it wants a prompt before every text ({prompts['default_prompt_name']}).",
            hint="Wrap it in a function of yours, and name it python:MODULE:FUNCTION.",
        )


def _pools_first_token(folder: Path, name: str) -> bool:
    pooling = _json(folder / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True})
    modes = {mode for mode, on in pooling.items() if mode.startswith("pooling_mode") and on is True}
    modes |= {f"pooling_mode_{pooling['pooling_mode']}"} if "pooling_mode" in pooling else set()
    if modes in ({"pooling_mode_mean_tokens"}, {"pooling_mode_mean"}):
        return False
    if modes in ({"pooling_mode_cls_token"}, {"pooling_mode_cls"}):
        return True
    raise PrefkitError(
        f"{name}: it pools by {', '.join(sorted(modes)) or 'nothing'}, not by mean or cls.",
        hint="Wrap it in a function of yours, and name it python:MODULE:FUNCTION.",
    )


def _limit(folder: Path, config: Any, tokenizer: Any) -> int:  # of transformers
    said = _json(folder / "sentence_bert_config.json", {}).get("max_seq_length")
    able = getattr(config, "max_position_embeddings", LONGEST)
    known = [int(value) for value in (said, able, tokenizer.model_max_length) if value]
    return min(known, default=LONGEST)


def _json(path: Path, default: Any) -> Any:  # a JSON value
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default
    except (OSError, ValueError) as error:
        raise PrefkitError(f"{path}: cannot be read: {error}") from error
