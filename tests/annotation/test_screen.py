import html

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import candidates, chunk, example

from prefkit.annotation import screen
from prefkit.annotation.layouts import load_layout
from prefkit.annotation.tasks import answer_tasks, review_tasks
from prefkit.records import Example, Message


@given(st.text())
def test_what_the_page_shows_is_the_text_itself_and_holds_no_markup(text):
    sent = screen.inert(text)
    assert "<" not in sent
    assert ">" not in sent
    if text.strip():
        assert html.unescape(sent) == text.replace("\0", "␀")
    sent.encode()


def test_a_lone_surrogate_is_shown_as_a_mark_and_nothing_as_a_word():
    assert screen.inert("a\ud800b") == "a\ufffdb"
    assert screen.inert(" \n") == "[no text]"


def test_no_field_renders_markdown_or_html(workspace):
    for name in ("ranking", "qa_review", "human_eval"):
        layout = load_layout(name, workspace).layout
        found = screen.fields(layout, 2)
        assert {f["settings"]["use_markdown"] for f in found} == {False}
        assert {f["settings"]["type"] for f in found} == {"text", "chat"}


def test_the_questions_of_a_ranking_name_every_answer(workspace):
    layout = load_layout("ranking", workspace).layout
    ranking = screen.questions(layout, 3)[0]
    assert [o["value"] for o in ranking["settings"]["options"]] == [
        "answer_a",
        "answer_b",
        "answer_c",
    ]
    assert ranking["required"] is True


def test_a_question_asked_an_answer_becomes_one_for_each(workspace):
    layout = load_layout("human_eval", workspace).layout
    names = [q["name"] for q in screen.questions(layout, 2)]
    assert names[:3] == ["preference", "task_a", "task_b"]
    assert len(names) == len(set(names))


def shown(workspace, one, name="qa_review"):
    return review_tasks([one], {}, load_layout(name, workspace)).shown[0]


def test_one_turn_is_a_text_and_several_are_a_chat(workspace):
    layout = load_layout("qa_review", workspace).layout
    single = screen.record(shown(workspace, example(1)), layout)["fields"]
    assert single["prompt"] == "How many beds has hut 1?"
    turns = tuple(
        Message(role=role, content=text)
        for role, text in (("user", "Hi <b>"), ("assistant", "Hello"), ("user", "Beds?"))
    )
    chat = Example(prompt=turns, reference="Ten.")
    fields = screen.record(shown(workspace, chat), layout)["fields"]
    assert "prompt" not in fields
    assert fields["conversation"][0] == {"role": "user", "content": "Hi &lt;b&gt;"}


def test_a_turn_too_long_for_a_chat_bubble_makes_the_conversation_one_text(workspace):
    turns = (
        Message(role="user", content="x" * 100_000),
        Message(role="assistant", content="y"),
        Message(role="user", content="z"),
    )
    layout = load_layout("qa_review", workspace).layout
    one = shown(workspace, Example(prompt=turns, reference="Ten."))
    fields = screen.record(one, layout)["fields"]
    assert fields["prompt"].startswith("USER: xxx")
    assert len(fields["prompt"]) > 100_000


def test_a_review_starts_with_the_answer_in_the_box_and_a_ranking_with_nothing(workspace):
    review = load_layout("qa_review", workspace)
    assert screen.prefill(shown(workspace, example(1)), review.layout) == {
        "edit": "Hut 1 has 11 beds."
    }
    ranking = load_layout("ranking", workspace)
    made = answer_tasks([example(1)], candidates(example(1), 3), {}, ranking)
    assert screen.prefill(made.shown[0], ranking.layout) == {}


def test_annotators_see_no_model_name(workspace):
    ranking = load_layout("ranking", workspace)
    one = example(1)
    source = chunk(1)
    made = answer_tasks([one], candidates(one, 4), {source.id: source}, ranking)
    sent = str(screen.record(made.shown[0], ranking.layout))
    assert "model-" not in sent
    assert source.text in sent


@pytest.mark.parametrize("name", ["ranking", "qa_review", "human_eval"])
def test_titles_and_options_stay_within_what_argilla_accepts(workspace, name):
    layout = load_layout(name, workspace).layout
    for part in (*screen.fields(layout, 2), *screen.questions(layout, 2)):
        assert 1 <= len(part["title"]) <= 500
        assert 1 <= len(part["name"]) <= 200
