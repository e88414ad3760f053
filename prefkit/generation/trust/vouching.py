"""What is asked of a second model about drafts that passed all checks, and what comes of it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from prefkit.chat import ChatModel, Reply, Request, Sampling
from prefkit.chat.spending import Asked
from prefkit.config import GenerateConfig
from prefkit.generation.examples import Drafted, Passage, cost_of
from prefkit.generation.grid import Task
from prefkit.generation.languages import language_name
from prefkit.generation.planned import shown
from prefkit.generation.prompting import Prompt, neutral
from prefkit.generation.trust import round_trip, verifier
from prefkit.generation.trust.confidence import with_confidence
from prefkit.records import Example, Verdict, content_id

VERIFY, ROUND_TRIP = "verify", "round_trip"  # names of prompts, and of judges in verdicts
_OVERHEAD: Final = 450  # prompt tokens around a passage


@dataclasses.dataclass(frozen=True)
class Verifier:
    """A second model and what it is asked.

    Attributes:
        model: Who is asked.
        prompts: By name.
        config: Whether to verify, and what to do about a round trip that disagrees.
    """

    model: ChatModel
    prompts: Mapping[str, Prompt]
    config: GenerateConfig


@dataclasses.dataclass(frozen=True)
class _Doubted:
    """An example on its way, with what it was drafted from."""

    example: Example
    passages: tuple[Passage, ...]

    @property
    def question(self) -> str:
        return self.example.prompt[-1].content

    @property
    def turns(self) -> str:
        if len(self.example.prompt) == 1:
            return neutral(self.question)
        return neutral("\n".join(f"{turn.role}: {turn.content}" for turn in self.example.prompt))

    def noting(self, name: str, value: str) -> "_Doubted":
        notes = self.example.metadata | {name: value}
        example = self.example.model_copy(update={"metadata": notes})
        return dataclasses.replace(self, example=example)


def wanted(config: GenerateConfig) -> tuple[str, ...]:
    """Names of the prompts that a second model is asked with."""
    asked = {VERIFY: config.verify, ROUND_TRIP: config.round_trip != "off"}
    return tuple(name for name, ask in asked.items() if ask)


def expected(config: GenerateConfig, examples: float, passage_tokens: float) -> list[Asked]:
    """What a second model will be asked, if every draft passes."""
    room = {VERIFY: verifier.TOKENS, ROUND_TRIP: round_trip.TOKENS}
    named = config.verifier_model or config.verifier_base_url
    return [
        Asked(
            model=config.verifier_model or config.model,
            base_url=config.verifier_base_url if named else config.base_url,
            calls=round(examples),
            prompt_tokens=examples * (passage_tokens + _OVERHEAD),
            completion_tokens=examples * room[name],
        )
        for name in wanted(config)
    ]


def vouch(drafted: Drafted, tasks: Sequence[Task], second: Verifier | None) -> Drafted:
    """Ask a second model about each example, drop what it refuses, and say how sure one can be.

    Args:
        drafted: What came of some tasks; examples, drops, verdicts and totals change.
        tasks: What they were drafted from.
        second: Who is asked; nobody when None.

    Raises:
        PrefkitError: Every one of several requests to the second model failed.
    """
    by_id = {p.chunk.id: p for task in tasks for p in task.passages}
    doubted = [_Doubted(example, _passages(example, by_id)) for example in drafted.examples]
    if second is not None and second.config.verify:
        doubted = _verify(doubted, second, drafted)
    if second is not None and second.config.round_trip != "off":
        doubted = _go_round(doubted, second, drafted)
    drafted.examples = [with_confidence(one.example, one.passages) for one in doubted]
    return drafted


def _passages(example: Example, by_id: Mapping[str, Passage]) -> tuple[Passage, ...]:
    ids = [example.metadata.get("chunk", ""), *(quote.chunk_id for quote in example.quotes)]
    return tuple(by_id[name] for name in dict.fromkeys(ids) if name in by_id)


def _verify(doubted: list[_Doubted], second: Verifier, drafted: Drafted) -> list[_Doubted]:
    requests = [
        Request(
            second.prompts[VERIFY].messages(
                passage=shown(one.passages),
                question=one.turns,
                answer=neutral(one.example.reference),
            ),
            Sampling(max_tokens=verifier.TOKENS, seed=_seed(one, second.config)),
            verifier.SCHEMA,
        )
        for one in doubted
    ]
    kept = []
    for one, reply in zip(doubted, _ask(second, requests, drafted), strict=True):
        found = verifier.read_found(reply.text, one.question, one.example.kind, one.passages)
        drafted.verdicts.append(_verdict(one, VERIFY, found.word, reply, second))
        drafted.count(**{f"verifier_{found.word}": 1})
        if found.refused:
            detail = f"the verifier says so: {reply.text[:400]}"
            drafted.drop(one.passages[0], found.refused, detail, one.question)
            continue
        one = one.noting("verifier", found.word)
        if open_words := [name for name, word in found.words.items() if word == "unscored"]:
            one = one.noting("verifier_unscored", " ".join(open_words))
        kept.append(one)
    return kept


def _go_round(doubted: list[_Doubted], second: Verifier, drafted: Drafted) -> list[_Doubted]:
    requests = [
        Request(
            second.prompts[ROUND_TRIP].messages(
                passage=shown(one.passages),
                question=one.turns,
                language=language_name(one.passages[0].language),
            ),
            Sampling(max_tokens=round_trip.TOKENS, seed=_seed(one, second.config)),
        )
        for one in doubted
    ]
    kept = []
    for one, reply in zip(doubted, _ask(second, requests, drafted), strict=True):
        word, why = _agreement(one, reply)
        status = {"agreed": "yes", "disagreed": "no"}.get(word, "unscored")
        drafted.verdicts.append(_verdict(one, ROUND_TRIP, status, reply, second))
        drafted.count(**{f"round_trip_{word}": 1})
        if why and second.config.round_trip == "drop":
            detail = f"{why}; answered `{reply.text[:200]}`"
            drafted.drop(one.passages[0], "round-trip", detail, one.question)
            continue
        one = one.noting("round_trip", word)
        kept.append(one.noting("round_trip_differs", why) if why else one)
    return kept


def _agreement(one: _Doubted, reply: Reply) -> tuple[str, str]:
    """agreed, disagreed or unscored, and what on."""
    if reply.error or not reply.text.strip() or reply.finish_reason == "length":
        return "unscored", ""
    example, language = one.example, one.passages[0].language
    why = round_trip.disagreement(
        one.question, example.reference, reply.text.strip(), example.kind, language
    )
    return ("disagreed" if why else "agreed"), why


def _ask(second: Verifier, requests: Sequence[Request], drafted: Drafted) -> list[Reply]:
    """Replies, counted; a single request that fails leaves one draft unscored, all stop the run."""
    if len(requests) != 1:
        return drafted.ask(second.model, requests)
    replies = second.model.complete(requests)
    drafted.count(**cost_of(replies))
    return replies


def _verdict(one: _Doubted, judge: str, word: str, reply: Reply, second: Verifier) -> Verdict:
    scored = word != "unscored"
    return Verdict(
        sample_id=one.example.id,
        judge=judge,
        judge_sha256=second.prompts[judge].sha256,
        model=second.model.name,
        score=float(word == "yes") if scored else None,
        status="scored" if scored else "unscored",
        raw=reply.text or reply.error,
        tokens=reply.completion_tokens,
        usd=reply.usd,
    )


def _seed(one: _Doubted, config: GenerateConfig) -> int:
    return int(content_id(config.seed, one.example.id)[:8], 16)
