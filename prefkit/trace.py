"""Walk a record back to where it came from: pair, judgments, candidates, example, chunk, page."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from prefkit.errors import PrefkitError
from prefkit.manifest import read_manifest
from prefkit.storage import read_rows, rows_with
from prefkit.workspace import Workspace, stream_files

Row = dict[str, Any]  # one record as JSON
NEAREST_FIRST = (
    "pairs",
    "unpaired",
    "conflicts",
    "judgments",
    "edits",
    "candidates",
    "examples",
    "chunks",
    "documents",
)


@dataclasses.dataclass(frozen=True)
class Step:
    """One record on the way back.

    Attributes:
        depth: How far from the record that was asked for.
        role: What it is to the record before it: chosen, prompt, quote, …
        stream: Which kind of record.
        run: Name of the run that holds it.
        row: The record as JSON.
    """

    depth: int
    role: str
    stream: str
    run: str
    row: Row


@dataclasses.dataclass(frozen=True)
class _Link:
    role: str
    stream: str
    wanted: str  # the id to look for
    field: str = "id"  # where it stands in the other record


def _from_pair(row: Row) -> Iterator[_Link]:
    yield _Link("judged by", "judgments", row["prompt_id"], "prompt_id")
    for role in ("chosen", "rejected"):
        yield _Link(role, "candidates", row[f"{role}_id"])
        yield _Link(role, "edits", row[f"{role}_id"])
    yield _Link("prompt", "examples", row["prompt_id"])


def _from_unpaired(row: Row) -> Iterator[_Link]:
    yield _Link("judged by", "judgments", row["prompt_id"], "prompt_id")
    yield _Link("completion", "candidates", row["candidate_id"])
    yield _Link("completion", "edits", row["candidate_id"])
    yield _Link("prompt", "examples", row["prompt_id"])


def _from_conflict(row: Row) -> Iterator[_Link]:
    yield _Link("between", "judgments", row["prompt_id"], "prompt_id")
    yield _Link("prompt", "examples", row["prompt_id"])


def _from_prompt_id(row: Row) -> Iterator[_Link]:
    yield _Link("prompt", "examples", row["prompt_id"])


def _from_example(row: Row) -> Iterator[_Link]:
    if "edited_from" in row["metadata"]:
        yield _Link("edited from", "examples", row["metadata"]["edited_from"])
        yield _Link("edited by", "judgments", row["metadata"]["judgment_id"])
        return  # the example before leads to the same quotes
    for quote in row["quotes"]:
        yield _Link(f"quote {quote['start']}-{quote['end']} of", "chunks", quote["chunk_id"])


def _from_chunk(row: Row) -> Iterator[_Link]:
    yield _Link("cut from", "documents", row["document_id"])


LINKS: dict[str, Callable[[Row], Iterator[_Link]]] = {
    "pairs": _from_pair,
    "unpaired": _from_unpaired,
    "conflicts": _from_conflict,
    "judgments": _from_prompt_id,
    "candidates": _from_prompt_id,
    "edits": _from_prompt_id,
    "examples": _from_example,
    "chunks": _from_chunk,
    "documents": lambda row: iter(()),
}
# Below a pair its candidates and judgments need no second walk to the example they share.
LEAVES_UNDER_PAIR = ("judgments", "candidates", "edits")


def trace(source: str, record_id: str | None, workspace: Workspace) -> list[Step]:
    """The way from a record back to its documents.

    Args:
        source: A run folder, its name, or @stage.
        record_id: Which record; the first of the nearest stream when None.
        workspace: Where runs are looked for.

    Returns:
        Steps in the order to print, the asked-for record first.

    Raises:
        PrefkitError: The run holds no such record, nor do the runs it was made from.
    """
    runs = list(workspace.lineage(workspace.run_folder(source)))
    start = _first(runs) if record_id is None else _find_anywhere(runs, record_id)
    if start is None:
        raise PrefkitError(
            f"{source}: no record {record_id or ''} in {runs[0].name} or the runs before it.",
            hint="Ids stand in the `id` field of data/*.jsonl; the start of one will do.",
        )
    return list(_walk(start, runs))


def _walk(step: Step, runs: list[Path]) -> Iterator[Step]:
    yield step
    if step.depth and step.stream in LEAVES_UNDER_PAIR:
        return
    for link in LINKS[step.stream](step.row):
        for found in _find(runs, link.stream, link.wanted, link.field):
            yield from _walk(dataclasses.replace(found, depth=step.depth + 1, role=link.role), runs)


def _first(runs: list[Path]) -> Step | None:
    for run in runs:
        for stream in NEAREST_FIRST:
            for file in stream_files(run, stream):
                for _, row in read_rows(file):
                    return Step(0, "", stream, run.name, row)
    return None


def _find_anywhere(runs: list[Path], record_id: str) -> Step | None:
    for stream in NEAREST_FIRST:
        for step in _find(runs, stream, record_id, "id"):
            return step
    return None


def _find(runs: list[Path], stream: str, wanted: str, field: str) -> Iterator[Step]:
    """Rows of a stream whose `field` starts with `wanted`; the nearest run that has any."""
    for run in runs:
        found = False
        for file in stream_files(run, stream):
            for row in rows_with(file, wanted) if wanted else ():
                if str(row.get(field, "")).startswith(wanted):
                    found = True
                    yield Step(0, "", stream, run.name, row)
        if found:
            return


def describe(step: Step) -> str:
    """A step in one or two lines for a person."""
    row, pad = step.row, "  " * step.depth
    head = f"{pad}{step.role + ' ' if step.role else ''}{_NAMES[step.stream]} {row['id']}"
    return f"{head}  ({step.run})\n{pad}    {_TEXT[step.stream](row)}"


def lineage_lines(source: str, workspace: Workspace) -> list[str]:
    """The chain of runs, newest first: what each was made from."""
    lines = []
    for run in workspace.lineage(workspace.run_folder(source)):
        manifest = read_manifest(run)
        made = ", ".join(f"{rows} {name}" for name, rows in manifest.outputs.items())
        lines.append(f"{run.name}: {made or manifest.status}")
        lines += [f"    from {entry.path} ({entry.sha256[:12]})" for entry in manifest.inputs]
    return lines


def _said(messages: list[Row]) -> str:
    return " / ".join(str(message["content"]) for message in messages)


def _clip(text: str, width: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def _judgment_text(row: Row) -> str:
    said = [f"{what} {row[what]}" for what in ("ratings", "ranks") if row[what]][:1]
    said += [row["decision"]] if row.get("decision") else []
    said += [f"({', '.join(row['reasons'])})"] if row.get("reasons") else []
    said += [f"edit: {row['edit']}"] if row["edit"] else []
    who = f"{row['source']} {row['annotator']}, {row['status']}"
    return _clip(f"{who}: {' '.join(said) or 'nothing'}", 240)


def _chunk_text(row: Row) -> str:
    page = f"page {row['page']}, " if row["page"] else ""
    where = " > ".join(row["headings"])
    return _clip(f"{page}characters {row['start']}-{row['end']}, under {where or '(no heading)'}")


_NAMES = {
    "pairs": "pair",
    "unpaired": "unpaired preference",
    "conflicts": "conflict",
    "judgments": "judgment",
    "candidates": "candidate",
    "edits": "edit",
    "examples": "example",
    "chunks": "chunk",
    "documents": "document",
}
_TEXT: dict[str, Callable[[Row], str]] = {
    "pairs": lambda row: (
        f"votes {row['votes_for']} for, {row['votes_against']} against; margin {row['margin']}; "
        f"source {row['source']}"
    ),
    "unpaired": lambda row: f"label {row['label']}; source {row['source']}",
    "conflicts": lambda row: _clip(f"{row['question']}, {row['amount']:.2f}: {row['detail']}", 240),
    "judgments": _judgment_text,
    "candidates": lambda row: _clip(f"{row['model']}: {_said(row['completion'])}"),
    "edits": lambda row: _clip(f"{row['model']}: {_said(row['completion'])}"),
    "examples": lambda row: _clip(f"{_said(row['prompt'])} -> {row['reference']}"),
    "chunks": _chunk_text,
    "documents": lambda row: _clip(
        f"{row['source']}: {row['title']} (sha256 {row['sha256'][:12]})"
    ),
}
