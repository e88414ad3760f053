"""A second look at each draft by a model: answerable, supported, self-contained, with proofs.

A yes counts only with a proof that can be found: a sentence of the passage, or for self-contained
words of the question. Anything else that is no plain no is unscored, never a yes.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from prefkit.generation.examples import Passage
from prefkit.generation.grounding import find_quote, long_enough
from prefkit.generation.kinds import NOWHERE
from prefkit.generation.structured import whole_objects

Word = Literal["yes", "no", "unscored"]
RULES: Final[Mapping[str, str]] = {  # what is decided, and the rule by which a no drops
    "answerable": "unanswerable",
    "supported": "unsupported",
    "self_contained": "not-self-contained",
}
TOKENS: Final = 400  # room for three verdicts and their proofs
_ONE: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["verdict", "proof"],
    "properties": {
        "verdict": {"type": "string", "enum": ["yes", "no"]},
        "proof": {"type": "string"},
    },
}
SCHEMA: Final[dict[str, Any]] = {  # a JSON schema
    "type": "object",
    "additionalProperties": False,
    "required": list(RULES),
    "properties": dict.fromkeys(RULES, _ONE),
}


@dataclasses.dataclass(frozen=True)
class Found:
    """What a verifier says of a draft.

    Attributes:
        words: yes, no or unscored for each of RULES that applies.
        refused: The rule that it breaks; empty when none.
    """

    words: Mapping[str, Word]
    refused: str = ""

    @property
    def word(self) -> Word:
        """All in one: yes only when everything is."""
        if self.refused:
            return "no"
        return "yes" if set(self.words.values()) == {"yes"} else "unscored"


def read_found(reply: str, question: str, kind: str, passages: Sequence[Passage]) -> Found:
    """A verifier's reply, with every yes checked.

    Args:
        reply: As it came.
        question: The last question.
        kind: Of the draft; one that nothing should answer must not be answerable.
        passages: What it was drafted from.
    """
    values = _object(reply)
    texts = [passage.chunk.text for passage in passages]
    words: dict[str, Word] = {
        "answerable": _word(values.get("answerable"), texts),
        "supported": _word(values.get("supported"), texts),
        "self_contained": _word(values.get("self_contained"), [question], short=True),
    }
    if kind == NOWHERE:
        del words["supported"]
        answered = words["answerable"]
        if answered == "yes":
            return Found(words, "answerable")
        words["answerable"] = "yes" if answered == "no" else "unscored"  # it is as it should be
    refused = next((RULES[name] for name, word in words.items() if word == "no"), "")
    return Found(words, refused)


def _object(reply: str) -> Mapping[str, Any]:
    try:
        value = json.loads(reply)
    except (json.JSONDecodeError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    found = whole_objects(reply, "answerable")
    return found[0] if found else {}


def _word(value: Any, texts: Sequence[str], *, short: bool = False) -> Word:  # as a model wrote it
    if not isinstance(value, dict):
        return "unscored"
    verdict, proof = value.get("verdict"), value.get("proof")
    said = verdict.strip().lower() if isinstance(verdict, str) else ""
    if said == "no":
        return "no"
    if said != "yes" or not isinstance(proof, str) or not proof.strip():
        return "unscored"
    stands = (short or long_enough(proof)) and any(find_quote(text, proof) for text in texts)
    return "yes" if stands else "unscored"
