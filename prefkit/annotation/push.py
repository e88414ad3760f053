"""`prefkit annotate push`: tasks of a run into Argilla, once each."""

import dataclasses
import json
import logging
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

from prefkit import console
from prefkit.annotation import doubt, screen
from prefkit.annotation.attention import KEY_FILE, Expected, make_checks
from prefkit.annotation.client import BATCH, Client
from prefkit.annotation.connection import ServerInfo, check, connect_to
from prefkit.annotation.layouts import LoadedLayout
from prefkit.annotation.sources import read_sources
from prefkit.annotation.target import Target, ensure, targets
from prefkit.annotation.tasks import STAGE, Shown
from prefkit.annotation.users import People, let_in, look_up
from prefkit.annotation.wire import Dataset, Json
from prefkit.config import AnnotateConfig
from prefkit.errors import PrefkitError
from prefkit.records import AnnotationTask, Dropped, Judgment, content_id
from prefkit.runs import Plan, Run, Settings
from prefkit.storage import write_secret
from prefkit.workspace import Workspace

log = logging.getLogger(__name__)

LARGEST_CALL = 8_000_000  # characters of JSON a bulk call; an upload must end within the timeout


@dataclasses.dataclass(frozen=True)
class PushPlan(Plan):
    """A planned push.

    Attributes:
        layout: What is asked, with its guideline.
        shown: Tasks in the suggested order, checks among them.
        key: Expected answers of the checks, by task id.
        opinions: Judgments by prompt that become suggestions.
        dropped: What cannot be shown, with reasons.
    """

    config: AnnotateConfig
    layout: LoadedLayout | None = None
    shown: tuple[Shown, ...] = ()
    key: Mapping[str, Expected] = dataclasses.field(default_factory=dict)
    opinions: Mapping[str, list[Judgment]] = dataclasses.field(default_factory=dict)
    dropped: tuple[Dropped, ...] = ()

    @property
    def dataset(self) -> str:
        """The name asked for, else the layout's."""
        assert self.layout is not None
        return self.config.dataset or self.layout.name

    def batches(self) -> Iterator[tuple[str, int, list[Shown]]]:
        """Units of work: name, number of answers, and tasks that fit into one call."""
        assert self.layout is not None
        for answers in sorted({len(one.answers) for one in self.shown}):
            group = [one for one in self.shown if len(one.answers) == answers]
            start, size = 0, 0
            for place, one in enumerate(group):
                own = sum(map(len, (*one.answers, one.passage, one.reference)))
                own += sum(len(turn.content) for turn in one.prompt)
                if place > start and (place - start == BATCH or size + own > LARGEST_CALL):
                    yield f"{answers}-{start:07d}", answers, group[start:place]
                    start, size = place, 0
                size += own
            yield f"{answers}-{start:07d}", answers, group[start:]


def plan_push(
    source: str,
    config: AnnotateConfig,
    workspace: Workspace,
    *,
    only: Container[str] | None = None,
) -> PushPlan:
    """Read what people are to see; the server is not asked yet.

    Args:
        source: Candidates to rank, examples to review, or an eval run to compare.
        config: The `[annotate]` table.
        workspace: Where runs, layouts and guidelines are looked for.
        only: Prompts to push; all when None.

    Raises:
        PrefkitError: Something is missing or malformed, or there is nothing to show.
    """
    read = read_sources(source, config, workspace, only)
    shown = read.made.shown[: config.limit]
    checks = make_checks(shown, config.attention_share, config.seed)
    shown = _placed(shown, checks.shown, config.seed)
    plan = PushPlan(
        stage=STAGE,
        config=config,
        inputs=read.inputs,
        counts={"tasks": len(shown), "checks": len(checks.key)},
        layout=read.loaded,
        shown=shown,
        key=checks.key,
        opinions=read.opinions,
        dropped=read.made.dropped,
    )
    sizes = {len(one.answers) for one in shown}
    names = [plan.dataset] if len(sizes) == 1 else [f"{plan.dataset}-{n}" for n in sorted(sizes)]
    answers = len(shown) * (config.overlap or 1)
    return dataclasses.replace(
        plan,
        expected={
            "datasets": ", ".join(names),
            "layout": read.loaded.name,
            "answers_wanted": answers,
            "calls": sum(1 for _ in plan.batches()),
        },
    )


def _placed(shown: Sequence[Shown], checks: Sequence[Shown], seed: int) -> tuple[Shown, ...]:
    """All tasks numbered in their order, checks scattered among them."""
    mixed = list(shown)
    for one in checks:
        mixed.insert(int(content_id("among", seed, one.task.id), 16) % (len(mixed) + 1), one)
    return tuple(
        dataclasses.replace(one, task=one.task.model_copy(update={"place": place}))
        for place, one in enumerate(mixed, start=1)
    )


def run_push(plan: PushPlan, settings: Settings) -> Run:
    """Bring the tasks to the server: what is there already stays as it is.

    Everything is checked before the first change. A push that was killed goes on with
    `--resume`; pushing again without it adds what is missing and nothing twice.

    Raises:
        PrefkitError: The server is away or refuses the key, a dataset of that name has another
            layout, a user is unknown and may not be made, or a record is refused.
    """
    with Run.start(plan, settings) as run:
        if run.finished:
            return run
        connection = connect_to(plan.config.server, settings.workspace)
        with Client(connection, plan.config.patience) as client:
            pusher = _Pusher(plan, settings.workspace, client, check(connection))
            pusher.prepare()
            if plan.key:
                write_secret(run.path / KEY_FILE, dict(plan.key))
            units = [name for name, _, _ in plan.batches()]
            pending = set(run.pending(units))
            with console.progress("push", len(units)) as bar:
                bar.advance(len(units) - len(pending))
                for unit, answers, shown in plan.batches():
                    if unit not in pending:
                        continue
                    tasks, new = pusher.send(answers, shown)
                    totals = {"new": new, "there": len(shown) - new}
                    dropped = plan.dropped if unit == units[0] else ()
                    run.record(unit, {"tasks": tasks}, dropped, totals)
                    bar.advance()
        links = {dataset.name: _link(client, dataset) for dataset in pusher.datasets.values()}
        run.finish(units, card=_card(plan, run, links))
        new, there = (int(run.manifest.totals.get(name, 0)) for name in ("new", "there"))
        console.say(f"{new} new, {there} there already")
        for name, link in links.items():
            console.say(f"{name}: {link}")
    return run


class _Pusher:
    """The server's side of one push."""

    def __init__(
        self, plan: PushPlan, workspace: Workspace, client: Client, info: ServerInfo
    ) -> None:
        assert plan.layout is not None
        self.plan = plan
        self.layout = plan.layout
        self.workspace = workspace
        self.client = client
        self.info = info
        self.datasets: dict[int, Dataset] = {}
        self._questions: dict[int, dict[str, str]] = {}
        self._there: dict[int, set[str]] = {}

    def prepare(self) -> None:
        """Check everything, then make what is missing: workspace, users, datasets."""
        config, client = self.plan.config, self.client
        if self.info.role == "annotator":
            raise PrefkitError(
                f"{client.where}: `{self.info.user}` is an annotator and may not push.",
                hint="Use the key of an owner, or of an admin of the workspace.",
            )
        known = client.workspaces()
        workspace_id = known.get(config.argilla_workspace)
        if workspace_id is None and self.info.role != "owner":
            raise PrefkitError(
                f"{client.where} has no workspace `{config.argilla_workspace}` that "
                f"`{self.info.user}` may use.",
                hint=f"Say `--argilla-workspace NAME`; yours are: {', '.join(known) or 'none'}.",
            )
        sizes = [len(one.answers) for one in self.plan.shown]
        there = client.datasets(workspace_id) if workspace_id else []
        found = targets(self.plan.dataset, sizes, there, self.layout)
        people = look_up(client, self.info.role, workspace_id, config.annotators)
        self._check_overlap(found, people)
        workspace_id = workspace_id or client.create_workspace(config.argilla_workspace)
        if config.annotators:
            self._let_in(people, workspace_id)
        for target in found:
            self._open(workspace_id, target)

    def _check_overlap(self, found: Sequence[Target], people: People) -> None:
        overlap = self.plan.config.overlap
        for target in found:
            if target.found and overlap and target.found.overlap != overlap:
                raise PrefkitError(
                    f"dataset `{target.name}` is there already with an overlap of "
                    f"{target.found.overlap}, not {overlap}.",
                    hint="Leave --overlap out to keep it, or push to another `--dataset NAME`.",
                )
        able = {*people.members, *people.known, *people.new, self.info.user}
        if overlap and overlap > len(able):
            raise PrefkitError(
                f"An overlap of {overlap} can never be reached: {len(able)} people may annotate.",
                hint="Name more annotators with `--annotators ada,bob`, or lower --overlap.",
            )

    def _let_in(self, people: People, workspace_id: str) -> None:
        name = f"passwords-{self.plan.dataset}.txt".replace("/", "-")
        given = self.plan.config.passwords
        file = Path(given) if given else self.workspace.private / "argilla" / name
        if not given:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        let_in(self.client, people, workspace_id, file)
        if people.new:
            console.say(f"passwords of {', '.join(people.new)}: {file}")

    def _open(self, workspace_id: str, target: Target) -> None:
        dataset = ensure(self.client, workspace_id, target, self.layout, self.plan.config.overlap)
        questions = self.client.parts(dataset.id, "questions")
        self.datasets[target.answers] = dataset
        self._questions[target.answers] = {name: q["id"] for name, q in questions.items()}
        records = self.client.records(dataset.id, responses=False) if target.found else []
        self._there[target.answers] = {record.external_id for record in records}

    def send(self, answers: int, shown: Sequence[Shown]) -> tuple[list[AnnotationTask], int]:
        """Tasks as recorded, and how many of them were new."""
        dataset, there = self.datasets[answers], self._there[answers]
        new = [self._record(one, answers) for one in shown if one.task.id not in there]
        if new:
            self.client.put_records(dataset.id, new)
        tasks = [one.task.model_copy(update={"dataset": dataset.name}) for one in shown]
        return tasks, len(new)

    def _record(self, one: Shown, answers: int) -> Json:
        layout = self.layout.layout
        found: dict[str, Json] = {
            name: {"value": text, "agent": "source", "type": "model"}
            for name, text in screen.prefill(one, layout).items()
        }
        judgments = self.plan.opinions.get(one.task.prompt_id, ())
        suggested = doubt.suggestion(one, judgments, layout)
        if suggested:
            found[suggested[0]] = suggested[1]
        ids = self._questions[answers]
        suggestions = [{"question_id": ids[name], **body} for name, body in found.items()]
        return screen.record(one, layout) | {"suggestions": suggestions}


def _link(client: Client, dataset: Dataset) -> str:
    """Where people answer, in the suggested order."""
    return f"{client.url}/dataset/{dataset.id}/annotation-mode?sort=metadata.{screen.PLACE}.asc"


def _card(plan: PushPlan, run: Run, links: Mapping[str, str]) -> str:
    assert plan.layout is not None
    config = plan.config
    orders = {
        "active": "what the judge is unsure of first",
        "confidence": "what there is least to say for first",
        "random": "at random",
        "source": "as in the source",
    }
    datasets = "\n".join(f"- `{name}`: {link}" for name, link in links.items())
    who = ", ".join(config.annotators) or "everyone in the workspace"
    checks = (
        f"\n- {len(plan.key)} attention checks; their key is in `{KEY_FILE}`, for the lead alone."
    )
    return f"""\
{len(plan.shown)} records with the layout `{plan.layout.name}` for {who}.

{datasets}

- Layout sha256 {plan.layout.sha256[:16]}…, guideline {plan.layout.guideline_sha256[:16]}….
- Suggested order: {orders[config.order]}. Answers stand in random order, drawn once a record.
- Suggestions: {config.suggest or "none"}.{checks if plan.key else ""}

`prefkit annotate pull @{plan.stage}` brings the answers back.
"""


def pushed_key(run: Path) -> dict[str, Expected]:
    """Expected answers of the checks that a push run made."""
    file = run / KEY_FILE
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
