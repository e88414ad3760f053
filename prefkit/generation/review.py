"""Questions that people review before they are answered: as a sheet, and back from one.

A run with `--questions-only` writes `data/questions.jsonl` and the same as `questions.csv`. People
delete rows and edit the column `question` (or `prompt` in the JSONL); ids stay, and tell which
question a row is and which ones were removed.
"""

import csv
import dataclasses
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from prefkit.errors import PrefkitError
from prefkit.generation.examples import STAGE, Passage
from prefkit.manifest import Input, run_of
from prefkit.reading import load_records, tabular
from prefkit.records import Dropped, Message, Question, text_of
from prefkit.storage import read_records, write_text
from prefkit.workspace import Workspace, stream_files

SHEET: Final = "questions.csv"
REFUSED: Final = "refused-in-review"
COLUMNS: Final = (
    *("id", "question", "earlier_turns", "quotes", "kind", "persona", "difficulty"),
    *("source", "headings"),
)


@dataclasses.dataclass(frozen=True)
class Reviewed:
    """What came back from review.

    Attributes:
        questions: Those that stay, with the reviewers' edits and their ids.
        edited: Ids of those whose wording was changed.
        dropped: Those that were removed, and rows that are no question of the run.
        run: The run whose chunks they were drafted from.
        inputs: For the manifest.
    """

    questions: tuple[Question, ...]
    edited: frozenset[str]
    dropped: tuple[Dropped, ...]
    run: Path
    inputs: tuple[Input, ...]


def write_sheet(folder: Path, questions: Iterable[Question], passages: Iterable[Passage]) -> None:
    """Write the questions of a run as a spreadsheet whose cells are never formulas.

    Args:
        folder: The run's.
        questions: In order.
        passages: All chunks, for what is quoted.
    """
    from prefkit.evaluation.human_sheets import csv_safe

    by_id = {passage.chunk.id: passage for passage in passages}
    file = io.StringIO(newline="")
    file.write("\ufeff")  # Excel takes a file without one for windows-1252
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for question in questions:
        writer.writerow([csv_safe(value) for value in _row(question, by_id)])
    write_text(folder / SHEET, file.getvalue())


def _row(question: Question, passages: Mapping[str, Passage]) -> Iterator[str]:
    notes = question.metadata
    passage = passages[question.chunk_ids[0]]
    quotes = (passages[q.chunk_id].chunk.text[q.start : q.end] for q in question.quotes)
    yield from (question.id, question.prompt[-1].content)
    yield "\n".join(f"{turn.role}: {turn.content}" for turn in question.prompt[:-1])
    yield "\n".join(quotes)
    yield from (question.kind, notes.get("persona", ""), notes.get("difficulty", ""))
    yield from (passage.source, " > ".join(passage.chunk.headings))


def _uncelled(value: str) -> str:
    from prefkit.evaluation.human_sheets import csv_safe

    return value[1:] if value[:1] == "'" and csv_safe(value[1:]) == value else value


def read_reviewed(source: str, workspace: Workspace) -> Reviewed:
    """The questions that stay after review.

    Args:
        source: `questions.csv` or a JSONL file as people left it, a run, or @stage.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: There is no such file or run, the run they were drafted in is not at hand, or
            a row is malformed: names the file and line.
    """
    path = Path(source)
    if path.is_file() and path.suffix.lower() == ".csv":
        rows = list(_sheet_rows(path))
        run = _run_with([row[0] for row in rows], path, workspace)
        inputs: tuple[Input, ...] = (Input.of(path, workspace),)
        originals = _originals(run)
        questions, unknown = _edited_rows(rows, originals, path)
    else:
        loaded = load_records(source, "questions", Question, workspace)
        inputs = loaded.inputs
        at = path if path.is_file() else None
        run = _run_with([q.id for q in loaded.records], at, workspace, source)
        originals = _originals(run)
        questions, unknown = loaded.records, []
    known = {**dict.fromkeys(_sheet_ids(run), ""), **{q.id: q for q in originals.values()}}
    stay = {question.id for question in questions}
    removed = [_refused(name, originals.get(name)) for name in known if name not in stay]
    edited = frozenset(
        q.id for q in questions if q.id in originals and q.prompt != originals[q.id].prompt
    )
    chunks = tuple(Input.of(file, workspace) for file in stream_files(run, "chunks"))
    return Reviewed(
        tuple({question.id: question for question in questions}.values()),
        edited,
        (*removed, *unknown),
        run,
        (*inputs, *(entry for entry in chunks if entry not in inputs)),
    )


def _refused(record_id: str, question: Question | None) -> Dropped:
    said = text_of(question.prompt)[:200] if question else "removed from the questions"
    return Dropped(record_id=record_id, stage=STAGE, rule=REFUSED, detail=said)


def _sheet_rows(path: Path) -> Iterator[tuple[str, str, int]]:
    """Id, question and line of each row of a sheet.

    Raises:
        PrefkitError: It lacks a column, or a row has no question.
    """
    for line, row in tabular(path):
        if "id" not in row and "question" not in row:
            raise PrefkitError(
                f"{path}:{line}: no column `id` or `question`.",
                hint=f"A sheet of questions has the columns {', '.join(COLUMNS)}.",
            )
        question = " ".join(_uncelled(row.get("question", "")).split())
        if not question:
            raise PrefkitError(
                f"{path}:{line}: the cell `question` is empty.",
                hint="Delete the whole row to refuse a question, or write one.",
            )
        yield row.get("id", "").strip(), question, line


def _edited_rows(
    rows: Sequence[tuple[str, str, int]], originals: Mapping[str, Question], path: Path
) -> tuple[list[Question], list[Dropped]]:
    kept, unknown = [], []
    for record_id, said, line in rows:
        original = originals.get(record_id)
        if original is None:
            detail = f"{path.name}:{line}: no question of the run has the id `{record_id}`: {said}"
            unknown.append(
                Dropped(
                    record_id=record_id or f"line {line}",
                    stage=STAGE,
                    rule="unknown-question",
                    detail=detail[:300],
                )
            )
            continue
        last = Message(role="user", content=said)
        kept.append(original.model_copy(update={"prompt": (*original.prompt[:-1], last)}))
    return kept, unknown


def _run_with(
    ids: Sequence[str], path: Path | None, workspace: Workspace, source: str = ""
) -> Path:
    """The run that drafted some questions: where the file lies, else the newest that holds them.

    Raises:
        PrefkitError: No run holds them.
    """
    if path is None:
        return _drafting_run(workspace.run_folder(source), workspace)
    beside = run_of(path)
    if beside is not None:
        return _drafting_run(beside, workspace)
    wanted = set(ids)
    for run in workspace.run_folders(STAGE):
        if wanted & ({question.id for question in _read(run)} | set(_sheet_ids(run))):
            return run
    raise PrefkitError(
        f"{path}: no generate run of this workspace holds these questions.",
        hint="Keep the file in the run folder, or go to the workspace in which they were drafted.",
    )


def _drafting_run(run: Path, workspace: Workspace) -> Path:
    for folder in workspace.lineage(run):
        if stream_files(folder, "questions"):
            return folder
    raise PrefkitError(
        f"{run.name}: holds no questions.",
        hint="Write some with `prefkit generate documents --questions-only`.",
    )


def _read(run: Path) -> Iterator[Question]:
    for file in stream_files(run, "questions"):
        yield from read_records(file, Question)


def _originals(run: Path) -> dict[str, Question]:
    return {question.id: question for question in _read(run)}


def _sheet_ids(run: Path) -> list[str]:
    """Ids that the run's own sheet holds: it may be the JSONL that was edited in place."""
    sheet = run / SHEET
    return [str(row.get("id", "")) for _, row in tabular(sheet)] if sheet.is_file() else []
