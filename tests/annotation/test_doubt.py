from made_runs import candidates, example

from prefkit.annotation.doubt import by_prompt, doubt, suggestion
from prefkit.annotation.layouts import load_layout
from prefkit.annotation.tasks import answer_tasks
from prefkit.records import Judgment
from prefkit.workspace import Workspace

RANKING = load_layout("ranking", Workspace.find())
ONE = example(1)
ANSWERS = candidates(ONE, 3)
A, B, C = (answer.id for answer in ANSWERS)
SHOWN = answer_tasks([ONE], ANSWERS, {}, RANKING).shown[0]


def judged(ranks, name="judge:x", source="judge", **metadata):
    return Judgment(
        prompt_id=ONE.id,
        ranks=ranks,
        annotator=name,
        source=source,
        status="submitted" if ranks else "unscored",
        metadata=metadata,
    )


def test_doubt_grows_with_flips_ties_and_judges_that_contradict_each_other():
    sure = judged({A: 1, B: 2, C: 3}, pairs="3", flipped="0")
    assert doubt([sure]) == 0
    assert doubt([judged({A: 1, B: 2, C: 3}, pairs="3", flipped="3")]) == 0.5
    assert doubt([judged({A: 1, B: 1, C: 1}, pairs="3", flipped="3")]) == 1
    against = judged({A: 3, B: 2, C: 1}, "judge:y", pairs="3", flipped="0")
    assert doubt([sure, against]) == 0.2
    assert doubt([judged(None)]) == doubt([]) == 1


def test_people_are_no_judges():
    assert by_prompt([judged({A: 1, B: 2}, source="human")]) == {}


def test_a_suggestion_ranks_the_answers_as_shown_and_says_by_whom_and_how_sure():
    judge = judged({A: 1, B: 1, C: 3}, "judge:tone:openai:x(y)", pairs="4", flipped="1")
    question, body = suggestion(SHOWN, [judge], RANKING.layout)
    ranks = dict(zip(SHOWN.task.shown_order, (v["rank"] for v in body["value"]), strict=True))
    assert question == "ranking"
    assert ranks == {A: 1, B: 1, C: 3}
    assert body["agent"] == "judge:tone:openai:x-y-"
    assert body["score"] == [0.75] * 3


def test_a_judge_comes_before_a_rule_and_none_that_saw_too_little_counts():
    rule = Judgment(
        prompt_id=ONE.id, ratings={A: 0.9, B: 0.1, C: 0.5}, annotator="rule:r", source="rule"
    )
    _, by_rule = suggestion(SHOWN, [rule, judged({A: 1, B: 2})], RANKING.layout)
    assert by_rule["agent"] == "rule:r"
    _, by_judge = suggestion(SHOWN, [rule, judged({A: 1, B: 2, C: 3})], RANKING.layout)
    assert by_judge["agent"] == "judge:x"
    assert suggestion(SHOWN, [judged({A: 1, B: 2})], RANKING.layout) is None
