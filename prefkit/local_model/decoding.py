"""Write completions token by token, several prompts at a time.

Every row draws from its own generator, so a completion depends on its prompt, its sampling and
its seed, not on the rows beside it (up to rounding: see `LocalModel.complete`).
"""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from prefkit.chat import Sampling

SOONEST = 2.0**-24  # numpy's float32 exponential is 0 about once in 2**23 draws; 0 / 0 would win
LEAST_SHARED = 16  # tokens of a common beginning, such as the examples in a prompt
NUCLEUS = 256  # tokens looked at first for top_p; a full sort of 49,152 costs 20 times as much


@dataclasses.dataclass
class Row:
    """One completion being written.

    Attributes:
        prompt: Token ids of the prompt.
        sampling: How to draw.
        clock: Its source of chance.
        tokens: What was written so far, without the end-of-turn token.
        text: The completion, once finished.
        finish_reason: `stop` or `length`; empty while it is being written.
    """

    prompt: list[int]
    sampling: Sampling
    clock: "Clock"
    tokens: list[int] = dataclasses.field(default_factory=list)
    text: str = ""
    finish_reason: str = ""


@torch.inference_mode()
def decode(
    model: Any,  # PreTrainedModel or PeftModel; its call returns logits and a cache
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    ends: Collection[int],
) -> None:
    """Finish all `rows`, in place.

    What all prompts begin with is read once. The rest is padded on the left. When half of the rows
    are done, the others go on without them.

    Args:
        model: A causal language model.
        tokenizer: Its tokenizer.
        rows: The batch.
        ends: Token ids that end a turn.
    """
    shared = shared_beginning(rows) if sees_everything(model) else 0
    width = max(len(row.prompt) for row in rows) - shared
    pads = [width - len(row.prompt) + shared for row in rows]
    padded = [
        [tokenizer.pad_token_id] * pad + row.prompt[shared:]
        for pad, row in zip(pads, rows, strict=True)
    ]
    masks = [[1] * shared + [0] * pad + [1] * (width - pad) for pad in pads]
    step = torch.tensor(padded, device=model.device)
    mask = torch.tensor(masks, device=model.device)
    position = (mask.cumsum(-1) - 1).clamp(min=0)[:, shared:]
    active, cache = list(rows), None
    if shared:
        beginning = torch.tensor([rows[0].prompt[:shared]], device=model.device)
        cache = model(input_ids=beginning, use_cache=True, logits_to_keep=1).past_key_values
        cache.batch_repeat_interleave(len(rows))
    while True:
        out = model(
            input_ids=step,
            attention_mask=mask,
            position_ids=position,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = out.past_key_values
        chosen = choose(out.logits[:, -1].float(), active)
        for row, token in zip(active, chosen.tolist(), strict=True):
            if not row.finish_reason:
                _append(row, token, tokenizer, ends)
        alive = [place for place, row in enumerate(active) if not row.finish_reason]
        if not alive:
            return
        step, position = chosen[:, None], position[:, -1:] + 1
        if 2 * len(alive) <= len(active):
            keep = torch.tensor(alive, device=model.device)
            active = [active[place] for place in alive]
            cache.batch_select_indices(keep)
            step, position, mask = step[keep], position[keep], mask[keep]
        mask = torch.cat([mask, mask.new_ones(len(active), 1)], dim=1)


def shared_beginning(rows: Sequence[Row]) -> int:
    """How many tokens all prompts begin with; 0 when too few to be worth a pass of their own.

    At least one token of every prompt is left, for its logits are wanted.
    """
    first, last = (pick(row.prompt for row in rows) for pick in (min, max))
    most = min(len(row.prompt) for row in rows) - 1
    same = next((i for i in range(most) if first[i] != last[i]), most)
    return same if len(rows) > 1 and same >= LEAST_SHARED else 0


def sees_everything(model: Any) -> bool:  # PreTrainedModel or PeftModel
    """Whether every layer attends to all tokens and so can skip padding between the parts."""
    config = model.config.get_text_config()
    layers = getattr(config, "layer_types", None)
    if layers is not None:
        return set(layers) == {"full_attention"}
    return getattr(config, "sliding_window", None) is None


def choose(logits: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """The next token of every row.

    Temperature 0 takes the likeliest. Otherwise the tokens race: each is given the time of an
    exponential clock whose rate is its probability, and the first wins, which is an exact sample
    (the Gumbel-max trick without logarithms, arXiv 2110.01515). Only the nucleus takes part: the
    likeliest tokens that together reach `top_p` (arXiv 1904.09751).

    Rounding tips a race far more seldom than it tips a draw from the cumulated probabilities: with
    logits off by 1e-5, 0 against 8 of 3,840 draws.

    Args:
        logits: float32, (rows, vocabulary).
        rows: Whose sampling and clocks to use.

    Returns:
        int64, (rows,).
    """
    chosen = logits.argmax(-1)
    drawn = [place for place, row in enumerate(rows) if row.sampling.temperature > 0]
    if drawn:
        settings = [rows[place].sampling for place in drawn]
        scaled = logits[drawn] / logits.new_tensor([[s.temperature] for s in settings])
        probabilities = scaled.softmax(-1)
        top_p = logits.new_tensor([[s.top_p] for s in settings])
        if (top_p < 1).any():
            probabilities *= probabilities >= _least_kept(probabilities, top_p)
        clocks = [rows[place].clock for place in drawn]
        times = _times(clocks, probabilities).clamp(min=SOONEST)
        chosen[drawn] = (probabilities / times).argmax(-1)
    return chosen


def _times(clocks: Sequence["Clock"], like: torch.Tensor) -> torch.Tensor:
    if like.device.type == "cpu":
        times = np.empty(like.shape, np.float32)
        for row, clock in zip(times, clocks, strict=True):
            clock.tick(row)
        return torch.from_numpy(times)
    return torch.stack([clock.tick_on(like.device, like.shape[-1]) for clock in clocks])


class Clock:
    """Exponential times, one a token and step, that depend on nothing but a seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        # Four times as fast as torch's generator on a CPU, and half as fast on a GPU.
        self._numpy = np.random.Generator(np.random.SFC64(seed))
        self._torch: torch.Generator | None = None

    def tick(self, times: np.ndarray) -> None:
        """Fill a float32 row on the CPU."""
        self._numpy.standard_exponential(dtype=np.float32, out=times)

    def tick_on(self, device: torch.device, size: int) -> torch.Tensor:
        """A float32 row on another device, from that device's own generator."""
        if self._torch is None:
            self._torch = torch.Generator(device).manual_seed(self._seed)
        return torch.empty(size, device=device).exponential_(generator=self._torch)


def _least_kept(probabilities: torch.Tensor, top_p: torch.Tensor) -> torch.Tensor:
    """Smallest probability inside each row's nucleus; (rows, 1). Zero where `top_p` is 1."""
    size, wanted = min(NUCLEUS, probabilities.shape[-1]), top_p.clamp(max=1.0)
    while True:
        top = probabilities.topk(size).values
        before = top.cumsum(-1) - top
        inside = before < wanted
        if size == probabilities.shape[-1] or not inside[:, -1][top_p[:, 0] < 1].any():
            break
        size = min(8 * size, probabilities.shape[-1])
    least = torch.where(inside, top, torch.inf).amin(-1, keepdim=True)
    return torch.where(top_p < 1, least, torch.zeros_like(least))


def _append(
    row: Row, token: int, tokenizer: PreTrainedTokenizerBase, ends: Collection[int]
) -> None:
    if token in ends:
        _finish(row, tokenizer, "stop")
        return
    row.tokens.append(token)
    if row.sampling.stop:
        text = _text(row, tokenizer)
        places = [text.find(stop) for stop in row.sampling.stop if stop in text]
        if places:
            row.text, row.finish_reason = text[: min(places)], "stop"
            return
    if len(row.tokens) >= row.sampling.max_tokens:
        _finish(row, tokenizer, "length")


def _finish(row: Row, tokenizer: PreTrainedTokenizerBase, reason: str) -> None:
    row.text, row.finish_reason = _text(row, tokenizer), reason


def _text(row: Row, tokenizer: PreTrainedTokenizerBase) -> str:
    text = tokenizer.decode(row.tokens, skip_special_tokens=True)
    return text if isinstance(text, str) else "".join(text)
