"""Consistency of style: how much answers differ in form, and which source stands apart."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from prefkit.audit import plots
from prefkit.audit.audited import Audited
from prefkit.audit.drifted import LEAST_SPREAD, difference
from prefkit.audit.quality.part import Part
from prefkit.audit.sections import Chart, Figure, Table
from prefkit.audit.surface import FEATURES, LABELS
from prefkit.audit.telling import figure, percent, shown, table
from prefkit.evaluation.statistics import Estimate, wilson

APART = 0.5  # standard deviations: a medium effect in Cohen's (1988) words
FEWEST = 50  # rows of a source that is compared
MOST_SOURCES = 12
LOOKED_AT = (
    "words",
    "paragraphs",
    "list_items",
    "headings",
    "bold",
    "code",
    "closed",
    "first_person",
    "contractions",
    "hedges",
    "word_length",
)
SHARES = ("list_items", "headings", "bold", "code", "first_person", "contractions")


def found(audited: Audited) -> Part:
    """Spread of form over all answers, and each source against all others."""
    measured = audited.measured
    answers = measured.sides["first"][measured.good].astype(np.float64)
    codes, names = measured.sources
    codes = codes[measured.good]
    if not len(answers):
        return Part()
    sources = [
        _Source(name, answers[codes == code], answers[codes != code])
        for code, name in enumerate(names[:MOST_SOURCES])
        if name and (codes == code).sum() >= FEWEST and (codes != code).sum() >= FEWEST
    ]
    apart = _apart([source.farthest() for source in sources])
    figures = [*_spread(answers), *apart]
    chart = plots.around(
        "Standardised difference of each source",
        [dataclasses.replace(f, label=f.label.removeprefix("consistency: ")) for f in apart],
        0.0,
        ("fewer than the others", "more than the others"),
    )
    says = "Where each source differs most from all others, in standard deviations."
    charts = (Chart("Which source stands apart", says, chart),) if chart else ()
    return Part(tuple(figures), tuple(_table(sources)), charts)


def _apart(figures: Sequence[Figure | None]) -> list[Figure]:
    """A source that lies far off moves all others a little the other way: these are no alarm."""
    known = [figure for figure in figures if figure is not None]
    most = max((abs(figure.value or 0.0) for figure in known), default=0.0)
    return [
        figure if abs(figure.value or 0.0) >= most / 2 else dataclasses.replace(figure, alarm="")
        for figure in known
    ]


def _spread(answers: np.ndarray) -> list[Figure]:
    """Figures over all answers."""
    n = len(answers)
    words = answers[:, FEATURES.index("words")]
    low, middle, high = np.quantile(words, [0.25, 0.5, 0.75])
    spread = float((high - low) / middle) if middle else math.nan
    first = Figure(
        "quality.style.length_spread",
        "consistency: spread of length",
        spread if math.isfinite(spread) else None,
        n,
        "ratio",
        method="interquartile range of words over the median",
        note=f"Half of the answers have {low:,.0f} to {high:,.0f} words.",
    )
    shares = [("closed", "end with a sentence mark")]
    shares += [(name, f"have {LABELS[name]}") for name in SHARES]
    return [
        first,
        *(
            figure(
                f"quality.style.{name}",
                f"consistency: answers that {what}",
                wilson(int((answers[:, FEATURES.index(name)] > 0).sum()), n),
                method="share of answers",
            )
            for name, what in shares
        ),
    ]


@dataclasses.dataclass(frozen=True)
class _Source:
    """Answers of one source and those of all others."""

    name: str
    own: np.ndarray
    others: np.ndarray

    def farthest(self) -> Figure | None:
        """The feature in which it differs most for sure."""
        found = [(name, self._difference(name)) for name in LOOKED_AT]
        found = [(name, estimate) for name, estimate in found if estimate.low is not None]
        if not found:
            return None
        name, estimate = max(found, key=lambda entry: _least(entry[1]))
        who = shown(self.name)
        way = "more" if estimate.value > 0 else "fewer"
        return figure(
            f"quality.style.source.{self.name}",
            f"consistency: {who}, {LABELS[name]}",
            estimate,
            "score",
            method="standardised difference from all other sources, the largest of "
            f"{len(LOOKED_AT)}",
            alarm=f"The source {who} stands apart: {way} {LABELS[name]} than the others "
            f"({estimate.value:+.1f} standard deviations)."
            if _least(estimate) > APART
            else "",
        )

    def _difference(self, name: str) -> Estimate:
        column = FEATURES.index(name)
        logs = [np.log1p(side[:, column]) for side in (self.own, self.others)]
        return difference(*logs, least=LEAST_SPREAD)


def _least(estimate: Estimate) -> float:
    """How far from 0 the near end of an interval lies; 0 when 0 lies inside."""
    assert estimate.low is not None
    assert estimate.high is not None
    return max(estimate.low, -estimate.high, 0.0)


def _table(sources: list[_Source]) -> list[Table]:
    if len(sources) < 2:
        return []
    rows = []
    for source in sources:
        shares = [percent(float((source.own[:, FEATURES.index(n)] > 0).mean())) for n in SHARES]
        words = np.median(source.own[:, FEATURES.index("words")])
        closed = source.own[:, FEATURES.index("closed")].mean()
        n = f"{len(source.own):,}"
        rows.append([shown(source.name), n, f"{words:,.0f}", percent(closed), *shares])
    headers = [
        "source",
        "n",
        "words",
        "closed",
        "lists",
        "headings",
        "bold",
        "code",
        "I, we",
        "don't",
    ]
    note = "Words are medians, the others shares of answers that have any."
    return [table("Style of answers by source", headers, rows, note)]
