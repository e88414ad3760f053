"""`prefkit clean`: plan, run and card."""

import dataclasses
import difflib

from prefkit import console
from prefkit.cleaning.clean import Cleaned, clean
from prefkit.cleaning.near_duplicates import LONG_TEXT
from prefkit.cleaning.rules import RULES
from prefkit.config import CleanConfig
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.manifest import Input, run_of
from prefkit.reading import load_records
from prefkit.records import Chunk, Example
from prefkit.runs import Plan, Run, Settings
from prefkit.storage import read_records, write_jsonl
from prefkit.workspace import Workspace, stream_files

BLOCK = 1000  # examples written at a time


@dataclasses.dataclass(frozen=True)
class CleanPlan(Plan):
    """A plan that holds what it read.

    Attributes:
        examples: What to clean.
        chunks: Where their quotes point; empty when they are not at hand.
    """

    config: CleanConfig
    examples: tuple[Example, ...] = ()
    chunks: tuple[Chunk, ...] = ()


def plan_clean(source: str, config: CleanConfig, workspace: Workspace) -> CleanPlan:
    """Read the examples of SOURCE and the chunks they quote.

    Raises:
        PrefkitError: There are no examples, one is malformed, or a rule to skip does not exist.
    """
    _refuse_unknown_rules(config.skip_rules)
    loaded = load_records(source, "examples", Example, workspace)
    examples = tuple(loaded.records[: config.limit])
    wanted = {quote.chunk_id for example in examples for quote in example.quotes}
    chunks, chunk_inputs = _chunks(loaded.inputs, wanted, workspace)
    return CleanPlan(
        stage="clean",
        config=config,
        inputs=(*loaded.inputs, *chunk_inputs),
        counts={"examples": len(examples), "chunks": len(chunks)},
        examples=examples,
        chunks=chunks,
    )


def run_clean(plan: CleanPlan, settings: Settings) -> Run:
    """Clean the planned examples into a run folder.

    Raises:
        PrefkitError: Nothing is left, or nothing can be held out.
    """
    with Run.start(plan, settings) as run:
        if run.finished:
            return run
        cleaned = clean(plan.examples, plan.config, plan.chunks)
        if not cleaned.kept:
            raise _nothing_left(run, cleaned)
        _warn(plan, cleaned)
        starts = {f"examples-{start:08d}": start for start in range(0, len(cleaned.kept), BLOCK)}
        for unit in run.pending(starts):
            first = starts[unit] == 0
            block = cleaned.kept[starts[unit] : starts[unit] + BLOCK]
            run.record(
                unit,
                {
                    "examples/train": [e for e in block if e.split == "train"],
                    "examples/test": [e for e in block if e.split == "test"],
                },
                cleaned.dropped if first else (),
                _totals(cleaned) if first else None,
            )
        run.finish(list(starts), card=_card(plan, cleaned))
    return run


def _refuse_unknown_rules(names: tuple[str, ...]) -> None:
    for name in names:
        if name not in RULES:
            close = difflib.get_close_matches(name, RULES, 1)
            raise PrefkitError(
                f"There is no rule called `{name}`"
                + (f"; did you mean `{close[0]}`?" if close else "."),
                hint=f"The rules are: {', '.join(RULES)}.",
                exit_code=EXIT_USAGE,
            )


def _chunks(
    inputs: tuple[Input, ...], wanted: set[str], workspace: Workspace
) -> tuple[tuple[Chunk, ...], tuple[Input, ...]]:
    """The quoted chunks from the runs that the examples lie in, or came from."""
    if not wanted:
        return (), ()
    for folder in dict.fromkeys(run_of(workspace.root / entry.path) for entry in inputs):
        for run in workspace.lineage(folder) if folder else ():
            files = stream_files(run, "chunks")
            if files:
                chunks = (chunk for file in files for chunk in read_records(file, Chunk))
                return (
                    tuple(chunk for chunk in chunks if chunk.id in wanted),
                    tuple(Input.of(file, workspace) for file in files),
                )
    return (), ()


def _nothing_left(run: Run, cleaned: Cleaned) -> PrefkitError:
    path = run.path / "dropped.jsonl"
    write_jsonl(path, cleaned.dropped)
    why = ", ".join(f"{count} {rule}" for rule, count in cleaned.dropped_by_rule.items())
    return PrefkitError(
        f"No example is left after cleaning {len(cleaned.dropped)}: {why}.",
        hint=f"Each reason is in {path}. Loosen a limit (`--min-reference-words`), or leave a "
        "rule out with `--skip-rule NAME`.",
    )


def _warn(plan: CleanPlan, cleaned: Cleaned) -> None:
    kept, assigned = len(cleaned.kept), cleaned.assigned
    share = len(cleaned.test) / kept
    if assigned.drawn == kept and abs(share - plan.config.test_share) > 0.1:
        console.say(
            f"note: the test split holds {share:.0%} of the examples, not "
            f"{plan.config.test_share:.0%}: what belongs together stays together "
            f"({assigned.groups} groups, the largest of {assigned.largest})."
        )
    if assigned.leaks:
        console.say(
            f"warning: {assigned.leaks} training examples share a document or a near duplicate "
            "with a test example. The splits came with the input and were kept; take the field "
            "`split` out to draw them anew."
        )
    if assigned.unplaced:
        console.say(
            f"warning: the documents of {assigned.unplaced} examples are not known; their passage "
            "stood for the document when splitting."
        )


def _totals(cleaned: Cleaned) -> dict[str, float]:
    assigned = cleaned.assigned
    return {
        **{f"normalised_{change}": rows for change, rows in cleaned.changed.items()},
        "groups": assigned.groups,
        "largest_group": assigned.largest,
        "test_share": len(cleaned.test) / len(cleaned.kept),
        "leaks": assigned.leaks,
        "unplaced": assigned.unplaced,
        "pairs_compared": cleaned.compared,
    }


def _card(plan: CleanPlan, cleaned: Cleaned) -> str:
    config, assigned = plan.config, cleaned.assigned
    changed = ", ".join(f"{rows} {change}" for change, rows in cleaned.changed.items()) or "none"
    skipped = f" Rules left out: {', '.join(config.skip_rules)}." if config.skip_rules else ""
    return f"""\
{len(plan.examples)} examples came in, {len(cleaned.kept)} stay: {len(cleaned.train)} to train on \
and {len(cleaned.test)} held out.

- Normalised to Unicode NFC without invisible characters; examples changed: {changed}.{skipped}
- Near duplicates: prompt and reference each at least {config.near_duplicates:g} similar (exact \
Jaccard of word shingles, 3 words, or 2 under {LONG_TEXT} words; {cleaned.compared} pairs \
compared) and no number, name or turning word that only one of them states. \
Of several references to one prompt {"all" if config.keep_repeated_prompts else "one"} stays.
- Split by {config.split_by} and near-duplicate cluster with seed {config.seed}: \
{assigned.groups} groups, the largest of {assigned.largest} examples. \
Training examples that share a group with a test example: {assigned.leaks}.
"""
