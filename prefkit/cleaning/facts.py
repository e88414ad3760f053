"""What a text states: its numbers, names, signs and turning words.

Two texts are duplicates only when neither states what the other lacks: "two days before" and
"three days before" are two facts, however alike.
"""

from prefkit.cleaning.normalise import SENTENCE_MARK

TURNING = frozenset(
    "no not never none without except only before after above below under over minimum maximum "
    "least most more less first second third last one two three four five six seven eight nine "
    "ten eleven twelve twenty thirty forty fifty hundred thousand half double once twice daily "
    "weekly monthly yearly".split()
)


PRONOUN = frozenset(["i"])  # written like a name; a paraphrase may do without


def same_facts(one: str, other: str, ignoring: frozenset[str] = frozenset()) -> bool:
    """Whether each text mentions every number, name, sign and turning word of the other.

    Args:
        one: A text.
        other: Another.
        ignoring: Words that are no facts here, in lower case.
    """
    ours, theirs = _facts(one) - ignoring, _facts(other) - ignoring
    return ours <= _mentions(other) and theirs <= _mentions(one)


def _facts(text: str) -> set[str]:
    """Words with a digit, a sign, or a capital inside a sentence; and turning words."""
    facts: set[str] = set()
    opening = True
    for word in text.replace("\n", " . ").split():
        for part in _parts(word):
            folded = part.casefold()
            capital = not opening and part != folded
            if folded in TURNING or capital or not part.replace("-", "").isalpha():
                facts.add(folded)
            opening = False
        opening |= word[-1] in ".!?:"
    return facts


def _mentions(text: str) -> set[str]:
    return {part.casefold() for part in _parts(text)}


def _parts(text: str) -> list[str]:
    """Words without sentence marks, emphasis and dashes."""
    parts = (part.strip("*_~|•–—") for part in SENTENCE_MARK.sub(" ", text).split())
    return [part for part in parts if part.strip("-/")]
