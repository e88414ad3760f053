"""Rules about what is asked and what is answered, as wholes."""

import itertools
import re

from prefkit.cleaning.normalise import SPACELESS, WORD, matching_key, words
from prefkit.cleaning.rules.contract import View
from prefkit.config import CleanConfig

PLAIN = re.compile("[A-Za-z0-9]")
_MARKS = " -–—_*#|/\\~^'\"`´.,:;!?…·•"
_TEXT = "passage|text|excerpt|context|document|section"
PASSAGE = re.compile(
    r"\b(?:the|this|that) (?:\w+ )?(?:passage|excerpt|snippet)\b"
    rf"|\b(?:the|this) (?:given|provided|above|preceding|quoted) (?:{_TEXT}|sentence)\b"
    rf"|\b(?:according to|based on) (?:the|this) (?:{_TEXT}|sentence|paragraph)\b"
    r"|\bin the text\b|\bthe text (?:says?|states?|mentions?|describes?|above)\b",
    re.IGNORECASE,
)
_PASSAGE_WORDS = (*_TEXT.split("|"), "snippet", "sentence", "paragraph")


def empty(view: View, config: CleanConfig) -> str | None:
    """The last turn of the prompt, or a good answer, holds no letter, digit or symbol."""
    if _says_nothing(view.row.question):
        return "the prompt says nothing"
    for completion in view.good:
        if _says_nothing(completion.text):
            return f"the {completion.field} says nothing"
    return None


def no_question(view: View, config: CleanConfig) -> str | None:
    """The prompt does not end with the user's or a tool's turn."""
    role = view.row.prompt[-1].role
    return None if role in ("user", "tool") else f"the prompt ends with the {role}'s turn"


def too_short(view: View, config: CleanConfig) -> str | None:
    """The reference has fewer than `min_reference_words` words."""
    least = config.min_reference_words
    for completion in view.good:
        if completion.field != "reference":
            continue
        if len(completion.text) > 2 * least and completion.text.isascii():
            first = completion.text.split(None, least)[:least]
            if len(first) == least and all(word[0].isalnum() for word in first):
                continue
        begun = (word[0] for word in WORD.finditer(completion.text))
        told = (word for word in begun if any(map(str.isalnum, word)))
        count = sum(1 for _ in itertools.islice(told, least))
        if count < least:
            return f"{_words(count)}, at least {least} wanted"
    return None


def too_long(view: View, config: CleanConfig) -> str | None:
    """The reference has more than `max_reference_words` words (two Han or kana make one)."""
    most = config.max_reference_words
    for completion in view.good:
        text = completion.text
        if completion.field != "reference" or len(text) <= most:
            continue
        if text.isascii() and len(text.split(None, most)) <= most:
            continue
        count = len(words(text))
        if not text.isascii():
            count -= len(SPACELESS.findall(text)) // 2
        if count > most:
            return f"{_words(count)}, at most {most} wanted"
    return None


def echo(view: View, config: CleanConfig) -> str | None:
    """A good answer only repeats the prompt."""
    question = view.row.question
    for completion in view.good:
        if _same(question, completion.text):
            return f"the {completion.field} repeats the prompt"
    return None


def same_answers(view: View, config: CleanConfig) -> str | None:
    """Chosen and rejected differ in nothing but case, spacing, width or sentence marks."""
    completions = view.row.completions
    if len(completions) < 2 or not _same(completions[0].text, completions[1].text):
        return None
    return "chosen and rejected say the same"


def refers_to_passage(view: View, config: CleanConfig) -> str | None:
    """A short question speaks of a passage that its reader will not see."""
    question = view.row.question
    if len(view.row.prompt) > 1 or "\n" in question or len(question) > 1000:
        return None  # the passage may be given
    folded = question.lower()
    if not [word for word in _PASSAGE_WORDS if word in folded] or len(words(question)) > 60:
        return None
    found = PASSAGE.search(question)
    return f"asks about `{found[0]}`" if found else None


def _says_nothing(text: str) -> bool:
    return not PLAIN.search(text) and not matching_key(text).strip(_MARKS)


def _same(one: str, other: str) -> bool:
    """Whether two texts match; plain texts with unequal letter counts are told apart at once."""
    if one == other:
        return True
    if one.isascii() and other.isascii():
        one, other = one.lower(), other.lower()
        if one.count("e") != other.count("e") or one.count("a") != other.count("a"):
            return False
    return matching_key(one) == matching_key(other)


def _words(count: int) -> str:
    return f"{count} word" + ("" if count == 1 else "s")
