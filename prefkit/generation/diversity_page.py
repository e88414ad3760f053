"""Diversity on the page and the card of a run: figures, bars, and what differs from people's."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from prefkit.audit import plots
from prefkit.audit.sections import Chart, Figure, Section
from prefkit.audit.telling import figure, plural, shown
from prefkit.evaluation.statistics import Estimate
from prefkit.generation.diversity import FEWEST_TEXTS, FEWEST_WORDS, Measured
from prefkit.generation.diversity_found import MADE, PASSAGES, PEOPLE, Diversity, Field, frequent
from prefkit.generation.diversity_tables import SHARES, SIDES, said, tables, unit_of
from prefkit.generation.question_types import ordered
from prefkit.generation.reported import Reported

BARS: Final = 10
_SAYS: Final = {
    "self-BLEU": "1: all are copies; longer texts share more.",
    "Vendi score": "Effective number of different texts.",
}


def section(reported: Reported) -> Section:
    """The part of the page."""
    return section_of(reported.diversity)


def diversity(reported: Reported) -> str:
    """The part of the card."""
    return card_of(reported.diversity)


def section_of(diversity: Diversity) -> Section:
    """See `section`."""
    counted = plural(diversity.rows, "record")
    return Section(
        "diversity",
        "Diversity",
        f"Whether {counted} say many things or the same again and again. Sets are compared at the "
        f"same number of words and of texts. Under {FEWEST_WORDS:,} words or {FEWEST_TEXTS} texts "
        f"a figure says “too few”, and raises no alarm. {' '.join(diversity.notes)}".strip(),
        tuple(_figures(diversity)),
        tuple(tables(diversity)),
        tuple(_charts(diversity)),
    )


def card_of(diversity: Diversity) -> str:
    """A few figures, and every alarm."""
    names = ("distinct-3", "compression", "Vendi score", "most frequent opening")
    lines = [
        "## Diversity\n",
        f"| of {diversity.rows:,} records | {' | '.join(names)} |",
        f"|---|{'---:|' * len(names)}",
    ]
    for of, measured in _rows(diversity):
        figures = measured.figures()
        lines.append(f"| {_cell(of)} | {' | '.join(said(n, figures[n]) for n in names)} |")
    lines += ["", *(f"- {_cell(alarm.says)}" for alarm in diversity.alarms)]
    if not diversity.alarms:
        lines.append("No sign of collapse where there is enough to tell.")
    lines += [f"- {_cell(told)}" for told in _apart(diversity)]
    return "\n".join([*lines, "", "Same numbers of words and texts: `diversity.json`."])


def _rows(diversity: Diversity) -> Iterator[tuple[str, Measured]]:
    for field in diversity.fields:
        yield field.name, field.sides[MADE]
        yield f"passages, beside {field.name}", field.sides[PASSAGES]


def _apart(diversity: Diversity) -> Iterator[str]:
    """Which figures differ from those of people's set."""
    source, rows = diversity.compared or ("", 0)
    for field in diversity.fields:
        if not field.people:
            continue
        made, people = (field.people[side].figures() for side in (MADE, PEOPLE))
        told = [
            f"{name} {said(name, made[name])} against {said(name, people[name])}"
            for name, apart in field.differences().items()
            if apart.above(0) or apart.below(0)
        ]
        yield (
            f"Beside {shown(source)} (n = {rows:,} rows), at the same size, {field.name} differ "
            f"in: {', '.join(told) or 'nothing that can be told'}."
        )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _figures(diversity: Diversity) -> Iterator[Figure]:
    """What was made with its alarms; alarms about parts of it stand by themselves below."""
    alarms = {alarm.key: alarm for alarm in diversity.alarms}
    for field in diversity.fields:
        beside = field.sides[PASSAGES].figures()
        for name, found in field.sides[MADE].figures().items():
            alarm = alarms.pop(f"{field.name}.{name}", None)
            yield figure(
                f"diversity.{field.name}.{name}",
                f"{field.name}: {name}",
                found,
                unit_of(name),
                note=_note(name, found, beside[name], field),
                alarm=alarm.says if alarm else "",
            )
    for number, third in enumerate(diversity.thirds, start=1):
        yield figure(
            f"diversity.repeats.{number}",
            f"near duplicates of earlier questions: third {number} of the run",
            third,
            method="dropped as asked before, or kept at Jaccard 0.7; over the drafts of the third",
        )
    for alarm in alarms.values():
        yield figure(f"diversity.{alarm.key}", alarm.label, alarm.estimate, alarm.unit,
                     alarm=alarm.says)  # fmt: skip


def _note(name: str, found: Estimate, passages: Estimate, field: Field) -> str:
    if not math.isfinite(found.value):
        return f"{found.method[:1].upper()}{found.method[1:]}."
    notes = [_SAYS.get(name, "")]
    opens = field.sides[MADE].opens
    if name in SHARES:
        notes.append(f"“{shown(opens)}”" if opens else "No text has four words.")
    elif math.isfinite(passages.value) and name != "self-BLEU":
        notes.append(f"The passages: {passages.value:.3g}.")
    return " ".join(filter(None, notes))


def _charts(diversity: Diversity) -> Iterator[Chart]:
    if diversity.rows < FEWEST_TEXTS:
        return
    for field in diversity.fields:
        yield from _openings(field)
    counts = {SIDES[side]: found for side, found in diversity.types.items()}
    names = ordered(kind for found in counts.values() for kind in found)[: 2 * BARS]
    told = ", ".join(f"{side}: {found.total():,}" for side, found in counts.items())
    yield Chart(
        "Question types",
        f"What questions ask for, by their words (n: {told}).",
        plots.shares(
            "Question types",
            [shown(name) for name in names],
            {side: _shares(found, names, found.total()) for side, found in counts.items()},
        ),
    )


def _openings(field: Field) -> Iterator[Chart]:
    names = [words for words, times in frequent(field.openings[MADE])[:BARS] if times > 1]
    if not names:
        return
    sides = {
        SIDES[side]: _shares(counts, names, _texts(field, side))
        for side, counts in field.openings.items()
    }
    title = f"Openings of {field.name}"
    yield Chart(
        title,
        f"The most frequent first four words, of {field.sides[MADE].texts:,} {field.name}. "
        "One long bar is a generator that begins alike.",
        plots.shares(title, [shown(name) for name in names], sides, left=230.0),
    )


def _texts(field: Field, side: str) -> int:
    return (field.people if side == PEOPLE else field.sides)[side].texts


def _shares(counts: Mapping[str, int], names: Iterable[str], whole: int) -> Sequence[float]:
    return [counts.get(name, 0) / whole if whole else 0.0 for name in names]
