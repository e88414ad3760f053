"""Drift: whether a new batch is like a reference set, and in what it is not."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prefkit.audit import plots
from prefkit.audit.audited import Audited
from prefkit.audit.drifted import (
    BINS,
    LEAST_SPREAD,
    difference,
    ks,
    psi,
    psi_by_chance,
    psi_of_counts,
    total_variation,
)
from prefkit.audit.measured import hash64
from prefkit.audit.sections import Chart, Figure, Section, Table
from prefkit.audit.surface import FEATURES, LABELS
from prefkit.audit.telling import figure, shown, table
from prefkit.audit.vocabulary import Counted, counted
from prefkit.cleaning.rows import Row
from prefkit.records import text_of

FAR = 0.2  # standard deviations: the least that Cohen (1988) calls an effect
UNSTABLE = 0.25  # stability index over which scorecards are built anew (Siddiqi 2006)
APART = 0.6  # AUC of a classifier
DIVERGED = 0.1  # bits
MOVED = 0.1  # of the rows in other categories
TEXTS = 10_000  # of a set, shown to the classifier
CLIPPED = 4_000  # characters of a text, shown to the classifier
TERMS = 15
CATEGORIES = 10


def section(audited: Audited) -> Section | None:
    """The set against its reference; None without one."""
    reference = audited.reference
    if reference is None or not len(audited.measured) or not len(reference.measured):
        return None
    compared = [_Compared(audited, reference, side, name) for side, name in _sides(audited)]
    figures = [one.figure() for one in compared]
    words, terms = _words(audited, reference)
    mixes = [mix for mix in (_languages(audited, reference), _sources(audited, reference)) if mix]
    charts = [_forest(figures), *(mix.chart() for mix in mixes), *_lengths(audited, reference)]
    return Section(
        "drift",
        "Drift against the reference",
        f"{audited.rows:,} rows of {audited.source or 'this set'} against {reference.rows:,} of "
        f"{reference.source or 'the reference'}. A model trained on one meets the other; what "
        "changed was meant, or it was not.",
        figures=(*words, *(mix.figure() for mix in mixes), *figures),
        tables=(_table(compared), *terms, *(mix.table() for mix in mixes)),
        charts=tuple(chart for chart in charts if chart.svg),
    )


def _sides(audited: Audited) -> list[tuple[str, str]]:
    return [("prompt", "words"), *(("first", name) for name in FEATURES)]


@dataclasses.dataclass(frozen=True)
class _Compared:
    """One feature in both sets."""

    audited: Audited
    reference: Audited
    side: str
    name: str

    @property
    def values(self) -> tuple[np.ndarray, np.ndarray]:
        new, old = (a.measured.of(self.side, self.name) for a in (self.audited, self.reference))
        return new, old

    @property
    def label(self) -> str:
        return f"prompt, {LABELS[self.name]}" if self.side == "prompt" else LABELS[self.name]

    @property
    def stability(self) -> float:
        """The index where it is more than chance gives, else 0."""
        new, old = self.values
        value = psi(new, old)
        return value if value > psi_by_chance(len(new), len(old), BINS) else 0.0

    def figure(self) -> Figure:
        new, old = self.values
        estimate = difference(np.log1p(new), np.log1p(old), LEAST_SPREAD)
        stability = self.stability
        alarm = ""
        if estimate.above(FAR) or estimate.below(-FAR):
            way = "more" if estimate.value > 0 else "fewer"
            alarm = f"The new set has {way} {self.label} than the reference "
            alarm += f"({estimate.value:+.2f} standard deviations)."
        elif stability > UNSTABLE:
            alarm = f"The distribution of {self.label} is another one (stability index "
            alarm += f"{stability:.2f})."
        return figure(
            f"drift.{self.side}.{self.name}",
            self.label,
            estimate,
            "score",
            method="standardised difference of logarithms",
            alarm=alarm,
        )

    def row(self) -> list[str]:
        new, old = self.values
        numbers = [f"{new.mean():,.2f}", f"{old.mean():,.2f}", f"{ks(new, old):.3f}"]
        return [self.label, *numbers, f"{psi(new, old):.3f}"]


def _forest(figures: Sequence[Figure]) -> Chart:
    figures = [figure for figure in figures if figure.low is not None]
    svg = plots.around(
        "Standardised differences", figures, 0.0, ("the reference has more", "the new set has more")
    )
    says = f"In standard deviations; orange: the whole interval lies more than {FAR} away, or the "
    return Chart("What changed on the surface", says + "distribution is another one.", svg)


def _table(compared: Sequence[_Compared]) -> Table:
    headers = ["feature", "mean, new", "mean, reference", "KS distance", "stability index"]
    note = (
        "The Kolmogorov-Smirnov distance is the largest gap between the two distributions. The "
        f"stability index is over deciles of the reference; over {UNSTABLE} is another population."
    )
    return table("Features in both sets", headers, [one.row() for one in compared], note)


def _words(audited: Audited, reference: Audited) -> tuple[list[Figure], list[Table]]:
    """Vocabulary and the classifier."""
    new, old = (a.sample[:TEXTS] for a in (audited, reference))
    found = counted(*([_text(row) for row in rows] for rows in (new, old)))
    if found is None:
        return [], []
    groups = np.array([hash64(text_of(row.prompt)) for row in (*new, *old)], np.uint64)
    seed = audited.config.seed
    estimate = found.told_apart(groups, seed)
    told = figure(
        "drift.classifier",
        "a classifier tells the sets apart",
        estimate,
        "auc",
        method="AUC of a logistic regression on tf-idf, cross-validated by prompt",
        note="0.5 or less: it cannot.",
        alarm=f"A classifier tells the new set from the reference: AUC {estimate.value:.2f}."
        if estimate.above(APART)
        else "",
    )
    return [told, _divergence(found, seed)], [_terms(found)]


def _text(row: Row) -> str:
    texts = [text_of(row.prompt), row.completions[0].text]
    return "\n".join(text[:CLIPPED] for text in texts)


def _divergence(found: Counted, seed: int) -> Figure:
    value, chance = found.divergence(seed)
    apart = value > chance and value > DIVERGED
    return Figure(
        "drift.vocabulary",
        "vocabulary: Jensen-Shannon divergence",
        value,
        int(found.total.sum()),
        "bits",
        method="of word frequencies; n counts words",
        note=f"Reshuffled texts stay under {chance:.3f} in 99 of 100 cases.",
        alarm=f"The new set uses other words: {value:.2f} bits apart." if apart else "",
    )


def _terms(found: Counted) -> Table:
    more, less = found.telling(TERMS)
    rows = [
        [*_term(more, place), *_term(less, place)] for place in range(max(len(more), len(less)))
    ]
    note = "By log odds ratio with a prior; z over 2 is more than chance, for one word."
    headers = ["more in the new set", "z", "more in the reference", "z"]
    return table("Words that tell the sets apart", headers, rows, note)


def _term(terms: Sequence[tuple[str, float]], place: int) -> list[str]:
    if place >= len(terms):
        return ["", ""]
    return [shown(terms[place][0]), f"{abs(terms[place][1]):.1f}"]


@dataclasses.dataclass(frozen=True)
class _Mix:
    """Counts of categories in both sets."""

    what: str
    new: Mapping[str, int]
    old: Mapping[str, int]

    @property
    def names(self) -> list[str]:
        both = {name: self.new.get(name, 0) + self.old.get(name, 0) for name in self.all}
        return sorted(both, key=lambda name: (-both[name], name))

    @property
    def all(self) -> set[str]:
        return {*self.new, *self.old}

    def shares(self) -> tuple[list[float], list[float]]:
        sizes = [max(sum(side.values()), 1) for side in (self.new, self.old)]
        new, old = (
            [side.get(name, 0) / size for name in self.names]
            for side, size in zip((self.new, self.old), sizes, strict=True)
        )
        return new, old

    def figure(self) -> Figure:
        new, old = self.shares()
        sizes = sum(self.new.values()), sum(self.old.values())
        both = (self.new, self.old)
        counts = [np.array([side.get(name, 0) for name in self.names], float) for side in both]
        value = total_variation(new, old)
        moved = psi_of_counts(*counts) > psi_by_chance(*sizes, len(self.names))
        return Figure(
            f"drift.{self.what}",
            f"{self.what} mix: total variation",
            value,
            sum(sizes),
            "share",
            method="share of the rows that would have to change their "
            f"{self.what} for the mixes to be one",
            note="More than chance gives." if moved else "Not more than chance gives.",
            alarm=f"The mix of each {self.what} changed: {value:.0%} of the rows."
            if moved and value > MOVED
            else "",
        )

    def chart(self) -> Chart:
        new, old = (side[:CATEGORIES] for side in self.shares())
        names = [shown(name) or "(not known)" for name in self.names[:CATEGORIES]]
        svg = plots.shares(f"Mix by {self.what}", names, {"new set": new, "reference": old})
        return Chart(f"Mix by {self.what}", "Shares of the rows of each set.", svg)

    def table(self) -> Table:
        both = (self.new, self.old)
        rows = [
            [shown(name) or "(not known)", *(f"{side.get(name, 0):,}" for side in both)]
            for name in self.names
        ]
        return table(f"Mix by {self.what}", [self.what, "new set", "reference"], rows)


def _languages(audited: Audited, reference: Audited) -> _Mix | None:
    sides = [_counts(a.measured.table["language"].drop_null()) for a in (audited, reference)]
    return _Mix("language", *sides) if all(sides) else None


def _sources(audited: Audited, reference: Audited) -> _Mix | None:
    sides = [_counts(a.measured.table["source"]) for a in (audited, reference)]
    known = any(name for side in sides for name in side)
    return _Mix("source", *sides) if known and all(sides) else None


def _counts(column: Any) -> dict[str, int]:  # an Arrow column of strings
    return {entry["values"] or "": entry["counts"] for entry in column.value_counts().to_pylist()}


def _lengths(audited: Audited, reference: Audited) -> list[Chart]:
    charts = []
    for side, what in (("prompt", "prompt"), ("first", "completion")):
        words = {"new set": audited, "reference": reference}
        values = {name: a.measured.of(side, "words") for name, a in words.items()}
        svg = plots.lengths(f"Words of a {what}", "words, doubling at each step", values)
        charts.append(
            Chart(f"Words of a {what}", "Shares of each set, a quarter of a doubling.", svg)
        )
    return charts
