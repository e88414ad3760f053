"""`prefkit similar`: plan and run."""

import dataclasses
import shutil
from typing import Any

from prefkit.config import SimilarConfig
from prefkit.engine import Engine, Flow, Part, open_engine
from prefkit.errors import PrefkitError
from prefkit.manifest import Input
from prefkit.runs import Plan, Run, Settings
from prefkit.semantic import words
from prefkit.semantic.duplicates import Compared
from prefkit.semantic.embedders import Spec
from prefkit.semantic.found import Similar, find_similar
from prefkit.semantic.page import render
from prefkit.semantic.store import Vectors, as_one, embedded, opened
from prefkit.semantic.take_in import find_source, take_in
from prefkit.slices import Slice, cut
from prefkit.storage import write_json, write_jsonl, write_text
from prefkit.workspace import Workspace

FEW = 20_000  # rows for which starting processes costs more than it saves
RESULTS = "similar.json"
REPORT = "report.html"


@dataclasses.dataclass(frozen=True)
class SimilarPlan(Plan):
    """A plan that knows where the records lie and what embeds them.

    Attributes:
        source: What the user named.
        kind: examples, pairs or unpaired.
        slices: Where the rows lie.
        spec: What embeds.
        embedder: Its digest.
    """

    config: SimilarConfig
    source: str = ""
    kind: str = "examples"
    slices: tuple[Slice, ...] = ()
    spec: Spec | None = None
    embedder: str = ""

    def digest_fields(self) -> dict[str, Any]:  # JSON values
        """All that decides the records: the embedder too."""
        return super().digest_fields() | {"embedder": self.embedder}


def plan_similar(source: str, config: SimilarConfig, workspace: Workspace) -> SimilarPlan:
    """Find the records of SOURCE, and load the embedder.

    Raises:
        PrefkitError: There are no records, or there is no such embedder.
    """
    found = find_source(source, config.kind, workspace)
    pieces = cut(found.files, config.limit)
    if not pieces:
        raise PrefkitError(
            f"{source}: holds no {found.kind}.",
            hint="`prefkit runs show` lists what a run holds and what it dropped.",
        )
    spec = Spec(config.embedder, workspace, config.base_url)
    return SimilarPlan(
        stage="similar",
        config=config,
        inputs=tuple(Input.of(file, workspace) for file in found.files),
        counts={found.kind: sum(piece.rows for piece in pieces)},
        source=source,
        kind=found.kind,
        slices=tuple(pieces),
        spec=spec,
        embedder=opened(spec).digest,
    )


def run_similar(plan: SimilarPlan, settings: Settings) -> Run:
    """Embed the planned records, compare them, and write pairs, figures and a page to read.

    Raises:
        PrefkitError: A row is malformed, the embedder fails, or the threshold is too low.
    """
    with Run.start(plan, settings) as run:
        work = run.path / "work"
        if not run.finished:
            run.add_plugin("embedder", plan.config.embedder, "", plan.embedder)
            tables, vectors = _embedded(plan, settings, Flow(_engine(plan, settings), work))
            compared = Compared.of(
                as_one(tables).table(),
                vectors.texts.table(),
                vectors.rows.table(),
                plan.config.field,
            )
            empty = sum(int(part.notes()["empty"]) for part in tables)
            _deliver(run, plan, find_similar(compared, plan.config), vectors.cut, empty)
        shutil.rmtree(work, ignore_errors=True)
    return run


def _engine(plan: SimilarPlan, settings: Settings) -> Engine:
    small = settings.engine == "local" and sum(piece.rows for piece in plan.slices) < FEW
    return open_engine(settings.engine, settings.workers or (1 if small else None))


def _embedded(plan: SimilarPlan, settings: Settings, flow: Flow) -> tuple[list[Part], Vectors]:
    spec = plan.spec or Spec(plan.config.embedder, settings.workspace, plan.config.base_url)
    try:
        tables = flow.map("rows", take_in, plan.slices, plan.kind)
        return tables, embedded(flow, "similar", tables, plan.config.field, spec)
    finally:
        flow.engine.close()


def _deliver(run: Run, plan: SimilarPlan, found: Similar, cut_off: int, empty: int) -> None:
    config = plan.config
    limit = opened(plan.spec).limit if plan.spec and cut_off else 0
    lines = words.methods(found, config, cut_off, empty, limit)
    embedder = {"embedder": {"name": config.embedder, "digest": plan.embedder}}
    more = {"field": config.field, "cut_off": cut_off, "empty": empty}
    write_json(run.path / RESULTS, embedder | more | found.as_json())
    write_text(run.path / REPORT, render(found, config, run.path.name, plan.source, lines))
    rows = write_jsonl(run.path / "data" / "similar.jsonl", found.records())
    run.deliver({"similar": rows}, {}, found.counts())
    run.finish(card=words.card(found, config, plan.source, lines))
