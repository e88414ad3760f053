"""How much there is to say for an example, from 0 to 1: the order in which people review.

    confidence = sum(weight * signal) / sum(weight), over the signals that an example has

It is no probability: the weights are judgment, not measured. Low means "look at this first".
"""

from collections.abc import Mapping, Sequence
from typing import Final

from prefkit.generation.examples import Passage
from prefkit.generation.grounding import content_words, share_supported
from prefkit.generation.languages import WORDS
from prefkit.records import Example

WEIGHTS: Final[Mapping[str, float]] = {
    "quote_length": 1,  # words quoted, of 8; more prove no more
    "quote_share": 2,  # of the answer's words that stand in its quotes
    "support": 2,  # of the answer's words that stand in its passages
    "verifier": 3,  # 1 yes, 0.5 unscored
    "round_trip": 3,  # 1 agreed, 0 not, 0.5 no answer came
    "kind": 1,  # how often such kinds go wrong
    "language": 1,  # 1 where the words that checks look for are known
}
KINDS: Final[Mapping[str, float]] = {  # what joins, compares or refuses goes wrong more often
    "multi-hop": 0.5,
    "unanswerable": 0.5,
    "comparative": 0.6,
    "multi-turn": 0.7,
    "why": 0.8,
    "procedural": 0.8,
}
_ENOUGH = 8  # words quoted
_UNKNOWN = 0.6  # a language whose words are not known
_SAID = {"yes": 1.0, "agreed": 1.0, "unscored": 0.5, "no": 0.0, "disagreed": 0.0}


def signals(example: Example, passages: Sequence[Passage]) -> dict[str, float]:
    """The signals that an example has, each from 0 to 1.

    Args:
        example: With what a verifier said of it in its metadata.
        passages: What it was drafted from.
    """
    texts = {passage.chunk.id: passage.chunk.text for passage in passages}
    quotes = (texts.get(q.chunk_id, "")[q.start : q.end] for q in example.quotes)
    quoted = "\n".join(filter(None, quotes))
    asked = example.prompt[-1].content
    known = "\n".join([*(passage.known for passage in passages), asked])
    language = passages[0].language if passages else ""
    found = {
        "support": share_supported(example.reference, known),
        "kind": KINDS.get(example.kind, 1.0),
        "language": 1.0 if (language or "en") in WORDS else _UNKNOWN,
    }
    if quoted:
        found["quote_length"] = min(1.0, len(quoted.split()) / _ENOUGH)
        beyond = content_words(example.reference) - content_words(asked)
        held = beyond & content_words(quoted)
        found["quote_share"] = len(held) / len(beyond) if beyond else 1.0
    for name in ("verifier", "round_trip"):
        if said := example.metadata.get(name):
            found[name] = _SAID[said]
    return {name: found[name] for name in WEIGHTS if name in found}


def confidence(found: Mapping[str, float]) -> float:
    """The mean of some signals by their weights."""
    whole = sum(WEIGHTS[name] for name in found)
    return sum(WEIGHTS[name] * value for name, value in found.items()) / whole if whole else 0.0


def with_confidence(example: Example, passages: Sequence[Passage]) -> Example:
    """An example with its confidence, and what it is made of, in its metadata."""
    found = signals(example, passages)
    shown = " ".join(f"{name}={value:.2f}" for name, value in found.items())
    notes = {"confidence": f"{confidence(found):.3f}", "confidence_signals": shown}
    return example.model_copy(update={"metadata": example.metadata | notes})
