"""The rule about numbers that an answer did not get from what it quotes."""

from prefkit.cleaning.rules.contract import View
from prefkit.config import CleanConfig
from prefkit.generation.grounding import numbers

SMALL = frozenset(map(str, range(2, 4)))  # counts that an answer may make itself: "two ways"


def ungrounded_number(view: View, config: CleanConfig) -> str | None:
    """The answer of an example with quotes states a number that neither passage nor prompt has."""
    passage = view.passage or view.row.record.metadata.get("passage")
    if not passage or not getattr(view.row.record, "quotes", ()):
        return None
    known = " ".join([passage, *(turn.content for turn in view.row.prompt)])
    for completion in view.good:
        missing = numbers(completion.text) - numbers(known) - SMALL
        if missing:
            shown = ", ".join(sorted(missing)[:5])
            return f"{shown} stands in the {completion.field}, not in its passage"
    return None
