"""Where rows are from: their generator, document, model, and notes that few values share."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from prefkit.audit.audited import Audited
from prefkit.cleaning.rows import Row
from prefkit.records import Example

Ints = NDArray[np.int64]
FIELDS = ("generator", "kind", "source", "split")  # of a record, that say where it is from
NOT_ORIGINS = ("id", "id_before", "normalised", "flags", "before_repair", "page", "judgment_id")
DOCUMENT = ("document", "document_id", "source")  # notes that name a document
SIDED = (
    "model",
    "model_name",
    "generator",
    "source",
)  # notes such as `chosen_model`, `rejected-model`
MOST_VALUES = 50  # of a note that is an origin and no text
LONGEST = 80  # characters of such a value
MOST_NOTES = 10


@dataclasses.dataclass(frozen=True)
class Origin:
    """One way to tell rows apart by where they are from.

    Attributes:
        name: Such as `generator` or `metadata.topic`.
        values: What there is, the most frequent first, equally frequent ones by name.
        of: Number of each row's value; -1 where it has none. Shape (rows,).
    """

    name: str
    values: tuple[str, ...]
    of: Ints

    @classmethod
    def named(cls, name: str, said: Sequence[str | None]) -> "Origin":
        """An origin of what each row says."""
        counts = Counter(value for value in said if value)
        values = sorted(counts, key=lambda value: (-counts[value], value))
        place = {value: number for number, value in enumerate(values)}
        return cls(name, tuple(values), np.array([place.get(v or "", -1) for v in said], np.int64))


def origins(audited: Audited) -> list[Origin]:
    """Every origin with at least two values."""
    rows = audited.records
    found = [Origin.named(name, [_text(row, name) for row in rows]) for name in FIELDS]
    found.append(Origin.named("document", list(documents(audited))))
    found += [Origin.named(f"metadata.{n}", _notes(rows, n)) for n in _shared_notes(rows)]
    if audited.kind == "unpaired":
        found.append(Origin.named("model", [one for (one,) in models(audited)]))
    told: dict[bytes, Origin] = {}
    for origin in found:
        if len(origin.values) > 1:
            told.setdefault(origin.of.tobytes(), origin)  # `source` as a note and as a document
    return list(told.values())


def documents(audited: Audited) -> Iterator[str | None]:
    """The document that each row is from, as far as it is known."""
    wanted = {getattr(row.record, "prompt_id", "") for row in audited.records} - {""}
    asked: dict[str, Example] = {}
    if wanted:
        stream = audited.stream("examples", Example)
        asked = {example.id: example for example in stream if example.id in wanted}
    for row in audited.records:
        own = _document(row.record.metadata, getattr(row.record, "quotes", ()), audited)
        example = asked.get(getattr(row.record, "prompt_id", ""))
        if own is None and example is not None:
            own = _document(example.metadata, example.quotes, audited)
        yield own


def models(audited: Audited) -> Iterator[tuple[str | None, ...]]:
    """Who wrote each completion of each row, as far as it is known."""
    fields = {"chosen": "chosen_id", "rejected": "rejected_id", "completion": "candidate_id"}
    known = audited.candidates
    for row in audited.records:
        found = []
        for completion in row.completions:
            name = getattr(row.record, fields.get(completion.field, ""), "")
            written = known.get(name) if name else None
            noted = _sided(row.record.metadata, completion.field)
            found.append(written.model if written else noted)
        yield tuple(found)


def _text(row: Row, name: str) -> str | None:
    value = getattr(row.record, name, None)
    return value if isinstance(value, str) else None


def _document(notes: Mapping[str, str], quotes: Sequence, audited: Audited) -> str | None:
    noted = next((notes[name] for name in DOCUMENT if notes.get(name)), None)
    if noted is not None or not quotes:
        return noted
    chunk = audited.chunks.get(quotes[0].chunk_id)
    return chunk.document_id if chunk else None


def _sided_names(field: str) -> list[str]:
    """Notes that name the writer of one side: such as `chosen_model`."""
    return [
        f"{one}{mark}{other}"
        for what in SIDED
        for mark in "_-."
        for one, other in ((field, what), (what, field))
    ]


def _sided(notes: Mapping[str, str], field: str) -> str | None:
    found = next((notes[name] for name in _sided_names(field) if notes.get(name)), None)
    if found is None and field == "completion":
        found = next((notes[name] for name in ("model", "model_name") if notes.get(name)), None)
    return found


def _shared_notes(rows: Sequence[Row]) -> list[str]:
    """Notes with few, short values, each of two rows or more on average."""
    values: dict[str, Counter[str]] = {}
    texts = {name for field in ("chosen", "rejected") for name in _sided_names(field)}
    for row in rows:
        for name, value in row.record.metadata.items():
            if name in NOT_ORIGINS or name in texts:
                continue
            seen = values.setdefault(name, Counter())
            seen[value] += 1
            if len(seen) > MOST_VALUES or len(value) > LONGEST:
                texts.add(name)
                del values[name]
    shared = [n for n, seen in values.items() if 1 < len(seen) <= sum(seen.values()) / 2]
    return sorted(shared, key=lambda name: (-sum(values[name].values()), name))[:MOST_NOTES]


def _notes(rows: Sequence[Row], name: str) -> list[str | None]:
    return [row.record.metadata.get(name) for row in rows]
