"""Conflicts become tasks of one more person; no server is asked."""

import re

import pytest
from made_runs import make_run, ranking_source

from prefkit.annotation.adjudicate import plan_adjudicate
from prefkit.annotation.agreement.run import plan_agreement, run_agreement
from prefkit.annotation.answers import Said, judgment
from prefkit.annotation.pull import plan_pull
from prefkit.annotation.push import plan_push
from prefkit.annotation.review import review
from prefkit.annotation.screen import record
from prefkit.annotation.wire import Response
from prefkit.config import AgreementConfig, AnnotateConfig
from prefkit.errors import PrefkitError
from prefkit.manifest import Input
from prefkit.records import Example, Judgment
from prefkit.runs import Plan, Run, Settings
from prefkit.storage import write_json


def finished(workspace, stage, streams, inputs):
    entries = tuple(Input.of(path, workspace) for path in inputs)
    with Run.start(Plan(stage, AnnotateConfig(), entries), Settings(workspace)) as run:
        run.record("all", streams)
        run.finish(["all"])
    return run.path


def pushed(workspace, sizes, key=None):
    """A push as it would have gone, and its tasks by prompt."""
    source = ranking_source(workspace, sizes)
    plan = plan_push(str(source), AnnotateConfig(layout="ranking"), workspace)
    tasks = [one.task.model_copy(update={"dataset": "huts"}) for one in plan.shown]
    data = [source / "data" / "candidates.jsonl"]
    run = finished(workspace, "annotate-push", {"tasks": tasks}, data)
    if key:
        write_json(run / "key" / "attention.json", key)
    return run, tasks


def ranked(task, who, *ranks, **fields):
    return Judgment(
        prompt_id=task.prompt_id,
        annotator=who,
        source="human",
        ranks=dict(zip(task.shown_order, ranks, strict=True)),
        shown_order=task.shown_order,
        **fields,
    )


def measured(workspace, push, votes):
    files = [push / "data" / "tasks.jsonl"]
    finished(workspace, "annotate-pull", {"judgments": votes}, files)
    plan = plan_agreement("@annotate-pull", AgreementConfig(), workspace)
    return run_agreement(plan, Settings(workspace))


def conflicting(workspace):
    """Three prompts: opposite orders, half-opposite ones, and the same order."""
    push, tasks = pushed(workspace, [3, 3, 3])
    votes = [ranked(tasks[0], "ada", 1, 2, 3), ranked(tasks[0], "ben", 1, 3, 2)]
    votes += [ranked(tasks[1], "ada", 1, 2, 3), ranked(tasks[1], "ben", 3, 2, 1)]
    votes += [ranked(tasks[2], who, 1, 2, 3) for who in ("ada", "ben")]
    votes += [ranked(tasks[0], "cem", 3, 2, 1)]
    return push, tasks, measured(workspace, push, votes)


def planned(workspace, source="@annotate-agreement", **config):
    config = AnnotateConfig(**{"adjudicator": "dot", **config})
    return plan_adjudicate(source, config, workspace)


def test_only_conflicts_are_shown_the_greatest_first(workspace):
    _, tasks, _ = conflicting(workspace)
    plan = planned(workspace)
    assert [one.task.prompt_id for one in plan.shown] == [tasks[1].prompt_id, tasks[0].prompt_id]
    assert [one.task.place for one in plan.shown] == [1, 2]
    assert plan.stage == "annotate-adjudicate"
    assert plan.dataset == "huts-adjudication"
    assert plan.config.annotators == ("dot",)
    assert plan.config.overlap == 1
    assert len(planned(workspace, limit=1).shown) == 1
    assert planned(workspace, limit=1).digest() != plan.digest()


def test_the_adjudicator_sees_the_same_answers_under_another_id_and_nobodys_vote(workspace):
    _, tasks, _ = conflicting(workspace)
    by_prompt = {task.prompt_id: task for task in tasks}
    plan = planned(workspace)
    for one in plan.shown:
        before = by_prompt[one.task.prompt_id]
        assert sorted(one.task.shown_order) == sorted(before.shown_order)
        assert one.task.id != before.id
        assert one.task.metadata == {"adjudicates": "huts"}
        shown = str(record(one, plan.layout.layout))
        assert not re.search(r"\b(ada|ben|cem)\b", shown)
    texts = {
        name: text
        for o in plan.shown
        for name, text in zip(o.task.shown_order, o.answers, strict=True)
    }
    first = plan_push("@candidates", AnnotateConfig(layout="ranking"), workspace)
    for one in first.shown:
        for name, text in zip(one.task.shown_order, one.answers, strict=True):
            assert texts.get(name, text) == text


def test_votes_are_shown_on_request_in_the_letters_of_the_new_order(workspace):
    _, tasks, _ = conflicting(workspace)
    plan = planned(workspace, show_votes=True)
    one = plan.shown[0]
    letters = dict(zip(one.task.shown_order, "ABC", strict=True))
    best, middle, worst = (letters[name] for name in tasks[1].shown_order)
    assert f"ada: {best}, then {middle}, then {worst}" in one.passage
    assert f"ben: {worst}, then {middle}, then {best}" in one.passage
    assert plan.layout.layout.show.passage
    assert plan.layout.sha256 != planned(workspace).layout.sha256


def test_who_would_judge_their_own_answers_is_warned(workspace, capsys):
    conflicting(workspace)
    planned(workspace, adjudicator="ben")
    assert "ben annotated 2 of these 2 records" in capsys.readouterr().err


def test_nobody_named_or_no_conflict_is_one_clear_error(workspace):
    conflicting(workspace)
    with pytest.raises(PrefkitError, match="Who adjudicates"):
        planned(workspace, adjudicator=None)
    push, tasks = pushed(workspace, [2])
    measured(workspace, push, [ranked(tasks[0], who, 1, 2) for who in ("ada", "ben")])
    with pytest.raises(PrefkitError, match="no conflicts"):
        planned(workspace)


def test_judgments_that_no_push_led_to_cannot_be_shown_again(workspace):
    _, tasks = pushed(workspace, [2])
    votes = [ranked(tasks[0], "ada", 1, 2), ranked(tasks[0], "ben", 2, 1)]
    made = make_run(workspace, "judge", {"judgments": votes})
    plan = plan_agreement(str(made), AgreementConfig(), workspace)
    run_agreement(plan, Settings(workspace))
    with pytest.raises(PrefkitError, match="not among the runs before it"):
        planned(workspace)


def test_an_answer_to_an_adjudication_is_marked(workspace):
    conflicting(workspace)
    plan = planned(workspace)
    task = plan.shown[0].task
    value = [{"value": f"answer_{c}", "rank": r} for c, r in zip("abc", (1, 2, 3), strict=True)]
    response = Response("u", "submitted", {"ranking": value}, "2026-01-01T10:00:00+00:00")
    said = judgment(Said(task, response, "dot"), plan.layout.layout)
    assert said.adjudicated
    assert said.ranks == {name: place for place, name in enumerate(task.shown_order, 1)}


@pytest.mark.parametrize("source", ["huts", "huts-adjudication", "@annotate-adjudicate"])
def test_a_dataset_and_its_adjudication_are_pulled_together(workspace, source):
    push, _, _ = conflicting(workspace)
    shown = planned(workspace).shown
    tasks = [one.task.model_copy(update={"dataset": "huts-adjudication"}) for one in shown]
    files = [push / "data" / "tasks.jsonl"]
    finished(workspace, "annotate-adjudicate", {"tasks": tasks}, files)
    plan = plan_pull(source, AnnotateConfig(), workspace)
    assert plan.datasets == ("huts", "huts-adjudication")
    assert len(plan.tasks) == 5


def test_an_adjudicated_review_follows_the_adjudicator_alone():
    example = Example(prompt="q?", reference="r")

    def said(who, decision, **metadata):
        return Judgment(
            prompt_id=example.id,
            annotator=who,
            source="human",
            decision=decision,
            metadata=metadata,
        )

    votes = [said("ada", "reject"), said("ben", "reject"), said("cem", "accept")]
    assert review([example], votes, {example.id: 3}).examples == ()
    settled = said("dot", "accept", adjudicated="true")
    assert review([example], [*votes, settled], {example.id: 3}).examples == (example,)
