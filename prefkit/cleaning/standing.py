"""Which of some duplicates stays: the one with the better standing, told by fields of the record.

A test split comes first, since what is held out must not be trained on. Then a person's hand, the
score, the quotes, and how much is known of where the record is from.
"""

import math
from collections.abc import Mapping
from typing import Any

from prefkit.cleaning.rows import Cleanable
from prefkit.records import Example, PreferencePair

WRITTEN, JUDGED, MACHINE = 2, 1, 0  # by a person; by a person; neither
OURS = frozenset(("normalised", "before_repair", "id_before", "flags"))  # notes of cleaning


def standing(record: Cleanable) -> dict[str, Any]:  # values of SCHEMA
    """What `PREFERENCE` goes by, except the id.

    A record that lacks a field yields to one that has it.
    """
    pair = record if isinstance(record, PreferencePair) else None
    return {
        "held": record.split == "test",
        "hand": _hand(record),
        "margin": _number(pair.margin if pair else None),
        "votes": pair.votes_for - pair.votes_against if pair else 0,
        "quotes": len(record.quotes) if isinstance(record, Example) else 0,
        "provenance": _provenance(record),
    }


def _hand(record: Cleanable) -> int:
    """How far a person had a hand in it: wrote an answer, judged it, or neither."""
    if isinstance(record, Example):
        edited = "edited_from" in record.metadata or record.generator.endswith("+ edit")
        return WRITTEN if edited else MACHINE
    if isinstance(record, PreferencePair) and any(vote.kind == "edit" for vote in record.votes):
        return WRITTEN
    judged = "human" in record.source.split("+") or record.metadata.get("adjudicated") == "true"
    return JUDGED if judged else MACHINE


def _provenance(record: Cleanable) -> int:
    """How many things are known of where it is from: ids, votes, generator, notes."""
    held: Mapping[str, Any] = record.__dict__
    names = ("prompt_id", "chosen_id", "rejected_id", "candidate_id", "generator", "source")
    known = sum(bool(held.get(name)) for name in names)
    return known + len(held.get("votes", ())) + len(record.metadata.keys() - OURS)


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
