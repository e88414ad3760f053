"""Judgments as long tables of integers: one row a value that an annotator gave a unit."""

import dataclasses
import itertools
import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from prefkit.records import Judgment

Level = Literal["nominal", "ordinal", "interval"]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Row = tuple[str, Hashable, str, float | str]  # record, unit in it, annotator, value


@dataclasses.dataclass(frozen=True)
class Table:
    """The answers to one question.

    Attributes:
        level: What may be said of two values: that they differ (nominal), which is more
            (ordinal), or by how much (interval).
        values: The distinct values, ascending; `value` points into them.
        annotators: Names, ascending; `annotator` points into them.
        records: Prompt ids, ascending; `record` points into them.
        record: Of each row; shape (rows,) like the next three.
        unit: What was valued, numbered from 0; a unit lies in one record.
        annotator: Who valued it; once a unit.
        value: With what.
    """

    level: Level
    values: tuple[float | str, ...]
    annotators: tuple[str, ...]
    records: tuple[str, ...]
    record: Ints
    unit: Ints
    annotator: Ints
    value: Ints

    @classmethod
    def of(cls, rows: Iterable[Row], level: Level) -> "Table":
        """A table of rows; no unit may have two values of one annotator."""
        records, units, annotators, values = ({} for _ in range(4))
        columns: tuple[list[int], ...] = ([], [], [], [])
        for record, unit, annotator, value in rows:
            columns[0].append(records.setdefault(record, len(records)))
            columns[1].append(units.setdefault((record, unit), len(units)))
            columns[2].append(annotators.setdefault(annotator, len(annotators)))
            columns[3].append(values.setdefault(value, len(values)))
        record, unit, annotator, value = (np.array(column, np.int64) for column in columns)
        return cls(
            level,
            tuple(sorted(values)),
            tuple(sorted(annotators)),
            tuple(sorted(records)),
            _ranked(records)[record],
            unit,
            _ranked(annotators)[annotator],
            _ranked(values)[value],
        )

    @property
    def units(self) -> int:
        """How many units there are."""
        return int(self.unit.max()) + 1 if len(self.unit) else 0

    @property
    def answers(self) -> Ints:
        """How many annotators valued each unit; shape (units,)."""
        return np.bincount(self.unit, minlength=self.units)

    def shared(self) -> "Table":
        """Only units that two or more annotators valued."""
        return self.where(self.answers[self.unit] >= 2)

    def where(self, keep: NDArray[np.bool_]) -> "Table":
        """Only some rows, the units numbered anew."""
        _, unit = np.unique(self.unit[keep], return_inverse=True)
        return dataclasses.replace(
            self,
            record=self.record[keep],
            unit=unit.astype(np.int64),
            annotator=self.annotator[keep],
            value=self.value[keep],
        )

    def mirrored(self) -> "Table":
        """Each unit twice, the second time with opposite values.

        For comparisons of two candidates, whose order in the unit is nobody's choice: chance must
        not depend on it.
        """
        return dataclasses.replace(
            self,
            record=np.tile(self.record, 2),
            unit=np.concatenate([self.unit, self.unit + self.units]),
            annotator=np.tile(self.annotator, 2),
            value=np.concatenate([self.value, len(self.values) - 1 - self.value]),
        )

    def same_answers(self) -> Ints:
        """How many others gave the unit the same value; shape (rows,)."""
        cell = self.unit * max(len(self.values), 1) + self.value
        _, place, count = np.unique(cell, return_inverse=True, return_counts=True)
        return count[place] - 1

    def meetings(self) -> tuple[Ints, Ints]:
        """All pairs of rows of one unit, the annotator with the lower number first."""
        order = np.lexsort((self.annotator, self.unit))
        unit = self.unit[order]
        first, second = [], []
        for step in range(1, int(self.answers.max(initial=1))):
            at = np.flatnonzero(unit[step:] == unit[:-step])
            first.append(order[at])
            second.append(order[at + step])
        empty = np.empty(0, np.int64)
        return np.concatenate([empty, *first]), np.concatenate([empty, *second])


def _ranked(numbers: Mapping[Any, int]) -> Ints:
    """The place of each value in ascending order, by the number it was given."""
    place = np.empty(len(numbers), np.int64)
    place[[numbers[value] for value in sorted(numbers)]] = np.arange(len(numbers))
    return place


def comparisons(judgments: Iterable[Judgment]) -> Table:
    """Which of two candidates is better, of every two that an annotator ranked.

    Values are -1 (worse), 0 (tie) and 1 (better) of the first by id.
    """
    rows = Table.of(_compared(judgments), "ordinal")
    if rows.values == (-1, 0, 1):
        return rows
    whole = np.array([-1, 0, 1])
    value = np.searchsorted(whole, np.array(rows.values, np.int64)[rows.value])
    return dataclasses.replace(rows, values=(-1, 0, 1), value=value)


def _compared(judgments: Iterable[Judgment]) -> Iterator[Row]:
    for judgment in judgments:
        ranks = sorted((judgment.ranks or {}).items())
        for (one, rank), (other, against) in itertools.combinations(ranks, 2):
            better = (rank < against) - (rank > against)
            yield judgment.prompt_id, (one, other), judgment.annotator, better


def places(judgments: Sequence[Judgment]) -> Table:
    """Where each candidate stands in a ranking, from -0.5 (best) to 0.5 (worst).

    Ties share the mean of their places. Only whole rankings: those that rank every candidate
    that anyone ranked in the prompt.
    """
    candidates: dict[str, set[str]] = defaultdict(set)
    for judgment in judgments:
        candidates[judgment.prompt_id].update(judgment.ranks or ())

    def rows() -> Iterator[Row]:
        for judgment in judgments:
            ranks = judgment.ranks or {}
            if len(ranks) < 2 or len(ranks) < len(candidates[judgment.prompt_id]):
                continue
            for candidate, place in relative_places(ranks).items():
                yield judgment.prompt_id, candidate, judgment.annotator, place

    return Table.of(rows(), "ordinal")


def relative_places(ranks: Mapping[str, int]) -> dict[str, float]:
    """Mid-ranks, centred at 0 and scaled to a width of 1 when nothing ties."""
    ordered = sorted(ranks.values())
    return {
        one: (bisect_left(ordered, rank) + bisect_right(ordered, rank) - len(ordered))
        / (2 * (len(ordered) - 1))
        for one, rank in ranks.items()
    }


def rated(judgments: Iterable[Judgment], aspect: str | None, level: Level) -> Table:
    """The scores of candidates; of one aspect, or the ratings when `aspect` is None."""

    def rows() -> Iterator[Row]:
        for judgment in judgments:
            scores = judgment.ratings if aspect is None else (judgment.aspects or {}).get(aspect)
            for candidate, score in (scores or {}).items():
                if math.isfinite(score):
                    yield judgment.prompt_id, candidate, judgment.annotator, float(score)

    return Table.of(rows(), level)


def decisions(judgments: Iterable[Judgment]) -> Table:
    """Accept, edit or reject."""
    rows = ((j.prompt_id, "", j.annotator, j.decision) for j in judgments if j.decision)
    return Table.of(rows, "nominal")


def reason_given(judgments: Iterable[Judgment], reason: str) -> Table:
    """Whether a reason was named (1) or not (0), of annotators who named any."""
    rows = (
        (j.prompt_id, "", j.annotator, float(reason in j.reasons)) for j in judgments if j.reasons
    )
    return Table.of(rows, "nominal")
