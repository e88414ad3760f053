"""Evaluation sets as questions and answers."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from prefkit.cleaning.rows import Row
from prefkit.errors import PrefkitError
from prefkit.leakage.columns import question_and_answer, read_columns
from prefkit.manifest import Input
from prefkit.reading import files_of
from prefkit.records import text_of
from prefkit.slices import cut, read
from prefkit.workspace import Workspace, stream_files

PartName = Literal["prompt", "reference"]
STREAMS = ("examples", "pairs", "unpaired")


@dataclasses.dataclass(frozen=True)
class Item:
    """One question of an evaluation set.

    Attributes:
        id: The row's own id; where it stands (`line 7`) when ids are missing or not distinct.
        prompt: What is asked, without system turns; may be empty.
        reference: What is right; may be empty.
    """

    id: str
    prompt: str
    reference: str = ""


@dataclasses.dataclass(frozen=True)
class EvaluationSet:
    """A named set of items.

    Attributes:
        name: What reports call it.
        items: In file order.
        inputs: Its files by hash; none for a set of the hub.
        columns: Of its first row, that of the question first, then those of the answer.
    """

    name: str
    items: tuple[Item, ...]
    inputs: tuple[Input, ...] = ()
    columns: tuple[str, ...] = ()


def load_evaluation_set(
    source: str, workspace: Workspace, fields: Sequence[str] = ()
) -> EvaluationSet:
    """The items of an evaluation set.

    Args:
        source: A run or @stage (its test split, if it has one), a file, or the id of a dataset on
            the hub; `NAME=` before it names the set.
        workspace: Where runs are looked for.
        fields: Columns to look at: the first is the question, the others the answer. Without,
            the usual names of columns are tried.

    Raises:
        PrefkitError: It does not exist, is empty, or a row has none of the columns.
    """
    name, source = _named(source)
    files = _files(source, workspace)
    items, places, columns = [], [], ()
    for piece in cut(files):
        for where, row in read(piece):
            if isinstance(row, PrefkitError):
                raise row
            columns = columns or tuple(fields) or read_columns(row)
            items.append(_item(row, where, fields))
            places.append(_place(where, len(files)))
    if len({item.id for item in items}) < len(items) or not all(item.id for item in items):
        items = [dataclasses.replace(i, id=p) for i, p in zip(items, places, strict=True)]
    if not items:
        raise PrefkitError(
            f"{source}: holds no row to compare with.", hint="Name a set with rows in it."
        )
    if not any(item.prompt or item.reference for item in items):
        raise PrefkitError(
            f"{source}: no text in any of {len(items)} rows.",
            hint="Name the columns to look at with `--field COLUMN`.",
        )
    inputs = tuple(Input.of(file, workspace) for file in files)
    return EvaluationSet(name or _short(source), tuple(items), inputs, columns)


def items_of(rows: Iterable[Row]) -> tuple[Item, ...]:
    """Our own records as items: what was asked, and the answer that is right."""
    return tuple(
        Item(
            row.record.id,
            text_of([message for message in row.prompt if message.role != "system"]),
            row.good[0].text if row.good else "",
        )
        for row in rows
    )


def _named(source: str) -> tuple[str, str]:
    name, equals, path = source.partition("=")
    if equals and re.fullmatch(r"[\w .+-]+", name) and not Path(source).exists():
        return name, path
    return "", source


def _short(source: str) -> str:
    return Path(source).stem if Path(source).is_file() else source


def _files(source: str, workspace: Workspace) -> list[Path]:
    folder = workspace.run_at(source)
    if folder is None:
        return files_of(source, "examples", workspace)
    held = [stream for stream in STREAMS if stream_files(folder, stream)]
    if not held:
        raise PrefkitError(
            f"{source}: {folder.name} holds no {', '.join(STREAMS)}.",
            hint="`prefkit runs show` lists what a run holds.",
        )
    files = [file for stream in held for file in stream_files(folder, stream)]
    return [file for file in files if file.stem == "test"] or files


def _item(row: Mapping[str, Any], where: str, fields: Sequence[str]) -> Item:  # a JSON object
    own = next((row[key] for key in ("id", "task_id", "qid", "idx") if key in row), None)
    name = "" if own is None else str(own).encode("utf-8", "replace").decode()
    return Item(name, *question_and_answer(row, where, fields))


def _place(where: str, files: int) -> str:
    path, _, line = where.rpartition(":")
    return f"line {line}" if files == 1 else f"{Path(path).stem}:{line}"
