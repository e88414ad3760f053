"""Draw the completions of some prompts in every planned way. Knows nothing of files."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from prefkit.chat import ChatModel, Likelihood, Reply, Request, Sampling
from prefkit.config import CandidatesConfig
from prefkit.errors import PrefkitError
from prefkit.generation.candidates_plan import STAGE, CandidatesPlan
from prefkit.generation.examples import cost_of
from prefkit.generation.prompting import fenced
from prefkit.generation.ways import Cell, cells_of
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

DIGITS = 6  # of a log-probability
Said = Mapping[str, Mapping[str, str]]  # prompt id to text to the id of the candidate that says it


@dataclasses.dataclass(frozen=True)
class Sampled:
    """Completions of some prompts.

    Attributes:
        candidates: Those worth judging.
        dropped: Empty, failed and repeated ones, and those not chosen.
        totals: Calls, tokens, cost.
        judgments: What a constitution says of them.
    """

    candidates: list[Candidate]
    dropped: list[Dropped]
    totals: dict[str, float]
    judgments: list[Judgment] = dataclasses.field(default_factory=list)


def complete(
    examples: Sequence[Example], model: ChatModel, name: str, plan: CandidatesPlan, said: Said
) -> Sampled:
    """Complete some prompts in every way planned for one model.

    Args:
        examples: Whose prompts.
        model: The model.
        name: What the configuration calls it.
        plan: Ways, passages, system prompts and the grounded prompt.
        said: Completions of each prompt that other models gave before.

    Raises:
        PrefkitError: Every request failed.
    """
    wanted, dropped = [], []
    for example, cell in itertools.product(examples, cells_of(plan.config)):
        if cell.model != name:
            continue
        messages = _messages(example, cell, plan)
        if messages is None:
            detail = f"{example.id} has no quotes whose chunks are known"
            dropped.append(drop(example.id, "no-passage", detail))
        else:
            sampling = _sampling(example, cell, plan)
            request = Request(messages, sampling, logprobs=wants_logprobs(plan.config))
            wanted.append((example, cell, request))
    replies = _drawn(model, [request for _, _, request in wanted]) if wanted else []
    refuse_all_failed(model, replies)
    if wants_logprobs(plan.config):
        replies = with_likelihood(model, [request for _, _, request in wanted], replies)
    heard = {example.id: set(said.get(example.id, ())) for example in examples}
    candidates = []
    for (example, cell, request), reply in zip(wanted, replies, strict=True):
        candidate = _candidate(example, cell, request.sampling, reply, model.name)
        problem = _problem(reply, heard[example.id])
        if problem:
            record_id = content_id("sample", example.id, candidate.model, request.sampling.seed)
            dropped.append(drop(record_id, *problem))
        else:
            heard[example.id].add(reply.text.strip())
            candidates.append(candidate)
    return Sampled(candidates, dropped, cost_of(replies))


def wants_logprobs(config: CandidatesConfig) -> bool:
    """Whether log-probabilities are stored: asked for, or needed to choose by."""
    return config.logprobs or (config.best_of is not None and config.by == "logprob")


def refuse_all_failed(model: ChatModel, replies: Sequence[Reply]) -> None:
    """Stop when a model answers nothing at all.

    Raises:
        PrefkitError: Every request failed.
    """
    if replies and all(reply.error for reply in replies):
        raise PrefkitError(
            f"{model.name}: all {len(replies)} requests failed: {replies[0].error}",
            hint="Mend the cause, then continue with --resume.",
        )


def with_likelihood(
    model: Any,  # a ChatModel; one in this process has log_probabilities
    requests: Sequence[Request],
    replies: Sequence[Reply],
) -> list[Reply]:
    """Replies with the likelihood of their text, where a model in this process can tell it.

    What an endpoint did not tell stays unknown. The end of the turn is left out, for most
    endpoints leave it out.
    """
    told = list(replies)
    if not hasattr(model, "log_probabilities"):
        return told
    places = [place for place, reply in enumerate(told) if reply.text.strip() and not reply.error]
    scored = model.log_probabilities(
        [requests[place].messages for place in places],
        [assistant(told[place].text.strip()) for place in places],
    )
    for place, values in zip(places, scored, strict=True):
        if len(values) > 1:
            likelihood = Likelihood(float(values[:-1].sum()), len(values) - 1)
            told[place] = dataclasses.replace(told[place], likelihood=likelihood)
    return told


def likelihood_fields(reply: Reply) -> dict[str, Any]:  # fields of a Candidate
    """What a reply says of its own likelihood, as fields of a Candidate."""
    if reply.likelihood is None:
        return {}
    return {
        "logprob": round(reply.likelihood.total, DIGITS),
        "logprob_mean": round(reply.likelihood.mean, DIGITS),
        "logprob_tokens": reply.likelihood.tokens,
    }


def drop(record_id: str, rule: str, detail: str) -> Dropped:
    """What leaves this stage."""
    return Dropped(record_id=record_id, stage=STAGE, rule=rule, detail=detail)


def _drawn(model: ChatModel, requests: Sequence[Request]) -> list[Reply]:
    """A reply a request; what differs in its seed alone is put as one, where the model can."""
    groups: dict[tuple[Messages, float], list[int]] = {}
    for place, request in enumerate(requests):
        groups.setdefault((request.messages, request.sampling.temperature), []).append(place)
    samples = getattr(model, "samples", None)
    if samples is None or len(groups) == len(requests):
        return model.complete(requests)
    drawn = samples([[requests[place] for place in group] for group in groups.values()])
    replies: dict[int, Reply] = {}
    for group, found in zip(groups.values(), drawn, strict=True):
        replies |= zip(group, found, strict=True)
    return [replies[place] for place in range(len(requests))]


def _problem(reply: Reply, heard: set[str]) -> tuple[str, str] | None:
    text = reply.text.strip()
    if reply.error:
        return "model-error", reply.error
    if not text:
        return "empty-completion", f"finish reason {reply.finish_reason}"
    if text in heard:
        return "duplicate-completion", text[:200]
    return None


def _messages(example: Example, cell: Cell, plan: CandidatesPlan) -> Messages | None:
    messages = example.prompt
    if cell.context == "grounded":
        passage = plan.passages.get(example.id)
        if passage is None or plan.prompt is None:
            return None
        *earlier, last = example.prompt
        shown = plan.prompt.messages(passage=fenced(passage), question=last.content)
        messages = (*earlier, *shown)
    return plan.systems[cell.system].before(messages) if cell.system else messages


def _sampling(example: Example, cell: Cell, plan: CandidatesPlan) -> Sampling:
    config = plan.config
    drawn = (config.seed, example.id, cell.model, cell.context, cell.temperature, cell.repeat)
    if cell.system:
        drawn = (*drawn, plan.systems[cell.system].sha256)
    return Sampling(
        temperature=cell.temperature,
        top_p=config.top_p,
        max_tokens=config.max_tokens,
        seed=seed_of(*drawn),
    )


def seed_of(*parts: object) -> int:
    """A seed from content, below 2**31, which every server takes."""
    return int(content_id(*parts)[:7], 16)


def _candidate(
    example: Example, cell: Cell, sampling: Sampling, reply: Reply, model: str
) -> Candidate:
    notes = {"choice": str(reply.choice)} if reply.choice else {}
    return Candidate(
        prompt_id=example.id,
        completion=assistant(reply.text.strip()),
        model=f"{model}[{cell.context}]",
        sampling=sampling_fields(sampling),
        seed=sampling.seed,
        finish_reason=reply.finish_reason,
        tokens=reply.completion_tokens,
        **likelihood_fields(reply),
        metadata=notes | ({"system": cell.system} if cell.system else {}),
    )


def sampling_fields(sampling: Sampling) -> dict[str, float]:
    """What of a sampling stands in a Candidate."""
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
    }


def said_by(candidates: Sequence[Candidate]) -> list[tuple[str, str, str]]:
    """Prompt id, text and id of some candidates."""
    return [(one.prompt_id, text_of(one.completion), one.id) for one in candidates]
