"""Ids of records read and made by the hundred thousand, without dumping them twice.

They are the ids that `records.Record` gives: SHA-256 over canonical JSON.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from prefkit.errors import PrefkitError
from prefkit.pairs.items import Items
from prefkit.records import Dropped, Message, Record

AnyRecord = TypeVar("AnyRecord", bound=Record)
_quoted: Callable[[str], str] = json.encoder.encode_basestring_ascii


def canonical(messages: Sequence[Message]) -> str:
    """Messages as canonical JSON."""
    turns = (f'{{"content":{_quoted(m.content)},"role":"{m.role}"}}' for m in messages)
    return f"[{','.join(turns)}]"


def by_id(records: Iterable[AnyRecord], *telling: str, where: str = "") -> dict[str, AnyRecord]:
    """Records by their id, of equal ones the last.

    Args:
        records: In any order.
        telling: Fields in which records of one id may not differ.
        where: The files they are from.

    Raises:
        PrefkitError: Two of one id differ.
    """
    found: dict[str, AnyRecord] = {}
    for record in records:
        other = found.setdefault(record.id, record)
        if other is not record:
            if any(getattr(other, name) != getattr(record, name) for name in telling):
                kind = type(record).__name__.lower()
                raise PrefkitError(
                    f"{where}{': ' if where else ''}two different {kind}s have the id {record.id}.",
                    hint=f"Judgments name {kind}s by id: give each {kind} one of its own.",
                )
            found[record.id] = record
    return found


def pair_id(prompt: str, chosen: str, rejected: str) -> str:
    """Id of a PreferencePair of canonical messages."""
    return _digest(f'["PreferencePair",{prompt},{chosen},{rejected}]')


def thumb_id(prompt: str, completion: str, label: bool) -> str:
    """Id of an UnpairedPreference of canonical messages."""
    return _digest(f'["UnpairedPreference",{prompt},{completion},{"true" if label else "false"}]')


def dropped(record_id: str, stage: str, rule: str, detail: str) -> Dropped:
    """A Dropped record."""
    words = ",".join(map(_quoted, ("Dropped", record_id, stage, rule, detail)))
    return Dropped(
        id=_digest(f"[{words}]"), record_id=record_id, stage=stage, rule=rule, detail=detail
    )


class Texts:
    """Canonical prompts and completions of items, each made once."""

    def __init__(self, items: Items) -> None:
        self._items = items
        self._prompts: dict[int, str] = {}
        self._completions: dict[int, str] = {}

    def prompt(self, number: int) -> str:
        """A prompt."""
        if number not in self._prompts:
            self._prompts[number] = canonical(self._items.examples[number].prompt)
        return self._prompts[number]

    def completion(self, item: int) -> str:
        """A completion."""
        if item not in self._completions:
            self._completions[item] = canonical(self._items.candidates[item].completion)
        return self._completions[item]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
