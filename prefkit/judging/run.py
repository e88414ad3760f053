"""The `judge` stage: candidates in, judgments and verdicts out."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefkit import console, runs
from prefkit.chat import ChatModel
from prefkit.chat.ahead import ahead
from prefkit.chat.budget import Budget
from prefkit.chat.spending import Asked, about_tokens, estimate, open_budget, open_for_run
from prefkit.config import JudgeConfig
from prefkit.errors import PrefkitError
from prefkit.judging.cards import JudgeCard, load_judge
from prefkit.judging.rules import PREFIX, Rule, load_rule
from prefkit.judging.tasks import Judged, Task, judge_tasks
from prefkit.judging.trust import card_text, first_slot_share, share, warnings
from prefkit.manifest import run_of
from prefkit.reading import load_records
from prefkit.records import Candidate, Chunk, Dropped, Example, text_of
from prefkit.workspace import Workspace

log = logging.getLogger(__name__)

STAGE = "judge"
BATCH = 8  # prompts a unit of work
NOT_TOTALS = ("label_mass", "forced")  # sums that only make sense divided by each other


@dataclasses.dataclass(frozen=True)
class JudgePlan(runs.Plan):
    """A planned `judge` run, with what it read.

    Attributes:
        tasks: Prompts with their candidates, in file order.
        judges: Who judges, in the order asked for.
        dropped: Candidates whose prompt is not known.
    """

    config: JudgeConfig
    tasks: tuple[Task, ...] = ()
    judges: tuple[JudgeCard | Rule, ...] = ()
    dropped: tuple[Dropped, ...] = ()

    def units(self) -> dict[str, tuple[JudgeCard | Rule, tuple[Task, ...]]]:
        """Units of work by name: a judge and a batch of prompts."""
        return {
            f"{judge.name}-{start // BATCH:05d}": (judge, self.tasks[start : start + BATCH])
            for judge in self.judges
            for start in range(0, len(self.tasks), BATCH)
        }


def plan_judge(source: str, config: JudgeConfig, workspace: Workspace) -> JudgePlan:
    """Read the candidates, their prompts and the judges.

    Args:
        source: Candidates: a run, @stage, `-` or a JSONL file.
        config: The `[judge]` table.
        workspace: Where runs and judges are looked for.

    Raises:
        PrefkitError: There are no candidates, their prompts are not found, or a judge is wrong.
    """
    judges = tuple(_load(name, workspace) for name in config.judges)
    for name, times in Counter(judge.name for judge in judges).items():
        if times > 1:
            raise PrefkitError(f"Two judges are called `{name}`.", hint="Rename one's folder.")
    cards = [judge for judge in judges if isinstance(judge, JudgeCard)]
    candidates = load_records(source, "candidates", Candidate, workspace)
    upstream = config.examples or _run_of(source, workspace)
    examples = load_records(upstream, "examples", Example, workspace)
    inputs = [*candidates.inputs, *examples.inputs]
    passages: dict[str, str] = {}
    if any(card.needs == "passage" for card in cards):
        chunks = load_records(upstream, "chunks", Chunk, workspace)
        passages = {chunk.id: chunk.text for chunk in chunks.records}
        inputs += chunks.inputs
    tasks, dropped = _tasks(candidates.records, examples.records, passages)
    tasks = tasks[: config.limit]
    if not tasks:
        raise PrefkitError(
            f"{source}: none of {len(candidates.records)} candidates answers a prompt of "
            f"{upstream}.",
            hint="Name the examples they answer with `--examples RUN`.",
        )
    return JudgePlan(
        stage=STAGE,
        config=config,
        inputs=(*inputs, *(_input(judge, workspace) for judge in judges)),
        counts={"prompts": len(tasks), "candidates": sum(len(t.candidates) for t in tasks)},
        expected=_expected(tasks, cards, config, workspace),
        tasks=tuple(tasks),
        judges=judges,
        dropped=tuple(dropped),
    )


def run_judge(plan: JudgePlan, settings: runs.Settings) -> runs.Run:
    """Judge every prompt with every judge, and say how far the judges can be trusted."""
    units = plan.units()
    with runs.Run.start(plan, settings) as run:
        if run.finished:
            return run
        for judge in plan.judges:
            run.add_plugin("judge", judge.name, judge.source, judge.sha256)
        pending = run.pending(units)
        budget = open_budget(plan.config, run, settings.workspace)
        model = _open(plan, settings.workspace, pending, budget)
        if model is not None:
            run.set_device(model.device)

        def judge_unit(unit: str) -> Judged:
            judge, tasks = units[unit]
            return judge_tasks(judge, model, tasks, plan.config)

        calls = 2 * BATCH * plan.config.max_pairs_per_prompt
        with (
            console.progress("judge", len(units)) as bar,
            ahead(model, pending, judge_unit, calls=calls) as done,
        ):
            bar.advance(len(units) - len(pending))
            for unit, judged in done:
                judge, _ = units[unit]
                strays = plan.dropped if unit == next(iter(units)) else ()
                run.record(
                    unit,
                    {"judgments": judged.judgments}
                    | ({"verdicts": judged.verdicts} if isinstance(judge, JudgeCard) else {}),
                    [*strays, *judged.dropped],
                    totals={k: v for k, v in judged.tally.items() if k not in NOT_TOTALS},
                    values={"judge": judge.name, "tally": judged.tally},
                )
                bar.advance(note=budget.note())
        tallies = _tallies(run, units)
        _log_trust(run, tallies)
        for warning in warnings(tallies):
            log.warning(warning)
            console.say(f"warning: {warning}")
        run.finish(list(units), card=card_text(plan.judges, tallies))
    return run


def _load(name: str, workspace: Workspace) -> JudgeCard | Rule:
    if name.startswith(PREFIX):
        return load_rule(name, workspace)
    return load_judge(name, workspace)


def _run_of(source: str, workspace: Workspace) -> str:
    """The run whose lineage holds what the candidates were made from."""
    if source == "-" or Path(source).is_file():
        run = None if source == "-" else run_of(Path(source))
        if run is None:
            raise PrefkitError(
                f"{source}: a file of candidates does not say which prompts they answer.",
                hint="Name the examples with `--examples FILE` or `--examples @clean`.",
            )
        return str(run)
    return source


def _tasks(
    candidates: Sequence[Candidate], examples: Sequence[Example], passages: Mapping[str, str]
) -> tuple[list[Task], list[Dropped]]:
    by_prompt: dict[str, dict[str, Candidate]] = {}
    for candidate in candidates:
        by_prompt.setdefault(candidate.prompt_id, {})[candidate.id] = candidate
    known = {example.id: example for example in examples}
    tasks, dropped = [], []
    for prompt_id, group in by_prompt.items():
        example = known.get(prompt_id)
        if example is None:
            dropped += [
                Dropped(record_id=name, stage=STAGE, rule="unknown-prompt", detail=prompt_id)
                for name in group
            ]
            continue
        quoted = dict.fromkeys(quote.chunk_id for quote in example.quotes)
        passage = "\n\n".join(passages[name] for name in quoted if name in passages)
        tasks.append(Task(example, tuple(group.values()), passage))
    return tasks, dropped


def _input(judge: JudgeCard | Rule, workspace: Workspace) -> runs.Input:
    """A judge as an input, so that another prompt or rule is another run."""
    folder = judge.folder if isinstance(judge, JudgeCard) else None
    inside = folder is not None and judge.source != "bundled"
    path = workspace.show(folder) if folder and inside else f"{judge.source} {judge.name}"
    return runs.Input(path=path, sha256=judge.sha256)


def _open(
    plan: JudgePlan, workspace: Workspace, pending: Sequence[str], budget: Budget
) -> ChatModel | None:
    """The model that plays the judge, when a judge without code of its own has work left."""
    units = plan.units()
    waiting = [units[unit][0] for unit in pending]
    if not any(isinstance(judge, JudgeCard) and judge.code is None for judge in waiting):
        return None
    return open_for_run(plan.config, workspace, budget)


def _expected(
    tasks: Sequence[Task], cards: Sequence[JudgeCard], config: JudgeConfig, workspace: Workspace
) -> dict[str, float | str | None]:
    if not cards:
        return {"calls": 0, "usd": 0.0}
    pairs = 0
    shown = 0.0
    for task in tasks:
        texts = {one.id: about_tokens(text_of(one.completion)) for one in task.candidates}
        around = about_tokens(text_of(task.example.prompt) + task.example.reference + task.passage)
        for one, other in task.pairs(config):
            pairs += 1
            shown += texts[one] + texts[other] + around
    asked = [
        Asked(
            model=config.model,
            base_url=config.base_url,
            calls=2 * pairs,
            prompt_tokens=2 * (shown + pairs * about_tokens(card.prompt)),
            completion_tokens=2 * pairs * card.max_tokens,
        )
        for card in cards
        if card.code is None
    ]
    return {**estimate(asked, config, workspace), "calls": 2 * pairs * len(cards)}


def _tallies(run: runs.Run, units: Mapping[str, object]) -> dict[str, Counter[str]]:
    tallies: dict[str, Counter[str]] = {}
    for unit in units:
        values = run.values_of(unit)
        if values["tally"]:
            tallies.setdefault(values["judge"], Counter()).update(values["tally"])
    return tallies


def _log_trust(run: runs.Run, tallies: Mapping[str, Counter[str]]) -> None:
    for name, tally in tallies.items():
        run.log_metrics(
            judge=name,
            calls=tally["calls"],
            unscored=tally["unscored"],
            flip_share=share(tally, "flipped", "pairs_scored"),
            first_slot_share=first_slot_share(tally),
        )
