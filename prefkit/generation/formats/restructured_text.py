"""Inline reStructuredText as the words a reader sees."""

import re
from collections.abc import Mapping

from prefkit.generation.blocks import one_line

_LONGEST = 20_000  # nobody writes a longer paragraph with marks; a hostile one would take hours
_ASIDE = 0xE000  # an escaped mark is set aside among the private characters, then put back
_SET_ASIDE = re.compile(f"[{chr(_ASIDE + 33)}-{chr(_ASIDE + 126)}]")
_ESCAPE = re.compile(r"\\([!-~])")
_ESCAPED_SPACE = re.compile(r"\\\s")
_LITERAL = re.compile(r"``([^`]{1,2000})``")
_MARKED = re.compile(r"[*_`|\\]")
_ROLE = re.compile(r":[a-zA-Z][\w:+.-]{0,60}:`([^`]{1,2000})`")
_LINK = re.compile(r"`([^`<]{0,500}?)\s*<([^`<>]{1,2000})>`_{0,2}")
_PHRASE = re.compile(r"`([^`]{1,2000})`_{0,2}")
_REFERENCE = re.compile(r"(?<![\w.])(\w[\w.-]{0,100}\w|\w)_{1,2}(?![\w_])")
_STRONG = re.compile(r"\*\*(?=\S)([^*]{1,500}?)(?<=\S)\*\*")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]{1,500}?)(?<=[^\s*])\*(?![\w*])")
_SUBSTITUTION = re.compile(r"\|([^|\s](?:[^|]{0,100}[^|\s])?)\|_{0,2}")
_ANONYMOUS = re.compile(r"\s?\[[#*]\]_(?!\w)")
_FOOTNOTE = re.compile(r"\[#?([^\]\s]{1,60})\]_(?!\w)")


def plain(text: str, replaced: Mapping[str, str] | None = None) -> str:
    """Inline marks go and words stay; literals become code spans.

    Args:
        text: A paragraph's source.
        replaced: The text of each `|substitution|`.
    """
    if len(text) > _LONGEST or not _MARKED.search(text):
        return one_line(text)
    parts = _LITERAL.split(text)  # every second part is a literal's inside
    shown = (f"`{p}`" if n % 2 else _without_marks(p, replaced or {}) for n, p in enumerate(parts))
    return one_line("".join(shown))


def _without_marks(text: str, replaced: Mapping[str, str]) -> str:
    text = _ESCAPED_SPACE.sub("", text)
    text = _ESCAPE.sub(lambda found: chr(_ASIDE + ord(found[1])), text)
    text = _SUBSTITUTION.sub(lambda found: replaced.get(found[1], found[1]), text)
    text = _ROLE.sub(lambda found: _role(found[1]), text)
    text = _LINK.sub(lambda found: found[1] or found[2], text)
    text = _ANONYMOUS.sub("", _PHRASE.sub(r"\1", text))
    text = _FOOTNOTE.sub(r"[\1]", text)
    text = _EMPHASIS.sub(r"\1", _STRONG.sub(r"\1", text))
    text = _REFERENCE.sub(r"\1", text)
    return _SET_ASIDE.sub(lambda found: chr(ord(found[0]) - _ASIDE), text)


def _role(inside: str) -> str:
    """The words of an interpreted text: its title when it has one, `~` leaves the last name."""
    found = re.fullmatch(r"(.{1,1000}?)\s*<[^<>]{1,1000}>", inside, re.DOTALL)
    words = found[1] if found else inside
    return words.rpartition(".")[2] if words.startswith("~") else words.removeprefix("!")
