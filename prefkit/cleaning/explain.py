"""`prefkit clean RUN --explain ID`: what became of one record, and why."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prefkit import slices
from prefkit.cleaning.rows import KINDS, Cleanable, row_of
from prefkit.cleaning.steps.take_in import record_of
from prefkit.errors import PrefkitError
from prefkit.manifest import read_manifest
from prefkit.storage import rows_with, validated
from prefkit.workspace import Workspace, stream_files

DROPPED = "dropped.jsonl"
MARKED = re.compile(r"-duplicate: (?:cosine [\d.]+ with|similarity [\d.]+ to) (.+?)(?:; |$)")


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What became of a record.

    Attributes:
        id: The record.
        kept: Whether it stays.
        split: Where it stays.
        rule: Why it went.
        detail: More of why.
        keeper: The record it yielded to.
        score: Its similarity to the keeper.
        keeper_rule: Why the keeper went in its turn; empty when it stays.
        yielded: Records that yielded to this one, with the rule and the score.
        texts: `(record id, field, text)` of this record and of its keeper, or of what a mark
            names, as they were read.
        notes: What cleaning noted on it: normalised, flags, id_before.
    """

    id: str
    kept: bool
    split: str = ""
    rule: str = ""
    detail: str = ""
    keeper: str = ""
    score: float | None = None
    keeper_rule: str = ""
    yielded: tuple[tuple[str, str, float | None], ...] = ()
    texts: tuple[tuple[str, str, str], ...] = ()
    notes: dict[str, str] = dataclasses.field(default_factory=dict)

    def lines(self) -> list[str]:
        """The explanation for a person."""
        return [*self._fate(), *self._company(), *self._shown()]

    def _fate(self) -> Iterator[str]:
        if self.kept:
            yield f"{self.id} stays, in {self.split}."
        else:
            yield f"{self.id} was dropped: {self.rule}: {self.detail}."
        for name, value in self.notes.items():
            yield f"  {name}: {value}"

    def _company(self) -> Iterator[str]:
        if self.keeper:
            score = f", similarity {self.score:.3f}" if self.score is not None else ""
            then = f", which went in its turn: {self.keeper_rule}" if self.keeper_rule else ""
            yield f"It yielded to {self.keeper}{score}{then}."
        for name, rule, score in self.yielded:
            yield f"{name} yielded to it: {rule}" + (f", {score:.3f}" if score is not None else "")

    def _shown(self) -> Iterator[str]:
        for name, field, text in self.texts:
            yield f"\n{name} {field}:\n  " + text.replace("\n", "\n  ")


def explain(source: str, record_id: str, workspace: Workspace) -> Explanation:
    """What became of one record in a finished clean run.

    Args:
        source: The run: `@clean`, a name or a folder.
        record_id: As it came in or as it stays.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: SOURCE is no clean run, or no such record came in.
    """
    folder = workspace.run_folder(source)
    if read_manifest(folder).stage != "clean":
        raise PrefkitError(
            f"{source}: {folder.name} is no clean run.",
            hint="Name a clean run, such as `@clean`; `prefkit runs trace` explains other records.",
        )
    drops = _by_id(folder / DROPPED, record_id, "record_id")
    kept = _kept(folder, record_id)
    if not drops and kept is None:
        raise PrefkitError(
            f"{record_id}: no such record came into {folder.name}.",
            hint="Ids stand in data/*/*.jsonl and, of what went, in dropped.jsonl.",
        )
    drop = drops[0] if drops else {}
    keeper = drop.get("keeper") or ""
    gone = _by_id(folder / DROPPED, keeper, "record_id") if keeper else []
    notes = kept["metadata"] if kept else {}
    marked = MARKED.findall(notes.get("flags", ""))
    return Explanation(
        id=record_id,
        kept=kept is not None,
        split=kept["split"] if kept else "",
        rule=drop.get("rule", ""),
        detail=drop.get("detail", ""),
        keeper=keeper,
        score=drop.get("score"),
        keeper_rule=gone[0]["rule"] if gone and _kept(folder, keeper) is None else "",
        yielded=tuple(
            (row["record_id"], row["rule"], row["score"])
            for row in _by_id(folder / DROPPED, record_id, "keeper")
        ),
        texts=tuple(_texts(folder, [record_id, *filter(None, [keeper, *marked])], workspace)),
        notes={key: notes[key] for key in ("normalised", "flags", "id_before") if key in notes},
    )


def _by_id(path: Path, record_id: str, field: str) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [row for row in rows_with(path, record_id) if row.get(field) == record_id]


def _kept(folder: Path, record_id: str) -> dict[str, Any] | None:
    for file in (file for kind in KINDS for file in stream_files(folder, kind)):
        for row in rows_with(file, record_id):
            if record_id in (row["id"], row["metadata"].get("id_before")):
                return row
    return None


def _texts(folder: Path, ids: list[str], workspace: Workspace) -> Iterator[tuple[str, str, str]]:
    """Texts of the records: of the run where they stay, else of what it was made from."""
    wanted = dict.fromkeys(ids)
    found: dict[str, Cleanable] = {}
    for kind in KINDS:
        for record_id in wanted:
            row = _kept(folder, record_id) if stream_files(folder, kind) else None
            if row is not None:
                found[record_id] = validated(row, KINDS[kind], str(folder))
    missing = {record_id for record_id in wanted if record_id not in found}
    for record in _came_in(folder, workspace) if missing else ():
        if record.id in missing:
            found[record.id] = record
            missing.discard(record.id)
        if not missing:
            break
    for record_id in wanted:
        if record_id in found:
            yield from (
                (record_id, field, text) for field, text in row_of(found[record_id]).texts()
            )


def _came_in(folder: Path, workspace: Workspace) -> Iterator[Cleanable]:
    kind = next(kind for kind in KINDS if stream_files(folder, kind))
    for entry in read_manifest(folder).inputs:
        path = workspace.root / entry.path
        if not path.is_file() or path.stem == "chunks":
            continue
        for piece in slices.cut([path]):
            for where, value in slices.read(piece):
                try:
                    yield record_of(where, value, kind)
                except PrefkitError:  # a row that went as malformed has no id
                    continue
