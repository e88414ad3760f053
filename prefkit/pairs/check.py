"""Pairs that teach nothing or teach wrong, set aside before training."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from prefkit.cleaning.normalise import normalise
from prefkit.records import Dropped, PreferencePair, text_of

PLAIN = re.compile(r"[\t\n\r -~]*")  # what normalising would change in spacing only


class Checked(NamedTuple):
    """What may be trained on, and what not and why."""

    kept: list[PreferencePair]
    dropped: list[Dropped]


def check_pairs(pairs: Iterable[PreferencePair], stage: str = "pairs") -> Checked:
    """Set aside pairs whose two sides say the same, whose chosen side is empty, and repeats.

    Args:
        pairs: From our runs or from anywhere else.
        stage: Which stage drops them, for the record.
    """
    kept: dict[str, PreferencePair] = {}
    dropped = []
    for pair in pairs:
        rule, detail = _fault(pair)
        if not rule and pair.id in kept:
            rule, detail = "repeated-pair", "the same prompt, chosen and rejected came before"
        if rule:
            dropped.append(Dropped(record_id=pair.id, stage=stage, rule=rule, detail=detail))
        else:
            kept[pair.id] = pair
    return Checked(list(kept.values()), dropped)


def text_key(text: str) -> str:
    """What two completions share that differ in case, spacing or invisible characters only."""
    plain = (text.isascii() and text.isprintable()) or PLAIN.fullmatch(text)
    return " ".join((text if plain else normalise(text)).casefold().split())


def _fault(pair: PreferencePair) -> tuple[str, str]:
    chosen, rejected = text_key(text_of(pair.chosen)), text_key(text_of(pair.rejected))
    if chosen == rejected:
        return "same-text", "chosen and rejected are the same text"
    if not chosen:
        return "empty-chosen", "the chosen completion is empty"
    return "", ""
