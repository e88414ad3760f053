"""Signs that a generator says the same again and again, each in a sentence.

A share must lie beyond its bound with its whole interval. What is set beside passages is compared
by value, at the same number of words or texts, and only where there are enough. Prose of 2,000
records measured distinct-3 .86, compression 2.6 and .3 % for the most frequent opening; forty texts
under one opening, again and again, .08, 23 and 100 %.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prefkit.audit.sections import Unit
from prefkit.audit.telling import percent, shown
from prefkit.evaluation.statistics import Estimate, wilson
from prefkit.generation.diversity import FEWEST_TEXTS, Measured, difference

OPENING_SHARE: Final = 0.05  # of the most frequent first four words
OPENING_COUNT: Final = 5
DISTINCT_OF_SOURCE: Final = 0.5
COMPRESSION_OF_SOURCE: Final = 1.3
VENDI_OF_SOURCE: Final = 0.5
OF_PLAN: Final = 2.0


@dataclasses.dataclass(frozen=True)
class Alarm:
    """Something to look at.

    Attributes:
        key: Of the figure, such as `questions.distinct-3`.
        label: What the figure is called.
        estimate: The figure.
        unit: How to print it.
        says: What is wrong, in a sentence with its n.
    """

    key: str
    label: str
    estimate: Estimate
    unit: Unit
    says: str


@dataclasses.dataclass(frozen=True)
class Part:
    """What a plan asked for of one kind or persona, and what came of it.

    Attributes:
        what: kind or persona.
        name: Its name.
        planned: Questions of it in the plan.
        of_plan: Questions in the plan.
        made: Records of it.
        of_made: Records.
    """

    what: str
    name: str
    planned: int
    of_plan: int
    made: int
    of_made: int

    @property
    def wanted(self) -> float:
        """Its share of the plan."""
        return self.planned / self.of_plan if self.of_plan else 0.0

    @property
    def share(self) -> Estimate:
        """Its share of the records."""
        return wilson(self.made, self.of_made)


def alarms_of(key: str, who: str, measured: Measured, passages: Measured | None) -> Iterator[Alarm]:
    """What is wrong with some texts, by themselves and beside the passages they were made from.

    Args:
        key: Before the names of figures, such as `questions`.
        who: What a sentence calls them, such as `the questions`.
        measured: The texts.
        passages: At the same numbers of words and of texts.
    """
    opening = measured.opening
    if opening.above(OPENING_SHARE) and round(opening.value * opening.n) >= OPENING_COUNT:
        says = f"{percent(opening.value)} of {who} open with “{shown(measured.opens)}”"
        yield Alarm(f"{key}.most frequent opening", f"{who}: most frequent opening", opening,
                    "share", f"{says} (n = {opening.n:,}).")  # fmt: skip
    if passages is None:
        return
    found, beside = measured.distinct[2], passages.distinct[2]
    if found.value < DISTINCT_OF_SOURCE * beside.value:  # never of what is not a number
        yield _beside(key, who, "distinct-3", found, beside, "are less than half as diverse as")
    found, beside = measured.compression, passages.compression
    if found.value > COMPRESSION_OF_SOURCE * beside.value:
        yield _beside(key, who, "compression", found, beside, "repeat themselves more than")
    found, beside = measured.vendi, passages.vendi
    if found.value < VENDI_OF_SOURCE * beside.value:
        yield _beside(key, who, "Vendi score", found, beside, "are less than half as diverse as",
                      " texts")  # fmt: skip


def _beside(
    key: str, who: str, name: str, found: Estimate, beside: Estimate, how: str, unit: str = " words"
) -> Alarm:
    figures = f"{name} {found.value:.3g} against {beside.value:.3g}, n = {found.n:,}{unit} of each"
    says = f"{who[:1].upper()}{who[1:]} {how} the passages ({figures})."
    return Alarm(f"{key}.{name}", f"{who}: {name}", found, "ratio", says)


def of_plan(parts: Iterable[Part]) -> Iterator[Alarm]:
    """Kinds and personas that have more than twice their planned share."""
    for part in parts:
        if part.of_made < FEWEST_TEXTS or not part.share.above(OF_PLAN * part.wanted):
            continue
        label = f"{part.what}: {shown(part.name)}"
        says = f"The {part.what} {shown(part.name)} has {percent(part.share.value)} of what was "
        says += f"made (n = {part.of_made:,}) and {percent(part.wanted)} of the plan "
        says += f"(n = {part.of_plan:,})."
        yield Alarm(f"{part.what}s.{part.name}", label, part.share, "share", says)


def of_repeats(thirds: Sequence[Estimate]) -> Iterator[Alarm]:
    """More near duplicates in the last third of a run than in its first."""
    if len(thirds) < 3 or min(third.n for third in thirds) < FEWEST_TEXTS:
        return
    first, last = thirds[0], thirds[-1]
    rise = difference(last, first)
    if rise.above(0):
        says = f"Near duplicates rise from {1000 * first.value:.0f} per thousand drafts in the "
        says += f"first third of the run to {1000 * last.value:.0f} in the last "
        says += f"(n = {first.n:,} and {last.n:,})."
        yield Alarm("repeats", "near duplicates: rise", rise, "share", says)
