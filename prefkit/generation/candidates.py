"""`prefkit candidates`: several completions of every prompt, to be judged against each other.

Every completion is stored against the closed-book prompt, whatever it was shown: one that saw the
passage tends to be right, one that did not tends to be wrong, and training teaches to tell the two
apart without the passage.
"""

import dataclasses
import functools
import itertools
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefkit import console, runs
from prefkit.chat import ChatModel, Reply, Request, Sampling
from prefkit.chat.ahead import ahead
from prefkit.chat.budget import Budget
from prefkit.chat.spending import Asked, about_tokens, estimate, open_budget, open_for_run
from prefkit.config import CandidatesConfig
from prefkit.errors import PrefkitError
from prefkit.generation.examples import cost_of, line_around
from prefkit.generation.prompting import FOLDER, Prompt, fenced, load_prompts
from prefkit.manifest import run_of
from prefkit.reading import Loaded, load_records
from prefkit.records import (
    Candidate,
    Chunk,
    Dropped,
    Example,
    Messages,
    Quote,
    assistant,
    content_id,
    text_of,
)
from prefkit.workspace import Workspace

STAGE = "candidates"
PROMPTS_A_UNIT = 16
TOKENS_AROUND = 60  # a call: template, and what is said around a passage


@dataclasses.dataclass(frozen=True)
class Cell:
    """One way to complete a prompt.

    Attributes:
        model: Model name, as configured.
        context: `closed-book` or `grounded`.
        temperature: 0 is greedy.
        repeat: Tells apart samples drawn the same way.
    """

    model: str
    context: str
    temperature: float
    repeat: int


@dataclasses.dataclass(frozen=True)
class CandidatesPlan(runs.Plan):
    """Which prompts are completed, and how.

    Attributes:
        examples: Whose prompts.
        passages: What each example's quotes stand in, by example id.
        prompt: How a passage is put before a question.
    """

    config: CandidatesConfig
    examples: tuple[Example, ...] = ()
    passages: Mapping[str, str] = dataclasses.field(default_factory=dict)
    prompt: Prompt | None = None

    def digest_fields(self) -> dict[str, object]:
        """Configuration, inputs, and the prompt by its content."""
        return super().digest_fields() | {"prompt": self.prompt.sha256 if self.prompt else ""}

    def units(self) -> dict[str, tuple[str, tuple[Example, ...]]]:
        """Model and examples by unit of work; one model after another, so one is loaded at once."""
        return {
            f"{number}-{start // PROMPTS_A_UNIT:05}": (
                model,
                self.examples[start : start + PROMPTS_A_UNIT],
            )
            for number, model in enumerate(models_of(self.config))
            for start in range(0, len(self.examples), PROMPTS_A_UNIT)
        }


def models_of(config: CandidatesConfig) -> tuple[str, ...]:
    """Every model, each once, the main one first."""
    return tuple(dict.fromkeys((config.model, *config.models)))


def cells_of(config: CandidatesConfig) -> tuple[Cell, ...]:
    """The ways to complete a prompt, `per_prompt` of them.

    Contexts take turns first, then models, then temperatures, so that few completions already
    differ in what matters most.
    """
    ways = [
        (model, context, temperature)
        for temperature, model, context in itertools.product(
            config.temperatures, models_of(config), config.contexts
        )
    ]
    return tuple(
        Cell(*ways[number % len(ways)], repeat=number // len(ways))
        for number in range(config.per_prompt)
    )


def plan_candidates(source: str, config: CandidatesConfig, workspace: Workspace) -> CandidatesPlan:
    """Say which prompts are completed and how often.

    Args:
        source: Examples: a run, @stage, or a file.
        config: The `[candidates]` table.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: There are no examples, or grounded completions are wanted and their passages
            are not found.
    """
    loaded = load_records(source, "examples", Example, workspace)
    examples = tuple({example.id: example for example in loaded.records}.values())
    examples = examples[: config.limit]
    inputs, passages = loaded.inputs, {}
    if "grounded" in config.contexts:
        chunks = _chunks(source, workspace)
        inputs = (*inputs, *chunks.inputs)
        passages = _passages(examples, chunks.records)
        if not passages:
            raise _no_passages(source)
    cells = cells_of(config)
    return CandidatesPlan(
        stage=STAGE,
        config=config,
        inputs=inputs,
        counts={"prompts": len(examples), "models": len(models_of(config))},
        expected={
            "candidates_at_most": len(examples) * len(cells),
            **estimate(_asked(examples, passages, config), config, workspace),
        },
        examples=examples,
        passages=passages,
        prompt=load_prompts(config.prompts)["grounded"],
    )


def _asked(
    examples: Sequence[Example], passages: Mapping[str, str], config: CandidatesConfig
) -> list[Asked]:
    questions = sum(about_tokens(text_of(example.prompt)) for example in examples)
    shown = sum(map(about_tokens, passages.values()))
    asked = []
    for model in models_of(config):
        cells = [cell for cell in cells_of(config) if cell.model == model]
        grounded = sum(cell.context == "grounded" for cell in cells)
        calls = len(cells) * len(examples)
        asked.append(
            Asked(
                model=model,
                base_url=config.base_url if model == config.model else None,
                calls=calls,
                prompt_tokens=len(cells) * questions + grounded * shown + TOKENS_AROUND * calls,
                completion_tokens=calls * config.max_tokens,
            )
        )
    return asked


def _chunks(source: str, workspace: Workspace) -> Loaded[Chunk]:
    if source == "-" or Path(source).is_file():
        run = None if source == "-" else run_of(Path(source))
        if run is None:
            raise _no_passages(source)
        source = str(run)
    try:
        return load_records(source, "chunks", Chunk, workspace)
    except PrefkitError as error:
        raise _no_passages(source) from error


def _no_passages(source: str) -> PrefkitError:
    return PrefkitError(
        f"{source}: no passages are found for its examples, so none can be shown to the model.",
        hint="Give a run made from `prefkit generate`, or complete without passages: "
        "`--context closed-book`.",
    )


def _passages(examples: Sequence[Example], chunks: Sequence[Chunk]) -> dict[str, str]:
    texts = {chunk.id: chunk.text for chunk in chunks}
    found = {}
    for example in examples:
        if example.quotes and all(quote.chunk_id in texts for quote in example.quotes):
            shown = (_around(texts[quote.chunk_id], quote) for quote in example.quotes)
            found[example.id] = "\n\n".join(dict.fromkeys(shown))
    return found


def _around(text: str, quote: Quote) -> str:
    """The paragraph that holds a quote; the whole chunk for a row or an item, which need theirs."""
    line = line_around(text, quote.start, quote.end)
    return text if re.match(r"\s*(?:\||[-*+] |\d+[.)] |#)", line) else line


def run_candidates(plan: CandidatesPlan, settings: runs.Settings) -> runs.Run:
    """Complete every prompt in every planned way; empty and repeated completions are dropped.

    Raises:
        PrefkitError: A model cannot be opened, or every request to it failed.
    """
    units = plan.units()
    with runs.Run.start(plan, settings) as run:
        if run.finished:
            return run
        if plan.prompt is not None:
            origin = "bundled" if plan.prompt.path.parent == FOLDER else "path"
            run.add_plugin("prompt", plan.prompt.name, origin, plan.prompt.sha256)
        budget = open_budget(plan.config, run, settings.workspace)
        pending = run.pending(units)
        said: defaultdict[str, set[str]] = defaultdict(set)

        def count(unit: str) -> None:
            for row in run.records_of(unit, "candidates"):
                candidate = Candidate.model_validate(row)
                said[candidate.prompt_id].add(text_of(candidate.completion))
            bar.advance(note=budget.note())

        with console.progress("candidates", len(units)) as bar:
            for unit in list(units)[: len(units) - len(pending)]:  # they are recorded in this order
                count(unit)
            for name in models_of(plan.config):  # one after another, so one is loaded at once
                mine = [unit for unit in pending if units[unit][0] == name]
                if not mine:
                    continue
                model = _open(name, plan, settings, budget)
                run.set_device(model.device)
                sample = functools.partial(_sample, model, name, plan, units, said)
                ways = sum(cell.model == name for cell in cells_of(plan.config))
                with ahead(model, mine, sample, calls=PROMPTS_A_UNIT * ways) as samples:
                    for unit, sampled in samples:
                        run.record(
                            unit,
                            {"candidates": sampled.candidates},
                            sampled.dropped,
                            sampled.totals,
                        )
                        count(unit)
        run.finish(list(units), card=_card(plan))
    return run


def _open(name: str, plan: CandidatesPlan, settings: runs.Settings, budget: Budget) -> ChatModel:
    main = name == plan.config.model
    return open_for_run(plan.config, settings.workspace, budget, None if main else name)


def _sample(
    model: ChatModel,
    name: str,
    plan: CandidatesPlan,
    units: Mapping[str, tuple[str, tuple[Example, ...]]],
    said: Mapping[str, set[str]],
    unit: str,
) -> "Sampled":
    return complete(units[unit][1], model, name, plan, said)


@dataclasses.dataclass(frozen=True)
class Sampled:
    """Completions of some prompts.

    Attributes:
        candidates: Those worth judging.
        dropped: Empty, failed and repeated ones.
        totals: Calls, tokens, cost.
    """

    candidates: list[Candidate]
    dropped: list[Dropped]
    totals: dict[str, float]


def complete(
    examples: Sequence[Example],
    model: ChatModel,
    name: str,
    plan: CandidatesPlan,
    said: Mapping[str, set[str]],
) -> Sampled:
    """Complete some prompts in every way planned for one model.

    Args:
        examples: Whose prompts.
        model: The model.
        name: What the configuration calls it.
        plan: Ways, passages and the grounded prompt.
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
            dropped.append(_drop(example.id, "no-passage", detail))
        else:
            wanted.append((example, cell, Request(messages, _sampling(example, cell, plan.config))))
    replies = _drawn(model, [request for _, _, request in wanted]) if wanted else []
    if replies and all(reply.error for reply in replies):
        raise PrefkitError(
            f"{model.name}: all {len(replies)} requests failed: {replies[0].error}",
            hint="Mend the cause, then continue with --resume.",
        )
    heard = {example.id: set(said.get(example.id, ())) for example in examples}
    candidates = []
    for (example, cell, request), reply in zip(wanted, replies, strict=True):
        candidate = _candidate(example, cell, request.sampling, reply, model.name)
        problem = _problem(reply, heard[example.id])
        if problem:
            record_id = content_id("sample", example.id, candidate.model, request.sampling.seed)
            dropped.append(_drop(record_id, *problem))
        else:
            heard[example.id].add(reply.text.strip())
            candidates.append(candidate)
    return Sampled(candidates, dropped, cost_of(replies))


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


def _drop(record_id: str, rule: str, detail: str) -> Dropped:
    return Dropped(record_id=record_id, stage=STAGE, rule=rule, detail=detail)


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
    if cell.context == "closed-book":
        return example.prompt
    passage = plan.passages.get(example.id)
    if passage is None or plan.prompt is None:
        return None
    *earlier, last = example.prompt
    shown = plan.prompt.messages(passage=fenced(passage), question=last.content)
    return (*earlier, *shown)


def _sampling(example: Example, cell: Cell, config: CandidatesConfig) -> Sampling:
    digest = content_id(
        config.seed, example.id, cell.model, cell.context, cell.temperature, cell.repeat
    )
    return Sampling(
        temperature=cell.temperature,
        top_p=config.top_p,
        max_tokens=config.max_tokens,
        seed=int(digest[:7], 16),  # below 2**31, which every server takes
    )


def _candidate(
    example: Example, cell: Cell, sampling: Sampling, reply: Reply, model: str
) -> Candidate:
    return Candidate(
        prompt_id=example.id,
        completion=assistant(reply.text.strip()),
        model=f"{model}[{cell.context}]",
        sampling={
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
        },
        seed=sampling.seed,
        finish_reason=reply.finish_reason,
        tokens=reply.completion_tokens,
        metadata={"choice": str(reply.choice)} if reply.choice else {},
    )


def _card(plan: CandidatesPlan) -> str:
    ways = "; ".join(
        f"{cell.model}, {cell.context}, temperature {cell.temperature:g}"
        for cell in cells_of(plan.config)
    )
    return (
        f"Completions of {len(plan.examples)} prompts, up to {plan.config.per_prompt} each ({ways})"
        ". `model` names model and context: `[grounded]` saw the passage, `[closed-book]` did not. "
        "All are stored against the closed-book prompt."
    )
