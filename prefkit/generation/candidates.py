"""`prefkit candidates`: several completions of every prompt, to be judged against each other.

Every completion is stored against the closed-book prompt, whatever it was shown: one that saw the
passage tends to be right, one that did not tends to be wrong, and training teaches to tell the two
apart without the passage. Work has up to three steps: sample (sampling.py), choose the best
(ranking.py), criticise and revise by a constitution (revising.py).
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence

from prefkit import console, runs
from prefkit.chat import ChatModel
from prefkit.chat.ahead import ahead
from prefkit.chat.spending import open_budget, open_for_run
from prefkit.generation.candidates_plan import (
    PROMPTS_A_UNIT,
    CandidatesPlan,
    Unit,
    plan_candidates,
)
from prefkit.generation.prompting import FOLDER, Prompt
from prefkit.generation.ranking import choose, comparisons
from prefkit.generation.revising import revise
from prefkit.generation.sampling import Sampled, complete, said_by
from prefkit.generation.ways import Cell, cells_of, models_of
from prefkit.records import Candidate, Record

__all__ = ["CandidatesPlan", "Cell", "cells_of", "models_of", "plan_candidates", "run_candidates"]


def run_candidates(plan: CandidatesPlan, settings: runs.Settings) -> runs.Run:
    """Complete every prompt in every planned way; empty and repeated completions are dropped.

    Raises:
        PrefkitError: A model cannot be opened, or every request to it failed.
    """
    units = plan.units()
    with runs.Run.start(plan, settings) as run:
        if run.finished:
            return run
        _note_plugins(plan, run)
        making = _Making(plan, settings, run)
        pending = run.pending(units)
        left = set(pending)
        with console.progress("candidates", len(units)) as bar:
            for unit in list(units)[: len(units) - len(pending)]:  # they are recorded in this order
                making.count(unit)
                bar.advance(note=making.budget.note())
            for _, group in itertools.groupby(units, lambda unit: _together(units[unit])):
                mine = [unit for unit in group if unit in left]
                for unit, made in making.work_on(mine) if mine else ():
                    making.record(unit, made)
                    making.count(unit)
                    bar.advance(note=making.budget.note())
        run.finish(list(units), card=_card(plan))
    return run


def _together(unit: Unit) -> tuple[str, str]:
    return unit.step, unit.model


class _Making:
    """The run being made: its models, one open at a time, and what was said so far.

    Attributes:
        budget: What it may spend.
    """

    def __init__(self, plan: CandidatesPlan, settings: runs.Settings, run: runs.Run) -> None:
        self.budget = open_budget(plan.config, run, settings.workspace)
        self._plan, self._settings, self._run = plan, settings, run
        self._units = plan.units()
        self._said: defaultdict[str, dict[str, str]] = defaultdict(dict)  # samples
        self._kept = self._said if plan.chooser is None else defaultdict(dict)  # candidates
        self._open: tuple[str, ChatModel] | None = None

    def work_on(self, names: Sequence[str]) -> Iterator[tuple[str, Sampled]]:
        """Yield each of some units of one step and model with what came of it."""
        first = self._units[names[0]]
        model = self._model(first.model) if first.model else None
        with ahead(
            model,
            ((name, self._needed(name)) for name in names),  # read here, not beside writing
            lambda task: self._done(self._units[task[0]], task[1], model),
            calls=self._calls(first),
        ) as done:
            for (name, _), made in done:
                yield name, made

    def record(self, name: str, made: Sampled) -> None:
        """Write a unit; samples that are still to be chosen from are not yet candidates."""
        if self._samples_only(name):
            rows = [candidate.model_dump(mode="json") for candidate in made.candidates]
            self._run.record(name, {}, made.dropped, made.totals, {"samples": rows})
            return
        records: dict[str, Sequence[Record]] = {"candidates": made.candidates}
        if self._units[name].step == "revise":
            records["judgments"] = made.judgments
        self._run.record(name, records, made.dropped, made.totals)

    def count(self, name: str) -> None:
        """Remember what the completions of a finished unit say."""
        said = self._said if self._units[name].step == "sample" else self._kept
        for prompt_id, text, candidate_id in said_by(self._made(name)):
            said[prompt_id].setdefault(text, candidate_id)

    def _samples_only(self, name: str) -> bool:
        return self._plan.chooser is not None and self._units[name].step == "sample"

    def _made(self, name: str) -> list[Candidate]:
        rows = (
            self._run.values_of(name)["samples"]
            if self._samples_only(name)
            else self._run.records_of(name, "candidates")
        )
        return [Candidate.model_validate(row) for row in rows]

    def _needed(self, name: str) -> list[Candidate]:
        """What a unit starts from: samples to choose from, or its model's own that were kept."""
        unit = self._units[name]
        if unit.step == "choose" or len(unit.needs) < 2:
            return [one for needed in unit.needs for one in self._made(needed)]
        mine, chosen = unit.needs
        own = {one.id for one in self._made(mine)}
        return [one for one in self._made(chosen) if one.id in own]

    def _done(self, unit: Unit, needed: Sequence[Candidate], model: ChatModel | None) -> Sampled:
        plan = self._plan
        if unit.step == "choose" and plan.chooser is not None:
            samples: defaultdict[str, list[Candidate]] = defaultdict(list)
            for one in needed:
                samples[one.prompt_id].append(one)
            chosen = choose(samples, unit.examples, plan.chooser, model, plan.config, plan.passages)
            return Sampled(chosen.kept, chosen.dropped, chosen.totals)
        if model is None:
            raise ValueError(f"a {unit.step} unit needs a model")
        if unit.step == "revise":
            return revise(needed, unit.examples, model, plan, self._kept)
        return complete(unit.examples, model, unit.model, plan, self._said)

    def _calls(self, unit: Unit) -> float:
        """Requests that a unit puts to its model at a time."""
        if unit.step == "choose":
            return 2 * PROMPTS_A_UNIT * comparisons(self._plan.config.best_of or 0)
        ways = sum(cell.model == unit.model for cell in cells_of(self._plan.config))
        return PROMPTS_A_UNIT * (ways if unit.step == "sample" else min(ways, self._plan.kept))

    def _model(self, name: str) -> ChatModel:
        if self._open is None or self._open[0] != name:
            self._open = None  # let go of the last one first
            config = self._plan.config
            other = None if name == config.model else name
            model = open_for_run(config, self._settings.workspace, self.budget, other)
            self._run.set_device(model.device)
            self._open = (name, model)
        return self._open[1]


def _note_plugins(plan: CandidatesPlan, run: runs.Run) -> None:
    """Every file that decides what is asked, by its hash."""
    prompts = [plan.prompt] if plan.prompt is not None else []
    if plan.constitution is not None:
        one = plan.constitution
        run.add_plugin("constitution", one.name, one.source, one.sha256)
        prompts += [one.critique, one.revise]
    for prompt in prompts:
        run.add_plugin("prompt", prompt.name, _origin(prompt), prompt.sha256)
    for system in plan.systems.values():
        run.add_plugin("system", system.name, "path", system.sha256)
    if plan.chooser is not None:
        run.add_plugin(
            plan.chooser.kind, plan.chooser.name, plan.chooser.source, plan.chooser.sha256
        )


def _origin(prompt: Prompt) -> str:
    return "bundled" if prompt.path.parent == FOLDER else "path"


def _card(plan: CandidatesPlan) -> str:
    config = plan.config
    ways = "; ".join(map(_way, cells_of(config)))
    said = [
        f"Completions of {len(plan.examples)} prompts, up to {plan.kept} each ({ways}). "
        "`model` names model and context: `[grounded]` saw the passage, `[closed-book]` did not. "
        "All are stored against the closed-book prompt."
    ]
    if plan.systems:
        said.append("`metadata.system` names the system prompt; it is not part of the prompt.")
    if plan.chooser is not None:
        said.append(
            f"The best {plan.kept} of {config.best_of} samples by {plan.chooser.name} were kept; "
            "the others are in `dropped.jsonl` as `not-best`, each with its score."
        )
    if plan.constitution is not None:
        said.append(
            f"Candidates `[…, revised]` were written by a model after its own critique by the "
            f"constitution {plan.constitution.name}. `judgments` holds one rule's view a revision, "
            "that it is better than its original: no person compared them."
        )
    return "\n\n".join(said)


def _way(cell: Cell) -> str:
    system = f", system prompt {cell.system}" if cell.system else ""
    return f"{cell.model}, {cell.context}{system}, temperature {cell.temperature:g}"
