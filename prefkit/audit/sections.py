"""What every part of an audit gives: figures, tables and charts that say what they are."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

Unit = Literal["share", "auc", "count", "words", "characters", "ratio", "score", "bits", "rows"]


@dataclasses.dataclass(frozen=True)
class Figure:
    """One number, with what it rests on.

    Attributes:
        key: Stable name in `audit.json`, such as `biases.chosen_longer`.
        label: What a person calls it.
        value: None when it could not be measured; `note` says why.
        n: What was counted.
        unit: How to print it.
        low: Lower end of the 95 % interval, where there is one.
        high: Upper end.
        method: How value and interval were found.
        note: What it means here, in a sentence; may be empty.
        alarm: Why someone should look, in a sentence; empty when nothing is wrong.
    """

    key: str
    label: str
    value: float | None
    n: int
    unit: Unit
    low: float | None = None
    high: float | None = None
    method: str = ""
    note: str = ""
    alarm: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows for a person to read.

    Attributes:
        title: Above it.
        headers: Of the columns.
        rows: Texts, not escaped.
        note: Under it; may be empty.
    """

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Chart:
    """A plot.

    Attributes:
        title: Above it.
        says: What to see in it, in a sentence.
        svg: Inline SVG whose texts are escaped.
    """

    title: str
    says: str
    svg: str


@dataclasses.dataclass(frozen=True)
class Section:
    """One part of an audit.

    Attributes:
        key: Stable name in `audit.json`, such as `biases`.
        title: On the page.
        lede: What it asks, and how to read it.
        figures: Numbers.
        tables: Tables.
        charts: Plots.
        data: More for `audit.json`, as JSON values.
    """

    key: str
    title: str
    lede: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def alarms(self) -> tuple[str, ...]:
        """What someone should look at."""
        return tuple(figure.alarm for figure in self.figures if figure.alarm)
