"""The diversity of a run that is about to finish, from what its units recorded."""

from collections import Counter
from collections.abc import Iterator, Sequence

from prefkit import runs
from prefkit.generation.collapse import Part
from prefkit.generation.diversity import FEWEST_TEXTS
from prefkit.generation.diversity_found import Diversity, diversity_of
from prefkit.generation.diversity_sets import said_in
from prefkit.generation.grid import ANY
from prefkit.generation.plan import GeneratePlan
from prefkit.generation.repeats import RULES, repeats, thirds
from prefkit.records import Message, text_of

_LEAST_DRAFTS = 3 * FEWEST_TEXTS  # of which thirds say something


def diversity_of_run(run: runs.Run, plan: GeneratePlan, units: Sequence[str]) -> Diversity:
    """Measure what a run made.

    Args:
        run: With all its units recorded.
        plan: What it did.
        units: Those that hold drafts, in the planned order.
    """
    stream = "questions" if plan.config.questions_only else "examples"
    languages = {passage.chunk.id: passage.language for passage in plan.passages}
    rows = (row for unit in units for row in run.records_of(unit, stream))
    drafts = list(_drafts(run, units, stream))
    return diversity_of(
        said_in(rows, languages),
        (passage.chunk.text for passage in plan.passages),
        plan.encode,
        compared=plan.compared,
        parts=tuple(_parts(run, plan, units, stream)),
        thirds=thirds(repeats(drafts)) if len(drafts) >= _LEAST_DRAFTS else (),
        embedder=plan.config.embedder,
    )


def _drafts(run: runs.Run, units: Sequence[str], stream: str) -> Iterator[str | None]:
    """The questions of all turns in order; None for each that was dropped as asked before."""
    for unit in units:
        for row in run.records_of(unit, stream):
            yield text_of([Message.model_validate(turn) for turn in row["prompt"]])
        for dropped in run.dropped_of(unit):
            if dropped["rule"].startswith(RULES):
                yield None


def _parts(run: runs.Run, plan: GeneratePlan, units: Sequence[str], stream: str) -> Iterator[Part]:
    """Kinds and personas in the units that were drafted: planned, and made."""
    tasks = plan.example_units()
    cells = [cell for unit in units for task in tasks[unit] for cell in task.cells]
    rows = [(row["kind"], row["metadata"].get("persona", ""))
            for unit in units for row in run.records_of(unit, stream)]  # fmt: skip
    kinds = Counter(cell.kind for cell in cells if cell.kind != ANY)
    personas = Counter(cell.persona for cell in cells if cell.persona)
    for what, planned, made in (
        ("kind", kinds, Counter(kind for kind, _ in rows)),
        ("persona", personas, Counter(persona for _, persona in rows)),
    ):
        for name in sorted(planned):
            whole = planned.total()
            yield Part(what, name, planned[name], whole, made[name], len(rows))
