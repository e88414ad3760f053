"""`prefkit generate`: documents to chunks to grounded examples, as a run that can be resumed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from prefkit import console, runs
from prefkit.chat import ChatModel, Reply, Request
from prefkit.chat.ahead import ahead
from prefkit.chat.budget import Budget
from prefkit.chat.opening import is_endpoint
from prefkit.chat.spending import open_budget, open_for_run
from prefkit.errors import PrefkitError
from prefkit.generation.card import card_text
from prefkit.generation.examples import Drafted, Passage, method_for
from prefkit.generation.grid import Task
from prefkit.generation.plan import TASKS_A_UNIT, GeneratePlan, plan_generate
from prefkit.generation.prompting import FOLDER
from prefkit.generation.reporting import Reported, write_report
from prefkit.generation.review import write_sheet
from prefkit.generation.trust.earlier import Earlier
from prefkit.generation.trust.vouching import Verifier, vouch
from prefkit.generation.trust.vouching import wanted as wanted_prompts
from prefkit.records import Chunk, Example, Question, Record, text_of
from prefkit.storage import write_json

__all__ = ["GeneratePlan", "plan_generate", "run_generate"]


def run_generate(plan: GeneratePlan, settings: runs.Settings) -> runs.Run:
    """Draft examples chunk by chunk, keep the grounded ones, and drop the rest with reasons.

    Raises:
        PrefkitError: The model cannot be opened, or every request to it failed.
    """
    with runs.Run.start(plan, settings) as run:
        if run.finished:
            return run
        for taken in plan.readers:
            run.add_plugin("reader", taken.name, taken.origin, taken.sha256)
        write_json(run.path / "plan.json", plan.grid.as_json())
        read = _record_documents(run, plan)
        drafted = _record_examples(run, plan, settings)
        finish(run, plan, [*read, *drafted], drafted)
    refuse_nothing(run, _stream(plan))
    return run


def _stream(plan: GeneratePlan) -> str:
    return "questions" if plan.config.questions_only else "examples"


def finish(run: runs.Run, plan: GeneratePlan, units: Sequence[str], drafted: Sequence[str]) -> None:
    """Write what a run says of itself, coverage, report and card, and mark it finished.

    Args:
        run: With all units recorded.
        plan: What it did.
        units: All units, in the planned order.
        drafted: Those with drafts.
    """
    reported = Reported(run, plan, tuple(drafted))
    write_json(run.path / "coverage.json", reported.coverage.as_json())
    write_json(run.path / "diversity.json", reported.diversity.as_json())
    if plan.config.questions_only:
        write_sheet(run.path, reported.questions(), plan.passages)
    write_report(reported)
    run.finish(units, card=card_text(reported))


def refuse_nothing(run: runs.Run, stream: str) -> None:
    """Refuse a run without a single example or question.

    Raises:
        PrefkitError: Counts the reasons.
    """
    if not run.manifest.outputs.get(stream):
        raise PrefkitError(
            f"{run.path}: no draft passed the checks: {_reasons(run.manifest.dropped)}.",
            hint="dropped.jsonl there holds every draft. Try a stronger --model, or other text.",
        )


def _record_documents(run: runs.Run, plan: GeneratePlan) -> list[str]:
    units = plan.document_units()
    by_document: dict[str, list[Chunk]] = {}
    for chunk in plan.chunks:
        by_document.setdefault(chunk.document_id, []).append(chunk)
    for unit in run.pending(units):
        documents = [parsed.document for parsed in units[unit]]
        chunks = [chunk for d in documents for chunk in by_document.get(d.id, ())]
        unread = plan.dropped if unit == next(iter(units)) else ()
        read = {"documents": documents, "chunks": chunks} if documents else {}
        run.record(unit, read, unread)
    return list(units)


def _record_examples(run: runs.Run, plan: GeneratePlan, settings: runs.Settings) -> list[str]:
    """Draft unit after unit until the total is reached; returns the units that count."""
    units, config = plan.example_units(), plan.config
    pending = run.pending(units)
    used: list[str] = []
    seen: set[str] = set()
    earlier = Earlier(config.near_duplicates)
    earlier.add(plan.earlier)
    budget = open_budget(config, run, settings.workspace)

    def count(unit: str) -> None:
        before = len(seen)
        asked = [_question_of(row) for row in run.records_of(unit, _stream(plan))]
        seen.update(record_id for record_id, _ in asked)
        earlier.add(asked)
        used.append(unit)
        steps = len(seen) - before if config.total else len(units[unit])
        note = ", ".join(filter(None, (f"{len(seen)} {_stream(plan)}", budget.note())))
        bar.advance(steps, note=note)

    def wanted() -> float:
        """Units that the total needs if every draft passes."""
        missing = (config.total or math.inf) - len(seen)
        return missing / (TASKS_A_UNIT * config.per_chunk)

    total = config.total or len(plan.grid.tasks)
    with console.progress(_stream(plan) if config.total else "chunks", total) as bar:
        for unit in list(units)[: len(units) - len(pending)]:  # they are recorded in this order
            if wanted() > 0:
                count(unit)
        if not pending or wanted() <= 0:
            return used
        model = _open(run, plan, settings, budget)
        second = _open_second(run, plan, settings, budget, model)

        def draft(unit: str) -> Drafted:
            return vouch(plan.draft(units[unit], model), units[unit], second)

        with ahead(model, pending, draft, calls=TASKS_A_UNIT, wanted=wanted) as drafts:
            for unit, drafted in drafts:
                _record_unit(run, unit, _stream(plan), drafted, units[unit], earlier)
                count(unit)
                if wanted() <= 0:
                    break
    return used


class _Rules:
    """Stands where a model would, for drafts that need none."""

    name, device, structured = "rules", "cpu", False

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        """Nobody is there to answer."""
        raise AssertionError(f"{len(requests)} requests to no model")


def _open(run: runs.Run, plan: GeneratePlan, settings: runs.Settings, budget: Budget) -> ChatModel:
    config = plan.config
    expected = method_for(config, structured=is_endpoint(config.model, config.base_url))
    if not plan.asks_model(expected):
        return _Rules()
    model = open_for_run(config, settings.workspace, budget)
    run.set_device(model.device)
    _note_prompts(run, plan, plan.prompts_used(method_for(config, structured=model.structured)))
    return model


def _open_second(
    run: runs.Run, plan: GeneratePlan, settings: runs.Settings, budget: Budget, first: ChatModel
) -> Verifier | None:
    """Who checks the drafts; None when nobody should."""
    config = plan.config
    names = () if config.questions_only else wanted_prompts(config)
    if not names:
        return None
    _note_prompts(run, plan, names)
    if config.verifier_model or config.verifier_base_url:
        named, url = config.verifier_model or config.model, config.verifier_base_url
        model = open_for_run(config, settings.workspace, budget, named, base_url=url)
    elif isinstance(first, _Rules):
        model = open_for_run(config, settings.workspace, budget)
    else:
        model = first
    return Verifier(model, plan.prompts, config)


def _note_prompts(run: runs.Run, plan: GeneratePlan, names: Sequence[str]) -> None:
    for name in names:
        prompt = plan.prompts[name]
        origin = "bundled" if prompt.path.parent == FOLDER else "path"
        run.add_plugin("prompt", name, origin, prompt.sha256)


def _record_unit(
    run: runs.Run,
    unit: str,
    stream: str,
    drafted: Drafted,
    tasks: Sequence[Task],
    earlier: Earlier,
) -> None:
    """Record a unit without the questions that an earlier one, or itself, asked before."""
    passages = {task.passages[0].chunk.id: task.passages[0] for task in tasks}
    drafts = drafted.questions if stream == "questions" else drafted.examples
    kept = _first_asked(drafts, earlier, passages, drafted)
    values = {"dropped_by_chunk": dict(drafted.by_chunk), "tried": list(passages)}
    records: dict[str, Sequence[Record]] = {stream: kept}
    if drafted.verdicts:
        records["verdicts"] = drafted.verdicts
    run.record(unit, records, drafted.dropped, totals=drafted.totals, values=values)


def _first_asked(
    records: Sequence[Example] | Sequence[Question],
    earlier: Earlier,
    passages: Mapping[str, Passage],
    drafted: Drafted,
) -> list[Record]:
    kept: list[Record] = []
    for record in records:
        text = text_of(record.prompt)
        before = earlier.find(text)
        if before is not None:
            drafted.drop(passages[chunk_of(record)], before.rule, before.detail, text)
        else:
            earlier.add([(record.id, text)])
            kept.append(record)
    return kept


def chunk_of(record: Example | Question) -> str:
    """The chunk that a record was drafted from, or near when it quotes none."""
    if isinstance(record, Question):
        return record.chunk_ids[0]
    return record.metadata.get("chunk") or record.quotes[0].chunk_id


def _question_of(row: Mapping[str, Any]) -> tuple[str, str]:  # an Example as JSON
    """Its id and what it asks."""
    return row["id"], "\n\n".join(message["content"] for message in row["prompt"])


def _reasons(dropped: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {rule}" for rule, count in dropped.items()) or "there was none"
