"""What of an answer the text supports, decided without a model: quotes, numbers, names, words."""

import dataclasses
import re
import unicodedata

from prefkit.generation.measure import ALONE
from prefkit.generation.trust.dates import undated, unstated
from prefkit.generation.trust.units import is_unit, measures

# A word; where no spaces part words, a character is one.
_WORD = re.compile(rf"[{ALONE}]|[^\W_{ALONE}]+(?:[’'-][^\W_{ALONE}]+)*")
_SPACELESS = re.compile(f"[{ALONE}]")
_MARKS = str.maketrans("‘’‚‛“”„‟«»′″‐‑‒–—―−", '\'\'\'\'""""""\'"-------')
_SHORTEST_QUOTE = 12  # characters, spaces aside: less could stand anywhere

# Words that carry no matter of their own, whatever the text is about.
_STOPWORDS = frozenset(
    """
    a about across after again against all almost along also although always am among an and
    another any anyone anything are around as at away be became because become been before being
    below between both but by came can cannot come could did do does doing done down during each
    either else enough even ever every everything few for from further get give given go had has
    have having he her here hers him his how however i if in into is it its itself just keep kept
    last least less let like made make many may me might mine more most much must my need neither
    never no nobody none nor not nothing now of off often on once one only onto or other others our
    ours out over own per quite rather really same say see seem set several shall she should since
    so some someone something still such take than that the their theirs them then there these they
    thing things this those though through thus till to together too toward under until up upon us
    use used uses using very via was we well were what whatever when where whether which while who
    whole whom whose why will with within without would yes yet you your yours
    """.split()
)
_ENDINGS = ("ings", "ing", "edly", "ies", "ied", "ers", "er", "ed", "es", "ly", "s", "e", "y")


@dataclasses.dataclass(frozen=True)
class Unsupported:
    """Something an answer says that its text does not: the rule, and the words."""

    rule: str
    detail: str


def is_stopword(word: str) -> bool:
    """Whether a word carries no matter of its own."""
    return word.lower() in _STOPWORDS


def words(text: str) -> list[str]:
    """Words and numbers of a text in lower case; hyphened words are one."""
    return [found.lower().replace("’", "'") for found in _WORD.findall(text)]


def stem(word: str) -> str:
    """A word without its commonest English endings, so that `rescuers` meets `rescuer`."""
    word = word.removesuffix("'s").removesuffix("s'")
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def content_words(text: str) -> frozenset[str]:
    """Stems of the words that carry meaning; `six` and `6` are one."""
    return frozenset(_content_in_order(text))


def shortens(answer: str, text: str) -> bool:
    """Whether `answer` is `text` with words left out, and no denial among them.

    A pronoun may stand for the subject. Without regard to order, "moved from 20:15 to 20:30" would
    pass for "moved from 20:30 to 20:15".
    """
    said = words(answer)
    rest = iter(words(text))
    kept = said[1:] if begins_with_pronoun(answer) else said
    if any(word not in rest for word in kept):
        return False
    return len(_NEGATION.findall(answer)) == len(_NEGATION.findall(text))


def begins_with_pronoun(answer: str) -> bool:
    """Whether an answer speaks of its subject as `it` or `they`."""
    return words(answer)[:1] in (["it"], ["they"])


_NEGATION = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|neither|nor|without|cannot)\b|n['’]t\b"
)


def _content_in_order(text: str) -> list[str]:
    found = []
    for word in words(text):
        if word not in _STOPWORDS:
            value = _number_word(word)
            found.append(stem(word) if value is None else str(value))
    return found


def find_quote(text: str, quote: str) -> tuple[int, int] | None:
    """Where `text` says `quote`: the exact span, or None.

    White space, case, quotation marks, dashes and compatibility forms may differ; words may not.
    A match begins and ends between words.

    Args:
        text: The chunk.
        quote: What a model claims to have copied from it.
    """
    wanted = unicodedata.normalize("NFC", quote).strip()
    for attempt in (wanted, wanted.strip("\"'“”‘’«»").strip(), wanted.strip("\"'“”‘’«» .…")):
        span = _find(text, attempt)
        if span:
            return span
    return None


def _find(text: str, quote: str) -> tuple[int, int] | None:
    needle = "".join(_folded(character) for character in quote)
    if not needle:
        return None
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for letter in _folded(character):
            letters.append(letter)
            places.append(place)
    haystack = "".join(letters)
    at = haystack.find(needle)
    while at >= 0:
        start, end = places[at], places[at + len(needle) - 1] + 1
        if _between_words(text, start) and _between_words(text, end):
            return start, end
        at = haystack.find(needle, at + 1)
    return None


def _folded(character: str) -> str:
    """A character as quotes are compared; white space counts for nothing."""
    plain = unicodedata.normalize("NFKC", character).translate(_MARKS).casefold()
    return "".join(letter for letter in plain if not letter.isspace())


def _between_words(text: str, at: int) -> bool:
    if at in (0, len(text)) or not (text[at - 1].isalnum() and text[at].isalnum()):
        return True
    return _SPACELESS.search(text[at - 1 : at + 1]) is not None


def long_enough(quote: str) -> bool:
    """Whether a quote is long enough to support anything; Chinese says as much in half the room."""
    size = sum(len(_folded(character)) for character in quote)
    return size + len(_SPACELESS.findall(quote)) >= _SHORTEST_QUOTE


def unsupported(answer: str, text: str, language: str = "") -> Unsupported | None:
    """The first date, number, unit or name of `answer` that `text` does not hold.

    Args:
        answer: What is claimed.
        text: All that may support it: the passage, its headings, the question.
        language: ISO 639-1 code; German writes every noun like a name.
    """
    if dated := unstated(answer, text):
        return Unsupported("ungrounded-date", f"{', '.join(dated)} not in the passage")
    answer = undated(answer)
    missing = numbers(answer) - numbers(text)
    if missing:
        return Unsupported("ungrounded-number", f"{', '.join(sorted(missing))} not in the passage")
    strange_measures = measures(answer, _count) - measures(text, _figure)
    if strange_measures:
        shown = ", ".join(" ".join(measure) for measure in sorted(strange_measures))
        return Unsupported("ungrounded-unit", f"{shown} not in the passage")
    known = {stem(word) for word in words(text)}
    said = names(answer)
    if language == "de":
        said = [name for name in said if not name[1:].islower()]
    strange = [name for name in said if stem(name.lower()) not in known]
    if strange:
        return Unsupported("ungrounded-name", f"{', '.join(strange)} not in the passage")
    return None


_UNITS_OF_TEN = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_NUMBER_WORDS: dict[str, int] = {
    **{word: value for value, word in enumerate(_UNITS_OF_TEN.split())},
    **{word: 10 * value for value, word in enumerate(_TENS.split(), start=2)},
    "dozen": 12,
    "hundred": 100,
    "thousand": 1000,
}
_NUMBER = re.compile(rf"(?<![^\W{ALONE}])(?<!\.)\d(?:[\d.,:/]*\d)?")


def numbers(text: str) -> frozenset[str]:
    """Numbers in a text, written one way: `1,200` and `1200` are one, so are `three` and `3`.

    Single `one` and `zero` are left out: they mostly are no counts.
    """
    found = {_plain_number(match[0]) for match in _NUMBER.finditer(text)}
    for word in words(text):
        value = _number_word(word)
        if value is not None and value > 1:
            found.add(str(value))
    return frozenset(found)


def _plain_number(text: str) -> str:
    text = re.sub(r",(?=\d{3}(?!\d))", "", text)
    if re.fullmatch(r"\d+\.\d+", text):
        text = text.rstrip("0").rstrip(".")
    return text.lstrip("0") or "0"


def _number_word(word: str) -> int | None:
    """The value of `twelve` or `forty-five`; None for any other word."""
    tens, hyphen, ones = word.partition("-")
    if not hyphen:
        return _NUMBER_WORDS.get(word)
    if tens in _TENS.split() and 0 < _NUMBER_WORDS.get(ones, 0) < 10:
        return _NUMBER_WORDS[tens] + _NUMBER_WORDS[ones]
    return None


def _figure(token: str) -> str | None:
    """A number written one way; None for any other word."""
    if token[0].isdigit():
        return _plain_number(token)
    value = _number_word(token.lower())
    return None if value is None else str(value)


def _count(token: str) -> str | None:
    """As `_figure`, but `one hour` is mostly the text's `an hour`."""
    return None if token.lower() in ("one", "zero") else _figure(token)


def names(text: str) -> list[str]:
    """Capitalised words that do not open a sentence, and words with capitals or figures inside."""
    found = []
    for match in _WORD.finditer(text):
        word = match[0].removesuffix("'s").removesuffix("’s")
        opens = not re.search(r"[^\s\"'“‘(\[*`]", text[: match.start()]) or re.search(
            r"[.!?:]\s+[\"'“‘(\[*`]*$|\n\W*$", text[: match.start()]
        )
        inner = word[1:].lower() != word[1:] and not word.isdigit()
        if word.lower() in _STOPWORDS or word.isdigit():
            continue
        if is_unit(word) and re.search(r"[\d°]\s?$", text[: match.start()]):
            continue
        if inner or (word[0].isupper() and not opens):
            found.append(word)
    return found


def share_supported(answer: str, text: str) -> float:
    """Share of the answer's content words that `text` holds; 1 for an answer without any.

    A date that the text states in another way counts for nothing.
    """
    said = content_words(answer if unstated(answer, text) else undated(answer))
    return len(said & content_words(text)) / len(said) if said else 1.0
