"""Texts as word hashes, and a stretch of words as the text writes it."""

import unicodedata
from collections.abc import Iterator, Sequence

from prefkit.cleaning.near_duplicates import word_hashes
from prefkit.cleaning.normalise import INVISIBLE
from prefkit.cleaning.shingles import SPACELESS, Ragged

SHOWN = 300  # characters of a stretch


def hashed(texts: Sequence[str]) -> Ragged:
    """One row of word hashes a text; width and invisible characters do not count."""
    return word_hashes([_folded(text) for text in texts])


def stretch(text: str, first: int, count: int) -> str:
    """`count` words of a text from word `first` on, with what stands between them."""
    text = _folded(text)
    spans = list(_spans(text, first + count))[first:]
    if not spans:
        return ""
    found = text[spans[0][0] : spans[-1][1]]
    found = found.encode("utf-8", "replace").decode()
    return found if len(found) <= SHOWN else f"{found[:SHOWN]} …"


def _folded(text: str) -> str:
    if text.isascii():
        return text
    return INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


def _spans(text: str, most: int) -> Iterator[tuple[int, int]]:
    """`(begin, end)` of up to `most` words, cut as `word_hashes` cuts them."""
    begin = -1
    for place, character in enumerate(text):
        alone = any(low <= ord(character) <= high for low, high in SPACELESS)
        inside = character.isalnum() or unicodedata.category(character).startswith("M")
        if begin >= 0 and (alone or not inside):
            yield begin, place
            most, begin = most - 1, -1
        if inside and alone:
            yield place, place + 1
            most -= 1
        elif inside and begin < 0:
            begin = place
        if most <= 0:
            return
    if begin >= 0:
        yield begin, len(text)
