"""Small steps for a small model: choose a sentence, ask about it, answer, verify.

Measured with SmolLM2-135M on a handbook: asked for JSON it returned none that was valid (0 of 20);
of the questions it was left to word, half strayed or gave the answer away, and half of the rest
asked for something else. So what a rule can do, a rule does; the model words a question only where
rules find none in a chunk, and answers. An answer of the model becomes the reference only if it
is the sentence shortened, with what was asked for kept; else the sentence itself does. `generator`
tells which: `+pattern` is a question by rule, `+extractive` a reference that is the sentence.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from prefkit.chat import ChatModel, Reply, Request, Sampling
from prefkit.config import GenerateConfig
from prefkit.generation.asked import Asked
from prefkit.generation.checks import (
    Refused,
    refuse_answer,
    refuse_free_wording,
    refuse_leak,
    refuse_question,
)
from prefkit.generation.examples import Drafted, Passage, line_around, notes_of, quota
from prefkit.generation.grounding import begins_with_pronoun, content_words, numbers, shortens
from prefkit.generation.kinds import BY_RULE
from prefkit.generation.languages import language_name
from prefkit.generation.prompting import Prompt, fenced, neutral
from prefkit.generation.questions import asked_of
from prefkit.generation.sentences import Sentence, worth_asking
from prefkit.records import Example, Question, Quote, user

QUESTION_TOKENS = 40
ANSWER_TOKENS = 64
PLAINEST = "object"  # the kind of question that says least: what does X keep?
_TRIES = 2  # sentences of a chunk that the model may try where rules find no question
_ANSWERED = 0.75  # of the asked words an answer must hold


class Asking(Protocol):
    """What a plan asks for; see `grid.Cell`."""

    @property
    def name(self) -> str:
        """Of the cell."""
        ...

    @property
    def kind(self) -> str:
        """One of `kinds.BY_RULE`, or `any`."""
        ...


@dataclasses.dataclass(frozen=True)
class _Draft:
    """A question about a sentence, on its way to become an example."""

    passage: Passage
    sentence: Sentence
    asked: Asked
    question: str
    by_rule: bool
    cell: Asking | None = None


def draft_stepwise(
    passages: Sequence[Passage],
    model: ChatModel,
    prompts: Mapping[str, Prompt],
    config: GenerateConfig,
    drafted: Drafted,
    cells: Mapping[str, Sequence[Asking]] | None = None,
) -> None:
    """Draft from each passage sentence by sentence, adding to `drafted`.

    Args:
        passages: The chunks.
        model: Words what rules cannot, and answers.
        prompts: By name.
        config: How many, and whether answers are wanted.
        drafted: What has come so far.
        cells: What a plan asks of each chunk, by its id; without, the most telling questions.
    """
    drafts: list[_Draft] = []
    unfinished: list[_Draft] = []
    for passage in passages:
        if passage.language not in ("", "en"):
            name = language_name(passage.language)
            drafted.drop(passage, "language-not-by-rule", f"{name}: rules write English only")
        elif cells is not None:
            drafts += _for_cells(passage, cells[passage.chunk.id], drafted)
        else:
            wanted = quota(passage.chunk, config.per_chunk)
            finished, others = _by_rule(passage, wanted)
            drafts += finished
            unfinished += [] if finished else others[:_TRIES]
    drafts += _by_model(unfinished, model, prompts["question"], config, drafted)
    if config.questions_only:
        drafted.questions += [_question(draft, model.name) for draft in drafts]
        return
    answers = drafted.ask(model, [_answer_request(d, prompts["answer"], config) for d in drafts])
    for draft, reply in zip(drafts, answers, strict=True):
        drafted.examples.append(_example(draft, reply, model.name))
        drafted.count(agreed=_answers(reply.text, draft))


def kinds_by_rule(passage: Passage) -> Counter[str]:
    """How many questions of each kind rules find in a passage; none in another language."""
    if passage.language not in ("", "en"):
        return Counter()
    return Counter(_PLANNED[draft.asked.kind] for draft in _found(passage)[0])


_PLANNED = defaultdict(
    lambda: "factual", {kind: name for name, kinds in BY_RULE.items() for kind in kinds}
)


def _for_cells(passage: Passage, cells: Sequence[Asking], drafted: Drafted) -> Iterator[_Draft]:
    """The best question that rules find for each cell."""
    found = _found(passage)[0]
    for cell in cells:
        draft = next((d for d in found if _PLANNED[d.asked.kind] == cell.kind), None)
        if draft is None:
            drafted.drop(passage, "left-out", f"rules find no {cell.kind} question")
        else:
            found.remove(draft)
            yield dataclasses.replace(draft, cell=cell)


def _by_rule(passage: Passage, wanted: int) -> tuple[list[_Draft], list[_Draft]]:
    """Questions that rules can finish, different kinds first, and what is left to the model."""
    found, left = _found(passage)
    chosen: list[_Draft] = []
    kinds: list[str] = []
    while found and len(chosen) < wanted:
        best = min(found, key=lambda d: (d.asked.kind == PLAINEST, kinds.count(d.asked.kind)))
        found.remove(best)
        chosen.append(best)
        kinds.append(best.asked.kind)
    return chosen, left


def _found(passage: Passage) -> tuple[list[_Draft], list[_Draft]]:
    """The best question that rules can finish of each sentence, and what they cannot finish."""
    found: list[_Draft] = []
    left: list[_Draft] = []
    for sentence in worth_asking(passage.chunk, passage.title):
        asked = list(asked_of(sentence.text, passage.common))
        finished = (_Draft(passage, sentence, a, a.drafted, True) for a in asked if a.drafted)
        draft = next((d for d in finished if _refuse(d) is None), None)
        if draft is not None:
            found.append(draft)
        elif asked[0].opening:
            left.append(_Draft(passage, sentence, asked[0], "", False))
    return found, left


def _refuse(draft: _Draft) -> Refused | None:
    question, answer, sentence = draft.question, draft.asked.answer, draft.sentence.text
    return (
        refuse_question(question, known=draft.passage.known)
        or refuse_leak(question, answer, sentence)
        or (None if draft.by_rule else refuse_free_wording(question, answer, sentence))
    )


def _by_model(
    unfinished: Sequence[_Draft],
    model: ChatModel,
    prompt: Prompt,
    config: GenerateConfig,
    drafted: Drafted,
) -> list[_Draft]:
    requests = [
        Request(
            prompt.messages(cloze=neutral(draft.asked.cloze), opening=draft.asked.opening),
            Sampling(max_tokens=QUESTION_TOKENS, seed=config.seed, stop=("\n", "?")),
        )
        for draft in unfinished
    ]
    kept = []
    for draft, reply in zip(unfinished, drafted.ask(model, requests), strict=True):
        if reply.error:
            drafted.drop(draft.passage, "model-error", reply.error)
            continue
        question = _joined(draft.asked.opening, reply.text)
        draft = dataclasses.replace(draft, question=question)
        refused = _refuse(draft)
        if len(question.split()) <= len(draft.asked.opening.split()):
            refused = Refused("not-a-question", "the model added nothing")
        if refused is None:
            kept.append(draft)
        else:
            drafted.drop(draft.passage, refused.rule, refused.detail, question)
    return kept


def _joined(opening: str, reply: str) -> str:
    """Opening and reply as one question, whether the reply begins anew or goes on."""
    text = " ".join(reply.split()).strip("\"'")
    first = opening.split()[0].lower() if opening else ""
    if not text.lower().startswith(first):
        text = f"{opening} {text}"
    return text.rstrip("?.! ") + "?"


def _answer_request(draft: _Draft, prompt: Prompt, config: GenerateConfig) -> Request:
    sentence = draft.sentence
    paragraph = line_around(draft.passage.chunk.text, sentence.start, sentence.end)
    messages = prompt.messages(passage=fenced(paragraph), question=neutral(draft.question))
    return Request(messages, Sampling(max_tokens=ANSWER_TOKENS, seed=config.seed))


def _answers(answer: str, draft: _Draft) -> bool:
    """Whether an answer holds what was asked for."""
    wanted = content_words(draft.asked.answer)
    given = content_words(answer)
    return numbers(draft.asked.answer) <= numbers(answer) and (
        len(wanted & given) >= _ANSWERED * len(wanted)
    )


def _is_reference(reply: Reply, draft: _Draft) -> bool:
    """Whether the model's answer may stand as the reference.

    It must be the sentence, shortened, and keep what the question names and asks for. Looser rules
    let wrong answers pass: "moved from 20:15 to 20:30" for the reverse, "the team is renewed" for
    "the agreement with the team is renewed".
    """
    answer = reply.text.strip()
    return (
        not reply.error
        and refuse_answer(answer, reply.finish_reason) is None
        and "\n" not in answer
        and 5 <= len(answer.split()) <= 40
        and answer[-1] in ".!"
        and shortens(answer, draft.sentence.text)
        and draft.asked.answer.lower() in answer.lower()
        and _names_subject(answer, draft)
    )


def _names_subject(answer: str, draft: _Draft) -> bool:
    """Whether an answer begins with a pronoun, or repeats what its question took from the text."""
    named = content_words(draft.question) & content_words(draft.sentence.text)
    return begins_with_pronoun(answer) or named <= content_words(answer)


def _example(draft: _Draft, reply: Reply, model: str) -> Example:
    own = _is_reference(reply, draft) and reply.text.strip() != draft.sentence.text
    return Example(
        prompt=user(draft.question),
        reference=reply.text.strip() if own else draft.sentence.text,
        quotes=(_quote(draft),),
        kind=_kind(draft),
        generator=_generator(draft, model) + ("" if own else "+extractive"),
        metadata=_notes(draft),
    )


def _question(draft: _Draft, model: str) -> Question:
    return Question(
        prompt=user(draft.question),
        chunk_ids=(draft.passage.chunk.id,),
        quotes=(_quote(draft),),
        kind=_kind(draft),
        generator=_generator(draft, model),
        metadata=_notes(draft),
    )


def _quote(draft: _Draft) -> Quote:
    sentence = draft.sentence
    return Quote(chunk_id=draft.passage.chunk.id, start=sentence.start, end=sentence.end)


def _kind(draft: _Draft) -> str:
    return draft.cell.kind if draft.cell else draft.asked.kind


def _generator(draft: _Draft, model: str) -> str:
    return f"{model}/stepwise" + ("+pattern" if draft.by_rule else "")


def _notes(draft: _Draft) -> dict[str, str]:
    asked = {"cell": draft.cell.name, "pattern": draft.asked.kind} if draft.cell else {}
    return notes_of(draft.passage) | asked
