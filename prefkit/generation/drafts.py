"""A draft and the checks it must pass: one list for questions, one for answers.

A check looks at a `Draft` and says why it may not stay, or None. The first that refuses is the
reason. Another check is one more function in `QUESTION_CHECKS` or `ANSWER_CHECKS`.
"""

import dataclasses
import re
from collections.abc import Callable, Sequence

from prefkit.generation.checks import Refused, refuse_answer, refuse_leak, refuse_question
from prefkit.generation.examples import Passage, line_around
from prefkit.generation.grounding import (
    Unsupported,
    content_words,
    find_quote,
    long_enough,
    share_supported,
    unsupported,
    words,
)
from prefkit.generation.kinds import (
    FOLLOW_UP,
    NOWHERE,
    OVER_TWO,
    Said,
    refuse_follow_up,
    refuse_kind,
    refuse_two,
)
from prefkit.generation.languages import WORDS, other_language
from prefkit.generation.measure import count_tokens
from prefkit.generation.retrieval import ANSWERED, Index
from prefkit.generation.trust.dates import unstated
from prefkit.generation.trust.denials import contradicted
from prefkit.generation.trust.names import unknown_pairs
from prefkit.generation.trust.pointing import dangling, freed, points
from prefkit.records import Messages, Quote, text_of

LEAST_SUPPORT = 0.5  # of an answer's content words: a paraphrase passes, an invention does not
_OBEYS = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,30}\b(?:previous|prior|above|earlier|all|your)\b"
    r".{0,20}\b(?:instructions?|prompts?|rules?)\b|\byour? (?:are|must) now\b.{0,40}\bassistant\b",
    re.IGNORECASE,
)
_LONGEST = 60  # words of a question in a language whose questions are not known


@dataclasses.dataclass(frozen=True)
class Draft:
    """A question, and perhaps its answer, that a model wrote.

    Attributes:
        passages: What it was drafted from: one chunk, or two.
        question: The last question.
        answer: Its answer; None while only the question is written.
        said: Quotes as the model wrote them.
        kind: What was asked for; empty when the model chose.
        earlier: Turns before the question.
        finish_reason: How the model ended.
        index: The whole corpus, for questions that nothing answers.
    """

    passages: tuple[Passage, ...]
    question: str
    answer: str | None
    said: tuple[str, ...] = ()
    kind: str = ""
    earlier: Messages = ()
    finish_reason: str = "stop"
    index: Index | None = None

    @property
    def language(self) -> str:
        """ISO 639-1 code of its passages; empty when unknown."""
        return self.passages[0].language

    @property
    def known(self) -> str:
        """All words an answer may use: those of its passages and of what is asked."""
        texts = [passage.known for passage in self.passages]
        asked = [turn.content for turn in self.earlier if turn.role == "user"]
        return "\n".join([*texts, *asked, self.question])

    @property
    def text(self) -> str:
        """The text of its passages."""
        return "\n".join(passage.known for passage in self.passages)

    @property
    def answers(self) -> tuple[str, ...]:
        """The answers of earlier turns, then its own."""
        earlier = (turn.content for turn in self.earlier if turn.role == "assistant")
        return (*earlier, self.answer or "")

    @property
    def quotes(self) -> tuple[Quote, ...]:
        """The quotes that stand in a passage, each once; none for what nothing answers."""
        if self.kind == NOWHERE:
            return ()
        found = (self.placed(said) for said in self.said)
        return tuple(dict.fromkeys(quote for quote in found if quote is not None))

    def freed(self) -> tuple["Draft", dict[str, str]]:
        """The draft without `according to the passage`, and a note of what was taken out."""
        question = freed(self.question, self.language)
        answer = freed(self.answer or "", self.language)
        removed = [one.removed for one in (question, answer) if one.removed]
        if not removed:
            return self, {}
        said = None if self.answer is None else answer.text
        draft = dataclasses.replace(self, question=question.text, answer=said)
        return draft, {"removed": "; ".join(removed)}

    def placed(self, said: str) -> Quote | None:
        """Where a passage says some words; None when none does, or they are too few."""
        if not long_enough(said):
            return None
        for passage in self.passages:
            if span := find_quote(passage.chunk.text, said):
                return Quote(chunk_id=passage.chunk.id, start=span[0], end=span[1])
        return None

    def lines(self) -> str:
        """The whole lines in which its quotes stand."""
        texts = {passage.chunk.id: passage.chunk.text for passage in self.passages}
        return "\n".join(line_around(texts[q.chunk_id], q.start, q.end) for q in self.quotes)


Refusal = Refused | Unsupported
Check = Callable[[Draft], Refusal | None]


def first_refusal(draft: Draft, checks: Sequence[Check]) -> Refusal | None:
    """Why a draft may not stay: what the first check that refuses it says."""
    found = (check(draft) for check in checks)
    return next((refusal for refusal in found if refusal is not None), None)


def quoted(draft: Draft) -> Refused | None:
    """Every quote stands in a passage; a question over two passages quotes both."""
    if draft.kind == NOWHERE:
        return None
    missing = [said for said in draft.said if draft.placed(said) is None]
    if missing or not draft.said:
        return Refused("ungrounded-quote", f"`{missing[0][:120]}`" if missing else "no quote")
    if draft.kind == OVER_TWO and len({quote.chunk_id for quote in draft.quotes}) < 2:
        return Refused("wrong-kind", "not multi-hop: quotes one passage only")
    return None


def no_instruction(draft: Draft) -> Refused | None:
    """A text that speaks to the model is no matter for a question."""
    found = next((said for said in draft.said if _OBEYS.search(said)), "")
    return Refused("instruction-in-text", f"`{found[:120]}`") if found else None


def well_asked(draft: Draft) -> Refused | None:
    """The question can be asked by itself; a follow-up with its earlier turn, and only so."""
    if draft.kind != FOLLOW_UP:
        return _well_asked(draft.question, draft.language)
    if not draft.earlier:
        return Refused("wrong-kind", "not multi-turn: no earlier turn")
    first = _well_asked(draft.earlier[0].content, draft.language)
    if first is not None:
        return Refused(first.rule, f"earlier question: {first.detail}")
    one = _one_question(draft.question, 2, draft.language)
    return one or refuse_follow_up(draft.question, draft.language)


def about_its_subject(draft: Draft) -> Refused | None:
    """The question does not speak of its passage, nor of what only the passage names."""
    asked = [turn.content for turn in draft.earlier if turn.role == "user"]
    for question in (*asked, draft.question):
        if word := points(question, draft.text, draft.language):
            return Refused("refers-to-passage", f"`{word}` in the question")
    if draft.kind != FOLLOW_UP and (start := dangling(draft.question, draft.language)):
        return Refused("not-self-contained", f"`{start}` needs the passage")
    return None


def says_it_itself(draft: Draft) -> Refused | None:
    """The answer does not speak of its passage; an honest refusal may."""
    if draft.kind == NOWHERE:
        return None
    found = (points(answer, draft.text, draft.language) for answer in draft.answers)
    word = next(filter(None, found), "")
    return Refused("refers-to-passage", f"`{word}` in the answer") if word else None


def _well_asked(question: str, language: str) -> Refused | None:
    if language in ("", "en"):
        return refuse_question(question)
    refused = _one_question(question, 3, language)
    words_here = WORDS.get(language)
    if refused is None and words_here and (found := words_here.points.search(question)):
        return Refused("not-self-contained", f"`{found[0]}` needs the passage")
    return refused


def _one_question(question: str, fewest: int, language: str) -> Refused | None:
    """What holds in any language: one line, one question mark at its end, of middling length."""
    marks = "?？؟;" if language == "el" else "?？؟"
    if sum(map(question.count, marks)) != 1 or question[-1] not in marks or "\n" in question:
        return Refused("not-a-question", "not one line with one question mark at its end")
    size = count_tokens(question)
    if not fewest < size <= _LONGEST:
        return Refused("not-a-question", f"{size} words and marks")
    said = words(question)
    fours = list(zip(said, said[1:], said[2:], said[3:], strict=False))
    if len(set(fours)) < len(fours):
        return Refused("degenerate", "repeats itself")
    return None


def of_its_kind(draft: Draft) -> Refused | None:
    """The draft is what was asked for, as far as its words tell."""
    if draft.kind == OVER_TWO and draft.answer is not None:
        one, other = (passage.chunk.text for passage in draft.passages)
        return refuse_two(draft.answer, (one, other))
    said = Said(draft.question, draft.answer or "", draft.said, draft.language)
    return refuse_kind(draft.kind, said)


def answered_nowhere(draft: Draft) -> Refused | None:
    """A question that nothing should answer: near the corpus, yet no chunk holds its words."""
    if draft.kind != NOWHERE or draft.index is None:
        return None
    nearest = draft.index.nearest(draft.question)
    if nearest.share >= ANSWERED:
        return Refused("answerable", f"chunk {nearest.chunk_id} holds all that it asks for")
    if not nearest.chunk_id or nearest.share == 0:
        return Refused("off-topic", "none of its words stands in the documents")
    return None


def right_language(draft: Draft) -> Refused | None:
    """Question and answer are in the language of their passages."""
    text = " ".join([text_of(draft.earlier), draft.question, draft.answer or ""]).strip()
    other = other_language(text, draft.language)
    return Refused("wrong-language", f"{other}, wanted {draft.language}") if other else None


def whole(draft: Draft) -> Refused | None:
    """The answer is neither empty, cut off, a loop, nor a refusal unless one was asked for."""
    answer = draft.answer or ""
    refused = refuse_answer(answer, draft.finish_reason)
    if draft.kind != NOWHERE:
        return refused
    return refused if refused and refused.rule != "refusal" else _honest(draft, answer)


def _honest(draft: Draft, answer: str) -> Refused | None:
    """An honest refusal says that the documents lack it, and names what they do cover."""
    here = WORDS.get(draft.language or "en")
    if here and not here.lacks.search(answer):
        return Refused("wrong-kind", "not unanswerable: does not say that it is not stated")
    covered = content_words(" ".join(passage.known for passage in draft.passages))
    if not (content_words(answer) - content_words(draft.question)) & covered:
        return Refused("wrong-kind", "not unanswerable: names nothing that the documents cover")
    return None


def asks_something(draft: Draft) -> Refused | None:
    """The question is not its source again, and has to do with it."""
    if draft.kind in (NOWHERE, FOLLOW_UP):
        return None
    return refuse_leak(draft.question, "", draft.lines())


def supported(draft: Draft) -> Refusal | None:
    """Every number, unit and name of the answer stands in its passages, and most of its words."""
    for answer in draft.answers:
        if problem := unsupported(answer, draft.known, draft.language):
            return problem
        if draft.kind != NOWHERE and share_supported(answer, draft.known) < LEAST_SUPPORT:
            return Refused("ungrounded-words", answer[:120])
    return None


def dated(draft: Draft) -> Refused | None:
    """Every date of the answer stands in a passage, not only in the question."""
    if draft.kind == NOWHERE:
        return None
    missing = [date for answer in draft.answers for date in unstated(answer, draft.text)]
    return (
        Refused("ungrounded-date", f"{', '.join(missing)} not in the passage") if missing else None
    )


def rightly_named(draft: Draft) -> Refused | None:
    """No name of the answer is put together from parts of two; German capitals tell no names."""
    if draft.language == "de":
        return None
    pairs = [pair for answer in draft.answers for pair in unknown_pairs(answer, draft.known)]
    detail = f"{', '.join(pairs)}: never together in the passage"
    return Refused("ungrounded-name", detail) if pairs else None


def not_denied(draft: Draft) -> Refused | None:
    """The answer does not deny what its passages affirm, nor affirm what they deny."""
    if draft.kind == NOWHERE:
        return None
    found = (contradicted(answer, draft.text, draft.language) for answer in draft.answers)
    clause = next(filter(None, found), "")
    return Refused("contradicts-passage", f"`{clause[:120]}`") if clause else None


QUESTION_CHECKS: tuple[Check, ...] = (
    quoted,
    no_instruction,
    right_language,
    about_its_subject,
    well_asked,
    of_its_kind,
    asks_something,
    answered_nowhere,
)
ANSWER_CHECKS: tuple[Check, ...] = (
    whole,
    says_it_itself,
    dated,
    supported,
    rightly_named,
    not_denied,
)
