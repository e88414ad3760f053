"""Whether a second answer to a question agrees with the reference: numbers, names, words."""

from prefkit.generation.checks import refuse_answer
from prefkit.generation.grounding import content_words, names, numbers, stem, words
from prefkit.generation.kinds import NOWHERE
from prefkit.generation.languages import WORDS
from prefkit.generation.trust.dates import dates, undated
from prefkit.generation.trust.denials import contradicted

TOKENS = 200  # room for an answer
LEAST = 0.5  # of the shorter answer's words that the other must hold


def disagreement(question: str, reference: str, answer: str, kind: str, language: str) -> str:
    """What two answers to a question disagree on; empty when they agree.

    Only what goes beyond the question is compared: dates, then numbers, then names, then whether
    one denies what the other affirms, then at least half of the shorter one's words.

    Args:
        question: What was asked.
        reference: The answer that was drafted.
        answer: Another, made from the same passage.
        kind: Of the draft.
        language: ISO 639-1 code; English when empty.
    """
    declined = _declines(answer, language)
    if kind == NOWHERE:
        return "" if declined else "answered what nothing should answer"
    if declined:
        return "says that it is not stated"
    if differing := _dates(reference, answer):
        return differing
    reference, answer = undated(reference), undated(answer)
    ours, theirs = (numbers(text) - numbers(question) for text in (reference, answer))
    if ours and not (ours <= theirs or (theirs and theirs <= ours)):
        return f"numbers: {_list(ours)} against {_list(theirs) or 'none'}"
    one, other = (_names(text, question) for text in (reference, answer))
    if language != "de" and one and other and not one & other:
        return f"names: {_list(one)} against {_list(other)}"
    if clause := contradicted(answer, reference, language):
        return f"denial: `{clause}`"
    asked = content_words(question)
    said, again = (content_words(text) - asked for text in (reference, answer))
    fewer = min(len(said), len(again))
    if fewer and len(said & again) < LEAST * fewer:
        return f"words: {len(said & again)} of {fewer} in common"
    return ""


def _declines(answer: str, language: str) -> bool:
    here = WORDS.get(language or "en")
    refused = refuse_answer(answer)
    return refused is not None or bool(here and here.lacks.search(answer))


def _dates(reference: str, answer: str) -> str:
    ours, theirs = dates(reference), dates(answer)
    if not ours or not theirs:
        return ""
    told = [date for one in theirs for date in one.readings]
    said = [date for one in ours for date in one.readings]
    if any(date.within(other) or other.within(date) for date in said for other in told):
        return ""
    shown = reference[ours[0].start : ours[0].end], answer[theirs[0].start : theirs[0].end]
    return f"dates: {shown[0]} against {shown[1]}"


def _names(text: str, question: str) -> frozenset[str]:
    asked = {stem(word) for word in words(question)}
    return frozenset(stem(name.lower()) for name in names(text)) - asked


def _list(found: frozenset[str]) -> str:
    return ", ".join(sorted(found))
