"""Rows that hold items of evaluation sets: trained on, they would make the sets worthless."""

from collections.abc import Iterator, Mapping

from prefkit.cleaning.rows import Row
from prefkit.cleaning.rules.contract import clip
from prefkit.leakage.index import Finding, Index

CONTAMINATED = "contaminated"


def contaminated(rows: Mapping[int, Row], index: Index) -> Iterator[tuple[int, str]]:
    """Yield `(place, what it holds)` of the contaminated rows; what is held out may hold it."""
    trained = {place: row for place, row in rows.items() if row.record.split != "test"}
    for place, found in zip(trained, index.findings_of(list(trained.values())), strict=True):
        if found:
            yield place, _detail(found)


def _detail(found: list[Finding]) -> str:
    first = max(found, key=lambda finding: (finding.coverage, finding.run))
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return (
        f"{first.field} holds {first.coverage:.0%} of the {first.part} of {first.evaluation} "
        f"{first.item}: `{clip(first.matched)}`{more}"
    )
