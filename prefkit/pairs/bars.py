"""What a proposed pair must pass: margin, circle, number of votes, agreement."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prefkit.config import PairsConfig
from prefkit.pairs.items import Items
from prefkit.pairs.majorities import Majorities
from prefkit.pairs.strategies import Pair
from prefkit.pairs.strengths import DIGITS
from prefkit.pairs.votes import EDIT, SOURCES, Table
from prefkit.records import Conflict, PreferencePair, Vote

SLACK = 10.0**-DIGITS  # strengths are rounded; a margin that is met exactly is met


class Proposal(NamedTuple):
    """A pair that may be made.

    Attributes:
        pair: Its sides.
        margin: How much stronger the chosen one is.
        compared: Number of the two items among the majorities; -1 when nobody compared them.
        votes: How many raters compared them.
        agreement: Share of their weight for the chosen side; nan without any.
        circle: Whether majorities put both in one circle.
    """

    pair: Pair
    margin: float
    compared: int
    votes: int
    agreement: float
    circle: bool


def measured(
    pairs: Sequence[Pair],
    strength: NDArray[np.float64],
    found: Majorities,
    circle: NDArray[np.int64],
) -> Iterator[Proposal]:
    """Yield each proposal with what it is judged by."""
    if not pairs:
        return
    chosen, rejected = np.array(pairs, np.int64).T
    edge = found.of(chosen, rejected)
    margin = np.round(strength[chosen] - strength[rejected], DIGITS)
    counted = np.bincount(
        np.repeat(np.arange(len(found.left)), np.diff(found.start)),
        ~found.votes.overruled,
        len(found.left),
    )
    for number, where in enumerate(edge.tolist()):
        pair = pairs[number]
        same = bool(circle[pair[0]] >= 0 and circle[pair[0]] == circle[pair[1]])
        share, total = float("nan"), 0.0
        if where >= 0:
            total = float(found.total[where])
            left = float(found.for_left[where])
            share = (left if pair[0] < pair[1] else total - left) / total if total else share
        votes = int(counted[where]) if where >= 0 else 0
        yield Proposal(pair, float(margin[number]), where, votes, share, same)


def fault(proposal: Proposal, config: PairsConfig) -> tuple[str, str] | None:
    """Why the pair is not made; None when it is."""
    if proposal.margin < config.margin - SLACK:
        return "small-margin", f"{proposal.margin:.3f} apart, at least {config.margin:g} wanted"
    if proposal.circle and config.circles == "drop":
        return "circle", "majorities put both in one circle; see the conflicts"
    if proposal.votes < config.min_votes:
        return "few-votes", f"{proposal.votes} compare the two, at least {config.min_votes} wanted"
    if proposal.agreement < config.agreement - 1e-9:
        detail = f"{proposal.agreement:.2f} of the votes' weight, at least {config.agreement:g}"
        return "low-agreement", f"{detail} wanted"
    return None


def votes_of(proposal: Proposal, found: Majorities, table: Table) -> tuple[Vote, ...]:
    """Every vote on the two sides, the overruled ones at weight 0."""
    if proposal.compared < 0:
        return ()
    first, last = int(found.start[proposal.compared]), int(found.start[proposal.compared + 1])
    ahead = 1.0 if proposal.pair[0] < proposal.pair[1] else 0.0
    rows = found.votes
    made = []
    for row in range(first, last):
        name, source = table.raters[rows.rater[row]]
        outcome = rows.outcome[row]
        made.append(
            Vote.model_construct(
                annotator=name,
                kind="edit" if rows.way[row] == EDIT else source,
                outcome="tie" if outcome == 0.5 else "for" if outcome == ahead else "against",
                weight=round(float(found.weight[row]), 4),
                judgment_id=table.judgment_ids[rows.judgment[row]],
            )
        )
    return tuple(made)


def built(
    proposal: Proposal, items: Items, strength: NDArray, found: Majorities, table: Table
) -> PreferencePair:
    """The pair as a record, with its votes.

    Two that nobody compared directly are ordered by what was said of them beside others, so
    their source is that of whatever speaks of either.
    """
    chosen, rejected = proposal.pair
    example = items.examples[items.prompt[chosen]]
    best, worst = items.candidates[chosen], items.candidates[rejected]
    votes = votes_of(proposal, found, table)
    counted = slice(0, 0)
    if proposal.compared >= 0:
        counted = slice(found.start[proposal.compared], found.start[proposal.compared + 1])
    live = ~found.votes.overruled[counted]
    bits = {int(table.source[j]) for j in found.votes.judgment[counted][live]}
    source = (
        joined_sources(sum(1 << bit for bit in bits))
        if bits
        else joined_sources(int(table.touched[chosen] | table.touched[rejected]))
    )
    return PreferencePair(
        prompt=example.prompt,
        chosen=best.completion,
        rejected=worst.completion,
        prompt_id=example.id,
        chosen_id=best.id,
        rejected_id=worst.id,
        score_chosen=float(strength[chosen]),
        score_rejected=float(strength[rejected]),
        margin=proposal.margin,
        votes_for=sum(vote.outcome == "for" for vote in votes),
        votes_against=sum(vote.outcome == "against" for vote in votes),
        source=source,
        split=example.split or "train",
        votes=votes,
    )


def joined_sources(bits: int) -> str:
    """Sources as words, in order of authority."""
    return "+".join(kind for place, kind in enumerate(SOURCES) if bits >> place & 1)


def split_vote(proposal: Proposal, items: Items, votes: Sequence[Vote]) -> Conflict:
    """A pair that raters disagree on, for re-review."""
    chosen, rejected = (items.candidates[item].id for item in proposal.pair)
    return Conflict(
        prompt_id=items.examples[items.prompt[proposal.pair[0]]].id,
        question="pair",
        amount=round(1 - proposal.agreement, 6),
        detail=f"{chosen} before {rejected}: "
        + ", ".join(f"{vote.annotator} {vote.outcome}" for vote in votes),
        annotators=tuple(sorted({vote.annotator for vote in votes})),
    )
