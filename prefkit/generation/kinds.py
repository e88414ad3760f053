"""Kinds of questions: which passages allow one, and whether a draft is of the kind it claims.

What a kind asks of a model stands in `prompts/kinds.txt`, for users to edit. What can be decided
without a model is decided here; in a language without words in `languages.WORDS` only what needs no
words is.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from prefkit.config import KINDS
from prefkit.generation.checks import Refused
from prefkit.generation.grounding import content_words, numbers
from prefkit.generation.languages import WORDS
from prefkit.generation.sentences import sentence_spans

OVER_TWO, NOWHERE, FOLLOW_UP = "multi-hop", "unanswerable", "multi-turn"
ONE_PASSAGE = tuple(kind for kind in KINDS if kind not in (OVER_TWO, NOWHERE, FOLLOW_UP))
# Questions that rules can write, as `questions.FINDERS` call them.
BY_RULE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "factual": ("fact", "place", "agent", "object", "time"),
        "definition": ("definition",),
        "procedural": ("procedure",),
        "condition": ("condition",),
        "numeric": (*("quantity", "cost", "duration", "frequency", "dimension", "measure"),),
        "why": ("reason",),
    }
)
OLD_NAMES: Mapping[str, str] = MappingProxyType(
    {"procedure": "procedural", "reason": "why", "comparison": "comparative"}
)
_FIGURE = re.compile(r"\d")


@dataclasses.dataclass(frozen=True)
class Said:
    """A question and its answer, as a check of its kind sees them.

    Attributes:
        question: The last question.
        answer: Its answer; empty when it is not written yet.
        quotes: What is quoted.
        language: ISO 639-1 code; empty when unknown.
    """

    question: str
    answer: str
    quotes: tuple[str, ...]
    language: str


def allows(kind: str, text: str, language: str) -> bool:
    """Whether a passage may hold an answer to a question of a kind.

    Args:
        kind: One that is asked of a single passage.
        text: The passage.
        language: Its ISO 639-1 code; empty when unknown.
    """
    words = WORDS.get(language)
    if kind == "numeric":
        return bool(numbers(text)) or bool(words and words.number.search(text))
    if kind == "comparative":
        return len(list(sentence_spans(text))) > 1
    if words is None:
        return True
    if kind == "why":
        return words.reason.search(text) is not None
    if kind == "condition":
        return words.given.search(text) is not None
    return True


def refuse_kind(kind: str, said: Said) -> Refused | None:
    """Why a draft is not of the kind that was asked for."""
    check = _CHECKS.get(kind)
    wrong = check(said) if check else ""
    return Refused("wrong-kind", f"not {kind}: {wrong}") if wrong else None


def _numeric(said: Said) -> str:
    words = WORDS.get(said.language)
    texts = [said.answer] if said.answer else list(said.quotes)
    for text in texts:
        if _FIGURE.search(text) or numbers(text) or (words and words.number.search(text)):
            return ""
    return "no number in the answer" if words or said.language == "" else ""


def _asks(name: str, what: str) -> Callable[[Said], str]:
    def check(said: Said) -> str:
        words = WORDS.get(said.language)
        if words is None or getattr(words, name).search(said.question):
            return ""
        return f"the question does not ask {what}"

    return check


def _comparative(said: Said) -> str:
    words = WORDS.get(said.language)
    if words is None:
        return ""
    if not words.compares.search(f"{said.question} {said.answer}"):
        return "nothing is set beside anything"
    parts = [part for part in words.joins.split(said.question) if content_words(part)]
    return "" if len(parts) > 1 else "the question names one thing only"


_CHECKS: Mapping[str, Callable[[Said], str]] = MappingProxyType(
    {
        "numeric": _numeric,
        "comparative": _comparative,
        "why": _asks("why", "why"),
        "definition": _asks("defines", "what something is or means"),
        "procedural": _asks("how", "what to do"),
        "condition": _asks("condition", "when or on what condition"),
    }
)


def refuse_two(answer: str, texts: tuple[str, str]) -> Refused | None:
    """Why an answer is not drawn from two passages: it takes nothing that only one of them says."""
    said = content_words(answer)
    one, other = (content_words(text) for text in texts)
    if not said & (one - other) or not said & (other - one):
        return Refused("wrong-kind", "not multi-hop: one passage alone gives the answer")
    return None


def refuse_follow_up(question: str, language: str) -> Refused | None:
    """Why a last question needs no earlier turn: it refers to nothing said before."""
    words = WORDS.get(language or "en")
    if words is None or words.refers.search(question) or len(content_words(question)) < 2:
        return None
    return Refused("wrong-kind", "not multi-turn: the last question can be asked by itself")
