"""The rule about answers that go in circles."""

import itertools
import operator
import re
from collections import Counter
from collections.abc import Sequence

from prefkit.cleaning.normalise import SPACELESS, words
from prefkit.cleaning.rules.contract import FENCED, View, clip
from prefkit.config import CleanConfig

TIMES = 4  # in a row
LONGEST = 8  # words of what is said again and again
ENDLESS = 80  # characters of a "word" that is looked into
LOOKED_AT = 4000  # characters of it
SPELLED_LOOP = re.compile(r"(\w.{0,19}?)\1{9}", re.DOTALL)
CODE_LINE = re.compile(r"[={}<>\[\];_]|\w\(")  # output and listings repeat lines by their nature
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")
# Gopher (Rae et al. 2021, arXiv 2112.11446, table A1): largest shares of a text's characters that
# its most common n-gram, and its repeated n-grams, may cover. Made for web pages: a short list of
# like things ("The Alder hut sleeps 12, …") passes these shares without any fault.
GOPHER_WORDS = 100
TOP_NGRAM = {2: 0.20, 3: 0.18, 4: 0.16}
REPEATED_NGRAM = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
# Of Han and kana each character is a token; two make a word of Chinese, four one of katakana.
SPACELESS_FACTOR = 3
REPEATED_SENTENCES = 0.30
FEWEST_SENTENCES = 4

Gram = tuple[str, ...]


def repetition(view: View, config: CleanConfig) -> str | None:
    """A good answer loops: words four times in a row, repeated sentences, Gopher's n-grams."""
    for completion in view.good:
        text = completion.text
        prose = FENCED.sub(" ", text) if "```" in text or "~~~" in text else text
        if detail := _endless(prose):
            return f"the {completion.field}: {detail}"
    return None


def _endless(text: str) -> str | None:
    tokens = text.casefold().split()
    if tokens and len(text) >= ENDLESS and (detail := _spelled_loop(tokens)):
        return detail
    spaceless = not text.isascii() and SPACELESS.search(text)
    if len(tokens) - len(set(tokens)) < TIMES - 2 and not spaceless:
        return None  # two words that come again are the least of any loop below
    often = max(Counter(tokens).values(), default=0) >= TIMES  # as every word of a loop is
    return (_loop(tokens) if often else None) or _repeated_sentences(text) or _circles(text)


def _loop(tokens: Sequence[str]) -> str | None:
    for period in range(1, min(LONGEST, len(tokens) // TIMES) + 1):
        again = list(map(operator.eq, tokens, itertools.islice(tokens, period, None)))
        if sum(again) >= (TIMES - 1) * period:
            place = _run(again, (TIMES - 1) * period)
            if place is not None:
                return f"four times in a row: {clip(' '.join(tokens[place : place + period]))}"
    return None


def _run(flags: Sequence[bool], length: int) -> int | None:
    """Where the first run of `length` true values begins."""
    place = 0
    for value, group in itertools.groupby(flags):
        size = sum(1 for _ in group)
        if value and size >= length:
            return place
        place += size
    return None


def _spelled_loop(tokens: Sequence[str]) -> str | None:
    """A loop inside a word without end, as scripts without spaces have it."""
    if max(map(len, tokens)) < ENDLESS:
        return None
    for token in tokens:
        if len(token) < ENDLESS or "://" in token:
            continue
        ends = (token,) if len(token) <= LOOKED_AT else (token[:LOOKED_AT], token[-LOOKED_AT:])
        for part in ends:
            if found := SPELLED_LOOP.search(part):
                return f"ten times in a row: {clip(found[1])}"
    return None


def _repeated_sentences(text: str) -> str | None:
    if sum(map(text.count, ".!?。！？\n")) < FEWEST_SENTENCES - 1:
        return None
    parts = SENTENCE_END.split(text)
    folded = [part.strip().casefold() for part in parts]
    if len(set(folded)) == len(folded):
        return None
    said = [part for part in folded if any(map(str.isalnum, part))]
    prose = [part for part in said if not CODE_LINE.search(part)]
    repeated = len(prose) - len(set(prose))
    if len(said) >= FEWEST_SENTENCES and repeated / len(said) > REPEATED_SENTENCES:
        return f"{repeated} of {len(said)} sentences repeat another"
    return None


def _circles(text: str) -> str | None:
    if len(text) < GOPHER_WORDS or (text.isascii() and len(text) < 2 * GOPHER_WORDS - 1):
        return None
    tokens = [word.casefold() for word in words(text)]
    spaceless = not text.isascii() and len(SPACELESS.findall(text)) > len(tokens) / 2
    factor = SPACELESS_FACTOR if spaceless else 1
    if len(tokens) < GOPHER_WORDS * factor:
        return None
    total = sum(map(len, tokens))
    return _top_ngram(tokens, total, factor) or _repeated_ngrams(tokens, total, factor)


def _top_ngram(tokens: list[str], total: int, factor: int) -> str | None:
    for n, limit in TOP_NGRAM.items():
        grams = Counter(_grams(tokens, n * factor))
        twice = [(gram, count) for gram, count in grams.items() if count > 1]
        if not twice:
            return None  # longer n-grams do not come twice either
        gram, count = max(twice, key=lambda item: (item[1] * _size(item[0]), item[0]))
        share = count * _size(gram) / total
        if share > limit:
            return f"`{clip(' '.join(gram))}` makes {share:.0%} of it, at most {limit:.0%} wanted"
    return None


def _repeated_ngrams(tokens: list[str], total: int, factor: int) -> str | None:
    for n, limit in REPEATED_NGRAM.items():
        share = _repeated_share(tokens, n * factor, total)
        if not share:
            return None
        if share > limit:
            return f"repeated {n}-grams make {share:.0%} of it, at most {limit:.0%} wanted"
    return None


def _repeated_share(tokens: list[str], n: int, total: int) -> float:
    """Share of characters in n-grams seen before, no word counted twice."""
    seen: set[Gram] = set()
    covered, skip = 0, 0
    for gram in _grams(tokens, n):
        if skip:
            skip -= 1
        elif gram in seen:
            covered += _size(gram)
            skip = n - 1
        else:
            seen.add(gram)
    return covered / total


def _grams(tokens: list[str], n: int) -> "zip[Gram]":
    return zip(*(itertools.islice(tokens, i, None) for i in range(n)), strict=False)


def _size(gram: Gram) -> int:
    return sum(map(len, gram))
