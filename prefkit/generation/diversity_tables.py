"""Diversity on the page of a run: tables of openings, types, generators, and people's texts."""

import math
from collections.abc import Iterator
from typing import Final

from prefkit.audit.sections import Table, Unit
from prefkit.audit.telling import percent, plural, shown, table
from prefkit.evaluation.statistics import Estimate
from prefkit.generation.diversity_found import MADE, PASSAGES, PEOPLE, Diversity, Field, frequent
from prefkit.generation.question_types import ordered

NOTED: Final = 5  # openings of the table
SHARES: Final = ("most frequent opening",)
SIDES: Final = {MADE: "made", PASSAGES: "passages", PEOPLE: "written by people"}


def tables(diversity: Diversity) -> Iterator[Table]:
    """All tables of a set."""
    for field in diversity.fields:
        yield from _beside_people(field, diversity)
        yield from _by_generator(field)
        yield from _frequent(field)
    yield from _types(diversity)
    yield from _planned(diversity)


def _beside_people(field: Field, diversity: Diversity) -> Iterator[Table]:
    if not field.people or diversity.compared is None:
        return
    made, people = (field.people[side].figures() for side in (MADE, PEOPLE))
    source, count = diversity.compared
    rows = [
        [name, said(name, made[name]), said(name, people[name]), *_differs(name, apart)]
        for name, apart in field.differences().items()
    ]
    yield table(
        f"{field.name.capitalize()} beside those of {shown(source)}",
        ["figure", "made", "people's", "made less people's", "so"],
        rows,
        f"{plural(count, 'row')} written by people. It differs where the 95 % interval of the "
        "difference (square-and-add) leaves out 0, of a share in points; the Vendi score has none.",
    )


def _differs(name: str, apart: Estimate) -> tuple[str, str]:
    if not math.isfinite(apart.value):
        return "–", "too few"
    scale = 100 if name in SHARES else 1
    if apart.low is None or apart.high is None:
        return f"{scale * apart.value:+.3g}", "no interval"
    told = f"{scale * apart.value:+.3g} ({scale * apart.low:.3g} to {scale * apart.high:.3g})"
    return told, "differs" if apart.above(0) or apart.below(0) else "no difference shown"


def _by_generator(field: Field) -> Iterator[Table]:
    if not field.generators:
        return
    names = tuple(next(iter(field.generators.values())).figures())
    rows = [
        [
            shown(name) or "(no name)",
            f"{measured.texts:,}",
            *(said(n, found) for n, found in measured.figures().items()),
        ]
        for name, measured in field.generators.items()
    ]
    note = "At the same number of words, and of texts, of those that have enough."
    title = f"{field.name.capitalize()} by generator"
    yield table(title, ["generator", "n", *names], rows, note)


def _frequent(field: Field) -> Iterator[Table]:
    count = field.sides[MADE].texts
    rows = [
        [shown(words), f"{times:,}", percent(times / count)]
        for words, times in frequent(field.openings[MADE])[:NOTED]
        if times > 1
    ]
    if rows:
        title = f"Most frequent openings of {field.name}"
        yield table(title, ["first four words", "n", "share"], rows, f"Of {count:,} {field.name}.")


def _types(diversity: Diversity) -> Iterator[Table]:
    sides = list(diversity.types)
    totals = {side: diversity.types[side].total() for side in sides}
    rows = []
    for kind in ordered(kind for counts in diversity.types.values() for kind in counts):
        cells = []
        for side in sides:
            count = diversity.types[side][kind]
            cells += [f"{count:,}", percent(count / totals[side]) if totals[side] else "–"]
        rows.append([shown(kind), *cells])
    headers = [header for side in sides for header in (SIDES[side], "share")]
    if rows:
        note = "By question words of English, German, French and Spanish; of other languages by "
        note += "the first word."
        yield table("Question types", ["type", *headers], rows, note)


def _planned(diversity: Diversity) -> Iterator[Table]:
    for what in dict.fromkeys(part.what for part in diversity.parts):
        parts = [part for part in diversity.parts if part.what == what]
        rows = [
            [shown(p.name), f"{p.planned:,}", percent(p.wanted), f"{p.made:,}",
             percent(p.share.value)]
            for p in parts
        ]  # fmt: skip
        note = f"{parts[0].of_plan:,} planned in the units that were drafted, "
        note += f"{parts[0].of_made:,} made."
        headers = [what, "planned", "share", "made", "share"]
        yield table(f"{what.capitalize()}s, planned and made", headers, rows, note)


def unit_of(name: str) -> Unit:
    """How a figure is printed."""
    return "share" if name in SHARES else "ratio"


def said(name: str, found: Estimate) -> str:
    """A figure in a table; `too few` when there was too little to measure it."""
    if not math.isfinite(found.value):
        return "too few"
    return percent(found.value) if name in SHARES else f"{found.value:.3g}"
