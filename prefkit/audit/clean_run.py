"""A finished run of `prefkit clean` as its steps: what came in, what each step took, what stays."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from prefkit.cleaning.explain import DROPPED
from prefkit.cleaning.rows import KINDS
from prefkit.cleaning.rules import RULES
from prefkit.cleaning.steps.contaminated import CONTAMINATED
from prefkit.manifest import Input, Manifest, read_manifest
from prefkit.slices import Slice, cut
from prefkit.storage import read_json_lines, sha256_of
from prefkit.workspace import Workspace, stream_files

MALFORMED = "malformed"
STAGES = ("rules", "exact", "near", "semantic")  # in the order of cleaning
OF_STAGE = {
    "contradicted": "exact",
    "exact-duplicate": "exact",
    "repeated-prompt": "exact",
    "conflicting-reference": "exact",
    "near-duplicate": "near",
    "semantic-duplicate": "semantic",
}


@dataclasses.dataclass(frozen=True)
class Step:
    """What one rule took.

    Attributes:
        rule: Its name.
        stage: One of STAGES.
        dropped: How many rows.
    """

    rule: str
    stage: str
    dropped: int


@dataclasses.dataclass(frozen=True)
class CleanRun:
    """A clean run.

    Attributes:
        folder: Where it lies.
        kind: examples, pairs or unpaired.
        rows: Rows that came in.
        steps: What each rule took, in the order in which rows met them.
        kept: Rows that stay.
        marked: Rows that stay and that each rule only marked.
        slices: Where the rows lie that came in; empty when they are not there as they were.
        lost: Why not; empty when they are.
    """

    folder: Path
    kind: str
    rows: int
    steps: tuple[Step, ...]
    kept: int
    marked: dict[str, int]
    slices: tuple[Slice, ...] = ()
    lost: str = ""

    @property
    def stages(self) -> list[str]:
        """The stages that took something, and those of every run."""
        took = {step.stage for step in self.steps}
        return [stage for stage in STAGES if stage != "semantic" or stage in took]

    def output(self) -> tuple[Slice, ...]:
        """Where the rows lie that stay."""
        return tuple(cut(stream_files(self.folder, self.kind)))


def find_clean_run(runs: Sequence[Path]) -> Path | None:
    """The nearest of some runs that is a finished clean run."""
    for folder in runs:
        manifest = read_manifest(folder)
        if manifest.stage == "clean" and manifest.status == "finished":
            return folder
    return None


def read_clean_run(folder: Path, workspace: Workspace) -> CleanRun | None:
    """What a clean run did; None when nothing says what it held.

    Raises:
        PrefkitError: Its manifest is damaged.
    """
    manifest = read_manifest(folder)
    kept = {name.partition("/")[0]: 0 for name in manifest.outputs}
    for name, rows in manifest.outputs.items():
        kept[name.partition("/")[0]] += rows
    kind = next((kind for kind in KINDS if kind in kept), None)
    if kind is None:
        return None
    rows = kept[kind] + sum(manifest.dropped.values())
    files, lost = _input_files(manifest, rows, workspace)
    return CleanRun(
        folder=folder,
        kind=kind,
        rows=rows,
        steps=tuple(_steps(manifest.dropped)),
        kept=kept[kind],
        marked={
            name.removeprefix("flagged_"): int(count)
            for name, count in manifest.totals.items()
            if name.startswith("flagged_")
        },
        slices=tuple(cut(files, rows)) if not lost else (),
        lost=lost,
    )


def fates(folder: Path) -> dict[str, list[int]]:
    """By the id that a row came with: the stage that took it, of each row with that id.

    A row that is no record has no id, and is left out.
    """
    path = folder / DROPPED
    found: dict[str, list[int]] = {}
    for _, row in read_json_lines(path) if path.is_file() else ():
        if row["rule"] == MALFORMED:
            continue
        stage = STAGES.index(OF_STAGE.get(row["rule"], "rules"))
        found.setdefault(row["record_id"], []).append(stage)
    return found


def _steps(dropped: dict[str, int]) -> Iterator[Step]:
    """Our rules in their order, those of the user after them, then what follows the rules."""
    ours = [MALFORMED, *RULES]
    order = {name: place for place, name in enumerate(ours)}
    later = {name: len(ours) + 2 + place for place, name in enumerate(OF_STAGE)}
    order |= {CONTAMINATED: len(ours) + 1} | later
    for rule in sorted(dropped, key=lambda rule: (order.get(rule, len(ours)), rule)):
        yield Step(rule, OF_STAGE.get(rule, "rules"), dropped[rule])


def _input_files(manifest: Manifest, rows: int, workspace: Workspace) -> tuple[list[Path], str]:
    """The files that held the rows, which the manifest names first; and why they cannot be read."""
    files: list[Path] = []
    for entry in manifest.inputs:
        path = workspace.root / entry.path
        if path.stem == "chunks" or (files and sum(map(_rows, files)) >= rows):
            continue
        why = _changed(entry, path)
        if why:
            return [], why
        files.append(path)
    return files, "" if files else "its manifest names no file"


def _changed(entry: Input, path: Path) -> str:
    if not path.is_file():
        return f"{entry.path} is no longer there"
    if sha256_of(path) != entry.sha256:
        return f"{entry.path} has changed since"
    return ""


def _rows(path: Path) -> int:
    return sum(piece.rows for piece in cut([path]))
