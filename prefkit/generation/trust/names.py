"""Names of several words: `Anna Lund` is no one in a text that knows Anna Berg and Tom Lund."""

import itertools
import re
from collections.abc import Iterator

_WORD = r"[^\W\d_]+(?:[’'-][^\W\d_]+)*"
_LINK = r"of the|of|the|von der|von|van der|van|de la|de los|de|del|der|du|da|di|y"
_NAME = re.compile(rf"(?<![\w.])[A-ZÀ-ÖØ-Þ]{_WORD[1:]}|(?<![\w.])[A-ZÀ-ÖØ-Þ][\w’'-]+")
_GAP = re.compile(rf"^\s+(?:(?:{_LINK})\s+)?$")
_BEFORE = re.compile(r"(?:^|[.!?:;]\s+|\n\s*)[\"'“‘(\[*`]*$")
_NO_PARTS = frozenset(  # stand before a name and are no part of it
    "mr mrs ms miss dr prof professor sir madam herr frau señor señora monsieur madame monday "
    "tuesday wednesday thursday friday saturday sunday january february march april may june july "
    "august september october november december".split()
)


def unknown_pairs(answer: str, text: str) -> list[str]:
    """Neighbouring words of names in an answer that a text never puts together.

    A text puts them together with at most two capitalised words or links (`of`, `von`) between, or
    turned round at a comma (`Berg, Anna`). The word that opens a sentence counts only when the text
    has it within a sentence, or before another word with a capital.

    Args:
        answer: In a language that does not write every noun with a capital.
        text: All that may support it.
    """
    return [f"{one} {other}" for one, other in _pairs(answer, text) if not _near(one, other, text)]


def _pairs(answer: str, text: str) -> Iterator[tuple[str, str]]:
    found = list(_NAME.finditer(answer))
    for one, other in itertools.pairwise(found):
        if not _GAP.match(answer[one.end() : other.start()]):
            continue
        if _is_part(one, answer, text) and _is_part(other, answer, text):
            yield _bare(one[0]), _bare(other[0])


def _is_part(word: re.Match[str], answer: str, text: str) -> bool:
    name = _bare(word[0])
    if name.lower() in _NO_PARTS or len(name) < 2:
        return False
    if not _BEFORE.search(answer[: word.start()]):
        return True
    told = re.escape(name)
    return re.search(rf"[\w,)] {told}\b|\b{told} [A-ZÀ-ÖØ-Þ]", text) is not None


def _bare(word: str) -> str:
    return re.sub(r"['’]s?$", "", word)


def _near(one: str, other: str, text: str) -> bool:
    first, second = (re.escape(word.removesuffix("s")) for word in (one, other))
    between = rf"(?:(?:{_LINK}|[A-ZÀ-ÖØ-Þ][\w’'.-]*)\s+){{0,2}}"
    forward = rf"\b(?i:{first})[\w’']*[.’'-]*\s*-?{between}(?i:{second})"
    turned = rf"\b(?i:{second})[\w’']*(?:,|\s(?:[A-ZÀ-ÖØ-Þ]\S*\s+){{0,2}}(?:{_LINK})) (?i:{first})"
    return re.search(f"{forward}|{turned}", text) is not None
