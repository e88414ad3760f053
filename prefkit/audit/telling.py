"""How the parts of an audit put numbers and tables into words."""

import math
from collections.abc import Sequence

from prefkit.audit.sections import Figure, Table, Unit
from prefkit.cleaning.rules.contract import SNIPPET, clip
from prefkit.cleaning.rules.private import personal_in, secrets_in
from prefkit.evaluation.statistics import Estimate

MOST = 30  # rows of a table that a person reads
LOOKED_AT = 20 * SNIPPET  # characters in which what is private is looked for
LISTED = 10_000  # entries of a list in audit.json


def figure(
    key: str,
    label: str,
    estimate: Estimate,
    unit: Unit = "share",
    *,
    method: str = "",
    note: str = "",
    alarm: str = "",
) -> Figure:
    """An estimate as a figure; what is not a number has no value.

    Args:
        key: See `Figure`.
        label: See `Figure`.
        estimate: Value, n and interval.
        unit: See `Figure`.
        method: How the value was found, before how the interval was.
        note: See `Figure`.
        alarm: See `Figure`.
    """
    return Figure(
        key,
        label,
        estimate.value if math.isfinite(estimate.value) else None,
        estimate.n,
        unit,
        estimate.low,
        estimate.high,
        "; ".join(filter(None, (method, estimate.method))),
        note,
        alarm,
    )


def table(
    title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], note: str = ""
) -> Table:
    """A table of the first rows; how many more there are stands under it."""
    left = len(rows) - MOST
    more = f"And {left:,} more." if left > 0 else ""
    shown = tuple(tuple(row) for row in rows[:MOST])
    return Table(title, tuple(headers), shown, " ".join(filter(None, (more, note))))


def percent(share: float) -> str:
    """`54.1 %`; a dash for what is not a number."""
    return f"{100 * share:.1f} %" if math.isfinite(share) else "–"


def with_interval(estimate: Estimate) -> str:
    """`54.1 % (50.0 to 58.2)`, of a share."""
    if estimate.low is None or estimate.high is None:
        return percent(estimate.value)
    return f"{percent(estimate.value)} ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 pair`, `2,000 pairs`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def shown(text: str) -> str:
    """The beginning of a text on one line; personal data and secrets in it are masked."""
    seen = text[:LOOKED_AT]
    for found in (*secrets_in(seen), *personal_in(seen)):
        seen = seen.replace(found.value, f"{found.value[:1]}…")
    return clip(seen)
