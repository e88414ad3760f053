"""Dates in a text, however they are written, and whether another text states them."""

import dataclasses
import re
from collections.abc import Iterator

_MONTHS = (  # by number: English, German, French, Spanish, and their usual abbreviations
    "january|jan|januar|jänner|janvier|janv|enero|ene",
    "february|feb|februar|février|févr|fév|febrero",
    "march|mar|märz|mrz|mars|marzo",
    "april|apr|avril|avr|abril|abr",
    "may|mai|mayo",
    "june|jun|juni|juin|junio",
    "july|jul|juli|juillet|juil|julio",
    "august|aug|août|agosto",
    "september|sept|sep|septembre|septiembre|setiembre",
    "october|oct|oktober|okt|octobre|octubre",
    "november|nov|novembre|noviembre",
    "december|dec|dezember|dez|décembre|déc|diciembre|dic",
)
_MONTH_OF = {name: number for number, row in enumerate(_MONTHS, 1) for name in row.split("|")}
_VERBS = frozenset(["may", "march", "mar"])  # in lower case these are mostly no months
_MONTH = "|".join(sorted(_MONTH_OF, key=len, reverse=True))
_DAY = r"(?P<d>[0-3]?\d)(?:st|nd|rd|th|er|\.)?"
_YEAR = r"(?P<y>[12]\d{3})"
_WRITTEN = (
    rf"{_DAY} (?:of |de )?(?P<m>{_MONTH})\b\.?(?:,? (?:de |del )?{_YEAR}\b)?",
    rf"\b(?P<m>{_MONTH})\.? (?:the )?{_DAY}(?![\d:])(?:,? {_YEAR}\b)?",
    rf"\b(?P<m>{_MONTH})\.?,? (?:of |de |del )?{_YEAR}\b",
    rf"\b{_YEAR}-(?P<m>[01]?\d)-{_DAY}\b",
    rf"\b(?P<d>[0-3]?\d)\.\s?(?P<m>[01]?\d)\.\s?{_YEAR}\b",
)
_FORMS = tuple(
    re.compile(rf"(?<![\w.:]){form}(?!\w)".replace(" ", r"[ \n\u00a0]"), re.IGNORECASE)
    for form in _WRITTEN
)
# 05/03/2024 is one day in Bergen and another in Boston: both readings count.
_SLASHED = re.compile(r"(?<![\w/])(?P<d>[0-3]?\d)([/-])(?P<m>[0-3]?\d)\2(?P<y>[12]\d{3})(?![\w/])")


@dataclasses.dataclass(frozen=True)
class Date:
    """A date as far as it is said; what is not said is 0."""

    year: int
    month: int
    day: int

    def within(self, other: "Date") -> bool:
        """Whether `other` says all that this one says."""
        ours = (self.year, self.month, self.day)
        theirs = (other.year, other.month, other.day)
        return all(part in (0, same) for part, same in zip(ours, theirs, strict=True))


@dataclasses.dataclass(frozen=True)
class Dated:
    """A place where a text states a date: `text[start:end]`.

    Attributes:
        start: First character.
        end: One past the last.
        readings: The dates it may mean, mostly one.
    """

    start: int
    end: int
    readings: tuple[Date, ...]


def dates(text: str) -> list[Dated]:
    """The dates of a text in order; a month or a year by itself is none."""
    found = sorted(_found(text), key=lambda one: (one.start, -one.end))
    kept: list[Dated] = []
    for one in found:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def _found(text: str) -> Iterator[Dated]:
    for form in _FORMS:
        for match in form.finditer(text):
            parts = match.groupdict()
            if parts["m"] in _VERBS:
                continue
            month = _MONTH_OF.get(parts["m"].lower()) or int(parts["m"])
            said = Date(int(parts.get("y") or 0), month, int(parts.get("d") or 0))
            if said.month <= 12 and said.day <= 31:
                yield Dated(*match.span(), (said,))
    for match in _SLASHED.finditer(text):
        one, other, year = int(match["d"]), int(match["m"]), int(match["y"])
        both = {Date(year, month, day) for day, month in ((one, other), (other, one))}
        readings = [date for date in both if 0 < date.month <= 12 and 0 < date.day <= 31]
        if readings:
            order = sorted(readings, key=lambda date: (date.month, date.day))
            yield Dated(*match.span(), tuple(order))


def unstated(answer: str, text: str) -> list[str]:
    """The dates of an answer, as it writes them, that a text does not state.

    A text may state the year elsewhere than the day: "In 2024 … on 5 March" states 5 March 2024.
    """
    stated = [date for one in dates(text) for date in one.readings]
    return [
        answer[one.start : one.end]
        for one in dates(answer)
        if not any(_stated(date, stated, text) for date in one.readings)
    ]


def _stated(date: Date, stated: list[Date], text: str) -> bool:
    if any(date.within(other) for other in stated):
        return True
    alone = Date(0, date.month, date.day)
    if not date.day or not re.search(rf"(?<!\d){date.year}(?!\d)", text):
        return False
    return any(alone.within(other) and not other.year for other in stated)


def undated(text: str) -> str:
    """A text without its dates, for checks of its other numbers and names."""
    parts, at = [], 0
    for one in dates(text):
        parts.append(text[at : one.start])
        at = one.end
    return " ".join([*parts, text[at:]]) if parts else text
