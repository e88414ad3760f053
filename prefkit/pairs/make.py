"""Pairs and thumbs from judgments.

Everything said of a prompt's completions becomes one table of votes (votes.py), each rater's word
is weighed by how often it is right (raters.py), strengths are fitted to all prompts at once
(scoring.py), and a strategy says which completions are paired (strategies.py). Which of several
equal completions stands for them is drawn by a hash of content and seed, never by position.
"""

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from prefkit.config import PairsConfig
from prefkit.pairs import bars
from prefkit.pairs.balance import LengthBias, balanced, length_bias
from prefkit.pairs.check import text_key
from prefkit.pairs.ids import Texts, by_id
from prefkit.pairs.ids import dropped as dropped_record
from prefkit.pairs.items import FAILED, Items, itemise
from prefkit.pairs.majorities import Circles, circles, majorities
from prefkit.pairs.opinions import Opinions, opinions_of
from prefkit.pairs.raters import Rater, weigh
from prefkit.pairs.ratings import Scale, scales
from prefkit.pairs.scoring import rated_values, score
from prefkit.pairs.sift import STAGE, Sifted, sift
from prefkit.pairs.strategies import Refused, propose
from prefkit.pairs.thumbs import thumbs
from prefkit.pairs.votes import Table, tabulate
from prefkit.records import (
    Candidate,
    Conflict,
    Dropped,
    Example,
    Judgment,
    PreferencePair,
    Record,
    UnpairedPreference,
    assistant,
)

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Paired:
    """What judgments support, and what they do not.

    Attributes:
        pairs: In the order of the examples.
        unpaired: Thumbs up and down, for KTO.
        edits: Completions that annotators wrote; pairs and thumbs may name them.
        conflicts: Circles, and pairs that raters are too divided on: for re-review.
        dropped: Judgments and candidates that cannot count, prompts without a pair (by prompt
            id), candidates without a thumb (by candidate id), pairs that went for balance.
        prompts: How many prompts had candidates or judgments.
        judgments: How many judgments counted.
        cycles: In how many prompts majorities contradict each other in a circle.
        scales: How the ratings of each maker were read.
        raters: Who judged, how well, and what their word weighs.
        before: Length bias before the pairs were balanced; None when they were not.
    """

    pairs: tuple[PreferencePair, ...]
    unpaired: tuple[UnpairedPreference, ...]
    edits: tuple[Candidate, ...]
    conflicts: tuple[Conflict, ...]
    dropped: tuple[Dropped, ...]
    prompts: int
    judgments: int
    cycles: int
    scales: dict[str, Scale]
    raters: tuple[Rater, ...]
    before: LengthBias | None

    @functools.cached_property
    def length_bias(self) -> LengthBias:
        """How often the chosen side is the longer one."""
        return length_bias(self.pairs)

    @property
    def dropped_by_rule(self) -> dict[str, int]:
        """Drops a rule, most frequent first."""
        return dict(Counter(entry.rule for entry in self.dropped).most_common())


def make_pairs(
    examples: Iterable[Example],
    candidates: Iterable[Candidate],
    judgments: Iterable[Judgment] | Opinions,
    config: PairsConfig,
) -> Paired:
    """Turn judgments into preference pairs and thumbs.

    A prompt that was adjudicated is decided by the adjudicator alone. Comparisons (ranks and
    edits) become Bradley-Terry or Plackett-Luce chances, ratings are placed on 0..1, and a
    completion's strength is the mean of the two where its prompt has both (strengths.py). A k-way
    ranking counts as k - 1 facts. None of this depends on the order of candidates or judgments.

    Raises:
        PrefkitError: A human rating lies outside the `rating_scale` given, or different records
            have one id.
    """
    heard = hear(examples, candidates, judgments, config)
    table, items = heard.table, heard.items
    raters = weigh(table, items, config)
    weights = np.array([rater.weight for rater in raters], np.float64)
    read_as = scales(rated_values(table), config.rating_scale)
    strength = score(table, items, weights, read_as, config)
    found = majorities(table, weights)
    around = circles(found, table, items, strength)
    texts = Texts(items)
    builder = bars.Builder(items, texts, strength, found, table)
    chosen = _choose(heard, strength, builder, around, config)
    before = None if config.balance_length is None else length_bias(chosen.pairs)
    kept, over = balanced(chosen.pairs, config.balance_length, STAGE)
    up_and_down, no_thumb = thumbs(items, texts, strength, table.touched, config)
    return Paired(
        tuple(kept),
        tuple(up_and_down),
        heard.edits,
        (*around.conflicts, *chosen.conflicts),
        (*heard.dropped, *chosen.dropped, *over, *no_thumb),
        len(items.examples),
        len(table.judgment_ids),
        around.prompts,
        read_as,
        tuple(raters),
        before,
    )


@dataclasses.dataclass(frozen=True)
class Heard:
    """Judgments as a table over numbered completions, and what cannot be brought there."""

    items: Items
    table: Table
    edits: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]


def hear(
    examples: Iterable[Example],
    candidates: Iterable[Candidate],
    judgments: Iterable[Judgment] | Opinions,
    config: PairsConfig,
) -> Heard:
    """Bring judgments to the candidates they judge and candidates to the prompts they answer."""
    opinions = judgments if isinstance(judgments, Opinions) else opinions_of(judgments)
    prompts = by_id(examples, "prompt")
    number = {name: place for place, name in enumerate(prompts)}
    distinct = by_id(candidates, "prompt_id", "completion")
    known = [c for c in distinct.values() if c.prompt_id in number]
    dropped = [
        _drop(c, "unknown-prompt", c.prompt_id)
        if c.prompt_id not in number
        else _drop(c, "failed-generation", c.finish_reason)
        for c in distinct.values()
        if c.prompt_id not in number or c.finish_reason in FAILED
    ]
    dropped.sort(key=lambda drop: (drop.rule, drop.record_id))
    sifted = sift(opinions, number, known, config)
    written = _written(sifted)
    answers: list[list[Candidate]] = [[] for _ in prompts]
    for candidate in known:
        answers[number[candidate.prompt_id]].append(candidate)
    spoken = np.zeros(len(prompts), bool)
    spoken[sifted.prompt] = True
    here = [place for place, group in enumerate(answers) if group or spoken[place]]
    for candidate in {edit.id: edit for edit in written.values()}.values():
        answers[number[candidate.prompt_id]].append(candidate)
    policy = config.policy if config.strategy == "on_policy_rejected" else ""
    order = list(prompts.values())
    items = itemise([order[place] for place in here], [answers[place] for place in here], policy)
    table = tabulate(sifted, known, items, written)
    edits = {edit.id: edit for _, edit in sorted(written.items(), key=lambda row: row[1].id)}
    return Heard(items, table, tuple(edits.values()), (*dropped, *sifted.dropped, *table.dropped))


def _written(sifted: Sifted) -> dict[int, Candidate]:
    """What annotators wrote, as candidates, by the row of the judgment."""
    said = sifted.opinions.said
    found = {}
    for row in np.flatnonzero(said["edit"].is_valid().to_numpy() & ~sifted.overruled).tolist():
        text = said["edit"][row].as_py()
        if text_key(text):
            found[row] = Candidate(
                prompt_id=said["prompt"][row].as_py(),
                completion=assistant(text),
                model=f"{said['source'][row]} edit",
                metadata={"judgment_id": said["id"][row].as_py()},
            )
    return found


@dataclasses.dataclass(frozen=True)
class _Chosen:
    pairs: list[PreferencePair]
    conflicts: list[Conflict]
    dropped: list[Dropped]


def _choose(
    heard: Heard, strength: Floats, builder: bars.Builder, around: Circles, config: PairsConfig
) -> _Chosen:
    """Proposals that pass every bar; each prompt without any names the first bar it met."""
    items, table = heard.items, heard.table
    proposed: list[tuple[int, list[tuple[int, int]] | Refused]] = list(
        propose(items, strength, table.touched > 0, table, config)
    )
    wanted = [pair for _, pairs in proposed if isinstance(pairs, list) for pair in pairs]
    proposals = bars.measured(wanted, strength, builder.found, around.of)
    chosen = _Chosen([], [], [])
    seen: set[str] = set()
    for prompt, pairs in proposed:
        if isinstance(pairs, Refused):
            chosen.dropped.append(_no_pair(items, prompt, pairs.rule, pairs.detail))
            continue
        made, first = 0, None
        for proposal in [next(proposals) for _ in pairs]:
            wrong = bars.fault(proposal, config)
            if wrong is None and made < config.max_pairs:
                pair = builder.built(proposal)
                made += 1
                if pair.id in seen:
                    detail = "the same prompt, chosen and rejected came before"
                    chosen.dropped.append(_drop(pair, "repeated-pair", detail))
                else:
                    seen.add(pair.id)
                    chosen.pairs.append(pair)
            elif wrong is not None:
                first = first or wrong
                if wrong[0] == "low-agreement":
                    votes = builder.votes_of(proposal)
                    chosen.conflicts.append(bars.split_vote(proposal, items, votes))
        if not made and first is not None:
            chosen.dropped.append(_no_pair(items, prompt, *first))
    return chosen


def _drop(record: Record, rule: str, detail: str) -> Dropped:
    return Dropped(record_id=record.id, stage=STAGE, rule=rule, detail=detail)


def _no_pair(items: Items, prompt: int, rule: str, detail: str) -> Dropped:
    return dropped_record(items.examples[prompt].id, STAGE, rule, detail)
