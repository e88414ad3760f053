"""Ask a judge which of two completions is better: both orders, always.

Two ways to hear a verdict. Of a local model, the probability that its whole reply is each label is
computed, and the likeliest label is the verdict: a forced choice, as multiple-choice benchmarks
score one, with the expected value among the labels as a finer score (G-Eval, arXiv 2303.16634). How
much probability the labels hold together is kept as `label_mass`: a model that would rather say
something else has little of it. Any other model replies in text, and the last line is read. What
cannot be read is unscored, never a tie.
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any, Literal

from prefkit.chat import ChatModel, Reply, Request, Sampling
from prefkit.judging.cards import JudgeCard
from prefkit.judging.judge import read_reply, shown
from prefkit.records import Messages, Verdict, assistant, text_of

Winner = Literal["a", "b", "tie"]
VALUE: dict[str, float] = {"a": 1.0, "tie": 0.5, "b": 0.0}
IDENTICAL = "identical answers: a tie without asking"


@dataclasses.dataclass(frozen=True)
class PairItem:
    """Two completions of one prompt.

    Attributes:
        sample_id: Names the pair in verdicts.
        prompt: The conversation both complete.
        a: One completion.
        b: The other.
        reference: The grounded answer, for judges that need it.
        passage: The source text, for judges that need it.
    """

    sample_id: str
    prompt: Messages
    a: Messages
    b: Messages
    reference: str = ""
    passage: str = ""


@dataclasses.dataclass(frozen=True)
class PairVerdict:
    """What a judge said of a pair in both orders.

    Attributes:
        item: The pair.
        verdicts: As given (a first), and swapped (b first); winners in a, b terms.
        outcome: 1 when a wins in both orders, 0 when b does, 0.5 for a tie or a flip; None when
            either order is unscored, because one order alone may be the slot speaking.
        flipped: The two orders disagree.
    """

    item: PairItem
    verdicts: tuple[Verdict, Verdict]
    outcome: float | None
    flipped: bool

    @property
    def identical(self) -> bool:
        """Whether the answers were the same, so that nobody was asked."""
        return all(verdict.raw == IDENTICAL for verdict in self.verdicts)

    @property
    def first_slot(self) -> int:
        """How many of the two calls chose the answer shown first."""
        return sum(v.winner == ("b" if v.swapped else "a") for v in self.verdicts)

    @property
    def preference(self) -> float | None:
        """Mean score of a over both orders, on 0..1: finer than `outcome` with probabilities."""
        scores = [
            VALUE[verdict.winner] if verdict.score is None else verdict.score
            for verdict in self.verdicts
            if verdict.winner is not None
        ]
        return sum(scores) / 2 if len(scores) == 2 else None


def normalised(messages: Messages) -> str:
    """A completion without case and spacing: equal means the same answer."""
    return " ".join(text_of(messages).split()).casefold()


def compare(
    judge: JudgeCard, model: ChatModel | None, items: Sequence[PairItem]
) -> list[PairVerdict]:
    """Verdicts on pairs, each in both orders.

    Args:
        judge: From `load_judge`.
        model: Who plays the judge; None only for a judge written in Python.
        items: The pairs. The same answer twice is a tie without a call.

    Returns:
        One PairVerdict an item, in order.
    """
    asked = [item for item in items if normalised(item.a) != normalised(item.b)]
    verdicts = iter(ask(judge, model, [(item, swap) for item in asked for swap in (False, True)]))
    return [
        decided(item, (next(verdicts), next(verdicts)))
        if normalised(item.a) != normalised(item.b)
        else decided(item, _same(judge, model, item))
        for item in items
    ]


def decided(item: PairItem, verdicts: tuple[Verdict, Verdict]) -> PairVerdict:
    """Combine the verdicts of both orders."""
    first, second = verdicts
    if first.winner is None or second.winner is None:
        return PairVerdict(item, verdicts, None, flipped=False)
    if first.winner != second.winner:
        return PairVerdict(item, verdicts, VALUE["tie"], flipped=True)
    return PairVerdict(item, verdicts, VALUE[first.winner], flipped=False)


def ask(
    judge: JudgeCard, model: ChatModel | None, questions: Sequence[tuple[PairItem, bool]]
) -> list[Verdict]:
    """One verdict a (pair, swapped), without the shortcut for identical answers."""
    if not questions:
        return []
    if judge.code is not None:
        return [_from_code(judge, item, swapped) for item, swapped in questions]
    if model is None:
        raise ValueError(f"judge {judge.name} needs a model to play it")
    marks = getattr(getattr(model, "tokenizer", None), "all_special_tokens", ())
    prompts = [
        shown(
            judge,
            item.prompt,
            *((item.b, item.a) if swapped else (item.a, item.b)),
            reference=item.reference,
            passage=item.passage,
            special_tokens=marks,
        )
        for item, swapped in questions
    ]
    if hasattr(model, "log_probabilities"):
        return _by_probability(judge, model, questions, prompts)
    sampling = Sampling(temperature=0.0, max_tokens=judge.max_tokens)
    replies = model.complete([Request(prompt, sampling) for prompt in prompts])
    return [
        _from_reply(judge, model, item, swapped, reply)
        for (item, swapped), reply in zip(questions, replies, strict=True)
    ]


def _winner(index: int, swapped: bool) -> Winner:
    if index == 2:
        return "tie"
    return "b" if (index == 1) != swapped else "a"


def _verdict(judge: JudgeCard, item: PairItem, swapped: bool, **fields: Any) -> Verdict:
    winner = fields.get("winner")
    return Verdict(
        sample_id=item.sample_id,
        judge=judge.name,
        judge_sha256=judge.sha256,
        swapped=swapped,
        status="unscored" if winner is None else "scored",
        **fields,
    )


def _same(judge: JudgeCard, model: ChatModel | None, item: PairItem) -> tuple[Verdict, Verdict]:
    name = model.name if model else ""
    fields: dict[str, Any] = {"winner": "tie", "raw": IDENTICAL, "model": name, "usd": 0.0}
    return _verdict(judge, item, False, **fields), _verdict(judge, item, True, **fields)


def _from_reply(
    judge: JudgeCard, model: ChatModel, item: PairItem, swapped: bool, reply: Reply
) -> Verdict:
    label, reason = None, ""
    if reply.error:
        reason = f"the request failed: {reply.error}"
    elif reply.finish_reason == "length":
        reason = f"cut off after {judge.max_tokens} tokens"
    else:
        label = read_reply(reply.text, judge.labels)
        reason = "" if label is not None else "the last line is not one of the labels"
    return _verdict(
        judge,
        item,
        swapped,
        winner=None if label is None else _winner(label, swapped),
        raw=reply.text,
        model=model.name,
        tokens=reply.prompt_tokens + reply.completion_tokens,
        usd=reply.usd,
        metadata={"reason": reason} if reason else {},
    )


def _by_probability(
    judge: JudgeCard,
    model: Any,  # a ChatModel that also has log_probabilities
    questions: Sequence[tuple[PairItem, bool]],
    prompts: Sequence[Messages],
) -> list[Verdict]:
    labels = [assistant(label) for label in judge.labels]
    scored = model.log_probabilities(
        [prompt for prompt in prompts for _ in labels], [label for _ in prompts for label in labels]
    )
    logs = [float(values.sum()) for values in scored]
    return [
        _from_logs(judge, model.name, item, swapped, logs[start : start + len(labels)])
        for (item, swapped), start in zip(questions, range(0, len(logs), len(labels)), strict=True)
    ]


def _from_logs(
    judge: JudgeCard, name: str, item: PairItem, swapped: bool, logs: Sequence[float]
) -> Verdict:
    """The likeliest label; `score` is the expected value of a among the labels."""
    seen = {label: float(f"{math.exp(x):.4g}") for label, x in zip(judge.labels, logs, strict=True)}
    raw, top = json.dumps({"label_probabilities": seen}), max(logs)
    if not all(x <= 0 for x in logs) or top == -math.inf:  # NaN too
        reason = {"reason": "the labels have no probabilities"}
        return _verdict(judge, item, swapped, raw=raw, model=name, metadata=reason)
    weights = [math.exp(x - top) for x in logs]
    first = (weights[0] + sum(weights[2:]) / 2) / sum(weights)
    return _verdict(
        judge,
        item,
        swapped,
        winner=_winner(logs.index(top), swapped),
        score=round(1 - first if swapped else first, 6),
        raw=raw,
        model=name,
        usd=0.0,
        metadata={"label_mass": f"{sum(math.exp(x) for x in logs):.4g}"},
    )


def _from_code(judge: JudgeCard, item: PairItem, swapped: bool) -> Verdict:
    first, second = (item.b, item.a) if swapped else (item.a, item.b)
    try:
        more = {} if judge.needs == "nothing" else {judge.needs: getattr(item, judge.needs)}
        said = judge.code.compare(item.prompt, first, second, **more)
    except Exception as error:  # one failed call must not stop its neighbours; it is counted
        raw = f"{type(error).__name__}: {error}"
        return _verdict(judge, item, swapped, raw=raw, metadata={"reason": "the judge raised"})
    fields: dict[str, Any] = {"raw": "" if said is None else str(said)}
    winner = said
    if isinstance(said, Verdict):
        fields = said.model_dump(include={"raw", "model", "tokens", "usd", "metadata"})
        winner = said.winner
    if winner not in VALUE:
        notes = {"reason": "the judge gave no verdict", **fields.pop("metadata", {})}
        return _verdict(judge, item, swapped, metadata=notes, **fields)
    index = ("a", "b", "tie").index(winner)
    return _verdict(judge, item, swapped, winner=_winner(index, swapped), **fields)
