import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefkit.chat import Reply
from prefkit.judging.cards import JudgeCard
from prefkit.judging.pairwise import IDENTICAL, PairItem, compare, decided
from prefkit.records import Verdict, assistant, user


def item(a="four huts", b="five huts", name="p/a/b"):
    return PairItem(name, user("How many huts?"), assistant(a), assistant(b))


def longer(first, second):
    return "A" if len(first) > len(second) else "B" if len(second) > len(first) else "tie"


def verdict_of(winner, swapped):
    return Verdict(
        sample_id="s", judge="j", judge_sha256="0", winner=winner, swapped=swapped,
        status="scored" if winner else "unscored", raw=str(winner),
    )  # fmt: skip


def test_the_winner_is_named_whatever_slot_it_stood_in(scripted, helpfulness):
    [pair] = compare(helpfulness, scripted(longer), [item("a long answer", "short")])
    assert [v.winner for v in pair.verdicts] == ["a", "a"]
    assert [v.swapped for v in pair.verdicts] == [False, True]
    assert [v.raw for v in pair.verdicts] == ["A", "B"]
    assert (pair.outcome, pair.flipped, pair.first_slot) == (1.0, False, 1)
    [pair] = compare(helpfulness, scripted(longer), [item("short", "a long answer")])
    assert (pair.outcome, pair.flipped) == (0.0, False)


def test_a_judge_that_follows_the_slot_flips_and_so_ties(scripted, helpfulness):
    [pair] = compare(helpfulness, scripted(lambda a, b: "A"), [item()])
    assert [v.winner for v in pair.verdicts] == ["a", "b"]
    assert (pair.outcome, pair.flipped, pair.first_slot) == (0.5, True, 2)


def test_the_same_answer_twice_is_a_tie_that_nobody_is_asked_about(scripted, helpfulness):
    model = scripted(lambda a, b: "A")
    [pair] = compare(helpfulness, model, [item("Four  huts.\n", "four huts.")])
    assert model.asked == []
    assert (pair.outcome, pair.flipped, pair.identical) == (0.5, False, True)
    assert {v.raw for v in pair.verdicts} == {IDENTICAL}
    assert pair.verdicts[0].id != pair.verdicts[1].id


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply("I prefer answer A because it is longer."), "the last line is not one of"),
        (Reply("A", "length"), "cut off after 256 tokens"),
        (Reply("", "error", error="HTTP 500"), "the request failed: HTTP 500"),
    ],
)
def test_what_cannot_be_read_is_unscored_and_kept(scripted, helpfulness, reply, reason):
    [pair] = compare(helpfulness, scripted(lambda a, b: reply), [item()])
    assert (pair.outcome, pair.flipped, pair.preference) == (None, False, None)
    for verdict in pair.verdicts:
        assert (verdict.status, verdict.winner, verdict.raw) == ("unscored", None, reply.text)
        assert verdict.metadata["reason"].startswith(reason)


@pytest.mark.parametrize(
    ("winners", "outcome", "flipped"),
    [
        (("a", "a"), 1.0, False),
        (("b", "b"), 0.0, False),
        (("tie", "tie"), 0.5, False),
        (("a", "b"), 0.5, True),
        (("b", "a"), 0.5, True),
        (("a", "tie"), 0.5, True),
        (("a", None), None, False),  # one order alone may be the slot speaking
        ((None, "b"), None, False),
        ((None, None), None, False),
    ],
)
def test_a_side_wins_only_in_both_orders(winners, outcome, flipped):
    pair = decided(item(), (verdict_of(winners[0], False), verdict_of(winners[1], True)))
    assert (pair.outcome, pair.flipped) == (outcome, flipped)


@given(st.sampled_from(["A", "B", "tie", "?"]), st.sampled_from(["A", "B", "tie", "?"]))
def test_exchanging_a_and_b_mirrors_the_outcome(scripted, one, two):
    replies = {("x", "y"): one, ("y", "x"): two}
    card = JudgeCard(name="j", question="?", prompt="$prompt$answer_a$answer_b", sha256="0" * 64)
    model = scripted(lambda a, b: replies[a, b])
    [pair], [mirror] = (
        compare(card, model, [item("x", "y")]),
        compare(card, model, [item("y", "x")]),
    )
    assert pair.flipped == mirror.flipped
    if pair.outcome is None:
        assert mirror.outcome is None
    else:
        assert pair.outcome == 1 - mirror.outcome


def test_verdicts_come_in_the_order_of_the_items(scripted, helpfulness):
    items = [item("long long", "x", "1"), item("same", "same", "2"), item("x", "long long", "3")]
    found = compare(helpfulness, scripted(longer), items)
    assert [pair.item.sample_id for pair in found] == ["1", "2", "3"]
    assert [pair.outcome for pair in found] == [1.0, 0.5, 0.0]


def test_no_items_ask_nothing(scripted, helpfulness):
    assert compare(helpfulness, scripted(longer), []) == []


class Likely:
    """A local model that gives each label a probability, by what it is shown."""

    name, device, structured = "likely", "cpu", False

    def __init__(self, chances):
        self.chances = chances

    def log_probabilities(self, prompts, completions):
        with np.errstate(divide="ignore"):
            return [
                np.log(np.array([self.chances(p[0].content)[c[0].content], 0.5], np.float32))
                for p, c in zip(prompts, completions, strict=True)
            ]


def test_a_local_judge_is_asked_for_probabilities(helpfulness):
    model = Likely(lambda text: {"A": 0.6, "B": 0.2, "tie": 0.2})
    [pair] = compare(helpfulness, model, [item()])
    assert [v.winner for v in pair.verdicts] == ["a", "b"]
    assert [v.score for v in pair.verdicts] == pytest.approx([0.7, 0.3])
    assert pair.preference == pytest.approx(0.5)  # the pull of the slot cancels
    assert json.loads(pair.verdicts[0].raw) == {
        "label_probabilities": {"A": 0.3, "B": 0.1, "tie": 0.1}
    }
    assert pair.verdicts[0].metadata == {"label_mass": "0.5"}


def test_a_label_no_model_would_say_makes_the_verdict_unscored(helpfulness):
    [pair] = compare(helpfulness, Likely(lambda text: {"A": 0.0, "B": 0.0, "tie": 0.0}), [item()])
    assert pair.outcome is None
    assert pair.verdicts[0].metadata["reason"] == "the labels have no probabilities"


def test_labels_too_unlikely_for_a_float_can_still_be_compared(helpfulness):
    class Remote(Likely):
        def log_probabilities(self, prompts, completions):
            return [np.array([-2000.0 - ord(c[0].content[0])], np.float32) for c in completions]

    [pair] = compare(helpfulness, Remote(None), [item()])
    assert [v.winner for v in pair.verdicts] == ["a", "b"]


class Brief:
    """Prefers the shorter answer."""

    def compare(self, prompt, a, b):
        return "a" if len(a[0].content) < len(b[0].content) else "b"


class Whole:
    """Returns a whole Verdict, in terms of what it was shown."""

    needs = "reference"

    def compare(self, prompt, a, b, reference):
        winner = "a" if a[0].content == reference else "b"
        spent = {"tokens": 7, "usd": 0.25, "model": "mine"}
        return Verdict(sample_id="", judge="", judge_sha256="", winner=winner, raw="r", **spent)


class Broken:
    """Fails."""

    def compare(self, prompt, a, b):
        raise KeyError("no such thing")


def code(judge, needs="nothing"):
    return JudgeCard(name="code", question="?", sha256="1" * 64, code=judge, needs=needs)


def test_a_judge_in_python_is_asked_in_both_orders_without_a_model():
    [pair] = compare(code(Brief()), None, [item("short", "much longer")])
    assert (pair.outcome, [v.winner for v in pair.verdicts]) == (1.0, ["a", "a"])
    assert [v.judge_sha256 for v in pair.verdicts] == ["1" * 64] * 2


def test_a_judge_in_python_may_return_a_whole_verdict_and_see_the_reference():
    asked = PairItem("s", user("?"), assistant("no"), assistant("yes"), reference="yes")
    [pair] = compare(code(Whole(), "reference"), None, [asked])
    assert pair.outcome == 0.0
    assert {(v.sample_id, v.judge, v.model, v.tokens, v.usd) for v in pair.verdicts} == {
        ("s", "code", "mine", 7, 0.25)
    }


def test_a_judge_in_python_that_fails_is_unscored_with_its_error_kept():
    [pair] = compare(code(Broken()), None, [item()])
    assert pair.outcome is None
    assert pair.verdicts[0].raw == "KeyError: 'no such thing'"


@pytest.mark.parametrize("said", [None, "A", "neither", 1])
def test_a_judge_in_python_that_names_no_side_is_unscored(said):
    class Odd:
        def compare(self, prompt, a, b):
            return said

    [pair] = compare(code(Odd()), None, [item()])
    assert {v.status for v in pair.verdicts} == {"unscored"}
