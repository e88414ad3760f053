"""Text to tokens, as Elasticsearch's `standard` analyzer makes them.

The rules are those of Lucene's StandardTokenizer: words by Unicode's UAX #29, one token for every
ideograph and every hiragana character, runs of Thai and its neighbours whole, emoji kept, other
punctuation dropped, tokens cut after 255 characters. Then each character in lower case.
"""

import re

import regex

MAX_TOKEN = 255

_EXT = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*+"
_LETTER = rf"(?:[\p{{WB=ALetter}}\p{{WB=Hebrew_Letter}}]{_EXT})"
_DIGIT = rf"(?:[\p{{WB=Numeric}}\uFF10-\uFF19]{_EXT})"
_KATAKANA = rf"(?:\p{{WB=Katakana}}{_EXT})"
_JOIN = rf"(?:\p{{WB=ExtendNumLet}}{_EXT})"  # the underscore and its like
# Unicode took the colon out of MidLetter after the version that Lucene 9 follows.
_MID_LETTER = rf"(?:[\p{{WB=MidLetter}}\p{{WB=MidNumLet}}':\uFE55\uFF1A]{_EXT})"
_MID_DIGIT = rf"(?:[\p{{WB=MidNum}}\p{{WB=MidNumLet}}']{_EXT})"

_HEBREW_QUOTE = rf"(?<=\p{{WB=Hebrew_Letter}})\"{_EXT}(?=\p{{WB=Hebrew_Letter}})"
_LETTERS = (
    rf"{_LETTER}(?:(?:{_JOIN}*+|{_MID_LETTER}|{_HEBREW_QUOTE}){_LETTER})*+"
    r"(?:(?<=\p{WB=Hebrew_Letter})')?+"
)
_DIGITS = rf"{_DIGIT}(?:(?:{_JOIN}*+|{_MID_DIGIT}){_DIGIT})*+"
_KATAKANAS = rf"{_KATAKANA}(?:{_JOIN}*+{_KATAKANA})*+"
_CORE = rf"(?:{_KATAKANAS}|(?:{_LETTERS}|{_DIGITS})++)"
_WORD = rf"{_JOIN}*+{_CORE}(?:{_JOIN}++{_CORE})*+{_JOIN}*+"
_FLAG = r"\p{Regional_Indicator}{2}"
_KEYCAP = r"[0-9#*]\uFE0F?\u20E3"
_PICTURE = r"(?:\p{Emoji_Presentation}|[\p{Extended_Pictographic}--[©®™]]|[©®™]\uFE0F)"
_EMOJI = rf"{_PICTURE}[\uFE0F\p{{Emoji_Modifier}}\u20E3\U000E0020-\U000E007F]*+"
_EMOJIS = rf"{_EMOJI}(?:\u200D{_EMOJI})*+"
_TOKEN = regex.compile(
    rf"{_FLAG}|{_KEYCAP}|{_EMOJIS}|{_WORD}"
    rf"|(?:\p{{Line_Break=SA}}{_EXT})++"
    rf"|\p{{Script=Han}}{_EXT}|\p{{Script=Hiragana}}{_EXT}",
    regex.V1,
)
_ASCII_TOKEN = re.compile(
    r"_*[A-Za-z0-9](?:_*[A-Za-z0-9]|(?<=[A-Za-z])[.:'](?=[A-Za-z])|(?<=[0-9])[.,;'](?=[0-9]))*_*"
)


def tokens(text: str) -> list[str]:
    """The tokens of a text in their order."""
    if text.isascii():
        found = _ASCII_TOKEN.findall(text.lower())
    else:
        found = [lowered(token) for token in _TOKEN.findall(text)]
    if not found or max(map(len, found)) <= MAX_TOKEN:
        return found
    return [part for token in found for part in _parts(token)]


def lowered(text: str) -> str:
    """Each character in lower case by itself, as Java does it: no final sigma, no added dots."""
    if text.isascii():
        return text.lower()
    return "".join(char.lower() if char != "\u0130" else "i" for char in text)


def _parts(token: str) -> list[str]:
    return [token[start : start + MAX_TOKEN] for start in range(0, len(token), MAX_TOKEN)]
