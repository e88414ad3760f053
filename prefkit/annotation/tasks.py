"""What people see: prompts with their answers, blind and in random order. Knows nothing of files.

The order of answers is drawn by a hash of the prompt, the answers and the seed: the same push
makes the same records, and neither position nor id tells which model wrote an answer.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from prefkit.annotation.layouts import MOST_ANSWERS, LoadedLayout
from prefkit.pairs.check import text_key
from prefkit.pairs.items import FAILED
from prefkit.records import (
    AnnotationTask,
    Candidate,
    Chunk,
    Dropped,
    Example,
    Messages,
    assistant,
    content_id,
    text_of,
)

STAGE = "annotate-push"
PULL_STAGE = "annotate-pull"
ADJUDICATE_STAGE = "annotate-adjudicate"
ADJUDICATES = "adjudicates"  # note in a task: the dataset whose conflict it settles
REFERENCE = "reference"  # model name of a candidate that is an example's own answer


@dataclasses.dataclass(frozen=True)
class Shown:
    """A task with its texts.

    Attributes:
        task: What is recorded of it.
        prompt: The conversation up to the answer.
        answers: Texts in the order shown.
        passage: The source's text; empty when unknown.
        reference: The example's answer; empty when unknown.
    """

    task: AnnotationTask
    prompt: Messages
    answers: tuple[str, ...]
    passage: str = ""
    reference: str = ""


@dataclasses.dataclass(frozen=True)
class Made:
    """Tasks, and what cannot be one and why."""

    shown: tuple[Shown, ...]
    dropped: tuple[Dropped, ...] = ()


def reference_candidate(example: Example) -> Candidate:
    """An example's own answer as a candidate, so that an edit can be paired with it."""
    return Candidate(
        prompt_id=example.id,
        completion=assistant(example.reference),
        model=REFERENCE,
        metadata={"generator": example.generator} if example.generator else {},
    )


def review_tasks(
    examples: Iterable[Example], chunks: Mapping[str, Chunk], loaded: LoadedLayout
) -> Made:
    """One task an example: is its answer right?"""
    shown = {}
    for example in examples:
        candidate = reference_candidate(example)
        shown[example.id] = _shown(example, [candidate], chunks, loaded)
    return Made(tuple(shown.values()))


def answer_tasks(
    examples: Iterable[Example],
    candidates: Iterable[Candidate],
    chunks: Mapping[str, Chunk],
    loaded: LoadedLayout,
    seed: int = 0,
) -> Made:
    """One task a prompt with at least two different answers, in random order.

    Failed generations are left out, the same text is shown once, and of more than eight answers
    eight are drawn. Each record's order is drawn by itself, so that a later push of more prompts
    leaves the records that are there as they are.
    """
    known = {example.id: example for example in examples}
    by_prompt, dropped = _by_prompt(known, candidates)
    shown = []
    for prompt_id, group in by_prompt.items():
        chosen, faults = _choose(prompt_id, group, loaded, seed)
        dropped += faults
        if chosen:
            shown.append(_shown(known[prompt_id], chosen, chunks, loaded))
    return Made(tuple(shown), tuple(dropped))


def _by_prompt(
    known: Mapping[str, Example], candidates: Iterable[Candidate]
) -> tuple[dict[str, list[Candidate]], list[Dropped]]:
    by_prompt: dict[str, dict[str, Candidate]] = {}
    dropped = []
    for candidate in candidates:
        if candidate.prompt_id not in known:
            dropped.append(_drop(candidate.id, "unknown-prompt", candidate.prompt_id))
        elif candidate.finish_reason in FAILED:
            dropped.append(_drop(candidate.id, "failed-generation", candidate.finish_reason))
        else:
            by_prompt.setdefault(candidate.prompt_id, {})[candidate.id] = candidate
    return {prompt: list(group.values()) for prompt, group in by_prompt.items()}, dropped


def _choose(
    prompt_id: str, group: Sequence[Candidate], loaded: LoadedLayout, seed: int
) -> tuple[list[Candidate], list[Dropped]]:
    """Distinct answers in random order; none when there is nothing to compare."""

    def draw(candidate: Candidate) -> str:
        return content_id("shown", seed, prompt_id, candidate.id)

    distinct: dict[str, Candidate] = {}
    dropped = []
    for candidate in sorted(group, key=draw):
        first = distinct.setdefault(text_key(text_of(candidate.completion)), candidate)
        if first is not candidate:
            dropped.append(_drop(candidate.id, "same-text", f"shown once, as {first.id}"))
    chosen = list(distinct.values())
    if len(chosen) < 2:
        return [], [*dropped, _drop(prompt_id, "one-answer", "nothing to compare")]
    if loaded.layout.kind == "comparison" and len(chosen) > 2:
        detail = f"{len(chosen)} different answers; a comparison has two"
        return [], [*dropped, _drop(prompt_id, "more-than-two", detail)]
    detail = f"{len(chosen)} different answers"
    dropped += [_drop(one.id, "over-eight", detail) for one in chosen[MOST_ANSWERS:]]
    return chosen[:MOST_ANSWERS], dropped


def _shown(
    example: Example,
    candidates: Sequence[Candidate],
    chunks: Mapping[str, Chunk],
    loaded: LoadedLayout,
) -> Shown:
    task = AnnotationTask(
        kind=loaded.layout.kind,
        prompt_id=example.id,
        shown_order=tuple(candidate.id for candidate in candidates),
        layout=loaded.name,
        guideline_sha256=loaded.guideline_sha256,
    )
    return Shown(
        task=task,
        prompt=example.prompt,
        answers=tuple(text_of(candidate.completion) for candidate in candidates),
        passage=passage_of(example, chunks) if loaded.layout.show.passage else "",
        reference=example.reference if loaded.layout.show.reference else "",
    )


def passage_of(example: Example, chunks: Mapping[str, Chunk]) -> str:
    """The quoted chunks under their headings, then the quotes themselves."""
    found = dict.fromkeys(quote.chunk_id for quote in example.quotes if quote.chunk_id in chunks)
    parts = []
    for chunk in (chunks[name] for name in found):
        where = " > ".join(chunk.headings) + (f" (page {chunk.page})" if chunk.page else "")
        parts.append(f"[{where.strip()}]\n{chunk.text}" if where.strip() else chunk.text)
    quotes = [
        chunks[quote.chunk_id].text[quote.start : quote.end]
        for quote in example.quotes
        if quote.chunk_id in chunks
    ]
    if parts and quotes:
        parts.append("Quoted: " + " … ".join(f"“{quote.strip()}”" for quote in quotes))
    return "\n\n".join(parts)


def _drop(name: str, rule: str, detail: str) -> Dropped:
    return Dropped(record_id=name, stage=STAGE, rule=rule, detail=detail)
