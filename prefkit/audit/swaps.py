"""Texts with the terms of a list exchanged: she for he, an aunt for an uncle."""

import dataclasses
import re

from prefkit.audit.term_lists import WORD, Match, Matcher, Read, TermList, folded, words_of

# After these an English "her" or "his" is no owner of a noun: "saw her in", "told her that".
ALONE = frozenset(
    """
    a about above across after again against all although always am an and any are around as at
    away back be because been before behind being below beside between but by can could did do
    does down during each either else ever for from had has have he here how however i if in
    inside into is it its just later like may me might must near never nor not now of off often on
    once only onto or our out outside over quickly rather she should since so some soon still such
    than that the their them then there these they this those though through to today together
    tomorrow tonight too toward towards under unless until up upon us was we were what when where
    whether which while who whom why will with within without would yesterday yet you your
    """.split()
)
NEXT = re.compile(r"[ \t\u00a0]+(?=[^\W\d_])")


@dataclasses.dataclass(frozen=True)
class Exchanged:
    """A text with its terms exchanged.

    Attributes:
        text: The new text.
        words: What was exchanged for what, in their order.
        doubtful: How many of these stand for two words, so that what follows decided.
    """

    text: str
    words: tuple[tuple[str, str], ...]
    doubtful: int


class Exchange:
    """Exchanges the terms of one list that have a counterpart."""

    def __init__(self, terms: TermList) -> None:
        self.list = terms
        self._matcher = Matcher([*terms.swaps, *terms.ambiguous])
        self._single = {word for word, how in terms.ambiguous.items() if how.owns == how.alone}

    def __call__(self, text: str) -> Exchanged:
        """The text, in NFC, with every term exchanged at once; its case and its article follow."""
        read = Read.of(text)
        text = read.text
        parts: list[str] = []
        place = doubtful = 0
        words: list[tuple[str, str]] = []
        for match in self._matcher.matches(read):
            said = text[match.start : match.end]
            new = _like(said, self._counterpart(text, match))
            parts += [_article(text[place : match.start], new), new]
            words.append((said, new))
            place = match.end
            doubtful += match.term in self.list.ambiguous and match.term not in self._single
        return Exchanged("".join(parts) + text[place:], tuple(words), doubtful)

    def _counterpart(self, text: str, match: Match) -> str:
        two = self.list.ambiguous.get(match.term)
        if two is None:
            return self.list.swaps[match.term]
        return two.owns if _owns(text, match.end) else two.alone


def _owns(text: str, end: int) -> bool:
    """Whether a noun may follow: a word, with only spaces between, that is none of ALONE."""
    gap = NEXT.match(text, end)
    if gap is None:
        return False
    following = WORD.match(text, gap.end())
    return following is not None and folded(following[0]) not in ALONE


def _like(said: str, new: str) -> str:
    """The new words in the case of the old."""
    if len(said) > 1 and said.isupper():
        return new.upper()
    if said[:1].isupper():
        title = said.istitle() and len(words_of(said)) > 1
        return new.title() if title else new[:1].upper() + new[1:]
    return new


def _article(before: str, new: str) -> str:
    """The text before, with `a` or `an` as the new word asks."""
    found = re.search(r"(?<![^\W_])([Aa])(n?)([ \t\u00a0]+)\Z", before)
    if found is None:
        return before
    vowel = new[:1].casefold() in "aeiou"
    return before[: found.start()] + found[1] + ("n" if vowel else "") + found[3]
