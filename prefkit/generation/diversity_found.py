"""The diversity of a run or of any examples, by generator, beside passages and people's texts."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from prefkit.audit.quality.measures import openings
from prefkit.errors import PrefkitError
from prefkit.evaluation.statistics import Estimate
from prefkit.generation.collapse import Alarm, Part, alarms_of, of_plan, of_repeats
from prefkit.generation.diversity import Encode, Measured, as_json, difference, measure
from prefkit.generation.diversity_sets import Compared, Said, Sample, sampled
from prefkit.generation.question_types import types_of

MADE: Final = "made"
PASSAGES: Final = "passages"
PEOPLE: Final = "people's"
SHOWN: Final = 20  # openings that are stored


@dataclasses.dataclass(frozen=True)
class Field:
    """Questions, or answers.

    Attributes:
        name: questions or answers.
        sides: What was made, beside the passages.
        people: What was made, beside what people wrote; empty without it.
        generators: What each generator made, where there are several, beside the passages.
        openings: How many texts have the same first four words, by side.
    """

    name: str
    sides: Mapping[str, Measured]
    people: Mapping[str, Measured]
    generators: Mapping[str, Measured]
    openings: Mapping[str, Counter[str]]

    def differences(self) -> dict[str, Estimate]:
        """How much larger each figure is than in people's set; empty without one."""
        if not self.people:
            return {}
        made, people = (self.people[side].figures() for side in (MADE, PEOPLE))
        return {name: difference(made[name], people[name]) for name in made}


@dataclasses.dataclass(frozen=True)
class Diversity:
    """What is known of a set.

    Attributes:
        rows: Records in all.
        fields: Questions, and answers if there are any.
        types: Question types of what was made and of people's set.
        parts: Kinds and personas, planned and made.
        thirds: Share of near duplicates in each third of the run.
        embedder: What the Vendi score is made of.
        compared: People's set: its name and rows.
        notes: What could not be measured, and why.
    """

    rows: int
    fields: tuple[Field, ...]
    types: Mapping[str, Counter[str]]
    parts: tuple[Part, ...] = ()
    thirds: tuple[Estimate, ...] = ()
    embedder: str = ""
    compared: tuple[str, int] | None = None
    notes: tuple[str, ...] = ()

    @property
    def alarms(self) -> list[Alarm]:
        """What someone should look at."""
        found: list[Alarm] = []
        for field in self.fields:
            who, beside = f"the {field.name}", field.sides[PASSAGES]
            found += alarms_of(field.name, who, field.sides[MADE], beside)
            for name, measured in field.generators.items():
                if name != PASSAGES:
                    key, of = f"{field.name}.{name}", f"{who} of {name or '(no name)'}"
                    found += alarms_of(key, of, measured, field.generators[PASSAGES])
        return [*found, *of_plan(self.parts), *of_repeats(self.thirds)]

    def as_json(self) -> dict[str, Any]:  # JSON values
        """What `diversity.json` holds."""
        return {
            "rows": self.rows,
            "embedder": self.embedder,
            "compared_with": dict(zip(("source", "rows"), self.compared, strict=True))
            if self.compared
            else None,
            "alarms": [{"about": a.key, "n": a.estimate.n, "says": a.says} for a in self.alarms],
            "notes": list(self.notes),
            **{field.name: _field(field) for field in self.fields},
            "question_types": {side: dict(counts) for side, counts in self.types.items()},
            "planned": [dataclasses.asdict(part) for part in self.parts],
            "near_duplicates_by_third": [as_json(third) for third in self.thirds],
        }


def _field(field: Field) -> dict[str, Any]:  # JSON values
    return {
        **_each(field.sides),
        "beside_people": _each(field.people),
        "generators": _each(field.generators),
        "openings": {
            side: dict(frequent(counts)[:SHOWN]) for side, counts in field.openings.items()
        },
        "more_than_people": {name: as_json(d) for name, d in field.differences().items()},
    }


def _each(measured: Mapping[str, Measured]) -> dict[str, Any]:  # JSON values
    return {name: found.as_json() for name, found in measured.items()}


def diversity_of(
    rows: Iterable[tuple[str, Said]],
    passages: Iterable[str],
    encode: Encode,
    *,
    compared: Compared | None = None,
    parts: Sequence[Part] = (),
    thirds: Sequence[Estimate] = (),
    embedder: str = "",
) -> Diversity:
    """Measure a set; apart from `thirds`, the order of its rows does not matter.

    Args:
        rows: The generator of each record, and what it says.
        passages: What they were made from.
        encode: Makes the vectors of the Vendi score.
        compared: What people wrote.
        parts: Kinds and personas, planned and made.
        thirds: Near duplicates by third of the run.
        embedder: What `encode` is called.
    """
    whole, by_generator = Sample(), dict[str, Sample]()
    for generator, said in rows:
        whole.add(said)
        by_generator.setdefault(generator, Sample()).add(said)
    sources, people = sampled(passages), compared.said if compared else ()
    of_each = {name: by_generator[name].said() for name in sorted(by_generator)}
    safe = _Safe(encode)
    said = whole.said()
    fields = tuple(
        _measured(place, name, said, sources, people, of_each, safe)
        for place, name in enumerate(("questions", "answers"))
        if name == "questions" or any(one.answer for one in said)
    )
    sides = {MADE: said} | ({PEOPLE: people} if compared else {})
    types = {side: types_of((s.question, s.language) for s in of) for side, of in sides.items()}
    return Diversity(
        rows=whole.rows,
        fields=fields,
        types=types,
        parts=tuple(parts),
        thirds=tuple(thirds),
        embedder=embedder,
        compared=(compared.source, compared.rows) if compared else None,
        notes=tuple(dict.fromkeys(safe.failures)),
    )


class _Safe:
    """An encoder whose failure leaves the Vendi score unmeasured, and all else as it is."""

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self.failures: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Any:  # an array
        import numpy as np

        try:
            return self._encode(texts)
        except PrefkitError as error:
            self.failures.append(f"Vendi score: not measured: {error}")
            return np.zeros((len(texts), 1))


def _measured(
    place: int,
    name: str,
    said: Sequence[Said],
    passages: Sequence[str],
    people: Sequence[Said],
    by_generator: Mapping[str, Sequence[Said]],
    encode: Encode,
) -> Field:
    def texts(of: Sequence[Said]) -> list[str]:
        return [one[place] for one in of if one[place].strip()]

    made, sources = texts(said), list(passages)
    sides = {MADE: made, PEOPLE: texts(people)} if people else {MADE: made}
    generators = {generator: texts(of) for generator, of in by_generator.items()}
    several = len(generators) > 1
    return Field(
        name,
        measure({MADE: made, PASSAGES: sources}, encode),
        measure(sides, encode) if people else {},
        measure(generators | {PASSAGES: sources}, encode) if several else {},
        {side: _openings(of) for side, of in sides.items()},
    )


def _openings(texts: Sequence[str]) -> Counter[str]:
    return Counter({" ".join(words): count for words, count in openings(texts).items()})


def frequent(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first; of those as frequent, by name."""
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
