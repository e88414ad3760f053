"""Small steps for a small model: choose a sentence, ask about it, answer, verify.

Measured with SmolLM2-135M on a handbook: asked for JSON it returned none that was valid (0 of 20);
of the questions it was left to word, half strayed or gave the answer away, and half of the rest
asked for something else. So what a rule can do, a rule does; the model words a question only where
rules find none in a chunk, and answers. An answer of the model becomes the reference only if it
is the sentence shortened, with what was asked for kept; else the sentence itself does. `generator`
tells which: `+pattern` is a question by rule, `+extractive` a reference that is the sentence.
"""

import dataclasses
from collections.abc import Mapping, Sequence

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
from prefkit.generation.examples import Drafted, Passage, line_around, quota
from prefkit.generation.grounding import begins_with_pronoun, content_words, numbers, shortens
from prefkit.generation.prompting import Prompt, fenced, neutral
from prefkit.generation.questions import asked_of
from prefkit.generation.sentences import Sentence, worth_asking
from prefkit.records import Example, Quote, user

QUESTION_TOKENS = 40
ANSWER_TOKENS = 64
PLAINEST = "object"  # the kind of question that says least: what does X keep?
_TRIES = 2  # sentences of a chunk that the model may try where rules find no question
_ANSWERED = 0.75  # of the asked words an answer must hold


@dataclasses.dataclass(frozen=True)
class _Draft:
    """A question about a sentence, on its way to become an example."""

    passage: Passage
    sentence: Sentence
    asked: Asked
    question: str
    by_rule: bool


def draft_stepwise(
    passages: Sequence[Passage],
    model: ChatModel,
    prompts: Mapping[str, Prompt],
    config: GenerateConfig,
    drafted: Drafted,
) -> None:
    """Draft from each passage sentence by sentence, adding to `drafted`."""
    drafts: list[_Draft] = []
    unfinished: list[_Draft] = []
    for passage in passages:
        wanted = quota(passage.chunk, config.per_chunk)
        finished, others = _by_rule(passage, wanted)
        drafts += finished
        unfinished += [] if finished else others[:_TRIES]
    drafts += _by_model(unfinished, model, prompts["question"], config, drafted)
    answers = drafted.ask(model, [_answer_request(d, prompts["answer"], config) for d in drafts])
    for draft, reply in zip(drafts, answers, strict=True):
        drafted.examples.append(_example(draft, reply, model.name))
        drafted.count(agreed=_answers(reply.text, draft))


def _by_rule(passage: Passage, wanted: int) -> tuple[list[_Draft], list[_Draft]]:
    """Questions that rules can finish, different kinds first, and what is left to the model."""
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
    chosen: list[_Draft] = []
    kinds: list[str] = []
    while found and len(chosen) < wanted:
        best = min(found, key=lambda d: (d.asked.kind == PLAINEST, kinds.count(d.asked.kind)))
        found.remove(best)
        chosen.append(best)
        kinds.append(best.asked.kind)
    return chosen, left


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
    sentence, chunk = draft.sentence, draft.passage.chunk
    own = _is_reference(reply, draft) and reply.text.strip() != sentence.text
    how = ("+pattern" if draft.by_rule else "") + ("" if own else "+extractive")
    page = {"page": str(chunk.page)} if chunk.page else {}
    return Example(
        prompt=user(draft.question),
        reference=reply.text.strip() if own else sentence.text,
        quotes=(Quote(chunk_id=chunk.id, start=sentence.start, end=sentence.end),),
        kind=draft.asked.kind,
        generator=f"{model}/stepwise{how}",
        metadata={"source": draft.passage.source} | page,
    )
