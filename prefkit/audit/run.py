"""`prefkit audit`: plan and run."""

import dataclasses
import shutil

from prefkit.audit.render import render
from prefkit.audit.report import alarms_of, as_json, card, sections_of
from prefkit.audit.take_in import Rows, find_rows, take_in
from prefkit.config import AuditConfig
from prefkit.engine import Engine, Flow, open_engine
from prefkit.manifest import Input
from prefkit.runs import Plan, Run, Settings
from prefkit.storage import write_json, write_text
from prefkit.workspace import Workspace

SMALL = 2_000  # rows that one process is through with before a second has started
RESULTS = "audit.json"
PAGE = "audit.html"


@dataclasses.dataclass(frozen=True)
class AuditPlan(Plan):
    """A plan that knows where the rows lie.

    Attributes:
        rows: What is audited; always there.
        reference: What drift is measured against.
    """

    config: AuditConfig
    rows: Rows | None = None
    reference: Rows | None = None


def plan_audit(source: str, config: AuditConfig, workspace: Workspace) -> AuditPlan:
    """Find the rows of SOURCE and of the reference.

    Raises:
        PrefkitError: One does not exist or holds no rows, or they are not of one kind.
    """
    rows = find_rows(source, config, workspace)
    reference = None
    if config.reference is not None:
        kind = {"kind": rows.kind, "limit": None}
        reference = find_rows(config.reference, config.model_copy(update=kind), workspace)
    found = [rows, *([reference] if reference else [])]
    return AuditPlan(
        stage="audit",
        config=config,
        inputs=tuple(Input.of(file, workspace) for one in found for file in one.files),
        counts={rows.kind: rows.count} | ({"reference": reference.count} if reference else {}),
        rows=rows,
        reference=reference,
    )


def run_audit(plan: AuditPlan, settings: Settings) -> Run:
    """Measure the planned rows; write `audit.json`, `audit.html` and a card.

    Raises:
        PrefkitError: No row is a record, or one is not and `bad_rows` says stop.
    """
    with Run.start(plan, settings) as run:
        work = run.path / "work"
        if not run.finished:
            engine = _engine(plan, settings)
            try:
                _audit(plan, settings.workspace, run, Flow(engine, work))
            finally:
                engine.close()
        shutil.rmtree(work, ignore_errors=True)
    return run


def _engine(plan: AuditPlan, settings: Settings) -> Engine:
    small = settings.engine == "local" and sum(plan.counts.values()) <= SMALL
    return open_engine(settings.engine, settings.workers or (1 if small else None))


def _audit(plan: AuditPlan, workspace: Workspace, run: Run, flow: Flow) -> None:
    assert plan.rows is not None
    audited = take_in(flow, plan.rows, plan.config, workspace)
    if plan.reference is not None:
        of_reference = take_in(flow, plan.reference, plan.config, workspace, "measure-reference")
        audited = dataclasses.replace(audited, reference=of_reference)
    sections = list(sections_of(audited, run))
    alarms = alarms_of(sections)
    write_json(run.path / RESULTS, as_json(audited, sections))
    about = {"run": run.path.name, "date": run.manifest.started[:16].replace("T", " ") + " UTC"}
    write_text(run.path / PAGE, render(audited, sections, about))
    totals = {"rows": audited.rows, "alarms": len(alarms), "bad rows": audited.bad_rows}
    run.deliver({}, {}, totals)
    run.finish(card=card(audited, sections))
