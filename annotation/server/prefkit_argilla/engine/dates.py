"""Dates as Elasticsearch reads them in a filter.

`2024`, `2024-05`, `2024-05-01`, `2024-05-01T10`, …, with a fraction and a time zone, milliseconds
since 1970 as a number, `now`, and date mathematics: `now-1d/d`, `2024-05-01||+1M`. What a lower
bound leaves open is its first moment, what an upper bound leaves open its last.
"""

import calendar
import re
from datetime import UTC, datetime, timedelta

_DATE = re.compile(
    r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[T ](\d{1,2})(?::(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?"
    r"(Z|[+-]\d{2}:?\d{2})?)?)?)?"
)
_STEP = re.compile(r"([+-])(\d*)([yMwdhHms])|/([yMwdhHms])")
_UNITS = ("y", "M", "d", "h", "m", "s")
_PLAIN = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1)}
_PLAIN |= {"H": _PLAIN["h"], "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
_MICROSECOND = timedelta(microseconds=1)


def moment(value: float | str, *, last: bool) -> datetime:
    """The moment that a bound names, in UTC and without a time zone.

    Args:
        value: What the filter says.
        last: The bound is an upper one: what is left open counts to its end.

    Raises:
        ValueError: It is no date.
    """
    if not isinstance(value, str):
        return _since_1970(float(value))
    base, _, steps = _split(value.strip())
    if base == "now":
        found = datetime.now(UTC).replace(tzinfo=None)
    elif re.fullmatch(r"-?\d{5,}(\.\d+)?", base):
        found = _since_1970(float(base))
    else:
        found = _written(base, last)
    try:
        return _stepped(found, steps, last)
    except OverflowError as error:
        raise ValueError(f"{value!r} is outside of the calendar") from error


def _split(text: str) -> tuple[str, str, str]:
    return ("now", "", text[3:]) if text.startswith("now") else text.partition("||")


def _since_1970(milliseconds: float) -> datetime:
    try:
        return datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise ValueError(f"{milliseconds} is outside of the calendar") from error


def _written(text: str, last: bool) -> datetime:
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a date")
    *parts, fraction, zone = match.groups()
    given = [int(part) for part in parts if part is not None]
    year, month, day, hour, minute, second = given + [1, 1, 1, 0, 0, 0][len(given) :]
    found = datetime(year, month, day, hour, minute, second)
    if fraction is not None:
        found += timedelta(microseconds=int(fraction.ljust(9, "0")[:6]))
    elif last:
        found = _end_of(found, _UNITS[len(given) - 1])
    if zone not in (None, "Z"):
        hours, minutes = int(zone[1:3]), int(zone[-2:])
        offset = timedelta(hours=hours, minutes=minutes)
        found += offset if zone[0] == "-" else -offset
    return found


def _stepped(found: datetime, steps: str, last: bool) -> datetime:
    at = 0
    while at < len(steps):
        step = _STEP.match(steps, at)
        if step is None:
            raise ValueError(f"{steps[at:]!r} is not date mathematics")
        sign, count, unit, rounded = step.groups()
        if rounded:
            start = _start_of(found, rounded)
            found = _end_of(start, rounded) if last else start
        else:
            found = _moved(found, int(count or 1) * (1 if sign == "+" else -1), unit)
        at = step.end()
    return found


def _moved(found: datetime, count: int, unit: str) -> datetime:
    if unit in _PLAIN:
        return found + count * _PLAIN[unit]
    months = found.year * 12 + found.month - 1 + count * (12 if unit == "y" else 1)
    year, month = divmod(months, 12)
    day = min(found.day, calendar.monthrange(year, month + 1)[1])
    return found.replace(year=year, month=month + 1, day=day)


def _start_of(found: datetime, unit: str) -> datetime:
    if unit == "w":
        found -= timedelta(days=found.weekday())
        unit = "d"
    kept = _UNITS.index(unit.lower() if unit == "H" else unit) + 1
    parts = (found.year, found.month, found.day, found.hour, found.minute, found.second)
    return datetime(*(parts[:kept] + (1, 1, 1, 0, 0, 0)[kept:]))


def _end_of(start: datetime, unit: str) -> datetime:
    return _moved(start, 1, unit) - _MICROSECOND
