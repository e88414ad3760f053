"""A record of any kind as cleaning sees it: what was asked, and what was answered.

Cleaning takes examples, preference pairs and thumbs. A completion is *good* when training would
make it likelier: a reference, a chosen side, a thumb up. A rejected side may well be short, cut
off or a refusal; rules against bad answers look at good completions only.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prefkit.records import (
    Example,
    Message,
    Messages,
    PreferencePair,
    UnpairedPreference,
    text_of,
)

Cleanable = Example | PreferencePair | UnpairedPreference
KINDS: dict[str, type[Cleanable]] = {
    "examples": Example,
    "pairs": PreferencePair,
    "unpaired": UnpairedPreference,
}


def kind_of(row: Mapping[str, Any]) -> str:  # one JSON object of unknown make
    """Which kind of record a row is, told by its fields."""
    if "chosen" in row and "rejected" in row:
        return "pairs"
    return "unpaired" if "completion" in row and "label" in row else "examples"


@dataclasses.dataclass(frozen=True)
class Completion:
    """One answer of a row.

    Attributes:
        field: Its name in the record: reference, chosen, rejected or completion.
        text: The contents of its turns, joined by blank lines.
        good: Whether training would make it likelier.
    """

    field: str
    text: str
    good: bool


@dataclasses.dataclass(frozen=True)
class Row:
    """What was asked and what was answered.

    Attributes:
        record: The record itself.
        prompt: Its conversation up to the answer.
        completions: Its answers; of a pair, chosen comes first.
    """

    record: Cleanable
    prompt: Messages
    completions: tuple[Completion, ...]

    @property
    def question(self) -> str:
        """The last turn of the prompt."""
        return self.prompt[-1].content

    @property
    def good(self) -> tuple[Completion, ...]:
        """The completions that training would make likelier."""
        return tuple(completion for completion in self.completions if completion.good)

    def texts(self) -> Iterator[tuple[str, str]]:
        """`(field, text)` of every turn of the prompt and every completion."""
        for message in self.prompt:
            yield "prompt", message.content
        for completion in self.completions:
            yield completion.field, completion.text


def row_of(record: Cleanable) -> Row:
    """The record as a row."""
    if isinstance(record, Example):
        completions = (Completion("reference", record.reference, True),)
    elif isinstance(record, PreferencePair):
        completions = (
            Completion("chosen", text_of(record.chosen), True),
            Completion("rejected", text_of(record.rejected), False),
        )
    else:
        completions = (Completion("completion", text_of(record.completion), record.label),)
    return Row(record, record.prompt, completions)


def rewritten(
    record: Cleanable, change: Callable[[str], str], notes: Mapping[str, str]
) -> Cleanable:
    """The record with every text changed and `notes` added to its metadata.

    An id made from content follows the content, and `id_before` notes the old one; an id that the
    user gave stays.

    Raises:
        pydantic.ValidationError: Nothing is left of a reference.
    """
    fields: dict[str, Any] = dict(record)  # fields of whatever kind of record it is
    own = type(record).model_validate(fields | {"id": ""}).id == record.id
    for name in ("prompt", "chosen", "rejected", "completion"):
        if name in fields:
            fields[name] = tuple(
                Message(role=turn.role, content=change(turn.content)) for turn in fields[name]
            )
    if "reference" in fields:
        fields["reference"] = change(fields["reference"])
    before = {"id_before": record.id} if own else {}
    fields["metadata"] = record.metadata | before | dict(notes)
    return type(record).model_validate(fields | {"id": "" if own else record.id})
