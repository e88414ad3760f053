"""How often groups of people are named, beside each other and on the winning side."""

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prefkit.audit.term_lists import Matcher, Read, TermList, Words
from prefkit.cleaning.rows import Row
from prefkit.evaluation.statistics import (
    LEVEL,
    Estimate,
    holm,
    mcnemar_exact,
    normal_quantile,
    paired_counts,
    wilson,
)

Bools = NDArray[np.bool_]
SIDES = ("prompt", "good", "bad")


@dataclasses.dataclass(frozen=True)
class Named:
    """Which rows name a group, and with what words.

    Attributes:
        group: The group's name.
        on: Whether a row names it, by side: `prompt`, `good` (chosen, liked, reference) and `bad`
            (rejected, not liked). Shape (rows,) each.
        terms: How often each term was used, most used first.
    """

    group: str
    on: dict[str, Bools]
    terms: Counter[str]

    @property
    def anywhere(self) -> Bools:
        """Rows that name it on any side."""
        return self.on["prompt"] | self.on["good"] | self.on["bad"]


@dataclasses.dataclass(frozen=True)
class Association:
    """Whether naming a group goes with winning.

    Attributes:
        change: Share of winners that name it less that of losers; of pairs, paired.
        p_value: Of no difference.
        p_holm: Adjusted for every group of every list (Holm 1979).
        told: Rows that tell: the two sides differ, or the completion names it.
    """

    change: Estimate
    p_value: float
    told: int
    p_holm: float = 1.0


def named(rows: Sequence[Row], lists: Sequence[TermList]) -> list[list[Named]]:
    """Every group of each list, in the order of its file."""
    counters = [_Counter(terms, len(rows)) for terms in lists]
    for place, row in enumerate(rows):
        sides = [("prompt", turn.content) for turn in row.prompt]
        sides += [("good" if c.good else "bad", c.text) for c in row.completions]
        for side, text in sides:
            read = Read.of(text)
            for counter in counters:
                counter.see(place, side, read)
    return [counter.groups() for counter in counters]


class _Counter:
    """Counts the terms of one list."""

    def __init__(self, terms: TermList, rows: int) -> None:
        self._names = list(terms.groups)
        self._of: dict[Words, int] = {
            term: number for number, name in enumerate(self._names) for term in terms.groups[name]
        }
        self._matcher = Matcher(list(self._of))
        self._on = {side: np.zeros((len(self._names), rows), bool) for side in SIDES}
        self._terms: list[Counter[str]] = [Counter() for _ in self._names]

    def see(self, place: int, side: str, read: Read) -> None:
        for match in self._matcher.matches(read):
            number = self._of[match.term]
            self._on[side][number, place] = True
            self._terms[number][" ".join(match.term)] += 1

    def groups(self) -> list[Named]:
        return [
            Named(name, {side: self._on[side][n] for side in SIDES}, self._terms[n])
            for n, name in enumerate(self._names)
        ]


def ratio(one: Bools, other: Bools) -> Estimate:
    """Rows that name one group over rows that name the other, with a log Wald interval.

    Var(log(a / b)) = (a + b - 2c) / (a b) for c rows that name both (Nam and Blackwelder 2002).
    """
    a, b, both = int(one.sum()), int(other.sum()), int((one & other).sum())
    n = int((one | other).sum())
    if not b:
        return Estimate(math.nan, n, method="no interval: the other group is never named")
    if not a:
        return Estimate(0.0, n, method="no interval: the group is never named")
    half = normal_quantile((1 + LEVEL) / 2) * math.sqrt((a + b - 2 * both) / (a * b))
    return Estimate(
        a / b, n, a / b * math.exp(-half), a / b * math.exp(half), f"paired log Wald {LEVEL:.0%}"
    )


def associations(groups: Sequence[Named], rows: Sequence[Row], kind: str) -> list[Association]:
    """Of each group; adjusted for all of them together."""
    if kind == "pairs":
        found = [_paired(group) for group in groups]
    else:
        liked = np.array([row.completions[0].good for row in rows], bool)
        found = [_apart(group.on["good"] | group.on["bad"], liked) for group in groups]
    told = [place for place, one in enumerate(found) if one.told]
    adjusted = holm([found[place].p_value for place in told])
    for place, p_value in zip(told, adjusted, strict=True):
        found[place] = dataclasses.replace(found[place], p_holm=p_value)
    return found


def _paired(group: Named) -> Association:
    """The chosen side names it and the rejected does not, or the other way round."""
    gained = int((group.on["good"] & ~group.on["bad"]).sum())
    lost = int((group.on["bad"] & ~group.on["good"]).sum())
    n = len(group.on["good"])
    return Association(paired_counts(lost, gained, n), mcnemar_exact(lost, gained), lost + gained)


def _apart(names: Bools, liked: Bools) -> Association:
    """Completions that name it, of those that are liked and of those that are not."""
    from scipy import stats

    yes, no = int((names & liked).sum()), int((names & ~liked).sum())
    up, down = int(liked.sum()), int((~liked).sum())
    one, other = wilson(yes, up), wilson(no, down)
    if not up or not down:
        return Association(Estimate(math.nan, up + down), 1.0, 0)
    p_value = float(stats.fisher_exact([[yes, up - yes], [no, down - no]]).pvalue)
    return Association(_newcombe(one, other), p_value, yes + no)


def _newcombe(one: Estimate, other: Estimate) -> Estimate:
    """Difference of two independent shares from their Wilson intervals (Newcombe 1998, no. 10)."""
    assert one.low is not None
    assert one.high is not None
    assert other.low is not None
    assert other.high is not None
    change = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    n = one.n + other.n
    return Estimate(change, n, change - below, change + above, f"Newcombe {LEVEL:.0%}")
