"""Completions criticised by a principle and written again: original and revision make a pair.

The judgment that prefers the revision says `source="rule"` and names the constitution: nobody
looked at the two.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Final

from prefkit.chat import ChatModel, Reply, Request, Sampling
from prefkit.generation.candidates_plan import CandidatesPlan
from prefkit.generation.checks import Refused, refuse_answer
from prefkit.generation.constitution import CRITIQUE_TOKENS, Constitution
from prefkit.generation.examples import cost_of
from prefkit.generation.kinds import NOWHERE
from prefkit.generation.languages import language_name
from prefkit.generation.prompting import Prompt, fenced, neutral
from prefkit.generation.sampling import (
    Said,
    Sampled,
    drop,
    likelihood_fields,
    refuse_all_failed,
    sampling_fields,
    seed_of,
    wants_logprobs,
    with_likelihood,
)
from prefkit.judging.judge import transcript
from prefkit.pairs.check import text_key
from prefkit.records import (
    Candidate,
    Dropped,
    Example,
    Judgment,
    Messages,
    assistant,
    content_id,
    text_of,
)

NOTHING_WRONG: Final = re.compile(r"\W*no change\b", re.IGNORECASE)
# What models put around an answer that was asked for alone; a pair would teach it.
AROUND: Final = re.compile(
    r"^\s*(?:<answer>|\**(?:(?:here is|here['’]s)\b[^:\n]{0,60}|(?:the )?(?:revised|new) answer|"
    r"answer)\**:\**)\s*|\s*</answer>\s*$",
    re.IGNORECASE,
)
# A revision that speaks of the task rather than the subject, in English.
OF_THE_TASK: Final = re.compile(
    r"\b(?:the|this|my) (?:revised|original|previous|earlier|new) (?:answer|text|version)\b"
    r"|\b(?:the|this) (?:critique|criticism|principle)\b"
    r"|\b(?:according to|in|from) the (?:passage|text|context)\b",
    re.IGNORECASE,
)
RULES: Final = {"malformed": "empty", "truncated": "truncated", "refusal": "refused"}


@dataclasses.dataclass
class _Task:
    """One completion on its way: the principle is drawn first, the critique follows."""

    example: Example
    original: Candidate
    principle: str
    passage: str
    critique: str = ""

    @property
    def record_id(self) -> str:
        """Names the revision that might have been."""
        return content_id("revision", self.original.id)

    @property
    def context(self) -> str:
        """What critique and revision were shown."""
        return "grounded" if self.passage else "closed-book"

    def drop(self, rule: str, detail: str) -> Dropped:
        """Why it ends here."""
        return drop(self.record_id, rule, f"of {self.original.id}: {detail}"[:400])

    def messages(self, prompt: Prompt) -> Messages:
        """The critic's or the reviser's prompt; what was written by anyone is fenced."""
        code = self.example.metadata.get("language", "")
        filled = prompt.messages(
            passage=fenced(self.passage) if self.passage else "",
            question=fenced(transcript(self.example.prompt), "question"),
            answer=fenced(text_of(self.original.completion), "answer"),
            critique=fenced(self.critique, "critique"),
            principle=neutral(self.principle),
            language=language_name(code) if code else "the language of the question",
        )
        return tuple(turn.model_copy(update={"content": turn.content.strip()}) for turn in filled)


def revise(
    originals: Sequence[Candidate],
    examples: Sequence[Example],
    model: ChatModel,
    plan: CandidatesPlan,
    said: Said,
) -> Sampled:
    """Criticise and revise completions; what does not get better leaves with its reason.

    Args:
        originals: Completions that `model` wrote.
        examples: The prompts they answer.
        model: Who criticises and revises: itself.
        plan: Constitution, passages and sampling.
        said: Candidates of each prompt so far.

    Raises:
        PrefkitError: Every request failed.
    """
    constitution = plan.constitution
    if constitution is None:
        raise ValueError("the plan has no constitution")
    known = {example.id: example for example in examples}
    tasks = [
        _Task(
            known[one.prompt_id],
            one,
            constitution.principle_for(one.id, plan.config.seed),
            plan.passages.get(one.prompt_id, ""),
        )
        for one in originals
    ]
    wrong, dropped, first = _criticised(tasks, model, constitution, plan)
    requests = [
        Request(
            task.messages(constitution.revise),
            _sampling(task, "revise", plan, plan.config.max_tokens),
            logprobs=wants_logprobs(plan.config),
        )
        for task in wrong
    ]
    replies = model.complete(requests) if requests else []
    refuse_all_failed(model, replies)
    replies = [
        dataclasses.replace(reply, text=AROUND.sub("", AROUND.sub("", reply.text)).strip())
        for reply in replies
    ]
    if wants_logprobs(plan.config):
        replies = with_likelihood(model, requests, replies)
    made = Sampled([], dropped, cost_of([*first, *replies]))
    heard = {example.id: dict(said.get(example.id, {})) for example in examples}
    for task, request, reply in zip(wrong, requests, replies, strict=True):
        _take(task, request.sampling, reply, model.name, constitution, made, heard)
    return made


def _criticised(
    tasks: Sequence[_Task], model: ChatModel, constitution: Constitution, plan: CandidatesPlan
) -> tuple[list[_Task], list[Dropped], list[Reply]]:
    """Those with something to mend, the others, and all replies."""
    requests = [
        Request(
            task.messages(constitution.critique),
            _sampling(task, "critique", plan, CRITIQUE_TOKENS),
        )
        for task in tasks
    ]
    replies = model.complete(requests) if requests else []
    refuse_all_failed(model, replies)
    wrong, dropped = [], []
    for task, reply in zip(tasks, replies, strict=True):
        task.critique = reply.text.strip()
        if reply.error:
            dropped.append(task.drop("model-error", reply.error))
        elif not task.critique:
            dropped.append(task.drop("empty-critique", f"finish reason {reply.finish_reason}"))
        elif NOTHING_WRONG.match(task.critique):
            dropped.append(task.drop("nothing-to-revise", task.principle))
        else:
            wrong.append(task)
    return wrong, dropped, replies


def _sampling(task: _Task, step: str, plan: CandidatesPlan, max_tokens: int) -> Sampling:
    return Sampling(
        temperature=0.0,
        top_p=plan.config.top_p,
        max_tokens=max_tokens,
        seed=seed_of(plan.config.seed, step, task.original.id),
    )


def _take(
    task: _Task,
    sampling: Sampling,
    reply: Reply,
    model: str,
    constitution: Constitution,
    made: Sampled,
    heard: Mapping[str, dict[str, str]],
) -> None:
    """Keep a revision and say that it is preferred, or drop it."""
    problem = _problem(task, reply)
    if problem is not None:
        made.dropped.append(task.drop(*problem))
        return
    candidate = Candidate(
        prompt_id=task.example.id,
        completion=assistant(reply.text),
        model=f"{model}[{task.context}, revised]",
        sampling=sampling_fields(sampling),
        seed=sampling.seed,
        finish_reason=reply.finish_reason,
        tokens=reply.completion_tokens,
        **likelihood_fields(reply),
        metadata={
            "original": task.original.id,
            "constitution": constitution.name,
            "principle": task.principle,
            "critique": task.critique,
        },
    )
    here = heard[task.example.id]
    better = here.setdefault(reply.text, candidate.id)
    if better == candidate.id:
        made.candidates.append(candidate)
    else:
        repeated = task.drop("duplicate-completion", reply.text)
        made.dropped.append(repeated.model_copy(update={"keeper": better}))
    made.judgments.append(
        Judgment(
            prompt_id=task.example.id,
            ranks={better: 1, task.original.id: 2},
            annotator=constitution.annotator,
            source="rule",
            shown_order=(task.original.id, better),
            guideline_sha256=constitution.sha256,
            metadata={"principle": task.principle, "critique": task.critique},
        )
    )


def _problem(task: _Task, reply: Reply) -> tuple[str, str] | None:
    if reply.error:
        return "model-error", reply.error
    refused: Refused | None = refuse_answer(reply.text, reply.finish_reason)
    if refused and not (refused.rule == "refusal" and task.example.kind == NOWHERE):
        return f"revision-{RULES.get(refused.rule, refused.rule)}", refused.detail
    before = text_of(task.original.completion)
    if text_key(reply.text) == text_key(before):
        return "revision-unchanged", reply.text
    spoken = OF_THE_TASK.search(reply.text)
    if spoken and spoken[0].casefold() not in before.casefold():
        return "revision-of-the-task", f"`{spoken[0]}`: {reply.text}"
    return None
