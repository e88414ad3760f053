"""What each of the four dimensions gives, and the texts that all of them look at."""

import dataclasses

from prefkit.audit.audited import Audited
from prefkit.audit.sections import Chart, Figure, Table
from prefkit.audit.surface import LONGEST
from prefkit.cleaning.rows import Row
from prefkit.records import text_of


@dataclasses.dataclass(frozen=True)
class Part:
    """One dimension: figures, tables and charts of a section."""

    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()


def good_rows(audited: Audited) -> list[tuple[Row, str]]:
    """Rows of the sample with a completion that training would make likelier, and its text."""
    return [(row, row.good[0].text[:LONGEST]) for row in audited.sample if row.good]


def asked(row: Row) -> str:
    """What stands before the answer."""
    return text_of(row.prompt)[-LONGEST:]
