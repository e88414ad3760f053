"""Rows that hold items of evaluation sets: trained on, they would make the sets worthless."""

from collections.abc import Iterator, Mapping

from prefkit.cleaning.rows import Row
from prefkit.cleaning.rules.contract import clip
from prefkit.leakage.index import Finding, Index

CONTAMINATED = "contaminated"
BATCH = 2000  # rows looked at together


def contaminated(rows: Mapping[int, Row], index: Index) -> Iterator[tuple[int, str]]:
    """Yield `(place, what it holds)` of the contaminated rows; what is held out may hold it."""
    trained = [(place, row) for place, row in rows.items() if row.record.split != "test"]
    for begin in range(0, len(trained), BATCH):
        batch = trained[begin : begin + BATCH]
        findings = index.findings_of([row for _, row in batch])
        for (place, _), found in zip(batch, findings, strict=True):
            if found:
                yield place, _detail(found)


def _detail(found: list[Finding]) -> str:
    first = max(found, key=lambda finding: (finding.coverage, finding.run))
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return (
        f"{first.field} holds {first.coverage:.0%} of the {first.part} of {first.evaluation} "
        f"{first.item}: `{clip(first.matched)}`{more}"
    )
