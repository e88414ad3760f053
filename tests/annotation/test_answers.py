import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import example

from prefkit.annotation.answers import Said, judgment, working_seconds
from prefkit.annotation.changes import compare
from prefkit.annotation.layouts import load_layout
from prefkit.annotation.review import review
from prefkit.annotation.wire import Response
from prefkit.records import AnnotationTask, Judgment
from prefkit.workspace import Workspace

LAYOUTS = {
    name: load_layout(name, Workspace.find()).layout
    for name in ("ranking", "qa_review", "human_eval")
}
WHEN = "2026-05-01T10:00:00+00:00"


def said(layout, values, status="submitted", shown=("x", "y", "z"), original=""):
    task = AnnotationTask(kind=LAYOUTS[layout].kind, prompt_id="p", shown_order=shown, dataset="d")
    response = Response("u1", status, values, WHEN)
    return judgment(Said(task, response, "ada", original=original), LAYOUTS[layout])


@given(st.lists(st.integers(1, 3), min_size=3, max_size=3))
def test_ranks_come_back_by_candidate_ties_and_all(ranks):
    value = [{"value": f"answer_{c}", "rank": r} for c, r in zip("abc", ranks, strict=True)]
    found = said("ranking", {"ranking": value})
    assert found.ranks == dict(zip("xyz", ranks, strict=True))
    assert (found.annotator, found.source, found.answered_at) == ("ada", "human", WHEN)


def test_a_half_ranked_draft_keeps_what_was_ranked_and_stays_a_draft():
    value = [{"value": "answer_b", "rank": 1}, {"value": "answer_a", "rank": None}]
    found = said("ranking", {"ranking": value}, status="draft")
    assert (found.ranks, found.status) == ({"y": 1}, "draft")
    assert said("ranking", {}, status="discarded").ranks is None


def test_a_rewrite_is_an_edit_and_blanks_are_none():
    assert said("ranking", {"rewrite": "Better.\n"}).edit == "Better."
    assert said("ranking", {"rewrite": " \n"}).edit is None


@pytest.mark.parametrize(
    ("option", "ranks"),
    [
        ("a-much", {"x": 1, "y": 2}),
        ("b-little", {"x": 2, "y": 1}),
        ("same", {"x": 1, "y": 1}),
        ("both-bad", {"x": 1, "y": 1}),
    ],
)
def test_a_preference_becomes_ranks_and_keeps_its_words(option, ranks):
    values = {"preference": option, "task_a": "yes", "task_b": "no", "style_b": 4}
    found = said("human_eval", values, shown=("x", "y"))
    assert found.ranks == ranks
    assert found.metadata["said"]
    assert found.aspects == {"task": {"x": 1.0, "y": 0.0}, "style": {"y": 4.0}}


def test_the_box_of_a_review_counts_only_with_the_decision_to_edit():
    values = {"decision": "edit", "edit": "New.", "reasons": ["wrong", "style"]}
    found = said("qa_review", values, original="Old.")
    assert (found.edit, found.reasons) == ("New.", ("wrong", "style"))
    left = said("qa_review", values | {"edit": " old. "}, original="Old.")
    assert (left.decision, left.edit) == ("edit", None)
    accepted = said("qa_review", values | {"decision": "accept"}, original="Old.")
    assert accepted.edit is None
    assert accepted.metadata["unused_edit"] == "New."


def test_seconds_are_the_time_since_the_same_persons_answer_before():
    def at(user, clock):
        return Response(user, "submitted", {}, f"2026-05-01T{clock}+00:00")

    found = working_seconds(
        [at("u", "10:00:30"), at("u", "10:00:00"), at("v", "10:00:10"), at("u", "12:00:00")], 600
    )
    assert found == {("u", "2026-05-01T10:00:30+00:00"): 30.0}


EXAMPLE = example(1)


def vote(decision, who, edit=None, status="submitted"):
    return Judgment(
        prompt_id=EXAMPLE.id,
        decision=decision,
        edit=edit,
        annotator=who,
        source="human",
        status=status,
        metadata={"record": "r", "dataset": "d"},
    )


def outcome(*votes, overlap=1):
    found = review([EXAMPLE], votes, {EXAMPLE.id: overlap})
    return [e.reference for e in found.examples] or [d.rule for d in found.dropped]


def test_more_than_half_of_the_reviewers_decide():
    accept, reject = vote("accept", "a"), vote("reject", "b")
    assert outcome(accept) == [EXAMPLE.reference]
    assert outcome(reject) == ["rejected"]
    assert outcome(accept, reject) == ["reviewers-disagree"]
    assert outcome(accept, vote("accept", "c"), reject) == [EXAMPLE.reference]
    assert outcome() == ["not-reviewed"]
    assert outcome(accept, overlap=2) == ["review-not-complete"]
    assert outcome(accept, vote("reject", "b", status="draft")) == [EXAMPLE.reference]


def test_an_edit_replaces_the_answer_and_keeps_prompt_quotes_split_and_origin():
    edit = vote("edit", "a", "Better.")
    found = review([EXAMPLE], [edit], {}).examples[0]
    assert (found.reference, found.prompt, found.split) == ("Better.", EXAMPLE.prompt, "train")
    assert found.quotes == EXAMPLE.quotes
    assert found.metadata == {"edited_from": EXAMPLE.id, "judgment_id": edit.id}


def test_edits_that_differ_are_a_conflict_and_an_empty_one_is_no_edit():
    one, other = vote("edit", "a", "One."), vote("edit", "b", "Other.")
    assert outcome(one, other) == ["edits-differ"]
    assert outcome(one, vote("edit", "b", " one. ")) == ["One."]
    assert outcome(vote("edit", "a")) == ["edit-without-text"]


@given(st.permutations(["accept", "accept", "reject", "edit", "edit"]))
def test_who_answered_first_decides_nothing(decisions):
    votes = [vote(d, f"u{n}", "E." if d == "edit" else None) for n, d in enumerate(decisions)]
    assert outcome(*votes) == outcome(*votes[::-1]) == ["reviewers-disagree"]


def test_a_pull_says_what_is_new_changed_and_gone():
    before = [vote("accept", "a"), vote("accept", "b"), vote("accept", "c")]
    now = [vote("accept", "a"), vote("reject", "b"), vote("accept", "d")]
    change = compare(before, now)
    assert (change.new, change.changed, change.unchanged) == (1, 1, 1)
    assert [drop.detail for drop in change.gone] == ["submitted by c, record r"]
    again = compare(now, now)
    assert (again.new, again.changed, again.gone) == (0, 0, ())


def test_a_draft_that_is_submitted_unchanged_has_changed():
    pairs = itertools.permutations(["draft", "submitted"])
    for one, other in pairs:
        assert compare(
            [vote("accept", "a", status=one)], [vote("accept", "a", status=other)]
        ).changed
