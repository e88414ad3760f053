"""Was the held-out data trained on? Follows an adapter's lineage to its training files."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from prefkit.cleaning.rows import Row, row_of
from prefkit.config import LeakageConfig
from prefkit.errors import PrefkitError
from prefkit.evaluation.suites import Suite
from prefkit.leakage.build import build_index
from prefkit.leakage.evaluation_sets import EvaluationSet, Item, items_of
from prefkit.leakage.index import Index
from prefkit.leakage.training import BATCH, contaminations, is_training, records_in
from prefkit.manifest import Input, Manifest, read_manifest, run_of
from prefkit.reading import TABULAR
from prefkit.records import Contamination, Example, PreferencePair
from prefkit.slices import cut
from prefkit.storage import sha256_of
from prefkit.workspace import Workspace

HELD_OUT = "held-out data"
_KINDS = {"train-sft": "examples", "train-kto": "unpaired"}  # the others read pairs


@dataclasses.dataclass(frozen=True)
class SuiteOverlap:
    """How many items of a benchmark suite stand in the training data."""

    name: str
    seen: int
    items: int


@dataclasses.dataclass(frozen=True)
class Overlap:
    """What of the held-out data, and of suites, stands in what an adapter was trained on.

    Attributes:
        questions: Distinct held-out prompts.
        seen: Those that stand in the training data, themselves or their answer.
        hits: Where.
        suites: Those that were trained on in part.
        rows: Training records looked at.
        runs: Names of the training runs, newest first.
        unknown: What could not be looked at, in words.
    """

    questions: int
    seen: tuple[str, ...]
    hits: tuple[Contamination, ...]
    suites: tuple[SuiteOverlap, ...]
    rows: int
    runs: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def verdict(self) -> Literal["clean", "contaminated", "unknown"]:
        """Contaminated when something was found; clean only when all could be looked at."""
        if self.seen:
            return "contaminated"
        return "unknown" if self.unknown or not self.rows else "clean"


def find_overlap(
    examples: Sequence[Example],
    pairs: Sequence[PreferencePair],
    adapter: Path,
    workspace: Workspace,
    suites: Sequence[Suite] = (),
) -> Overlap:
    """Look for held-out data in the training files of an adapter and of those it was built on.

    Args:
        examples: Held-out examples.
        pairs: Held-out pairs.
        adapter: Its folder.
        workspace: Where runs are looked for.
        suites: Benchmark suites, which are looked for too.
    """
    held = [row_of(record) for record in (*examples, *pairs)]
    items = items_of(held)
    prompts = {item.id: item.prompt for item in items}
    sets = [EvaluationSet(HELD_OUT, items), *map(_items_of_suite, suites)]
    index = build_index(sets, LeakageConfig())
    run = run_of(adapter)
    runs: list[str] = []
    unknown = [] if run else [f"{adapter} lies in no prefkit run"]
    hits: list[Contamination] = []
    rows = 0
    for folder in workspace.lineage(run) if run else ():
        manifest = read_manifest(folder)
        if not manifest.stage.startswith("train-"):
            continue
        runs.append(folder.name)
        files = list(_training_files(manifest, workspace))
        unknown += [] if files else [f"{folder.name} names no training file"]
        for entry, path in files:
            trouble = _trouble(entry, path)
            try:
                looked, found = _look(path, _KINDS.get(manifest.stage, "pairs"), index, workspace)
            except PrefkitError:  # a file changed since training must not stop the evaluation
                trouble = trouble or "cannot be read"
            else:
                rows, hits = rows + looked, hits + found
            unknown += [f"{entry.path} of {folder.name} {trouble}"] if trouble else []
    if run and not runs:
        unknown.append(f"{run.name} was not trained here")
    found = {name: [hit for hit in hits if hit.evaluation == name] for name in index.sets}
    seen = dict.fromkeys(prompts[hit.item_id] for hit in found[HELD_OUT])
    counts = [(one.name, len({hit.item_id for hit in found[one.name]})) for one in sets[1:]]
    return Overlap(
        len(set(prompts.values())),
        tuple(seen),
        tuple(found[HELD_OUT]),
        tuple(
            SuiteOverlap(name, count, len(suite.samples))
            for (name, count), suite in zip(counts, suites, strict=True)
            if count
        ),
        rows,
        tuple(runs),
        tuple(unknown),
    )


def _items_of_suite(suite: Suite) -> EvaluationSet:
    """Its questions as the model gets them, and the right answers."""
    return EvaluationSet(
        f"suite {suite.name}",
        tuple(
            Item(
                sample.id,
                suite.context(sample),
                sample.choices[sample.gold or 0] if sample.choices else "\n\n".join(sample.targets),
            )
            for sample in suite.samples
        ),
    )


def _training_files(manifest: Manifest, workspace: Workspace) -> Iterator[tuple[Input, Path]]:
    for entry in manifest.inputs:
        path = workspace.root / entry.path  # an absolute path stays what it is
        if path.suffix.lower() in (".jsonl", *TABULAR) and path.stem != "test":
            yield entry, path


def _trouble(entry: Input, path: Path) -> str:
    if not path.is_file():
        return "is gone"
    return "" if sha256_of(path) == entry.sha256 else "has changed since"


def _look(
    path: Path, kind: str, index: Index, workspace: Workspace
) -> tuple[int, list[Contamination]]:
    """Training records in a file, and what of the index stands in them."""
    rows, hits = 0, []
    training = (
        (f"{workspace.show(path)}:{where.rpartition(':')[2]}", row_of(record))
        for piece in cut([path])
        for where, record in records_in(piece, kind)
        if is_training(record, piece)
    )
    while batch := list[tuple[str, Row]](itertools.islice(training, BATCH)):
        rows += len(batch)
        hits += contaminations(batch, index)
    return rows, hits
