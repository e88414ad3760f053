import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.judging.judge import read_reply

LABELS = ("A", "B", "tie")


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("A", "A"),
        (" B \n", "B"),
        ("tie", "tie"),
        ("Tie.", "tie"),
        ("TIE", "tie"),
        ("**A**", "A"),
        ("[[B]]", "B"),
        ("(A)", "A"),
        ("'B'", "B"),
        ("A.", "A"),
        ("Verdict: A", "A"),
        ("**Verdict:** B", "B"),
        ("Final verdict = tie", "tie"),
        ("Winner: B", "B"),
        ("Answer A is longer but wrong. Answer B is right.\n\nB", "B"),
        ("**A**\nlists three huts\n**B**\nlists two\n\nVerdict: A", "A"),
        ("<think>A is better.\nA</think>\nB", "B"),
        ("A is right.\r\nA\r\n", "A"),
    ],
)
def test_a_label_alone_on_the_last_line_is_the_verdict(reply, label):
    assert read_reply(reply, LABELS) == LABELS.index(label)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   \n ",
        "A is better than B.",
        "I prefer answer A",
        "Answer A",
        "A\nbecause it is right",  # a letter followed by reasoning is not a last line
        "a",  # also a word
        "A or B",
        "A/B",
        "A, B",
        "A B",
        "AB",
        "A?",
        "not A",
        "Neither",
        "C",
        "А",  # Cyrillic
        "1",
        "A\nB",  # two verdicts
        "Verdict: A\nVerdict: B",
        "Verdict: B\nA",
        "<think>A",  # never finished thinking
        '{"winner": "A"}',
        "Verdict:",
        "The verdict is A",
        "tie-break: A",
        "I cannot judge this.",
    ],
)
def test_anything_else_is_unreadable(reply):
    assert read_reply(reply, LABELS) is None


def test_labels_may_be_phrases_as_in_llmbar():
    labels = ("Output (a)", "Output (b)")
    assert read_reply("Output (a)", labels) == 0
    assert read_reply("Output (b).", labels) == 1
    assert read_reply("Output (a) is better than Output (b)", labels) is None


def test_a_judge_that_may_not_tie_is_not_heard_to_tie():
    assert read_reply("tie", ("A", "B")) is None


@given(st.text(), st.sampled_from(LABELS))
def test_reasoning_never_changes_what_the_last_line_says(reasoning, label):
    verdict = read_reply(f"{reasoning}\nVerdict: {label}", LABELS)
    assert verdict in (None, LABELS.index(label))


@given(st.text())
def test_no_reply_breaks_the_reader(reply):
    assert read_reply(reply, LABELS) in (None, 0, 1, 2)
