"""Records that contradict each other: no model can learn both.

Texts are compared as cleaning compares them: without case, spacing, width and sentence marks.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from prefkit.audit.measured import hash64
from prefkit.audit.swapped import swapped
from prefkit.cleaning.facts import same_facts
from prefkit.cleaning.normalise import conversation_key, matching_key
from prefkit.cleaning.rows import Row
from prefkit.pairs.rounds import rounds, shortest

Ints = NDArray[np.int64]
Kind = Literal["opposite", "circle", "swapped", "both-sides", "both-labels", "references"]


@dataclasses.dataclass(frozen=True)
class Clash:
    """Rows that contradict each other.

    Attributes:
        kind: How: the same two answers in `opposite` order; a `circle` of three answers or more;
            near-duplicate prompts with `swapped` winners; one answer on `both-sides`, chosen in
            one pair and rejected in another; one answer with `both-labels`; several `references`.
        rows: Places of the rows, rising.
        answers: `(row, completion)` of each answer that it is about; of a circle in the order in
            which each beats the next.
        hard: Whether no order of the answers explains it.
    """

    kind: Kind
    rows: tuple[int, ...]
    answers: tuple[tuple[int, int], ...]
    hard: bool = True


@dataclasses.dataclass(frozen=True)
class Clashes:
    """All that was found.

    Attributes:
        found: By kind, then most rows, then ids.
        prompts: How many different prompts there are.
        repeated: How many of them have several rows, so that these could clash.
        of: Number of each row's prompt. Shape (rows,).
        near: Pairs of near-duplicate prompts that were compared; None when not looked for.
        complete: False when too many near-duplicate prompts kept some from being compared.
    """

    found: tuple[Clash, ...]
    prompts: int
    repeated: int
    of: Ints
    near: int | None = None
    complete: bool = True

    def of_kind(self, *kinds: Kind) -> list[Clash]:
        """Those of some kinds."""
        return [clash for clash in self.found if clash.kind in kinds]

    def prompts_with(self, *kinds: Kind) -> int:
        """How many prompts have a clash of some kinds."""
        rows = [row for clash in self.of_kind(*kinds) for row in clash.rows]
        return len(np.unique(self.of[rows])) if rows else 0


@dataclasses.dataclass(frozen=True)
class _Keys:
    """Numbers of prompts, and of answers to one prompt; the first place of each."""

    prompt: Ints  # shape (rows,)
    answer: Ints  # shape (rows, completions)
    first: list[tuple[int, int]]  # row and completion of each answer
    first_of_prompt: Ints

    @property
    def answers(self) -> int:
        return len(self.first)


def clashes(rows: Sequence[Row], kind: str) -> Clashes:
    """What contradicts what.

    Args:
        rows: Of one kind.
        kind: examples, pairs or unpaired.
    """
    if not rows:
        return Clashes((), 0, 0, np.empty(0, np.int64))
    keys = _keys(rows)
    counts = np.bincount(keys.prompt)
    near, complete, found = None, True, []
    if kind == "pairs":
        opposite = _opposite(keys)
        taken = np.zeros(len(rows), bool)
        taken[[row for clash in opposite for row in clash.rows]] = True
        swaps = swapped(rows, keys.prompt, keys.first_of_prompt)
        near, complete = swaps.near, swaps.complete
        turned = [Clash("swapped", two, ((two[0], 0), (two[0], 1))) for two in swaps.rows]
        found = [*opposite, *_circles(keys), *turned, *_both_sides(keys, ~taken)]
    elif kind == "unpaired":
        found = _both_labels(rows, keys)
    else:
        found = _references(rows, keys)
    found.sort(key=lambda c: (c.kind, -len(c.rows), [rows[row].record.id for row in c.rows]))
    repeated = int((counts > 1).sum())
    return Clashes(tuple(found), len(counts), repeated, keys.prompt, near, complete)


def _keys(rows: Sequence[Row]) -> _Keys:
    prompts, answers = [], []
    for row in rows:
        name = hash64(*(part for turn in conversation_key(row.prompt) for part in turn))
        prompts.append(name)
        answers += [hash64(str(name), matching_key(one.text)) for one in row.completions]
    _, first_prompt, prompt = np.unique(
        np.array(prompts, np.uint64), return_index=True, return_inverse=True
    )
    _, first, answer = np.unique(
        np.array(answers, np.uint64), return_index=True, return_inverse=True
    )
    wide = len(rows[0].completions)
    places = [(int(at) // wide, int(at) % wide) for at in first]
    return _Keys(prompt, answer.reshape(-1, wide), places, first_prompt)


def _grouped(codes: Ints, wanted: NDArray[np.bool_]) -> list[list[int]]:
    """The rows of each wanted code; `wanted` has an entry a code."""
    rows = np.flatnonzero(wanted[codes])
    order = rows[np.argsort(codes[rows], kind="stable")]
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    return [part.tolist() for part in np.split(order, cuts)] if len(order) else []


@dataclasses.dataclass(frozen=True)
class _Edges:
    """Rows whose answers differ, by the two answers they compare."""

    row: Ints  # shape (entries,)
    edge: Ints  # number of the two answers, shape (entries,)
    forward: NDArray[np.bool_]  # whether the low one is chosen, shape (entries,)
    low: Ints  # shape (edges,)
    high: Ints  # shape (edges,)

    @classmethod
    def of(cls, keys: _Keys) -> "_Edges":
        chosen, rejected = keys.answer.T
        row = np.flatnonzero(chosen != rejected)
        low = np.minimum(chosen, rejected)[row]
        codes = low * keys.answers + np.maximum(chosen, rejected)[row]
        codes, edge = np.unique(codes, return_inverse=True)
        return cls(row, edge, chosen[row] == low, codes // keys.answers, codes % keys.answers)


def _opposite(keys: _Keys) -> list[Clash]:
    of = _Edges.of(keys)
    ahead = np.bincount(of.edge[of.forward], minlength=len(of.low))
    behind = np.bincount(of.edge[~of.forward], minlength=len(of.low))
    found = []
    for group in _grouped(of.edge, (ahead > 0) & (behind > 0)):
        edge = of.edge[group[0]]
        answers = keys.first[of.low[edge]], keys.first[of.high[edge]]
        found.append(Clash("opposite", tuple(of.row[group].tolist()), answers))
    return found


def _circles(keys: _Keys) -> list[Clash]:
    """Answers that beat each other all round by majority of the pairs."""
    of = _Edges.of(keys)
    lead = np.bincount(of.edge, np.where(of.forward, 1, -1), minlength=len(of.low))
    won = np.where(lead > 0, of.low, of.high)[lead != 0]
    lost = np.where(lead > 0, of.high, of.low)[lead != 0]
    around = rounds(won, lost, keys.answers)
    name = np.where(around.of[of.low] == around.of[of.high], around.of[of.low], -1)[of.edge]
    found: dict[int, list[int]] = {}
    for place in np.flatnonzero(name >= 0).tolist():
        found.setdefault(int(name[place]), []).append(int(of.row[place]))
    return [
        Clash(
            "circle",
            tuple(found[number]),
            tuple(keys.first[answer] for answer in shortest(members, around.beats)),
        )
        for number, members in around.members.items()
    ]


def _both_sides(keys: _Keys, free: NDArray[np.bool_]) -> list[Clash]:
    """Answers chosen in one pair and rejected in another; the middle one of three is no error."""
    free = free & (keys.answer[:, 0] != keys.answer[:, 1])
    chosen, rejected = keys.answer[free].T
    ahead = np.bincount(chosen, minlength=keys.answers)
    behind = np.bincount(rejected, minlength=keys.answers)
    mixed = (ahead > 0) & (behind > 0)
    places = np.flatnonzero(free)
    found: dict[int, set[int]] = {}
    for side in (chosen, rejected):
        for place in np.flatnonzero(mixed[side]).tolist():
            found.setdefault(int(side[place]), set()).add(int(places[place]))
    return [
        Clash("both-sides", tuple(sorted(group)), (keys.first[answer],), hard=False)
        for answer, group in sorted(found.items())
    ]


def _both_labels(rows: Sequence[Row], keys: _Keys) -> list[Clash]:
    answer = keys.answer[:, 0]
    liked = np.array([row.completions[0].good for row in rows], bool)
    up = np.bincount(answer[liked], minlength=keys.answers)
    down = np.bincount(answer[~liked], minlength=keys.answers)
    return [
        Clash("both-labels", tuple(group), (keys.first[answer[group[0]]],))
        for group in _grouped(answer, (up > 0) & (down > 0))
    ]


def _references(rows: Sequence[Row], keys: _Keys) -> list[Clash]:
    """Prompts with several references; hard when these do not state the same facts."""
    answer = keys.answer[:, 0]
    pairs = np.unique(keys.prompt * keys.answers + answer)
    several = np.bincount(pairs // keys.answers) > 1
    found = []
    for group in _grouped(keys.prompt, several):
        distinct = [keys.first[name] for name in dict.fromkeys(answer[group].tolist())]
        first, *others = (rows[row].completions[side].text for row, side in distinct)
        hard = not all(same_facts(first, other) for other in others)
        found.append(Clash("references", tuple(group), tuple(distinct), hard))
    return found
