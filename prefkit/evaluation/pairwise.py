"""Stage 3: an LLM judge compares tuned with base in both orders, and is itself judged."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from prefkit.chat import ChatModel
from prefkit.evaluation.results import Item, Number, number
from prefkit.evaluation.statistics import Estimate, bootstrap, wilson
from prefkit.judging import JudgeCard, PairItem, PairVerdict, compare
from prefkit.records import Verdict, content_id, text_of

Note = Literal["win", "loss", "tie", "flip", "identical", "unscored"]


@dataclasses.dataclass(frozen=True)
class Judged:
    """What the judge said of one item; `a` is the tuned model's completion.

    Attributes:
        id: The Example's id.
        outcome: 1 tuned wins in both orders, 0 base does, 0.5 tie or flip, None unscored.
        note: The outcome in a word.
        first: How many calls chose the answer that was shown first.
        chose: How many calls chose one answer over the other.
        longer: 1 when the winner is the longer answer, 0 the shorter, None when neither.
    """

    id: str
    outcome: float | None
    note: Note
    first: int
    chose: int
    longer: int | None


def pick(items: Sequence[Item], most: int, seed: int) -> list[Item]:
    """A random sample of items that does not change when others are added to its end."""
    return sorted(items, key=lambda item: content_id("judge", seed, item.id))[:most]


def pair_item(item: Item, passages: Mapping[str, str]) -> PairItem:
    """An item as judges take it."""
    return PairItem(
        sample_id=item.id,
        prompt=item.prompt,
        a=item.tuned.completion,
        b=item.base.completion,
        reference=item.reference,
        passage=passages.get(item.id, ""),
    )


def measure(
    judge: JudgeCard, model: ChatModel | None, items: Sequence[Item], passages: Mapping[str, str]
) -> tuple[list[Judged], list[Verdict]]:
    """Judge a batch of items in both orders."""
    compared = compare(judge, model, [pair_item(item, passages) for item in items])
    judged = [_judged(item, pair) for item, pair in zip(items, compared, strict=True)]
    return judged, [verdict for pair in compared for verdict in pair.verdicts]


def _judged(item: Item, pair: PairVerdict) -> Judged:
    decided = [] if pair.identical else [v for v in pair.verdicts if v.winner in ("a", "b")]
    first = sum((verdict.winner == "b") == verdict.swapped for verdict in decided)
    lengths = [len(text_of(answer.completion)) for answer in (item.base, item.tuned)]
    longer = None
    if pair.outcome in (0.0, 1.0) and lengths[0] != lengths[1]:
        longer = int((lengths[1] > lengths[0]) == (pair.outcome == 1.0))
    return Judged(item.id, pair.outcome, _note(pair), first, len(decided), longer)


def _note(pair: PairVerdict) -> Note:
    if pair.outcome is None:
        return "unscored"
    if pair.identical:
        return "identical"
    if pair.flipped:
        return "flip"
    notes: dict[float, Note] = {1.0: "win", 0.0: "loss"}
    return notes.get(pair.outcome, "tie")


def summarise(judged: Sequence[Judged], seed: int) -> list[Number]:
    """Win rate with both intervals, and what shows whether the judge can be believed."""
    if not judged:
        return []
    outcomes = [j.outcome for j in judged if j.outcome is not None]
    asked = [j for j in judged if j.note not in ("identical", "unscored")]
    unscored = sum(j.note == "unscored" for j in judged)
    flips = sum(j.note == "flip" for j in asked)
    ties = sum(outcome == 0.5 for outcome in outcomes)
    chose, first = sum(j.chose for j in judged), sum(j.first for j in judged)
    longer = [j.longer for j in judged if j.longer is not None]
    win = bootstrap(outcomes, seed=seed)
    credit = sum(outcomes)
    n = len(judged)
    bounds = Estimate(
        credit / len(outcomes) if outcomes else math.nan,
        n,
        credit / n,
        (credit + unscored) / n,
        "bounds: every unscored pair lost, or won",
    )
    return [
        _share("judge.pairs", "Pairs shown", Estimate(float(n), n), "pairs", percent=False),
        _share("judge.win_rate", "Judge prefers the tuned model", win, "prompts", "higher"),
        _share(
            "judge.win_rate_wilson",
            "The same, Wilson",
            wilson(credit, len(outcomes)),
            "prompts",
            "higher",
        ),
        _share("judge.bounds", "The same, if unscored were known", bounds, "pairs", "higher"),
        _share("judge.ties", "Ties, flips included", wilson(ties, len(outcomes)), "pairs"),
        _share("judge.flips", "Verdict turns with the order", wilson(flips, len(asked)), "pairs"),
        _share("judge.first_slot", "Chose what was shown first", wilson(first, chose), "calls"),
        _share("judge.unscored", "Without a readable verdict", wilson(unscored, n), "pairs"),
        _share(
            "judge.longer", "Winner is the longer one", wilson(sum(longer), len(longer)), "pairs"
        ),
    ]


def _share(
    key: str,
    label: str,
    estimate: Estimate,
    unit: str,
    better: Literal["higher", ""] = "",
    *,
    percent: bool = True,
) -> Number:
    return number("judge", key, label, "both", estimate, unit, better=better, percent=percent)


def values(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Outcomes as JSON values for the journal."""
    return [dataclasses.asdict(entry) for entry in judged]
