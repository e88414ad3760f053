from hypothesis import given
from hypothesis import strategies as st
from made_runs import candidates, chunk, example

from prefkit.annotation.attention import make_checks
from prefkit.annotation.layouts import load_layout
from prefkit.annotation.tasks import answer_tasks, passage_of, review_tasks
from prefkit.records import Candidate, assistant
from prefkit.workspace import Workspace

RANKING = load_layout("ranking", Workspace.find())
REVIEW = load_layout("qa_review", Workspace.find())
COMPARISON = load_layout("human_eval", Workspace.find())
EXAMPLES = [example(number) for number in range(30)]
ALL = [candidate for one in EXAMPLES for candidate in candidates(one, 3)]


def ids(made):
    return {one.task.id for one in made.shown}


@given(st.permutations(ALL[:12]))
def test_the_same_candidates_in_any_order_make_the_same_records(mixed):
    made = answer_tasks(EXAMPLES, mixed, {}, RANKING)
    assert ids(made) == ids(answer_tasks(EXAMPLES, ALL[:12], {}, RANKING))


def test_more_prompts_leave_the_records_that_are_there_as_they_are():
    few, many = (
        answer_tasks(EXAMPLES, ALL[:30], {}, RANKING),
        answer_tasks(EXAMPLES, ALL, {}, RANKING),
    )
    assert ids(few) < ids(many)


def test_no_model_stands_first_more_often_than_chance_allows():
    made = answer_tasks(EXAMPLES, ALL, {}, RANKING)
    model = {candidate.id: candidate.model for candidate in ALL}
    first = [model[one.task.shown_order[0]] for one in made.shown]
    assert all(3 <= first.count(f"model-{n}") <= 18 for n in range(3))


def test_answers_stand_in_the_order_that_is_recorded():
    text = {candidate.id: candidate.completion[0].content for candidate in ALL}
    for one in answer_tasks(EXAMPLES, ALL, {}, RANKING).shown:
        assert one.answers == tuple(text[name] for name in one.task.shown_order)


def said(one, *texts, **more):
    return [
        Candidate(prompt_id=one.id, completion=assistant(text), model="m", seed=n, **more)
        for n, text in enumerate(texts)
    ]


def rules(made):
    return sorted(drop.rule for drop in made.dropped)


def test_what_cannot_be_shown_is_dropped_with_a_reason():
    one, other = EXAMPLES[:2]
    made = answer_tasks([one], [*said(one, "a", "A ", "b"), *said(other, "x", "y")], {}, RANKING)
    assert len(made.shown[0].answers) == 2
    assert rules(made) == ["same-text", "unknown-prompt", "unknown-prompt"]
    alone = answer_tasks([one], said(one, "a"), {}, RANKING)
    assert (alone.shown, rules(alone)) == ((), ["one-answer"])
    many = answer_tasks([one], said(one, *map(str, range(11))), {}, RANKING)
    assert len(many.shown[0].answers) == 8
    assert rules(many) == ["over-eight"] * 3
    failed = answer_tasks([one], said(one, "a", "b", finish_reason="error"), {}, RANKING)
    assert rules(failed) == ["failed-generation"] * 2
    three = answer_tasks([one], said(one, "a", "b", "c"), {}, COMPARISON)
    assert (three.shown, rules(three)) == ((), ["more-than-two"])


def test_the_passage_shows_its_chunk_and_what_was_quoted():
    source = chunk(3)
    text = passage_of(example(3), {source.id: source})
    assert source.text in text
    assert "Quoted: “Hut 3 has 13 beds.”" in text
    assert passage_of(example(3), {}) == ""


@given(st.floats(0.01, 0.5))
def test_a_check_differs_from_its_record_in_one_answer_to_another_question(share):
    shown = answer_tasks(EXAMPLES, ALL, {}, RANKING).shown
    real = {one.task.prompt_id: one for one in shown}
    checks = make_checks(shown, share, seed=1)
    assert checks.shown
    for check in checks.shown:
        record = real[check.task.prompt_id]
        assert check.task.id != record.task.id
        changed = [n for n in check.task.shown_order if n not in record.task.shown_order]
        assert len(changed) == 1
        expected = checks.key[check.task.id]
        assert max(expected, key=expected.get) == changed[0]


def test_a_review_check_shows_the_answer_to_another_question_and_wants_a_rejection():
    shown = review_tasks(EXAMPLES, {}, REVIEW).shown
    checks = make_checks(shown, 0.2, seed=0)
    assert set(checks.key.values()) == {"reject"}
    for check in checks.shown:
        number = next(e for e in EXAMPLES if e.id == check.task.prompt_id)
        assert check.answers[0] != number.reference


def test_no_share_no_checks():
    assert make_checks(answer_tasks(EXAMPLES, ALL, {}, RANKING).shown, 0.0, 0).key == {}
