"""`prefkit annotate adjudicate`: what annotators contradict each other on, to one more person.

The adjudicator gets the same answers in a new random order, in a dataset apart, without a word on
who said what. What comes back settles the prompt: `pull` marks it, `pairs` and `review` follow it.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefkit import console
from prefkit.annotation.layouts import LETTERS
from prefkit.annotation.push import PushPlan, plan_push, run_push
from prefkit.annotation.tasks import ADJUDICATE_STAGE, ADJUDICATES, Shown
from prefkit.annotation.tasks import STAGE as PUSH_STAGE
from prefkit.config import AnnotateConfig
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.manifest import read_manifest
from prefkit.reading import load_records
from prefkit.records import AnnotationTask, Conflict, Judgment, content_id
from prefkit.runs import Run, Settings
from prefkit.storage import read_records
from prefkit.workspace import Workspace, stream_files

__all__ = ["plan_adjudicate", "run_adjudicate"]


def plan_adjudicate(source: str, config: AnnotateConfig, workspace: Workspace) -> PushPlan:
    """Find the conflicts and what was shown; the server is not asked yet.

    Args:
        source: A run of `annotate agreement`.
        config: The `[annotate]` table; `adjudicator` says who, `limit` how many of the greatest
            conflicts, `show_votes` whether the votes stand beside the answers.
        workspace: Where runs are looked for.

    Raises:
        PrefkitError: Nobody is named, there is no conflict, or what was pushed is not at hand.
    """
    if config.adjudicator is None:
        raise PrefkitError(
            "Who adjudicates?",
            hint="Say `--adjudicator NAME`; best someone who did not annotate these records.",
            exit_code=EXIT_USAGE,
        )
    run = workspace.run_folder(source)
    conflicts = load_records(str(run), "conflicts", Conflict, workspace, allow_empty=True)
    if not conflicts.records:
        raise PrefkitError(
            f"{run.name}: no conflicts, so there is nothing to adjudicate.",
            hint="`prefkit annotate agreement --conflict 0.2` counts smaller contradictions too.",
        )
    prompts = list(dict.fromkeys(one.prompt_id for one in conflicts.records))[: config.limit]
    plan = _merged(_plans(run, prompts, config, workspace), prompts)
    votes = _votes(run, workspace)
    _warn(config.adjudicator, prompts, votes)
    if config.show_votes:
        plan = _with_votes(plan, votes)
    return dataclasses.replace(
        plan,
        stage=ADJUDICATE_STAGE,
        config=plan.config.model_copy(update={"limit": config.limit}),
        inputs=tuple({i.path: i for i in (*conflicts.inputs, *plan.inputs)}.values()),
        counts={"conflicts": len(conflicts.records), "tasks": len(plan.shown)},
    )


def run_adjudicate(plan: PushPlan, settings: Settings) -> Run:
    """Bring the conflicts to the adjudicator: like any push, once each.

    Raises:
        PrefkitError: As for `run_push`.
    """
    return run_push(plan, settings)


def _plans(
    run: Path, prompts: Sequence[str], config: AnnotateConfig, workspace: Workspace
) -> list[PushPlan]:
    """A plan for each push run upstream that showed some of the prompts, newest first."""
    plans, left = [], set(prompts)
    for push in _pushes(run, workspace):
        tasks = _tasks(push)
        mine = [tasks[prompt] for prompt in prompts if prompt in left and prompt in tasks]
        if mine:
            chosen = _config(mine[0], config)
            only = {task.prompt_id for task in mine}
            plan = plan_push(str(push), chosen, workspace, only=only)
            shown = [_anew(one, tasks[one.task.prompt_id]) for one in plan.shown]
            plans.append(dataclasses.replace(plan, shown=tuple(shown)))
            left -= only
    if not plans:
        raise PrefkitError(
            f"{run.name}: the push that its judgments answer is not among the runs before it.",
            hint="Adjudicate where the records were pushed from, on an agreement run of a pull.",
        )
    return plans


def _pushes(run: Path, workspace: Workspace) -> list[Path]:
    found = [one for one in workspace.lineage(run) if read_manifest(one).stage == PUSH_STAGE]
    return sorted(found, key=lambda folder: read_manifest(folder).started, reverse=True)


def _tasks(push: Path) -> dict[str, AnnotationTask]:
    """What was shown of each prompt; attention checks come second and are not it."""
    from prefkit.annotation.push import pushed_key

    checks = pushed_key(push)
    files = stream_files(push, "tasks")
    tasks = (task for file in files for task in read_records(file, AnnotationTask))
    return {task.prompt_id: task for task in tasks if task.id not in checks}


def _config(task: AnnotationTask, config: AnnotateConfig) -> AnnotateConfig:
    """The push's own layout, one person, one answer, the greatest conflict first."""
    base = task.dataset.removesuffix(f"-{len(task.shown_order)}")
    return config.model_copy(
        update={
            "dataset": config.dataset or f"{base}-adjudication",
            "layout": config.layout or task.layout,
            "annotators": (config.adjudicator,),
            "overlap": 1,
            "order": "source",
            "suggest": None,
            "attention_share": 0.0,
            "limit": None,
        }
    )


def _anew(one: Shown, task: AnnotationTask) -> Shown:
    """The answers in another random order, under another id than the annotators' record."""
    place = {name: number for number, name in enumerate(one.task.shown_order)}
    order = sorted(place, key=lambda name: content_id("adjudication", task.id, name))
    changed = one.task.model_copy(
        update={
            "id": content_id("adjudication", task.id),
            "shown_order": tuple(order),
            "metadata": {ADJUDICATES: task.dataset},
        }
    )
    return dataclasses.replace(
        one, task=changed, answers=tuple(one.answers[place[name]] for name in order)
    )


def _merged(plans: Sequence[PushPlan], prompts: Sequence[str]) -> PushPlan:
    """One plan of several, the greatest conflict first."""
    shown = {one.task.prompt_id: one for plan in plans for one in plan.shown}
    ordered = [shown[prompt] for prompt in prompts if prompt in shown]
    placed = tuple(
        dataclasses.replace(one, task=one.task.model_copy(update={"place": place}))
        for place, one in enumerate(ordered, start=1)
    )
    return dataclasses.replace(
        plans[0],
        shown=placed,
        inputs=tuple(entry for plan in plans for entry in plan.inputs),
        dropped=tuple(drop for plan in plans for drop in plan.dropped),
        expected=dict(plans[0].expected) | {"answers_wanted": len(placed)},
    )


def _votes(run: Path, workspace: Workspace) -> dict[str, list[Judgment]]:
    """What was said of each prompt: the submitted judgments that the agreement run read."""
    votes: dict[str, list[Judgment]] = defaultdict(list)
    for judgment in load_records(str(run), "judgments", Judgment, workspace).records:
        if judgment.status == "submitted" and not judgment.adjudicated:
            votes[judgment.prompt_id].append(judgment)
    return votes


def _warn(
    adjudicator: str, prompts: Sequence[str], votes: Mapping[str, Sequence[Judgment]]
) -> None:
    own = sum(any(v.annotator == adjudicator for v in votes.get(p, ())) for p in prompts)
    if own:
        console.say(
            f"warning: {adjudicator} annotated {own} of these {len(prompts)} records and would "
            "decide about their own answers."
        )


def _with_votes(plan: PushPlan, votes: Mapping[str, Sequence[Judgment]]) -> PushPlan:
    """The votes as text beside the answers, in the letters that the adjudicator sees."""
    assert plan.layout is not None
    layout = plan.layout.layout
    words = layout.words
    title = f"{words.passage}; what annotators said" if layout.show.passage else "Annotators said"
    changed = layout.model_copy(
        update={
            "show": layout.show.model_copy(update={"passage": True}),
            "words": words.model_copy(update={"passage": title}),
        }
    )
    shown = tuple(
        dataclasses.replace(one, passage=_passage(one, votes.get(one.task.prompt_id, ())))
        for one in plan.shown
    )
    loaded = dataclasses.replace(
        plan.layout, layout=changed, sha256=content_id("show votes", plan.layout.sha256)
    )
    return dataclasses.replace(plan, layout=loaded, shown=shown)


def _passage(one: Shown, votes: Sequence[Judgment]) -> str:
    letters = dict(zip(one.task.shown_order, LETTERS, strict=False))
    lines = [f"{vote.annotator}: {_said(vote, letters)}" for vote in votes]
    return "\n\n".join(filter(None, (one.passage, "\n".join(lines))))


def _said(vote: Judgment, letters: Mapping[str, str]) -> str:
    """A vote in one line: `accept (reason)`, or `B, then A = C`."""
    by_rank: dict[int, list[str]] = defaultdict(list)
    for name, rank in (vote.ranks or {}).items():
        by_rank[rank].append(letters.get(name, "?"))
    ranked = ", then ".join(" = ".join(sorted(by_rank[rank])) for rank in sorted(by_rank))
    reasons = f"({', '.join(vote.reasons)})" if vote.reasons else ""
    edit = f"edit: “{vote.edit}”" if vote.edit else ""
    comment = f"note: “{vote.comment}”" if vote.comment else ""
    parts = (vote.decision, ranked, reasons, edit, comment)
    return " ".join(filter(None, parts)) or "no answer"
