"""Whether a drafted question or answer may stay: each rule gives its name and its reason."""

import dataclasses
import re

from prefkit.generation.grounding import content_words, numbers, words

_REFUSAL = re.compile(
    r"^(?:i(?:['’]m| am) (?:sorry|unable|not able)|sorry\b|i (?:can(?:no|['’])t|do not|don['’]t) |"
    r"as an ai\b|unfortunately, i\b|i apologi[sz]e)|\bas an ai (?:language )?model\b|"
    r"\b(?:the|this) (?:passage|text|document) does(?: not|n['’]t) (?:say|mention|state|specify|"
    r"provide|contain)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"^(?:(?:in|at|on|by|for|from|to|under|within|after|before|until|since|of|with|about|over|"
    r"during|between) )?(?:what|which|who|whom|whose|when|where|why|how)\b|^(?:is|are|was|were|do|"
    r"does|did|can|could|may|must|should|shall|will|would|has|have|had)\b",
    re.IGNORECASE,
)
_POINTS = re.compile(
    r"\b(?:the|this|that|these|those|above|following|given|provided) (?:passage|text|sentence|"
    r"paragraph|document|article|excerpt|statement|context|section|chapter|page|author|writer|"
    r"speaker|answer|question|table|figure|example)s?\b|\b(?:mentioned|described|listed|shown|"
    r"stated|given|discussed) (?:above|below|here|earlier)\b|\baccording to (?:the|this) "
    r"(?:text|author|passage|document)\b|\b(?:this|these|those)\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"^\w+(?: \w+){0,4} (?:is|are|was|were|does|do|did|can|may|must|should|will|has|have) "
    r"(?:it|they|he|she|we|i|this|that|these|those|there)\b|\b(?:my|our|we|us)\b",
    re.IGNORECASE,
)
# What a question may say beyond its sentence.
_ASKING = content_words(
    "time times long number amount maximum minimum purpose reason meaning called responsible "
    "happens happen required allowed occur place person people kind type describe name cost price "
    "date day year month hours minutes often located mean"
)


@dataclasses.dataclass(frozen=True)
class Refused:
    """Why a draft may not stay."""

    rule: str
    detail: str


def refuse_question(question: str, *, known: str = "") -> Refused | None:
    """Why a question is unfit to be asked by itself, without its passage.

    Args:
        question: The draft.
        known: Text whose words the question may use freely: passage, headings, title.
    """
    count = len(question.split())
    if not question.endswith("?") or question.count("?") > 1 or "\n" in question:
        return Refused("not-a-question", "not one line with one question mark at its end")
    if question.count("(") != question.count(")") or question.count("`") % 2:
        return Refused("malformed", "brackets or code marks that do not match")
    if not _ASKS.match(question):
        return Refused("not-a-question", "does not begin as a question")
    if not 4 <= count <= 40:
        return Refused("not-a-question", f"{count} words")
    if found := _POINTS.search(question) or _PRONOUN.search(question):
        return Refused("not-self-contained", f"`{found[0]}` needs the passage")
    if len(content_words(question)) < 2:
        return Refused("not-self-contained", "names no subject")
    if _repeats(question):
        return Refused("degenerate", "repeats itself")
    if known and (strange := content_words(question) - content_words(known) - _ASKING):
        return Refused("strays", f"not in the passage: {', '.join(sorted(strange))}")
    return None


def _repeats(text: str) -> bool:
    said = words(text)
    triples = list(zip(said, said[1:], said[2:], strict=False))
    return len(set(triples)) < len(triples)


def refuse_leak(question: str, answer: str, sentence: str) -> Refused | None:
    """Why a question asks nothing: it holds its own answer, or is its sentence again.

    Args:
        question: The draft.
        answer: The words that answer it; empty when not known.
        sentence: The sentence it was asked of.
    """
    asked, said = content_words(question), content_words(answer)
    given = numbers(question) & numbers(answer)
    if answer and (given or (said and len(said & asked) > 0.5 * len(said))):
        return Refused("gives-away-answer", f"holds `{answer}`")
    told = content_words(sentence)
    if told and len(told & asked) >= 0.95 * len(told):
        return Refused("too-similar-to-source", "says all that its sentence says")
    if told and len((told - said) & asked) < min(2, len(told - said)):
        return Refused("strays", "shares too few words with its sentence")
    return None


def refuse_free_wording(question: str, answer: str, sentence: str) -> Refused | None:
    """Why a question that a small model worded is unfit: it must be the sentence turned round.

    Of eight such questions of SmolLM2-135M that brought in words of their own, or left out more
    than a quarter of the sentence's, seven asked for something else.
    """
    asked, said, told = (content_words(text) for text in (question, answer, sentence))
    if strange := asked - told:
        return Refused("strays", f"not in the sentence: {', '.join(sorted(strange))}")
    left = told - said - asked
    if len(left) > 0.25 * len(told - said):
        return Refused("strays", f"leaves out: {', '.join(sorted(left))}")
    return None


def refuse_answer(answer: str, finish_reason: str = "stop") -> Refused | None:
    """Why an answer is unfit whatever it says: empty, cut off, a refusal, a loop."""
    if not answer.strip():
        return Refused("malformed", "empty answer")
    if finish_reason == "length":
        return Refused("truncated", "the model ran into its limit of tokens")
    if _REFUSAL.search(answer.strip()):
        return Refused("refusal", answer.strip()[:80])
    said = words(answer)
    fours = list(zip(said, said[1:], said[2:], said[3:], strict=False))
    if len(fours) > 8 and len(set(fours)) < 0.7 * len(fours):
        return Refused("degenerate", "repeats itself")
    return None
