"""The text of a generate run's README: a list of parts, each a function that gives Markdown."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from prefkit.generation.coverage_page import document_rows
from prefkit.generation.diversity_page import diversity
from prefkit.generation.kinds import NOWHERE
from prefkit.generation.reported import Reported
from prefkit.generation.trust.told import trust

_DOCUMENTS = 30  # that the card names


def about(reported: Reported) -> str:
    """What the run holds, and what was checked."""
    plan = reported.plan
    by_source = {passage.source for passage in plan.passages}
    formats = Counter(Path(source).suffix.lower() for source in by_source)
    listed = ", ".join(f"{count} {suffix}" for suffix, count in formats.most_common())
    documents = plan.counts.get("documents", len(by_source))
    if plan.config.questions_only:
        return (
            f"Questions to be reviewed, drafted from {documents} documents ({listed}) in "
            f"{len(plan.chunks)} chunks; every quote is an exact span of a chunk. Read, edit or "
            "delete them in `questions.csv` or `data/questions.jsonl`, then answer those that stay "
            "with `prefkit generate --from-questions questions.csv`."
        )
    return (
        f"Questions with grounded answers, drafted from {documents} documents ({listed}) "
        f"in {len(plan.chunks)} chunks. Every answer's quote is an exact span of a chunk, and "
        "every number and name in it stands in that chunk. `generator` says who drafted what: "
        "`+pattern` marks a question built by rule, `+extractive` a reference that is the source "
        "sentence itself."
    )


def kinds(reported: Reported) -> str:
    """What a plan asked for, and what came of it."""
    grid = reported.plan.grid
    notes = [f"- {notice}" for notice in grid.notices]
    if not grid.planned:
        return "\n".join(notes)
    stream = "questions" if reported.plan.config.questions_only else "examples"
    came = Counter(row["kind"] for row in reported.rows(stream))
    planned = grid.counts().get("kinds", {})
    lines = ["## Kinds\n", f"| kind | in the plan | {stream} |", "|---|---:|---:|"]
    lines += [f"| {kind} | {count} | {came[kind]} |" for kind, count in planned.items()]
    if reported.plan.config.total:
        notes.append("- the run stopped at its total; the plan goes on")
    if came[NOWHERE]:
        notes.append(
            f"- {NOWHERE}: no chunk holds the words of such a question together; a chunk that says "
            "it in other words is not found that way"
        )
    return "\n".join([*lines, "", *notes])


def coverage(reported: Reported) -> str:
    """How much of the documents the examples reach."""
    shares = reported.coverage.shares()
    told = ", ".join(
        f"{share.value:.1%} of {share.whole:,} {name}" for name, share in shares.items()
    )
    rows = document_rows(reported)
    lines = [
        "## Coverage\n",
        f"With examples: {told} (counted over all chunks, none sampled). By chunk and heading: "
        "`coverage.json`, `report.html`.\n",
        "| document | chunks | with examples | quoting examples | drafts dropped |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows[:_DOCUMENTS]]
    if len(rows) > _DOCUMENTS:
        lines.append(f"\nThe {_DOCUMENTS} least covered of {len(rows)} documents.")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


PARTS: tuple[Callable[[Reported], str], ...] = (about, kinds, coverage, diversity, trust)


def card_text(reported: Reported) -> str:
    """The whole text."""
    return "\n\n".join(part for make in PARTS if (part := make(reported)))
