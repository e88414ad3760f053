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

CUT_ALIKE = "same-within-max-length"


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
        used: The records behind `train`, in the same order.
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
        method: Decides the order: see `_beside_strangers`.
        config: `max_length`, batch size and seed.
        tokenize: Token ids of messages; the flag says whether the assistant's turn is left open.
    """
    most = config.max_length
    train = [(record, _measure(record, most, tokenize)) for record in selected.train]
    tested = [(record, _measure(record, most, tokenize)) for record in selected.held_out]
    dropped = [
        _drop(record, method, size.fault, f"{max(size.lengths)} tokens, max_length {most}")
        for record, size in train + tested
        if size.fault
    ]
    good = [(record, size) for record, size in train if not size.fault]
    if method.name == "kto":
        good, alone = _beside_strangers(good, config)
        dropped += [_drop(record, method, "alone-in-batch") for record, _ in alone]
    return Fitted(
        train=[as_row(record) for record, _ in good],
        held_out=[as_row(record) for record, size in tested if not size.fault],
        used=[record for record, _ in good],
        dropped=dropped,
        tokens=sum(min(length, most) for _, size in good for length in size.lengths),
        longest=max((length for _, size in train for length in size.lengths), default=0),
        cut=sum(max(size.lengths) > most for _, size in good),
        cut_alike=sum(size.fault == CUT_ALIKE for _, size in train),
    )


@dataclasses.dataclass(frozen=True)
class _Size:
    lengths: tuple[int, ...]  # tokens of each sequence, prompt included, uncut
    fault: str = ""


def _measure(record: Record, max_length: int, tokenize: Tokenize) -> _Size:
    prompt: tuple[Message, ...] = getattr(record, "prompt", ())
    sequences = [tokenize([*prompt, *turns], False) for turns in _completions(record)]
    lengths = tuple(len(sequence) for sequence in sequences)
    if len(tokenize(prompt, True)) >= max_length:
        return _Size(lengths, "prompt-fills-max-length")
    cut = {tuple(sequence[:max_length]) for sequence in sequences}
    return _Size(lengths, CUT_ALIKE if len(cut) < len(sequences) else "")


def _beside_strangers(
    rows: list[tuple[Record, _Size]], config: TrainConfig
) -> tuple[list[tuple[Record, _Size]], list[tuple[Record, _Size]]]:
    """Rows shuffled once, and the row that would be alone in the last batch.

    KTO estimates its KL term from each prompt with its neighbour's completion, so TRL keeps the
    order of the rows; answers to one prompt must not stay neighbours, and none may be alone.
    """
    shuffled = list(rows)
    random.Random(config.seed).shuffle(shuffled)
    alone = len(shuffled) > 1 and len(shuffled) % config.per_device_train_batch_size == 1
    return (shuffled[:-1], shuffled[-1:]) if alone else (shuffled, [])


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
