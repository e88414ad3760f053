"""What is trained on: rows chosen from records, dropped with a reason, as TRL reads them."""

import dataclasses
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prefkit.config import TrainConfig
from prefkit.pairs.check import check_pairs
from prefkit.records import (
    Dropped,
    Example,
    Message,
    PreferencePair,
    Record,
    UnpairedPreference,
    assistant,
    text_of,
)
from prefkit.training.methods import Method

Row = dict[str, Any]  # one row of a TRL dataset: messages, and a label for KTO
Tokenize = Callable[[Sequence[Message], bool], list[int]]  # messages, whether the answer is open
CHARACTERS_A_TOKEN = 4  # of English text, to guess with before a tokenizer is loaded
TEMPLATE_TOKENS = 30  # a turn's marks and a default system prompt, likewise


@dataclasses.dataclass(frozen=True)
class Selected:
    """Records to train on and to hold out.

    Attributes:
        train: In the order of the source.
        held_out: Its test split; measured before and after, never trained on.
        dropped: What may be used for neither, with reasons.
    """

    train: tuple[Record, ...]
    held_out: tuple[Record, ...] = ()
    dropped: tuple[Dropped, ...] = ()


@dataclasses.dataclass(frozen=True)
class Fitted:
    """Rows for TRL, and how they fit into `max_length` tokens.

    Attributes:
        train: Rows in training order.
        held_out: Rows in the order of the source.
        used: The records behind `train`, in the order of the source.
        dropped: Rows that cannot teach within `max_length`, with reasons.
        tokens: Tokens of all training rows, prompts counted once a completion.
        longest: Most tokens of one sequence, uncut.
        cut: Training rows with a sequence longer than `max_length`.
        cut_alike: Pairs whose completions differ only beyond `max_length`.
    """

    train: list[Row]
    held_out: list[Row]
    used: list[Record]
    dropped: list[Dropped]
    tokens: int
    longest: int
    cut: int
    cut_alike: int


def select(records: Iterable[Record], method: Method, config: TrainConfig) -> Selected:
    """Part records into train and held-out, and drop what teaches nothing or leaks.

    A held-out row whose prompt is trained on is dropped: it would measure memory.
    """
    dropped: list[Dropped] = []
    kept = _checked(list(records), method, dropped)
    train = [r for r in kept if _split(r) == "train"][: config.limit]
    prompts = {_prompt(record) for record in train}
    held_out = []
    for record in (r for r in kept if _split(r) == "test"):
        if _prompt(record) in prompts:
            dropped.append(_drop(record, method, "prompt-also-in-train"))
        else:
            held_out.append(record)
    most = min(config.max_held_out, config.limit or config.max_held_out)
    return Selected(tuple(train), tuple(held_out[:most]), tuple(dropped))


def _checked(records: list[Record], method: Method, dropped: list[Dropped]) -> list[Record]:
    if method.record is PreferencePair:
        pairs = [record for record in records if isinstance(record, PreferencePair)]
        checked = check_pairs(pairs, method.stage)
        dropped += checked.dropped
        return list(checked.kept)
    kept: dict[str, Record] = {}
    for record in records:
        if record.id in kept:
            dropped.append(_drop(record, method, "repeated-row"))
        else:
            kept[record.id] = record
    return list(kept.values())


def _split(record: Record) -> str:
    return getattr(record, "split", None) or "train"


def _prompt(record: Record) -> str:
    return text_of(getattr(record, "prompt", ()))


def _drop(record: Record, method: Method, rule: str, detail: str = "") -> Dropped:
    return Dropped(record_id=record.id, stage=method.stage, rule=rule, detail=detail)


def as_row(record: Record) -> Row:
    """A record as a conversational row of TRL's format for its kind."""
    if isinstance(record, Example):
        return {"prompt": _turns(record.prompt), "completion": _turns(assistant(record.reference))}
    if isinstance(record, PreferencePair):
        return {side: _turns(getattr(record, side)) for side in ("prompt", "chosen", "rejected")}
    if isinstance(record, UnpairedPreference):
        completion = _turns(record.completion)
        return {
            "prompt": _turns(record.prompt),
            "completion": completion,
            "label": record.label,
        }
    raise TypeError(f"{type(record).__name__} records are not trained on")


def _turns(messages: Iterable[Message]) -> list[Row]:
    return [message.model_dump() for message in messages]


def fit(selected: Selected, method: Method, config: TrainConfig, tokenize: Tokenize) -> Fitted:
    """Measure every row in tokens, drop what `max_length` leaves without a lesson, and order.

    TRL cuts the end of a sequence that is too long. A row whose prompt alone fills the space has
    nothing left to learn, and a pair that differs only beyond the cut has no gradient.

    Args:
        selected: What `select` made.
        method: Decides the order: KTO pairs each row with its neighbours' completions to estimate
            its KL term, so TRL keeps the order of the rows and we shuffle them once.
        config: `max_length`, batch size and seed.
        tokenize: Token ids of messages; the flag says whether the assistant's turn is left open.
    """
    used: list[Record] = []
    dropped: list[Dropped] = []
    tokens = longest = cut = cut_alike = 0
    for record in selected.train:
        measured = _measure(record, config.max_length, tokenize)
        longest = max(longest, *measured.lengths)
        cut_alike += measured.fault == "same-within-max-length"
        if measured.fault:
            detail = f"{max(measured.lengths)} tokens, max_length {config.max_length}"
            dropped.append(_drop(record, method, measured.fault, detail))
            continue
        used.append(record)
        tokens += sum(min(length, config.max_length) for length in measured.lengths)
        cut += max(measured.lengths) > config.max_length
    held_out = []
    for record in selected.held_out:
        fault = _measure(record, config.max_length, tokenize).fault
        if fault:
            dropped.append(_drop(record, method, fault, "held out"))
        else:
            held_out.append(as_row(record))
    ordered = list(used)
    if method.name == "kto":
        random.Random(config.seed).shuffle(ordered)
        if len(ordered) % config.per_device_train_batch_size == 1 and len(ordered) > 1:
            alone = ordered.pop()
            used.remove(alone)
            dropped.append(_drop(alone, method, "alone-in-batch", "no neighbour to estimate KL"))
    rows = [as_row(record) for record in ordered]
    return Fitted(rows, held_out, used, dropped, tokens, longest, cut, cut_alike)


@dataclasses.dataclass(frozen=True)
class _Measured:
    lengths: tuple[int, ...]  # tokens of each sequence, prompt included, uncut
    fault: str = ""


def _measure(record: Record, max_length: int, tokenize: Tokenize) -> _Measured:
    row = _completions(record)
    prompt: tuple[Message, ...] = getattr(record, "prompt", ())
    opened = len(tokenize(prompt, True))
    sequences = [tokenize([*prompt, *completion], False) for completion in row]
    lengths = tuple(len(sequence) for sequence in sequences)
    if opened >= max_length:
        return _Measured(lengths, "prompt-fills-max-length")
    cut = [tuple(sequence[:max_length]) for sequence in sequences]
    if len(cut) == 2 and cut[0] == cut[1]:
        return _Measured(lengths, "same-within-max-length")
    return _Measured(lengths)


def _completions(record: Record) -> list[tuple[Message, ...]]:
    if isinstance(record, Example):
        return [assistant(record.reference)]
    if isinstance(record, PreferencePair):
        return [record.chosen, record.rejected]
    return [getattr(record, "completion", ())]


def guess_tokens(records: Iterable[Record]) -> int:
    """Roughly how many tokens training reads once, before a tokenizer is loaded."""
    total = 0
    for record in records:
        prompt = len(_prompt(record)) // CHARACTERS_A_TOKEN + TEMPLATE_TOKENS
        for completion in _completions(record):
            total += prompt + len(text_of(completion)) // CHARACTERS_A_TOKEN
    return total
