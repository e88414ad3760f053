"""Named rules that refuse an example, each with its detail; the first to refuse is the reason.

A rule is a function `(example, config) -> detail or None` in the table `RULES`. Rules see
normalised text. They are mild: each names something that is wrong, not something that is rare.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from prefkit.cleaning.normalise import matching_key, words
from prefkit.config import CleanConfig
from prefkit.records import Example

Rule = Callable[[Example, CleanConfig], str | None]
SNIPPET = 60  # characters of the text shown in a detail

REFUSAL = re.compile(
    r"(?:(?:(?:i['’]m|i am|we['’]re|we are) )?(?:so |very )?(?:sorry|afraid),?"
    r" (?:but |that )?(?:i|we|as an?|this)\b|(?:my )?apologies\b|unfortunately,? i\b"
    r"|i (?:can['’]?t|cannot|can not|won['’]t|am unable to|am not able to)"
    r" (?:help|assist|answer|provide|fulfil|comply|discuss|create|generate|determine|find)"
    r"|(?:as|i['’]m|i am) an? (?:ai|artificial|(?:large )?language model)\b)",
    re.IGNORECASE,
)
_TEXT = "passage|text|excerpt|context|document|section"
UNANSWERED = re.compile(
    rf"(?:the|this) (?:given |provided |above )?(?:{_TEXT})"
    r" (?:(?:does not|doesn['’]t|did not) (?:\w+ly )?(?:say|mention|specify|state|provide|contain"
    r"|give|include|answer|indicate|explain|describe|tell)|(?:contains|provides|gives) no\b)"
    r"|there is no (?:information|mention) (?:about|on|of|regarding|in|that|given|available)\b"
    rf"|(?:(?:it|this) is )?not (?:mentioned|specified|stated|given)(?: in the (?:{_TEXT})\b|\W*$)"
    r"|(?:no|insufficient) (?:information|answer)(?: is)? (?:available|given|provided|found)"
    r"|(?:i|we) (?:do not|don['’]t) know\b|n/a\W*$|unknown\W*$",
    re.IGNORECASE,
)
PASSAGE = re.compile(
    r"\b(?:the|this|that) (?:\w+ )?(?:passage|excerpt|snippet)\b"
    rf"|\b(?:the|this) (?:given|provided|above|preceding|quoted) (?:{_TEXT}|sentence)\b"
    rf"|\b(?:according to|based on) (?:the|this) (?:{_TEXT}|sentence|paragraph)\b"
    r"|\bin the text\b|\bthe text (?:says?|states?|mentions?|describes?|above)\b",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(
    r"\{\{.*?\}\}|\[(?:insert|your|name|date|company|organi[sz]ation|placeholder|todo|tbd|x{2,})"
    r"\b[^\]\n]*\](?!\()|<(?:insert|your|placeholder)\b[^>\n]*>|\blorem ipsum\b"
    r"|(?-i:\bTODO\b|\bTBD\b)",
    re.IGNORECASE,
)
SPECIAL_TOKEN = re.compile(
    r"<\|[\w ]{2,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:bos|eos|pad|unk)>|</?think>"
    r"|<(?:start|end)_of_turn>",
    re.IGNORECASE,
)
ROLE_LABEL = re.compile(
    r"(?:^|\n)\s*(?:#{2,} ?(?:instruction|response|input|answer|question)s?:?\s*(?:\n|$)"
    r"|(?:human|assistant|question|answer|reference answer)\s*:)",
    re.IGNORECASE,
)
HTML = re.compile(
    r"</?(?:p|div|span|br|table|tr|td|th|ul|ol|li|a|b|i|em|strong|h[1-6]|img|script|style)"
    r"(?:\s[^<>]*)?/?>|&(?:nbsp|amp|lt|gt|quot|#\d{2,5}|#x[0-9a-f]{2,5});",
    re.IGNORECASE,
)
FENCED = re.compile(r"(?s)(```|~~~).*?(?:\1|\Z)")
CODE = re.compile(FENCED.pattern + r"|`[^`\n]*`")
# UTF-8 read as Windows-1252: Ã©, â€™, Â£. No language writes these pairs.
MOJIBAKE = re.compile("Ã[\xa1-\xbfƒ‚„…†‡ˆ‰Š‹Œ™š›œžŸ]|Â[\xa1-\xbf]|â€|ï»¿")
LOOP = re.compile(r"(?:^|\s)(\S+(?:\s+\S+){0,7}?)(?:\s+\1(?=\s|$)){3}")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
OPEN_END = re.compile(
    r"(?:[,:;(\[{–—]|\s[-/&+=]|(?:^|\n)\s*(?:[-*•]|\d+[.)])"
    r"|\b(?:the|a|an|and|or|but|because|than|of|into|its|their|your|our|every))$"
)
CLOSED_END = re.compile(r"[.!?…。！？%][\"'’”»)\]*_`]*$|[|`:>]$")
EMOTICON = re.compile(r"[:;=]['-]?[(\[{]")
# Gopher (Rae et al. 2021, arXiv 2112.11446, table A1): largest shares of a text's characters that
# its most common n-gram, and its repeated n-grams, may cover. Made for web pages: a short list of
# like things ("The Alder hut sleeps 12, …") passes these shares without any fault.
GOPHER_WORDS = 100
TOP_NGRAM = {2: 0.20, 3: 0.18, 4: 0.16}
REPEATED_NGRAM = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
REPEATED_SENTENCES = 0.30


def first_refusal(
    example: Example, config: CleanConfig, rules: Sequence[str]
) -> tuple[str, str] | None:
    """`(rule, detail)` of the first of `rules` that refuses the example, or None."""
    for name in rules:
        detail = RULES[name](example, config)
        if detail is not None:
            return name, detail
    return None


def empty(example: Example, config: CleanConfig) -> str | None:
    """The last turn of the prompt, or the reference, holds no letter, digit or symbol."""
    for field, text in (("prompt", example.prompt[-1].content), ("reference", example.reference)):
        if not matching_key(text).strip(_MARKS):
            return f"the {field} says nothing"
    return None


def no_question(example: Example, config: CleanConfig) -> str | None:
    """The prompt does not end with the user's turn, so there is nothing to answer."""
    role = example.prompt[-1].role
    return None if role in ("user", "tool") else f"the prompt ends with the {role}'s turn"


def damaged_text(example: Example, config: CleanConfig) -> str | None:
    """A replacement character or wrongly decoded UTF-8 stands in the prompt or the reference."""
    for text in _texts(example):
        if "\ufffd" in text:
            return f"replacement character: {_around(text, text.index(chr(0xFFFD)))}"
        if found := MOJIBAKE.search(text):
            return f"wrongly decoded: {_around(text, found.start())}"
    return None


def too_short(example: Example, config: CleanConfig) -> str | None:
    """The reference has fewer than `min_reference_words` words."""
    count, least = len(words(example.reference)), config.min_reference_words
    return f"{_words(count)}, at least {least} wanted" if count < least else None


def too_long(example: Example, config: CleanConfig) -> str | None:
    """The reference has more than `max_reference_words` words."""
    count, most = len(words(example.reference)), config.max_reference_words
    return f"{_words(count)}, at most {most} wanted" if count > most else None


def echo(example: Example, config: CleanConfig) -> str | None:
    """The reference only repeats the prompt."""
    same = matching_key(example.prompt[-1].content) == matching_key(example.reference)
    return "the reference repeats the prompt" if same else None


def refusal(example: Example, config: CleanConfig) -> str | None:
    """The reference opens with a refusal or with what a model says about itself."""
    found = REFUSAL.match(example.reference)
    return f"opens with: {_clip(example.reference)}" if found else None


def unanswered(example: Example, config: CleanConfig) -> str | None:
    """The reference says that there is no answer."""
    found = UNANSWERED.match(example.reference)
    return f"opens with: {_clip(example.reference)}" if found else None


def refers_to_passage(example: Example, config: CleanConfig) -> str | None:
    """A short question speaks of a passage that its reader will not see."""
    question = example.prompt[-1].content
    if len(example.prompt) > 1 or "\n" in question or len(words(question)) > 60:
        return None  # the passage may be given
    found = PASSAGE.search(question)
    return f"asks about `{found[0]}`" if found else None


def chat_markup(example: Example, config: CleanConfig) -> str | None:
    """Special tokens stand in the text, or role labels of a chat format in the reference."""
    found = ROLE_LABEL.search(example.reference)
    label = f"`{_clip(found[0].strip())}`" if found else None
    return _found_outside_code(SPECIAL_TOKEN, example) or label


def placeholder(example: Example, config: CleanConfig) -> str | None:
    """A gap that was to be filled in: [insert …], {{name}}, TODO, lorem ipsum."""
    return _found_outside_code(PLACEHOLDER, example)


def html_markup(example: Example, config: CleanConfig) -> str | None:
    """HTML tags or entities stand outside code."""
    return _found_outside_code(HTML, example)


def repetition(example: Example, config: CleanConfig) -> str | None:
    """The reference loops: words four times in a row, repeated sentences, Gopher's n-grams."""
    text = FENCED.sub(" ", example.reference)
    if found := LOOP.search(text):
        return f"four times in a row: {_clip(found[1])}"
    sentences = [part.strip().casefold() for part in SENTENCE_END.split(text) if words(part)]
    repeated = len(sentences) - len(set(sentences))
    if len(sentences) >= 4 and repeated / len(sentences) > REPEATED_SENTENCES:
        return f"{repeated} of {len(sentences)} sentences repeat another"
    tokens = [word.casefold() for word in words(text)]
    return _ngram_repetition(tokens) if len(tokens) >= GOPHER_WORDS else None


def truncated(example: Example, config: CleanConfig) -> str | None:
    """The reference breaks off: an open fence or bracket, or an end that wants a continuation."""
    text = example.reference
    if text.count("```") % 2:
        return "a code fence is not closed"
    prose = EMOTICON.sub("", _without_code(text)).rstrip()
    opened = sum(map(prose.count, "([{（「"))
    closed = sum(map(prose.count, ")]}）」"))
    if opened > closed:
        return "a bracket is not closed"
    if found := OPEN_END.search(prose):
        return f"ends with: {_clip(found[0].strip())}"
    last = prose.split("\n")[-1]
    if len(words(last)) >= 25 and not CLOSED_END.search(prose):
        return f"no full stop after {len(words(last))} words"
    return None


RULES: dict[str, Rule] = {
    "empty": empty,
    "no-question": no_question,
    "damaged-text": damaged_text,
    "too-short": too_short,
    "too-long": too_long,
    "echo": echo,
    "refusal": refusal,
    "unanswered": unanswered,
    "refers-to-passage": refers_to_passage,
    "chat-markup": chat_markup,
    "placeholder": placeholder,
    "html-markup": html_markup,
    "repetition": repetition,
    "truncated": truncated,
}
_MARKS = " -–—_*#|/\\~^'\"`´.,:;!?…·•"


def _texts(example: Example) -> list[str]:
    return [*(message.content for message in example.prompt), example.reference]


def _without_code(text: str) -> str:
    return CODE.sub("code", text) if "`" in text or "~~~" in text else text


def _found_outside_code(pattern: re.Pattern[str], example: Example) -> str | None:
    for text in _texts(example):
        if found := pattern.search(_without_code(text)):
            return f"`{_clip(found[0].strip())}`"
    return None


def _ngram_repetition(tokens: list[str]) -> str | None:
    total = sum(map(len, tokens))
    for n, limit in TOP_NGRAM.items():
        grams = Counter(zip(*(tokens[i:] for i in range(n)), strict=False))
        gram, count = max(grams.items(), key=lambda item: (item[1] * _size(item[0]), item[0]))
        share = count * _size(gram) / total
        if count > 1 and share > limit:
            return f"`{' '.join(gram)}` makes {share:.0%} of the text, at most {limit:.0%} wanted"
    for n, limit in REPEATED_NGRAM.items():
        share = _repeated_share(tokens, n, total)
        if share > limit:
            return f"repeated {n}-grams make {share:.0%} of the text, at most {limit:.0%} wanted"
    return None


def _repeated_share(tokens: list[str], n: int, total: int) -> float:
    """Share of characters in n-grams seen before, no word counted twice."""
    seen: set[tuple[str, ...]] = set()
    covered, place = 0, 0
    while place <= len(tokens) - n:
        gram = tuple(tokens[place : place + n])
        if gram in seen:
            covered += _size(gram)
            place += n
        else:
            seen.add(gram)
            place += 1
    return covered / total


def _size(gram: tuple[str, ...]) -> int:
    return sum(map(len, gram))


def _words(count: int) -> str:
    return f"{count} word" + ("" if count == 1 else "s")


def _clip(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= SNIPPET else flat[: SNIPPET - 1] + "…"


def _around(text: str, place: int) -> str:
    return _clip(text[max(0, place - SNIPPET // 3) : place + SNIPPET // 2])
