"""What a proposed pair must pass: margin, circle, number of votes, agreement."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prefkit.config import PairsConfig
from prefkit.pairs.ids import Texts, pair_id
from prefkit.pairs.items import Items
from prefkit.pairs.majorities import Majorities
from prefkit.pairs.strategies import Pair
from prefkit.pairs.strengths import DIGITS
from prefkit.pairs.votes import EDIT, SOURCES, Table
from prefkit.records import Conflict, PreferencePair, Vote

Row = tuple[float, int, int, int, bool, float, int]  # a vote, in the order of Builder._columns
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
    known = edge >= 0
    at = np.where(known, edge, 0)
    votes = np.where(known, counted[at] if len(counted) else 0, 0)
    with np.errstate(invalid="ignore"):
        left = np.where(known, found.for_left[at] if len(counted) else 0, 0)
        total = np.where(known, found.total[at] if len(counted) else 0, 0)
        share = np.where(chosen < rejected, left, total - left) / total
    same = (circle[chosen] >= 0) & (circle[chosen] == circle[rejected])
    columns = (pairs, margin.tolist(), edge.tolist(), votes.tolist(), share.tolist(), same.tolist())
    yield from map(Proposal, *columns)


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


class Builder:
    """Makes pairs as records, with their votes."""

    def __init__(
        self,
        items: Items,
        texts: Texts,
        strength: NDArray[np.float64],
        found: Majorities,
        table: Table,
    ) -> None:
        self.found = found
        self._items = items
        self._table = table
        self._texts = texts
        self._homes = items.prompt.tolist()
        self._strength = strength.tolist()
        self._start = found.start.tolist()
        rows = found.votes
        self._columns = (  # as lists: numpy's numbers are slow one by one
            rows.outcome.tolist(),
            rows.rater.tolist(),
            rows.judgment.tolist(),
            rows.way.tolist(),
            rows.overruled.tolist(),
            np.round(found.weight, 4).tolist(),
            table.source[rows.judgment].tolist(),
        )

    def votes_of(self, proposal: Proposal) -> tuple[Vote, ...]:
        """Every vote on the two sides, the overruled ones at weight 0."""
        return self._votes(proposal, self._of(proposal))

    def _votes(self, proposal: Proposal, rows: list[Row]) -> tuple[Vote, ...]:
        ahead = 1.0 if proposal.pair[0] < proposal.pair[1] else 0.0
        return tuple(
            Vote(
                annotator=self._table.raters[rater][0],
                kind="edit" if way == EDIT else SOURCES[source],
                outcome="tie" if outcome == 0.5 else "for" if outcome == ahead else "against",
                weight=weight,
                judgment_id=self._table.judgment_ids[judgment],
            )
            for outcome, rater, judgment, way, _, weight, source in rows
        )

    def built(self, proposal: Proposal) -> PreferencePair:
        """The pair.

        Two that nobody compared directly are ordered by what was said of them beside others, so
        their source is that of whatever speaks of either.
        """
        chosen, rejected = proposal.pair
        items, texts, home = self._items, self._texts, self._homes[proposal.pair[0]]
        example = items.examples[home]
        best, worst = items.candidates[chosen], items.candidates[rejected]
        rows = self._of(proposal)
        votes = self._votes(proposal, rows)
        bits = 0
        for _, _, _, _, overruled, _, source in rows:
            bits |= 0 if overruled else 1 << source
        touched = self._table.touched
        notes = {"adjudicated": "true"} if any(row[4] for row in rows) else {}
        return PreferencePair(
            id=pair_id(texts.prompt(home), texts.completion(chosen), texts.completion(rejected)),
            metadata=notes | ({"circle": "true"} if proposal.circle else {}),
            prompt=example.prompt,
            chosen=best.completion,
            rejected=worst.completion,
            prompt_id=example.id,
            chosen_id=best.id,
            rejected_id=worst.id,
            score_chosen=self._strength[chosen],
            score_rejected=self._strength[rejected],
            margin=proposal.margin,
            votes_for=sum(vote.outcome == "for" for vote in votes),
            votes_against=sum(vote.outcome == "against" for vote in votes),
            source=joined_sources(bits or int(touched[chosen] | touched[rejected])),
            split=example.split or "train",
            votes=votes,
        )

    def _of(self, proposal: Proposal) -> list[Row]:
        if proposal.compared < 0:
            return []
        here = slice(self._start[proposal.compared], self._start[proposal.compared + 1])
        return list(zip(*(column[here] for column in self._columns), strict=True))


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
