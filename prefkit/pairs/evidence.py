"""Who was compared with whom: judgments, candidates and examples brought together by prompt."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from prefkit.config import PairsConfig
from prefkit.pairs.check import text_key
from prefkit.pairs.ratings import finite_ratings
from prefkit.records import (
    Candidate,
    Dropped,
    Example,
    Judgment,
    Record,
    assistant,
    text_of,
)

Kept = TypeVar("Kept", bound=Record)
STAGE = "pairs"
KINDS = ("human", "judge", "rule")  # in order of authority
FAILED = ("error", "content_filter")  # the model wrote nothing of its own


@dataclasses.dataclass(frozen=True)
class Item:
    """One distinct text among the completions of a prompt.

    Attributes:
        candidate: The one that stands for all with this text: whole before cut off, then by id.
        ids: All candidates with this text.
    """

    candidate: Candidate
    ids: frozenset[str]

    @property
    def choosable(self) -> bool:
        """Whether it may be held up as good: not empty, and not cut off."""
        whole = self.candidate.finish_reason != "length"
        return whole and bool(text_key(text_of(self.candidate.completion)))


@dataclasses.dataclass(frozen=True)
class Ballot:
    """What one judgment says about the items of its prompt.

    Attributes:
        judgment: The judgment.
        order: Item number to a score that only orders; higher is better, equal ties.
        ratings: Item number to a mean rating, on the maker's own scale.
        edit: Number of the item that the annotator wrote, better than every item in `below`.
        below: Items the annotator saw and bettered.
    """

    judgment: Judgment
    order: Mapping[int, float]
    ratings: Mapping[int, float]
    edit: int | None = None
    below: frozenset[int] = frozenset()

    @property
    def items(self) -> set[int]:
        """Items it says something about."""
        edited = {self.edit, *self.below} if self.edit is not None else set()
        return {*self.order, *self.ratings, *edited} - {None}

    def says(self, one: int, other: int) -> int | None:
        """1 when it holds `one` better than `other`, -1 when worse, 0 for a tie, else None."""
        if self.edit == one and other in self.below:
            return 1
        if self.edit == other and one in self.below:
            return -1
        for scores in (self.order, self.ratings):
            if one in scores and other in scores:
                return (scores[one] > scores[other]) - (scores[one] < scores[other])
        return None


@dataclasses.dataclass(frozen=True)
class Contest:
    """A prompt, its distinct completions and what was said about them.

    Attributes:
        example: The prompt.
        items: Its completions.
        ballots: What counts.
        overruled: Votes that an adjudicator settled: kept for the record.
    """

    example: Example
    items: tuple[Item, ...]
    ballots: tuple[Ballot, ...]
    overruled: tuple[Ballot, ...] = ()

    @property
    def judged(self) -> list[int]:
        """Items that some judgment speaks of."""
        return sorted(set().union(*(ballot.items for ballot in self.ballots)))


@dataclasses.dataclass(frozen=True)
class Evidence:
    """All prompts that have candidates or judgments, in the order of the examples.

    Attributes:
        contests: One a prompt.
        edits: Completions that annotators wrote, as candidates.
        dropped: Candidates and judgments that cannot count, with the reason.
    """

    contests: tuple[Contest, ...]
    edits: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]


def gather(
    examples: Iterable[Example],
    candidates: Iterable[Candidate],
    judgments: Iterable[Judgment],
    config: PairsConfig,
) -> Evidence:
    """Bring judgments to the candidates they judge and candidates to the prompts they answer.

    Where a person judged a prompt, judges and rules do not count there; where an adjudicator
    settled it, other people do not either. Candidates with the same text are one item. None of
    this depends on the order of candidates or judgments.
    """
    prompts = {example.id: example for example in examples}
    answers, dropped = _answers(prompts, candidates)
    votes, faults = _votes(prompts, answers, judgments, config)
    votes, overruled = _settled(votes)
    dropped += faults
    dropped += [
        _drop(judgment, "adjudicated", f"{judgment.annotator}'s vote; an adjudicator settled it")
        for group in overruled.values()
        for judgment in group
    ]
    contests = []
    edits: dict[str, Candidate] = {}
    for prompt_id, example in prompts.items():
        if prompt_id not in answers and prompt_id not in votes:
            continue
        written = _edits(votes.get(prompt_id, ()))
        alive = [c for c in answers.get(prompt_id, ()) if c.finish_reason not in FAILED]
        items = _items([*alive, *written.values()])
        ballots = [_ballot(judgment, items, written) for judgment in votes.get(prompt_id, ())]
        settled = [_ballot(judgment, items, {}) for judgment in overruled.get(prompt_id, ())]
        contests.append(Contest(example, items, tuple(ballots), tuple(settled)))
        for candidate in written.values():
            edits.setdefault(candidate.id, candidate)
        dropped += [
            _drop(candidate, "failed-generation", candidate.finish_reason)
            for candidate in answers.get(prompt_id, ())
            if candidate.finish_reason in FAILED
        ]
    return Evidence(tuple(contests), tuple(edits.values()), tuple(dropped))


def _answers(
    prompts: Mapping[str, Example], candidates: Iterable[Candidate]
) -> tuple[dict[str, list[Candidate]], list[Dropped]]:
    """Candidates by prompt, sorted by id; and those whose prompt is not known."""
    answers: dict[str, list[Candidate]] = defaultdict(list)
    dropped = []
    for candidate in _distinct(candidates):
        if candidate.prompt_id in prompts:
            answers[candidate.prompt_id].append(candidate)
        else:
            dropped.append(_drop(candidate, "unknown-prompt", candidate.prompt_id))
    return answers, dropped


def _votes(
    prompts: Mapping[str, Example],
    answers: Mapping[str, Sequence[Candidate]],
    judgments: Iterable[Judgment],
    config: PairsConfig,
) -> tuple[dict[str, list[Judgment]], list[Dropped]]:
    """Judgments that count, by prompt, sorted by id; and the others."""
    votes: dict[str, list[Judgment]] = defaultdict(list)
    dropped = []
    for judgment in _distinct(judgments):
        known = {candidate.id for candidate in answers.get(judgment.prompt_id, ())}
        rule, detail = _fault(judgment, known, prompts, config)
        if rule:
            dropped.append(_drop(judgment, rule, detail))
        else:
            votes[judgment.prompt_id].append(judgment)
    for prompt_id, group in votes.items():
        if any(judgment.source == "human" for judgment in group):
            votes[prompt_id] = [j for j in group if j.source == "human"]
            dropped += [
                _drop(judgment, "outranked", "a person judged this prompt")
                for judgment in group
                if judgment.source != "human"
            ]
    return votes, dropped


def _settled(
    votes: Mapping[str, list[Judgment]],
) -> tuple[dict[str, list[Judgment]], dict[str, list[Judgment]]]:
    """What counts, and the votes that an adjudication of their prompt replaces."""
    counted, overruled = dict(votes), {}
    for prompt_id, group in votes.items():
        if any(judgment.adjudicated for judgment in group):
            counted[prompt_id] = [judgment for judgment in group if judgment.adjudicated]
            overruled[prompt_id] = [judgment for judgment in group if not judgment.adjudicated]
    return counted, overruled


def _fault(
    judgment: Judgment, known: set[str], prompts: Mapping[str, Example], config: PairsConfig
) -> tuple[str, str]:
    """Why a judgment cannot count, or two empty texts."""
    if judgment.status != "submitted":
        return judgment.status, f"{judgment.source} {judgment.annotator}"
    if judgment.source not in config.sources:
        return "source-left-out", judgment.source
    if judgment.prompt_id not in prompts:
        return "unknown-prompt", judgment.prompt_id
    named = {*(judgment.ranks or ()), *(judgment.ratings or ())}
    if strangers := named - known:
        return "unknown-candidate", f"{len(strangers)} of {len(named)}, such as {min(strangers)}"
    edited = judgment.edit is not None and text_key(judgment.edit)
    if len(judgment.ranks or ()) < 2 and not finite_ratings(judgment) and not edited:
        return "says-nothing", "fewer than two ranks, no rating that is a number, no edit"
    return "", ""


def _edits(judgments: Iterable[Judgment]) -> dict[str, Candidate]:
    """What annotators wrote, as candidates, by the id of the judgment."""
    return {
        judgment.id: Candidate(
            prompt_id=judgment.prompt_id,
            completion=assistant(judgment.edit),
            model=f"{judgment.source} edit",
            metadata={"judgment_id": judgment.id},
        )
        for judgment in judgments
        if judgment.edit is not None and text_key(judgment.edit)
    }


def _items(candidates: Iterable[Candidate]) -> tuple[Item, ...]:
    by_text: dict[str, dict[str, Candidate]] = defaultdict(dict)
    for candidate in candidates:
        by_text[text_key(text_of(candidate.completion))].setdefault(candidate.id, candidate)
    items = [
        Item(
            min(group.values(), key=lambda c: (c.finish_reason == "length", c.id)), frozenset(group)
        )
        for group in by_text.values()
    ]
    return tuple(sorted(items, key=lambda item: min(item.ids)))


def _ballot(judgment: Judgment, items: Sequence[Item], written: Mapping[str, Candidate]) -> Ballot:
    number = {name: place for place, item in enumerate(items) for name in item.ids}
    ranks = judgment.ranks or {}
    order = _means({name: -float(rank) for name, rank in ranks.items()}, number)
    ratings = _means(finite_ratings(judgment), number)
    if judgment.id not in written:
        return Ballot(judgment, order, ratings)
    edit = number[written[judgment.id].id]
    seen = judgment.shown_order or (*ranks, *(judgment.ratings or ()))
    below = {number[name] for name in seen if name in number} or set(range(len(items)))
    return Ballot(judgment, order, ratings, edit, frozenset(below - {edit}))


def _means(scores: Mapping[str, float], number: Mapping[str, int]) -> dict[int, float]:
    """Mean score of each item; candidates that are no item are left out."""
    by_item: dict[int, list[float]] = defaultdict(list)
    for name in sorted(scores):
        if name in number:
            by_item[number[name]].append(scores[name])
    return {item: sum(found) / len(found) for item, found in sorted(by_item.items())}


def _distinct(records: Iterable[Kept]) -> list[Kept]:
    """Records by id, each once: the order they came in must not matter."""
    return [record for _, record in sorted({record.id: record for record in records}.items())]


def _drop(record: Record, rule: str, detail: str) -> Dropped:
    return Dropped(record_id=record.id, stage=STAGE, rule=rule, detail=detail)
