"""Relevance, diversity, correctness and consistency of style: four questions about any set."""

from prefkit.audit.audited import Audited
from prefkit.audit.quality import correctness, diversity, relevance, style
from prefkit.audit.sections import Section


def section(audited: Audited) -> Section | None:
    """A few figures for each of the four."""
    if not audited.records:
        return None
    parts = [part.found(audited) for part in (relevance, diversity, correctness, style)]
    return Section(
        "quality",
        "The four dimensions of quality",
        "Relevance: do answers speak of what was asked? Diversity: does the set say many things? "
        "Correctness: is it supported, whole and agreed upon? Consistency: is it of one style? "
        f"{_looked_at(audited)}{_good(audited)}.",
        figures=tuple(figure for part in parts for figure in part.figures),
        tables=tuple(table for part in parts for table in part.tables),
        charts=tuple(chart for part in parts for chart in part.charts),
    )


def _looked_at(audited: Audited) -> str:
    if len(audited.sample) == audited.rows:
        return "Texts of all rows are looked at"
    return f"Texts are looked at on a sample of {len(audited.sample):,} of {audited.rows:,} rows"


def _good(audited: Audited) -> str:
    meant = {"pairs": "; answers are the chosen ones", "unpaired": "; answers are the liked ones"}
    return meant.get(audited.kind, "")
