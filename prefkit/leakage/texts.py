"""Texts as word hashes, and a stretch of words as the text writes it."""

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence

from prefkit.cleaning.near_duplicates import word_hashes
from prefkit.cleaning.normalise import INVISIBLE
from prefkit.cleaning.shingles import SPACELESS, Ragged

SHOWN = 300  # characters of a stretch
_SPACELESS = re.compile(f"[{''.join(f'{chr(low)}-{chr(high)}' for low, high in SPACELESS)}]")
# What others wrap around an item: tags of HTML, addresses of Markdown's links, and GSM8K's notes
# for a calculator (`<<5*2=10>>`), which most copies of it leave out.
_WRAPPING = re.compile(
    r"(?P<inside></?(?:a|abbr|b|big|cite|code|em|font|i|kbd|mark|q|s|small|span|strong|tt|u){rest})"
    r"|</?(?:article|blockquote|body|br|center|d[dlt]|div|footer|h[1-6]|header|hr|html|img|li|main"
    r"|[ou]l|p|pre|section|su[bp]|table|tbody|t[dhr]|tfoot|thead){rest}"
    r"|<<[^<>\n]*>>|(?<=\])\([^()\s]*\)".replace(
        "{rest}", r"""(?:\s+[\w:-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>=]+))*\s*/?>"""
    ),
    re.IGNORECASE,
)
_SIGNS = "+*/^%=<>\u00d7\u00f7\u00b1\u221a\u2264\u2265\u2260"
_EMPHASIS = re.compile(r"(?<![\w*])\*{1,3}(?=\S)|(?<=\S)\*{1,3}(?![\w*])")
_COUNTED = re.compile(rf"[^\W_]|[{re.escape(_SIGNS)}]|[-\u2212](?=\s*[\d(])")


def hashed(texts: Sequence[str]) -> Ragged:
    """One row of word hashes a text; width, invisible characters and markup do not count."""
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


def spaceless(text: str) -> bool:
    """Whether most words of a text are single characters of a script without spaces."""
    if text.isascii():
        return False
    others = len(_SPACELESS.sub(" ", text).split())
    return len(_SPACELESS.findall(text)) > others


def same_signs(part: str, text: str) -> bool:
    """Whether a text with all words of a part has its arithmetic too: 3 + 4 is not 3 * 4."""
    if not any(character.isdigit() for character in part):
        return True
    return _signed(part).strip(f"{_SIGNS}-\u2212") in _signed(text)


def _signed(text: str) -> str:
    return "".join(_COUNTED.findall(_EMPHASIS.sub("", _folded(text).casefold())))


def _folded(text: str) -> str:
    if "<" in text or "](" in text:
        text = _WRAPPING.sub(lambda found: "" if found["inside"] else " ", text)
    if "&" in text:
        text = html.unescape(text)
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
