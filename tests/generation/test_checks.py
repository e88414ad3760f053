import pytest

from prefkit.generation.checks import refuse_answer, refuse_leak, refuse_question

SENTENCE = "The Wren alarm must be replaced every seven years."


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        ("How often must the Wren alarm be replaced?", None),
        ("Within how many days must the alarm be replaced?", None),
        ("Tell me about the Wren alarm.", "not-a-question"),
        ("The Wren alarm is replaced when?", "not-a-question"),
        ("How often? And why?", "not-a-question"),
        ("Why?", "not-a-question"),
        ("What does the passage say about the Wren alarm?", "not-self-contained"),
        ("How often must this alarm be replaced?", "not-self-contained"),
        ("How often is it replaced in the hut?", "not-self-contained"),
        ("How often must the Wren alarm be and the Wren alarm be replaced?", "degenerate"),
        ("How often must the blue whale be replaced?", "strays"),
    ],
)
def test_a_question_must_stand_by_itself_and_keep_to_its_source(question, rule):
    refused = refuse_question(question, known=SENTENCE)
    assert (refused.rule if refused else None) == rule


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        ("How often must the Wren alarm be replaced?", None),
        ("Must the Wren alarm be replaced every seven years?", "gives-away-answer"),
        ("Is it 7 years until the Wren alarm is replaced?", "gives-away-answer"),
        ("What is the colour of the hut?", "strays"),
    ],
)
def test_a_question_must_not_hold_its_answer(question, rule):
    refused = refuse_leak(question, "every seven years", SENTENCE)
    assert (refused.rule if refused else None) == rule


def test_a_question_that_says_all_its_sentence_says_asks_nothing():
    refused = refuse_leak("Is the Wren alarm replaced every seven years?", "", SENTENCE)
    assert refused.rule == "too-similar-to-source"


@pytest.mark.parametrize(
    ("answer", "finish", "rule"),
    [
        ("Every seven years.", "stop", None),
        ("  ", "stop", "malformed"),
        ("Every seven", "length", "truncated"),
        ("I'm sorry, but I can't answer that.", "stop", "refusal"),
        ("As an AI language model I know nothing of alarms.", "stop", "refusal"),
        ("The passage does not mention it.", "stop", "refusal"),
        ("so it is and " * 12, "stop", "degenerate"),
    ],
)
def test_an_answer_must_be_one(answer, finish, rule):
    refused = refuse_answer(answer, finish)
    assert (refused.rule if refused else None) == rule
