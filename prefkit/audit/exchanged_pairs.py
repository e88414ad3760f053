"""Pairs beside their counterfactuals: the same pair with the terms of one list exchanged."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from prefkit.audit.measured import hash64
from prefkit.audit.swaps import Exchange
from prefkit.audit.term_lists import TermList
from prefkit.cleaning.rows import Row
from prefkit.evaluation.statistics import Estimate, bootstrap, wilson
from prefkit.judging.pairwise import PairItem, PairVerdict, normalised
from prefkit.records import Message, Messages, PreferencePair

VERSIONS = ("original", "exchanged")


@dataclasses.dataclass(frozen=True)
class Twins:
    """A pair and its counterfactual; chosen is a, rejected is b.

    Attributes:
        id: Of the pair.
        terms: Name of the list whose terms were exchanged.
        items: The pair as it is, and with its terms exchanged.
        words: What was exchanged for what, in lower case, each once.
        doubtful: How many of these stand for two words, so that what follows decided.
    """

    id: str
    terms: str
    items: tuple[PairItem, PairItem]
    words: tuple[tuple[str, str], ...]
    doubtful: int


@dataclasses.dataclass(frozen=True)
class Sources:
    """What a judge may need beside the pair, by the pair's prompt id: reference and passage."""

    references: Mapping[str, str] = dataclasses.field(default_factory=dict)
    passages: Mapping[str, str] = dataclasses.field(default_factory=dict)


def twins(
    rows: Sequence[Row],
    lists: Sequence[TermList],
    count: int,
    seed: int,
    sources: Sources | None = None,
) -> list[Twins]:
    """At most `count` pairs that hold exchangeable terms, drawn by the seed.

    A pair that holds terms of several lists stands for the one that has the fewest so far. Which
    pairs are drawn depends on their ids and the seed, not on their order.
    """
    exchanges = [Exchange(terms) for terms in lists if terms.swaps]
    sources = sources or Sources()
    found: list[Twins] = []
    many: Counter[str] = Counter()
    order = sorted(rows, key=lambda row: (hash64(str(seed), row.record.id), row.record.id))
    for row in order:
        if len(found) >= count:
            break
        record = row.record
        if not isinstance(record, PreferencePair) or _same(record.chosen, record.rejected):
            continue
        for exchange in sorted(exchanges, key=lambda one: many[one.list.name]):
            made = _twins(record, exchange, sources)
            if made is not None:
                found.append(made)
                many[made.terms] += 1
                break
    return found


def _same(one: Messages, other: Messages) -> bool:
    return normalised(one) == normalised(other)


def _twins(record: PreferencePair, exchange: Exchange, sources: Sources) -> Twins | None:
    words: dict[tuple[str, str], None] = {}
    doubtful = 0

    def new(text: str) -> str:
        nonlocal doubtful
        made = exchange(text)
        words.update(dict.fromkeys((one.lower(), other.lower()) for one, other in made.words))
        doubtful += made.doubtful
        return made.text

    def turned(messages: Messages) -> Messages:
        return tuple(Message(role=turn.role, content=new(turn.content)) for turn in messages)

    prompt, chosen, rejected = map(turned, (record.prompt, record.chosen, record.rejected))
    if not words or _same(chosen, rejected):
        return None
    reference = sources.references.get(record.prompt_id, "")
    passage = sources.passages.get(record.prompt_id, "")
    name = f"{record.id}/{exchange.list.name}"
    items = (
        PairItem(
            f"{name}/{VERSIONS[0]}",
            record.prompt,
            record.chosen,
            record.rejected,
            reference,
            passage,
        ),
        PairItem(
            f"{name}/{VERSIONS[1]}",
            prompt,
            chosen,
            rejected,
            exchange(reference).text,
            exchange(passage).text,
        ),
    )
    return Twins(record.id, exchange.list.name, items, tuple(words), doubtful)


@dataclasses.dataclass(frozen=True)
class Judged:
    """What a judge said of twins."""

    twins: Twins
    original: PairVerdict
    exchanged: PairVerdict

    @property
    def scored(self) -> bool:
        """Whether all four calls gave a verdict."""
        return self.original.outcome is not None and self.exchanged.outcome is not None

    @property
    def changed(self) -> bool:
        """Whether the verdict of both orders together is another one."""
        return self.original.outcome != self.exchanged.outcome

    @property
    def turned(self) -> bool:
        """Whether the other side wins, in both orders each time."""
        return {self.original.outcome, self.exchanged.outcome} == {0.0, 1.0}

    @property
    def calls_changed(self) -> float:
        """Share of the two orders in which the call on the exchanged pair says something else."""
        calls = zip(self.original.verdicts, self.exchanged.verdicts, strict=True)
        return sum(one.winner != other.winner for one, other in calls) / 2

    @property
    def flipped(self) -> float:
        """Share of the two versions on which the judge contradicts itself in the other order."""
        return (self.original.flipped + self.exchanged.flipped) / 2


@dataclasses.dataclass(frozen=True)
class Measured:
    """How often exchanging terms changes the preference.

    Attributes:
        asked: Pairs that were asked about.
        changed: Share of scored pairs whose verdict changes.
        turned: Share of scored pairs where the other side wins in both orders.
        flips: Share of versions on which the judge contradicts itself when the order is exchanged:
            its noise.
        beyond: By calls, how much more often exchanging terms changes the answer than exchanging
            the order does.
        unscored: Share of asked pairs with a call that gave no verdict.
        doubtful: Pairs whose exchange rests on a word that stands for two.
    """

    asked: int
    changed: Estimate
    turned: Estimate
    flips: Estimate
    beyond: Estimate
    unscored: Estimate
    doubtful: int


def measure(judged: Sequence[Judged], seed: int = 0) -> Measured:
    """Rates over the pairs whose four calls all gave a verdict; the others are counted apart."""
    scored = [one for one in judged if one.scored]
    n = len(scored)
    return Measured(
        len(judged),
        wilson(sum(one.changed for one in scored), n),
        wilson(sum(one.turned for one in scored), n),
        wilson(2 * sum(one.flipped for one in scored), 2 * n),
        bootstrap([one.calls_changed - one.flipped for one in scored], seed=seed),
        wilson(len(judged) - n, len(judged)),
        sum(one.twins.doubtful > 0 for one in judged),
    )
