"""The rule about answers that break off."""

import re

from prefkit.cleaning.normalise import words
from prefkit.cleaning.rules.contract import View, clip, without_code
from prefkit.config import CleanConfig

TAIL = 80  # characters at the end that tell how a text ends
MARKS = ".!?…。！？｡．।॥۔؟።፧။។།%"  # of Latin, Han, Indic, Arabic, Ethiopic, Burmese, Khmer, Tibetan
STOPS = frozenset(MARKS)
UNMARKED = re.compile("[\u0e00-\u0eff]")  # Thai and Lao end a sentence with a space
OPENING, CLOSING = "([{（「", ")]}）」"
OPEN_END = re.compile(
    r"(?:[,:;(\[{–—]|\s[-/&+=]|(?:^|\n)\s*(?:[-*•]|\d+[.)])"
    r"|\b(?:the|a|an|and|or|but|because|than|of|into|its|their|your|our|every))$"
)
CLOSED_END = re.compile(rf"[{MARKS}][\"'’”»)\]*_`]*$|[|`:>]$")
CODE_END = re.compile(r"[(){}\[\]=<>*]|^\s*(?:return|break|continue|import|use|using)\b")
SENTENCE_AFTER = re.compile(rf"[{MARKS}][\"'’”»)\]]*\s+\S|[。！？]")
BRACKET = re.compile(f"[{re.escape(OPENING + CLOSING)}]")
EMOTICON = re.compile(r"[:;=]['-]?[(\[{]")
LONG_LINE = 25  # words of a last line from which prose is expected to end in a full stop


def truncated(view: View, config: CleanConfig) -> str | None:
    """A good answer breaks off: an open fence or bracket, or an end that wants a continuation."""
    for completion in view.good:
        if detail := _broken_off(completion.text):
            return f"the {completion.field}: {detail}"
    return None


def _broken_off(text: str) -> str | None:
    if text.count("```") % 2:
        return "a code fence is not closed"
    prose = without_code(text).rstrip()
    if _opened(prose) > _closed(prose):
        prose = EMOTICON.sub("", prose).rstrip()
        if _opened(prose) > _closed(prose) and not _went_on(prose):
            return "a bracket is not closed"
    tail = prose[-TAIL:]
    if prose[-1:] in STOPS and len(tail) - tail.rfind("\n") > len(" 10. "):
        return None
    if prose[-1:] in OPENING:
        tail = EMOTICON.sub("", tail).rstrip()
    found = OPEN_END.search(tail)
    if found and not (found[0] == ";" and CODE_END.search(tail[tail.rfind("\n") + 1 : -1])):
        return f"ends with: {clip(found[0].strip())}"
    if CLOSED_END.search(tail):
        return None
    last = prose[prose.rfind("\n") + 1 :]
    if UNMARKED.search(last):
        return None
    count = len(words(last)) if len(last) >= LONG_LINE else 0
    return f"no full stop after {count} words" if count >= LONG_LINE else None


def _went_on(prose: str) -> bool:
    """Whether whole sentences follow the bracket that is not closed: a slip, and no end."""
    if prose[-1:] not in STOPS:
        return False
    open_ones: list[int] = []
    for found in BRACKET.finditer(prose):
        if found[0] in OPENING:
            open_ones.append(found.end())
        elif open_ones:
            open_ones.pop()
    return bool(open_ones and SENTENCE_AFTER.search(prose, open_ones[-1]))


def _opened(prose: str) -> int:
    return sum(map(prose.count, OPENING))


def _closed(prose: str) -> int:
    return sum(map(prose.count, CLOSING))
